"""The composition root: settings in, real parts out. The command line, the Python API and the demo are all built here."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sayso.consent.judging import Judge
from sayso.consent.reader import Reader
from sayso.errors import UsageError
from sayso.ledger.identity import IdType
from sayso.ledger.journal import Journal
from sayso.policy.normal import from_normal
from sayso.policy.succession import succession
from sayso.stores import sqlite
from sayso.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from sayso.gate.engine import Engine

Clock = Callable[[], int]
_MOST_THREADS = 1024
_MEMORY = re.compile(r"[1-9]\d{0,8}(\.\d+)? ?([KMGT]i?)?B", re.ASCII)


def present() -> int:
    """The present instant, in microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


@dataclass(frozen=True)
class Parts:
    """A ledger's store, with what appends to it and reads it for decisions. Every part has the same clock."""

    store: SqliteStore
    journal: Journal
    reader: Reader
    now: Clock

    def close(self) -> None:
        """Closes the ledger."""
        self.store.close()


def create(path: Path, id_type: IdType, *, now: Clock = present) -> Parts:
    """The parts over a new, empty ledger. Raises StoreError where there is one already, or none can be made."""
    return parts(sqlite.create(path, id_type), now=now)


def open_ledger(path: Path, *, now: Clock = present, wait: float = sqlite.WAIT_SECONDS) -> Parts:
    """The parts over the ledger in a file; `wait` is how many seconds a writer waits for its turn.

    Raises StoreError if there is none, or none that can be read.
    """
    return parts(sqlite.open_ledger(path, wait=wait), now=now)


def parts(store: SqliteStore, *, now: Clock = present) -> Parts:
    """The parts over a store: a journal that judges by the policy last published, and a reader."""
    judge = Judge(from_normal, succession, now)
    journal = Journal(store, now=now, random_bytes=os.urandom, judge=judge)
    return Parts(store, journal, Reader(journal, from_normal), now)


def engine(*, memory: str | None = None, threads: int | None = None, spill: Path | None = None) -> Engine:
    """The gate's engine. `memory` is a limit such as `1GiB`; `spill` where it puts what does not fit.

    Raises UsageError for a limit that cannot be.
    """
    if memory is not None and not _MEMORY.fullmatch(memory):
        raise UsageError(f"expected a limit of memory such as `1GiB` or `800MB`, got `{memory}`")
    if threads is not None and not 1 <= threads <= _MOST_THREADS:
        raise UsageError(f"expected from 1 to {_MOST_THREADS} threads, got `{threads}`")
    from sayso.engines import duckdb  # slow to import, and a decision needs none

    limit = duckdb.DEFAULT_MEMORY if memory is None else memory
    return duckdb.DuckDBEngine(memory_limit=limit, threads=threads, temp_directory=spill)
