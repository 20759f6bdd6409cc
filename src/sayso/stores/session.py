"""Reading and writing a ledger's tables over one connection to SQLite, within the transaction that is open on it."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from sayso import instant
from sayso.errors import VerificationError
from sayso.ledger.entry import Destroyed, Entry, Part, PrivatePart
from sayso.ledger.facts import Fact, first_row
from sayso.ledger.identity import Id
from sayso.ledger.log.merkle import HASH_BYTES
from sayso.ledger.log.tiles import Tile
from sayso.ledger.store import Head, Oblivion, PartKey, Tombstone

EVENTS_AT_ONCE = 1000
KEYS_AT_ONCE = 500
_FACT = "SELECT row, party, id, at, effective_at, recorded_at, code, other FROM facts"


class SqliteReading:
    """What can be read over a connection. `known` holds payloads by code, and grows as more are met."""

    def __init__(self, connection: sqlite3.Connection, known: dict[int, bytes]) -> None:
        self._connection = connection
        self._known = known

    def head(self) -> Head:
        """The size and last recorded instant."""
        row = self._connection.execute("SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1")
        found = row.fetchone()
        return Head(0, instant.EARLIEST) if found is None else Head(found[0] + 1, found[1])

    def checkpoint(self) -> str:
        """The signed checkpoint of the log at its head."""
        (found,) = self._connection.execute("SELECT value FROM ledger WHERE name = 'checkpoint'").fetchone()
        return str(found)

    def tile(self, tile: Tile) -> bytes:
        """The hashes of a tile of the log's tree. Raises VerificationError where it holds fewer than asked for."""
        row = self._connection.execute(
            "SELECT hashes FROM tiles WHERE level = ? AND place = ?", (tile.level, tile.index)
        ).fetchone()
        wanted = tile.width * HASH_BYTES
        if row is None or len(row[0]) < wanted:
            raise VerificationError(f"tile {tile.level}/{tile.index} holds fewer than `{tile.width}` hashes")
        return bytes(row[0][:wanted])

    def entombed(self) -> int:
        """How many tombstones there are."""
        (count,) = self._connection.execute("SELECT count(*) FROM tombstones").fetchone()
        return int(count)

    def tombstones(self, keys: Iterable[bytes] | None = None) -> dict[bytes, int]:
        """The position of the erasure by each of these keys that is a tombstone; of all tombstones without `keys`."""
        if keys is None:
            return dict(
                self._connection.execute("SELECT tombstone, position FROM tombstones ORDER BY tombstone").fetchall()
            )
        found: dict[bytes, int] = {}
        left = iter(keys)
        while some := list(islice(left, KEYS_AT_ONCE)):
            marks = ", ".join("?" * len(some))
            query = f"SELECT tombstone, position FROM tombstones WHERE tombstone IN ({marks})"
            found |= dict(self._connection.execute(query, some).fetchall())
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
        rows = self._connection.execute(
            f"SELECT position, kind, recorded_at, everyones, public, document FROM events WHERE {where}"
            " ORDER BY position",
            bounds,
        ).fetchall()
        parts: dict[int, list[Part]] = {}
        if not all(row[3] for row in rows):
            for position, salt, body, commitment in self._connection.execute(
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
        wanted = list(ids)
        end = first_row(2**42 if upto is None else upto)
        if len(wanted) == 1:
            where, bounds = "party = ? AND id = ? AND row < ?", (party, wanted[0], end)
        else:
            where = "party = ? AND id IN (SELECT value FROM json_each(?)) AND row < ?"
            bounds = (party, json.dumps(wanted), end)
        return self._facts(f"{_FACT} WHERE {where} ORDER BY row", bounds)

    def facts_naming(self, other: Id) -> list[Fact]:
        """The facts in whose `other` this id stands, in order of row."""
        return self._facts(f"{_FACT} WHERE other = ? ORDER BY row", (other,))

    def payloads(self) -> dict[int, bytes]:
        """Every payload by its code."""
        return dict(self._connection.execute("SELECT code, body FROM payloads ORDER BY code").fetchall())

    def _facts(self, query: str, bounds: tuple[Id, ...]) -> list[Fact]:
        known = self._known
        rows = self._connection.execute(query, bounds).fetchall()
        if any(row[6] not in known for row in rows):
            known |= self.payloads()
        return [Fact(row[0], row[1], row[2], row[3], row[4], row[5], known[row[6]], row[7]) for row in rows]


class SqliteWriting(SqliteReading):
    """An exclusive transaction. Codes that it gives out are its own until it is committed."""

    def __init__(self, connection: sqlite3.Connection, known: dict[int, bytes]) -> None:
        super().__init__(connection, dict(known))
        self._codes: dict[bytes, int] = {}
        self.forgot = False

    def append(self, entries: Sequence[Entry], facts: Iterable[Fact]) -> None:
        """Adds entries, whose positions go on from the head, and their facts."""
        run = self._connection.executemany
        run(
            "INSERT INTO events (position, kind, recorded_at, everyones, public, document) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (one.position, one.kind, one.recorded_at, int(one.everyones), one.public, one.document)
                for one in entries
            ],
        )
        run(
            "INSERT INTO private (position, part, salt, body) VALUES (?, ?, ?, ?)",
            [
                (one.position, index, part.salt, part.body)
                for one in entries
                for index, part in enumerate(one.parts)
                if isinstance(part, PrivatePart)
            ],
        )
        self._insert_facts(list(facts))

    def _insert_facts(self, facts: list[Fact]) -> None:
        if not facts:
            return
        uses = Counter(fact.payload for fact in facts)
        codes = self._interned(uses)
        self._connection.executemany(
            "INSERT INTO facts (row, party, id, at, effective_at, recorded_at, code, other)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (row, party, one, at, effective, recorded, codes[payload], other)
                for row, party, one, at, effective, recorded, payload, other in facts
            ],
        )
        self._count_uses({codes[body]: count for body, count in uses.items()})

    def _interned(self, bodies: Iterable[bytes]) -> dict[bytes, int]:
        """The code of each payload, giving out new ones where there is none."""
        for body in bodies:
            if body in self._codes:
                continue
            found = self._connection.execute("SELECT code FROM payloads WHERE body = ?", (body,)).fetchone()
            if found is None:
                made = self._connection.execute(
                    "INSERT INTO payloads (body, uses) VALUES (?, 0) RETURNING code", (body,)
                )
                found = made.fetchone()
            self._codes[body] = found[0]
        return self._codes

    def _count_uses(self, changes: dict[int, int]) -> None:
        self._connection.executemany(
            "UPDATE payloads SET uses = uses + ? WHERE code = ?", [(count, code) for code, count in changes.items()]
        )

    def grow(self, tiles: Mapping[tuple[int, int], bytes], checkpoint: str) -> None:
        """Puts tiles, by level and index, in the place of shorter ones, and a checkpoint in that of the last."""
        self._put_tiles((level, place, hashes) for (level, place), hashes in tiles.items())
        self._connection.execute("UPDATE ledger SET value = ? WHERE name = 'checkpoint'", (checkpoint,))

    def _put_tiles(self, tiles: Iterable[tuple[int, int, bytes]]) -> None:
        self._connection.executemany("INSERT OR REPLACE INTO tiles (level, place, hashes) VALUES (?, ?, ?)", tiles)

    def forget(self, oblivion: Oblivion, tombstones: Sequence[Tombstone]) -> None:
        """Destroys private parts and facts, and payloads that nothing uses any more, and keeps tombstones."""
        connection = self._connection
        for key in oblivion.parts:
            self._destroy(key)
        connection.executemany("INSERT OR IGNORE INTO tombstones (tombstone, position) VALUES (?, ?)", tombstones)
        gone: Counter[int] = Counter()
        for row in oblivion.rows:
            for (code,) in connection.execute("DELETE FROM facts WHERE row = ? RETURNING code", (row,)).fetchall():
                gone[code] -= 1
        connection.executemany("UPDATE facts SET other = NULL WHERE row = ?", [(row,) for row in oblivion.names])
        self._count_uses(gone)
        self._drop_unused()
        self.forgot = True

    def _destroy(self, key: PartKey) -> None:
        """Leaves the commitments of parts alone, and of the instant of what is gone only the day."""
        position, part = key
        rows = self._connection.execute(
            "SELECT part, salt, body FROM private WHERE position = ? AND part = ifnull(?, part) AND salt IS NOT NULL",
            (position, part),
        ).fetchall()
        self._connection.executemany(
            "UPDATE private SET salt = NULL, body = NULL, commitment = ? WHERE position = ? AND part = ?",
            [(PrivatePart(salt, body).commitment, position, place) for place, salt, body in rows],
        )
        if any(place == 0 for place, _, _ in rows):
            (at,) = self._connection.execute(
                "SELECT recorded_at FROM events WHERE position = ?", (position,)
            ).fetchone()
            day = at - at % instant.DAY
            self._connection.execute("UPDATE events SET recorded_at = ? WHERE position = ?", (day, position))

    def replace_tiles(self, tiles: Iterable[tuple[int, int, bytes]]) -> None:
        """Puts these tiles (level, index, hashes) in the place of all."""
        self._connection.execute("DELETE FROM tiles")
        self._put_tiles(tiles)

    def rename(self, origin: str, checkpoint: str) -> None:
        """Gives the log another name, and a checkpoint under it."""
        self._connection.execute("UPDATE ledger SET value = ? WHERE name = 'origin'", (origin,))
        self._connection.execute("UPDATE ledger SET value = ? WHERE name = 'checkpoint'", (checkpoint,))

    def replace_tombstones(self, tombstones: Iterable[Tombstone]) -> None:
        """Puts these tombstones in the place of all."""
        self._connection.execute("DELETE FROM tombstones")
        self._connection.executemany("INSERT INTO tombstones (tombstone, position) VALUES (?, ?)", tombstones)

    def replace_facts(self, facts: Iterable[Fact]) -> None:
        """Puts these facts in the place of all."""
        self._connection.execute("DELETE FROM facts")
        self._connection.execute("UPDATE payloads SET uses = 0")
        left = iter(facts)
        while some := list(islice(left, 10_000)):
            self._insert_facts(some)
        self._drop_unused()

    def _drop_unused(self) -> None:
        self._connection.execute("DELETE FROM payloads WHERE uses <= 0")
        self._codes.clear()
