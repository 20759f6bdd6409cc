"""A gate whose corpus Spark reads and copies itself: the records, report and manifest that DuckDB's has, as Spark writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sayso.engines import spark_verdicts
from sayso.engines.duckdb import DuckDBEngine
from sayso.engines.spark import SparkEngine
from sayso.engines.spark_verdicts import has_package
from sayso.errors import CanaryError, CorpusError
from sayso.gate import distributed
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.job import Job
from sayso.gate.verify import verify
from sayso.ledger import events as e
from sayso.policy.facts import Use
from tests.gate.platform import COLUMNS, Platform, corpus, permitted, platform, records


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform(tmp_path_factory.mktemp("house")) as made:
        yield made


def gate(
    house: Platform, spark: Any, source: Path, output: Path | None, columns: Columns = COLUMNS, **more: Any
) -> dict[str, Any]:
    """The manifest of a release for generative AI by Spark."""
    now: Callable[[], int] = more.pop("now", None) or house.now
    arrow = more.pop("arrow", True)
    use = Use(more.pop("purpose", "genai"), "platform", house.now())
    job = Job(use, True, (str(source),), columns, output, **more)
    engine = SparkEngine(spark, arrow=arrow)
    with distributed.run(job, engine, DuckDBEngine(threads=1), house.reader, now=now) as made:
        return made.outcome.manifest


def report(output: Path) -> list[dict[str, Any]]:
    """The rows of the report, in order of the input and row, whichever engine wrote it."""
    rows = [
        {"input": path.name, **row}
        for path in (output / "denied").rglob("*.parquet")
        for row in pq.read_table(path).to_pylist()
    ]
    return sorted(rows, key=lambda row: (row["input"], row["row"]))


def by_id(table: pa.Table) -> list[dict[str, Any]]:
    return table.sort_by("id").to_pylist()


@pytest.mark.parametrize(("several", "arrow"), [(False, True), (True, True), (True, False)])
def test_the_output_is_that_of_the_other_engine(
    house: Platform, spark: Any, tmp_path: Path, several: bool, arrow: bool
) -> None:
    table, columns = records(400), COLUMNS
    if several:
        lists = [[n % 11, (n * 3) % 7] if n % 5 else None for n in range(400)]
        table = table.append_column("to", pa.array(lists, pa.list_(pa.int64())))
        where = ["FR", None, "UK", "us"] * 100
        table = table.append_column("where", pa.array(where))
        columns = replace(COLUMNS, subjects=(SubjectColumn("author", "author"), SubjectColumn("to")), territory="where")
    source = corpus(tmp_path / "in", table, files=5)
    told = gate(house, spark, source, tmp_path / "spark", columns, canaries=8, arrow=arrow)
    plain = house.gate(source, tmp_path / "duckdb", columns, canaries=8).manifest
    assert told["counts"] == plain["counts"]
    assert told["inputs"] == plain["inputs"]
    assert by_id(permitted(tmp_path / "spark")) == by_id(permitted(tmp_path / "duckdb"))
    assert report(tmp_path / "spark") == report(tmp_path / "duckdb")
    assert permitted(tmp_path / "spark").schema == table.schema.remove_metadata()
    assert told["versions"]["engine"] == f"spark {spark.version}"
    assert verify(tmp_path / "spark", source) == []


def test_nothing_is_written_by_a_dry_run(house: Platform, spark: Any, tmp_path: Path) -> None:
    source = corpus(tmp_path / "in", records(40))
    told = gate(house, spark, source, None)
    assert told["counts"] == house.gate(source, None).manifest["counts"]
    assert told["outputs"] == []
    assert [one.name for one in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("arrow", [True, False])
def test_only_what_both_looks_permit_is_let_through(spark: Any, tmp_path: Path, arrow: bool) -> None:
    source = corpus(tmp_path / "in", records(40))
    with platform(tmp_path) as house:
        asked = []

        def objected() -> int:
            asked.append(1)
            if len(asked) == 2:
                house.journal.append(e.ChoiceRecorded(subject=1, decision="objection", source="setting"))
            return house.now()

        told = gate(house, spark, source, tmp_path / "out", now=objected, arrow=arrow)
        assert len(told["looks"]) == 2
        reasons = {row["key"]: row["reason"] for row in report(tmp_path / "out")}
        assert {reasons[number] for number in (1, 23, 34)} == {"refused"}
        assert not {1, 3} & set(permitted(tmp_path / "out").column("author").to_pylist())
        assert told["counts"]["permitted"] == permitted(tmp_path / "out").num_rows
        assert verify(tmp_path / "out", source) == []


def test_executors_that_have_this_package_decide_by_place(house: Platform, spark: Any, tmp_path: Path) -> None:
    assert has_package(spark)
    source = corpus(tmp_path / "in", records(40), files=2)
    asked: list[str] = []

    class Telling(SparkEngine):
        @contextmanager
        def deciding(self, question: Any) -> Iterator[Any]:
            with super().deciding(question) as verdicts:
                asked.append("joins" if verdicts.kept.packed is None else "place")
                yield verdicts

    job = Job(Use("genai", "platform", house.now()), True, (str(source),), COLUMNS, tmp_path / "out")
    for arrow in (True, False):
        engine = Telling(spark, arrow=arrow)
        with distributed.run(replace(job, output=None), engine, DuckDBEngine(threads=1), house.reader, now=house.now):
            pass
    assert asked == ["place", "joins"]


def test_executors_without_this_package_are_told_from_others(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_verdicts, "_packaged", {})
    monkeypatch.setattr(metadata, "version", lambda _: "0.0")  # the executors' is another
    assert not has_package(spark)
    assert not has_package(cast(Any, object()))  # as a session of Spark Connect's, that has no context


def test_a_report_of_nothing_has_its_columns(house: Platform, spark: Any, tmp_path: Path) -> None:
    told = gate(house, spark, corpus(tmp_path / "in", records(40)), tmp_path / "out")
    passed = corpus(tmp_path / "passed", permitted(tmp_path / "out"))
    assert told["counts"]["denied"]
    again = gate(house, spark, passed, tmp_path / "again")
    assert not again["counts"]["denied"]
    found = pq.read_table(tmp_path / "again" / "denied")
    assert found.num_rows == 0
    assert found.schema.names == pq.read_table(tmp_path / "out" / "denied").schema.names


def test_a_planted_record_that_passes_stops_the_gate(house: Platform, spark: Any, tmp_path: Path) -> None:
    source = corpus(tmp_path / "in", records(40))
    engine = SparkEngine(spark)

    class Lax(SparkEngine):
        def deciding(self, question: Any) -> Any:
            posts = replace(question, columns=replace(COLUMNS, category=None, category_constant="posts"))
            return engine.deciding(posts)

    job = Job(Use("genai", "platform", house.now()), True, (str(source),), COLUMNS, tmp_path / "out", canaries=4)
    gated = distributed.run(job, Lax(spark), DuckDBEngine(threads=1), house.reader, now=house.now)
    with pytest.raises(CanaryError), gated:
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["in"]


def test_people_who_were_erased_are_denied_as_such(spark: Any, tmp_path: Path) -> None:
    source = corpus(tmp_path / "in", records(40))
    with platform(tmp_path) as house:
        house.journal.append(e.SubjectErased(subject=1))
        told = gate(house, spark, source, tmp_path / "out")
        assert told["counts"] == house.gate(source, None).manifest["counts"]
        assert told["counts"]["by_reason"]["erased"]


def test_a_use_that_asks_for_the_account(house: Platform, spark: Any, tmp_path: Path) -> None:
    table = records(40).append_column("account", pa.array([1, 2, None, 3] * 10, pa.int64()))
    source = corpus(tmp_path / "in", table)
    columns = replace(COLUMNS, account="account")
    told = gate(house, spark, source, tmp_path / "out", columns, purpose="ranking")
    plain = house.gate(source, tmp_path / "duckdb", columns, purpose="ranking").manifest
    assert told["counts"] == plain["counts"]
    assert report(tmp_path / "out") == report(tmp_path / "duckdb")


def test_a_type_that_spark_has_not_is_named(house: Platform, spark: Any, tmp_path: Path) -> None:
    for place, kind in enumerate((pa.time64("us"), pa.timestamp("ns"), pa.null())):
        table = records(40).append_column("at", pa.nulls(40, kind))
        with pytest.raises(CorpusError, match="`at`"):
            gate(house, spark, corpus(tmp_path / str(place), table), tmp_path / "out")
        assert not (tmp_path / "out").exists()
