"""Deriving once more what a store keeps beside the events: facts, tiles and tombstones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

import msgspec

from sayso.errors import VerificationError
from sayso.ledger.entry import Entry, PrivatePart, unseal
from sayso.ledger.facts import Fact, facts, first_row
from sayso.ledger.identity import IdType
from sayso.ledger.log.merkle import HASH_BYTES
from sayso.ledger.log.tiles import WIDTH, Edge
from sayso.ledger.log.words import from_base64
from sayso.ledger.store import Reading, Tombstone

_FULL = WIDTH * HASH_BYTES
_AT_ONCE = 10_000


def entries(reading: Reading) -> Iterator[Entry]:
    """Every entry, in order, up to a gap of many: one event at a position far away is damage, and nothing to count up to."""
    for start in range(0, reading.head().size, _AT_ONCE):
        found = False
        for entry in reading.entries(start, start + _AT_ONCE):
            found = True
            yield entry
        if not found:
            return


def derived(reading: Reading, id_type: IdType) -> Iterator[Fact]:
    """The facts that the events say, in order."""
    for entry in entries(reading):
        event = None if entry.everyones else unseal(entry, id_type)
        if event is not None:
            yield from facts(event, entry.position, entry.recorded_at, id_type)


def derived_tiles(reading: Reading) -> Iterator[tuple[int, int, bytes]]:
    """The level, index and hashes of each tile that the entries make, a level's in order."""
    edge = Edge()
    for entry in entries(reading):
        edge.extend([entry.leaf])
        if edge.size % WIDTH == 0:
            yield from (
                (level, index, hashes) for (level, index), hashes in edge.changed().items() if len(hashes) == _FULL
            )
    yield from ((level, index, hashes) for (level, index), hashes in edge.partial().items())


def derived_tombstones(reading: Reading) -> Iterator[Tombstone]:
    """The tombstones that erasures say."""
    for entry in entries(reading):
        if entry.kind == "subject.erased":
            for part in entry.parts:
                said = msgspec.json.decode(part.body) if isinstance(part, PrivatePart) else {}
                key = from_base64(said.get("tombstone", "?"))
                if key is None:
                    raise VerificationError("an erasure lacks a tombstone, or holds one that is not in base64")
                yield Tombstone(key, entry.position)


def first_difference(reading: Reading, id_type: IdType) -> int | None:
    """The first position whose facts are not what its event says; `None` if all are.

    Reads the whole ledger. The place among an event's facts is left out of the row. Raises StoreError.
    """
    said, held = derived(reading, id_type), reading.every_fact()
    for one, other in zip_longest(said, held):
        if one is None or other is None or _placed(one) != _placed(other):
            return min(fact.position for fact in (one, other) if fact is not None)
    return None


def _placed(fact: Fact) -> Fact:
    return fact._replace(row=first_row(fact.position))
