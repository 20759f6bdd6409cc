"""Ids that are none of the ledger's: unreadable wherever they stand, and told of without falling over them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sayso.engines.duckdb import DuckDBEngine
from sayso.errors import CorpusError
from sayso.gate import snapshots
from sayso.gate.columns import SubjectColumn
from sayso.ledger import events as e
from sayso.ledger.identity import IdType
from sayso.policy.facts import Use
from tests.gate.platform import COLLECTED, COLUMNS, Platform, corpus, denied, named, platform, records

MENTIONING = replace(COLUMNS, subjects=(SubjectColumn("author"), SubjectColumn("about", "mentioned")))


def posts(**columns: pa.Array) -> pa.Table:
    rows = len(next(iter(columns.values())))
    at = pa.array([COLLECTED] * rows, pa.timestamp("us", "UTC"))
    return pa.table({"id": range(rows), "category": ["posts"] * rows, "collected_at": at} | columns)


def test_numbers_that_no_id_can_be(house: Platform, tmp_path: Path) -> None:
    pq.write_table(posts(author=pa.array([1, 3, 2**64 - 1, 99], pa.uint64())), tmp_path / "in.parquet")
    house.gate(tmp_path / "in.parquet", tmp_path / "out")
    assert denied(tmp_path / "out") == {1: "refused", 2: "unreadable", 3: "unknown-subject"}


@pytest.mark.parametrize("id_type", [IdType.UUID, IdType.STRING])
def test_somebody_mentioned_is_heard_however_the_id_is_written(tmp_path: Path, id_type: IdType) -> None:
    """Of one who does not count nothing is asked, but an id that cannot be read is not one of nobody."""
    who = "00000000-0000-4000-8000-00000000abcd"
    about = [who, who.upper(), "{" + who + "}", "junk\n", "", "x" * 257, None, named(1, IdType.UUID)]
    author = [named(1, id_type)] * len(about)
    with platform(tmp_path, id_type) as made:
        made.journal.append(e.SubjectRegistered(subject=who, territory="FR", effective_at=COLLECTED - 1))
        made.journal.append(e.ChoiceRecorded(subject=who, decision="objection", source="setting"))
        pq.write_table(posts(author=author, about=about), tmp_path / "in.parquet")
        made.gate(tmp_path / "in.parquet", tmp_path / "out", MENTIONING)
    expected = {0: "refused"} | dict.fromkeys((3, 4, 5, 6), "unreadable")
    assert denied(tmp_path / "out") == expected | (dict.fromkeys((1, 2), "refused") if id_type is IdType.UUID else {})


@pytest.mark.parametrize("extension", [True, False])
def test_the_report_writes_uuids_as_the_ledger_does(tmp_path: Path, extension: bool) -> None:
    raw = pa.array([UUID(named(number, IdType.UUID)).bytes for number in (1, 3)], pa.binary(16))
    column = pa.ExtensionArray.from_storage(pa.uuid(), raw) if extension else raw
    with platform(tmp_path, IdType.UUID) as made:
        pq.write_table(posts(author=column), tmp_path / "in.parquet")
        made.gate(tmp_path / "in.parquet", tmp_path / "out")
    (row,) = pq.read_table(tmp_path / "out/denied/in.parquet").to_pylist()
    assert (row["subject"], row["reason"]) == (named(3, IdType.UUID), "refused")


def test_a_snapshot_of_another_use_is_refused(house: Platform, tmp_path: Path) -> None:
    other = Use("ranking", "platform", house.now())
    pinned = snapshots.make(house.journal.store, house.reader.view(), other, DuckDBEngine(threads=1))
    with pytest.raises(CorpusError, match="of another use"):
        house.gate(corpus(tmp_path / "in", records(8)), tmp_path / "out", snapshot=pinned)
