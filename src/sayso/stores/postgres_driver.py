"""Connections to PostgreSQL, how a session speaks over one, and what the server reports in the words of our errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import errors
from psycopg.types.numeric import Int8BinaryDumper

from sayso.errors import StoreBusyError, StoreError, UsageError
from sayso.ledger.identity import IdType
from sayso.stores import tables
from sayso.stores.driver import Answer
from sayso.stores.postgres_url import PostgresUrl


def connect(url: PostgresUrl, wait: float) -> psycopg.Connection[Any]:
    """A connection whose commits are durable, and which waits at most so many seconds for another's transaction."""
    try:
        connection = psycopg.connect(url.whole, autocommit=True, connect_timeout=max(2, round(wait)))
    except psycopg.ProgrammingError as error:
        raise UsageError(f"expected a URL such as `postgresql://user@host/database`, got `{url}`") from error
    except psycopg.OperationalError as error:
        why = " ".join(str(error).split()) or "there is no answer"
        raise StoreError(f"ledger `{url}` cannot be reached: {why}") from error
    # A number is told as one of 64 bits, however small: else each size is a statement of its own to the server.
    connection.adapters.register_dumper(int, Int8BinaryDumper)
    for name, value in (
        ("synchronous_commit", "on"), ("lock_timeout", f"{max(1, round(wait * 1000))}ms"), ("client_encoding", "UTF8"),
        ("application_name", "sayso"),
    ):  # fmt: skip
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    return connection


MOST_HELD = 4
"""How many rows are changed by one statement, at most: each number of them is a statement of its own."""


class PostgresDriver:
    """A `sayso.stores.driver.Driver` over a connection."""

    among = "= ANY(?)"

    def __init__(self, connection: psycopg.Connection[Any], id_type: IdType) -> None:
        self.connection = connection
        self._id_type = id_type
        # Statements that are sent as one, by table, since each costs the client as much as ten rows.
        self._held: dict[str, list[tuple[str, Sequence[Any]]]] = {}

    def listed(self, values: Sequence[Any]) -> list[Any]:
        """Several values as one."""
        return list(values)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a query gives."""
        return self.ask(query, values)()

    def ask(self, query: str, values: Sequence[Any] = ()) -> Answer:
        """Sends a query, whose rows are waited for when they are wanted."""
        self.flush()
        return self.connection.execute(_marked(query), values).fetchall

    def run(self, query: str, several: Iterable[Sequence[Any]] = ((),)) -> None:
        """Runs a query for each of several sequences of values."""
        self.flush()
        marked = _marked(query)
        for values in several:
            self.connection.execute(marked, values)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Adds rows to a table, all by one statement: a column is told as one array."""
        if rows:
            query = _insertion(table, tuple(columns), self._id_type)
            self._hold(table, [(query, [list(column) for column in zip(*rows, strict=True)])])

    def put(self, table: str, query: str, several: Sequence[Sequence[Any]]) -> None:
        """Changes rows of a table, as `run` does; each must be another row."""
        if len(several) > MOST_HELD:
            self.run(query, several)
        elif several:
            self._hold(table, [(_marked(query), values) for values in several])

    def flush(self) -> None:
        """Sends what is held."""
        held, self._held = [one for several in self._held.values() for one in several], {}
        if held:
            query = _together(tuple([query for query, _ in held]))
            self.connection.execute(query, [value for _, values in held for value in values])

    def _hold(self, table: str, statements: list[tuple[str, Sequence[Any]]]) -> None:
        # A statement does not see what another part of it does to the same table.
        if table in self._held:
            self.flush()
        self._held[table] = statements


@cache
def _together(queries: tuple[str, ...]) -> str:
    """Statements that change different tables as one (PostgreSQL, section 7.8.4)."""
    *parts, last = queries
    if not parts:
        return last
    return f"WITH {', '.join(f'part_{number} AS ({part})' for number, part in enumerate(parts))} {last}"


@cache
def _marked(query: str) -> str:
    """A query with its values marked as this driver asks; they are told in binary."""
    return query.replace("?", "%b")


@cache
def _insertion(table: str, columns: tuple[str, ...], id_type: IdType) -> str:
    held = tables.metadata.tables[table]
    dialect = sa.create_mock_engine("postgresql+psycopg://", lambda *_: None).dialect
    arrays = []
    for name in columns:
        kind = tables.ids(id_type) if isinstance(held.c[name].type, tables.AnyValue) else held.c[name].type
        arrays.append(f"%b::{kind.compile(dialect).partition(' ')[0]}[]")
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({', '.join(arrays)})"


@contextmanager
def reported(url: PostgresUrl) -> Iterator[None]:
    """Raises what PostgreSQL reports within the block as StoreError or StoreBusyError."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise _translated(error.orig, url) from error
    except psycopg.Error as error:
        raise _translated(error, url) from error


def _translated(error: BaseException | None, url: PostgresUrl) -> StoreError:
    match error:
        case errors.LockNotAvailable() | errors.DeadlockDetected() | errors.SerializationFailure():
            return StoreBusyError(f"another process holds ledger `{url}`; try again")
        case errors.DiskFull():
            return StoreError(
                f"no room is left on the disk of ledger `{url}`; nothing of this was kept; free some and try again"
            )
        case errors.ReadOnlySqlTransaction() | errors.InsufficientPrivilege():
            return StoreError(f"ledger `{url}` may not be written, or read, by this user at this server")
        case errors.DataCorrupted() | errors.IndexCorrupted():
            return StoreError(f"ledger `{url}` is damaged; restore it from a backup")
        case errors.TooManyConnections():
            return StoreBusyError(f"the server of ledger `{url}` has no connection left; try again")
        case psycopg.OperationalError(sqlstate=None) | errors.AdminShutdown() | errors.CrashShutdown():
            return StoreError(
                f"the connection to ledger `{url}` was lost; if this was a write, look whether it is there before you try "
                "again"
            )
        case psycopg.Error():
            return StoreError(f"ledger `{url}` could not do what was asked: PostgreSQL reports {error.sqlstate}")
        case _:
            return StoreError(f"ledger `{url}` could not do what was asked: {type(error).__name__}")
