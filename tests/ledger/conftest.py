"""A journal on a real ledger in a new file, with a clock that the test sets."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sayso import instant
from sayso.ledger.identity import IdType
from sayso.ledger.journal import Journal, Judge
from sayso.stores.sqlite import SqliteStore, create
from tests.ledgers import founding, journal_on

T0 = instant.parse("2025-01-01T00:00:00Z")


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: int = T0

    def __call__(self) -> int:
        return self.now


@dataclass
class Ledger:
    """A journal, its store and its clock."""

    journal: Journal
    store: SqliteStore
    clock: Clock


Open = Callable[..., Ledger]


@pytest.fixture
def new_ledger(tmp_path: Path) -> Iterator[Open]:
    """Makes ledgers, and closes them when the test ends."""
    made: list[SqliteStore] = []

    def make(id_type: IdType = IdType.INT64, judge: Judge | None = None) -> Ledger:
        store = create(tmp_path / f"ledger-{len(made)}.db", id_type, founding())
        made.append(store)
        clock = Clock()
        salts = random.Random(7)
        return Ledger(journal_on(store, now=clock, random_bytes=salts.randbytes, judge=judge), store, clock)

    yield make
    for store in made:
        store.close()


@pytest.fixture
def ledger(new_ledger: Open) -> Ledger:
    """An empty ledger of int64 ids."""
    return new_ledger()
