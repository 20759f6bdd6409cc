"""Reading and writing a ledger's tables over one connection to SQLite, within the transaction that is open on it."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from sayso import instant
from sayso.ledger.entry import Entry, PrivatePart
from sayso.ledger.facts import Fact, first_row
from sayso.ledger.identity import Id
from sayso.ledger.store import Head, Oblivion

EVENTS_AT_ONCE = 1000
_FACT = "SELECT row, party, id, at, effective_at, recorded_at, code, other FROM facts"


class _Commitments(msgspec.Struct):
    commitments: tuple[str, ...] = ()


_COMMITMENTS = msgspec.json.Decoder(_Commitments)


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
            f"SELECT position, kind, recorded_at, everyones, public FROM events WHERE {where} ORDER BY position", bounds
        ).fetchall()
        if all(row[3] for row in rows):
            return [Entry(position, kind, at, True, public) for position, kind, at, _, public in rows]
        parts = {
            (position, part): PrivatePart(salt, body)
            for position, part, salt, body in self._connection.execute(
                "SELECT position, part, salt, body FROM private WHERE position >= ? AND position < ?", bounds
            )
        }
        return [
            Entry(position, kind, at, bool(everyones), public, tuple(parts.get((position, i)) for i in range(count)))
            for position, kind, at, everyones, public in rows
            for count in [len(_COMMITMENTS.decode(public).commitments)]
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

    def tombstones(self) -> list[Fact]:
        """Every fact of kind `subject.erased`."""
        positions = self._connection.execute(
            "SELECT position FROM events WHERE kind = 'subject.erased' ORDER BY position"
        ).fetchall()
        return [
            fact
            for (position,) in positions
            for fact in self._facts(
                f"{_FACT} WHERE row >= ? AND row < ? ORDER BY row", (first_row(position), first_row(position + 1))
            )
        ]

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
            "INSERT INTO events (position, kind, recorded_at, everyones, public) VALUES (?, ?, ?, ?, ?)",
            [(one.position, one.kind, one.recorded_at, int(one.everyones), one.public) for one in entries],
        )
        run(
            "INSERT INTO private (position, part, salt, body) VALUES (?, ?, ?, ?)",
            [
                (one.position, index, part.salt, part.body)
                for one in entries
                for index, part in enumerate(one.parts)
                if part is not None
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

    def forget(self, oblivion: Oblivion) -> None:
        """Destroys private parts and facts, and payloads that nothing uses any more."""
        connection = self._connection
        for position, part in oblivion.parts:
            if part is None:
                connection.execute("DELETE FROM private WHERE position = ?", (position,))
            else:
                connection.execute("DELETE FROM private WHERE position = ? AND part = ?", (position, part))
        gone: Counter[int] = Counter()
        for row in oblivion.rows:
            for (code,) in connection.execute("DELETE FROM facts WHERE row = ? RETURNING code", (row,)).fetchall():
                gone[code] -= 1
        connection.executemany("UPDATE facts SET other = NULL WHERE row = ?", [(row,) for row in oblivion.names])
        self._count_uses(gone)
        self._drop_unused()
        self.forgot = True

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
