"""A ledger in a schema of a PostgreSQL database, durable before it answers (spec/ledger.md, *Tables*).

Processes on several machines may write: each transaction holds the row of the checkpoint, so that positions are dense
and the log cannot fork. `sayso[postgres]` brings the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import psycopg
import pyarrow as pa
import sqlalchemy as sa

from sayso.errors import StoreBusyError, StoreError
from sayso.ledger.facts import COLUMNS
from sayso.ledger.identity import IdType
from sayso.ledger.moving import copy
from sayso.stores import postgres_columns, schema, sqlite
from sayso.stores.postgres_driver import PostgresDriver, connect, reported
from sayso.stores.postgres_integrity import faults
from sayso.stores.postgres_url import PostgresUrl
from sayso.stores.schema import Founding
from sayso.stores.session import Left, SqlReading, SqlWriting
from sayso.stores.sql import SqlStore

WAIT_SECONDS = 10.0
_MAKING = 0x53617953
"""The advisory lock of who makes or migrates a ledger: `SayS`."""
_HELD = "SELECT value FROM ledger WHERE name = 'checkpoint' FOR UPDATE"
_VIEW = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_UNSCRUBBED = "INSERT INTO ledger (name, value) VALUES ('unscrubbed', 'yes') ON CONFLICT DO NOTHING"
"""Said with an erasure, until the server's files hold nothing of it any more."""
_SCRUBBED = ("events", "private", "facts", "payloads")
"""The tables in which an erasure leaves rows that are dead and not yet gone."""


def create(url: PostgresUrl, id_type: IdType, founding: Founding, *, wait: float = WAIT_SECONDS) -> PostgresStore:
    """Makes a ledger in the schema that a URL leads to, which must hold no tables, whole or not at all.

    Raises StoreError where there is a ledger, or other tables; where the schema is missing; or where the server would
    not keep what it acknowledged.
    """
    with reported(url):
        engine = _engine(url, wait)
        try:
            with _making(engine) as connection:
                _check_server(connection, url)
                if sa.inspect(connection).get_table_names():
                    raise StoreError(
                        f"`{url}` holds a ledger or other tables already; open it, or give the ledger a schema of its "
                        "own (`?options=-csearch_path=NAME`)"
                    )
                schema.upgrade(connection, id_type, founding)
                connection.exec_driver_sql("INSERT INTO ledger VALUES ('id_type', %s)", (id_type.value,))
        except BaseException:
            engine.dispose()
            raise
    return PostgresStore(url, engine, id_type, founding.origin, wait)


def open_ledger(url: PostgresUrl, found_log: Callable[[], Founding], *, wait: float = WAIT_SECONDS) -> PostgresStore:
    """Opens the ledger in the schema that a URL leads to, bringing its tables to the newest form.

    Raises StoreError if there is none, or it was written by a newer version of sayso; StoreBusyError.
    """
    with reported(url):
        engine = _engine(url, wait)
        try:
            with engine.connect() as connection:
                _check_server(connection, url)
                found = schema.revision(connection)
            if found is None:
                raise StoreError(f"there is no ledger at `{url}`; make one with `sayso init`")
            if found != schema.HEAD:
                _migrate(engine, url, found, found_log)
            with engine.connect() as connection:
                said = _said(connection)
            return PostgresStore(url, engine, IdType(said["id_type"]), said["origin"], wait)
        except BaseException:
            engine.dispose()
            raise


class PostgresStore(SqlStore):
    """A `sayso.ledger.store.Store` in one schema of a PostgreSQL database. Threads and processes may share it."""

    def __init__(self, url: PostgresUrl, engine: sa.Engine, id_type: IdType, origin: str, wait: float) -> None:
        super().__init__(id_type, origin)
        self.url = url
        self._engine = engine
        self._wait = wait
        # Threads queue here, sooner than each with a connection of its own at the server.
        self._turn = Lock()

    @cached_property
    def place(self) -> str:
        """Which schema of which database at which server this is, as this process reaches it."""
        with reported(self.url), self._engine.connect() as connection:
            info = _driver(connection).info
            schema_name = connection.exec_driver_sql("SELECT current_schema()").scalar()
        return "\n".join((info.host, str(info.port), info.dbname, str(schema_name)))

    @contextmanager
    def writing(self) -> Iterator[SqlWriting]:
        """An exclusive transaction, committed and durable at the end of the block, rolled back if it raises."""
        if not self._turn.acquire(timeout=self._wait):
            raise StoreBusyError(f"another thread holds ledger `{self.url}`; try again")
        try:
            left, self._left = self._left, Left()
            with self._session("BEGIN") as driver:
                driver.run(_HELD)
                session = SqlWriting(driver, self._known, left)
                yield session
                if session.forgot:
                    driver.run(_UNSCRUBBED)
            self._left = session.left()
        finally:
            self._turn.release()

    @contextmanager
    def reading(self) -> Iterator[SqlReading]:
        """One unchanging view of the ledger for as long as the block lasts."""
        with self._session(_VIEW) as driver:
            yield SqlReading(driver, self._known)

    def facts(
        self, upto: int | None = None, *, columns: Sequence[str] = COLUMNS, batch_rows: int = 65_536
    ) -> Iterator[pa.RecordBatch]:
        """The facts at positions below `upto`, in order of position, as columns (`sayso.ledger.facts.schema`)."""
        end = self.head().size if upto is None else upto
        with reported(self.url), self._engine.connect() as connection:
            yield from postgres_columns.scan(_driver(connection), self.id_type, end, columns, batch_rows)

    def integrity(self) -> Iterator[str]:
        """What PostgreSQL finds wrong with the tables, and counts of payloads that are not those of the facts."""
        with reported(self.url), self._engine.connect() as connection:
            connection.exec_driver_sql(_VIEW)
            yield from faults(connection, self.id_type)

    def backup(self, path: Path) -> None:
        """Writes a copy, as of one moment, as a ledger in an SQLite file that is not there yet.

        Others may write meanwhile.
        """
        with self.reading() as reading, sqlite.appearing(path) as partial:
            text = reading.checkpoint()
            nobody = reading.nobody()
            founding = Founding(self.origin, lambda _: text, lambda _: nobody, lambda _: b"")
            with closing(sqlite.create(partial, self.id_type, founding)) as made:
                copy(reading, made)

    def unscrubbed(self) -> bool:
        """Whether the server's files still hold what was erased."""
        with reported(self.url), self._engine.connect() as connection:
            return "unscrubbed" in _said(connection)

    def scrub(self) -> tuple[str, ...]:
        """Makes the server give up what is left of erased rows in its files; what it does not give up is told of.

        Its tables are written anew, which holds the ledger up and takes a while, and its write-ahead log goes on to
        another segment.
        """
        left: list[str] = []
        with reported(self.url), self._engine.connect() as connection:
            driver = _driver(connection)
            for table in _SCRUBBED:
                driver.execute(f"VACUUM (FULL) {table}")
            for step in ("SELECT pg_switch_wal()", "CHECKPOINT"):
                try:
                    driver.execute(step)
                except psycopg.errors.InsufficientPrivilege:
                    left.append(f"the server's write-ahead log, since this user may not run `{step}`")
            ((recycled,),) = driver.execute("SHOW wal_recycle").fetchall()
            if recycled == "on" and not left:
                left.append(
                    "segments of the server's write-ahead log until they are written over (`wal_recycle` is on)"
                )
            if not left:
                driver.execute("DELETE FROM ledger WHERE name = 'unscrubbed'")
        return tuple(left)

    @contextmanager
    def _session(self, begin: str) -> Iterator[PostgresDriver]:
        """A transaction. What is only written is sent without waiting for each answer."""
        with reported(self.url), self._engine.connect() as connection:
            driver = _driver(connection)
            try:
                with driver.pipeline():
                    driver.execute(begin)
                    made = PostgresDriver(driver, self.id_type)
                    yield made
                    made.flush()
                    driver.execute("COMMIT")
            except psycopg.OperationalError:
                if driver.broken:
                    connection.invalidate()  # or the pool would try to bring it to order
                raise

    def close(self) -> None:
        """Closes every connection."""
        self._engine.dispose()


def _engine(url: PostgresUrl, wait: float) -> sa.Engine:
    return sa.create_engine("postgresql+psycopg://", creator=lambda: connect(url, wait), max_overflow=-1)


@contextmanager
def _making(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction in which nobody else makes or migrates tables."""
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
        yield connection
        _driver(connection).execute("COMMIT")


def _driver(connection: sa.Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _check_server(connection: sa.Connection, url: PostgresUrl) -> None:
    """Raises StoreError for a server or a schema that cannot keep a ledger."""
    found = connection.exec_driver_sql(
        "SELECT current_schema(), current_setting('server_encoding'), current_setting('fsync'),"
        " current_setting('full_page_writes')"
    ).one()
    if found[0] is None:
        raise StoreError(f"the schema that `{url}` names does not exist; make it with `CREATE SCHEMA`")
    if found[1] != "UTF8":
        raise StoreError(f"expected a database in UTF8, got `{found[1]}` at `{url}`")
    if "off" in found[2:]:
        raise StoreError(
            f"the server of `{url}` has `fsync` or `full_page_writes` off, and may lose what it acknowledged; turn both on"
        )


def _said(connection: sa.Connection) -> dict[str, str]:
    """What the ledger says of itself."""
    return {str(name): str(value) for name, value in connection.exec_driver_sql("SELECT name, value FROM ledger")}


def _migrate(engine: sa.Engine, url: PostgresUrl, found: str, found_log: Callable[[], Founding]) -> None:
    if not schema.is_known(found):
        raise StoreError(
            f"ledger `{url}` has tables of form `{found}`, which this version of sayso does not know; upgrade sayso"
        )
    founding = found_log()
    with _making(engine) as connection:
        if schema.revision(connection) != schema.HEAD:  # another process may have done it meanwhile
            schema.upgrade(connection, IdType(_said(connection)["id_type"]), founding)
