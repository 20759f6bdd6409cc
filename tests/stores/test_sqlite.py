"""The ledger in an SQLite file: what it keeps, what it says when it cannot, and that a kill loses nothing."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from sayso.errors import StoreBusyError, StoreError
from sayso.ledger import events as e
from sayso.ledger.identity import Id, IdType
from sayso.ledger.journal import Journal
from sayso.ledger.rebuild import first_difference
from sayso.stores import sqlite, tables
from sayso.stores.faults import reported
from sayso.stores.sqlite import SqliteStore
from tests import ledgers
from tests.ledgers import founding
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


def test_a_new_ledger_is_empty_and_keeps_its_id_type(path: Path) -> None:
    for id_type in IdType:
        file = path.with_suffix(f".{id_type}")
        create(file, id_type).close()
        found = open_ledger(file)
        assert found.id_type is id_type
        assert found.head().size == 0
        assert not list(found.entries())
        assert not list(found.facts())
        assert not found.payloads()
        assert not found.tombstones()
        found.close()


@pytest.mark.parametrize("id_type", list(IdType))
def test_ids_and_nulls_stream_as_they_were_given(path: Path, id_type: IdType) -> None:
    store = create(path, id_type)
    ids = IDS[id_type]
    journal = journal_on(store)
    journal.append_many([e.SubjectRegistered(subject=one) for one in ids])
    journal.append_many([e.AgentMandated(subject=ids[0], agent=ids[-1])] if len(ids) > 1 else [])
    table = pa.Table.from_batches(store.facts())
    assert table["id"].to_pylist()[: len(ids)] == ids
    expected = [None] * len(ids) + ([ids[-1]] if len(ids) > 1 else [])
    assert table["other"].to_pylist() == expected
    assert [fact.id for fact in store.facts_of(0, ids)] == table["id"].to_pylist()
    assert pa.Table.from_batches(store.facts(1, columns=("other", "id"))).to_pylist() == [{"other": None, "id": ids[0]}]
    store.close()


def test_facts_are_read_below_a_position_only(store: SqliteStore) -> None:
    journal = journal_on(store)
    journal.append(e.SubjectRegistered(subject=1))
    journal.append(e.SubjectMoved(subject=1, territory="FR"))
    assert [fact.position for fact in store.facts_of(0, [1], 1)] == [0]
    assert [fact.position for fact in store.facts_of(0, [1])] == [0, 1]
    assert pa.Table.from_batches(store.facts(1))["position"].to_pylist() == [0]
    assert [entry.position for entry in store.entries(1)] == [1]
    assert [entry.position for entry in store.entries(0, 1)] == [0]
    assert not list(store.entries(5, 9))


@pytest.mark.parametrize("columns", [(), ("name",)])
def test_columns_that_facts_do_not_have_are_refused(store: SqliteStore, columns: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="expected columns among position"):
        list(store.facts(columns=columns))


def test_a_scan_is_one_view_however_long_it_takes(store: SqliteStore) -> None:
    journal = journal_on(store)
    journal.append_many([e.SubjectRegistered(subject=n) for n in range(10)])
    scan = store.facts(batch_rows=4)
    seen = next(scan).num_rows
    journal.append(e.SubjectErased(subject=9))
    journal.append(e.SubjectRegistered(subject=10))
    assert seen + sum(batch.num_rows for batch in scan) == 10


def test_equal_payloads_share_a_code_and_codes_are_not_given_out_again(store: SqliteStore) -> None:
    journal = journal_on(store)
    journal.append_many([e.SubjectRegistered(subject=n, territory="FR") for n in (1, 2)])
    assert list(store.payloads()) == [1]
    journal.append(e.SubjectErased(subject=1))
    journal.append(e.SubjectErased(subject=2))
    assert not store.payloads()
    journal.append(e.SubjectRegistered(subject=3, territory="FR"))
    assert list(store.payloads()) == [2]


DDL = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"


def test_the_migrations_make_the_tables_of_today(path: Path) -> None:
    create(path, IdType.INT64).close()
    with sa.create_engine(f"sqlite:///{path}").connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})  # the text below has the types
        assert compare_metadata(context, tables.metadata) == []
        found = {row[0]: row[1] for row in connection.exec_driver_sql(DDL)}
    fresh = sa.create_engine("sqlite://")
    tables.metadata.create_all(fresh)
    with fresh.connect() as connection:
        made = [(row[0], row[1]) for row in connection.exec_driver_sql(DDL)]
    for name, sql in made:
        assert " ".join(found[name].split()) == " ".join(sql.split())


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
    assert first_difference(store) is None
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


def test_another_process_that_holds_the_ledger_is_waited_for_and_then_told(path: Path) -> None:
    create(path, IdType.INT64).close()
    store = open_ledger(path, wait=0.2)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError, match="another process holds ledger"):
        journal_on(store).append(e.SubjectRegistered(subject=1))
    assert store.head().size == 0
    holder.execute("COMMIT")
    holder.close()
    journal_on(store).append(e.SubjectRegistered(subject=1))
    with store.writing(), ThreadPoolExecutor(1) as pool, pytest.raises(StoreBusyError, match="another thread"):
        pool.submit(journal_on(store).append, e.SubjectRegistered(subject=2)).result()
    store.close()


def test_threads_append_without_gaps(store: SqliteStore) -> None:
    journal = journal_on(store)

    def work(worker: int) -> list[int]:
        return [journal.append(e.SubjectRegistered(subject=worker * 1000 + n)).position for n in range(25)]

    with ThreadPoolExecutor(8) as pool:
        positions = sorted(position for found in pool.map(work, range(8)) for position in found)
    assert positions == list(range(200))
    assert first_difference(store) is None


def started(*args: object) -> subprocess.Popen[str]:
    """A process of its own that writes to a ledger (tests/stores/writer.py)."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    writer = Path(__file__).with_name("writer.py")
    return subprocess.Popen(
        [sys.executable, writer, *map(str, args)], stdout=subprocess.PIPE, text=True, env=environment
    )


def test_processes_append_without_gaps(path: Path) -> None:
    create(path, IdType.INT64).close()
    workers = [started("append", path, worker * 1000, 40) for worker in range(3)]
    lines = [line for worker in workers for line in worker.communicate()[0].split() if line != "ready"]
    assert sorted(map(int, lines)) == list(range(120))
    store = open_ledger(path)
    assert [entry.position for entry in store.entries()] == list(range(120))
    store.close()


def killed(worker: subprocess.Popen[str], after: float) -> list[int]:
    """The numbers that a process printed whole before it was killed, this long after it was ready."""
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    time.sleep(after)
    worker.send_signal(signal.SIGKILL)
    out = worker.communicate()[0]
    return [int(line) for line in out.split("\n")[:-1]]


def kills_in_append(path: Path, times: int, seed: int) -> None:
    rng = random.Random(seed)
    create(path, IdType.INT64).close()
    acknowledged = 0
    for turn in range(times):
        lines = killed(started("append", path, turn * 1_000_000, 1_000_000), rng.uniform(0, 0.1))
        acknowledged = max([acknowledged, *(position + 1 for position in lines)])
        store = open_ledger(path)
        positions = [entry.position for entry in store.entries()]
        assert positions == list(range(len(positions)))
        assert len(positions) >= acknowledged, f"an acknowledged event is lost; seed {seed}, kill {turn}"
        assert first_difference(store) is None
        store.close()


def kills_in_import(path: Path, times: int, seed: int) -> None:
    rng = random.Random(seed)
    lines = "".join(f'{{"kind":"subject.registered","subject":{n}}}\n' for n in range(30_000))
    source = path.with_suffix(".ndjson")
    source.write_text(lines)
    for turn in range(times):
        batch = rng.choice([0, 1000])
        file = path.with_suffix(f".{turn}")
        create(file, IdType.INT64).close()
        lines_told = killed(started("import", file, source, batch), rng.uniform(0, 1.2))
        store = open_ledger(file)
        size = store.head().size
        told = lines_told[-1] if lines_told else 0
        if batch:
            # What was told last may not have been committed yet; every batch before it is.
            assert size % batch == 0, f"half a batch is visible; seed {seed}, kill {turn}"
            assert size >= told - batch
        else:
            assert size in {0, 30_000}, f"half an import is visible; seed {seed}, kill {turn}"
        assert [entry.position for entry in store.entries()] == list(range(size))
        assert first_difference(store) is None
        store.close()


@pytest.mark.slow
def test_a_kill_in_mid_append_loses_nothing_acknowledged(path: Path) -> None:
    kills_in_append(path, times=6, seed=1)


@pytest.mark.slow
def test_a_kill_in_mid_import_shows_nothing_half(path: Path) -> None:
    kills_in_import(path, times=5, seed=2)


@pytest.mark.torture
def test_many_kills(path: Path) -> None:
    seed = random.randrange(2**32)
    kills_in_append(path, times=100, seed=seed)
    kills_in_import(path.with_suffix(".import"), times=100, seed=seed)
