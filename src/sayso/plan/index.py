"""Where a number of 64 bits is among some others: by the rank of a bit, or by a table of hashes."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from sayso.plan.gate import ABSENT

Ints: TypeAlias = npt.NDArray[np.int64]
Codes: TypeAlias = npt.NDArray[np.int32]

SPARSE = 32
"""Numbers that lie so far apart on average, or nearer, are found by their rank."""
CROWDED = 64
"""Who is not found in so many places of a table is not looked for any longer."""
_MIXER = np.uint64(0x9E3779B97F4A7C15)
_ONE = np.uint64(1)


def lie_near(numbers: Ints) -> bool:
    """Whether numbers lie so near each other that `Ranks` takes little room."""
    return not len(numbers) or int(numbers.max()) - int(numbers.min()) < SPARSE * len(numbers) + 1024


class Ranks:
    """Where each of some different numbers is among them, -1 for any other.

    They are bits of a long row, and the place of one is how many bits are set before it.
    """

    def __init__(self, numbers: Ints) -> None:
        self._count = len(numbers)
        self._order: Codes | None = None
        if not self._count:
            return
        self._low, self._high = int(numbers.min()), int(numbers.max())
        if not bool((numbers[1:] > numbers[:-1]).all()):
            self._order = np.argsort(numbers, kind="stable").astype(np.int32)
            numbers = numbers[self._order]
        places = numbers - self._low
        word, bit = places >> 6, _ONE << (places & 63).astype(np.uint64)
        firsts = np.flatnonzero(np.append(True, word[1:] != word[:-1]))
        self._words = np.zeros((self._high - self._low >> 6) + 1, np.uint64)
        self._words[word[firsts]] = np.bitwise_or.reduceat(bit, firsts)
        before = np.cumsum(np.bitwise_count(self._words), dtype=np.int64)
        self._before = np.append(0, before[:-1]).astype(np.int32)

    def of(self, numbers: Ints) -> Ints:
        """Where each number is."""
        if not self._count:
            return np.full(len(numbers), ABSENT, np.int64)
        outside = (numbers < self._low) | (numbers > self._high)
        place = np.where(outside, 0, numbers - self._low) if outside.any() else numbers - self._low
        at = place >> 6
        word, bit = self._words.take(at), (place & 63).astype(np.uint64)
        below = np.bitwise_count(word & ((_ONE << bit) - _ONE))
        found: Ints = np.add(self._before.take(at), below, dtype=np.int64)
        missing = ((word >> bit) & _ONE) == 0
        if self._order is not None:
            found = self._order.take(found, mode="clip").astype(np.int64)
        found[missing | outside] = ABSENT
        return found


class Table:
    """The same of numbers that may lie anywhere, and may be there twice.

    The hash of one leads to a row of places in a table, each further from the one before; it is in the first that was
    free. Of two that are the same the first is found; the other is among `twins`.
    """

    def __init__(self, numbers: Ints) -> None:
        self._numbers, count = numbers, len(numbers)
        bits = (2 * count).bit_length() + 1
        self._shift, self._last = np.uint64(64 - bits), (1 << bits) - 1
        self._places = np.full(1 << bits, ABSENT, np.int32)
        self._longest = 0
        twins = [np.empty(0, np.int64)]
        left = np.arange(count)
        slot = self._slots(numbers)
        while len(left) and self._longest < CROWDED:
            self._longest += 1
            free = self._places[slot] == ABSENT
            # Written from behind, so that of several the first stays.
            self._places[slot[free][::-1]] = left[free][::-1]
            holder = self._places[slot]
            same = numbers[holder] == numbers[left]
            twins.append(left[same & (holder != left)])
            left, slot = left[~same], (slot[~same] + self._longest) & self._last
        self.twins: Ints = np.concatenate(twins)
        self.fits = not len(left) and len(self.twins) < CROWDED
        """Whether all can be found soon. If not, somebody made them so."""

    def of(self, numbers: Ints) -> Ints:
        """Where each number is."""
        if not len(self._numbers):
            return np.full(len(numbers), ABSENT, np.int64)
        slot = self._slots(numbers)
        found = self._places.take(slot).astype(np.int64)
        # A place that is free ends the row; `take` gives something for it that is not looked at.
        left = np.flatnonzero((self._numbers.take(found, mode="clip") != numbers) & (found != ABSENT))
        slot = slot[left]
        for step in range(1, self._longest):
            if not len(left):
                return found
            slot = (slot + step) & self._last
            place = self._places.take(slot)
            found[left] = place
            more = (self._numbers.take(place, mode="clip") != numbers[left]) & (place != ABSENT)
            left, slot = left[more], slot[more]
        found[left] = ABSENT
        return found

    def _slots(self, numbers: Ints) -> Ints:
        return ((numbers.view(np.uint64) * _MIXER) >> self._shift).astype(np.int64)
