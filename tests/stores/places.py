"""Where ledgers lie that several processes work on: made anew, opened again, and named from one process to another."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sayso.ledger.identity import IdType
from sayso.ledger.store import Store
from sayso.stores import sqlite
from tests.ledgers import founding


class Place(Protocol):
    """A place for one ledger of int64 ids, of any store that a process can be killed on."""

    @property
    def location(self) -> str:
        """What another process gives to `open_at`."""

    def make(self) -> Store:
        """A new ledger, in the place of the one that was there."""

    def open(self) -> Store:
        """The ledger that is there."""


class SqlitePlace:
    """A ledger in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def location(self) -> str:
        return str(self.path)

    def make(self) -> Store:
        for file in self.path.parent.glob(f"{self.path.name}*"):
            file.unlink()
        return sqlite.create(self.path, IdType.INT64, founding())

    def open(self) -> Store:
        return open_at(self.location)


def open_at(location: str) -> Store:
    """The ledger at a location, for a process that waits long for its turn."""
    return sqlite.open_ledger(Path(location), founding, wait=60)
