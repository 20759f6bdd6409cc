"""The people of sorted histories, a batch at a time, as columns of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sayso.errors import EngineError

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MEMBER_BITS = 12
NO_ROW = -1


@dataclass(frozen=True)
class People:
    """The people of one batch: rows `starts[i]` to `starts[i + 1]` are those of `subjects[i]`."""

    subjects: pa.Array
    starts: Ints
    at: Ints
    position: Ints
    symbol: Ints
    member: Ints
    late: Bools

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.subjects)

    @property
    def whose(self) -> Ints:
        """The person of each row."""
        return np.repeat(np.arange(self.count), np.diff(self.starts))

    def only(self, rows: Bools) -> People:
        """The same people with some of their rows."""
        kept = np.bincount(self.whose[rows], minlength=self.count)
        starts = np.concatenate(([0], np.cumsum(kept)))
        return People(
            self.subjects, starts, self.at[rows], self.position[rows], self.symbol[rows], self.member[rows],
            self.late[rows],
        )  # fmt: skip

    def id(self, person: int) -> Any:
        """The id of one of them."""
        return self.subjects[person].as_py()


def people(batches: Iterable[pa.RecordBatch]) -> Iterator[People]:
    """The people of a sorted history, a batch at a time; nobody is split over two."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        if batch.num_rows == 0:
            continue
        subject = batch.column("subject")
        border = _last_change(subject)
        if border is None and (not held or held[-1].column("subject")[-1] == subject[0]):
            held.append(batch)
            continue
        if border is None:
            yield _people(held)
            held = [batch]
            continue
        held.append(batch.slice(0, border))
        yield _people(held)
        held = [batch.slice(border)]
    if held:
        yield _people(held)


def _last_change(subject: pa.Array) -> int | None:
    """Where the last person of a batch begins; `None` if the batch holds one person only."""
    return None if subject[0] == subject[-1] else int(_changes(subject)[-1])


def _changes(subject: pa.Array) -> Ints:
    differs = pc.not_equal(subject.slice(1), subject.slice(0, len(subject) - 1)).to_numpy(zero_copy_only=False)
    return np.flatnonzero(differs).astype(np.int64) + 1


def _people(batches: list[pa.RecordBatch]) -> People:
    table = pa.Table.from_batches(batches).combine_chunks()
    subject = table.column("subject").chunk(0)
    at, position, symbol, member = (
        table.column(name).chunk(0).to_numpy().astype(np.int64, copy=False)
        for name in ("at", "position", "symbol", "member")
    )
    late = table.column("late").chunk(0).to_numpy(zero_copy_only=False)
    changes = _changes(subject) if len(subject) > 1 else np.empty(0, np.int64)
    starts = np.concatenate(([0], changes, [len(subject)])).astype(np.int64)
    if len(member) and int(member.max()) >= 1 << MEMBER_BITS:
        raise EngineError(f"a person has {int(member.max())} aliases; sayso folds at most {(1 << MEMBER_BITS) - 1}")
    return People(subject.take(pa.array(starts[:-1])), starts, at, position, symbol, member, late)


def bordering(people: People, border: Bools) -> tuple[Ints, Ints]:
    """The segments that borders cut people's rows into: the last row known at the start of each, NO_ROW for the first
    of each person; and where each person's segments begin among them.
    """
    whose = people.whose
    chosen = np.empty(0, np.int64)
    if len(whose):
        begins = np.ones(len(whose), np.bool_)
        begins[1:] = (whose[1:] != whose[:-1]) | (people.at[1:] != people.at[:-1])
        starts = np.flatnonzero(begins)
        lasts = np.append(starts[1:], len(whose)) - 1
        chosen = lasts[np.logical_or.reduceat(border, starts)]
    firsts = np.concatenate(([0], np.cumsum(1 + np.bincount(whose[chosen], minlength=people.count)))).astype(np.int64)
    rows = np.full(int(firsts[-1]), NO_ROW, np.int64)
    rows[np.arange(len(chosen)) + whose[chosen] + 1] = chosen
    return rows, firsts


def latest(people: People, rows: Bools) -> Ints:
    """For each row the latest of some rows of the same person, itself included; NO_ROW if there is none."""
    found = np.maximum.accumulate(np.where(rows, np.arange(len(rows)), NO_ROW)) if len(rows) else np.empty(0, np.int64)
    return np.where(found >= people.starts[:-1][people.whose], found, NO_ROW)


def counted(people: People, rows: Bools) -> Ints:
    """For each row how many of some rows of the same person there are up to it."""
    until = np.concatenate(([0], np.cumsum(rows)))
    found: Ints = until[1:] - until[people.starts[:-1]][people.whose]
    return found


def having(people: People, rows: Bools) -> Ints:
    """For each person how many of some rows are theirs."""
    return np.bincount(people.whose[rows], minlength=people.count).astype(np.int64)


def at_rows(values: Ints, rows: Ints, otherwise: int) -> Ints:
    """Values at some rows, or something else where there is none."""
    if not len(values):
        return np.full(len(rows), otherwise, np.int64)
    return np.where(rows == NO_ROW, otherwise, values[np.maximum(rows, 0)])


def first_rows_alike(columns: list[Ints]) -> tuple[Ints, Ints]:
    """Rows that are the same in every column, none of them negative: the first of each, in order; and for each row
    the place of its first among them.
    """
    code, size = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        width = int(column.max(initial=0)) + 1
        if size * width >= 1 << 62:
            _, code = np.unique(code, return_inverse=True)
            size = int(code.max(initial=0)) + 1
        code = code * width + column
        size *= width
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return first[order].astype(np.int64), rank[inverse]
