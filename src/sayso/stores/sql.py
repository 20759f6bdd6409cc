"""What every store over a relational database does alike: it asks a session, which is one view of the ledger."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager

from sayso.ledger.entry import Entry
from sayso.ledger.facts import Fact
from sayso.ledger.identity import Id, IdType
from sayso.ledger.log.tiles import Tile
from sayso.ledger.store import Head
from sayso.stores.session import Left, SqlReading


class SqlStore(ABC):
    """The part of a `sayso.ledger.store.Store` that needs no more than `reading`."""

    def __init__(self, id_type: IdType, origin: str) -> None:
        self._id_type = id_type
        self._origin = origin
        self._known: dict[int, bytes] = {}
        self._left = Left()

    @property
    def id_type(self) -> IdType:
        """The type of every id in the ledger."""
        return self._id_type

    @property
    def origin(self) -> str:
        """The name of the log, fixed when it was made."""
        return self._origin

    @abstractmethod
    def reading(self) -> AbstractContextManager[SqlReading]:
        """One unchanging view of the ledger for as long as the block lasts."""

    def head(self) -> Head:
        """The size and last recorded instant; size 0 and the earliest instant for an empty ledger."""
        with self.reading() as session:
            return session.head()

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """The entries at positions in [start, stop), in order; to the head without `stop`."""
        with self.reading() as session:
            yield from session.entries(start, stop)

    def globals(self, upto: int | None = None, start: int = 0) -> Iterator[Entry]:
        """The entries in [start, upto) that are about nobody in particular, in order."""
        with self.reading() as session:
            yield from session.globals(upto, start)

    def facts_of(self, party: int, ids: Iterable[Id], upto: int | None = None) -> list[Fact]:
        """The facts of these parties at positions below `upto`, in order of row."""
        with self.reading() as session:
            return session.facts_of(party, ids, upto)

    def facts_naming(self, other: Id) -> list[Fact]:
        """The facts in whose `other` this id stands, in order of row."""
        with self.reading() as session:
            return session.facts_naming(other)

    def every_fact(self) -> Iterator[Fact]:
        """Every fact, in order of row."""
        with self.reading() as session:
            yield from session.every_fact()

    def payloads(self) -> Mapping[int, bytes]:
        """Every payload of a fact, canonical JSON, by its code."""
        with self.reading() as session:
            return session.payloads()

    def checkpoint(self) -> str:
        """The signed checkpoint of the log at its head."""
        with self.reading() as session:
            return session.checkpoint()

    def nobody(self) -> bytes:
        """The tombstone of nobody, by which a wrong erasure secret is told."""
        with self.reading() as session:
            return session.nobody()

    def tile(self, tile: Tile) -> bytes:
        """The hashes of a tile of the log's tree. Raises VerificationError where it holds fewer than asked for."""
        with self.reading() as session:
            return session.tile(tile)

    def entombed(self) -> int:
        """How many tombstones there are."""
        with self.reading() as session:
            return session.entombed()

    def tombstones(self, keys: Iterable[bytes] | None = None) -> dict[bytes, int]:
        """The position of the erasure by each of these keys that is a tombstone; of all tombstones without `keys`."""
        with self.reading() as session:
            return session.tombstones(keys)

    def tiles(self) -> Iterator[tuple[int, int, int]]:
        """The level, index and number of bytes of every tile."""
        with self.reading() as session:
            yield from session.tiles()
