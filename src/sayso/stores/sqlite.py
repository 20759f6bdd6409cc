"""A ledger in one SQLite file, durable before it answers (spec/ledger.md, *Tables*)."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from sayso.errors import StoreBusyError, StoreError
from sayso.ledger.facts import COLUMNS
from sayso.ledger.identity import IdType
from sayso.stores import columns as facts_as_columns
from sayso.stores import schema
from sayso.stores.driver import Answer
from sayso.stores.faults import reported
from sayso.stores.schema import Founding
from sayso.stores.session import Left, SqlReading, SqlWriting
from sayso.stores.sql import SqlStore

APPLICATION_ID = 0x53617953
"""`SayS`, by which the file says what it is (SQLite file format, section 1.3.17)."""

WAIT_SECONDS = 10.0
_CACHE_KIB = 64 * 1024
_TABLES = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
_MISCOUNTED = (
    "SELECT code FROM payloads LEFT JOIN (SELECT code, count(*) AS used FROM facts GROUP BY code) USING (code)"
    " WHERE uses <> ifnull(used, 0) LIMIT 3"
)

_UNSCRUBBED = "INSERT INTO ledger VALUES ('unscrubbed', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
"""Said with an erasure, by the size of the ledger then, until the file holds nothing of it any more."""
_SCRUBBED = "DELETE FROM ledger WHERE name = 'unscrubbed' AND value = ?"
_GIVEN_OUT = (
    "SELECT NOT EXISTS (SELECT 1 FROM payloads) OR EXISTS (SELECT 1 FROM sqlite_sequence"
    " WHERE name = 'payloads' AND seq >= (SELECT max(code) FROM payloads))"
)


def create(path: Path, id_type: IdType, founding: Founding, *, wait: float = WAIT_SECONDS) -> SqliteStore:
    """Makes a ledger at a path where there is no file, or an empty one, whole or not at all.

    Raises StoreError where there is one already, or the file cannot be made.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise StoreError(f"expected a path for the file of a new ledger, in a directory that exists, got `{path}`")
    with reported(path):
        engine = _engine(path, wait)
        try:
            with _exclusive(engine) as connection:
                if sa.inspect(connection).get_table_names() or _pragma(connection, "application_id"):
                    raise StoreError(f"`{path}` holds a ledger or other data already; give another path, or open it")
                connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
                schema.upgrade(connection, id_type, founding)
                connection.exec_driver_sql("INSERT INTO ledger VALUES ('id_type', ?)", (id_type.value,))
        except BaseException:
            engine.dispose()
            raise
    return SqliteStore(path, engine, id_type, founding.origin, wait)


def open_ledger(path: Path, found_log: Callable[[], Founding], *, wait: float = WAIT_SECONDS) -> SqliteStore:
    """Opens the ledger in a file, bringing its tables to the newest form.

    `found_log` is asked only for a ledger from before there was a log.

    Raises StoreError if there is none, if it is no ledger, is damaged, or was written by a newer version of sayso.
    """
    if not path.is_file():
        raise StoreError(f"there is no ledger at `{path}`; make one with `sayso init`")
    with reported(path):
        _recognised(path)
        engine = _engine(path, wait)
        try:
            with engine.connect() as connection:
                found = schema.revision(connection)
            if found != schema.HEAD:
                _migrate(engine, path, found, found_log)
            with engine.connect() as connection:
                said = _said(connection)
            return SqliteStore(path, engine, IdType(said["id_type"]), said["origin"], wait)
        except (LookupError, ValueError) as error:  # what a ledger says of itself, or its tables, in other words
            engine.dispose()
            raise StoreError(f"ledger `{path}` is damaged; restore it from a backup") from error
        except BaseException:
            engine.dispose()
            raise


class SqliteDriver:
    """A `sayso.stores.driver.Driver` over a connection of Python's own driver."""

    among = "IN (SELECT value FROM json_each(?))"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def listed(self, values: Sequence[Any]) -> str:
        """Several values as one."""
        return json.dumps(values)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a query gives."""
        return self._connection.execute(query, values).fetchall()

    def ask(self, query: str, values: Sequence[Any] = ()) -> Answer:
        """Runs a query, whose rows are fetched when they are wanted."""
        return self._connection.execute(query, values).fetchall

    def run(self, query: str, several: Iterable[Sequence[Any]] = ((),)) -> None:
        """Runs a query for each of several sequences of values."""
        self._connection.executemany(query, several)

    def put(self, _table: str, query: str, several: Sequence[Sequence[Any]]) -> None:
        """Changes rows of a table, as `run` does."""
        self._connection.executemany(query, several)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Adds rows to a table."""
        self._connection.executemany(_insertion(table, tuple(columns)), rows)


@cache
def _insertion(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


class SqliteStore(SqlStore):
    """A `sayso.ledger.store.Store` in one SQLite file. Threads may share it; processes open the file each for itself."""

    def __init__(self, path: Path, engine: sa.Engine, id_type: IdType, origin: str, wait: float) -> None:
        super().__init__(id_type, origin)
        self.path = path
        self._engine = engine
        self._wait = wait
        # Threads queue here: SQLite's own waiting polls, and is not fair.
        self._turn = Lock()
        # Taken out of the pool by who writes first, and kept: the pool takes longer than a group's queries.
        self._writer: sa.Connection | None = None
        self._to_scrub = False

    @contextmanager
    def writing(self) -> Iterator[SqlWriting]:
        """An exclusive transaction, committed and durable at the end of the block, rolled back if it raises."""
        if not self._turn.acquire(timeout=self._wait):
            raise StoreBusyError(f"another thread holds ledger `{self.path}`; try again")
        try:
            with reported(self.path):
                if self._writer is None:
                    self._writer = self._engine.connect()
                driver = _driver(self._writer)
                left, self._left = self._left, Left()
                driver.execute("BEGIN IMMEDIATE")
                with _ending(driver):
                    session = SqlWriting(SqliteDriver(driver), self._known, left)
                    yield session
                    if session.forgot:
                        driver.execute(_UNSCRUBBED, (str(session.head().size),)).close()
            self._left = session.left()
            self._to_scrub |= session.forgot
            if self._to_scrub:
                self._scrub()
        finally:
            self._turn.release()

    def _scrub(self) -> None:
        """Empties the write-ahead log, so that what was erased is not left there.

        While somebody reads an older view that is not possible: then it is tried again after the next transaction, and
        SQLite does it itself when the last process closes the ledger.
        """
        with reported(self.path), self._engine.connect() as connection:
            driver = _driver(connection)
            driver.execute("PRAGMA busy_timeout = 0").close()
            try:
                (busy, _, _) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                driver.execute(f"PRAGMA busy_timeout = {round(self._wait * 1000)}").close()
        self._to_scrub = bool(busy)

    @contextmanager
    def reading(self) -> Iterator[SqlReading]:
        """One unchanging view of the ledger for as long as the block lasts."""
        with self._session() as driver:
            yield SqlReading(SqliteDriver(driver), self._known)

    def facts(
        self, upto: int | None = None, *, columns: Sequence[str] = COLUMNS, batch_rows: int = 65_536
    ) -> Iterator[pa.RecordBatch]:
        """The facts at positions below `upto`, in order of position, as columns (`sayso.ledger.facts.schema`)."""
        with self._session() as driver:
            end = SqlReading(SqliteDriver(driver), self._known).head().size if upto is None else upto
            yield from facts_as_columns.scan(driver, self.id_type, end, columns, batch_rows)

    def integrity(self) -> Iterator[str]:
        """What SQLite finds wrong with the file, and counts of payloads that are not those of the facts."""
        with self._session() as driver:
            for (told,) in driver.execute("PRAGMA integrity_check").fetchall():
                if told != "ok":
                    yield f"SQLite says: {told.splitlines()[0]}"
            if set(driver.execute(_TABLES).fetchall()) != _tables_of_today(self.id_type):
                yield "the tables are not declared as they should be"
            for table, *_ in driver.execute("PRAGMA foreign_key_check").fetchall():
                yield f"a row of `{table}` refers to none"
            for (code,) in driver.execute(_MISCOUNTED).fetchall():
                yield f"payload `{code}` is counted otherwise than the facts use it"
            if driver.execute(_GIVEN_OUT).fetchone() != (1,):
                yield "codes of payloads may be given out again"

    def backup(self, path: Path) -> None:
        """Writes a copy, as of one moment, to a file that is not there yet; others may write meanwhile."""
        with appearing(path) as partial, reported(path), self._session(view=False) as driver:
            # As bytes, since the name of a file need not be text.
            driver.execute("VACUUM INTO CAST(? AS TEXT)", (os.fsencode(partial),))
            with (
                closing(sqlite3.connect(partial)) as made,
                made,
            ):  # it is written anew, and holds nothing that was erased
                made.execute("DELETE FROM ledger WHERE name = 'unscrubbed'")

    def unscrubbed(self) -> bool:
        """Whether the files may still hold what was erased, by whichever process."""
        return self._to_scrub or self._erased_at() is not None

    def _erased_at(self) -> str | None:
        """The size of the ledger at the last erasure that was not scrubbed."""
        with self._session() as driver:
            found = driver.execute("SELECT value FROM ledger WHERE name = 'unscrubbed'").fetchone()
        return None if found is None else str(found[0])

    def scrub(self) -> tuple[str, ...]:
        """Makes the files give up what was erased; what they do not give up is told of.

        SQLite overwrites what it deletes, and not what it moved from one page to another before that: what an index held
        may lie in the unused part of a page until that is written to again. So the file is written anew, which holds
        writers up.
        """
        with self._turn:
            try:
                erased_at = self._erased_at()
                with self._session(view=False) as driver:
                    driver.execute("PRAGMA temp_store = FILE").close()  # a ledger may be larger than memory
                    driver.execute("VACUUM").close()
                    driver.execute("PRAGMA temp_store = MEMORY").close()
            except StoreBusyError:
                return ("unused parts of the file, while another process holds it",)
            self._scrub()
            if self._to_scrub:
                return ("the write-ahead log, until nobody reads an older view",)
            with self._session(view=False) as driver:  # not if somebody was erased meanwhile
                driver.execute(_SCRUBBED, (erased_at,)).close()
            return ()

    @contextmanager
    def _session(self, *, view: bool = True) -> Iterator[sqlite3.Connection]:
        """A connection, with one unchanging view of the ledger unless said otherwise."""
        with reported(self.path), self._engine.connect() as connection:
            driver = _driver(connection)
            if view:
                driver.execute("BEGIN")
            try:
                yield driver
            finally:
                driver.rollback()

    def close(self) -> None:
        """Closes every connection."""
        with self._turn:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._engine.dispose()


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A path to make a ledger at, which appears at another one, where nothing is yet, whole or not at all.

    Raises StoreError where something is, or it cannot be written.
    """
    if path.exists():
        raise StoreError(f"`{path}` is there already; give another path")
    if not path.parent.is_dir():
        raise StoreError(f"the copy `{path}` could not be written: its directory does not exist")
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise StoreError(f"the copy `{path}` could not be written: {error.strerror}") from error
    finally:
        for left in path.parent.glob(f"{partial.name}*"):
            left.unlink(missing_ok=True)


def _engine(path: Path, wait: float) -> sa.Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite+pysqlite", database=str(path)),
        connect_args={"timeout": wait, "check_same_thread": False, "isolation_level": None},
        max_overflow=-1,
    )

    @sa.event.listens_for(engine, "connect")
    def _set_up(driver: sqlite3.Connection, _: object) -> None:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",
            "temp_store = MEMORY",
            f"cache_size = -{_CACHE_KIB}",
        ):
            driver.execute(f"PRAGMA {pragma}").close()

    return engine


@contextmanager
def _exclusive(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction in which nobody else writes, and which SQLAlchemy knows of, as migrations ask."""
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with _ending(_driver(connection)):
            yield connection


@contextmanager
def _ending(driver: sqlite3.Connection) -> Iterator[None]:
    """Commits the transaction that is open at the end of the block, and rolls it back if that raises."""
    try:
        yield
        driver.execute("COMMIT")
    finally:
        if driver.in_transaction:
            driver.execute("ROLLBACK")


def _driver(connection: sa.Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _pragma(connection: sa.Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0)


def _recognised(path: Path) -> None:
    """Looks whether a file is a ledger before anything is set up in it: it may be somebody else's database."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as driver:
        (found,) = driver.execute("PRAGMA application_id").fetchone()
    if found != APPLICATION_ID:
        raise StoreError(f"`{path}` is an SQLite file, but no ledger; make one with `sayso init`")


@cache
def _tables_of_today(id_type: IdType) -> set[tuple[str, str]]:
    """How every table and index of a ledger is declared."""
    engine = sa.create_engine("sqlite://", connect_args={"isolation_level": None})
    try:
        with _exclusive(engine) as connection:
            schema.upgrade(connection, id_type, Founding("", lambda _: "", lambda _: b"", lambda _: b""))
            return set(_driver(connection).execute(_TABLES).fetchall())
    finally:
        engine.dispose()


def _said(connection: sa.Connection) -> dict[str, str]:
    """What the ledger says of itself."""
    return {str(name): str(value) for name, value in connection.exec_driver_sql("SELECT name, value FROM ledger")}


def _migrate(engine: sa.Engine, path: Path, found: str | None, found_log: Callable[[], Founding]) -> None:
    if found is None or not schema.is_known(found):
        raise StoreError(
            f"ledger `{path}` has tables of form `{found}`, which this version of sayso does not know; upgrade sayso"
        )
    founding = found_log()
    with _exclusive(engine) as connection:
        schema.upgrade(connection, IdType(_said(connection)["id_type"]), founding)
