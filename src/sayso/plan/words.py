"""Words: what rows of a history are without ids and instants, so that the same words of two people mean the same.

A word packs a symbol, whose it is, where its instant and position lie among those that are the same for all, whether
it ties with the one before, and whether it was recorded at another instant than it counts from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sayso.plan.people import MEMBER_BITS, Bools, Ints, People, having

LATE_BITS, TIE_BITS, POSITION_BITS, INSTANT_BITS, SYMBOL_BITS = 1, 1, 11, 14, 24
PARTS = (
    ("late", LATE_BITS),
    ("tie", TIE_BITS),
    ("position", POSITION_BITS),
    ("instant", INSTANT_BITS),
    ("member", MEMBER_BITS),
    ("symbol", SYMBOL_BITS),
)
"""The parts of a word, from the lowest bits up."""


@dataclass(frozen=True)
class Words:
    """What some rows of people are, without ids and instants: a word a row. `who` has any, in order."""

    some: People
    rows: Bools
    symbol: Ints
    instants: Ints
    positions: Ints

    @property
    def who(self) -> Ints:
        """The people who have any."""
        return np.flatnonzero(having(self.some, self.rows))

    def numbered(self, known: dict[bytes, int]) -> Ints:
        """For each of `who` the number of their words, counted from 1 in the order in which they are first met."""
        some = self.some.only(self.rows)
        starts = np.unique(some.starts)
        words = self._words(some)
        if not len(words):
            return np.empty(0, np.int64)
        alike = first_alike(words, starts)
        numbers = np.zeros(len(alike), np.int64)
        for first in np.unique(alike).tolist():
            own = words[starts[first] : starts[first + 1]].tobytes()
            numbers[first] = known.setdefault(own, len(known) + 1)
        return numbers[alike]

    def _words(self, some: People) -> Ints:
        tie = np.zeros(len(some.at), np.int64)
        tie[1:] = some.at[1:] == some.at[:-1]
        tie[some.starts[:-1][np.diff(some.starts) > 0]] = 0
        words = self.symbol[self.rows]
        words = words << MEMBER_BITS | some.member
        words = words << INSTANT_BITS | np.searchsorted(self.instants, some.at, side="right")
        words = words << POSITION_BITS | np.searchsorted(self.positions, some.position, side="right")
        words = words << TIE_BITS | tie
        return words << LATE_BITS | some.late


def unpacked(words: Ints) -> Mapping[str, Ints]:
    """The parts of words, by name."""
    found: dict[str, Ints] = {}
    for name, bits in PARTS:
        found[name] = words & ((1 << bits) - 1)
        words = words >> bits
    return found


def tied(words: Ints, ties: Bools) -> Ints:
    """The same words with other ties."""
    return words & ~(1 << LATE_BITS) | ties.astype(np.int64) << LATE_BITS


def first_alike(words: Ints, starts: Ints) -> Ints:
    """For each run of words, none of them empty, the first that is the same: found by a hash, then proved word by word."""
    people = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    offset = np.arange(len(words)) - starts[:-1][people]
    mixed = (words.view(np.uint64) + offset.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) * np.uint64(
        0xBF58476D1CE4E5B9
    )
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(32)
    digests = np.add.reduceat(mixed, starts[:-1])
    _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    alike = first[inverse].astype(np.int64)
    lengths = np.diff(starts)
    same_length = lengths == lengths[alike]
    twin = np.where(same_length[people], starts[:-1][alike][people] + offset, 0)
    same = np.logical_and.reduceat(words == words[twin], starts[:-1]) & same_length
    return np.where(same, alike, np.arange(len(alike)))
