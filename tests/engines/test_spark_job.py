"""Gating in a job that has a Spark session of its own: frames, tables of the catalogue and files, from Python and the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import functions as f

from sayso import instant
from sayso.api import Ledger, init_ledger, open_ledger
from sayso.api.spark import gate as spark_gate
from sayso.engines.spark_copy import KeptVerdicts
from sayso.engines.spark_views import frame_of
from sayso.errors import CorpusError, EngineError, UsageError
from sayso.gate.verify import verify
from sayso.ledger import events as e
from sayso.policy import loads, normal
from tests.gate.platform import COLLECTED, COLUMNS, POLICY, START, corpus, permitted, records

RECORDED = instant.parse("2026-09-01T00:00:00Z")
"""Before any instant at which something is gated: none is decided before the last that was recorded."""
USE: dict[str, Any] = {"purpose": "genai", "recipient": "platform", "columns": COLUMNS}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of ten people, of whom 3 objected and 10 is not known."""
    folder = tmp_path_factory.mktemp("ledger")
    with init_ledger(folder / "ledger.sayso", now=lambda: RECORDED) as made:
        policy = loads(POLICY)
        journal = made.parts.journal
        journal.append(e.PolicyPublished(platform=policy.platform, digest=policy.digest, document=normal(policy)))
        since = COLLECTED - instant.DAY
        journal.append_many(
            e.SubjectRegistered(subject=number, territory="FR", effective_at=since, attested="made for a test")
            for number in range(10)
        )
        told = e.NoticeDelivered(
            notice="told", version="1", audience=e.Audience(), effective_at=START, attested="made for a test"
        )
        journal.append(told)
        journal.append(e.ChoiceRecorded(subject=3, decision="objection", source="setting"))
    return folder / "ledger.sayso"


@pytest.fixture(scope="module")
def ledger(path: Path) -> Iterator[Ledger]:
    with open_ledger(path) as made:
        yield made


def gate(*given: Any, **more: Any) -> Any:
    """What a gate gives, of which a frame may be asked without asking whether there is one."""
    return spark_gate(*given, **more)


def ids(frame: Any) -> list[int]:
    return sorted(row["id"] for row in frame.select("id").collect())


PERMITTED = [number for number in range(40) if number % 4 and number % 11 not in (3, 10)]


def test_a_frame_is_gated_where_it_is(spark: Any, ledger: Ledger) -> None:
    frame = frame_of(spark, records(40)).repartition(3)
    gated = gate(spark, ledger, frame, **USE)
    assert gated.permitted.columns == frame.columns
    assert ids(gated.permitted) == PERMITTED
    reasons = {row["reason"]: row["count"] for row in gated.denied.groupBy("reason").count().collect()}
    assert gated.counts["by_reason"] == reasons
    assert "text" not in gated.denied.columns
    assert sorted(row["key"] for row in gated.denied.collect()) == sorted(set(range(40)) - set(PERMITTED))
    assert gated.manifest["inputs"] == [{"name": "frame", "form": "table", "records": 40}]


def test_a_frame_that_is_never_the_same_twice_is_held_first(spark: Any, ledger: Ledger) -> None:
    """Each of its records is decided and let through as one and the same."""
    frame = frame_of(spark, records(40)).withColumn("author", f.expr("CAST(rand() * 11 AS BIGINT)"))
    passed = gate(spark, ledger, frame, **USE).permitted
    for _ in range(2):
        assert {row["author"] for row in passed.collect()} <= {0, 1, 2, 4, 5, 6, 7, 8, 9}


def test_permits_of_long_ago_are_an_error(spark: Any, path: Path) -> None:
    with open_ledger(path, now=lambda: instant.parse("2026-11-01T00:00:00Z")) as before:
        frame = frame_of(spark, records(40))
        stale = gate(spark, before, frame, **USE)
        with pytest.raises(PySparkException, match="stale"):
            stale.permitted.collect()
        replay = gate(spark, before, frame, at="2026-10-01T00:00:00Z", **USE)
        assert replay.manifest["kind"] == "replay"
        assert set(PERMITTED) <= set(ids(replay.permitted))


@pytest.mark.parametrize("kind", ["table", "view"])
def test_a_table_of_the_catalogue_becomes_one(spark: Any, ledger: Ledger, tmp_path: Path, kind: str) -> None:
    frame_of(spark, records(40)).repartition(3).write.saveAsTable(f"posts_{kind}")
    try:
        source = f"posts_{kind}"
        if kind == "view":  # of which each file's rows are there twice
            twice = "SELECT *, explode(array(1, 3)) AS who FROM posts_view"
            spark.sql(
                f"CREATE TEMP VIEW twice AS SELECT id, who AS author, category, collected_at, text FROM ({twice})"
            )
            source = "twice"
        gated = gate(spark, ledger, f"table:{source}", into=tmp_path / "out", into_table="passed", **USE)
        if kind == "view":
            assert {row["author"] for row in gated.permitted.collect()} == {1}
            assert gated.permitted.count() == 30
        else:
            assert ids(spark.table("passed")) == PERMITTED
        assert gated.manifest["tables"] == [{"name": "passed", "kind": "permitted", "records": gated.permitted.count()}]
        assert not (tmp_path / "out" / "permitted").exists()
        assert verify(tmp_path / "out") == []
        with pytest.raises(EngineError):
            gate(spark, ledger, f"table:{source}", into=tmp_path / "again", into_table="passed", **USE)
        assert not (tmp_path / "again").exists()
        assert spark.table("passed").count()
    finally:
        for name in ("posts_table", "posts_view", "passed"):
            spark.sql(f"DROP TABLE IF EXISTS {name}")
        spark.sql("DROP VIEW IF EXISTS twice")


def test_a_table_is_not_there_if_the_output_is_not(spark: Any, ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(CorpusError):
        gate(spark, ledger, frame_of(spark, records(40)), into=tmp_path / "out", into_table="passed", **USE)
    assert not spark.catalog.tableExists("passed")


def test_files_go_through_the_command_line(spark: Any, path: Path, tmp_path: Path) -> None:
    """In a session of its own, which that of the test stands for: there is one in a process."""
    source = corpus(tmp_path / "in", records(40))
    flags = ["--purpose", "genai", "--recipient", "platform", "--subject", "author", "--category-column", "category",
             "--key", "id", "--engine", "spark", "--master", "local[1]"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "sayso", "--ledger", str(path), "gate", str(source), "--into", str(tmp_path / "out"), *flags],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert verify(tmp_path / "out", source) == []
    assert sorted(permitted(tmp_path / "out").column("id").to_pylist()) == PERMITTED


@pytest.mark.parametrize(
    ("source", "more", "match"),
    [([], {}, "list of paths"), (5, {}, "a frame of Spark"), (["table:a", "b"], {}, "one table"),
     ("table:a", {"into_table": "b"}, "a directory"), ("table:a", {"canaries": 1}, "canaries")],
)  # fmt: skip
def test_what_cannot_be_gated_is_told(
    spark: Any, ledger: Ledger, source: Any, more: dict[str, Any], match: str
) -> None:
    with pytest.raises(UsageError, match=match):
        gate(spark, ledger, source, **USE, **more)


def test_a_table_that_is_not_there_is_told(spark: Any, ledger: Ledger) -> None:
    with pytest.raises(EngineError, match="TABLE_OR_VIEW_NOT_FOUND"):
        gate(spark, ledger, "table:nowhere", **USE)


def test_files_that_change_while_a_table_is_made_leave_none(
    spark: Any, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = corpus(tmp_path / "in", records(40))
    save = KeptVerdicts.save

    def rewritten(kept: KeptVerdicts, name: str, until: int) -> int:
        made = save(kept, name, until)
        for path in source.iterdir():
            pq.write_table(records(40), path)
        return made

    monkeypatch.setattr(KeptVerdicts, "save", rewritten)
    with pytest.raises(CorpusError, match="nobody writes"):
        gate(spark, ledger, str(source), into=tmp_path / "out", into_table="rewritten", **USE)
    assert not spark.catalog.tableExists("rewritten")
    assert not (tmp_path / "out").exists()


def test_what_was_no_parquet_has_no_frames(spark: Any, ledger: Ledger, tmp_path: Path) -> None:
    records(40).to_pandas().to_json(tmp_path / "in.ndjson", orient="records", lines=True, date_format="iso")
    with pytest.raises(UsageError, match="directory"):
        gate(spark, ledger, str(tmp_path / "in.ndjson"), **USE)


def test_a_column_that_is_called_as_one_of_ours_is_told(spark: Any, ledger: Ledger) -> None:
    for name in ("Sayso Row", "sayso word"):
        frame = frame_of(spark, records(40)).withColumn(name, f.lit(1))
        with pytest.raises(CorpusError, match="rename"):
            gate(spark, ledger, frame, **USE)


def test_what_is_written_to_files_later_is_in_no_frame(spark: Any, ledger: Ledger, tmp_path: Path) -> None:
    source = corpus(tmp_path / "in", records(40))
    gated = gate(spark, ledger, str(source), **USE)
    for path in source.iterdir():
        pq.write_table(records(40).take(list(range(39, -1, -1))), path)
    assert ids(gated.permitted) == PERMITTED
