"""What runs in the Python of Spark's executors, without Spark: it says what the reference says, and keeps what it said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyspark
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sayso.engines import direct, sharing, spark_report
from sayso.engines import spark_worker as worker
from sayso.engines.duckdb import DuckDBEngine
from sayso.engines.reading import shape_of
from sayso.engines.spark_sql import Spark
from sayso.engines.spark_verdicts import as_read
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.engine import Question
from sayso.policy.facts import Record
from tests import strategies
from tests.compare import snapshot
from tests.engines import asking
from tests.searching import searched
from tests.strategies import World

ASKED = Columns((SubjectColumn("subjects"),), category="category", territory="territory")
ROLES = st.sampled_from(["author", "mentioned", None])


@pytest.fixture(scope="module")
def duckdb() -> Any:
    return ibis.duckdb.connect(threads=1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return lambda: tmp_path_factory.mktemp("corpus")


class Executor(DuckDBEngine):
    """Answers by what an executor says of records that were read for it; and holds that against what it keeps of them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(threads=1)
        self._folder, self.asked = folder, 0

    def verdicts(self, question: Question) -> Iterator[pa.RecordBatch]:
        shared = Local(self._folder / f"{id(question)}.snapshot", question)
        count = sum(part.rows for part in question.parts)
        read = self.records(question, range(count)).sort_by("row")
        firsts = np.concatenate([np.full(part.rows, part.first) for part in question.parts])
        read = read.append_column("kept_first", pa.array(firsts)).append_column("kept_key", read.column("row"))
        batches = read.combine_chunks().to_batches(max_chunksize=7)
        own = direct.Reader.of(question)
        reader = replace(own, columns=as_read(shape_of(question)))
        told = pa.Table.from_batches(list(worker.told(shared, reader, batches)))
        assert kept(worker.kept(shared, reader, batches)) == reduced(told)
        assert direct.suits(question, Spark())
        key = replace(own, columns=replace(own.columns, key="key"))
        tasks = [worker.Task(part, (0,), pa.int64()) for part in question.parts]
        numbers = pa.RecordBatch.from_pydict({"id": pa.array(range(len(tasks)))})
        assert kept(worker.kept_of(shared, key, tasks, [numbers])) == reduced(told)
        self.asked += 1
        yield from told.select(["row", "number", "position"]).append_column("id", told.column("subject")).to_batches()


class Local(worker.Shared):
    """A decider that lies in a file of this machine's."""

    def __init__(self, path: Path, question: Question) -> None:
        sharing.write(sharing.frozen(worker.Decider(question.snapshot)), path)
        object.__setattr__(self, "made", sharing.mapped(path))

    def decider(self) -> worker.Decider:
        made: worker.Decider = self.made  # type: ignore[attr-defined]
        return made


def kept(batches: Iterator[pa.RecordBatch]) -> Any:
    """What is kept: the permitted rows, the denied ones with what is told of them, and the counts."""
    rows = pa.Table.from_batches(list(batches)).to_pylist()
    words = unpacked(rows, worker.WORD)
    permitted = [one[worker.WORD_OF] * 64 + bit for one in words for bit in range(64) if one[worker.BITS] >> bit & 1]
    counts: Counter[Any] = Counter()
    for row in rows:
        if row["kind"] == worker.COUNTED:
            counts[row["number"], row["written"], row["row"]] += row["value"]
    return sorted(permitted), sorted(unpacked(rows, worker.DENIED), key=by_row), counts


def unpacked(rows: list[dict[str, Any]], kind: int) -> list[dict[str, Any]]:
    packed = [row["data"] for row in rows if row["kind"] == kind]
    batches = worker.unpacked([pa.RecordBatch.from_pydict({"data": pa.array(packed, pa.binary())})])
    return [row for batch in batches for row in batch.to_pylist()]


def by_row(row: dict[str, Any]) -> int:
    number: int = row["row"]
    return number


def reduced(told: pa.Table) -> Any:
    """The same, of a row for every record."""
    rows = told.to_pylist()
    denied = [{name: row[name] for name in row if name != "permitted"} for row in rows if not row["permitted"]]
    counts = Counter((row["number"], row["written"], row["first"]) for row in rows)
    return [row["row"] for row in rows if row["permitted"]], denied, counts


def agree(
    duckdb: Any, folder: Path, world: World, records: list[Record], layout: tuple[int, int], role: str | None = None,
    *, several: bool,
) -> None:  # fmt: skip
    records = [replace(record, reserved=frozenset(), account=None) for record in records]
    columns = ASKED if several else replace(ASKED, subjects=(SubjectColumn("author", role),))
    corpus = asking.table(records, several=several).drop_columns(["account", "reserved"])
    corpus = corpus.append_column("key", pa.array(range(len(records)), pa.int64()))
    parts = asking.written(corpus, folder, files=layout[0])
    engine = Executor(folder)
    said = asking.said(engine, world, asking.question(snapshot(duckdb, world), world, corpus, parts, columns))
    assert said == asking.expected(world, records)
    assert engine.asked


WORLDS = strategies.worlds(accounts=False)
LAYOUTS = st.sampled_from([(1, 0), (3, 0), (5, 0)])


@searched(15)
@given(world=WORLDS, seed=st.integers(0, 2**32), layout=LAYOUTS)
def test_of_records_of_several_subjects(
    duckdb: Any, place: Any, world: World, seed: int, layout: tuple[int, int]
) -> None:
    agree(duckdb, place(), world, strategies.many_records(world, seed, 300), layout, several=True)


@searched(15)
@given(world=WORLDS, seed=st.integers(0, 2**32), layout=LAYOUTS, role=ROLES)
def test_of_records_of_one_subject(
    duckdb: Any, place: Any, world: World, seed: int, layout: tuple[int, int], role: str | None
) -> None:
    lone = [
        replace(record, subjects=tuple(replace(subject, role=role) for subject in record.subjects or ()))
        for record in strategies.many_records(world, seed, 300, several=False)
    ]
    agree(duckdb, place(), world, lone, layout, role, several=False)


@given(rows=st.lists(st.integers(0, 500), unique=True), ordered=st.booleans())
@example(rows=[], ordered=True)
@example(rows=[63, 64, 0], ordered=False)
def test_words_hold_each_row_once(rows: list[int], ordered: bool) -> None:
    word, bits = worker.words(np.array(sorted(rows) if ordered else rows, np.int64))
    assert len(set(word.tolist())) == len(word)
    found = [
        w * 64 + bit
        for w, held in zip(word.tolist(), bits.tolist(), strict=True)
        for bit in range(64)
        if held >> bit & 1
    ]
    assert sorted(found) == sorted(rows)


def test_arrays_of_what_is_shared_lie_in_the_file(tmp_path: Path) -> None:
    value = {"numbers": np.arange(100_000), "text": pa.array(["é", None] * 1000), "few": np.arange(3, dtype=np.int8)}
    sharing.write(sharing.frozen(value), tmp_path / "shared")
    found = sharing.mapped(tmp_path / "shared")
    assert found["numbers"].tolist() == value["numbers"].tolist()
    assert found["text"].equals(value["text"])
    assert found["few"].tolist() == [0, 1, 2]
    assert not found["numbers"].flags.owndata
    assert not found["numbers"].flags.writeable
    assert [one.name for one in tmp_path.iterdir()] == ["shared"]


def test_what_is_shared_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        sharing.write("no bytes", tmp_path / "shared")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_worker_keeps_few_snapshots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyspark.SparkFiles, "getRootDirectory", lambda: str(tmp_path))

    class Sent:
        def __init__(self, value: Any) -> None:
            self.value, self.asked = sharing.frozen(value), 0

    monkeypatch.setattr(worker, "_open", {})
    many: list[Any] = [worker.Shared(f"sayso-{number}", Sent([number])) for number in range(9)]
    assert [one.decider() for one in many] == [[number] for number in range(9)]
    assert len(list(tmp_path.glob("*.snapshot"))) == 4
    assert many[0].decider() == [0]  # written again
    assert len(worker._open) == 2


def test_the_report_is_a_file_of_each_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Context:
        partitionId, taskAttemptId = partial(int, 3), partial(int, 7)  # noqa: N815

    monkeypatch.setattr(pyspark.TaskContext, "get", Context)
    said = pa.table({
        "number": [5, 5, 6], "written": pa.array([None, "FR", None]), "reason": ["refused", "refused", "reserved"],
        "rule": pa.array(["a", "a", None]), "territory": pa.array(["DE", "FR", None]), "category": ["x", "x", "y"],
    })  # fmt: skip
    files = pa.table({"first": pa.array([0, 10]), "input": ["one", "two"]})
    denied = pa.RecordBatch.from_pydict({
        "row": pa.array([1, 11, 12, 20]), "number": pa.array([5, 5, 6, 6]), "written": pa.array([None, "FR", None, None]),
        "first": pa.array([0, 10, 10, 20]), "subject": pa.array([4, None, 5, 6]), "position": pa.array([9, None, None, 1]),
    })  # fmt: skip
    data = pa.RecordBatch.from_pydict({"data": pa.array([worker.packed(denied)], pa.binary())})
    how = spark_report.Reporting(tmp_path, said, files, 20)
    (written,) = spark_report.report(how, [data])
    (path,) = tmp_path.iterdir()
    assert written.column("name").to_pylist() == [path.name] == ["000000003-7.parquet"]
    (nothing,) = spark_report.report(how, [])
    assert nothing.column("name").to_pylist() == [None]
    rows = pa.parquet.read_table(path).to_pylist()
    assert rows == [
        {"input": "one", "row": 1, "reason": "refused", "rule": "a", "territory": "DE", "category": "x", "subject": 4, "position": 9},
        {"input": "two", "row": 1, "reason": "refused", "rule": "a", "territory": "FR", "category": "x", "subject": None, "position": None},
        {"input": "two", "row": 2, "reason": "reserved", "rule": None, "territory": None, "category": "y", "subject": 5, "position": None},
    ]  # fmt: skip
    with pytest.raises(KeyError):  # a denial that nobody counted
        list(spark_report.report(replace(how, said=said.slice(0, 1)), [data]))
