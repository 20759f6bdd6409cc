"""What a gate has done, written down file by file beside it, so that a gate that was killed goes on where it was.

The first line says what the gate was asked and saw; each other line is of one file, written once its outputs
are written. Whoever goes on must be asked the same, see the same, and find the same files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from sayso.canonical import digest_bytes, digest_file
from sayso.errors import EngineError
from sayso.gate.inputs import Input
from sayso.gate.job import Job
from sayso.gate.output import Gated, Written
from sayso.gate.snapshots import Pinned

FILE = "done.ndjson"
FORM = "sayso/done/1"


@dataclass(frozen=True, slots=True)
class Begun:
    """What a gate was asked (a digest of all that matters), when its first look was, and what it saw."""

    asked: str
    at: int
    position: int
    snapshot: str


def asked(job: Job, files: Sequence[Input], versions: Mapping[str, str]) -> str:
    """A digest of what a gate is asked, of which files, and of what runs. A release's instant is not of it."""
    said = {
        "purpose": job.use.purpose, "recipient": job.use.recipient, "at": None if job.release else job.use.at,
        "columns": asdict(job.columns), "emit": job.emit, "report": job.reports, "canaries": job.canaries,
        "policy": None if job.policy is None else job.policy.digest, "position": job.position,
        "snapshot": None if job.snapshot is None else job.snapshot.digest, "versions": dict(versions),
        "since": None if job.since is None else str(job.since),
        "files": [(file.name, file.form, file.rows, file.state) for file in files],
    }  # fmt: skip
    return digest_bytes(msgspec.json.encode(said, order="sorted"))


def begun(work: Path) -> Begun | None:
    """What the gate that left a directory began with; `None` if that cannot be read."""
    lines = _lines(work)
    try:
        if not lines or lines[0].pop("form") != FORM:
            return None
        return msgspec.convert(lines[0], Begun)
    except (msgspec.ValidationError, KeyError):
        return None


def done(work: Path, files: Sequence[Input]) -> dict[int, Gated]:
    """What is done, by the place of the file. Of what is not as it was written down, nothing is."""
    places = {file.name: place for place, file in enumerate(files)}
    found: dict[int, Gated] = {}
    for line in _lines(work)[1:]:
        try:
            place = places[line["input"]]
            written = tuple(Written(**one) for one in line["written"])
            cells = Counter({(outcome, category, where): count for outcome, category, where, count in line["cells"]})
            if all(digest_file(work / one.path) == one.digest for one in written):
                found[place] = Gated(files[place], line["sha256"], written, cells)
        except (KeyError, TypeError, ValueError, OSError):
            continue
    return found


def _lines(work: Path) -> list[dict[str, Any]]:
    """The lines that were written whole."""
    try:
        data = (work / FILE).read_bytes()
    except OSError:
        return []
    lines = []
    for line in data.split(b"\n")[:-1]:
        try:
            decoded = msgspec.json.decode(line)
        except msgspec.DecodeError:
            break
        if not isinstance(decoded, dict):
            break
        lines.append(decoded)
    return lines


class Log:
    """Writes down what is done, in one thread."""

    def __init__(self, work: Path, asked: str, pinned: Pinned, already: Mapping[int, Gated]) -> None:
        self._path = work / FILE
        first = asdict(Begun(asked, pinned.use.at, pinned.position, pinned.digest)) | {"form": FORM}
        lines = [first, *(_line(gated) for gated in already.values())]
        try:
            self._path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        except OSError as error:
            raise EngineError(f"could not write the output: {error.strerror or type(error).__name__}") from error

    def add(self, gated: Gated) -> None:
        """A file whose outputs were written. Whoever goes on digests them again, so nothing waits for the disk."""
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(_line(gated)) + b"\n")

    def close(self) -> None:
        """Takes it away: there is nothing left to go on with."""
        self._path.unlink(missing_ok=True)


def _line(gated: Gated) -> dict[str, Any]:
    return {
        "input": gated.input.name,
        "sha256": gated.input_digest,
        "written": [asdict(one) for one in gated.written],
        "cells": [[*cell, count] for cell, count in gated.cells.items()],
    }
