"""Law 7, *engines agree*: through the port that a gate asks by, every engine says what the reference says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ibis
import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st

from sayso.gate.columns import SubjectColumn
from sayso.gate.engine import Engine
from sayso.policy.facts import Subject
from tests import strategies
from tests.engines import asking
from tests.searching import searched
from tests.strategies import World

RECORDS = 5000
"""So many of each world: an engine's cost is in the query, and not in the record."""
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
WORLDS = searched(3, phases=PHASES)
"""Few, and none made smaller: by an engine that takes seconds for each, that would take an hour."""


@pytest.fixture(scope="module")
def duckdb() -> Any:
    return ibis.duckdb.connect(threads=1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A new folder for every example."""
    return lambda: tmp_path_factory.mktemp("corpus")


def agree(said: list[Any], expected: list[Any], records: list[Any]) -> None:
    for record, found, wanted in zip(records, said, expected, strict=True):
        assert found == wanted, record


@WORLDS
@given(world=strategies.worlds(), seed=st.integers(0, 2**32), layout=st.sampled_from(asking.LAYOUTS))
def test_of_records_of_several_subjects(
    engine: Engine, duckdb: Any, place: Any, world: World, seed: int, layout: tuple[int, int]
) -> None:
    records = strategies.many_records(world, seed, RECORDS)
    said = asking.ask(engine, world, duckdb, asking.table(records), place(), files=layout[0], group=layout[1])
    agree(said, asking.expected(world, records), records)


@WORLDS
@given(world=strategies.worlds(), seed=st.integers(0, 2**32), role=st.sampled_from(["author", "mentioned", None]))
def test_of_records_of_one_subject(
    engine: Engine, duckdb: Any, place: Any, world: World, seed: int, role: str | None
) -> None:
    records = [
        replace(r, subjects=tuple(replace(s, role=role) for s in r.subjects or ()))
        for r in strategies.many_records(world, seed, RECORDS, several=False)
    ]
    corpus, subjects = asking.table(records, several=False), (SubjectColumn("author", role),)
    said = asking.ask(engine, world, duckdb, corpus, place(), subjects=subjects)
    agree(said, asking.expected(world, records, several=False), records)


@searched(1, phases=PHASES)
@given(world=strategies.worlds(accounts=False), seed=st.integers(0, 2**32))
def test_of_a_snapshot_that_is_shuffled_and_a_subject_of_a_tenth_of_all_records(
    spark: Any, duckdb: Any, place: Any, world: World, seed: int
) -> None:
    """A snapshot too large to be sent to all is joined by a shuffle, and who has many records makes no partition large."""
    from sayso.engines.spark import SparkEngine

    records = strategies.many_records(world, seed, RECORDS)
    records = [
        replace(record, subjects=(Subject(1, None),)) if row % 10 == 0 else record for row, record in enumerate(records)
    ]
    settings = {
        "spark.sql.autoBroadcastJoinThreshold": "-1",
        "spark.sql.adaptive.skewJoin.skewedPartitionThresholdInBytes": "1k",
        "spark.sql.adaptive.advisoryPartitionSizeInBytes": "1k",
    }
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        engine = SparkEngine(spark, broadcast=-1)
        said = asking.ask(engine, world, duckdb, asking.table(records), place(), files=4)
    finally:
        for name in settings:
            spark.conf.unset(name)
    agree(said, asking.expected(world, records), records)
