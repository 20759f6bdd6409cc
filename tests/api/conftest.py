"""The example's ledger, and its posts as an Arrow table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from sayso.api import Ledger
from tests.tour import Clock, copied, filled


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tour(tmp_path: Path) -> Path:
    return copied(tmp_path)


@pytest.fixture
def ledger(tour: Path, clock: Clock) -> Iterator[Ledger]:
    with filled(tour, clock) as opened:
        yield opened


@pytest.fixture
def posts(tour: Path) -> pa.Table:
    rows = [json.loads(line) for line in (tour / "posts.ndjson").read_text("utf-8").splitlines()]
    for row in rows:
        row["written_at"] = row["written_at"] and datetime.fromisoformat(row["written_at"])
    return pa.Table.from_pylist(rows)
