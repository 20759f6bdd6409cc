"""Files of an earlier output that may be taken as they are: no verdict of theirs can have changed since.

A file is taken if it is the same to the last byte, and if what was seen then, decided anew, says of each of its records,
and of what a denial rests on, just what is seen now. So nothing that can change a verdict is left out, be it an event,
an instant, or an erasure, which reaches back.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sayso import instant
from sayso.canonical import digest_file
from sayso.consent.reader import Reader
from sayso.errors import CorpusError, EngineError, InputError, VerificationError
from sayso.gate import attestation, manifest
from sayso.gate.engine import Engine
from sayso.gate.gating import Gating
from sayso.gate.inputs import Input
from sayso.gate.job import Job
from sayso.gate.looks import Look
from sayso.gate.output import DENIED, Gated, Written
from sayso.gate.snapshots import make
from sayso.ledger.head import check_not_older
from sayso.ledger.log import checkpoint
from sayso.policy.facts import Use


def taken(
    job: Job, directory: Path, gate: Gating, look: Look, reader: Reader, engine: Engine, already: Mapping[int, Gated]
) -> dict[int, Gated]:
    """The files whose outputs are those of an earlier output, copied from it, by their place in the corpus.

    None, if it was made otherwise, or of what is not known any more. Raises CorpusError for an output that cannot be
    read or was not signed by this ledger.
    """
    said = _read(directory, reader)
    earlier = _looks(said, job, look, reader, engine) if _comparable(said, job, look, engine) else None
    if earlier is None:
        return {}
    entries = {entry["name"]: entry for entry in said["inputs"]}
    left = [place for place in range(len(gate.files)) if place not in already]
    with ThreadPoolExecutor(job.threads) as pool:
        same = list(pool.map(lambda place: _same(gate.files[place], entries), left))
    which = [place for place, is_same in zip(left, same, strict=True) if is_same]
    found: dict[int, Gated] = {}
    for place, cells in (gate.same(earlier, look, which) if which else {}).items():
        file = gate.files[place]
        written = _copied(directory, gate.work, [one for one in said["outputs"] if one["input"] == file.name])
        if written is not None:
            found[place] = Gated(file, entries[file.name]["sha256"], written, cells)
    return found


def _read(directory: Path, reader: Reader) -> dict[str, Any]:
    """The manifest of an earlier output, signed by this ledger as it was or is."""
    name = manifest.named(directory)
    try:
        said = manifest.read(directory)
    except VerificationError as error:  # which says where it is, and that may be nobody's business here
        told = f"`{name}` is no output of a gate: it holds no manifest of form `{manifest.FORM}`"
        raise CorpusError(f"{told}; leave out `--since`") from error
    try:
        signer = reader.journal.keys.signing().verifier
        stated = attestation.read((directory / attestation.FILE).read_bytes(), (signer,))
        with reader.journal.store.reading() as reading:
            seen = checkpoint.opened(stated.checkpoint, (signer,))
            check_not_older(reading, checkpoint.unverified(reading.checkpoint()), seen)
    except VerificationError as error:
        raise CorpusError(f"nothing can be taken from `{name}`: {error}; leave out `--since`") from error
    except OSError as error:
        told = error.strerror or type(error).__name__
        raise CorpusError(f"the signed manifest in `{name}` cannot be read: {told}; leave out `--since`") from error
    if stated.manifest != said:
        raise CorpusError(f"the manifest in `{name}` is not the one that was signed; leave out `--since`")
    return said


def _comparable(said: Mapping[str, Any], job: Job, look: Look, engine: Engine) -> bool:
    """Whether an output was asked for like this one, of the same policy and version, and made by the same programs."""
    reported = any(one["kind"] == DENIED for one in said["outputs"])
    return bool(
        said.get("emit") == job.emit
        and reported == job.reports
        and said["columns"] == manifest.columns(job.columns)
        and (said["use"]["purpose"], said["use"]["recipient"]) == (job.use.purpose, job.use.recipient)
        and said["versions"] == dict(engine.versions)
        and not look.stale
        and all((one["policy"], one["version"]) == (look.pinned.policy, look.pinned.version) for one in said["looks"])
    )


def _looks(said: Mapping[str, Any], job: Job, look: Look, reader: Reader, engine: Engine) -> list[Look] | None:
    """What was seen then, seen again; `None` if it is not what it was, for another reason than erasures."""
    found = []
    for one in said["looks"]:
        use = Use(job.use.purpose, job.use.recipient, instant.parse(one["at"]))
        try:
            view = reader.view(look.view.context.policy, one["position"])
        except InputError:
            return None
        pinned = make(reader.journal.store, view, use, engine)
        if (pinned.policy, pinned.version) != (one["policy"], one["version"]):
            return None
        if pinned.digest != one["snapshot"] and view.erased is None:
            return None
        found.append(Look(view, pinned, stale=False))
    return found


def _same(file: Input, entries: Mapping[str, Any]) -> bool:
    """Whether a file is the one of that name that was read then."""
    entry = entries.get(file.name)
    held = entry is not None and file.form == entry["form"] and file.rows == entry["records"] and file.rows
    return bool(held) and digest_file(file.source) == entries[file.name]["sha256"]


def _copied(directory: Path, work: Path, entries: Sequence[Mapping[str, Any]]) -> tuple[Written, ...] | None:
    """Outputs of one file, copied; `None` if one is not what its manifest says."""
    written = []
    for entry in entries:
        path = work / entry["path"]
        if not path.resolve().is_relative_to(work.resolve()):
            return None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(directory / entry["path"], path)
            if digest_file(path) != entry["sha256"]:
                return None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EngineError(f"could not write the output: {error.strerror or type(error).__name__}") from error
        written.append(Written(entry["path"], entry["kind"], entry["sha256"], entry["records"]))
    return tuple(written)
