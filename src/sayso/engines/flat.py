"""How the subjects of a batch of records are read with Arrow: those of every column, in order, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from sayso.gate.columns import Columns, SubjectColumn
from sayso.plan.several import Bools, Subjects

ID, ROLE = "id", "role"


def suits(columns: Columns, schema: pa.Schema, unasked: Sequence[str]) -> bool:
    """Whether every column of subjects has integers, lists of them, or lists of structs of those and a role."""
    return all(_suits(schema.field(subject.column).type, unasked) for subject in columns.subjects)


def subjects(batch: pa.RecordBatch, columns: Columns, unasked: Sequence[str]) -> tuple[Subjects, Any]:
    """The subjects of a batch's records; and which records have a list that could not be read."""
    held = [_column(batch.column(subject.column), subject, unasked) for subject in columns.subjects]
    missing: Any = np.False_
    for one in held:
        missing = missing | one.missing
    if len(held) == 1:
        return Subjects(held[0].ids, _starts(held[0].counts), held[0].unread, held[0].unasked), missing
    starts = _starts(np.sum([one.counts for one in held], axis=0, dtype=np.int64))
    places, before = [], starts[:-1]
    for one in held:
        own = _starts(one.counts)
        places.append(np.arange(own[-1]) + np.repeat(before - own[:-1], one.counts))
        before = before + one.counts
    total = int(starts[-1])
    ids = np.empty(total, np.int64)
    unread, uncounted = (np.zeros(total, np.bool_) if any(asked) else None for asked in (
        [one.unread is not None for one in held], [one.unasked is not None for one in held]
    ))  # fmt: skip
    for one, place in zip(held, places, strict=True):
        ids[place] = one.ids
        if unread is not None and one.unread is not None:
            unread[place] = one.unread
        if uncounted is not None and one.unasked is not None:
            uncounted[place] = one.unasked
    return Subjects(ids, starts, unread, uncounted), missing


def numbers(column: pa.Array) -> tuple[Any, Any]:
    """Integers or instants as an array of int64, and which of them are null; `None` if none is."""
    values = column.cast(pa.int64()) if column.type != pa.int64() else column
    if not column.null_count:
        return values.to_numpy(), None
    return values.fill_null(0).to_numpy(), column.is_null().to_numpy(zero_copy_only=False)


@dataclass(frozen=True, slots=True)
class _Column:
    """The subjects of one column, as `Subjects` has them: how many each record has, and which lists are `missing`."""

    ids: Any
    counts: Any
    unread: Bools | None
    unasked: Bools | None
    missing: Any


def _suits(kind: pa.DataType, unasked: Sequence[str]) -> bool:
    if kinds.is_list(kind) or kinds.is_large_list(kind):
        kind = kind.value_type
        if kinds.is_struct(kind):
            names = [kind.field(index).name for index in range(kind.num_fields)]
            folded = [name.casefold() for name in names]
            if ID not in names or folded.count(ID) > 1 or folded.count(ROLE) > 1 or (ROLE in folded) != (ROLE in names):
                return False
            if unasked and ROLE in names and not _is_text(kind.field(ROLE).type):
                return False
            kind = kind.field(ID).type
    return kinds.is_integer(kind) and not kinds.is_uint64(kind)


def _is_text(kind: pa.DataType) -> bool:
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind))


def _column(column: pa.Array, subject: SubjectColumn, unasked: Sequence[str]) -> _Column:
    missing: Any = np.False_
    values = column
    if kinds.is_list(column.type) or kinds.is_large_list(column.type):
        counts = pc.list_value_length(column).fill_null(0).to_numpy().astype(np.int64)
        values = column.flatten()
        if column.null_count and not subject.optional:
            missing = column.is_null().to_numpy(zero_copy_only=False)
    elif subject.optional and column.null_count:
        counts = column.is_valid().to_numpy(zero_copy_only=False).astype(np.int64)
        values = column.drop_null()
    else:
        counts = np.ones(len(column), np.int64)
    uncounted = _uncounted(values, subject, unasked)
    ids, unread = numbers(pc.struct_field(values, ID) if kinds.is_struct(values.type) else values)
    return _Column(ids, counts, unread, uncounted, missing)


def _uncounted(values: pa.Array, subject: SubjectColumn, unasked: Sequence[str]) -> Bools | None:
    """Which subjects have a role that does not count, be it their own or, if they have none, that of the column."""
    if not unasked:
        return None
    of_column = subject.role in unasked
    if kinds.is_struct(values.type) and ROLE in [field.name for field in values.type]:
        roles = pc.struct_field(values, ROLE)
        held: Bools = pc.is_in(roles, pa.array(list(unasked), roles.type)).to_numpy(zero_copy_only=False)
        if of_column and roles.null_count:
            held = held | roles.is_null().to_numpy(zero_copy_only=False)
        return held
    return np.ones(len(values), np.bool_) if of_column else None


def _starts(counts: Any) -> Any:
    return np.concatenate(([0], np.cumsum(counts)))
