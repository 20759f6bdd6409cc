"""Ids become places: where each is among those of a snapshot, whatever the type of the ledger's ids.

A number is looked for by itself, a text by 64 bits of hash. What is found by its hash is then held against the text
itself, so that nobody passes for another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from sayso.ledger.identity import LONGEST
from sayso.plan.gate import ABSENT
from sayso.plan.index import Ints, Ranks, Table, lie_near

UNREAD_ID = -2
"""Instead of the place of somebody: what could not be read as an id."""
AT_ONCE = 1 << 16
"""So many ids at a time are looked for: what is known of them stays near the processor."""
TEXT = pa.large_string()
Reading: TypeAlias = Callable[[pa.Array], pa.Array]
"""Ids as the ledger writes them, of those that a corpus writes; null where they cannot be read."""
Hashing: TypeAlias = Callable[[pa.Array], Ints]
_MIXER = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_WORD = 8
_LONGEST = 4 * LONGEST
"""No id has more bytes, so that of longer texts no more are looked at."""


@dataclass(frozen=True, slots=True)
class Found:
    """Ids as the ledger writes them, and of each the row of `standing`: ABSENT of a stranger, or UNREAD_ID."""

    ids: pa.Array
    person: Ints

    def within(self, start: int, stop: int) -> Found:
        """Those of [start, stop)."""
        return Found(self.ids.slice(start, stop - start), self.person[start:stop])


class Finder(Protocol):
    """Everybody whom a snapshot knows, by id."""

    fits: bool
    """Whether everybody can be found this way."""

    def of(self, ids: pa.Array, read: Reading) -> Found:
        """Where each of some ids of a corpus is. What is not found as it is written is `read`, and looked for again."""


def finder(known: pa.ChunkedArray) -> Finder:
    """That of some different ids, in the order of their places."""
    return Numbers(known) if kinds.is_integer(known.type) else Texts(known)


class Numbers:
    """Integers: those near each other by rank, others by a table."""

    def __init__(self, known: pa.ChunkedArray) -> None:
        ids = ints(known)
        self._index: Ranks | Table = Ranks(ids) if lie_near(ids) else Table(ids)
        self.fits = isinstance(self._index, Ranks) or self._index.fits

    def of(self, ids: pa.Array, read: Reading) -> Found:
        """Where each is. Integers have one form: none is read again."""
        ids = ids if ids.type == pa.int64() else ids.cast(pa.int64())
        person = _in_parts(ids, lambda part: self._index.of(ints(part)))
        if ids.null_count:
            person[ids.is_null().to_numpy(zero_copy_only=False)] = UNREAD_ID
        return Found(ids, person)


class Texts:
    """Texts, by their hashes. Of those who share one all but the first are `_others`, whom nothing else leads to."""

    def __init__(self, known: pa.ChunkedArray, hashed: Hashing | None = None) -> None:
        # One piece, for it is taken from by place; as long as it may be.
        self._known = _joined(known.cast(TEXT))
        self._hashed = hashes if hashed is None else hashed
        self._index = Table(_in_parts(self._known, self._hashed))
        self.fits = self._index.fits
        self._others = self._known.take(pa.array(self._index.twins))

    def of(self, ids: pa.Array, read: Reading) -> Found:
        """Where each is."""
        if not (kinds.is_string(ids.type) or kinds.is_large_string(ids.type)):
            ids = read(ids)
        ids = ids.cast(TEXT)
        person = _in_parts(ids, self._of)
        strange = np.flatnonzero(person == ABSENT)
        if len(strange):
            ids = self._again(ids, person, strange, read)
        return Found(ids, person)

    def _again(self, ids: pa.Array, person: Ints, strange: Ints, read: Reading) -> pa.Array:
        """Ids with those that were not found as they are read; who is found now is put among the persons."""
        written = ids.take(pa.array(strange))
        told = read(written).cast(TEXT)
        unread = told.is_null().to_numpy(zero_copy_only=False)
        person[strange[unread]] = UNREAD_ID
        other = pc.not_equal(told, written).fill_null(True)
        if not pc.any(other).as_py():
            return ids
        person[strange[~unread]] = _in_parts(told.drop_null(), self._of)
        mask = np.zeros(len(ids), np.bool_)
        mask[strange] = True
        return pc.replace_with_mask(ids, pa.array(mask), told)

    def _of(self, ids: pa.Array) -> Ints:
        """Where each text is that is written as somebody's id is."""
        person = self._index.of(self._hashed(ids))
        if not len(self._known):
            return person
        found = self._known.take(pa.array(person, mask=person == ABSENT))
        same = pc.equal(found, ids).fill_null(False).to_numpy(zero_copy_only=False)
        foreign = np.flatnonzero(~same)
        person[foreign] = ABSENT
        if len(self._others) and len(foreign):
            other = pc.index_in(ids.take(pa.array(foreign)), self._others)
            person[foreign] = np.append(self._index.twins, ABSENT)[other.fill_null(len(self._others)).to_numpy()]
        return person


def hashes(texts: pa.Array) -> Ints:
    """A hash of 64 bits of each text, from its words of eight bytes, the last of which may overlap the one before.

    A null has some hash too. It is made for speed: that others make texts of one hash is reckoned with.
    """
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
    first, last = (int(offsets[0]), int(offsets[-1])) if len(texts) else (0, 0)
    data = np.zeros(_WORD + last - first, np.uint8)
    if last > first:
        data[_WORD:] = np.frombuffer(texts.buffers()[2], np.uint8)[first:last]
    # At each byte, the word of the eight before it.
    words: npt.NDArray[np.uint64] = np.ndarray((len(data) - _WORD + 1,), np.dtype("<u8"), data, strides=(1,))
    starts, lengths = offsets[:-1] - first, np.minimum(np.diff(offsets), _LONGEST)
    found = lengths.astype(np.uint64) * _MIXER
    short = (np.maximum(_WORD - lengths, 0) * 8).astype(np.uint64)
    _mix(found, words[starts + np.minimum(lengths, _WORD)] >> short)
    rows, at = np.flatnonzero(lengths > _WORD), 2 * _WORD
    while len(rows):
        if len(rows) == len(texts):
            _mix(found, words[starts + np.minimum(lengths, at)])
        else:
            some = found[rows]
            _mix(some, words[starts[rows] + np.minimum(lengths[rows], at)])
            found[rows] = some
        rows, at = rows[lengths[rows] > at], at + _WORD
    return found.view(np.int64)


def _mix(found: npt.NDArray[np.uint64], words: Any) -> None:
    found ^= words
    found *= _MIXER
    found ^= found >> _HALF


def ints(column: pa.Array | pa.ChunkedArray, otherwise: int = 0) -> Any:
    """Integers as an array, shared with the column where it is in one piece and nothing in it is null."""
    held = _joined(column)
    return (held.fill_null(otherwise) if held.null_count else held).to_numpy()


def _joined(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _in_parts(ids: pa.Array, of: Callable[[pa.Array], Ints]) -> Ints:
    found = np.empty(len(ids), np.int64)
    for start in range(0, len(ids), AT_ONCE):
        found[start : start + AT_ONCE] = of(ids.slice(start, AT_ONCE))
    return found
