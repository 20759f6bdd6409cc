"""Recomputing a ledger from its stored events: what does not agree, and from which position on.

What is derived (tiles, facts, tombstones) can be made anew from the events; the events themselves, their private parts and
the checkpoint cannot, and are never touched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import msgspec

from sayso import instant
from sayso.canonical import canonical_bytes, digest_bytes
from sayso.errors import InputError, StoreError, VerificationError
from sayso.ledger.entry import Entry, PrivatePart, day, root_of, unseal
from sayso.ledger.events import KINDS
from sayso.ledger.identity import IdType
from sayso.ledger.log import checkpoint
from sayso.ledger.log.merkle import HASH_BYTES
from sayso.ledger.log.note import VerifierKey
from sayso.ledger.log.tiles import HEIGHT, LONGEST_ENTRY, WIDTH, Edge, Tile, levels
from sayso.ledger.log.words import base64
from sayso.ledger.rebuild import derived, derived_tiles, derived_tombstones, entries, first_difference
from sayso.ledger.store import Reading, Store

EVENT, CHECKPOINT, TILES, FACTS, TOMBSTONES, STORE = "event", "checkpoint", "tiles", "facts", "tombstones", "store"
SNAPSHOT = "snapshot"
DERIVED = frozenset({TILES, FACTS, TOMBSTONES})
"""What can be made anew."""


_UNREADABLE = (
    InputError, VerificationError, msgspec.DecodeError, LookupError, ValueError, TypeError, AttributeError, OverflowError,
    RecursionError,
)  # fmt: skip


class Fault(NamedTuple):
    """Something that does not agree: in what, from which position on (`None`: of none in particular), and what it is."""

    part: str
    position: int | None
    told: str

    def __str__(self) -> str:
        where = "" if self.position is None else f" at position {self.position}"
        return f"{self.part}{where}: {self.told}"


def faults(store: Store, known: Collection[VerifierKey]) -> Iterator[Fault]:
    """Everything that does not agree, by part, each with the first position. Reads the whole ledger.

    All of it is of one moment, whatever others write meanwhile; after a part that cannot be read, the rest is of a later
    one. `known` are the keys that may have signed; without any, signatures are not looked at.
    """
    try:
        yield from (Fault(STORE, None, told) for told in store.integrity())
    except StoreError as error:
        yield Fault(STORE, None, str(error))
    left = deque((EVENT, CHECKPOINT, FACTS, TOMBSTONES))
    edge = Edge()
    while left:
        try:
            with store.reading() as view:
                look = _Look(view, store.id_type, store.origin, known, edge)
                while left:
                    yield from look.faults(left[0])
                    left.popleft()
        except StoreError as error:  # raised at the end of a view that failed
            yield Fault(left.popleft(), None, str(error))


class _Look:
    """One view of a ledger, looked at part by part. `edge` becomes that of its entries."""

    def __init__(self, view: Reading, id_type: IdType, origin: str, known: Collection[VerifierKey], edge: Edge) -> None:
        self._view, self._id_type, self._origin, self._known, self._edge = view, id_type, origin, known, edge

    def faults(self, part: str) -> Iterator[Fault]:
        """What does not agree in a part."""
        looks = {EVENT: self._events, CHECKPOINT: self._checkpoint, FACTS: self._facts, TOMBSTONES: self._tombstones}
        try:
            yield from looks[part]()
        except _UNREADABLE:
            yield Fault(part, None, _NOTHING.get(part, "they cannot be read"))

    def _events(self) -> Iterator[Fault]:
        return _Entries(self._view, self._id_type, self._edge).faults()

    def _checkpoint(self) -> Iterator[Fault]:
        return _checkpoint(self._view, self._origin, self._known, self._edge)

    def _facts(self) -> Iterator[Fault]:
        position = first_difference(self._view, self._id_type)
        if position is not None:
            yield Fault(FACTS, position, "they are not what the event says")

    def _tombstones(self) -> Iterator[Fault]:
        return _tombstones(self._view)


_UNDERIVED = "they cannot be derived from events that cannot be read"
_NOTHING = {FACTS: _UNDERIVED, TOMBSTONES: _UNDERIVED, CHECKPOINT: "there is none that can be read"}


class _Entries:
    """One pass over the entries: whether each is as it was written, and whether the tiles are those that they make."""

    def __init__(self, view: Reading, id_type: IdType, edge: Edge) -> None:
        self._view, self._id_type, self.edge = view, id_type, edge

    def faults(self) -> Iterator[Fault]:
        """The first event, and the first tile, that is wrong."""
        wrong: Fault | None = None
        tile: Fault | None = None
        last = instant.EARLIEST
        for expected, entry in enumerate(entries(self._view)):
            try:
                told, leaf = _wrong(entry, expected, last, self._id_type), entry.leaf
                last = max(last, entry.recorded_at)
            except (*_UNREADABLE, StoreError):
                told, leaf = "it cannot be read", bytes(HASH_BYTES)
            if wrong is None and told is not None:
                wrong = Fault(EVENT, min(entry.position, expected), told)
            self.edge.extend([leaf])
            if self.edge.size % WIDTH == 0:
                tile = tile or self._differing()
        tile = tile or self._differing()
        yield from (one for one in (wrong, tile) if one is not None)
        if tile is None:
            yield from self._beyond()

    def _differing(self) -> Fault | None:
        """The first of the tiles that grew which is not what the store has."""
        for (level, index), made in sorted(self.edge.changed().items()):
            try:
                held = self._view.tile(Tile(level, index, len(made) // HASH_BYTES))
            except _UNREADABLE:
                held = b""
            if held != made:
                differs = (
                    n for n in range(0, len(made), HASH_BYTES) if held[n : n + HASH_BYTES] != made[n : n + HASH_BYTES]
                )
                place = index * WIDTH + next(differs) // HASH_BYTES
                return Fault(TILES, place << (HEIGHT * level), f"tile {level}/{index} is not that of the entries")
        return None

    def _beyond(self) -> Iterator[Fault]:
        """Tiles, or hashes in them, that no entries make."""
        size = self.edge.size
        for level, index, hashes in self._view.tiles():
            fits = 0 <= level < levels(size) and index >= 0
            width = min(max((size >> (HEIGHT * level)) - index * WIDTH, 0), WIDTH) if fits else 0
            if hashes != width * HASH_BYTES or not width:
                yield Fault(TILES, size, f"tile {level}/{index} holds hashes of no entries")
                return


def _checkpoint(view: Reading, origin: str, known: Collection[VerifierKey], edge: Edge) -> Iterator[Fault]:
    try:
        text = view.checkpoint()
        head = checkpoint.opened(text, known, origin) if known else checkpoint.unverified(text)
    except VerificationError as error:
        yield Fault(CHECKPOINT, None, str(error))
        return
    if head.origin != origin:
        yield Fault(CHECKPOINT, None, "it is of another log than the store says")
    elif head.size != edge.size:
        place = min(head.size, edge.size)
        yield Fault(CHECKPOINT, place, f"it is of `{head.size}` events, the store holds `{edge.size}`")
    elif head.root != edge.peaks.root():
        yield Fault(CHECKPOINT, None, "the events are not those that it was signed for")


def _tombstones(view: Reading) -> Iterator[Fault]:
    said = dict(derived_tombstones(view))
    held = view.tombstones()
    differing = [said.get(key, held.get(key)) for key in said.keys() | held.keys() if said.get(key) != held.get(key)]
    if differing:
        position = min(one for one in differing if one is not None)
        yield Fault(TOMBSTONES, position, "they are not those of the erasures")


def _wrong(entry: Entry, expected: int, last: int, id_type: IdType) -> str | None:
    """What is wrong with an event, if anything. Raises one of `_UNREADABLE` for one that cannot be read."""
    if entry.position != expected:
        return f"expected the next position, got `{entry.position}`"
    said: Any = msgspec.json.decode(entry.public)
    if not isinstance(said, dict) or canonical_bytes(said) != entry.public or len(entry.public) > LONGEST_ENTRY:
        return "the entry is no canonical JSON object that a log may hold"
    kind = KINDS.get(said.get("kind", ""))
    if kind is None or said["kind"] != entry.kind:
        return "the entry is of another kind than the store says"
    event = unseal(entry, id_type)
    if entry.everyones != (not entry.parts) or (event is not None and event.everyones != entry.everyones):
        return "it has private parts and is about nobody, or the other way round"
    if entry.everyones:
        return _wrong_of_everyone(entry, said, last)
    return _wrong_of_somebody(entry, said, last)


def _wrong_of_everyone(entry: Entry, said: dict[str, Any], last: int) -> str | None:
    if said.get("recorded_at") != instant.format(entry.recorded_at) or entry.recorded_at < last:
        return "its instant is not that of the entry, or before that of an earlier one"
    if entry.document is not None and digest_bytes(entry.document) != said.get("digest"):
        return "its document is not that of the digest in the entry"
    return None


def _wrong_of_somebody(entry: Entry, said: dict[str, Any], last: int) -> str | None:
    if said.get("parts") != len(entry.parts) or said.get("root") != base64(root_of(entry.parts)):
        return "its private parts are not those that the entry commits to"
    if said.get("day") != day(entry.recorded_at):
        return "its instant is not on the day that the entry says"
    first = entry.parts[0]
    if isinstance(first, PrivatePart):
        body = msgspec.json.decode(first.body)
        if body.get("recorded_at") != instant.format(entry.recorded_at) or entry.recorded_at < last:
            return "its instant is not the one committed to, or before that of an earlier one"
    elif entry.recorded_at % instant.DAY:
        return "of its instant there is more left than the day"
    return None


def repair(store: Store) -> None:
    """Makes tiles, facts and tombstones anew from the events. Raises StoreError."""
    with store.writing() as transaction:
        transaction.replace_tiles(derived_tiles(transaction))
        transaction.replace_tombstones(derived_tombstones(transaction))
        transaction.replace_facts(derived(transaction, store.id_type))
