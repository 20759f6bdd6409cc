"""Each kind of store, for the suite that all of them must pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sayso.ledger.store import Store
from tests.stores.places import Place, PostgresPlace, SqlitePlace


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place at which nothing is."""
    if request.param == "sqlite":
        return SqlitePlace(tmp_path / "ledger.db")
    return PostgresPlace(request.getfixturevalue("server"))


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    """An empty ledger of int64 ids."""
    made = place.create()
    yield made
    made.close()
