"""What the ledger asks of a store: the one port through which events are kept and read.

Adapters are in `sayso.stores`. A store validates nothing: the journal does, before it appends. A store that cannot do
what is asked raises StoreError, or StoreBusyError where trying again may work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow as pa

from sayso.ledger.entry import Entry
from sayso.ledger.facts import COLUMNS, Fact
from sayso.ledger.identity import Id, IdType
from sayso.ledger.log.tiles import Tile


class Head(NamedTuple):
    """The size of the log, which is the position of the next event, and when the last event was recorded."""

    size: int
    recorded_at: int


class PartKey(NamedTuple):
    """One private part: the position of its event and its place there; `None` is every part of the event."""

    position: int
    part: int | None


class Tombstone(NamedTuple):
    """That somebody was erased, by what only the ledger's secret leads to, and where."""

    key: bytes
    position: int


@dataclass(frozen=True, slots=True)
class Oblivion:
    """What an erasure destroys: private parts, rows of facts, and the names in the `other` of further rows."""

    parts: Sequence[PartKey]
    rows: Sequence[int]
    names: Sequence[int]


class Reading(Protocol):
    """What can be read of a ledger."""

    def head(self) -> Head:
        """The size and last recorded instant; size 0 and the earliest instant for an empty ledger."""

    def checkpoint(self) -> str:
        """The signed checkpoint of the log at its head."""

    def nobody(self) -> bytes:
        """The tombstone of nobody, by which a wrong erasure secret is told."""

    def tile(self, tile: Tile) -> bytes:
        """The hashes of a tile of the log's tree. Raises VerificationError where it holds fewer than asked for."""

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """The entries at positions in [start, stop), in order; to the head without `stop`."""

    def globals(self, upto: int | None = None, start: int = 0) -> Iterator[Entry]:
        """The entries in [start, upto) that are about nobody in particular, in order."""

    def facts_of(self, party: int, ids: Iterable[Id], upto: int | None = None) -> list[Fact]:
        """The facts of these parties at positions below `upto`, in order of row."""

    def facts_naming(self, other: Id) -> list[Fact]:
        """The facts in whose `other` this id stands, in order of row."""

    def tiles(self) -> Iterator[tuple[int, int, int]]:
        """The level, index and number of bytes of every tile."""

    def every_fact(self) -> Iterator[Fact]:
        """Every fact, in order of row."""

    def entombed(self) -> int:
        """How many tombstones there are."""

    def tombstones(self, keys: Iterable[bytes] | None = None) -> dict[bytes, int]:
        """The position of the erasure by each of these keys that is a tombstone; of all tombstones without `keys`."""


class Writing(Reading, Protocol):
    """An exclusive transaction: all of it becomes visible and durable at its end, or nothing.

    What it reads includes what it wrote.
    """

    def look_ahead(self, wanted: Mapping[int, Collection[Id]]) -> None:
        """Reads at once what will be asked first: the head, the checkpoint, and the facts of these, by party.

        Nothing depends on it but how long the transaction takes.
        """

    def append(self, entries: Sequence[Entry], facts: Iterable[Fact]) -> None:
        """Adds entries, whose positions go on from the head, and their facts."""

    def grow(self, tiles: Mapping[tuple[int, int], bytes], checkpoint: str) -> None:
        """Puts tiles, by level and index, in the place of shorter ones, and a checkpoint in that of the last."""

    def forget(self, oblivion: Oblivion, tombstones: Sequence[Tombstone]) -> None:
        """Destroys private parts and facts for good, and keeps tombstones."""

    def replace_facts(self, facts: Iterable[Fact]) -> None:
        """Puts these facts in the place of all."""

    def replace_tiles(self, tiles: Iterable[tuple[int, int, bytes]]) -> None:
        """Puts these tiles (level, index, hashes) in the place of all."""

    def rename(self, origin: str, checkpoint: str) -> None:
        """Gives the log another name, and a checkpoint under it."""

    def replace_tombstones(self, tombstones: Iterable[Tombstone]) -> None:
        """Puts these tombstones in the place of all."""


class Store(Reading, Protocol):
    """A ledger's store. It may be used by several threads at once."""

    @property
    def id_type(self) -> IdType:
        """The type of every id in the ledger, fixed when it was made."""

    @property
    def origin(self) -> str:
        """The name of the log, fixed when it was made."""

    def writing(self) -> AbstractContextManager[Writing]:
        """Begins an exclusive transaction; commits at the end of the block, rolls back if it raises."""

    def reading(self) -> AbstractContextManager[Reading]:
        """One unchanging view of the ledger for as long as the block lasts."""

    def integrity(self) -> Iterator[str]:
        """What the store itself finds wrong with its tables: pages, indexes, references, counts of payloads."""

    def backup(self, path: Path) -> None:
        """Writes a copy, as of one moment, as a ledger in an SQLite file that is not there yet; others may write meanwhile."""

    def unscrubbed(self) -> bool:
        """Whether the store's files still hold what was erased, as far as it knows."""

    def scrub(self) -> tuple[str, ...]:
        """Makes the store's files give up what was erased, as far as they can. What is left is told of, in a few words."""

    def payloads(self) -> Mapping[int, bytes]:
        """Every payload of a fact, canonical JSON, by its code. A code never changes its meaning."""

    def facts(
        self, upto: int | None = None, *, columns: Sequence[str] = COLUMNS, batch_rows: int = 65_536
    ) -> Iterator[pa.RecordBatch]:
        """The facts at positions below `upto`, in order of position, as columns; memory is that of a batch."""

    def close(self) -> None:
        """Lets go of the store."""
