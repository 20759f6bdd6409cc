"""Ids that are text: a gate that finds people says what one says that joins them, however ids are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sayso.engines import direct, flat
from sayso.engines.duckdb import DuckDBEngine
from sayso.engines.duckdb_sql import DuckDB
from sayso.engines.forms import Forms
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.verify import verify
from sayso.ledger import events as e
from sayso.ledger.identity import IdType
from tests.gate.platform import COLLECTED, Platform, corpus, denied, named, platform, records
from tests.plan.test_direct import MAPPINGS, Joining, peopled

TEXT_TYPES = [IdType.STRING, IdType.UUID]
NO_IDS = [None, "", "junk\n", "\0", "nul\0", "x" * 257, "é" * 300, "x" * 100_000, "\x7f", "{}"]


@pytest.fixture(scope="module", params=TEXT_TYPES, ids=str)
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Platform, IdType]]:
    kind: IdType = request.param
    with platform(tmp_path_factory.mktemp("text"), kind) as made:
        made.journal.append(e.SubjectErased(subject=named(7, kind)))
        yield made, kind


def otherwise(one: str, random: Random, kind: IdType) -> Any:
    """An id as a corpus may write it: in another form, in one that is somebody else's, or in none."""
    if random.random() < 0.1:
        return random.choice(NO_IDS)
    forms = [one, one, one, one.upper(), one.replace("-", ""), "{" + one + "}"]
    forms += [one + " ", " " + one, one + "0"] if kind is IdType.STRING else [one[:-1], one + "0"]
    return random.choice(forms) if random.random() < 0.3 else one


def called(column: pa.ChunkedArray, random: Random, kind: IdType) -> pa.Array:
    """A column of numbers, lists of them or structs, with ids that are text instead."""

    def text(value: Any) -> Any:
        match value:
            case list():
                return [text(one) for one in value]
            case {"id": who, "role": role}:
                return {"id": text(who), "role": role}
            case None:
                return None
            case _:
                return otherwise(named(value % 2**47, kind), random, kind)

    def kind_of(of: pa.DataType) -> pa.DataType:
        if pa.types.is_list(of):
            return pa.list_(kind_of(of.value_type))
        if pa.types.is_large_list(of):
            return pa.large_list(kind_of(of.value_type))
        if pa.types.is_struct(of):
            return pa.struct([("role", pa.string()), ("id", pa.large_string())])
        return pa.string()

    return pa.array([text(value) for value in column.to_pylist()], kind_of(column.type))


def written(count: int, kind: IdType) -> pa.Table:
    """Odd records by people whose ids are text."""
    random, table = Random(9), peopled(count)
    for name in ("author", "to", "cc", "people"):
        column = called(table.column(name), random, kind)
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table


def both(house: Platform, table: pa.Table, columns: Columns, folder: Path, emit: str = "copy") -> Any:
    """The manifest, once a gate that finds and one that joins said the same."""
    source, at = corpus(folder / "in", table, files=2, group=300), house.now()
    made, reports = {}, {}
    for name, engine in (("finds", DuckDBEngine), ("joins", Joining)):
        made[name] = house.gate(
            source, folder / name, columns, at=at, emit=emit, report=True, canaries=8, engine=engine(threads=1)
        ).manifest
        reports[name] = [pq.read_table(path) for path in sorted((folder / name / "denied").rglob("*.parquet"))]
        assert verify(folder / name, source) == []
    assert made["finds"]["counts"] == made["joins"]["counts"]
    assert made["finds"] == made["joins"]
    assert all(map(pa.Table.equals, reports["finds"], reports["joins"]))
    return made["finds"]


@pytest.mark.parametrize("mapping", [None, *MAPPINGS])
def test_a_gate_that_finds_texts_says_what_one_says_that_joins(
    house: tuple[Platform, IdType], tmp_path: Path, mapping: str | None
) -> None:
    made, kind = house
    subjects = (SubjectColumn("author"),) if mapping is None else MAPPINGS[mapping]
    columns = Columns(subjects, category="category", territory="where", key="id")
    table = written(700, kind)
    assert flat.suits(columns, table.schema, ["mentioned"], kind)
    reasons = both(made, table, columns, tmp_path)["counts"]["by_reason"]
    assert "unreadable" in reasons
    assert mapping != "structs" or {"unknown-subject", "erased", "refused"} <= reasons.keys()


def raw(texts: list[Any]) -> pa.Array:
    """UUIDs as sixteen bytes."""
    return pa.array([None if one is None else UUID(one).bytes for one in texts], pa.binary(16))


TYPES: dict[str, Callable[[list[Any]], pa.Array]] = {
    "bytes": raw,
    "uuid": lambda texts: pa.ExtensionArray.from_storage(pa.uuid(), raw(texts)),
    "long": lambda texts: pa.array(texts, pa.large_string()),
    "codes": lambda texts: pa.array(texts).dictionary_encode(),
}


@pytest.mark.parametrize("kind", list(TYPES))
@pytest.mark.parametrize("emit", ["copy", "selection"])
def test_of_every_type_that_holds_ids(tmp_path: Path, kind: str, emit: str) -> None:
    asked: list[bool] = []

    class Asking(DuckDBEngine):
        def verdicts(self, question: Any) -> Any:
            asked.append(direct.suits(question, DuckDB()))
            return super().verdicts(question)

    columns = Columns((SubjectColumn("author"),), category="category", key="id")
    texts = [None if number % 13 == 12 else named(number % 11, IdType.UUID) for number in range(60)]
    table = records(60, TYPES[kind](texts))
    with platform(tmp_path, IdType.UUID) as house:
        counts = both(house, table, columns, tmp_path, emit)["counts"]
        house.gate(tmp_path / "in", tmp_path / "asking", columns, emit=emit, engine=Asking(threads=1))
    assert asked == [True, True]
    assert {"unreadable", "unknown-subject", "refused"} <= counts["by_reason"].keys()


@pytest.mark.parametrize("kind", TEXT_TYPES)
def test_texts_that_share_a_hash_are_joined_where_they_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: IdType
) -> None:
    """By a hash that says nothing everybody is still whom they are; if there are too many, DuckDB joins them."""
    monkeypatch.setattr("sayso.plan.ids.hashes", lambda texts: pa.compute.binary_length(texts.fill_null("")).to_numpy())
    columns = Columns((SubjectColumn("author"),), category="category", key="id")
    for people in (20, 90):
        folder = tmp_path / str(people)
        folder.mkdir()
        with platform(folder, kind, people) as house:
            authors = [named(number % (people + 5), kind) for number in range(4 * people)]
            table = records(4 * people, authors).append_column(
                "collected", pa.array([COLLECTED] * 4 * people, pa.timestamp("us", "UTC"))
            )
            assert both(house, table, columns, folder)["counts"]["by_reason"]["unknown-subject"] >= 10


def test_what_is_not_unicode_is_no_id(tmp_path: Path) -> None:
    raw = pa.array([b"member-2", b"\xff\xfe", b"member-4\xc3", b"member-6"], pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 4, raw.buffers())
    pq.write_table(records(5).slice(1).set_column(1, "author", texts), tmp_path / "in.parquet")
    with platform(tmp_path, IdType.STRING) as house:
        house.gate(tmp_path / "in.parquet", tmp_path / "out")
    assert denied(tmp_path / "out") == {2: "unreadable", 3: "unreadable", 4: "not-enabled"}


def test_forms_are_read_as_the_ledger_reads_them() -> None:
    one = named(5, IdType.UUID)
    texts = [one, one.upper(), "{" + one + "}", one.replace("-", ""), one + "\n", "", None, "x" * 300]
    with Forms(IdType.UUID) as read:
        assert read(pa.array(texts)).to_pylist() == [one, one, one, one, None, None, None, None]
        assert read(pa.array([one, None])).to_pylist() == [one, None]
        assert read(pa.array([UUID(one).bytes, None], pa.binary(16))).to_pylist() == [one, None]
    odd = ["member", "é" * 200, "é" * 257, "x" * 256, "x" * 257, "a\nb", "a\n", "\0", "", None, " s ", "e\u0301"]
    bad = {"é" * 257, "x" * 257, "a\nb", "a\n", "\0", ""}
    with Forms(IdType.STRING) as read:
        for kind in (pa.string(), pa.large_string()):
            assert read(pa.array(odd, kind)).to_pylist() == [None if text in bad else text for text in odd]
