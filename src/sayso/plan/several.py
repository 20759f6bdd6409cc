"""Records with several subjects, in arrays: each is found and asked by itself, and the worst that is said is the verdict.

It says what `gate.verdicts` says of such records, for an engine that reads columns itself (`direct`). The work is in
proportion to the subjects, and done a part of the records at a time, so that memory does not follow the length of lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sayso.plan.direct import Direct
from sayso.plan.gate import ABSENT, NO_SUBJECT, UNREADABLE
from sayso.plan.ids import UNREAD_ID, Found
from sayso.plan.index import Ints
from sayso.plan.lookup import NO_POSITION, Lookup
from sayso.policy.verdict import Outcome

Bools = npt.NDArray[np.bool_]
AT_ONCE = 1 << 16
"""So many subjects at a time are asked: their numbers stay near the processor. A record is not divided."""
_SHIFT = 40
"""An order is a severity and, below so many bits, where the subject is among all."""


@dataclass(frozen=True)
class Subjects:
    """The subjects of some records, one after another: those of record i are `starts[i]` to `starts[i + 1]`.

    `unasked` says which subjects do not count; `None` is nobody.
    """

    found: Found
    starts: Ints
    unasked: Bools | None = None

    def within(self, first: int, until: int) -> Subjects:
        """Those of the records in [first, until)."""
        start, stop = self.starts[first], self.starts[until]
        unasked = None if self.unasked is None else self.unasked[start:stop]
        return Subjects(self.found.within(start, stop), self.starts[first : until + 1] - start, unasked)

    def parts(self, most: int) -> Iterator[tuple[int, int]]:
        """Ranges of records [first, until) with at most so many subjects, or of one record that alone has more."""
        first, count = 0, len(self.starts) - 1
        while first < count:
            room = int(np.searchsorted(self.starts, self.starts[first] + most, side="right")) - 1
            until = min(max(room, first + 1), count)
            yield first, until
            first = until


class Worst:
    """What the subjects of a record say together: the most severe answer; of those that are equal, the first subject's.

    At `most` so many subjects are asked at once.
    """

    def __init__(self, direct: Direct, lookup: Lookup, most: int = AT_ONCE) -> None:
        self.direct, self.lookup, self._most = direct, lookup, most
        self._order = lookup.severity << _SHIFT
        numbers = direct.numbers
        self._per_role = (len(numbers.borders) + 1) * numbers.categories * numbers.places

    def numbered(
        self, first: int, subjects: Subjects, collected: Ints, categories: pa.Array | str, territories: pa.Array | None,
        unread: Any, *, named: bool,
    ) -> Iterator[pa.RecordBatch]:  # fmt: skip
        """Rows of `gate.numbered` of some records, of which `first` is the number of the first.

        What is written on them is as `Direct.keyed` has it. `named`, with the subject that a denial is about.
        """
        place, category = self.direct.placed(collected, categories, territories)
        unread = unread | (place < 0)
        place[unread] = 0
        for start, stop in subjects.parts(self._most):
            rows = slice(start, stop)
            several = subjects.within(start, stop)
            columns = self._told(several, collected[rows], place[rows], category[rows], unread[rows], named=named)
            yield pa.RecordBatch.from_pydict({"row": pa.array(np.arange(first + start, first + stop)), **columns})

    def _told(
        self, subjects: Subjects, collected: Ints, place: Ints, category: Ints, unread: Bools, *, named: bool
    ) -> dict[str, pa.Array]:
        lookup, direct = self.lookup, self.direct
        counts = np.diff(subjects.starts)
        asked = np.flatnonzero(counts)
        person = subjects.found.person
        key = self._keys(subjects, np.repeat(collected, counts), np.repeat(place, counts))
        severity, worst = self._worst(key, subjects.starts[asked])
        # Of records with a subject, and that can be read, the verdict is that of the worst.
        number = lookup.fixed(direct.numbers.nobody, category)
        number[asked] = lookup.packed(key[worst], category[asked])
        own = ~unread[asked]
        if subjects.unasked is not None:
            nobody = ~np.logical_or.reduceat(~subjects.unasked, subjects.starts[asked]) if len(asked) else own
            nobody &= severity > int(Outcome.NO_SUBJECT)
            number[asked[nobody]] = lookup.fixed(NO_SUBJECT, category[asked[nobody]])
            own &= ~nobody
        number[unread] = lookup.fixed(UNREADABLE, category[unread])
        columns = {"number": pa.array(number)}
        rows, said = asked[own], worst[own]
        if lookup.rests:
            position = np.full(len(counts), NO_POSITION)
            position[rows] = lookup.positions(key[said], person[said])
            columns["position"] = pa.array(position, mask=position == NO_POSITION)
        if named and lookup.behind:
            about = (severity[own] > int(Outcome.NO_SUBJECT)) & (severity[own] < int(Outcome.NO_CHOICE))
            whose, nameless = np.zeros(len(counts), np.int64), np.ones(len(counts), np.bool_)
            whose[rows[about]], nameless[rows[about]] = said[about], False
            columns["id"] = subjects.found.ids.take(pa.array(whose, mask=nameless))
        return columns

    def _keys(self, subjects: Subjects, collected: Ints, place: Ints) -> Ints:
        """The key of each subject's answer, -1 of one who could not be read."""
        person = subjects.found.person
        key = self.direct.step(person, collected)
        key *= self.direct.numbers.size
        key += place
        if subjects.unasked is not None:
            key[subjects.unasked] += self._per_role
        key[person == UNREAD_ID] = ABSENT
        return key

    def _worst(self, key: Ints, starts: Ints) -> tuple[Ints, Ints]:
        """The severity of each record's verdict, and which subject, of all, it is of; of records that have a subject."""
        if not len(starts):
            return starts, starts
        order = self._order.take(key)
        order += np.arange(len(key))
        least = np.minimum.reduceat(order, starts)
        return least >> _SHIFT, least & ((1 << _SHIFT) - 1)
