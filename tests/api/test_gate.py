"""Gating paths and frames through the Python API: the same kind comes back, and the same records whatever the kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import sayso
from sayso.api import Ledger
from sayso.canonical import digest_file
from sayso.errors import CorpusError, StaleError, UsageError, VerificationError
from tests.tour import Clock

USE: dict[str, Any] = {"purpose": "generative-ai", "recipient": "platform"}
COLUMNS = sayso.Columns((sayso.SubjectColumn("author"),), collected_at="written_at", category="kind", key="id")
PERMITTED = ["a1", "d1"]


@pytest.mark.parametrize("pick", [str, Path, lambda path: [path], lambda path: str(path.parent / "p*.ndjson")])
def test_paths(ledger: Ledger, tour: Path, pick: Any) -> None:
    made = ledger.gate(pick(tour / "posts.ndjson"), columns=tour / "corpus.yaml", into=tour / "out", canaries=4, **USE)
    assert made.permitted == tour / "out" / "permitted"
    assert pq.read_table(made.permitted).column("id").to_pylist() == PERMITTED
    assert (made.counts["records"], made.counts["permitted"], made.manifest["kind"]) == (11, 2, "release")
    assert sayso.verify(tour / "out", tour) == []
    with pytest.raises(CorpusError, match="there already"):
        ledger.gate(tour / "posts.ndjson", columns=COLUMNS, into=tour / "out", **USE)


def test_a_dry_run_writes_nothing(ledger: Ledger, tour: Path) -> None:
    before = sorted(tour.iterdir())
    made = ledger.gate(tour / "posts.ndjson", columns=COLUMNS, into=tour / "out", dry_run=True, **USE)
    assert (made.permitted, made.denied, made.output, made.counts["permitted"]) == (None, None, None, 2)
    assert sorted(tour.iterdir()) == before


def test_an_arrow_table(ledger: Ledger, posts: pa.Table) -> None:
    made = ledger.gate(posts, columns=COLUMNS, **USE)
    assert made.permitted is not None
    assert made.permitted.schema == posts.schema
    assert made.permitted.column("id").to_pylist() == PERMITTED
    assert made.denied.column("reason").to_pylist()[0] == "collected-too-early"
    assert made.denied.num_rows == 9
    assert "text" not in made.denied.column_names


def test_batches_and_a_reader(ledger: Ledger, posts: pa.Table) -> None:
    made = ledger.gate(posts.to_reader(), columns=COLUMNS, **USE)
    assert isinstance(made.permitted, pa.RecordBatchReader)
    assert made.permitted.read_all().column("id").to_pylist() == PERMITTED
    batch = ledger.gate(posts.combine_chunks().to_batches()[0], columns=COLUMNS, **USE)
    assert batch.permitted is not None
    assert batch.permitted.num_rows == 2


def test_pandas(ledger: Ledger, posts: pa.Table) -> None:
    frame = posts.to_pandas().set_index(pd.Index(range(100, 111)))
    frame["extra"] = pd.Categorical(["x"] * 11)
    made = ledger.gate(frame, columns=COLUMNS, **USE)
    assert isinstance(made.permitted, pd.DataFrame)
    pd.testing.assert_frame_equal(made.permitted, frame[frame["id"].isin(PERMITTED)])


def test_polars(ledger: Ledger, posts: pa.Table) -> None:
    frame = pl.DataFrame(posts)
    made = ledger.gate(frame, columns=COLUMNS, **USE)
    assert made.permitted is not None
    assert made.permitted.equals(frame.filter(pl.col("id").is_in(PERMITTED)))
    lazy = ledger.gate(frame.lazy(), columns=COLUMNS, **USE)
    assert isinstance(lazy.permitted, pl.LazyFrame)
    assert lazy.permitted.collect().equals(made.permitted)


def test_ibis(ledger: Ledger, posts: pa.Table) -> None:
    made = ledger.gate(ibis.memtable(posts).order_by("id"), columns=COLUMNS, **USE)
    assert made.permitted is not None
    assert isinstance(made.permitted, ibis.expr.types.Table)
    assert sorted(made.permitted.to_pyarrow().column("id").to_pylist()) == PERMITTED


def test_a_table_may_be_kept_too(ledger: Ledger, posts: pa.Table, tour: Path) -> None:
    made = ledger.gate(posts, columns=COLUMNS, into=tour / "out", dataset="first", **USE)
    assert made.output == tour / "out"
    assert sayso.verify(tour / "out") == []
    assert pq.read_table(tour / "out" / "permitted").column_names == posts.column_names
    recorded = list(ledger.show())[-1]
    assert recorded["manifest"] == digest_file(tour / "out" / "manifest.json")
    assert (recorded["kind"], recorded["dataset"], recorded["position"]) == (
        "dataset.built",
        "first",
        ledger.head.size - 1,
    )


@pytest.mark.parametrize("option", ["at", "position", "policy"])
def test_anything_else_than_the_present_is_a_replay(ledger: Ledger, posts: pa.Table, tour: Path, option: str) -> None:
    given: dict[str, Any] = {"at": "2025-05-01T00:00:00Z", "position": 10, "policy": tour / "policy.yaml"}
    one = {option: given[option]}
    made = ledger.gate(posts, columns=COLUMNS, into=tour / "out", **one, **USE)
    assert made.manifest["kind"] == "replay"
    with pytest.raises(VerificationError, match="is a replay"):
        sayso.open_release(tour / "out")
    with pytest.raises(UsageError, match="only a release"):
        ledger.gate(posts, columns=COLUMNS, into=tour / "again", dataset="d", **one, **USE)


def test_a_release_is_opened_while_it_is_fresh_and_whole(ledger: Ledger, posts: pa.Table, tour: Path) -> None:
    ledger.gate(posts, columns=COLUMNS, into=tour / "out", **USE)
    opened = sayso.open_release(tour / "out", at="2025-06-01T23:59:59Z")
    assert opened.to_table().column("id").to_pylist() == PERMITTED
    with pytest.raises(StaleError, match="valid until"):
        sayso.open_release(tour / "out", at="2025-06-02T00:00:00Z")
    with pytest.raises(StaleError):
        sayso.open_release(tour / "out")
    with pytest.raises(StaleError, match="clock stands before `2025-06-01T00:00:00Z`"):
        sayso.open_release(tour / "out", at="2024-06-01T00:00:00Z")
    (tour / "out" / "permitted" / "more.parquet").write_bytes(b"PAR1")
    with pytest.raises(VerificationError, match=r"more\.parquet"):
        sayso.open_release(tour / "out", at="2025-06-01T23:59:59Z")


def test_a_second_look_is_taken_at_a_table_too(ledger: Ledger, posts: pa.Table, clock: Clock) -> None:
    def meddle(stage: str, done: int, total: int) -> None:
        if stage == "writing" and done == total and ledger.head.size == 10:
            ledger.choose("refusal", subject=1, source="at the last moment")

    made = ledger.gate(posts, columns=COLUMNS, progress=meddle, **USE)
    assert made.permitted is not None
    assert made.permitted.column("id").to_pylist() == ["d1"]
    assert len(made.manifest["looks"]) == 2


def test_what_cannot_be_gated_is_said(ledger: Ledger, posts: pa.Table, tour: Path) -> None:
    with pytest.raises(UsageError, match="directory to write to"):
        ledger.gate(tour / "posts.ndjson", columns=COLUMNS, **USE)
    with pytest.raises(UsageError, match="got dict"):
        ledger.gate({"a": 1}, columns=COLUMNS, **USE)
    with pytest.raises(UsageError, match="not empty"):
        ledger.gate([], columns=COLUMNS, dry_run=True, **USE)
    for frame in (pd.Series([1]), pl.Series([1]), ibis.literal(1)):
        with pytest.raises(UsageError, match="got"):
            ledger.gate(frame, columns=COLUMNS, **USE)
    for table in (
        posts.drop_columns(["kind"]),
        posts.to_pandas().drop(columns="kind"),
        pl.DataFrame(posts).drop("kind"),
    ):
        with pytest.raises(CorpusError, match="no column `kind`"):
            ledger.gate(table, columns=COLUMNS, **USE)
    with pytest.raises(CorpusError, match="no Arrow type"):
        ledger.gate(posts.to_pandas().assign(author=[object()] * 11), columns=COLUMNS, **USE)
