"""The first half of the gate's expression in arrays: from the columns of a record to the key of its answer.

For an engine that reads columns itself. A person is found by id (`ids`), what is written on a record by its code in a
dictionary. It says what `gate.keyed` says. Records with several subjects ask for a key each (`several`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from sayso.plan.decider import unlisted_place
from sayso.plan.gate import ABSENT
from sayso.plan.ids import UNREAD_ID, finder, ints
from sayso.plan.index import Codes, Ints
from sayso.plan.snapshot import Snapshot

NEVER = np.iinfo(np.int64).max
UNREAD = -(1 << 40)
"""What makes the place of a record on the axes negative, whatever it is added to."""
_ROWS = 1 << 18
"""So many people at a time are put into rows."""
_STEP, _MORE = 4, 7
"""Where the first class and the flag are among a row's numbers of 32 bits."""


class Direct:
    """The step functions of everybody whom one snapshot knows, by id, and its axes.

    A person is a row of 32 bytes: two borders, three classes and whether there are more steps.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.numbers = snapshot.dimensions
        self.people = finder(snapshot.standing.column("subject"))
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
        return self.people.fits

    def keyed(
        self, person: Ints, collected: Ints, categories: pa.Array | str, territories: pa.Array | None, unread: Any
    ) -> tuple[Ints, Ints]:
        """The key of the answer and the category's number of each record (`gate.keyed`), by its subject's row of standing.

        `categories` and `territories` are encoded as dictionaries, or one category for all; `unread` says which records
        have an instant that could not be read.
        """
        place, category = self.placed(collected, categories, territories)
        unread = (place < 0) | (person == UNREAD_ID) | unread
        key = self.step(person, collected) * self.numbers.size + place
        key[unread] = ABSENT
        return key, category

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
        owners = [self.people.of(part, lambda ids: ids).person for part in table.column("subject").chunks]
        owner = np.concatenate(owners)
        self._starts = ints(table.column("start"), -NEVER)
        self._step = ints(table.column("class")).astype(np.int64)
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
