"""The ledger in an SQLite file: what it keeps, what it says when it cannot, and that a kill loses nothing."""

from __future__ import annotations

import os
import random
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from sayso.errors import StoreError
from sayso.ledger import events as e
from sayso.ledger.identity import Id, IdType
from sayso.ledger.journal import Journal
from sayso.ledger.rebuild import first_difference
from sayso.stores import sqlite, tables
from sayso.stores.faults import reported
from sayso.stores.sqlite import SqliteStore
from tests import ledgers
from tests.ledgers import founding
from tests.stores.places import started
from tests.unprivileged import anybody, read_only

IDS: dict[IdType, list[Id]] = {
    IdType.INT64: [-(2**63), 0, 2**63 - 1],
    IdType.STRING: ["1", 'é, "x"', "-0"],
    IdType.UUID: ["0" * 8 + "-0000" * 3 + "-" + "a" * 12],
}


def clock() -> int:
    return time.time_ns() // 1000


def journal_on(store: SqliteStore) -> Journal:
    return ledgers.journal_on(store, now=clock)


def create(path: Path, id_type: IdType) -> SqliteStore:
    return sqlite.create(path, id_type, founding())


def open_ledger(path: Path, wait: float = 10) -> SqliteStore:
    return sqlite.open_ledger(path, founding, wait=wait)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    made = create(path, IdType.INT64)
    yield made
    made.close()


DDL = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"


def test_the_migrations_make_the_tables_of_today(path: Path) -> None:
    create(path, IdType.INT64).close()
    with sa.create_engine(f"sqlite:///{path}").connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})  # the text below has the types
        found = [change for change in compare_metadata(context, tables.metadata) if change[1].name != "payloads_body"]
        assert found == [], "an index that PostgreSQL alone has"
        held = {row[0]: row[1] for row in connection.exec_driver_sql(DDL)}
    fresh = sa.create_engine("sqlite://")
    tables.metadata.create_all(fresh)
    with fresh.connect() as connection:
        made = [(row[0], row[1]) for row in connection.exec_driver_sql(DDL)]
    for name, sql in made:
        assert " ".join(held[name].split()) == " ".join(sql.split())


def test_a_ledger_is_not_made_over_another_file(path: Path, tmp_path: Path) -> None:
    create(path, IdType.INT64).close()
    with pytest.raises(StoreError, match="holds a ledger or other data already"):
        create(path, IdType.INT64)
    (tmp_path / "notes.txt").write_text("buy milk" * 1000)
    with pytest.raises(StoreError, match="is no ledger"):
        create(tmp_path / "notes.txt", IdType.INT64)
    assert (tmp_path / "notes.txt").read_text() == "buy milk" * 1000
    with pytest.raises(StoreError, match="in a directory that exists"):
        create(tmp_path / "nowhere" / "l.db", IdType.INT64)
    with pytest.raises(StoreError, match="in a directory that exists"):
        create(tmp_path, IdType.INT64)


def test_what_is_no_ledger_is_not_opened_nor_changed(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no ledger at"):
        open_ledger(tmp_path / "nowhere.db")
    (tmp_path / "notes.txt").write_text("buy milk" * 1000)
    with pytest.raises(StoreError, match="it is not an SQLite file"):
        open_ledger(tmp_path / "notes.txt")
    other = tmp_path / "other.db"
    driver = sqlite3.connect(other)
    driver.execute("CREATE TABLE mine (a)")
    driver.close()
    before = other.read_bytes()
    with pytest.raises(StoreError, match="is an SQLite file, but no ledger"):
        open_ledger(other)
    assert other.read_bytes() == before
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match="no ledger"):
        open_ledger(tmp_path / "empty.db")


def test_a_ledger_of_a_newer_sayso_is_not_opened(path: Path) -> None:
    create(path, IdType.INT64).close()
    with sqlite3.connect(path) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '0999'")
    driver.close()
    with pytest.raises(StoreError, match="form `0999`, which this version of sayso does not know; upgrade sayso"):
        open_ledger(path)


def test_a_damaged_ledger_is_an_error(path: Path) -> None:
    store = create(path, IdType.INT64)
    journal_on(store).append_many([e.SubjectRegistered(subject=n) for n in range(2000)])
    store.close()
    data = bytearray(path.read_bytes())
    data[8192:] = os.urandom(len(data) - 8192)
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"is damaged|could not do what was asked"):
        list(open_ledger(path).entries())


def test_a_full_disk_is_an_error_and_nothing_is_half_kept(path: Path) -> None:
    create(path, IdType.INT64).close()
    out, _ = started("fill", path, 600_000).communicate()
    *numbers, message, last = out.split("\n")[:-1]
    assert f"ledger `{path}` could not be" in message or "no room is left" in message
    store = open_ledger(path)
    assert store.head().size == int(last) + 1 == len(numbers) * 100 + 1
    assert first_difference(store, store.id_type) is None
    store.close()


def test_a_directory_that_may_not_be_written_is_an_error(path: Path) -> None:
    create(path, IdType.INT64).close()
    with read_only(path.parent) as closed, anybody(), pytest.raises(StoreError):
        journal_on(open_ledger(closed / path.name)).append(e.SubjectRegistered(subject=1))
    assert open_ledger(path).head().size == 0


def test_a_read_only_ledger_is_an_error(path: Path) -> None:
    create(path, IdType.INT64).close()
    driver = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    with pytest.raises(StoreError, match="may not be written"), reported(path):
        driver.execute("DELETE FROM ledger")
    driver.close()


@pytest.mark.slow
def test_nothing_is_left_in_parts_of_pages_that_nobody_uses(path: Path) -> None:
    """An index moves what it holds from page to page; SQLite leaves what it moved where it was."""
    store, chance = create(path, IdType.STRING), random.Random(1)
    journal = journal_on(store)
    people = [f"id{chance.randrange(10**9):09d}x{number:05d}" for number in range(3000)]
    chance.shuffle(people)
    for start in range(0, len(people), 100):
        some = people[start : start + 100]
        journal.append_many([e.SubjectRegistered(subject=one, attributes={"mark": f"at-{one}"}) for one in some])
    gone: set[str] = set()
    for _ in range(6):
        chance.shuffle(people)
        journal.append_many(
            [e.ChoiceRecorded(subject=one, decision="refusal", source=one + "y" * 200) for one in people[:200]]
        )
        reached = tuple(chance.sample(people, 50))
        journal.append(e.NoticeDelivered(notice="n", version="1", audience=e.Audience(subjects=reached)))
        gone |= set(people[:50])
        for one in people[:50]:
            journal.append(e.SubjectErased(subject=one))
        del people[:50]
    assert store.unscrubbed()
    assert store.scrub() == ()
    assert not store.unscrubbed()
    data = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    found = {one.decode() for one in re.findall(rb"id[0-9]{9}x[0-9]{5}", data)}
    assert len(found) == len(people)
    assert not found & gone
    store.close()
