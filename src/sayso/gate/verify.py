"""Checking an output against its manifest, without trusting who made either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sayso.canonical import digest_file
from sayso.errors import VerificationError
from sayso.gate import attestation, counting, manifest
from sayso.gate.output import DENIED, PERMITTED
from sayso.gate.selection import KIND as SELECTION
from sayso.gate.selection import decode
from sayso.ledger.log import checkpoint
from sayso.ledger.log.note import VerifierKey


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which files and manifest differ: where, what the manifest says, and what was found."""

    where: str
    said: str
    found: str

    def __str__(self) -> str:
        return f"{self.where}: the manifest says {self.said}, found {self.found}"


def verify(directory: Path, inputs: Path | None = None, known: Collection[VerifierKey] = ()) -> list[Difference]:
    """Everything in which an output differs from its manifest; nothing if they agree.

    Every file's digest and number of records, that there is no other file, that the counts reconcile with each other
    and with the denied-records report; that the signed statement is about this manifest and these files; and, given the
    directory in which the `inputs` are, theirs too. With `known` keys, that one of them signed the statement, and the
    checkpoint in it. Raises VerificationError if there is no manifest that can be read.
    """
    said = manifest.read(directory)
    try:
        return [*_differences(directory, inputs, said), *_signature(directory, said, known)]
    except (KeyError, TypeError, AttributeError, ValueError, OSError) as error:
        raise VerificationError(
            f"the manifest in `{manifest.named(directory)}` lacks what one has, or holds it in another form ({error})"
        ) from error


def _differences(directory: Path, inputs: Path | None, said: dict[str, Any]) -> Iterator[Difference]:
    yield from _files(directory, said)
    for text in counting.differences(said["counts"]):
        yield Difference("counts", "they reconcile", text)
    yield from _sums(said)
    yield from _reasons(directory, said)
    if inputs is not None:
        for entry in said["inputs"]:
            if entry["form"] == "table":  # it has no bytes to be known by
                continue
            path, where = inputs / entry["name"], f"input {entry['name']}"
            if _within(path, inputs):
                yield from _file(path, where, entry, _rows if said.get("emit") == SELECTION else None)
            else:
                yield Difference(where, "a file of the corpus", "a path outside it")


def _signature(directory: Path, said: dict[str, Any], known: Collection[VerifierKey]) -> Iterator[Difference]:
    """The signed statement, against the manifest and the files."""
    try:
        stated = attestation.read((directory / attestation.FILE).read_bytes(), known)
        head = checkpoint.opened(stated.checkpoint, known) if known else checkpoint.unverified(stated.checkpoint)
    except OSError:
        yield Difference(attestation.FILE, "a signed statement", "none")
        return
    except VerificationError as error:
        yield Difference(attestation.FILE, "a statement signed by a known key", str(error))
        return
    if stated.manifest != said:
        yield Difference(manifest.FILE, "what was signed", "another manifest")
    files = {entry["path"]: entry["sha256"] for entry in said["outputs"]}
    files[manifest.FILE] = digest_file(directory / manifest.FILE)
    for name in sorted(files.keys() | stated.files.keys()):
        if files.get(name) != stated.files.get(name):
            signed, found = stated.files.get(name, "no such file"), files.get(name, "no such file")
            yield Difference(name, f"{signed}, as it was signed", found)
    seen = max(look["position"] for look in said["looks"])
    if head.size < seen:
        yield Difference("checkpoint", f"a ledger of at least {seen} events", f"one of {head.size}")


def _files(directory: Path, said: dict[str, Any]) -> Iterator[Difference]:
    named = {manifest.FILE, attestation.FILE}
    for entry in said["outputs"]:
        named.add(entry["path"])
        path = directory / entry["path"]
        if not _within(path, directory):
            yield Difference(entry["path"], "a file of the output", "a path outside it")
            continue
        if entry["kind"] == SELECTION:
            yield from _selection(path, entry, said)
        else:
            yield from _file(path, entry["path"], entry, _rows if "records" in entry else None)
    there = sorted(
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_symlink() or not path.is_dir()
    )
    for name in there:
        if name not in named:
            yield Difference(name, "nothing", "a file")


def _file(
    path: Path, where: str, entry: dict[str, Any], rows_of: Callable[[Path], int | None] | None
) -> Iterator[Difference]:
    if not path.is_file():
        yield Difference(where, "a file", "none")
        return
    found = digest_file(path)
    if found != entry["sha256"]:
        yield Difference(where, entry["sha256"], found)
    if rows_of is not None:
        rows = rows_of(path)
        if rows != entry["records"]:
            yield Difference(where, f"{entry['records']} records", "no Parquet" if rows is None else f"{rows} records")


def _selection(path: Path, entry: dict[str, Any], said: dict[str, Any]) -> Iterator[Difference]:
    """A set of rows: that it is one, of the file that it is said to be of, with as many rows as are said."""
    yield from _file(path, entry["path"], entry, None)
    of = [one for one in said["inputs"] if one["name"] == entry["input"]]
    if len(of) != 1 or of[0]["sha256"] != entry["of"]:
        yield Difference(entry["path"], f"it is of {entry['of']}", "no such input, or more than one")
        return
    if path.is_file():
        try:
            rows = len(decode(path.read_bytes(), of[0]["records"]))
        except VerificationError as error:
            yield Difference(entry["path"], "a selection of its input's rows", str(error))
            return
        if rows != entry["records"]:
            yield Difference(entry["path"], f"{entry['records']} records", f"{rows} records")


def _rows(path: Path) -> int | None:
    try:
        rows: int = pq.read_metadata(path).num_rows
    except (pa.ArrowException, OSError):
        return None
    return rows


def _sums(said: dict[str, Any]) -> Iterator[Difference]:
    """The files' numbers of records against the counts. Of a selection without a report the denied are the rest."""
    counts, outputs = said["counts"], said["outputs"]
    read = sum(entry["records"] for entry in said["inputs"])
    if read != counts["records"]:
        yield Difference("counts", f"{counts['records']} records", f"{read} in the inputs")
    made = [*outputs, *said.get("tables", ())]
    let_through = sum(entry["records"] for entry in made if entry["kind"] in (PERMITTED, SELECTION))
    refused = sum(entry["records"] for entry in made if entry["kind"] == DENIED)
    reported = _reported(said)
    for kind, held in ((PERMITTED, let_through), (DENIED, refused if reported else read - let_through)):
        if held != counts[kind]:
            yield Difference("counts", f"{counts[kind]} {kind}", f"{held} in the files")
    # What a cluster writes is of all inputs together, and says in the report which.
    single = [one for one in outputs if "input" in one]
    for entry in said["inputs"] if single else ():
        of = [one for one in single if one["input"] == entry["name"]]
        total = sum(one["records"] for one in of)
        if (total != entry["records"]) if reported else (len(of) != 1 or total > entry["records"]):
            yield Difference(f"input {entry['name']}", f"{entry['records']} records", f"{total} in its outputs")


def _reported(said: dict[str, Any]) -> bool:
    """Whether there must be a report of the denied records."""
    selections = [one for one in said["outputs"] if one["kind"] == SELECTION]
    return not selections or said.get("emit") != SELECTION or len(selections) < len(said["outputs"])


def _reasons(directory: Path, said: dict[str, Any]) -> Iterator[Difference]:
    """The reasons and categories in the denied-records report against the counts at their finest."""
    found: Counter[tuple[str | None, str | None]] = Counter()
    for entry in said["outputs"]:
        path = directory / entry["path"]
        if entry["kind"] != DENIED or not path.is_file() or not _within(path, directory):
            continue
        try:
            table = pq.read_table(path, columns=["reason", "category"])
        except (pa.ArrowException, OSError, KeyError):
            return  # already told: not the file of the manifest
        plain = pa.table([column.cast(pa.string()) for column in table.columns], names=table.column_names)
        for row in plain.group_by(["reason", "category"]).aggregate([([], "count_all")]).to_pylist():
            found[row["reason"], row["category"]] += row["count_all"]
    stated: Counter[tuple[str | None, str | None]] = Counter()
    for cell in said["counts"]["cells"]:
        if cell["outcome"] in said["counts"]["by_reason"]:
            stated[cell["outcome"], cell["category"]] += cell["records"]
    if not said["outputs"] or not _reported(said):
        return
    for reason, category in sorted({*found, *stated}, key=str):
        count, counted = stated[reason, category], found[reason, category]
        if count != counted:
            yield Difference("denied", f"{count} `{reason}` of `{category}`", f"{counted} in the report")


def _within(path: Path, directory: Path) -> bool:
    return path.resolve().is_relative_to(directory.resolve())
