"""The first half of the gate's expression in arrays: from the columns of a record to the key of its answer.

For an engine that reads columns itself, where ids are integers. A person is found by the place of the id, or by a
hash of it; what is written on a record by its code in a dictionary. It says what `gate.keyed` says. Records with
several subjects ask for a key each (`several`).
"""

from __future__ import annotations

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
SPARSE = 32
"""Ids that lie so far apart on average, or nearer, are found by their place."""
CROWDED = 64
"""More ids with one hash than this are not looked through."""
_MIXER = np.uint64(0x9E3779B97F4A7C15)
_ONE = np.uint64(1)
_ROWS = 1 << 18
"""So many people at a time are put into rows."""
_STEP, _MORE = 4, 7
"""Where the first class and the flag are among a row's numbers of 32 bits."""


class Index:
    """Where each of some different ids is among them, -1 for any other.

    Ids that lie near each other are bits of a long row, and the place of one is how many bits are set before it; of
    others the hash leads to a few that are looked through.
    """

    def __init__(self, ids: Ints) -> None:
        self._count, self.fits = len(ids), True
        self._order: Codes | None = None
        if not self._count:
            return
        self._low, self._high = int(ids.min()), int(ids.max())
        self._near = self._high - self._low < SPARSE * self._count + 1024
        if self._near:
            if not bool((ids[1:] > ids[:-1]).all()):
                self._order = np.argsort(ids, kind="stable").astype(np.int32)
                ids = ids[self._order]
            self._set(ids - self._low)
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
        return self._ranked(ids) if self._near else self._hashed(ids)

    def _set(self, places: Ints) -> None:
        """Sets the bits of some places that go up, and counts those before each word."""
        word, bit = places >> 6, _ONE << (places & 63).astype(np.uint64)
        firsts = np.flatnonzero(np.append(True, word[1:] != word[:-1]))
        self._words = np.zeros((self._high - self._low >> 6) + 1, np.uint64)
        self._words[word[firsts]] = np.bitwise_or.reduceat(bit, firsts)
        before = np.cumsum(np.bitwise_count(self._words), dtype=np.int64)
        self._before = np.append(0, before[:-1]).astype(np.int32)

    def _ranked(self, ids: Ints) -> Ints:
        outside = (ids < self._low) | (ids > self._high)
        place = np.where(outside, 0, ids - self._low) if outside.any() else ids - self._low
        at = place >> 6
        word, bit = self._words.take(at), (place & 63).astype(np.uint64)
        below = np.bitwise_count(word & ((_ONE << bit) - _ONE))
        found: Ints = np.add(self._before.take(at), below, dtype=np.int64)
        missing = ((word >> bit) & _ONE) == 0
        if self._order is not None:
            found = self._order.take(found, mode="clip").astype(np.int64)
        found[missing | outside] = ABSENT
        return found

    def _hashed(self, ids: Ints) -> Ints:
        assert self._order is not None
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
    """The step functions of everybody whom one snapshot knows, by id, and its axes.

    A person is a row of 32 bytes: two borders, three classes and whether there are more steps.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.numbers = snapshot.dimensions
        self.index = Index(_ints(snapshot.standing.column("subject")))
        self._people = _rows(snapshot.standing)
        self._overflow(snapshot)
        # What the texts of the last dictionary say: most batches of a file have the same.
        self._said_category: tuple[pa.Array, Ints, Ints] | None = None
        self._said_territory: tuple[pa.Array, Ints] | None = None
        numbers = self.numbers
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
        person = self.index.of(ids)
        place, category = self.placed(collected, categories, territories)
        unread = (place < 0) | unread
        key = self.step(person, collected) * self.numbers.size + place
        key[unread] = ABSENT
        return key, category, person

    def placed(self, collected: Ints, categories: pa.Array | str, territories: pa.Array | None) -> tuple[Ints, Ints]:
        """The place on the axes of each record, below 0 where it cannot be read, and the category's number."""
        numbers = self.numbers
        place, category = self._category(categories, len(collected))
        if territories is not None:
            place = place + self._territory(territories)
        if numbers.borders:
            periods = np.searchsorted(np.array(numbers.borders), collected, side="right")
            place = place + periods * (numbers.categories * numbers.places)
        place[collected > numbers.at] = UNREAD
        return place, category

    def step(self, person: Ints, collected: Ints) -> Ints:
        """The class of each person at an instant."""
        if not len(self._people):
            return np.full(len(person), self.numbers.absent, np.int64)
        rows = self._people.take(person, axis=0, mode="clip")
        at = np.arange(_STEP, 8 * len(rows), 8)
        at += collected >= rows[:, 0]
        at += collected >= rows[:, 1]
        numbers = rows.view(np.int32).reshape(-1)
        step = numbers.take(at).astype(np.int64)
        if self._several is not None:
            several = np.flatnonzero((numbers[_MORE::8] != 0) & (person >= 0))
            if len(several):
                step[several] = self._over(person[several], collected[several])
        step[person < 0] = self.numbers.absent
        return step

    def _over(self, person: Ints, collected: Ints) -> Ints:
        """The same, of those whose steps have no room in one row of standing."""
        assert self._several is not None
        place = np.searchsorted(self._several, person)
        low, high = self._first[place], self._last[place]
        # The last step that began by then is looked for by halves: somebody may have moved a thousand times.
        while (low < high).any():
            middle = (low + high + 1) // 2
            begun = self._starts[middle] <= collected
            low, high = np.where(begun, middle, low), np.where(begun, high, middle - 1)
        found: Ints = self._step[low]
        return found

    def _overflow(self, snapshot: Snapshot) -> None:
        """Those with more steps: the first of each in `overflow`, whose rows are by person and in order of instant."""
        table = snapshot.overflow
        self._several: Ints | None = None
        if not table.num_rows:
            return
        owner = self.index.of(_ints(table.column("subject")))
        self._starts = _ints(table.column("start"), -NEVER)
        self._step = _ints(table.column("class")).astype(np.int64)
        firsts = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
        lasts = np.append(firsts[1:], len(owner)) - 1
        order = np.argsort(owner[firsts], kind="stable")
        self._several, self._first, self._last = owner[firsts][order], firsts[order], lasts[order]

    def _category(self, categories: pa.Array | str, count: int) -> tuple[Ints, Ints]:
        if isinstance(categories, str):
            cell, number = self._cells.get(categories, (UNREAD, ABSENT))
            return np.full(count, cell, np.int64), np.full(count, number, np.int64)
        held = self._said_category
        if held is None or not held[0].equals(categories.dictionary):
            known = [self._cells.get(name, (UNREAD, ABSENT)) for name in categories.dictionary.to_pylist()]
            cells, numbers = zip(*known, (UNREAD, ABSENT), strict=True)
            held = categories.dictionary, np.array(cells, np.int64), np.array(numbers, np.int64)
            self._said_category = held
        codes = _codes(categories)
        return held[1].take(codes), held[2].take(codes)

    def _territory(self, territories: pa.Array) -> Ints:
        held = self._said_territory
        if held is None or not held[0].equals(territories.dictionary):
            places: list[int] = []
            for code in territories.dictionary.to_pylist():
                listed = 0 if code is None else self._places.get(code)
                place = unlisted_place(self._rest, code) if listed is None else listed
                places.append(UNREAD if place is None else place)
            held = self._said_territory = territories.dictionary, np.array([*places, 0], np.int64)
        return held[1].take(_codes(territories))


def _rows(standing: pa.Table) -> Ints:
    """Everybody's row, made a part at a time, so that little is in memory twice."""
    people = np.empty((standing.num_rows, 4), np.int64)
    at = 0
    for part in standing.select(["b1", "b2", "c0", "c1", "c2", "more"]).to_batches(max_chunksize=_ROWS):
        rows = people[at : at + part.num_rows]
        numbers = rows.view(np.int32)
        for place, name, otherwise in ((0, "b1", NEVER), (1, "b2", NEVER)):
            rows[:, place] = part.column(name).fill_null(otherwise).to_numpy()
        for place, name in ((4, "c0"), (5, "c1"), (6, "c2")):
            numbers[:, place] = part.column(name).fill_null(0).to_numpy()
        numbers[:, _MORE] = part.column("more").to_numpy(zero_copy_only=False)
        at += part.num_rows
    return people


def _codes(encoded: pa.Array) -> Codes:
    """The codes of a dictionary's values, that of a null after the last."""
    indices = encoded.indices
    if indices.null_count:
        indices = indices.fill_null(len(encoded.dictionary))
    codes: Codes = indices.to_numpy(zero_copy_only=False)
    return codes


def _ints(column: pa.ChunkedArray, otherwise: int = 0) -> Any:
    """Integers as an array, shared with the column where it is in one piece and nothing in it is null."""
    held = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return (held.fill_null(otherwise) if held.null_count else held).to_numpy()
