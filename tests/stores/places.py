"""Where stores under test are: one interface for each kind of store, so that one suite holds all of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

import psycopg

from sayso.ledger.fsck import faults
from sayso.ledger.identity import IdType
from sayso.ledger.journal import Journal
from sayso.ledger.store import Store
from sayso.stores import postgres, sqlite
from sayso.wiring import located
from tests import ledgers
from tests.ledgers import KEYS, founding
from tests.postgres import Server

ROOT = Path(__file__).parents[2]


class Place(Protocol):
    """A place for one ledger."""

    @property
    def location(self) -> str:
        """As another process is told of it."""

    def create(self, id_type: IdType = IdType.INT64) -> Store:
        """Makes the ledger."""

    def open(self, wait: float = 60) -> Store:
        """Opens the ledger."""

    def run(self, statement: str) -> None:
        """Runs a statement behind the store's back."""

    def empty(self) -> None:
        """Takes the ledger away."""


class SqlitePlace:
    """A file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def location(self) -> str:
        return str(self.path)

    def create(self, id_type: IdType = IdType.INT64) -> Store:
        return sqlite.create(self.path, id_type, founding())

    def open(self, wait: float = 60) -> Store:
        return sqlite.open_ledger(self.path, founding, wait=wait)

    def run(self, statement: str) -> None:
        import sqlite3

        driver = sqlite3.connect(self.path, isolation_level=None)
        driver.execute(statement)
        driver.close()

    def empty(self) -> None:
        for file in self.path.parent.glob(f"{self.path.name}*"):
            if file.is_file():
                file.unlink()


class PostgresPlace:
    """A schema on a server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = server.schema()

    @property
    def location(self) -> str:
        return self.url.whole

    def create(self, id_type: IdType = IdType.INT64) -> Store:
        return postgres.create(self.url, id_type, founding())

    def open(self, wait: float = 60) -> Store:
        return postgres.open_ledger(self.url, founding, wait=wait)

    def run(self, statement: str) -> None:
        with psycopg.connect(self.url.whole, autocommit=True) as connection:
            connection.execute(statement.encode())

    def empty(self) -> None:
        self.url = self.server.schema()


def opened(location: str, wait: float = 60) -> Store:
    """The ledger at a location, as another process was told of it."""
    where = located(location)
    if isinstance(where, Path):
        return sqlite.open_ledger(where, founding, wait=wait)
    return postgres.open_ledger(where, founding, wait=wait)


def started(*args: object) -> subprocess.Popen[str]:
    """A process of its own that writes to a ledger (tests/stores/writer.py)."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.stores.writer", *map(str, args)],
        stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
    )  # fmt: skip


def journal_on(store: Store) -> Journal:
    return ledgers.journal_on(store, now=lambda: time.time_ns() // 1000)


def wrong(store: Store) -> list[str]:
    return [str(fault) for fault in faults(store, KEYS.verifiers)]
