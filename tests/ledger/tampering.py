"""What somebody who holds a ledger's file can do to it, and what remembers how it was."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from sayso.stores.sqlite import SqliteStore, open_ledger
from tests.ledger.conftest import Ledger
from tests.ledgers import founding


class Memory:
    """Remembers in memory what a keys' directory would."""

    def __init__(self) -> None:
        self.checkpoint: str | None = None
        self.tombstones: list[bytes] = []

    def last(self) -> str | None:
        return self.checkpoint

    def remember(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint

    def bury(self, tombstones: Sequence[bytes]) -> None:
        self.tombstones += tombstones


def copy_of(ledger: Ledger, name: str) -> Path:
    """A copy of a ledger's file as it is now."""
    path = ledger.store.path.with_name(name)
    ledger.store.backup(path)
    return path


def swap(ledger: Ledger, path: Path) -> SqliteStore:
    """Puts a file in the place of a ledger's."""
    ledger.store.close()
    for left in path.parent.glob(f"{ledger.store.path.name}-*"):
        left.unlink()
    shutil.copyfile(path, ledger.store.path)
    return open_ledger(ledger.store.path, founding)


def execute(store: SqliteStore, statement: str, *values: object) -> None:
    """What somebody who holds the file can do to it."""
    driver = sqlite3.connect(store.path)
    with driver:
        driver.execute(statement, values)
    driver.close()
