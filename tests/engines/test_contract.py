"""What every engine must do, beside agreeing with the reference: read each type alike, whatever files look like.

A gap of an engine is written where it shows, by `@pytest.mark.gap`, and is strict: one that is closed must be removed.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sayso import instant
from sayso.engines.duckdb import DuckDBEngine
from sayso.errors import CorpusError, EngineError, InstantError
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.engine import Engine, Part, Question
from sayso.ledger.identity import IdType
from sayso.plan.snapshot import Snapshot
from sayso.policy.facts import Record, Subject
from tests import strategies
from tests.compare import snapshot
from tests.engines import asking
from tests.plan.test_expressions import ALWAYS as OPEN
from tests.plan.test_expressions import NOBODYS, world
from tests.strategies import START

NOON = instant.parse("2025-01-15T12:00:00Z")
PLAIN = Columns((SubjectColumn("author"),), category="category")


@pytest.fixture(scope="module")
def duckdb() -> Any:
    return ibis.duckdb.connect(threads=1)


@pytest.fixture(scope="module")
def nobody(duckdb: Any) -> Snapshot:
    """A snapshot in which nobody is known."""
    return snapshot(duckdb, NOBODYS)


def of_ids(made: Snapshot, kind: pa.DataType) -> Snapshot:
    """The same of ids of another type."""
    column = made.standing.column("subject").cast(kind)
    return replace(made, standing=made.standing.set_column(0, "subject", column))


def posts(**columns: Any) -> pa.Table:
    """Posts by 1, unless said otherwise."""
    rows = len(next(iter(columns.values())))
    plain: dict[str, Any] = {
        "author": pa.array([1] * rows, pa.int64()), "category": ["posts"] * rows,
        "collected_at": pa.array([NOON] * rows, pa.timestamp("us", "UTC")),
    }  # fmt: skip
    return pa.table(plain | columns)


def asked(
    made: Snapshot, corpus: pa.Table, folder: Path, columns: Columns = PLAIN, ids: IdType = IdType.INT64, **how: Any
) -> Question:
    """A question about one file."""
    pq.write_table(corpus, folder / "in.parquet", **how)
    schema = pq.read_schema(folder / "in.parquet")
    part = Part(folder / "in.parquet", corpus.num_rows, 0)
    return Question((part,), columns, schema, made, ("genai", "training"), id_type=ids)


def read(engine: Engine, question: Question, name: str) -> list[Any]:
    """A column as the engine reads it, in order of row."""
    rows = sum(part.rows for part in question.parts)
    return engine.records(question, range(rows)).sort_by("row").column(name).to_pylist()


INTEGERS = [0, 3, None, 127]


@pytest.mark.parametrize("kind", [pa.int8(), pa.int32(), pa.uint8(), pa.uint16(), pa.uint32(), pa.int64()], ids=str)
def test_integers_are_ids(engine: Engine, nobody: Snapshot, tmp_path: Path, kind: pa.DataType) -> None:
    question = asked(nobody, posts(author=pa.array(INTEGERS, kind)), tmp_path)
    assert read(engine, question, "subject") == INTEGERS


def test_an_integer_that_no_id_can_be_is_null(engine: Engine, nobody: Snapshot, tmp_path: Path) -> None:
    question = asked(nobody, posts(author=pa.array([1, 2**63 - 1, 2**63, None], pa.uint64())), tmp_path)
    assert read(engine, question, "subject") == [1, 2**63 - 1, None, None]


def test_what_is_null_throughout_is_read_as_null(engine: Engine, nobody: Snapshot, tmp_path: Path) -> None:
    names = ("category", "territory", "reserved", "account")
    columns = Columns((SubjectColumn("author"),), category="category", territory="territory", reserved="reserved",
                      account="account")  # fmt: skip
    nulls = {name: pa.nulls(2) for name in ("author", "collected_at", *names)}
    question = asked(nobody, posts(**nulls), tmp_path, columns)
    for name, expected in (("subject", None), ("collected", None), ("category", None), ("written", None),
                           ("account", None), ("reserved", False), ("malformed", False)):  # fmt: skip
        assert read(engine, question, name) == [expected] * 2, name


TEXTS = ["member-1", "", None, "x" * 256, "x" * 257, "a\nb", "a\n", "tab\t", "del\x7f", "é😀", " s ", "nul\x00"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_text_is_an_id_if_the_ledger_may_hold_it(
    engine: Engine, nobody: Snapshot, tmp_path: Path, kind: pa.DataType
) -> None:
    corpus = posts(author=pa.array(TEXTS, pa.string()).cast(kind))
    question = asked(of_ids(nobody, pa.string()), corpus, tmp_path, ids=IdType.STRING)
    bad = {"", "x" * 257, "a\nb", "a\n", "tab\t", "del\x7f", "nul\x00"}
    assert read(engine, question, "subject") == [None if text in bad else text for text in TEXTS]


ONE = "00000000-0000-4000-8000-00000000000a"
UUIDS = [ONE, ONE.upper(), ONE.replace("-", ""), "{" + ONE + "}", None, "", ONE + "0", ONE[:-1], ONE[:-1] + "g",
         " " + ONE, ONE + "\n"]  # fmt: skip


def test_text_is_a_uuid_in_any_form(engine: Engine, nobody: Snapshot, tmp_path: Path) -> None:
    question = asked(of_ids(nobody, pa.string()), posts(author=UUIDS), tmp_path, ids=IdType.UUID)
    assert read(engine, question, "subject") == [ONE] * 4 + [None] * 7


@pytest.mark.parametrize("logical", [False, True])
def test_sixteen_bytes_are_a_uuid(engine: Engine, nobody: Snapshot, tmp_path: Path, logical: bool) -> None:
    raw = pa.array([UUID(ONE).bytes, None], pa.binary(16))
    column = pa.ExtensionArray.from_storage(pa.uuid(), raw) if logical else raw
    question = asked(of_ids(nobody, pa.string()), posts(author=column), tmp_path, ids=IdType.UUID)
    assert read(engine, question, "subject") == [ONE, None]


INSTANTS = [NOON, NOON - 1, -1, None]


@pytest.mark.parametrize(
    ("unit", "zone", "how"),
    [("ms", "UTC", {}), ("us", "Asia/Tokyo", {}), ("ns", "UTC", {}), ("ns", None, {}), ("us", None, {}), ("ms", None, {}),
     ("us", None, {"use_deprecated_int96_timestamps": True}), ("us", None, {"store_schema": False})],
)  # fmt: skip
def test_instants_of_every_unit(
    engine: Engine, nobody: Snapshot, tmp_path: Path, unit: str, zone: str | None, how: dict[str, Any]
) -> None:
    told = pa.array(INSTANTS, pa.timestamp("us", "UTC" if zone else None))
    column = told.cast(pa.timestamp(unit, "UTC" if zone else None), safe=False)
    if zone:
        column = column.cast(pa.timestamp(unit, zone))
    question = asked(nobody, posts(collected_at=column), tmp_path, replace(PLAIN, time_zone="UTC"), **how)
    exact = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).to_pylist()
    assert read(engine, question, "collected") == exact


def test_an_instant_is_never_rounded_up(engine: Engine, nobody: Snapshot, tmp_path: Path) -> None:
    column = pa.array([NOON * 1000 + 999, -1, -1000, -1001], pa.timestamp("ns", "UTC"))
    question = asked(nobody, posts(collected_at=column), tmp_path)
    assert read(engine, question, "collected") == [NOON, -1, -1, -2]


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()], ids=str)
def test_dates(engine: Engine, nobody: Snapshot, tmp_path: Path, kind: pa.DataType) -> None:
    column = pa.array([dt.date(2025, 1, 15), dt.date(1960, 7, 1), None], kind)
    question = asked(nobody, posts(collected_at=column), tmp_path, replace(PLAIN, time_zone="Europe/Paris"))
    expected = [instant.parse("2025-01-14T23:00:00Z"), instant.parse("1960-06-30T23:00:00Z"), None]
    assert read(engine, question, "collected") == expected


CLOCKS = [
    ("Europe/Paris", "2025-10-26T02:30:00", "2025-10-26T01:30:00Z"),  # told twice: the later
    ("Europe/Paris", "2025-10-26T01:59:59", "2025-10-25T23:59:59Z"),
    ("Europe/Paris", "2025-10-26T03:00:00", "2025-10-26T02:00:00Z"),
    ("Europe/Paris", "2025-03-30T02:30:00", "2025-03-30T01:30:00Z"),  # told never
    ("Australia/Lord_Howe", "2025-04-06T01:45:00", "2025-04-05T15:15:00Z"),  # turned back by half an hour
    ("America/New_York", "2025-07-01T00:00:00.000001", "2025-07-01T04:00:00.000001Z"),
    ("Asia/Kathmandu", "2025-07-01T00:00:00", "2025-06-30T18:15:00Z"),
]


@pytest.mark.parametrize("zone", sorted({zone for zone, *_ in CLOCKS}))
@pytest.mark.parametrize("text", [False, True])
def test_clocks_of_a_zone(engine: Engine, nobody: Snapshot, tmp_path: Path, zone: str, text: bool) -> None:
    told = [(wall, expected) for where, wall, expected in CLOCKS if where == zone]
    walls = pa.array([wall for wall, _ in told])
    column = walls if text else walls.cast(pa.timestamp("us"))
    question = asked(nobody, posts(collected_at=column), tmp_path, replace(PLAIN, time_zone=zone))
    assert read(engine, question, "collected") == [instant.parse(expected) for _, expected in told]


WRITTEN = [
    "2025-01-15T00:00:00Z", "2025-01-15 00:00:00+00:00", "2025-01-15t00:00:00z", "2025-01-15T00:00Z",
    "2025-01-15T00:00:00.1Z", "2025-01-15T00:00:00.123456+01:00", "2025-01-15T00:00:00-00:00", "9999-12-31T23:59:59Z",
    "2025-01-15T12:34:56.7-23:59", "1582-10-10T00:00:00Z", "0001-01-01T00:00:00Z",
    "2025-01-15T00:00:00", "2025-01-15", "2025-01-15T00:00:00 UTC", "2025-01-15T00:00:00+0100", "infinity", "epoch",
    "2025-01-15T24:00:00Z", "2025-01-15T23:59:60Z", "2025-02-30T00:00:00Z", "2025-01-15T00:00:00+99:00", "now", "",
    "0000-01-01T00:00:00Z", "2025-01-15T00:00:00Z\n", " 2025-01-15T00:00:00Z", "1736899200", "2025-01-15 (BC)",
    "２025-01-15T00:00:00Z", "2025/01/15 00:00:00", "2025-13-01T00:00:00Z", "2025-01-15T00:00:00.1234567Z",
]  # fmt: skip


def test_text_is_read_as_the_ledger_reads_it(engine: Engine, nobody: Snapshot, tmp_path: Path) -> None:
    """An instant that an event could not be recorded with is none for a record."""

    def readable(text: str) -> int | None:
        try:
            return instant.parse(text)
        except InstantError:
            return None

    question = asked(nobody, posts(collected_at=WRITTEN), tmp_path)
    assert read(engine, question, "collected") == [readable(text) for text in WRITTEN]


def test_reservations(engine: Engine, nobody: Snapshot, tmp_path: Path) -> None:
    columns = replace(PLAIN, reserved="more")
    lists = [["genai"], ["ads"], None, [], [None], ["ads", "training"], ["genai", None]]
    for place, (column, expected) in enumerate(
        [
            (pa.array(lists, pa.list_(pa.string())), [True, False, False, False, None, True, None]),
            (pa.array([True, False, None]), [True, False, False]),
            (pa.array(["genai", "ads", None]), [True, False, False]),
            (pa.array(["TRUE", " yes", "1", "all", "*", "no"]), [True] * 5 + [False]),
        ]
    ):
        (tmp_path / str(place)).mkdir()
        question = asked(nobody, posts(more=column), tmp_path / str(place), columns)
        assert read(engine, question, "reserved") == expected


def test_accounts(engine: Engine, nobody: Snapshot, tmp_path: Path) -> None:
    column = pa.array([7, 2**63, None], pa.uint64())
    question = asked(nobody, posts(more=column), tmp_path, replace(PLAIN, account="more"))
    assert read(engine, question, "account") == [7, None, None]
    assert read(engine, question, "malformed") == [False, True, False]


STRUCT = pa.struct([("id", pa.int32()), ("Role", pa.string())])


def test_subjects_of_every_column(engine: Engine, nobody: Snapshot, tmp_path: Path) -> None:
    columns = Columns(
        (SubjectColumn("author", "author"), SubjectColumn("to", None), SubjectColumn("about", "mentioned", optional=True),
         SubjectColumn("more", None, optional=True)), category="category",
    )  # fmt: skip
    corpus = posts(
        author=pa.array([1, None, 3], pa.int64()),
        to=pa.array([[{"id": 5, "Role": "x"}, None, {"id": None, "Role": None}], [], None], pa.list_(STRUCT)),
        about=pa.array([None, 9, None], pa.int16()),
        more=pa.array([[8, None], None, []], pa.large_list(pa.uint64())),
    )

    def one(who: int | None, role: str | None) -> dict[str, Any]:
        return {"id": who, "role": role}

    assert read(engine, asked(nobody, corpus, tmp_path, columns), "subjects") == [
        [one(1, "author"), one(5, "x"), one(None, None), one(None, None), one(8, None), one(None, None)],
        [one(None, "author"), one(9, "mentioned")],
        None,
    ]


def test_a_fixed_category_and_a_list_of_fixed_length(engine: Engine, nobody: Snapshot, tmp_path: Path) -> None:
    columns = Columns((SubjectColumn("author", "it's"),), category_constant="po'st\\s")
    corpus = posts(author=pa.array([[1, 2], None], pa.list_(pa.int64(), 2)))
    question = asked(nobody, corpus, tmp_path, columns)
    assert read(engine, question, "category") == ["po'st\\s"] * 2
    assert read(engine, question, "subjects") == [[{"id": 1, "role": "it's"}, {"id": 2, "role": "it's"}], None]


@pytest.mark.parametrize(
    ("name", "column"),
    [("author", ["1"]), ("author", [1.5]), ("category", [1]), ("collected_at", [1]), ("collected_at", [dt.date(2025, 1, 1)])],
)  # fmt: skip
def test_types_that_cannot_say_it_are_refused(
    engine: Engine, nobody: Snapshot, tmp_path: Path, name: str, column: list[Any]
) -> None:
    with pytest.raises(CorpusError, match=name):
        engine.records(asked(nobody, posts(**{name: column}), tmp_path), [0])


@pytest.mark.parametrize(
    "name", ["part 0.parquet", "a#b?.parquet", "s*[x]{a,b}.parquet", "pc%20t.parquet", "üé'.parquet"]
)
def test_files_of_odd_names(engine: Engine, nobody: Snapshot, tmp_path: Path, name: str) -> None:
    """Beside one whose name a pattern would match too, in a directory that looks like a column."""
    folder = tmp_path / "author=9"
    folder.mkdir()
    parts = []
    for number, one in enumerate((name, "plain.parquet")):
        pq.write_table(posts(author=[number, number]), folder / one)
        parts.append(Part(folder / one, 2, 2 * number))
    pq.write_table(posts(author=[7]), folder / "sax.parquet")
    question = Question(tuple(parts), PLAIN, posts(author=[1]).schema, nobody, (), id_type=IdType.INT64)
    assert read(engine, question, "subject") == [0, 0, 1, 1]


@pytest.mark.gap("spark", EngineError, "Hadoop's paths know no colon in a name")
def test_a_file_with_a_colon_in_its_name(engine: Engine, nobody: Snapshot, tmp_path: Path) -> None:
    pq.write_table(posts(author=[4]), tmp_path / "co:lon.parquet")
    question = replace(asked(nobody, posts(author=[4]), tmp_path), parts=(Part(tmp_path / "co:lon.parquet", 1, 0),))
    assert read(engine, question, "subject") == [4]


@pytest.mark.gap("spark", EngineError, "Spark passes over files whose names begin with `_` or `.`, even when named")
def test_a_hidden_file_that_is_named(engine: Engine, nobody: Snapshot, tmp_path: Path) -> None:
    pq.write_table(posts(author=[4]), tmp_path / "_hidden.parquet")
    question = replace(asked(nobody, posts(author=[4]), tmp_path), parts=(Part(tmp_path / "_hidden.parquet", 1, 0),))
    assert read(engine, question, "subject") == [4]


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_file_that_cannot_be_read_is_an_error(engine: Engine, nobody: Snapshot, tmp_path: Path, damage: str) -> None:
    question = asked(nobody, posts(author=list(range(1000))), tmp_path)
    path = question.parts[0].path
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(EngineError) as caught:
        list(engine.verdicts(question))
    assert "posts" not in str(caught.value)


def test_strangers_are_told_once_each(engine: Engine, duckdb: Any, tmp_path: Path) -> None:
    made = snapshot(duckdb, world(OPEN))
    question = asked(made, posts(author=[1, 9, 9, None, 3, 2, 8]), tmp_path)
    found = pa.Table.from_batches(list(engine.strangers(question)))
    assert sorted(found.column("id").to_pylist()) == [3, 8, 9]
    lists = posts(author=pa.array([[1, 9], [9, None], None, []], pa.list_(pa.int64())))
    found = pa.Table.from_batches(list(engine.strangers(asked(made, lists, tmp_path))))
    assert sorted(found.column("id").to_pylist()) == [9]


def test_a_stale_snapshot_denies_whatever_can_be_read(engine: Engine, duckdb: Any, tmp_path: Path) -> None:
    house = world(OPEN)
    records = [Record((Subject(1),), "posts", START), Record((Subject(1),), None, START), Record((), "posts", START)]
    said = asking.ask(engine, house, duckdb, asking.table(records), tmp_path, stale=True)
    assert [outcome for outcome, *_ in said] == ["stale", "unreadable", "stale"]


def test_the_layout_of_a_corpus_says_nothing(engine: Engine, duckdb: Any, tmp_path: Path) -> None:
    """Law: the same records in other files, row groups and order have the same verdicts."""
    house = world(OPEN)
    records = strategies.many_records(house, 7, 300)
    said = {
        layout: asking.ask(
            engine, house, duckdb, asking.table(records), tmp_path / str(place), files=layout[0], group=layout[1]
        )
        for place, layout in enumerate(asking.LAYOUTS)
    }
    assert len({tuple(one) for one in said.values()}) == 1
    backwards = asking.ask(engine, house, duckdb, asking.table(records[::-1]), tmp_path / "backwards", files=2)
    assert backwards[::-1] == said[asking.LAYOUTS[0]]


def test_histories_are_sorted_alike(engine: Engine) -> None:
    """Facts of a few people, told by code, of whom one hears another's."""
    facts = pa.table(
        {
            "position": [1, 2, 3, 4], "id": [7, 8, 7, 9], "at": [5, 5, 4, 6], "recorded_at": [5, 6, 5, 6],
            "code": [0, 1, 1, 0], "nth": [0, 0, 0, 0],
        }
    )  # fmt: skip
    kinds = {"code": pa.int64(), "nth": pa.int64(), "symbol": pa.int64(), "instant": pa.int64()}
    symbols = pa.table(
        {
            **{name: pa.array(values, kinds[name]) for name, values in (
                ("code", [0, 1]), ("nth", [0, 0]), ("symbol", [3, 4]), ("instant", [None, 9]))},
            "recorded": [False, False], "heard": [True, True],
        }
    )  # fmt: skip
    kin = pa.table({"id": [7, 8], "subject": [7, 7], "member": [0, 1]})
    found = pa.Table.from_batches(list(engine.histories(facts.to_reader(), symbols, kin)))
    plain = DuckDBEngine(threads=1).histories(facts.to_reader(), symbols, kin)
    assert found.to_pylist() == pa.Table.from_batches(list(plain)).to_pylist()
    assert found.column("subject").to_pylist() == [7, 7, 7, 9]


def test_ndjson_and_csv_become_parquet(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("author,category,collected_at\n1,posts,2025-01-15T00:00:00Z\n")
    engine.to_parquet(tmp_path / "a.csv", "csv", tmp_path / "a.parquet", PLAIN)
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() == [
        {"author": 1, "category": "posts", "collected_at": "2025-01-15T00:00:00Z"}
    ]


def test_an_engine_says_what_runs(engine: Engine) -> None:
    assert {"engine", "python", "sayso", "pyarrow", "ibis-framework", "numpy"} <= engine.versions.keys()
