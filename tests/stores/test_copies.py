"""Copies of a ledger from one kind of store into another, and its backups: the same tree."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from sayso.errors import EventError, StoreError
from sayso.ledger import events as e
from sayso.ledger.identity import IdType
from sayso.ledger.log import checkpoint
from sayso.ledger.log.tiles import Tree
from sayso.ledger.moving import copy
from sayso.ledger.store import Store
from sayso.stores import sqlite
from tests.ledgers import KEYS, founding
from tests.stores.places import Place, PostgresPlace, SqlitePlace, journal_on, wrong


def filled(store: Store, count: int = 600) -> None:
    journal = journal_on(store)
    journal.append_many([e.SubjectRegistered(subject=n, territory="FR") for n in range(count)])
    journal.append(e.SuspensionOpened(suspension="s", authority="a", reason="r"))
    journal.append(e.SubjectAliased(subject=1, other=2))
    journal.append(e.SubjectErased(subject=3))
    journal.append(e.NoticeDelivered(notice="n", version="1", audience=e.Audience(subjects=(1, 4, 5))))


def test_a_copy_has_the_same_tree_and_goes_on(store: Store, server: object, tmp_path: Path) -> None:
    filled(store)
    other: Place = SqlitePlace(tmp_path / "other.db")
    if isinstance(store, sqlite.SqliteStore):
        assert hasattr(server, "schema")
        other = PostgresPlace(server)  # type: ignore[arg-type]
    with closing(other.create()) as target:
        with store.reading() as reading:
            assert copy(reading, target) == store.head().size
        assert target.checkpoint() == store.checkpoint()
        assert list(target.entries()) == list(store.entries())
        assert target.tombstones() == store.tombstones()
        assert list(target.tiles()) == list(store.tiles())
        size = store.head().size
        assert Tree(target.tile, size).root() == Tree(store.tile, size).root()
        assert [fact.payload for fact in target.facts_of(0, [1, 4])] == [
            fact.payload for fact in store.facts_of(0, [1, 4])
        ]
        assert wrong(target) == []
        with pytest.raises(EventError, match="was erased"):
            journal_on(target).append(e.SubjectRegistered(subject=3))
        assert journal_on(target).append(e.SubjectRegistered(subject=9_000)).position == size
        assert wrong(target) == []
        with store.reading() as reading, pytest.raises(StoreError, match="expected an empty ledger to copy into"):
            copy(reading, target)


def test_a_damaged_ledger_is_not_copied(place: Place, tmp_path: Path) -> None:
    with closing(place.create()) as store:
        filled(store, 30)
        place.run("UPDATE events SET public = document WHERE document IS NOT NULL")
        place.run("DELETE FROM facts WHERE row > 0")
        place.run("DELETE FROM private WHERE position = 33")
        place.run("DELETE FROM events WHERE position = 33")
        target = SqlitePlace(tmp_path / "other.db")
        with closing(target.create()) as empty:
            with store.reading() as reading, pytest.raises(StoreError, match="is damaged"):
                copy(reading, empty)
            assert empty.head().size == 0
            assert wrong(empty) == []


def test_a_log_of_another_name_is_not_copied_into(store: Store, tmp_path: Path) -> None:
    filled(store, 10)
    begun = founding()
    other = sqlite.create(
        tmp_path / "other.db",
        IdType.INT64,
        type(begun)("example.com/x", begun.sign, begun.tombstone, begun.random_bytes),
    )
    with closing(other), store.reading() as reading, pytest.raises(StoreError, match="expected a ledger of log"):
        copy(reading, other)


def test_a_backup_is_a_ledger_as_of_one_moment(store: Store, tmp_path: Path) -> None:
    filled(store)
    journal, done = journal_on(store), False

    def write() -> int:
        count = 0
        while not done:
            journal.append(e.SubjectRegistered(subject=100_000 + count))
            count += 1
        return count

    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(write)
        time.sleep(0.05)
        store.backup(tmp_path / "backup")
        done = True
        assert written.result() > 0
    with closing(sqlite.open_ledger(tmp_path / "backup", founding)) as found:
        assert wrong(found) == []
        size = found.head().size
        assert 604 <= size <= store.head().size
        assert Tree(store.tile, size).root() == checkpoint.opened(found.checkpoint(), KEYS.verifiers).root
    with pytest.raises(StoreError, match="is there already"):
        store.backup(tmp_path / "backup")
    with pytest.raises(StoreError, match="could not be"):
        store.backup(tmp_path / "none" / "backup")
    assert sorted(path.name for path in tmp_path.glob("*backup*")) == ["backup"]
