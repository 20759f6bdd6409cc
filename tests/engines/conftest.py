"""The engines, each with what it is known not to do; one Spark with two executors for all tests that ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sayso.engines.duckdb import DuckDBEngine
from sayso.gate.engine import Engine

ENGINES = ("duckdb", "spark")
MASTER = "local-cluster[2,1,1024]"
SETTINGS = {"spark.sql.shuffle.partitions": "4", "spark.default.parallelism": "4", "spark.driver.memory": "1g"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for Spark is run by one worker, for a session takes seconds to start and memory to keep."""
    for item in items:
        asked = getattr(item, "callspec", None)
        if "spark" in getattr(item, "fixturenames", ()) or (asked and "spark" in asked.params.values()):
            item.add_marker(pytest.mark.xdist_group("spark"))
        for gap in item.iter_markers("gap"):
            engine, raises, reason = gap.args
            if asked and asked.params.get("engine") == engine:
                item.add_marker(pytest.mark.xfail(raises=raises, reason=reason, strict=True))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session on a real cluster of two executors, each a process of its own."""
    from sayso.engines.spark_session import start

    session = start(MASTER, {**SETTINGS, "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse"))})
    yield session
    session.stop()


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    if request.param == "duckdb":
        return DuckDBEngine(memory_limit="500MiB", threads=1)
    from sayso.engines.spark import SparkEngine

    return SparkEngine(request.getfixturevalue("spark"))
