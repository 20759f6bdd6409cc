"""A journal on a real ledger in a new file, with a clock that the test sets."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sayso import instant
from sayso.ledger.identity import IdType
from sayso.ledger.journal import Journal
from sayso.ledger.store import Store
from sayso.ledger.writing import Judge
from sayso.stores import postgres, sqlite
from tests.ledgers import founding, journal_on
from tests.postgres import Server

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
    store: Any
    """A `Store`; tests of one kind may ask for what that kind has."""
    clock: Clock


Open = Callable[..., Ledger]


@pytest.fixture
def kind() -> str:
    """The kind of store. A module that says `kind = both_kinds` runs on each."""
    return "sqlite"


@pytest.fixture(params=["sqlite", "postgres"])
def both_kinds(request: pytest.FixtureRequest) -> str:
    """Each kind of store."""
    kind: str = request.param
    return kind


@pytest.fixture
def new_ledger(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Makes ledgers, and closes them when the test ends."""
    made: list[Store] = []

    def make(id_type: IdType = IdType.INT64, judge: Judge | None = None) -> Ledger:
        store: Store
        if kind == "postgres":
            server: Server = request.getfixturevalue("server")
            store = postgres.create(server.schema(), id_type, founding())
        else:
            store = sqlite.create(tmp_path / f"ledger-{len(made)}.db", id_type, founding())
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
