"""Files that were made to break their reader: each is an error that names the file, and nothing is imported."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sayso.errors import EventError
from sayso.ledger.identity import IdType
from sayso.ledger.mapfile import MOST_BYTES, MOST_DEPTH, read_map
from sayso.ledger.mapping import mapped
from sayso.ledger.sources import Format, chunks

DEEP = "[" * 100_000


def refused(path: Path) -> str:
    with pytest.raises(EventError) as caught:
        read_map(path)
    return str(caught.value).removeprefix(str(path.parent) + "/")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"x" * (MOST_BYTES + 1), "map.yaml: expected at most 1 MiB, got more; is this a map?"),
        (b"a: 1\nb: \xff", "map.yaml:2: expected UTF-8 text, got the byte `0xff`; save the file as UTF-8"),
        (b"a: 1\nb: \0", "map.yaml:2: expected text, got a control character"),
        (b"a: &x [1]\nb: [*x, *x]", "map.yaml:1: expected no anchor and no alias; write out what is meant"),
        (b"a: 1\nb: !!set {x}", "map.yaml:2: expected no tag; put quotes around what is text"),
        (DEEP.encode(), f"map.yaml:1: expected at most {MOST_DEPTH} levels, got one more"),
        (b"a: 1\nb: 2025-13-45", "map.yaml: the map is no YAML: a value cannot be read"),
        (b"just text", "map.yaml:1: expected `members`, `toggles` or both"),
    ],
)  # fmt: skip
def test_a_map_that_is_no_map(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_bytes(raw)
    assert refused(path) == message


def test_a_map_that_is_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "none") == "none: the map could not be read: No such file or directory"
    assert refused(tmp_path).endswith("the map could not be read: Is a directory")
    with pytest.raises(EventError, match="the map could not be read: embedded null byte"):
        read_map(Path("a\0b"))


def table(tmp_path: Path, name: str, registered: str) -> str:
    """What is wrong with a table of members."""
    path = tmp_path / "map.yaml"
    path.write_text(f"members: [{{file: {name}, subject: id, registered: {registered}, birth_year: {{column: born}}}}]")
    found = []
    try:
        for chunk in mapped(read_map(path), tmp_path, IdType.INT64):
            found += chunk.problems
    except EventError as error:
        found += error.problems
    (problem,) = found
    return str(problem).removeprefix(f"{tmp_path}/")


def test_tables_that_no_table_is_like(tmp_path: Path) -> None:
    counted = "{column: at, epoch: s}"
    (tmp_path / "deep.ndjson").write_text('{"id": 1, "at": 1, "born": ' + DEEP)
    assert table(tmp_path, "deep.ndjson", counted) == "deep.ndjson:1: expected one JSON object a line"
    (tmp_path / "wide.csv").write_text("x" * 1_000_000 + ",id\n1,2\n")
    assert table(tmp_path, "wide.csv", counted) == "wide.csv: the table could not be read: Error"
    (tmp_path / "long.csv").write_text(f"id,at,born\n1,{'9' * 5000},1980\n")
    assert "expected an instant such as" in table(tmp_path, "long.csv", counted)
    (tmp_path / "year.csv").write_text(f"id,at,born\n1,1,{'9' * 5000}\n")
    assert table(tmp_path, "year.csv", counted) == "year.csv:1: column `born`: expected a year such as `1980`"
    (tmp_path / "ragged.csv").write_text("id,at,born\n1,1,1980\n4711,1\n")
    expected = "ragged.csv: the table could not be read: expected 3 columns in every row, got 2 in one"
    assert table(tmp_path, "ragged.csv", counted) == expected
    far = pa.table({"id": [1], "at": pa.array([2**62], pa.timestamp("us", "UTC")), "born": [1980]})
    pq.write_table(far, tmp_path / "far.parquet")
    expected = "far.parquet: the table could not be read: it holds an instant outside of the years 1 to 9999"
    assert table(tmp_path, "far.parquet", "{column: at}") == expected


def test_events_that_no_event_is_like(tmp_path: Path) -> None:
    path = tmp_path / "deep.ndjson"
    path.write_text('{"kind": ' + DEEP)
    ((problem,),) = [chunk.problems for chunk in chunks(path, Format.NDJSON, IdType.INT64)]
    assert "no JSON document" in problem.message
    path = tmp_path / "deep.parquet"
    pq.write_table(pa.table({"kind": ["policy.published"], "document": [DEEP]}), path)
    ((problem,),) = [chunk.problems for chunk in chunks(path, Format.PARQUET, IdType.INT64)]
    assert "`document` holds no JSON" in problem.message
    far = pa.array([2**62], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"kind": ["subject.registered"], "subject": [1], "effective_at": far}), path)
    with pytest.raises(EventError, match="the file could not be read as parquet"):
        list(chunks(path, Format.PARQUET, IdType.INT64))
    near = pa.array([datetime(2025, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"kind": ["subject.registered"], "subject": [1], "effective_at": near}), path)
    assert [len(chunk.events) for chunk in chunks(path, Format.PARQUET, IdType.INT64)] == [1]
