"""The report of the denied records: for each its key, one reason and the evidence, and never the content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sayso.gate.columns import Columns
from sayso.gate.verdicts import Answer, Denials, Verdicts, canonical_codes
from sayso.policy.verdict import Outcome

WORDS = ["reason", "rule", "territory", "category"]
"""The columns that have few different values."""


@dataclass(frozen=True)
class Report:
    """What the denied-records report says of a verdict, beside the record."""

    rule_ids: dict[int, str]
    answers: Callable[[int], Answer]
    ids: pa.DataType


def denied_schema(schema: pa.Schema, columns: Columns, ids: pa.DataType) -> pa.Schema:
    """The columns of the denied-records report. It never holds content: only keys, reasons and evidence."""
    words = pa.dictionary(pa.int32(), pa.string())
    key = [] if columns.key is None else [schema.field(columns.key).with_name("key")]
    return pa.schema(
        [
            *key, ("row", pa.int64()), ("reason", words), ("rule", words), ("territory", words), ("category", words),
            ("subject", ids), ("position", pa.int64()),
        ]
    )  # fmt: skip


def denials(
    table: pa.Table, mask: np.ndarray[Any, Any], at: int, before: int, verdicts: Verdicts, report: Report,
    columns: Columns, schema: pa.Schema,
) -> pa.Table:  # fmt: skip
    """The rows of the report for one row group."""
    rows = np.flatnonzero(~mask)
    numbers, which = np.unique(verdicts.packed[at + rows], return_inverse=True)
    answers = [report.answers(int(number)) for number in numbers]
    behind = verdicts.denials.within(at, at + table.num_rows)
    indices = pa.array(which.astype(np.int32))

    def words(values: list[str | None]) -> pa.Array:
        known = list(dict.fromkeys(value for value in values if value is not None))
        places = pa.array([None if value is None else known.index(value) for value in values], pa.int32())
        return pa.DictionaryArray.from_arrays(places.take(indices), pa.array(known, pa.string()))

    territory = words([answer.territory for answer in answers])
    if columns.territory is not None and any(answer.written for answer in answers):
        said = table.column(columns.territory).take(pa.array(rows)).combine_chunks()
        territory = _with_written(territory, said, np.array([answer.written for answer in answers])[which])
    data: dict[str, Any] = {
        "row": pa.array(rows + before),
        "reason": words([answer.outcome.word for answer in answers]),
        "rule": words([report.rule_ids.get(answer.rule) for answer in answers]),
        "territory": territory,
        "category": words([answer.category for answer in answers]),
        "subject": _subjects(table, rows, answers, which, behind, report, columns),
        "position": behind.positions,
    }
    if columns.key is not None:
        data["key"] = table.column(columns.key).take(pa.array(rows))
    return pa.table([data[name] for name in schema.names], schema=schema)


def _subjects(
    table: pa.Table, rows: Any, answers: list[Answer], which: Any, behind: Denials, report: Report, columns: Columns
) -> pa.Array:
    """The subject of each denial: of a record with one it is that, where the verdict is about a subject at all."""
    if columns.several or pa.types.is_nested(table.schema.field(columns.subjects[0].column).type):
        return behind.ids
    about = np.array([answer.outcome > Outcome.NO_SUBJECT for answer in answers])[which]
    own = table.column(columns.subjects[0].column).take(pa.array(rows)).combine_chunks()
    if isinstance(own.type, pa.UuidType) or pa.types.is_fixed_size_binary(own.type):
        raw = own.storage if isinstance(own, pa.ExtensionArray) else own
        own = pa.array([None if one is None else str(UUID(bytes=one)) for one in raw.to_pylist()], pa.string())
    # Nulled before the cast: what is no id of the ledger's may not even fit its type.
    return pc.if_else(pa.array(about), own, pa.scalar(None, own.type)).cast(report.ids)


def column(table: pa.Table, name: str | None) -> pa.Array | None:
    """A column in one piece, if it has a name."""
    return None if name is None else table.column(name).combine_chunks()


def _with_written(territory: pa.Array, said: pa.Array, of_record: Any) -> pa.Array:
    """The territories of a report, those of some verdicts being the territory written on the record."""
    codes, known = canonical_codes(said)
    named = territory.dictionary.to_pylist()
    values = list(dict.fromkeys([*named, *(one for one in known if one is not None)]))
    place = np.array([-1 if one is None else values.index(one) for one in known], np.int64)
    stated = territory.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    index = np.where(of_record, place[codes], stated).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(index, mask=index < 0), pa.array(values, pa.string()))
