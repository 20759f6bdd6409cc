"""Finding people by the place or the hash of their ids, and a gate that does so beside one that joins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.engines import direct as reading
from sayso.engines import flat
from sayso.engines.duckdb import DuckDBEngine
from sayso.engines.duckdb_sql import DuckDB
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.snapshots import nobodys
from sayso.gate.verify import verify
from sayso.ledger import events as e
from sayso.ledger.identity import IdType
from sayso.plan.direct import Direct
from sayso.plan.ids import Found, Numbers
from sayso.plan.index import Table
from sayso.plan.several import Subjects
from sayso.policy.facts import Use
from tests.gate.platform import COLLECTED, COLUMNS, START, Platform, corpus, denied, permitted, platform, records

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
        people = Numbers(pa.chunked_array([order], pa.int64()))
        asked = [*order, *others]
        places = {one: place for place, one in enumerate(order)}
        found = people.of(pa.array(asked, pa.int64()), lambda one: one)
        assert found.person.tolist() == [places.get(one, -1) for one in asked]
        assert found.ids.to_pylist() == asked


def test_ids_with_one_hash_are_not_looked_through() -> None:
    """So many are no accident; the engine joins them."""
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    ids = [((place * inverse) % 2**64) for place in range(1000)]
    assert not Table(np.array(ids, np.uint64).view(np.int64)).fits
    assert Table(np.array(ids[:30], np.uint64).view(np.int64)).fits


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
            asked.append(reading.suits(question, DuckDB()))
            return super().verdicts(question)

    house.gate(corpus(tmp_path / "in", records()), tmp_path / "out", COLUMNS, engine=Asking())
    text = records().set_column(
        3, "collected_at", records().column("collected_at").cast(pa.timestamp("ms", "UTC"), safe=False)
    )
    house.gate(corpus(tmp_path / "other", text), tmp_path / "more", COLUMNS, engine=Asking())
    assert asked == [True, True, False]


STRUCTS = pa.list_(pa.struct([("role", pa.string()), ("id", pa.int32())]))


EMPTY: list[list[int | None] | None] = [None, [], [None], [3, None]]


def peopled(count: int) -> pa.Table:
    """Odd records with lists of people: empty ones and nulls, nulls and duplicates within, ids at both ends, up to 300."""
    random, table = Random(8), odd(count).drop_columns(["author"])

    def ids(most: int, ends: tuple[int, ...] = (2**63 - 1, -(2**63))) -> list[int | None] | None:
        if random.random() < 0.1:
            return random.choice(EMPTY)
        most = 300 if random.random() < 0.02 else most
        # Mostly people who may be used; some of the erased, of who objected, of strangers.
        some = [*[2, 4, 6, 8] * 8, 0, 1, 3, 5, 7, 9, *ends]
        return [random.choice(some) for _ in range(random.randint(1, most))]

    def people() -> list[dict[str, Any] | None] | None:
        held, roles = ids(4, (10, 11)), ["author", "mentioned", "mentioned", None]
        if held is None:
            return None
        one: list[dict[str, Any] | None] = [{"id": who, "role": random.choice(roles)} for who in held]
        return [*one, None] if random.random() < 0.02 else one

    columns = {
        "author": pa.array([random.choice([None, 2, 4, 6, 3]) for _ in range(count)], pa.int16()),
        "to": pa.array([ids(5) for _ in range(count)], pa.list_(pa.int64())),
        "cc": pa.array([ids(2) for _ in range(count)], pa.large_list(pa.int64())),
        "people": pa.array([people() for _ in range(count)], STRUCTS),
    }
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table


MAPPINGS = {
    "a list": (SubjectColumn("to"),),
    "an optional list": (SubjectColumn("cc", optional=True),),
    "a list of nobody who counts": (SubjectColumn("to", "mentioned"),),
    "one who does not count": (SubjectColumn("author", "mentioned"),),
    "one, or nobody": (SubjectColumn("author", optional=True),),
    "structs": (SubjectColumn("people"),),
    "structs, without a role mentioned": (SubjectColumn("people", "mentioned"),),
    "two lists": (SubjectColumn("to", "author"), SubjectColumn("cc", "mentioned", optional=True)),
    "all": (SubjectColumn("author", optional=True), SubjectColumn("to"), SubjectColumn("people"),
            SubjectColumn("cc", "mentioned"), SubjectColumn("author", "mentioned", optional=True)),
}  # fmt: skip


@pytest.mark.parametrize("mapping", list(MAPPINGS))
@pytest.mark.parametrize("emit", ["copy", "selection"])
def test_a_gate_that_finds_those_in_lists_says_what_one_says_that_joins(
    house: Platform, tmp_path: Path, mapping: str, emit: str
) -> None:
    columns = Columns(MAPPINGS[mapping], category="category", territory="where", key="id")
    assert flat.suits(columns, peopled(1).schema, ["mentioned"], IdType.INT64)
    source, at = corpus(tmp_path / "in", peopled(700), files=2, group=300), house.now()
    made, reports = {}, {}
    for name, kind in (("finds", DuckDBEngine), ("joins", Joining)):
        made[name] = house.gate(
            source, tmp_path / name, columns, at=at, emit=emit, report=True, canaries=8, engine=kind(threads=1)
        )
        reports[name] = [pq.read_table(path) for path in sorted((tmp_path / name / "denied").rglob("*.parquet"))]
    assert made["finds"].manifest["counts"] == made["joins"].manifest["counts"]
    assert made["finds"].manifest == made["joins"].manifest
    assert all(map(pa.Table.equals, reports["finds"], reports["joins"]))
    assert "unreadable" in made["finds"].manifest["counts"]["by_reason"]


def test_of_those_in_lists_nothing_more_is_told_than_is_asked(house: Platform, tmp_path: Path) -> None:
    """A selection without a report, of which nobody asks what a denial rests on."""
    columns = Columns(MAPPINGS["a list"], category="category", territory="where", key="id")
    source, at = corpus(tmp_path / "in", peopled(300), files=1, group=300), house.now()
    reported = house.gate(source, tmp_path / "reported", columns, at=at, emit="selection", report=True)
    plain = house.gate(source, tmp_path / "plain", columns, at=at, emit="selection")
    assert plain.manifest["counts"] == reported.manifest["counts"]


def test_a_file_of_nobody_at_all_is_denied(house: Platform, tmp_path: Path) -> None:
    columns = Columns(MAPPINGS["a list"], category="category", key="id")
    table = records(20)
    source = corpus(tmp_path / "in", table.append_column("to", pa.array([[]] * 20, pa.list_(pa.int64()))), files=1)
    done = house.gate(source, tmp_path / "out", columns)
    assert done.manifest["counts"]["by_reason"].keys() == {"no-subject"}


def test_those_in_lists_are_found_where_they_can_be() -> None:
    def suits(kind: pa.DataType, unasked: tuple[str, ...] = ("mentioned",)) -> bool:
        columns = Columns((SubjectColumn("a"),), category="b")
        return flat.suits(columns, pa.schema([("a", kind)]), unasked, IdType.INT64)

    struct = [("id", pa.int64()), ("role", pa.string())]
    assert all(map(suits, (pa.int64(), pa.list_(pa.uint32()), pa.large_list(pa.struct(struct)))))
    assert not any(suits(pa.list_(kind)) for kind in (pa.uint64(), pa.string()))
    assert not suits(pa.list_(pa.int64(), 2))
    assert not suits(pa.list_(pa.struct([("who", pa.int64())])))
    assert not suits(pa.list_(pa.struct([("id", pa.int64()), ("Role", pa.string())])))
    assert not suits(pa.list_(pa.struct([("id", pa.int64()), ("role", pa.int8())])))
    assert suits(pa.list_(pa.struct([("id", pa.int64()), ("role", pa.int8())])), unasked=())


def test_subjects_are_asked_a_part_of_the_records_at_a_time() -> None:
    """Never more at once than is said, but for a record that alone has more; and every record once."""
    counts = [0, 0, 3, 1, 9, 0, 2, 2, 2, 0]
    everybody = np.arange(sum(counts))
    subjects = Subjects(Found(pa.array(everybody), everybody), np.concatenate(([0], np.cumsum(counts))))
    parts = list(subjects.parts(4))
    assert [row for first, until in parts for row in range(first, until)] == list(range(len(counts)))
    assert [sum(counts[first:until]) for first, until in parts] == [4, 9, 4, 2]
    some = subjects.within(4, 7).found
    assert some.ids.to_pylist() == some.person.tolist() == list(range(4, 15))


def test_of_many_steps_the_one_is_found_by_halves(house: Platform) -> None:
    """Somebody who moved a thousand times; each look is counted, and there are few."""
    made = nobodys(house.reader.view(), Use("genai", "platform", START), pa.int64())
    moves = 1000
    standing = pa.table(
        {"subject": [1], "c0": [0], "b1": [None], "c1": [None], "b2": [None], "c2": [None], "more": [True],
         "behind": [None]}, schema=made.standing.schema,
    )  # fmt: skip
    starts = [None, *range(0, (moves - 1) * 10, 10)]
    overflow = pa.table(
        {"subject": [1] * moves, "start": starts, "until": [*starts[1:], None], "class": list(range(moves))},
        schema=made.overflow.schema,
    )
    direct = Direct(replace(made, standing=standing, overflow=overflow))
    looked: list[int] = []

    class Counting(np.ndarray[Any, Any]):
        def __getitem__(self, at: Any) -> Any:
            looked.append(len(at))
            return np.asarray(self)[at]

    direct._starts = direct._starts.view(Counting)
    instants = np.array([-5, 0, 9, 10, 4995, 9979, 9980, 10**9])
    expected = [0, 1, 1, 2, 500, 998, 999, 999]
    assert direct.step(np.zeros(8, np.int64), instants).tolist() == expected
    assert len(looked) <= 10
