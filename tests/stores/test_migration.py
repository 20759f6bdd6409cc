"""Ledgers of the first form, from before there was a log, become what they would have been.

`tests/data/ledgers/form-0001-*.sql` are dumps of ledgers that the version of then wrote.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sayso.errors import EventError, StoreError
from sayso.ledger import events as e
from sayso.ledger.entry import Destroyed
from sayso.ledger.fsck import faults
from sayso.ledger.identity import IdType
from sayso.stores.sqlite import APPLICATION_ID, SqliteStore, open_ledger
from tests.ledgers import KEYS, ORIGIN, founding, journal_on

DUMPS = Path(__file__).parents[1] / "data" / "ledgers"
NOW = 1_800_000_000_000_000


def written_then(folder: Path, id_type: IdType) -> Path:
    """A ledger file as it was left then."""
    path = folder / "old.ledger"
    driver = sqlite3.connect(path)
    driver.executescript((DUMPS / f"form-0001-{id_type}.sql").read_text("utf-8"))
    driver.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    driver.close()
    return path


@pytest.fixture(params=[IdType.INT64, IdType.STRING])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SqliteStore]:
    made = open_ledger(written_then(tmp_path, request.param), founding)
    yield made
    made.close()


def test_it_is_whole_and_signed(store: SqliteStore) -> None:
    assert store.origin == ORIGIN
    assert list(faults(store, KEYS.verifiers)) == []
    assert store.head().size == 22


def test_its_events_read_as_they_did(store: SqliteStore) -> None:
    def one(number: int) -> int | str:
        return number if store.id_type is IdType.INT64 else f"person-{number}"

    found = [read.event for read in journal_on(store, now=lambda: NOW).read()]
    assert [event is None for event in found[:9]] == [False, True, True, False, False, False, True, False, True]
    assert found[9] == e.GuardianRegistered(subject=one(3), guardian=None)
    assert found[10] == e.ChoiceRecorded(
        subject=one(3), decision="refusal", source="said by the guardian", by=e.By(role="guardian", id=None)
    )
    assert found[11] == e.ChoiceRecorded(
        subject=one(4), decision="objection", source="settings", notice=e.NoticeRef(id="ai-notice", version="2025-01")
    )
    assert found[12] == e.NoticeDelivered(
        notice="ai-notice", version="2025-01", attested="mail log 7",
        audience=e.Audience(subjects=(None, None, one(5))),
    )  # fmt: skip
    assert found[16] is None, "it was of an alias of who was erased"
    assert found[17] == e.OrganisationOwners(organisation=one(9), owners=(None, one(4)))
    assert found[20] == e.SubjectMoved(subject=one(5), territory="US")


def test_whom_it_erased_stays_so_and_the_aliases_with_it(store: SqliteStore) -> None:
    people = [number if store.id_type is IdType.INT64 else f"person-{number}" for number in (1, 2, 6)]
    assert store.tombstones().keys() == {KEYS.tombstone(one) for one in people}
    journal = journal_on(store, now=lambda: NOW)
    for one in people:
        with pytest.raises(EventError, match="erased"):
            journal.append(e.SubjectRegistered(subject=one))
        assert not store.facts_of(0, [one])
        assert not [fact for fact in store.facts_naming(one) if fact.party == 0]
    entries = list(store.entries())
    assert all(isinstance(part, Destroyed) for position in (1, 2, 6, 8, 16) for part in entries[position].parts)


def test_nothing_of_whom_it_erased_is_left_in_the_files(tmp_path: Path) -> None:
    path = written_then(tmp_path, IdType.STRING)
    open_ledger(path, founding).close()
    data = b"".join(file.read_bytes() for file in tmp_path.glob(f"{path.name}*"))
    assert b"person-4" in data
    for trace in (b"person-1", b"person-2", b"person-6", b"of-1", b"of-2", b"of-6", b"a browser"):
        assert trace not in data


def test_it_goes_on(store: SqliteStore) -> None:
    journal = journal_on(store, now=lambda: NOW)
    assert journal.append(e.SubjectRegistered(subject="77" if store.id_type is IdType.STRING else 77)).position == 22
    assert list(faults(store, KEYS.verifiers)) == []


def test_a_migration_that_fails_leaves_it_as_it_was(tmp_path: Path) -> None:
    path = written_then(tmp_path, IdType.INT64)
    before = path.read_bytes()

    def no_random(_: int) -> bytes:
        raise StoreError("no random bytes are to be had")

    with pytest.raises(StoreError, match="no random bytes"):
        open_ledger(path, lambda: founding(no_random))
    driver = sqlite3.connect(path)
    assert driver.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
    assert driver.execute("SELECT count(*) FROM private").fetchone() != (0,)
    driver.close()
    assert len(path.read_bytes()) >= len(before)
    open_ledger(path, founding).close()
