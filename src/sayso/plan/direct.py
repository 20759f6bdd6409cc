"""The first half of the gate's expression in arrays: from the columns of a record to the key of its answer.

For an engine that reads columns itself, where records have one subject whose id is an integer (`gate.plain`). A person
is found by the place of the id, or by a hash of it; what is written on a record by its code in a dictionary. It says
what `gate.keyed` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sayso.plan.decider import unlisted_place
from sayso.plan.gate import ABSENT
from sayso.plan.snapshot import Snapshot

Ints: TypeAlias = npt.NDArray[np.int64]
Codes: TypeAlias = npt.NDArray[np.int32]

NEVER = np.iinfo(np.int64).max
UNREAD = -(1 << 40)
"""What makes the place of a record on the axes negative, whatever it is added to."""
SPARSE = 4
"""Ids that lie so far apart on average, or nearer, are found by their place."""
CROWDED = 64
"""More ids with one hash than this are not looked through."""
_MIXER = np.uint64(0x9E3779B97F4A7C15)


class Index:
    """Where each of some ids is among them, -1 for any other."""

    def __init__(self, ids: Ints) -> None:
        self._count = len(ids)
        self._low, self._high = (int(ids.min()), int(ids.max())) if len(ids) else (0, -1)
        self._table: Codes | None = None
        self._runs = False
        self.fits = True
        span = self._high - self._low + 1
        if span == self._count and bool((ids[1:] > ids[:-1]).all()):
            self._runs = True
        elif span <= SPARSE * self._count + 1024:
            self._table = np.full(span, ABSENT, np.int32)
            self._table[ids - self._low] = np.arange(self._count, dtype=np.int32)
        else:
            self._shift = np.uint64(64 - (2 * self._count).bit_length())
            hashes = self._hash(ids)
            counts = np.bincount(hashes, minlength=(1 << (64 - int(self._shift))))
            self._longest = int(counts.max())
            self.fits = self._longest <= CROWDED
            self._order = np.argsort(hashes, kind="stable").astype(np.int32)
            self._sorted = ids[self._order]
            self._starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)

    def of(self, ids: Ints) -> Ints:
        """Where each id is."""
        if not self._count:
            return np.full(len(ids), ABSENT, np.int64)
        if self._runs or self._table is not None:
            place = ids - self._low
            outside = (ids < self._low) | (ids > self._high)
            if outside.any():
                place[outside] = 0
            found = place if self._table is None else self._table[place].astype(np.int64)
            if outside.any():
                found[outside] = ABSENT
            return found
        return self._hashed(ids)

    def _hashed(self, ids: Ints) -> Ints:
        hashes = self._hash(ids)
        at, until = self._starts[hashes], self._starts[hashes + 1]
        found = np.full(len(ids), ABSENT, np.int64)
        left = np.flatnonzero(at < until)
        for _ in range(self._longest):
            if not len(left):
                break
            place = at[left]
            same = self._sorted[place] == ids[left]
            found[left[same]] = self._order[place[same]]
            left = left[~same]
            at[left] += 1
            left = left[at[left] < until[left]]
        return found

    def _hash(self, ids: Ints) -> Ints:
        return ((ids.view(np.uint64) * _MIXER) >> self._shift).astype(np.int64)


class Direct:
    """The step functions of everybody whom one snapshot knows, by id, and its axes."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._numbers = snapshot.dimensions
        standing = snapshot.standing
        self.index = Index(_ints(standing.column("subject")))
        self._classes = np.empty((standing.num_rows, 3), np.int32)
        for number, name in enumerate(("c0", "c1", "c2")):
            self._classes[:, number] = _ints(standing.column(name), 0)
        self._classes.shape = (-1,)
        self._borders = [
            _ints(standing.column(name), NEVER) for name in ("b1", "b2")
            if standing.column(name).null_count < standing.num_rows
        ]  # fmt: skip
        self._overflow(snapshot)
        numbers = self._numbers
        self._cells = {
            row["name"]: (row["cell"] * numbers.places, row["number"]) for row in snapshot.categories.to_pylist()
        }
        self._places: dict[str, int] = {row["code"]: row["place"] for row in snapshot.places.to_pylist()}
        self._rest: dict[str, int | None] = {row["code"]: row["rest"] for row in snapshot.places.to_pylist()}

    @property
    def fits(self) -> bool:
        """Whether everybody can be found this way."""
        return self.index.fits

    def keyed(
        self, ids: Ints, collected: Ints, categories: pa.Array | str, territories: pa.Array | None, unread: Any
    ) -> tuple[Ints, Ints, Ints]:
        """The key of the answer, the category's number and the row of standing of each record (`gate.keyed`).

        `categories` and `territories` are encoded as dictionaries, or one category for all; `unread` says which records
        have an id or instant that could not be read.
        """
        numbers = self._numbers
        person = self.index.of(ids)
        place, category = self._category(categories, len(ids))
        if territories is not None:
            place = place + self._territory(territories)
        if numbers.borders:
            periods = np.searchsorted(np.array(numbers.borders), collected, side="right")
            place = place + periods * (numbers.categories * numbers.places)
        key = self._steps(person, collected) * numbers.size + place
        unread = (place < 0) | (collected > numbers.at) | unread
        key[unread] = ABSENT
        return key, category, person

    def _steps(self, person: Ints, collected: Ints) -> Ints:
        """The class of each person at an instant."""
        if not len(self._classes):
            return np.full(len(person), self._numbers.absent, np.int64)
        unknown = person < 0
        held = np.where(unknown, 0, person) if unknown.any() else person
        at = held * 3
        for border in self._borders:
            at += collected >= border[held]
        step = self._classes[at].astype(np.int64)
        if self._several is not None:
            rows = np.flatnonzero(self._more[held])
            if len(rows):
                step[rows] = self._over(held[rows], collected[rows])
        if unknown.any():
            step[unknown] = self._numbers.absent
        return step

    def _over(self, person: Ints, collected: Ints) -> Ints:
        """The same, of those whose steps have no room in one row of standing."""
        assert self._several is not None
        at = self._first[np.searchsorted(self._several, person)]
        left = np.arange(len(at))
        while len(left):
            following = at[left] + 1
            goes = (self._owner[following] == self._owner[at[left]]) & (self._starts[following] <= collected[left])
            left = left[goes]
            at[left] += 1
        found: Ints = self._step[at]
        return found

    def _overflow(self, snapshot: Snapshot) -> None:
        """Those with more steps: the first of each in `overflow`, whose rows are by person and in order of instant."""
        table = snapshot.overflow
        self._several: Ints | None = None
        if not table.num_rows:
            return
        self._more = np.asarray(snapshot.standing.column("more").combine_chunks())
        # One row more, of nobody, so that there is always a following one.
        self._owner = np.append(self.index.of(_ints(table.column("subject"))), ABSENT)
        self._starts = np.append(_ints(table.column("start"), -NEVER), NEVER)
        self._step = np.append(_ints(table.column("class")).astype(np.int64), 0)
        firsts = np.flatnonzero(np.append(True, self._owner[1:-1] != self._owner[:-2]))
        order = np.argsort(self._owner[firsts], kind="stable")
        self._several, self._first = self._owner[firsts][order], firsts[order]

    def _category(self, categories: pa.Array | str, count: int) -> tuple[Ints, Ints]:
        if isinstance(categories, str):
            cell, number = self._cells.get(categories, (UNREAD, ABSENT))
            return np.full(count, cell, np.int64), np.full(count, number, np.int64)
        known = [self._cells.get(name, (UNREAD, ABSENT)) for name in categories.dictionary.to_pylist()]
        cells, numbers = zip(*known, (UNREAD, ABSENT), strict=True)
        codes = _codes(categories)
        return np.array(cells, np.int64)[codes], np.array(numbers, np.int64)[codes]

    def _territory(self, territories: pa.Array) -> Ints:
        places: list[int] = []
        for code in territories.dictionary.to_pylist():
            listed = 0 if code is None else self._places.get(code)
            place = unlisted_place(self._rest, code) if listed is None else listed
            places.append(UNREAD if place is None else place)
        return np.array([*places, 0], np.int64)[_codes(territories)]


def _codes(encoded: pa.Array) -> Codes:
    """The codes of a dictionary's values, that of a null after the last."""
    indices = encoded.indices
    if indices.null_count:
        indices = indices.fill_null(len(encoded.dictionary))
    codes: Codes = indices.to_numpy(zero_copy_only=False)
    return codes


def _ints(column: pa.ChunkedArray, otherwise: int = 0) -> Any:
    """Integers as an array, shared with the column where nothing in it is null."""
    chunks: Sequence[pa.Array] = column.chunks
    if column.null_count:
        chunks = [chunk.fill_null(otherwise) for chunk in chunks]
    if not chunks:
        return np.empty(0, column.type.to_pandas_dtype())
    return np.concatenate(chunks) if len(chunks) > 1 else chunks[0].to_numpy()
