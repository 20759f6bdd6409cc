"""Bulk import: NDJSON and Parquet, whole or in batches, with every bad line told by file and number."""

from __future__ import annotations

import gc
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sayso.canonical import digest
from sayso.errors import EventError
from sayso.ledger import events as e
from sayso.ledger import importing
from sayso.ledger.importing import import_events
from sayso.ledger.sources import Format
from tests.ledger.conftest import T0, Ledger, both_kinds

kind = both_kinds

REFUSAL = {"kind": "choice.recorded", "decision": "refusal", "source": "x"}


def registered(subject: int, **more: Any) -> dict[str, Any]:
    return {"kind": "subject.registered", "subject": subject} | more


def ndjson(path: Path, *documents: Any) -> Path:
    lines = (one if isinstance(one, str) else json.dumps(one) for one in documents)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def told(error: EventError) -> list[str]:
    return [str(problem) for problem in error.problems]


def test_a_file_of_events_is_imported_in_order(ledger: Ledger, tmp_path: Path) -> None:
    first = ndjson(tmp_path / "a.ndjson", registered(1, territory="FR"), "", "  ", registered(1) | {"subject": "2"})
    second = ndjson(tmp_path / "b.jsonl", REFUSAL | {"subject": 1, "effective_at": "2024-01-01T01:00:00+01:00"})
    seen: list[int] = []
    imported = import_events(ledger.journal, [first, second], progress=seen.append)
    assert imported == (0, 3)
    assert imported.events == 3
    assert seen == [2, 3]
    assert [one.event for one in ledger.journal.read()] == [
        e.SubjectRegistered(subject=1, territory="FR"),
        e.SubjectRegistered(subject=2),
        e.ChoiceRecorded(subject=1, decision="refusal", source="x", effective_at=1704067200000000),
    ]


def test_every_bad_line_is_told_and_nothing_is_imported(ledger: Ledger, tmp_path: Path) -> None:
    path = ndjson(
        tmp_path / "bad.ndjson",
        registered(1),
        "{not json",
        '{"kind": "subject.registered", "subject": 2, "territory": "\ud800"}'.encode("utf-16", "surrogatepass").hex(),
        "[]",
        registered(1),
        registered(2, territory="france"),
        REFUSAL | {"subject": 77},
        registered(3),
    )
    with pytest.raises(EventError) as caught:
        import_events(ledger.journal, path)
    assert [line.split(": ")[0] for line in told(caught.value)[:-1]] == [
        f"{path}:{line}" for line in (2, 3, 4, 5, 6, 7)
    ]
    assert told(caught.value)[3] == (
        f"{path}:5: subject.registered: the subject is registered already; record what changed of it instead"
    )
    assert told(caught.value)[-1] == "nothing was imported; mend these lines and import again"
    assert ledger.journal.head().size == 0


def test_bytes_that_are_no_utf_8_are_a_bad_line(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "bad.ndjson"
    path.write_bytes(b'{"kind":"subject.registered","subject":1,"attested":"\xff"}\n')
    with pytest.raises(EventError, match=r"bad.ndjson:1: "):
        import_events(ledger.journal, path)


def test_the_reading_stops_after_many_problems(ledger: Ledger, tmp_path: Path) -> None:
    path = ndjson(tmp_path / "bad.ndjson", *(["x"] * 150))
    with pytest.raises(EventError) as caught:
        import_events(ledger.journal, path, batch=60)
    assert len(caught.value.problems) == importing.MOST_PROBLEMS + 2
    assert "there are more problems" in told(caught.value)[-2]


def test_in_batches_what_was_whole_stays_and_the_rest_can_be_resumed(ledger: Ledger, tmp_path: Path) -> None:
    lines = [registered(n) for n in range(10)]
    path = ndjson(tmp_path / "a.ndjson", *lines[:7], "oops", *lines[7:])
    with pytest.raises(EventError) as caught:
        import_events(ledger.journal, path, batch=3)
    assert told(caught.value)[0].startswith(f"{path}:8: no JSON document")
    assert told(caught.value)[1] == f"6 events were imported, nothing from line 7 of `{path}` on; resume from there"
    assert ledger.journal.head().size == 6
    ndjson(path, *lines)
    seen: list[int] = []
    assert import_events(ledger.journal, path, batch=2, from_line=7, progress=seen.append) == (6, 10)
    assert seen == [2, 4]
    assert [one.event for one in ledger.journal.read()] == [e.SubjectRegistered(subject=n) for n in range(10)]


@pytest.mark.parametrize("collecting", [True, False])
def test_the_cycle_collector_is_left_as_it_was(ledger: Ledger, tmp_path: Path, collecting: bool) -> None:
    path = ndjson(tmp_path / "a.ndjson", registered(1), "oops")
    try:
        (gc.enable if collecting else gc.disable)()
        with pytest.raises(EventError):
            import_events(ledger.journal, path)
        assert gc.isenabled() is collecting
    finally:
        gc.enable()


def test_an_empty_file_imports_nothing(ledger: Ledger, tmp_path: Path) -> None:
    assert import_events(ledger.journal, ndjson(tmp_path / "a.ndjson")) == (0, 0)


def test_a_name_that_tells_no_format_needs_one(ledger: Ledger, tmp_path: Path) -> None:
    path = ndjson(tmp_path / "a.txt", registered(1))
    with pytest.raises(EventError, match=r"got `a\.txt`"):
        import_events(ledger.journal, path)
    assert import_events(ledger.journal, path, Format.NDJSON) == (0, 1)


@pytest.mark.parametrize("fmt", list(Format))
def test_a_file_that_cannot_be_read_is_an_error(ledger: Ledger, tmp_path: Path, fmt: Format) -> None:
    with pytest.raises(EventError, match="nowhere: the file could not be read as"):
        import_events(ledger.journal, tmp_path / "nowhere", fmt)


def test_what_is_no_parquet_is_an_error(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(EventError, match="could not be read as parquet: parquet magic bytes not found"):
        import_events(ledger.journal, ndjson(tmp_path / "a.parquet", registered(1)))


def test_parquet_of_typed_columns_reads_as_the_same_documents(ledger: Ledger, tmp_path: Path) -> None:
    when = datetime(2024, 1, 1, tzinfo=UTC)
    rows: list[dict[str, Any]] = [
        registered(1, territory="FR", birth_year=1980, attributes=[("plan", "pro")], effective_at=when),
        REFUSAL | {"subject": 1, "scope": {"purposes": ["p"]}, "by": None},
        {"kind": "policy.published", "platform": "p", "digest": digest({"a": 1}), "document": '{"a": 1}'},
        {"kind": "organisation.owners", "organisation": 9, "owners": []},
    ]
    names = {name for row in rows for name in row}
    types = {
        "attributes": pa.map_(pa.string(), pa.string()),
        "effective_at": pa.timestamp("ns", "Europe/Dublin"),
        "scope": pa.struct([("purposes", pa.list_(pa.string())), ("categories", pa.list_(pa.string()))]),
        "by": pa.struct([("role", pa.string()), ("id", pa.int64())]),
        "owners": pa.list_(pa.int64()),
    }
    table = pa.table({n: pa.array([row.get(n) for row in rows], types.get(n)) for n in sorted(names)})
    pq.write_table(table, tmp_path / "a.parquet")
    assert import_events(ledger.journal, tmp_path / "a.parquet", from_line=1).events == 4
    assert [one.event for one in ledger.journal.read()] == [
        e.SubjectRegistered(
            subject=1, territory="FR", birth_year=1980, attributes={"plan": "pro"}, effective_at=1704067200000000
        ),
        e.ChoiceRecorded(subject=1, decision="refusal", source="x", scope=e.Scope(purposes=("p",))),
        e.PolicyPublished(platform="p", digest=digest({"a": 1}), document={"a": 1}),
        e.OrganisationOwners(organisation=9, owners=()),
    ]


def test_bad_rows_of_parquet_are_told_by_number(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "kind": ["subject.registered", "subject.moved", "policy.published", "subject.registered"],
            "subject": [1, 1, None, 1],
            "platform": [None, None, "p", None],
            "document": [None, None, "{", None],
        }
    )
    pq.write_table(table, path)
    with pytest.raises(EventError) as caught:
        import_events(ledger.journal, path)
    assert [line.split(": ")[0] for line in told(caught.value)[:-1]] == [f"{path}:{row}" for row in (2, 3, 4)]
    assert "`document` holds no JSON" in told(caught.value)[1]
    assert ledger.journal.head().size == 0
    assert import_events(ledger.journal, path, from_line=4, batch=1) == (0, 1)


def test_parquet_rows_before_the_first_wanted_are_skipped(ledger: Ledger, tmp_path: Path) -> None:
    pq.write_table(pa.table({"kind": ["subject.registered"] * 4, "subject": [1, 2, 3, 4]}), tmp_path / "a.parquet")
    assert import_events(ledger.journal, tmp_path / "a.parquet", from_line=3, batch=2).events == 2


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            pa.array([0], pa.timestamp("us")),
            "column `effective_at` holds instants without a time zone",
        ),
        (pa.array([date(2024, 1, 1)]), "expected an instant such as `2024-09-18T00:00:00Z`, got the date `2024-01-01`"),
        (pa.array([1], pa.timestamp("ns", "UTC")), "could not be read as parquet"),
        (pa.array([5]), "expected an instant such as"),
    ],
)
def test_an_instant_in_parquet_is_never_guessed(ledger: Ledger, tmp_path: Path, column: pa.Array, message: str) -> None:
    table = pa.table({"kind": ["subject.registered"], "subject": [1], "effective_at": column})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(EventError) as caught:
        import_events(ledger.journal, tmp_path / "a.parquet")
    assert message in str(caught.value)


def test_an_import_larger_than_what_is_read_at_once(ledger: Ledger, tmp_path: Path) -> None:
    count = 12_000
    path = ndjson(
        tmp_path / "a.ndjson", *(registered(n) for n in range(count)), *(REFUSAL | {"subject": n} for n in range(count))
    )
    assert import_events(ledger.journal, path).events == 2 * count
    batches = list(ledger.store.facts(batch_rows=1000))
    assert [batch.num_rows for batch in batches] == [1000] * 24
    assert sum(batch.num_rows for batch in ledger.store.facts(count)) == count
    assert ledger.journal.head() == (2 * count, T0)
