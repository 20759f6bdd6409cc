"""How the subjects of a batch of records are read with Arrow: those of every column, in order, one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from sayso.engines.reading import holds_ids
from sayso.gate.columns import Columns, SubjectColumn
from sayso.ledger.identity import IdType
from sayso.plan.ids import Found
from sayso.plan.several import Bools, Subjects

ID, ROLE = "id", "role"
Find = Callable[[pa.Array], Found]


def suits(columns: Columns, schema: pa.Schema, unasked: Sequence[str], ids: IdType) -> bool:
    """Whether every column of subjects has ids, lists of them, or lists of structs of those and a role."""
    return all(_suits(schema.field(subject.column).type, unasked, ids) for subject in columns.subjects)


def subjects(batch: pa.RecordBatch, columns: Columns, unasked: Sequence[str], find: Find) -> tuple[Subjects, Any]:
    """The subjects of a batch's records; and which records have a list that could not be read."""
    held = [_column(batch.column(subject.column), subject, unasked, find) for subject in columns.subjects]
    missing: Any = np.False_
    for one in held:
        missing = missing | one.missing
    if len(held) == 1:
        return Subjects(held[0].found, _starts(held[0].counts), held[0].unasked), missing
    starts = _starts(np.sum([one.counts for one in held], axis=0, dtype=np.int64))
    total, before = int(starts[-1]), starts[:-1]
    # Where each of them is, column after column, among those of the records.
    order = np.empty(total, np.int64)
    uncounted = np.zeros(total, np.bool_) if any(one.unasked is not None for one in held) else None
    first = 0
    for one in held:
        own = _starts(one.counts)
        place = np.arange(own[-1]) + np.repeat(before - own[:-1], one.counts)
        before = before + one.counts
        order[place] = np.arange(first, first + len(place))
        first += len(place)
        if uncounted is not None and one.unasked is not None:
            uncounted[place] = one.unasked
    ids = pa.concat_arrays([one.found.ids for one in held]).take(pa.array(order))
    person = np.concatenate([one.found.person for one in held])[order]
    return Subjects(Found(ids, person), starts, uncounted), missing


def numbers(column: pa.Array) -> tuple[Any, Any]:
    """Integers or instants as an array of int64, and which of them are null; `None` if none is."""
    values = column.cast(pa.int64()) if column.type != pa.int64() else column
    if not column.null_count:
        return values.to_numpy(), None
    return values.fill_null(0).to_numpy(), column.is_null().to_numpy(zero_copy_only=False)


@dataclass(frozen=True, slots=True)
class _Column:
    """The subjects of one column, as `Subjects` has them: how many each record has, and which lists are `missing`."""

    found: Found
    counts: Any
    unasked: Bools | None
    missing: Any


def _suits(kind: pa.DataType, unasked: Sequence[str], ids: IdType) -> bool:
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
    return holds_ids(kind, ids) and not kinds.is_uint64(kind)


def _is_text(kind: pa.DataType) -> bool:
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind))


def _column(column: pa.Array, subject: SubjectColumn, unasked: Sequence[str], find: Find) -> _Column:
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
    found = find(pc.struct_field(values, ID) if kinds.is_struct(values.type) else values)
    return _Column(found, counts, uncounted, missing)


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
