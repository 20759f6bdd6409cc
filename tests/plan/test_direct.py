"""Finding people by the place or the hash of their ids, and a gate that does so beside one that joins."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.engines import direct as reading
from sayso.engines.duckdb import DuckDBEngine
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.verify import verify
from sayso.ledger import events as e
from sayso.plan.direct import Index
from tests.gate.platform import COLLECTED, COLUMNS, Platform, corpus, denied, permitted, platform, records

INT64 = st.integers(-(2**63), 2**63 - 1)
NEAR = st.integers(-50, 50)


@given(
    ids=st.sets(INT64, max_size=60)
    | st.sets(NEAR, max_size=60)
    | st.integers(0, 60).map(lambda n: set(range(5, 5 + n))),
    others=st.lists(INT64 | NEAR, max_size=60),
    seed=st.integers(),
)
def test_an_id_is_found_where_it_is(ids: set[int], others: list[int], seed: int) -> None:
    held = list(ids)
    Random(seed).shuffle(held)
    for order in (held, sorted(held)):
        index = Index(np.array(order, np.int64))
        asked = np.array([*order, *others], np.int64)
        places = {one: place for place, one in enumerate(order)}
        assert index.of(asked).tolist() == [places.get(one, -1) for one in asked.tolist()]


def test_ids_with_one_hash_are_not_looked_through() -> None:
    """So many are no accident; the engine joins them."""
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    ids = [((place * inverse) % 2**64) for place in range(1000)]
    assert not Index(np.array(ids, np.uint64).view(np.int64)).fits
    assert Index(np.array(ids[:30], np.uint64).view(np.int64)).fits


class Joining(DuckDBEngine):
    """The engine without the short way."""

    def _direct(self, question: Any) -> None:
        return None


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with platform(tmp_path_factory.mktemp("direct")) as made:
        made.journal.append(e.SubjectErased(subject=7))
        yield made


def odd(count: int) -> pa.Table:
    """Records with nulls, strangers, the erased, odd territories and instants, and ids at both ends."""
    random = Random(7)
    ends = [None, 2**63 - 1, -(2**63), -1, 10, 11]
    instants = [COLLECTED, None, 2**63 - 1, -(2**63) + 1, -(2**63), COLLECTED + 10**15, COLLECTED - 10**14]
    return pa.table(
        {
            "id": pa.array(range(count), pa.int64()),
            "author": pa.array([random.choice([*range(10), *ends]) for _ in range(count)], pa.int64()),
            "category": pa.array([random.choice(["posts", "messages", "content", None, ""]) for _ in range(count)]),
            "collected_at": pa.array(
                [random.choice(instants) if n % 3 == 0 else COLLECTED + n for n in range(count)], pa.timestamp("us", "UTC")
            ),
            "where": pa.array([random.choice([None, "FR", "US-CA", "UK", "fr", "", "X", "ZZ"]) for _ in range(count)]),
        }
    )  # fmt: skip


@pytest.mark.parametrize("emit", ["copy", "selection"])
@pytest.mark.parametrize("territory", [None, "where"])
@pytest.mark.parametrize("constant", [False, True])
def test_a_gate_that_finds_says_what_one_says_that_joins(
    house: Platform, tmp_path: Path, emit: str, territory: str | None, constant: bool
) -> None:
    category: dict[str, str] = {"category_constant": "posts"} if constant else {"category": "category"}
    columns = Columns((SubjectColumn("author"),), territory=territory, key="id", **category)
    source, at = corpus(tmp_path / "in", odd(900), files=3, group=100), house.now()
    made = {}
    for name, kind in (("finds", DuckDBEngine), ("joins", Joining)):
        made[name] = house.gate(
            source, tmp_path / name, columns, at=at, emit=emit, report=True, canaries=8, engine=kind(threads=1)
        )
        assert verify(tmp_path / name, source) == []
    assert made["finds"].manifest == made["joins"].manifest
    assert denied(tmp_path / "finds") == denied(tmp_path / "joins")
    if emit == "copy":
        assert permitted(tmp_path / "finds").equals(permitted(tmp_path / "joins"))
    reasons = made["finds"].manifest["counts"]["by_reason"]
    assert {"unreadable", "unknown-subject", "erased", "refused"} <= reasons.keys()


def test_it_takes_the_short_way_where_it_can(house: Platform, tmp_path: Path) -> None:
    asked: list[bool] = []

    class Asking(DuckDBEngine):
        def verdicts(self, question: Any) -> Any:
            asked.append(reading.suits(question))
            return super().verdicts(question)

    house.gate(corpus(tmp_path / "in", records()), tmp_path / "out", COLUMNS, engine=Asking())
    text = records().set_column(
        3, "collected_at", records().column("collected_at").cast(pa.timestamp("ms", "UTC"), safe=False)
    )
    house.gate(corpus(tmp_path / "other", text), tmp_path / "more", COLUMNS, engine=Asking())
    assert asked == [True, True, False]
