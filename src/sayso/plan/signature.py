"""Grouping sorted histories into signatures: what a person's facts are, with instants and ids taken out of them.

A signature is the sequence of a person's symbols, each with whose it is and where its instant and position lie among
those that are the same for all. People of one signature are alike in everything that a decision compares, so one
of them is decided and the rest follow; only the instants at which their verdicts change are their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sayso.errors import EngineError
from sayso.plan.relevance import Relevance
from sayso.plan.symbols import Symbols

Ints = npt.NDArray[np.int64]

TIE_BITS, POSITION_BITS, INSTANT_BITS, MEMBER_BITS, SYMBOL_BITS = 1, 11, 14, 12, 24
SYMBOL_SHIFT = TIE_BITS + POSITION_BITS + INSTANT_BITS + MEMBER_BITS


@dataclass(frozen=True)
class Run:
    """The people of one batch: rows `starts[i]` to `starts[i + 1]` are those of `subjects[i]`."""

    subjects: pa.Array
    starts: Ints
    at: Ints
    position: Ints
    words: Ints
    first: Ints
    """For each person, the index in this batch of the first person with the same words."""

    def words_of(self, person: int) -> Ints:
        """One person's words."""
        return self.words[self.starts[person] : self.starts[person + 1]]


def runs(batches: Iterable[pa.RecordBatch], relevance: Relevance, symbols: Symbols) -> Iterator[Run]:
    """The people of a sorted history, a batch at a time; nobody is split over two."""
    _check_widths(relevance, symbols)
    held: list[pa.RecordBatch] = []
    for batch in batches:
        if batch.num_rows == 0:
            continue
        subject = batch.column("subject")
        border = _last_change(subject)
        if border is None and held and held[-1].column("subject")[-1] == subject[0]:
            held.append(batch)
            continue
        if border is None and not held:
            held = [batch]
            continue
        if border is None:
            yield _run(held, relevance, symbols)
            held = [batch]
            continue
        held.append(batch.slice(0, border))
        yield _run(held, relevance, symbols)
        held = [batch.slice(border)]
    if held:
        yield _run(held, relevance, symbols)


def _last_change(subject: pa.Array) -> int | None:
    """Where the last person of a batch begins; `None` if the batch holds one person only."""
    if subject[0] == subject[-1]:
        return None
    changes = _changes(subject)
    return int(changes[-1])


def _changes(subject: pa.Array) -> Ints:
    differs = pc.not_equal(subject.slice(1), subject.slice(0, len(subject) - 1)).to_numpy(zero_copy_only=False)
    return np.flatnonzero(differs).astype(np.int64) + 1


def _run(batches: list[pa.RecordBatch], relevance: Relevance, symbols: Symbols) -> Run:
    table = pa.Table.from_batches(batches).combine_chunks()
    subject = table.column("subject").chunk(0)
    at, position, symbol, member = (
        table.column(name).chunk(0).to_numpy().astype(np.int64, copy=False)
        for name in ("at", "position", "symbol", "member")
    )
    changes = _changes(subject) if len(subject) > 1 else np.empty(0, np.int64)
    starts = np.concatenate(([0], changes, [len(subject)]))
    tie = np.zeros(len(subject), np.int64)
    tie[1:] = at[1:] == at[:-1]
    tie[starts[:-1]] = 0
    if len(member) and int(member.max()) >= 1 << MEMBER_BITS:
        raise EngineError(f"a person has {int(member.max())} aliases; sayso folds at most {(1 << MEMBER_BITS) - 1}")
    words = symbol
    words = words << MEMBER_BITS | member
    words = words << INSTANT_BITS | np.searchsorted(np.array(relevance.instants, np.int64), at, side="right")
    words = words << POSITION_BITS | np.searchsorted(np.array(relevance.positions, np.int64), position, side="right")
    words = words << TIE_BITS | tie
    people = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    words = _set_apart(words, symbol, member, people, starts, position, symbols)
    subjects = subject.take(pa.array(starts[:-1]))
    return Run(subjects, starts, at, position, words, _first_alike(words, starts, people))


def _set_apart(
    words: Ints, symbol: Ints, member: Ints, people: Ints, starts: Ints, position: Ints, symbols: Symbols
) -> Ints:
    """Words that no other person has, for those whose facts symbols do not tell apart: the positions of their facts."""
    alone = np.isin(symbol, np.fromiter(symbols.alone, np.int64))
    counted = np.isin(symbol, np.fromiter(symbols.counted, np.int64))
    twice = np.add.reduceat(counted.astype(np.int64), starts[:-1]) > 1
    apart = np.add.reduceat(alone.astype(np.int64), starts[:-1]) > 0
    own = (twice | apart)[people]
    return np.where(own, -1 - (position << MEMBER_BITS | member), words)


def _first_alike(words: Ints, starts: Ints, people: Ints) -> Ints:
    """For each person the first with the same words: found by a hash, then proved word by word."""
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


def _check_widths(relevance: Relevance, symbols: Symbols) -> None:
    for what, number, bits in (
        ("instants", len(relevance.instants) + 1, INSTANT_BITS),
        ("positions", len(relevance.positions) + 1, POSITION_BITS),
        ("symbols", len(symbols.places), SYMBOL_BITS),
    ):
        if number > 1 << bits:
            raise EngineError(f"this use asks for {number} {what} to be told apart; sayso folds at most {1 << bits}")
