"""Replaying some verdicts of an output by the reference decision, from the ledger and the corpus alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sayso import instant
from sayso.consent.reader import Reader, View
from sayso.errors import InputError, VerificationError
from sayso.gate import attestation, manifest
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.engine import Engine, Part, Question
from sayso.gate.inputs import Input, open_inputs
from sayso.gate.output import DENIED, PERMITTED
from sayso.gate.selection import KIND as SELECTION
from sayso.gate.selection import decode
from sayso.gate.snapshots import nobodys
from sayso.gate.verify import Difference
from sayso.ledger.head import check_not_older
from sayso.ledger.identity import IdType
from sayso.ledger.log import checkpoint
from sayso.policy.decide import decide
from sayso.policy.facts import Record, Subject, Use

UNTOLD = "denied"
"""Where a selection has no report of its denied records."""
Choose = Callable[[int, int], Sequence[int]]
"""Chooses so many numbers below another, each once, as nobody could have foreseen."""


def replay(
    directory: Path, corpus: Path, reader: Reader, engine: Engine, choose: Choose, sample: int, scratch: Path
) -> list[Difference]:
    """What differs between a ledger and an output that was gated by it: its checkpoint, and a sample of its verdicts.

    `corpus` is the directory in which the inputs are; `scratch` one to write in. Somebody erased since is denied as
    `erased` now, and is no difference. Raises VerificationError for a manifest that cannot be read.
    """
    said = manifest.read(directory)
    try:
        return list(_differences(directory, corpus, said, reader, engine, choose, sample, scratch))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise VerificationError(
            f"the manifest in `{manifest.named(directory)}` holds something in another form"
        ) from error


def _differences(
    directory: Path, corpus: Path, said: dict[str, Any], reader: Reader, engine: Engine, choose: Choose, sample: int,
    scratch: Path,
) -> Iterator[Difference]:  # fmt: skip
    stated = attestation.read((directory / attestation.FILE).read_bytes(), ())
    try:
        with reader.journal.store.reading() as reading:
            seen = checkpoint.unverified(stated.checkpoint)
            check_not_older(reading, checkpoint.unverified(reading.checkpoint()), seen)
    except VerificationError as error:
        yield Difference("checkpoint", "the ledger goes on from it", str(error))
        return
    looks = []
    for look in said["looks"]:
        try:
            view = reader.view(position=look["position"])
        except InputError as error:
            yield Difference("looks", f"position {look['position']}", str(error))
            return
        if view.context.policy.digest != look["policy"]:
            yield Difference("looks", f"policy {look['policy']}", f"{view.context.policy.digest} was published last")
            return
        use = Use(said["use"]["purpose"], said["use"]["recipient"], instant.parse(look["at"]))
        looks.append((view, use))
    yield from _verdicts(directory, corpus, said, looks, engine, reader.journal.id_type, choose, sample, scratch)


def _verdicts(
    directory: Path, corpus: Path, said: dict[str, Any], looks: Sequence[tuple[View, Use]], engine: Engine,
    id_type: IdType, choose: Choose, sample: int, scratch: Path,
) -> Iterator[Difference]:  # fmt: skip
    columns = _columns(said["columns"])
    total = sum(entry["records"] for entry in said["inputs"])
    chosen = sorted(choose(total, min(sample, total)))
    ids = pa.int64() if id_type is IdType.INT64 else pa.string()
    first = 0
    for entry in said["inputs"]:
        rows = [row - first for row in chosen if first <= row < first + entry["records"]]
        first += entry["records"]
        if not rows:
            continue
        (file,) = open_inputs((str(corpus / entry["name"]),), columns, engine, scratch / str(first))
        stood = _reported(directory, said, entry["name"], rows)
        for row, record in _records(file, rows, columns, looks[0], engine, ids, id_type).items():
            found = _decided(record, looks)
            if found != "erased" and stood[row] not in (found, UNTOLD if found != PERMITTED else PERMITTED):
                yield Difference(f"input {entry['name']}, row {row}", stood[row], found)


def _columns(said: Mapping[str, Any]) -> Columns:
    given = dict(said)
    subjects = tuple(SubjectColumn(**one) for one in given.pop("subjects"))
    return Columns(subjects, **given)


def _reported(directory: Path, said: Mapping[str, Any], name: str, rows: Sequence[int]) -> dict[int, str]:
    """What the output says of some rows of an input: `permitted`, or the reason in the report, if there is one."""
    held = {one["kind"]: one for one in said["outputs"] if one.get("input") == name}
    if held and DENIED not in held:
        data = (directory / held[SELECTION]["path"]).read_bytes()
        selected = decode(data, next(one["records"] for one in said["inputs"] if one["name"] == name))
        return {row: PERMITTED if row in selected else UNTOLD for row in rows}
    reasons: dict[int, str] = {}
    for report in said["outputs"]:
        if report["kind"] != DENIED or report.get("input", name) != name:
            continue
        table = pq.read_table(directory / report["path"])
        if "input" not in report:
            table = table.filter(pc.equal(table.column("input"), name))
        asked = table.filter(pc.is_in(table.column("row"), pa.array(rows, pa.int64())))
        reasons |= dict(zip(asked.column("row").to_pylist(), asked.column("reason").to_pylist(), strict=True))
    return {row: reasons.get(row, PERMITTED) for row in rows}


def _records(
    file: Input, rows: Sequence[int], columns: Columns, look: tuple[View, Use], engine: Engine, ids: pa.DataType,
    id_type: IdType,
) -> dict[int, Record]:  # fmt: skip
    view, use = look
    reserving = view.context.policy.purposes.above(use.purpose)
    question = Question(
        (Part(file.path, file.rows, 0),), columns, file.schema, nobodys(view, use, ids), reserving, False, id_type
    )
    return {row["row"]: _record(row, columns, use) for row in engine.records(question, rows).to_pylist()}


def _record(row: Mapping[str, Any], columns: Columns, use: Use) -> Record:
    """A record of a corpus as the reference decides it."""
    if "subjects" in row:
        listed = row["subjects"]
        subjects = None if listed is None else tuple(Subject(one["id"], one["role"]) for one in listed)
    else:
        subjects = (Subject(row["subject"], columns.subjects[0].role),)
    reserved = row.get("reserved", False)
    return Record(
        subjects, row["category"], row["collected"], row.get("written"), row.get("account"),
        frozenset({use.purpose}) if reserved else frozenset(), bool(row.get("malformed", False)) or reserved is None,
    )  # fmt: skip


def _decided(record: Record, looks: Sequence[tuple[View, Use]]) -> str:
    """The reason for which a record is denied at one of the looks, the last first; or that it is permitted."""
    verdicts = [decide(view.context.policy, use, record, view.known) for view, use in looks]
    return next((one.reason for one in reversed(verdicts) if one.reason is not None), PERMITTED)
