"""One object store for all tests of a process, a bucket and a ledger for each."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sayso.api import Ledger
from tests.places.buckets import Bucket
from tests.places.server import Server, serving
from tests.tour import Clock, copied, filled

_numbers = itertools.count()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("weed")) as made:
        yield made


@pytest.fixture
def environment(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a program is given that may do everything; it is given to this one too."""
    made = server.environment | {"SAYSO_SCRATCH": str(tmp_path / "scratch")}
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def bucket(server: Server, environment: dict[str, str]) -> Bucket:
    client = server.client()
    name = f"bucket-{next(_numbers)}"
    client.create_bucket(Bucket=name)
    return Bucket(name, client)


@pytest.fixture
def tour(tmp_path: Path) -> Path:
    return copied(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tour: Path, clock: Clock) -> Iterator[Ledger]:
    with filled(tour, clock) as opened:
        yield opened


@pytest.fixture
def corpus(tour: Path) -> Path:
    """The example's posts, three files of them, one in a directory of its own."""
    rows = [json.loads(line) for line in (tour / "posts.ndjson").read_text("utf-8").splitlines()]
    for row in rows:
        row["written_at"] = row["written_at"] and datetime.fromisoformat(row["written_at"])
    table = pa.Table.from_pylist(rows)
    folder = tour / "corpus"
    (folder / "more").mkdir(parents=True)
    third = -(-table.num_rows // 3)
    for number, name in enumerate(("a.parquet", "b.parquet", "more/c.parquet")):
        pq.write_table(table.slice(number * third, third), folder / name)
    return folder


@pytest.fixture
def lake(bucket: Bucket, corpus: Path) -> Bucket:
    """The corpus in a bucket."""
    bucket.put_tree("corpus", corpus)
    return bucket


def gated(ledger: Any, source: Any, into: Any, tour: Path, **options: Any) -> Any:
    return ledger.gate(
        source, columns=tour / "corpus.yaml", into=into, purpose="generative-ai", recipient="platform", **options
    )


def records(found: Any) -> list[dict[str, Any]]:
    table: pa.Table = found.to_table() if hasattr(found, "to_table") else found.reader().read_all()
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
