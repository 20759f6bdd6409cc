"""What goes into a gate: files of every form and fault, odd names, and columns that an engine could take for others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sayso.errors import CorpusError, EngineError
from sayso.gate.columns import SubjectColumn
from sayso.gate.verify import verify
from tests.gate.platform import COLUMNS, Platform, denied, permitted, records

HEADER = "id,author,category,collected_at,text\n"


def line(number: int, author: object = 1, **more: Any) -> str:
    """A line of NDJSON, permitted unless it is 3's."""
    record = {"id": number, "author": author, "category": "posts", "collected_at": "2025-01-15T00:00:00Z", "text": "w"}
    return json.dumps(record | more) + "\n"


def row(number: int, author: object = 1, text: str = "words") -> str:
    """A line of CSV."""
    return f"{number},{author},posts,2025-01-15T00:00:00Z,{text}\n"


def put(folder: Path, name: str, content: str | bytes | pa.Table, **how: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pa.Table):
        pq.write_table(content, path, **how)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def by(author: int, count: int = 8) -> pa.Table:
    """Records of one person; two of eight are messages, which nobody may use."""
    return records(count, [author] * count)


def refused(house: Platform, source: Path | str, folder: Path, **more: Any) -> CorpusError:
    """What is told of a corpus that cannot be gated; nothing is left of an output."""
    with pytest.raises(CorpusError) as caught:
        house.gate(source, folder / "out", **more)
    assert not [one for one in folder.iterdir() if "out" in one.name]
    return caught.value


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("r.ndjson", line(1) * 3 + "{bad\n" + line(1), 4),
        ("r.ndjson", line(1) + line(2)[:30], 2),
        ("r.ndjson", line(1).strip() + line(2), 1),
        ("r.ndjson", '{"id": 1, "author": 3, "author": 1, "category": "posts"}\n', 1),
        ("r.jsonl", line(1) + line(2).replace('"w"', '"\udcff"'), 2),
        ("r.csv", HEADER + row(1) + "2,1,posts\n" + row(3), 3),
        ("r.csv", HEADER + row(1) + row(2, text="a,b") + row(3), 3),
        ("r.csv", HEADER + "".join(row(n) for n in range(30_000)) + "9,1\n", 30_002),
        ("r.csv", HEADER + row(1) + row(2, text='"a'), 3),
        ("r.csv", HEADER.replace("text", "author") + row(1), 1),
        ("r.csv", HEADER.replace("text", "Author") + row(1), 1),
    ],
)
def test_a_line_that_cannot_be_read_is_named(
    house: Platform, tmp_path: Path, name: str, content: str, place: int
) -> None:
    source = put(tmp_path, name, content.encode("utf-8", "surrogateescape"))
    (problem,) = refused(house, source, tmp_path).problems
    assert (problem.file, problem.line) == (str(source), place)
    assert "posts" not in str(problem)


@pytest.mark.parametrize("content", ["[1, 2]\n", "5\n", "\n", '{"a": \n'])
def test_ndjson_that_holds_no_records_is_refused(house: Platform, tmp_path: Path, content: str) -> None:
    refused(house, put(tmp_path, "r.ndjson", content), tmp_path)


def test_csv_loses_no_line_and_keeps_every_text(house: Platform, tmp_path: Path) -> None:
    """What looks like a comment is a record, and text that looks like a number, date or null stays text."""
    texts = ["true", "2024-01-01", "1.50", "007", "NULL", "#", '"a ""b"" c,\nd"', "NA"]
    content = HEADER + row(0) + "".join("#" + row(n + 1, 1, text) for n, text in enumerate(texts))
    done = house.gate(put(tmp_path, "r.csv", content), tmp_path / "out")
    assert done.manifest["counts"]["permitted"] == 9
    found = permitted(tmp_path / "out").column("text").to_pylist()
    assert found == ["words", *texts[:6], 'a "b" c,\nd', "NA"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_csv_by_another_delimiter(house: Platform, tmp_path: Path, delimiter: str) -> None:
    content = (HEADER + row(1) + row(2, 3)).replace(",", delimiter).replace("\n", "\r\n")
    house.gate(put(tmp_path, "r.CSV", "\ufeff" + content), tmp_path / "out")
    assert denied(tmp_path / "out") == {2: "refused"}


def test_ndjson_keeps_text_and_keys_that_come_late(house: Platform, tmp_path: Path) -> None:
    odd = {"day": "2024-01-01", "uid": "00000000-0000-4000-8000-000000000001", "deep": {"at": "2024-01-01T00:00:00"}}
    content = "".join(line(n, **odd) for n in range(25_000)) + "\n" + line(25_000, 3) + line(25_001, extra="late")
    house.gate(put(tmp_path, "r.ndjson", content), tmp_path / "out")
    out = permitted(tmp_path / "out")
    assert out.num_rows == 25_001
    assert out.slice(0, 1).select(list(odd)).to_pylist() == [odd]
    assert out.column("extra").to_pylist()[-1] == "late"
    assert denied(tmp_path / "out") == {25_000: "refused"}


def test_what_a_record_lacks_is_unreadable(house: Platform, tmp_path: Path) -> None:
    content = line(0) + '{"id": 1}\n' + line(2, author=None) + line(3, collected_at=None) + line(4, category=None)
    house.gate(put(tmp_path, "r.ndjson", content), tmp_path / "out")
    assert denied(tmp_path / "out") == dict.fromkeys((1, 2, 3, 4), "unreadable")


def test_what_names_nothing_is_told(house: Platform, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    put(tmp_path, "notes.txt", "x")
    for source in ("none.parquet", "empty", "*.parquet"):
        assert "matches something" in str(refused(house, str(tmp_path / source), tmp_path))
    assert "known are `.parquet`" in str(refused(house, tmp_path / "notes.txt", tmp_path))
    for name in ("r.csv", "r.ndjson"):
        assert "an empty file" in str(refused(house, put(tmp_path, name, ""), tmp_path))


def test_hidden_files_are_passed_over(house: Platform, tmp_path: Path) -> None:
    for name in ("a.parquet", "sub/b.PARQUET", ".hidden.parquet", "_tmp/c.parquet", ".git/d.parquet", "README"):
        put(tmp_path / "in", name, by(1))
    done = house.gate(tmp_path / "in", tmp_path / "out")
    assert [one["name"] for one in done.manifest["inputs"]] == ["a.parquet", "sub/b.PARQUET"]


def test_files_of_other_columns_are_told(house: Platform, tmp_path: Path) -> None:
    table = by(1)
    others = {
        "lacks": table.drop_columns(["author"]),
        "more": table.append_column("more", table.column("id")),
        "type": table.set_column(1, "author", pa.array(["1"] * 8)),
    }
    for name, other in others.items():
        put(tmp_path / name, "a.parquet", table)
        source = put(tmp_path / name, "b.parquet", other)
        (problem,) = refused(house, tmp_path / name, tmp_path).problems
        assert problem.file == str(source)
        assert "as in `a.parquet`" in problem.message


def test_the_order_of_columns_may_differ(house: Platform, tmp_path: Path) -> None:
    table = by(3).append_column("other", pa.array([1] * 8))
    put(tmp_path / "in", "a.parquet", table)
    put(tmp_path / "in", "b.parquet", table.select(table.column_names[::-1]))
    done = house.gate(tmp_path / "in", tmp_path / "out")
    assert done.manifest["counts"]["permitted"] == 0


def test_a_column_that_is_not_there_is_named_though_there_are_no_records(house: Platform, tmp_path: Path) -> None:
    source = put(tmp_path, "r.parquet", records().slice(0, 0).drop_columns(["author", "category"]))
    told = str(refused(house, source, tmp_path))
    assert "no column `author`; it has `id`" in told
    assert "no column `category`" in told


def test_parquet_without_records_among_others(house: Platform, tmp_path: Path) -> None:
    put(tmp_path / "in", "a.parquet", by(1).slice(0, 0))
    put(tmp_path / "in", "b.parquet", by(3))
    put(tmp_path / "in", "c.parquet", by(1).slice(0, 0))
    done = house.gate(tmp_path / "in", tmp_path / "out")
    assert [one["records"] for one in done.manifest["inputs"]] == [0, 8, 0]
    assert verify(tmp_path / "out", tmp_path / "in") == []


def test_parquet_that_is_cut_short_is_told(house: Platform, tmp_path: Path) -> None:
    whole = put(tmp_path, "whole.parquet", records(2000)).read_bytes()
    for size in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        source = put(tmp_path, "cut.parquet", whole[:size])
        assert str(source) in str(refused(house, source, tmp_path))


def test_parquet_with_broken_pages_is_an_error_not_an_answer(house: Platform, tmp_path: Path) -> None:
    source = put(tmp_path, "r.parquet", records(2000), compression="none", use_dictionary=False)
    content = bytearray(source.read_bytes())
    start = pq.read_metadata(source).row_group(0).column(1).data_page_offset
    content[start : start + 40] = bytes(255 - byte for byte in content[start : start + 40])
    source.write_bytes(content)
    with pytest.raises((EngineError, CorpusError)):
        house.gate(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_directory_is_called_says_nothing_of_its_records(house: Platform, tmp_path: Path) -> None:
    put(tmp_path / "in", "author=1/category=posts/r.parquet", by(3))
    done = house.gate(tmp_path / "in", tmp_path / "out")
    assert done.manifest["counts"]["by_reason"] == {"not-enabled": 2, "refused": 6}


@pytest.mark.parametrize("odd", ["p[1]", "p*", "p?", "[p1]", "p[!x]", "**"])
def test_a_name_with_wildcards_is_that_file_and_no_other(house: Platform, tmp_path: Path, odd: str) -> None:
    for name in ("p1", "px", "p", "pp"):
        put(tmp_path / "in", f"{name}.parquet", by(1))
    put(tmp_path / "in", f"{odd}.parquet", by(3))
    done = house.gate(tmp_path / "in", tmp_path / "out")
    assert done.manifest["counts"]["permitted"] == 24
    assert set(permitted(tmp_path / "out").column("author").to_pylist()) == {1}
    for form, text in (("ndjson", line(1, 3)), ("csv", HEADER + row(1, 3))):
        put(tmp_path / "text", f"p1.{form}", text.replace("3", "1"))
        alone = house.gate(put(tmp_path / "text", f"{odd}.{form}", text), tmp_path / form)
        assert alone.manifest["counts"]["by_reason"] == {"refused": 1}


@pytest.mark.parametrize("odd", ["ünï 💥", "a'b", "new\nline", "a%20b", "-p", "~", "file:x", "é", "p{a,b}", "\u3000"])
def test_odd_names_of_paths_and_columns(house: Platform, tmp_path: Path, odd: str) -> None:
    table = by(3, 4).append_column(odd, pa.array([1, 3, 1, 3]))
    put(tmp_path / odd, f"{odd}.parquet", table)
    columns = replace(COLUMNS, subjects=(SubjectColumn(odd),))
    house.gate(tmp_path / odd, tmp_path / "out", columns)
    assert denied(tmp_path / "out") == {0: "not-enabled", 1: "refused", 3: "refused"}
    assert verify(tmp_path / "out", tmp_path / odd) == []


def test_inputs_that_would_be_one_output_are_two(house: Platform, tmp_path: Path) -> None:
    """`r.csv` and `r.csv.parquet` would both become `r.csv.parquet`."""
    same = {"id": [1], "author": [3], "category": ["posts"], "collected_at": ["2025-01-15T00:00:00Z"], "text": ["w"]}
    put(tmp_path / "in", "r.csv.parquet", pa.table(same))
    put(tmp_path / "in", "r.csv", HEADER + row(1))
    done = house.gate(tmp_path / "in", tmp_path / "out")
    assert len({one["path"] for one in done.manifest["outputs"]}) == 4
    assert verify(tmp_path / "out") == []
    assert done.manifest["counts"]["by_reason"] == {"refused": 1}
    assert permitted(tmp_path / "out").column("author").to_pylist() == [1]


@pytest.mark.parametrize("name", ["file_row_number", "File_Row_Number", "file_index"])
def test_columns_of_the_engine_s_own_names_are_refused(house: Platform, tmp_path: Path, name: str) -> None:
    source = put(tmp_path, "r.parquet", by(1).append_column(name, pa.array(range(7, -1, -1), pa.int64())))
    assert f"expected no column `{name}`" in str(refused(house, source, tmp_path))


@pytest.mark.parametrize("name", ["Author", "author", "AUTHOR"])
@pytest.mark.parametrize("first", [True, False])
def test_names_that_the_engine_cannot_tell_apart_are_refused(
    house: Platform, tmp_path: Path, name: str, first: bool
) -> None:
    table = by(3)
    columns, names = list(table.columns), list(table.column_names)
    columns.insert(0 if first else len(columns), pa.chunked_array([[1] * 8]))
    names.insert(0 if first else len(names), name)
    source = put(tmp_path, "r.parquet", pa.table(columns, names=names))
    refused(house, source, tmp_path)


@pytest.mark.parametrize(
    "name",
    ["row", "number", "subject", "subjects", "category_name", "collected", "item", "x", "of", "least", "filename",
     "corpus", "c0", "result", "position", 'a"b', "a.b", "select"],
)  # fmt: skip
def test_a_column_called_as_something_inside(house: Platform, tmp_path: Path, name: str) -> None:
    columns = replace(COLUMNS, subjects=(SubjectColumn(name),))
    house.gate(put(tmp_path, "r.parquet", by(3).append_column(name, pa.array([1, 3] * 4))), tmp_path / "out", columns)
    assert set(denied(tmp_path / "out").values()) == {"not-enabled", "refused"}
    assert permitted(tmp_path / "out").column(name).to_pylist() == [1, 1]


def test_columns_that_have_each_other_s_names(house: Platform, tmp_path: Path) -> None:
    table = records(8).rename_columns(["id", "category", "subject", "row", "collected", "author"])
    columns = replace(COLUMNS, subjects=(SubjectColumn("category"),), category="subject", collected_at="row")
    house.gate(put(tmp_path, "r.parquet", table), tmp_path / "out", columns)
    assert denied(tmp_path / "out") == {0: "not-enabled", 3: "refused", 4: "not-enabled"}


@pytest.mark.parametrize("compression", ["snappy", "zstd", "gzip", "brotli", "lz4", "none"])
def test_columns_of_every_type_are_carried_through(house: Platform, tmp_path: Path, compression: str) -> None:
    more = {
        "map": pa.array([[("a", 1)]] * 8, pa.map_(pa.string(), pa.int64())),
        "decimal": pa.array([None] * 8, pa.decimal128(9, 2)),
        "half": pa.array(np.arange(8, dtype=np.float16)),
        "words": pa.array(["a"] * 8).dictionary_encode(),
        "bytes": pa.array([b"\0\xff"] * 8),
        "deep": pa.array([{"a": [{"b": [1, None]}, None]}] * 8),
        "time": pa.array([1] * 8, pa.time64("ns")),
        "fixed": pa.array([[1, 2]] * 8, pa.list_(pa.int8(), 2)),
        "uid": pa.array([b"1" * 16] * 8, pa.uuid()),
        "nano": pa.array([1] * 8, pa.timestamp("ns")),
        "nothing": pa.nulls(8),
    }
    table = records(8)
    for name, column in more.items():
        table = table.append_column(name, column)
    table = table.replace_schema_metadata({"made": "by hand"})
    source = put(tmp_path, "r.parquet", table, compression=compression, row_group_size=3)
    done = house.gate(source, tmp_path / "out", canaries=8)
    out = tmp_path / "out/permitted/r.parquet"
    assert pq.read_table(out).equals(pq.read_table(source).take([1, 2, 5, 6, 7]), check_metadata=True)
    assert pq.read_metadata(out).row_group(0).column(0).compression.lower() == (
        "uncompressed" if compression == "none" else compression
    )
    assert done.manifest["counts"]["denied"] == 3


def test_views_are_refused(house: Platform, tmp_path: Path) -> None:
    for kind in (pa.string_view(), pa.binary_view()):
        table = by(1).append_column("view", pa.array([b"x"] * 8 if "binary" in str(kind) else ["x"] * 8, kind))
        assert "expected no view in column `view`" in str(refused(house, put(tmp_path, "r.parquet", table), tmp_path))


def test_a_file_that_is_written_while_it_is_read_stops_the_gate(house: Platform, tmp_path: Path) -> None:
    """Verdicts are of what was read first: another file's records never go out by them."""
    source = put(tmp_path, "r.parquet", by(1, 50))

    def swap(stage: str, _done: int, _total: int) -> None:
        if stage == "deciding":
            put(tmp_path, "r.parquet", by(3, 50))

    assert "nobody writes" in str(refused(house, source, tmp_path, progress=swap))


def test_collected_just_before_the_present_and_just_after(house: Platform, tmp_path: Path) -> None:
    at = house.now()
    table = pa.table(
        {"id": [0, 1], "author": [1, 1], "category": ["posts"] * 2,
         "collected_at": pa.array([at, at + 1], pa.timestamp("us", "UTC"))}
    )  # fmt: skip
    house.gate(put(tmp_path, "r.parquet", table), tmp_path / "out", at=at)
    assert denied(tmp_path / "out") == {1: "unreadable"}
