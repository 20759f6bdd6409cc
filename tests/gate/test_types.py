"""What a column may be: every type that says a subject, an instant, a category or a territory, and those that do not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sayso import instant
from sayso.errors import CorpusError, InstantError
from sayso.gate.columns import Columns, SubjectColumn
from sayso.ledger.identity import IdType
from tests.gate.platform import COLLECTED, COLUMNS, Platform, denied, named, permitted, platform, records

AUTHORS = [1, 3, 1, None, 2, 99]
REASONS = {1: "refused", 3: "unreadable", 5: "unknown-subject"}
STRUCT = pa.struct([("id", pa.int64()), ("role", pa.string())])


@pytest.fixture(scope="module", params=[IdType.STRING, IdType.UUID])
def worded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Platforms whose ids are text."""
    with platform(tmp_path_factory.mktemp("worded"), request.param) as made:
        yield made


def table(**columns: Any) -> pa.Table:
    """Posts by 1, unless said otherwise, that may be used."""
    rows = len(next(iter(columns.values())))
    plain: dict[str, Any] = {
        "id": list(range(rows)), "author": [1] * rows, "category": ["posts"] * rows,
        "collected_at": pa.array([COLLECTED] * rows, pa.timestamp("us", "UTC")),
    }  # fmt: skip
    return pa.table(plain | columns)


def naming(name: str) -> Columns:
    """The columns, with the one called `more` for this."""
    more: dict[str, Any] = {name: "more"}
    return replace(COLUMNS, **more)


def gated(house: Platform, folder: Path, corpus: pa.Table, columns: Columns = COLUMNS, **more: Any) -> dict[Any, str]:
    """Why which are denied."""
    pq.write_table(corpus, folder / "in.parquet", **more)
    house.gate(folder / "in.parquet", folder / "out", columns, canaries=8)
    reasons = denied(folder / "out")
    assert permitted(folder / "out").num_rows + len(reasons) == corpus.num_rows
    return reasons


@pytest.mark.parametrize(
    "kind",
    [pa.int8(), pa.int32(), pa.uint8(), pa.uint64()],
    ids=str,
)
def test_subjects_of_every_integer(house: Platform, tmp_path: Path, kind: pa.DataType) -> None:
    assert gated(house, tmp_path, table(author=pa.array(AUTHORS, kind))) == REASONS


def test_subjects_that_are_dictionaries(house: Platform, tmp_path: Path) -> None:
    assert gated(house, tmp_path, table(author=pa.array(AUTHORS, pa.int64()).dictionary_encode())) == REASONS


def test_subjects_all_of_whom_are_null(house: Platform, tmp_path: Path) -> None:
    assert gated(house, tmp_path, table(author=pa.nulls(3))) == dict.fromkeys(range(3), "unreadable")


def test_a_column_that_may_hold_no_null(house: Platform, tmp_path: Path) -> None:
    plain = table(author=[1, 3, 1])
    strict = pa.schema([field.with_nullable(False) for field in plain.schema])
    assert gated(house, tmp_path, pa.table(plain.columns, schema=strict)) == {1: "refused"}


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.large_list(pa.int32()), pa.list_(pa.int64(), 2)], ids=str)
def test_lists_of_subjects(house: Platform, tmp_path: Path, kind: pa.DataType) -> None:
    lists = [[1, 2], [1, 3], [None, 1], None, [99, 1], [2, 2]]
    assert gated(house, tmp_path, table(author=pa.array(lists, kind))) == {
        1: "refused", 2: "unreadable", 3: "unreadable", 4: "unknown-subject",
    }  # fmt: skip


def test_an_empty_list_is_nobody(house: Platform, tmp_path: Path) -> None:
    column = pa.array([[], [1], None], pa.list_(pa.int64()))
    assert gated(house, tmp_path, table(author=column)) == {0: "no-subject", 2: "unreadable"}


def test_an_optional_list_may_be_null(house: Platform, tmp_path: Path) -> None:
    columns = replace(COLUMNS, subjects=(SubjectColumn("author"), SubjectColumn("others", None, optional=True)))
    others = pa.array([None, [3], [None], []], pa.list_(pa.int64()))
    assert gated(house, tmp_path, table(others=others), columns) == {1: "refused", 2: "unreadable"}


def test_structs_with_roles(house: Platform, tmp_path: Path) -> None:
    lists = [
        [{"id": 1, "role": None}], [None], [{"id": None, "role": "mentioned"}, {"id": 1, "role": "author"}], None, [],
        [{"id": 3, "role": "mentioned"}, {"id": 1, "role": "author"}], [{"id": 1, "role": "mentioned"}],
        [{"id": 99, "role": "mentioned"}, {"id": 1, "role": "author"}], [{"id": 99, "role": "new"}],
    ]  # fmt: skip
    assert gated(house, tmp_path, table(author=pa.array(lists, pa.list_(STRUCT)))) == {
        1: "unreadable", 2: "unreadable", 3: "unreadable", 4: "no-subject", 5: "refused", 6: "no-subject",
        8: "unknown-subject",
    }  # fmt: skip


@pytest.mark.parametrize(
    "struct",
    [
        pa.struct([("who", pa.int64())]), pa.struct([("id", pa.string())]), pa.struct([("ID", pa.int64())]),
        pa.struct([("ID", pa.int64()), ("id", pa.int64())]),
    ],
    ids=str,
)  # fmt: skip
def test_structs_that_say_no_one_id_are_refused(house: Platform, tmp_path: Path, struct: pa.DataType) -> None:
    with pytest.raises(CorpusError, match="author"):
        gated(house, tmp_path, table(author=pa.nulls(2, pa.list_(struct))))


def test_canaries_are_denied_where_the_first_column_does_not_count(house: Platform, tmp_path: Path) -> None:
    columns = replace(COLUMNS, subjects=(SubjectColumn("about", "mentioned"), SubjectColumn("author", "author")))
    assert gated(house, tmp_path, table(about=[99, 3, 1]), columns) == {1: "refused"}


@pytest.mark.parametrize(
    "kind",
    [pa.float64(), pa.string(), pa.bool_(), pa.decimal128(19, 0), pa.binary(), pa.binary(16), pa.uuid(), STRUCT,
     pa.list_(pa.string()), pa.list_(pa.list_(pa.int64())), pa.map_(pa.int64(), pa.int64()), pa.timestamp("us")],
    ids=str,
)  # fmt: skip
def test_other_types_of_subjects_are_refused(house: Platform, tmp_path: Path, kind: pa.DataType) -> None:
    with pytest.raises(CorpusError, match=r"expected .* in column `author`"):
        gated(house, tmp_path, table(author=pa.nulls(2, kind)))


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_subjects_that_are_text(worded: Platform, tmp_path: Path, kind: pa.DataType) -> None:
    ids = [None if number is None else named(number, worded.journal.id_type) for number in AUTHORS]
    assert gated(worded, tmp_path, table(author=pa.array(ids, pa.string()).cast(kind))) == REASONS


def test_subjects_that_are_integers_where_ids_are_text(worded: Platform, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="text or UUIDs"):
        gated(worded, tmp_path, table(author=AUTHORS))


@pytest.mark.parametrize(
    "column", [pa.array([1, 2, 3]), pa.array([True] * 3), pa.array([["posts"]] * 3)], ids=lambda one: str(one.type)
)
def test_other_types_of_categories_are_refused(house: Platform, tmp_path: Path, column: pa.Array) -> None:
    with pytest.raises(CorpusError, match="expected text in column `category`"):
        gated(house, tmp_path, table(category=column))


def test_categories(house: Platform, tmp_path: Path) -> None:
    words = ["posts", None, "content", "zzz", "Posts", "posts ", "", "messages"]
    expected = dict.fromkeys(range(1, 7), "unreadable") | {7: "not-enabled"}
    for place, kind in enumerate((pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string()))):
        (tmp_path / str(place)).mkdir()
        assert gated(house, tmp_path / str(place), table(category=pa.array(words).cast(kind))) == expected


def test_a_column_of_null_categories(house: Platform, tmp_path: Path) -> None:
    assert gated(house, tmp_path, table(category=pa.nulls(2))) == dict.fromkeys(range(2), "unreadable")


@pytest.mark.parametrize(
    ("constant", "reason"),
    [("posts", None), ("messages", "not-enabled"), ("content", "unreadable"), ("zzz", "unreadable"),
     ("", "unreadable"), ("po'sts", "unreadable")],
)  # fmt: skip
def test_one_category_for_all(house: Platform, tmp_path: Path, constant: str, reason: str | None) -> None:
    columns = replace(COLUMNS, category=None, category_constant=constant)
    assert gated(house, tmp_path, table(author=[1, 2]), columns) == ({} if reason is None else {0: reason, 1: reason})


@pytest.mark.parametrize(
    ("unit", "zone", "how"),
    [("s", None, {}), ("s", "UTC", {}), ("ms", None, {}), ("ms", "Asia/Tokyo", {}), ("us", "Asia/Tokyo", {}),
     ("ns", None, {}), ("ns", "Asia/Tokyo", {}), ("us", None, {"version": "1.0"}), ("ns", "UTC", {"version": "1.0"}),
     ("us", None, {"store_schema": False}), ("us", "Asia/Tokyo", {"store_schema": False})],
)  # fmt: skip
def test_instants_of_every_unit(
    house: Platform, tmp_path: Path, unit: str, zone: str | None, how: dict[str, Any]
) -> None:
    """A second before the present, and a second after it; without a zone, as clocks in Tokyo tell them."""
    at = house.now()
    offset = 0 if zone else 9 * instant.HOUR
    told = [at + offset - instant.SECOND, at + offset + instant.SECOND, None]
    micros = pa.array(told, pa.timestamp("us", "UTC" if zone else None))
    corpus = table(collected_at=micros.cast(pa.timestamp(unit, "UTC" if zone else None), safe=False))
    if zone:
        corpus = corpus.set_column(3, "collected_at", corpus.column("collected_at").cast(pa.timestamp(unit, zone)))
    columns = replace(COLUMNS, time_zone=None if zone else "Asia/Tokyo")
    pq.write_table(corpus, tmp_path / "in.parquet", **how)
    house.gate(tmp_path / "in.parquet", tmp_path / "out", columns, at=at, canaries=8)
    assert denied(tmp_path / "out") == {1: "unreadable", 2: "unreadable"}


def test_an_instant_is_never_rounded_up(house: Platform, tmp_path: Path) -> None:
    """Of what is finer than a microsecond the rest is dropped, so that no record is later than it was."""
    at = house.now()
    for zone in ("UTC", None):
        column = pa.array([at * 1000 + 999, (at + 1) * 1000], pa.timestamp("ns", zone))
        folder = tmp_path / str(zone)
        folder.mkdir()
        pq.write_table(table(collected_at=column), folder / "in.parquet")
        columns = replace(COLUMNS, time_zone=None if zone else "UTC")
        house.gate(folder / "in.parquet", folder / "out", columns, at=at)
        assert denied(folder / "out") == {1: "unreadable"}


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()])
def test_dates_need_a_time_zone(house: Platform, tmp_path: Path, kind: pa.DataType) -> None:
    column = pa.array([dt.date(2025, 1, 15), dt.date(2030, 1, 1)], kind)
    with pytest.raises(CorpusError, match="without a time zone"):
        gated(house, tmp_path, table(collected_at=column))
    reasons = gated(house, tmp_path, table(collected_at=column), replace(COLUMNS, time_zone="Europe/Dublin"))
    assert reasons == {1: "unreadable"}


@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.float64(), pa.time64("us"), pa.duration("us"), pa.bool_(), pa.binary()], ids=str
)
def test_numbers_are_no_instants(house: Platform, tmp_path: Path, kind: pa.DataType) -> None:
    with pytest.raises(CorpusError, match="expected instants in column `collected_at`"):
        gated(house, tmp_path, table(collected_at=pa.nulls(2, kind)))


def test_a_column_of_null_instants(house: Platform, tmp_path: Path) -> None:
    assert gated(house, tmp_path, table(collected_at=pa.nulls(2))) == dict.fromkeys(range(2), "unreadable")


WRITTEN = [
    "2025-01-15T00:00:00Z", "2025-01-15 00:00:00+00:00", "2025-01-15t00:00:00z", "2025-01-15T00:00Z",
    "2025-01-15T00:00:00.1Z", "2025-01-15T00:00:00.123456+01:00", "2025-01-15T00:00:00-00:00", "9999-12-31T23:59:59Z",
    "2025-01-15T00:00:00", "2025-01-15", "2025-01-15T00:00:00 UTC", "2025-01-15T00:00:00+0100", "infinity", "epoch",
    "2025-01-15T24:00:00Z", "2025-01-15T23:59:60Z", "2025-02-30T00:00:00Z", "2025-01-15T00:00:00+99:00", "now", "",
    "0000-01-01T00:00:00Z", "2025-01-15T00:00:00Z\n", " 2025-01-15T00:00:00Z", "1736899200", "2025-01-15 (BC)",
    "２025-01-15T00:00:00Z", "2025/01/15 00:00:00",
]  # fmt: skip


def test_text_is_read_as_the_ledger_reads_it(house: Platform, tmp_path: Path) -> None:
    """An instant that an event could not be recorded with is none for a record."""

    def readable(text: str) -> bool:
        try:
            return instant.parse(text) <= house.clock[0]
        except InstantError:
            return False

    reasons = gated(house, tmp_path, table(collected_at=WRITTEN))
    assert reasons == {place: "unreadable" for place, text in enumerate(WRITTEN) if not readable(text)}


def test_text_without_a_zone_is_read_in_the_one_named(house: Platform, tmp_path: Path) -> None:
    at = instant.parse("2025-03-01T12:00:00Z")
    texts = ["2025-03-01T13:00:00", "2025-03-01 13:00:01", "2025-03-01", "2025-03-01T12:00:00Z", "2025-03-01T13:00:00Z",
             "2025-03-01T13:00:00 UTC", "2025-03-01T13:00:00 Europe/Paris", "epoch", "2025-03-01T13:00:00+0100"]  # fmt: skip
    pq.write_table(table(collected_at=texts), tmp_path / "in.parquet")
    columns = replace(COLUMNS, time_zone="Europe/Paris")
    house.gate(tmp_path / "in.parquet", tmp_path / "out", columns, at=at)
    assert denied(tmp_path / "out") == dict.fromkeys((1, 4, 5, 6, 7, 8), "unreadable")


def test_territories(house: Platform, tmp_path: Path) -> None:
    words = ["FR", "fr", "XX", "", "USA", "US-CA", None, "FR ", "FR-IDF", "us-ca", "ZZ", "FR\n"]
    columns = replace(COLUMNS, territory="where")
    expected = dict.fromkeys((1, 3, 4, 7, 9, 11), "unreadable") | dict.fromkeys((2, 10), "unknown-territory")
    for place, kind in enumerate((pa.string(), pa.dictionary(pa.int8(), pa.string()))):
        folder = tmp_path / str(place)
        folder.mkdir()
        assert gated(house, folder, table(where=pa.array(words).cast(kind)), columns) == expected


@pytest.mark.parametrize("name", ["territory", "reserved", "account"])
def test_what_is_null_throughout_is_absent(house: Platform, tmp_path: Path, name: str) -> None:
    columns = naming(name)
    assert gated(house, tmp_path, table(more=pa.nulls(2)), columns) == {}


@pytest.mark.parametrize(
    ("name", "column"),
    [("territory", [1, 2]), ("territory", [["FR"]] * 2), ("reserved", [1, 2]), ("reserved", [[1], [2]]),
     ("account", ["1", "2"]), ("account", [1.5, 2.5]), ("account", [[1], [2]])],
)  # fmt: skip
def test_types_that_cannot_say_it_are_refused(house: Platform, tmp_path: Path, name: str, column: list[Any]) -> None:
    with pytest.raises(CorpusError, match="in column `more`"):
        gated(house, tmp_path, table(more=column), naming(name))


def test_reservations(house: Platform, tmp_path: Path) -> None:
    columns = replace(COLUMNS, reserved="more")
    lists = [["genai"], ["training"], ["ranking"], None, [], [None], ["other", "genai"], ["ranking", None]]
    assert gated(house, tmp_path, table(more=lists), columns) == {
        0: "reserved", 1: "reserved", 5: "unreadable", 6: "reserved", 7: "unreadable",
    }  # fmt: skip
    for place, (column, expected) in enumerate(
        [
            ([True, False, None], {0: "reserved"}),
            (["genai", "ranking", None], {0: "reserved"}),
            (["true", "Yes ", "false"], {0: "reserved", 1: "reserved"}),
        ]
    ):
        folder = tmp_path / str(place)
        folder.mkdir()
        assert gated(house, folder, table(more=column), columns) == expected


def test_uuids_of_either_make(tmp_path: Path) -> None:
    ids = [named(number, IdType.UUID) for number in (1, 3, 99)]
    raw = pa.array([UUID(one).bytes for one in ids], pa.binary(16))
    with platform(tmp_path, IdType.UUID) as made:
        for place, column in enumerate((raw, pa.ExtensionArray.from_storage(pa.uuid(), raw))):
            pq.write_table(table(author=column), tmp_path / f"{place}.parquet")
            done = made.gate(tmp_path / f"{place}.parquet", None)
            assert done.manifest["counts"]["by_reason"] == {"refused": 1, "unknown-subject": 1}


def test_the_words_of_a_corpus_are_those_of_records(house: Platform, tmp_path: Path) -> None:
    """The same records, of plain types, as the ones that the other tests vary."""
    pq.write_table(records(8), tmp_path / "in.parquet")
    house.gate(tmp_path / "in.parquet", tmp_path / "out")
    assert denied(tmp_path / "out") == {0: "not-enabled", 3: "refused", 4: "not-enabled"}
