"""The gate as SQL: DuckDB and Spark, given no more than the texts and the published tables, say what the reference says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb as embedded
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from sayso import instant
from sayso.engines.duckdb import DuckDBEngine
from sayso.engines.spark_views import frame_of
from sayso.engines.viewing import view
from sayso.errors import CorpusError
from sayso.gate.columns import SubjectColumn
from sayso.gate.engine import Question, View
from sayso.gate.job import Job
from sayso.gate.verify import verify
from sayso.gate.views import publish
from sayso.ledger import events as e
from sayso.plan import accounts
from sayso.plan.relevance import Relevance
from sayso.policy.facts import Record, Use
from tests import strategies
from tests.compare import snapshot
from tests.engines import asking
from tests.gate.platform import COLUMNS, Platform, corpus, platform, records
from tests.searching import searched
from tests.strategies import World

LATER = instant.parse("9999-01-01T00:00:00Z")
Run = Callable[[pa.Table, View, str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def duckdb() -> Any:
    return ibis.duckdb.connect(threads=1)


@pytest.fixture(scope="session", params=["duckdb", "spark"])
def run(request: pytest.FixtureRequest) -> tuple[str, Run]:
    """What each engine gives for a text, over a table called `members.posts`, in order of `place`."""

    def by_duckdb(table: pa.Table, made: View, text: str) -> list[dict[str, Any]]:
        with embedded.connect() as connection:
            connection.execute("CREATE SCHEMA members")
            connection.register("given", table)
            connection.execute("CREATE TABLE members.posts AS FROM given")
            for name, content in made.tables.items():
                connection.register(f"t_{name}", content)
                connection.execute(f"CREATE TABLE x_{name} AS FROM t_{name}")
            return connection.sql(text).order("place").to_arrow_table().to_pylist()

    if request.param == "duckdb":
        return "duckdb", by_duckdb
    spark = request.getfixturevalue("spark")

    def by_spark(table: pa.Table, made: View, text: str) -> list[dict[str, Any]]:
        frame_of(spark, table).createOrReplaceTempView("posts")
        for name, content in made.tables.items():
            frame_of(spark, content).createOrReplaceTempView(f"x_{name}")
        found = spark.sql(text.replace("`members`.`posts`", "posts")).orderBy("place")
        rows: list[dict[str, Any]] = found.toArrow().to_pylist()
        return rows

    return "spark", by_spark


def viewed(
    run: tuple[str, Run], duckdb: Any, world: World, table: pa.Table, folder: Path, until: int = LATER,
    subjects: tuple[SubjectColumn, ...] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    engine, execute = run
    asked = about(duckdb, world, table, folder, subjects)
    version = world.policy.in_force(world.use.at, world.context.withdrawn)
    rules = {} if version is None else {rule.index: rule.id for rule in version.rules}
    made = view(asked, "members.posts", "x_", until, rules)
    passed = execute(table, made, made.texts[f"permitted.{engine}.sql"])
    told = execute(table, made, made.texts[f"verdicts.{engine}.sql"])
    assert [row["place"] for row in told] == list(range(table.num_rows))
    assert [row["place"] for row in passed] == [row["place"] for row in told if row["sayso_permitted"]]
    assert all(set(row) == set(table.schema.names) for row in passed)
    return told


def about(
    duckdb: Any, world: World, table: pa.Table, folder: Path, subjects: tuple[SubjectColumn, ...] | None = None
) -> Question:
    columns = replace(asking.COLUMNS, subjects=subjects or asking.COLUMNS.subjects)
    asked = asking.question(snapshot(duckdb, world), world, table, asking.written(table, folder), columns)
    if asked.snapshot.accounts is not None:
        relevance = Relevance(world.context, world.known, world.use)
        found = DuckDBEngine(threads=1).combinations(asked)
        asked = replace(asked, snapshot=accounts.answered(asked.snapshot, found, relevance, world.known))
    return asked


def numbered(records: list[Record], *, several: bool) -> pa.Table:
    table = asking.table(records, several=several)
    return table.append_column("place", pa.array(range(len(records)), pa.int64()))


@searched(3, phases=[Phase.generate], suppress_health_check=[*HealthCheck])  # an example takes Spark seconds
@given(world=strategies.worlds(), seed=st.integers(0, 2**32), several=st.booleans())
def test_a_view_says_what_the_reference_says(
    run: tuple[str, Run], duckdb: Any, tmp_path_factory: pytest.TempPathFactory, world: World, seed: int, several: bool
) -> None:
    records = strategies.many_records(world, seed, 3000, several=several)
    subjects = None if several else (SubjectColumn("author", "author"),)
    table = numbered(records, several=several)
    told = viewed(run, duckdb, world, table, tmp_path_factory.mktemp("view"), subjects=subjects)
    expected = asking.expected(world, records, several=several)
    for record, row, (outcome, rule, where, _, behind) in zip(records, told, expected, strict=True):
        said = (row["sayso_outcome"], row["sayso_rule"], row["sayso_territory"], row["sayso_position"])
        assert said == (outcome, rule, where, behind), record


@pytest.mark.parametrize("several", [False, True])
def test_an_old_view_denies(run: tuple[str, Run], duckdb: Any, tmp_path: Path, several: bool) -> None:
    from tests.plan.test_expressions import ALWAYS, POSTS, world

    house = world(ALWAYS)
    records = [*POSTS, replace(POSTS[0], category=None)]
    table = numbered(records, several=several)
    subjects = None if several else (SubjectColumn("author"),)
    told = viewed(run, duckdb, house, table, tmp_path, instant.parse("2026-01-01T00:00:00Z"), subjects)
    assert [row["sayso_outcome"] for row in told] == ["stale"] * 3 + ["unreadable"]
    fresh = viewed(run, duckdb, house, table, tmp_path, LATER, subjects)
    assert [row["sayso_outcome"] for row in fresh] == ["no-choice", "no-choice", "unknown-subject", "unreadable"]


def test_what_the_snapshot_has_no_answer_for_is_denied(run: tuple[str, Run], duckdb: Any, tmp_path: Path) -> None:
    """A total CASE: without the table's rows, whatever was answered by them is unreadable, and none is permitted."""
    from tests.plan.test_expressions import ALWAYS, POSTS, world

    engine, execute = run
    table = numbered(POSTS, several=True)
    asked = about(duckdb, world(ALWAYS), table, tmp_path)
    made = view(asked, "members.posts", "x_", LATER, {0: "always"})
    emptied = View(made.texts, dict(made.tables) | {"answers": made.tables["answers"].slice(0, 0)})
    told = execute(table, emptied, made.texts[f"verdicts.{engine}.sql"])
    assert [(row["sayso_outcome"], row["sayso_permitted"]) for row in told] == [("unreadable", False)] * 3


# ── publishing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def published(house: Platform, source: Path, output: Path, table: str = "members.posts") -> dict[str, Any]:
    job = Job(Use("genai", "platform", house.now()), True, (str(source),), COLUMNS, output)
    return publish(job, table, DuckDBEngine(threads=1), view, house.reader, now=house.now).manifest


def test_a_published_view_is_signed_and_checked(tmp_path: Path) -> None:
    with platform(tmp_path) as house:
        source, out = corpus(tmp_path / "in", records(40)), tmp_path / "out"
        house.journal.append(e.SubjectErased(subject=1))
        told = published(house, source, out)
        assert (told["emit"], told["table"], told["kind"]) == ("view", "members.posts", "release")
        ids = {one["path"]: one.get("holds_ids") for one in told["outputs"]}
        assert (ids["snapshot/standing.parquet"], ids["snapshot/answers.parquet"], ids["permitted.spark.sql"]) == (
            True,
            False,
            None,
        )
        assert verify(out, known=[house.journal.keys.signing().verifier]) == []
        text = (out / "permitted.duckdb.sql").read_text()
        (out / "permitted.duckdb.sql").write_text(text.replace("WHERE sayso_permitted", ""))
        assert [one.where for one in verify(out)] == ["permitted.duckdb.sql"]


def test_the_published_texts_run_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By DuckDB, in the directory of the output; the clock is that of the machine, by which the ledger's is long ago."""
    with platform(tmp_path) as house:
        source = corpus(tmp_path / "in", records(40))
        published(house, source, tmp_path / "out", "posts")
        monkeypatch.chdir(tmp_path / "out")
        gated = house.gate(source, None).manifest["counts"]["by_reason"]
        with embedded.connect() as connection:
            connection.execute((tmp_path / "out" / "snapshot.duckdb.sql").read_text())
            connection.execute(f"CREATE TABLE posts AS FROM read_parquet('{source}/*.parquet')")
            text = (tmp_path / "out" / "verdicts.duckdb.sql").read_text()
            assert set(connection.sql(text).to_arrow_table().column("sayso_outcome").to_pylist()) == {"stale"}
            fresh = text.replace("epoch_us(now())", "0")
            words = connection.sql(fresh).to_arrow_table().column("sayso_outcome").to_pylist()
            assert {word: words.count(word) for word in gated} == gated


@pytest.mark.parametrize(("name", "match"), [("a..b", "the name of a table"), ("", "the name of a table")])
def test_a_table_needs_a_name(tmp_path: Path, name: str, match: str) -> None:
    with platform(tmp_path) as house, pytest.raises(CorpusError, match=match):
        published(house, corpus(tmp_path / "in", records(4)), tmp_path / "out", name)
    assert not (tmp_path / "out").exists()


def test_a_column_that_could_be_taken_for_a_verdict_is_refused(tmp_path: Path) -> None:
    table = records(4).append_column("Sayso_permitted", pa.array([True] * 4))
    with platform(tmp_path) as house, pytest.raises(CorpusError, match="Sayso_permitted"):
        published(house, corpus(tmp_path / "in", table), tmp_path / "out")


def test_tables_of_another_snapshot_have_other_names(tmp_path: Path) -> None:
    with platform(tmp_path) as house:
        source = corpus(tmp_path / "in", records(40))
        published(house, source, tmp_path / "one")
        house.journal.append(e.ChoiceRecorded(subject=5, decision="objection", source="setting"))
        published(house, source, tmp_path / "two")
        first, second = ((tmp_path / name / "snapshot.spark.sql").read_text() for name in ("one", "two"))
        assert (
            not set(first.split())
            & set(second.split())
            & {word for word in first.split() if "standing" in word and "sayso" in word}
        )
        assert pq.read_table(tmp_path / "two" / "snapshot" / "standing.parquet").num_rows == 10
