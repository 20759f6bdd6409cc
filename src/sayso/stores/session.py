"""Reading and writing a ledger's tables over one connection, within the transaction that is open on it.

The queries are the same for every database: what differs is behind `Driver`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from sayso import instant
from sayso.errors import StoreError, VerificationError
from sayso.ledger.entry import Destroyed, Entry, Part, PrivatePart
from sayso.ledger.facts import Fact, first_row
from sayso.ledger.identity import Id
from sayso.ledger.log.merkle import HASH_BYTES
from sayso.ledger.log.tiles import Tile
from sayso.ledger.store import Head, Oblivion, PartKey, Tombstone
from sayso.stores.driver import Answer, Driver

EVENTS_AT_ONCE = 1000
KEYS_AT_ONCE = 500
FACTS_AT_ONCE = 10_000
CODES_KEPT = 65_536
_FACTS = ("row", "party", "id", "at", "effective_at", "recorded_at", "code", "other")
_FACT = f"SELECT {', '.join(_FACTS)} FROM facts"
_BEGUN = (
    "SELECT value, (SELECT position FROM events ORDER BY position DESC LIMIT 1),"
    " (SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1), EXISTS (SELECT 1 FROM tombstones)"
    " FROM ledger WHERE name = 'checkpoint'"
)
_TILE = (
    "INSERT INTO tiles (level, place, hashes) VALUES (?, ?, ?)"
    " ON CONFLICT (level, place) DO UPDATE SET hashes = excluded.hashes"
)


class Left(NamedTuple):
    """What a transaction leaves to the next of its process: the checkpoint at its end, and codes of payloads in use."""

    checkpoint: str = ""
    codes: dict[bytes, int] = {}  # noqa: RUF012 - who goes on from it makes it its own


class Begun(NamedTuple):
    """What was read when a transaction began, while it has changed nothing of it."""

    head: Head
    checkpoint: str
    entombed: bool
    asked: dict[tuple[int, frozenset[Id]], Answer]


class SqlReading:
    """What can be read over a connection. `known` holds payloads by code, and grows as more are met."""

    def __init__(self, driver: Driver, known: dict[int, bytes]) -> None:
        self._driver = driver
        self._known = known

    def head(self) -> Head:
        """The size and last recorded instant."""
        found = self._driver.rows("SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1")
        return Head(found[0][0] + 1, found[0][1]) if found else Head(0, instant.EARLIEST)

    def checkpoint(self) -> str:
        """The signed checkpoint of the log at its head."""
        return self._said("checkpoint")

    def nobody(self) -> bytes:
        """The tombstone of nobody, by which a wrong erasure secret is told."""
        try:
            return bytes.fromhex(self._said("nobody"))
        except ValueError as error:
            raise StoreError(
                "the ledger is damaged: its tombstone of nobody is none; restore it from a backup"
            ) from error

    def _said(self, name: str) -> str:
        """What the ledger says of itself."""
        found = self._driver.rows("SELECT value FROM ledger WHERE name = ?", (name,))
        if len(found) != 1:
            raise StoreError(f"the ledger is damaged: it has lost its {name}; restore it from a backup")
        return str(found[0][0])

    def tile(self, tile: Tile) -> bytes:
        """The hashes of a tile of the log's tree. Raises VerificationError where it holds fewer than asked for."""
        rows = self._driver.rows("SELECT hashes FROM tiles WHERE level = ? AND place = ?", (tile.level, tile.index))
        wanted = tile.width * HASH_BYTES
        if not rows or len(rows[0][0]) < wanted:
            raise VerificationError(f"tile {tile.level}/{tile.index} holds fewer than `{tile.width}` hashes")
        return bytes(rows[0][0][:wanted])

    def tiles(self) -> Iterator[tuple[int, int, int]]:
        """The level, index and number of bytes of every tile."""
        rows = self._driver.rows("SELECT level, place, length(hashes) FROM tiles ORDER BY level, place")
        return ((level, place, size) for level, place, size in rows)

    def entombed(self) -> int:
        """How many tombstones there are."""
        ((count,),) = self._driver.rows("SELECT count(*) FROM tombstones")
        return int(count)

    def tombstones(self, keys: Iterable[bytes] | None = None) -> dict[bytes, int]:
        """The position of the erasure by each of these keys that is a tombstone; of all tombstones without `keys`."""
        query = "SELECT tombstone, position FROM tombstones"
        if keys is None:
            return dict(self._driver.rows(f"{query} ORDER BY tombstone"))
        wanted = list(keys)
        found: dict[bytes, int] = {}
        for start in range(0, len(wanted), KEYS_AT_ONCE):
            some = wanted[start : start + KEYS_AT_ONCE]
            found |= dict(self._driver.rows(f"{query} WHERE tombstone IN ({_marks(some)})", some))
        return found

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """The entries at positions in [start, stop), in order."""
        end = self.head().size if stop is None else min(stop, self.head().size)
        for first in range(start, end, EVENTS_AT_ONCE):
            yield from self._entries("position >= ? AND position < ?", (first, min(first + EVENTS_AT_ONCE, end)))

    def globals(self, upto: int | None = None, start: int = 0) -> Iterator[Entry]:
        """The entries in [start, upto) that are about nobody in particular, in order."""
        end = self.head().size if upto is None else upto
        return iter(self._entries("everyones = 1 AND position >= ? AND position < ?", (start, end)))

    def _entries(self, where: str, bounds: tuple[int, int]) -> list[Entry]:
        rows = self._driver.rows(
            f"SELECT position, kind, recorded_at, everyones, public, document FROM events WHERE {where}"
            " ORDER BY position",
            bounds,
        )
        parts: dict[int, list[Part]] = {}
        if not all(row[3] for row in rows):
            for position, salt, body, commitment in self._driver.rows(
                "SELECT position, salt, body, commitment FROM private WHERE position >= ? AND position < ?"
                " ORDER BY position, part",
                bounds,
            ):
                part = PrivatePart(salt, body) if commitment is None else Destroyed(commitment)
                parts.setdefault(position, []).append(part)
        return [
            Entry(position, kind, at, bool(everyones), public, tuple(parts.get(position, ())), document)
            for position, kind, at, everyones, public, document in rows
        ]

    def facts_of(self, party: int, ids: Iterable[Id], upto: int | None = None) -> list[Fact]:
        """The facts of these parties at positions below `upto`, in order of row."""
        return self._facts(self._facts_asked(party, list(ids), upto)())

    def _facts_asked(self, party: int, wanted: list[Id], upto: int | None = None) -> Answer:
        end = first_row(2**42 if upto is None else upto)
        if len(wanted) == 1:
            return self._driver.ask(
                f"{_FACT} WHERE party = ? AND id = ? AND row < ? ORDER BY row", (party, wanted[0], end)
            )
        query = f"{_FACT} WHERE party = ? AND id {self._driver.among} AND row < ? ORDER BY row"
        return self._driver.ask(query, (party, self._driver.listed(wanted), end))

    def facts_naming(self, other: Id) -> list[Fact]:
        """The facts in whose `other` this id stands, in order of row."""
        return self._facts(self._driver.rows(f"{_FACT} WHERE other = ? ORDER BY row", (other,)))

    def every_fact(self) -> Iterator[Fact]:
        """Every fact, in order of row, by the payloads as they are here, whatever was read of them before."""
        payloads, last = self.payloads(), -1
        while rows := self._driver.rows(f"{_FACT} WHERE row > ? ORDER BY row LIMIT ?", (last, FACTS_AT_ONCE)):
            for row, party, one, at, effective, recorded, code, other in rows:
                yield Fact(row, party, one, at, effective, recorded, payloads[code], other)
            last = rows[-1][0]

    def payloads(self) -> dict[int, bytes]:
        """Every payload by its code."""
        return dict(self._driver.rows("SELECT code, body FROM payloads ORDER BY code"))

    def _facts(self, rows: Sequence[tuple[Any, ...]]) -> list[Fact]:
        if any(row[6] not in self._known for row in rows):
            self._learn()
        known = self._known
        return [Fact(row[0], row[1], row[2], row[3], row[4], row[5], known[row[6]], row[7]) for row in rows]

    def _learn(self) -> None:
        self._known |= self.payloads()


class SqlWriting(SqlReading):
    """An exclusive transaction. Codes that it gives out are its own until it is committed.

    `left` is what the transaction before left, in this process.
    """

    def __init__(self, driver: Driver, known: dict[int, bytes], left: Left) -> None:
        super().__init__(driver, known)
        self._left = left
        self._codes: dict[bytes, int] = {}
        self._begun: Begun | None = None
        self._signed = ""
        self.forgot = False

    def _learn(self) -> None:
        # What others have of it must not grow by what may yet be rolled back.
        self._known = self._known | self.payloads()

    def left(self) -> Left:
        """What the next transaction may go on from, once this one is committed."""
        some = self._codes if len(self._codes) <= CODES_KEPT else {}
        return Left(self._signed, some)

    def look_ahead(self, wanted: Mapping[int, Collection[Id]]) -> None:
        """Reads at once what will be asked first: the head, the checkpoint, and the facts of these, by party."""
        state = self._driver.ask(_BEGUN)
        asked = {(party, frozenset(ids)): self._facts_asked(party, list(ids)) for party, ids in wanted.items() if ids}
        ((text, position, recorded_at, entombed),) = state()
        head = Head(0, instant.EARLIEST) if position is None else Head(position + 1, recorded_at)
        self._begun = Begun(head, text, bool(entombed), asked)
        if text == self._left.checkpoint:
            # Nobody wrote since: the same events have the same facts, whose payloads have the same codes.
            self._codes = self._left.codes

    def head(self) -> Head:
        """The size and last recorded instant."""
        return super().head() if self._begun is None else self._begun.head

    def checkpoint(self) -> str:
        """The signed checkpoint of the log at its head."""
        return super().checkpoint() if self._begun is None else self._begun.checkpoint

    def entombed(self) -> int:
        """How many tombstones there are; at least, that there are none."""
        return 0 if self._begun is not None and not self._begun.entombed else super().entombed()

    def facts_of(self, party: int, ids: Iterable[Id], upto: int | None = None) -> list[Fact]:
        """The facts of these parties at positions below `upto`, in order of row."""
        wanted = list(ids)
        if self._begun is not None and upto is None:
            asked = self._begun.asked.pop((party, frozenset(wanted)), None)
            if asked is not None:
                return self._facts(asked())
        return super().facts_of(party, wanted, upto)

    def append(self, entries: Sequence[Entry], facts: Iterable[Fact]) -> None:
        """Adds entries, whose positions go on from the head, and their facts."""
        self._begun = None
        self._driver.insert(
            "events",
            ("position", "kind", "recorded_at", "everyones", "public", "document"),
            [
                (one.position, one.kind, one.recorded_at, int(one.everyones), one.public, one.document)
                for one in entries
            ],
        )
        self._driver.insert(
            "private",
            ("position", "part", "salt", "body", "commitment"),
            [(one.position, index, *_kept(part)) for one in entries for index, part in enumerate(one.parts)],
        )
        self._insert_facts(list(facts))

    def _insert_facts(self, facts: list[Fact]) -> None:
        if not facts:
            return
        uses = Counter([fact.payload for fact in facts])
        codes = self._interned(uses)
        self._driver.insert(
            "facts",
            _FACTS,
            [
                (row, party, one, at, effective, recorded, codes[payload], other)
                for row, party, one, at, effective, recorded, payload, other in facts
            ],
        )
        self._count_uses({codes[body]: count for body, count in uses.items()})

    def _interned(self, bodies: Iterable[bytes]) -> dict[bytes, int]:
        """The code of each payload, giving out new ones where there is none."""
        missing = [body for body in bodies if body not in self._codes]
        for start in range(0, len(missing), KEYS_AT_ONCE):
            some = missing[start : start + KEYS_AT_ONCE]
            query = f"SELECT body, code FROM payloads WHERE body IN ({_marks(some)})"
            self._codes |= dict(self._driver.rows(query, some))
        for body in missing:
            if body not in self._codes:
                ((code,),) = self._driver.rows(
                    "INSERT INTO payloads (body, uses) VALUES (?, 0) RETURNING code", (body,)
                )
                self._codes[body] = code
        return self._codes

    def _count_uses(self, changes: Mapping[int, int]) -> None:
        # In order, so that it can be told what is written where.
        several = [(count, code) for code, count in sorted(changes.items())]
        self._driver.put("payloads", "UPDATE payloads SET uses = uses + ? WHERE code = ?", several)

    def grow(self, tiles: Mapping[tuple[int, int], bytes], checkpoint: str) -> None:
        """Puts tiles, by level and index, in the place of shorter ones, and a checkpoint in that of the last."""
        self._put_tiles((level, place, hashes) for (level, place), hashes in tiles.items())
        self._say("checkpoint", checkpoint)
        self._signed = checkpoint

    def _say(self, name: str, value: str) -> None:
        self._begun = None
        self._driver.put("ledger", "UPDATE ledger SET value = ? WHERE name = ?", [(value, name)])

    def _put_tiles(self, tiles: Iterable[tuple[int, int, bytes]]) -> None:
        self._driver.put("tiles", _TILE, list(tiles))

    def forget(self, oblivion: Oblivion, tombstones: Sequence[Tombstone]) -> None:
        """Destroys private parts and facts, and payloads that nothing uses any more, and keeps tombstones."""
        driver = self._driver
        self._begun = None
        for key in oblivion.parts:
            self._destroy(key)
        driver.run("INSERT INTO tombstones (tombstone, position) VALUES (?, ?) ON CONFLICT DO NOTHING", tombstones)
        gone: Counter[int] = Counter()
        for row in oblivion.rows:
            for (code,) in driver.rows("DELETE FROM facts WHERE row = ? RETURNING code", (row,)):
                gone[code] -= 1
        driver.run("UPDATE facts SET other = NULL WHERE row = ?", [(row,) for row in oblivion.names])
        self._count_uses(gone)
        self._drop_unused()
        self.forgot = True

    def _destroy(self, key: PartKey) -> None:
        """Leaves the commitments of parts alone, and of the instant of what is gone only the day."""
        position, part = key
        rows = self._driver.rows(
            "SELECT part, salt, body FROM private WHERE position = ? AND part = coalesce(?, part) AND salt IS NOT NULL",
            (position, part),
        )
        self._driver.run(
            "UPDATE private SET salt = NULL, body = NULL, commitment = ? WHERE position = ? AND part = ?",
            [(PrivatePart(salt, body).commitment, position, place) for place, salt, body in rows],
        )
        if any(place == 0 for place, _, _ in rows):
            ((at,),) = self._driver.rows("SELECT recorded_at FROM events WHERE position = ?", (position,))
            day = at - at % instant.DAY
            self._driver.run("UPDATE events SET recorded_at = ? WHERE position = ?", [(day, position)])

    def replace_tiles(self, tiles: Iterable[tuple[int, int, bytes]]) -> None:
        """Puts these tiles (level, index, hashes) in the place of all."""
        self._driver.run("DELETE FROM tiles")
        self._put_tiles(tiles)

    def rename(self, origin: str, checkpoint: str) -> None:
        """Gives the log another name, and a checkpoint under it."""
        self._say("origin", origin)
        self._say("checkpoint", checkpoint)

    def replace_tombstones(self, tombstones: Iterable[Tombstone]) -> None:
        """Puts these tombstones in the place of all."""
        self._begun = None
        self._driver.run("DELETE FROM tombstones")
        self._driver.run("INSERT INTO tombstones (tombstone, position) VALUES (?, ?)", tombstones)

    def replace_facts(self, facts: Iterable[Fact]) -> None:
        """Puts these facts in the place of all."""
        self._begun = None
        self._driver.run("DELETE FROM facts")
        self._driver.run("UPDATE payloads SET uses = 0")
        left = iter(facts)
        while some := list(islice(left, FACTS_AT_ONCE)):
            self._insert_facts(some)
        self._drop_unused()

    def _drop_unused(self) -> None:
        self._driver.run("DELETE FROM payloads WHERE uses <= 0")
        self._codes = {}


def _kept(part: Part) -> tuple[bytes | None, bytes | None, bytes | None]:
    """The salt, body and commitment that a store keeps of a part."""
    return (part.salt, part.body, None) if isinstance(part, PrivatePart) else (None, None, part.commitment)


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
