"""What every store must hold to (`sayso.ledger.store`): the same suite on SQLite and on PostgreSQL."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from sayso import instant
from sayso.errors import EventError, StoreBusyError, StoreError
from sayso.ledger import events as e
from sayso.ledger.entry import PrivatePart
from sayso.ledger.identity import Id, IdType
from sayso.ledger.log import checkpoint
from sayso.ledger.log.tiles import Tile
from sayso.ledger.rebuild import first_difference
from sayso.ledger.store import Store
from tests.ledgers import KEYS, ORIGIN
from tests.stores.places import Place, journal_on, started, wrong

IDS: dict[IdType, list[Id]] = {
    IdType.INT64: [-(2**63), 0, 2**63 - 1],
    IdType.STRING: ["1", 'é, "x"', "-0", "\\N", "%s?", "x" * 256],
    IdType.UUID: ["0" * 8 + "-0000" * 3 + "-" + "a" * 12],
}


# ── what is kept is what is read ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("id_type", list(IdType))
def test_a_new_ledger_is_empty_and_keeps_its_id_type_and_origin(place: Place, id_type: IdType) -> None:
    place.create(id_type).close()
    with closing(place.open()) as found:
        assert (found.id_type, found.origin) == (id_type, ORIGIN)
        assert found.head() == (0, instant.EARLIEST)
        assert checkpoint.opened(found.checkpoint(), KEYS.verifiers).size == 0
        assert not list(found.entries())
        assert not list(found.facts())
        assert not list(found.tiles())
        assert not found.payloads()
        assert not found.tombstones()
        assert wrong(found) == []


@pytest.mark.parametrize("id_type", list(IdType))
def test_ids_and_nulls_stream_as_they_were_given(place: Place, id_type: IdType) -> None:
    with closing(place.create(id_type)) as store:
        ids = IDS[id_type]
        journal = journal_on(store)
        journal.append_many([e.SubjectRegistered(subject=one) for one in ids])
        journal.append_many([e.AgentMandated(subject=ids[0], agent=ids[-1])] if len(ids) > 1 else [])
        table = pa.Table.from_batches(store.facts())
        assert table["id"].to_pylist()[: len(ids)] == ids
        expected = [None] * len(ids) + ([ids[-1]] if len(ids) > 1 else [])
        assert table["other"].to_pylist() == expected
        assert [fact.id for fact in store.facts_of(0, ids)] == table["id"].to_pylist()
        assert pa.Table.from_batches(store.facts(1, columns=("other", "id"))).to_pylist() == [
            {"other": None, "id": ids[0]}
        ]
        assert [fact.other for fact in store.facts_naming(ids[-1])] == expected[len(ids) :]
        for one in ids:
            assert {fact.id for fact in store.facts_of(0, [one])} == {one}


def test_entries_are_read_as_they_were_appended(store: Store) -> None:
    journal = journal_on(store)
    journal.append_many([e.SubjectRegistered(subject=n, territory="FR") for n in range(2500)])
    journal.append(e.SuspensionOpened(suspension="s", authority="é", reason="r"))
    entries = list(store.entries())
    assert [entry.position for entry in entries] == list(range(2501))
    assert entries[-1].everyones
    assert entries[-1].parts == ()
    assert list(store.globals()) == entries[-1:]
    assert list(store.globals(2500)) == list(store.globals(None, 2501)) == []
    (part,) = entries[7].parts
    assert isinstance(part, PrivatePart)
    assert b'"subject":"7"' in part.body
    assert list(store.entries(1, 3)) == entries[1:3]


def test_facts_are_read_below_a_position_only(store: Store) -> None:
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
def test_columns_that_facts_do_not_have_are_refused(store: Store, columns: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="expected columns among position"):
        list(store.facts(columns=columns))


def test_a_scan_is_one_view_however_long_it_takes(store: Store) -> None:
    journal = journal_on(store)
    journal.append_many([e.SubjectRegistered(subject=n) for n in range(10)])
    scan = store.facts(batch_rows=4)
    seen = next(scan).num_rows
    journal.append(e.SubjectErased(subject=9))
    journal.append(e.SubjectRegistered(subject=10))
    assert seen + sum(batch.num_rows for batch in scan) == 10


def test_a_view_does_not_change_while_others_write(store: Store) -> None:
    journal = journal_on(store)
    journal.append(e.SubjectRegistered(subject=1))
    with store.reading() as reading:
        before = reading.head(), reading.checkpoint()
        journal.append(e.SubjectRegistered(subject=2))
        assert (reading.head(), reading.checkpoint()) == before
        assert len(list(reading.entries())) == 1
    assert store.head().size == 2


def test_equal_payloads_share_a_code_and_codes_are_not_given_out_again(store: Store) -> None:
    journal = journal_on(store)
    journal.append_many([e.SubjectRegistered(subject=n, territory="FR") for n in (1, 2)])
    (first,) = store.payloads()
    journal.append(e.SubjectErased(subject=1))
    journal.append(e.SubjectErased(subject=2))
    assert not store.payloads()
    journal.append(e.SubjectRegistered(subject=3, territory="FR"))
    (second,) = store.payloads()
    assert second > first


def test_a_payload_may_be_long(store: Store) -> None:
    journal = journal_on(store)
    several = [
        e.SubjectRegistered(subject=n, attributes={f"a{m}": "x" * 200 for m in range(60)} | {"b": str(n % 2)})
        for n in range(6)
    ]
    journal.append_many(several[:3])
    journal.append_many(several[3:])
    assert len(store.payloads()) == 2
    assert all(len(body) > 8192 for body in store.payloads().values())
    assert wrong(store) == []


# ── a transaction is whole, and alone ────────────────────────────────────────────────────────────────────────────────


def test_what_raises_keeps_nothing(store: Store) -> None:
    journal = journal_on(store)
    journal.append(e.SubjectRegistered(subject=1))
    before = store.checkpoint()

    def interrupted() -> None:
        with journal.writing() as writer:
            writer.add([e.SubjectRegistered(subject=n, territory="DE") for n in range(2, 900)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert (store.head().size, store.checkpoint(), list(store.payloads().values())) == (
        1, before, [b'{"kind":"subject.registered"}'],
    )  # fmt: skip
    assert journal.append(e.SubjectRegistered(subject=2, territory="DE")).position == 1
    assert wrong(store) == []


def test_what_a_transaction_wrote_it_reads(store: Store) -> None:
    journal = journal_on(store)
    with pytest.raises(EventError, match="registered already"):
        journal.append_many([e.SubjectRegistered(subject=1), e.SubjectRegistered(subject=1)])
    with store.writing() as writing:
        writing.grow({(0, 0): b"\1" * 64}, "text")
        assert writing.checkpoint() == "text"
        assert writing.tile(Tile(0, 0, 2)) == b"\1" * 64
        writing.grow({(0, 0): b"\2" * 96}, "text")
        assert writing.tile(Tile(0, 0, 3)) == b"\2" * 96
        writing.replace_tiles([])
        writing.grow({}, journal.log.sign(journal.log.take(store)))


def test_another_that_holds_the_ledger_is_waited_for_and_then_told(place: Place) -> None:
    place.create().close()
    with closing(place.open()) as holder, closing(place.open(wait=0.3)) as store:
        with holder.writing() as held:
            held.head()  # on PostgreSQL, whoever has read something holds it
            with pytest.raises(StoreBusyError, match="another process holds ledger"):
                journal_on(store).append(e.SubjectRegistered(subject=1))
        assert store.head().size == 0
        journal_on(store).append(e.SubjectRegistered(subject=1))
        with store.writing(), ThreadPoolExecutor(1) as pool, pytest.raises(StoreBusyError, match="another thread"):
            pool.submit(journal_on(store).append, e.SubjectRegistered(subject=2)).result()


def test_threads_append_without_gaps(store: Store) -> None:
    journal = journal_on(store)

    def work(worker: int) -> list[int]:
        return [journal.append(e.SubjectRegistered(subject=worker * 1000 + n)).position for n in range(25)]

    with ThreadPoolExecutor(8) as pool:
        positions = sorted(position for found in pool.map(work, range(8)) for position in found)
    assert positions == list(range(200))
    assert wrong(store) == []


def test_processes_append_without_gaps_or_forks(place: Place) -> None:
    place.create().close()
    workers = [started("append", place.location, worker * 1000, 60) for worker in range(4)]
    lines = [line for worker in workers for line in worker.communicate()[0].split() if line != "ready"]
    assert sorted(map(int, lines)) == list(range(240))
    with closing(place.open()) as store:
        assert [entry.position for entry in store.entries()] == list(range(240))
        assert wrong(store) == []


def test_what_another_process_recorded_is_heard(place: Place) -> None:
    """A journal that was open before another one published, suspended or erased judges by what that said."""
    with closing(place.create()) as one, closing(place.open()) as other:
        first, second = journal_on(one), journal_on(other)
        first.append(e.SubjectRegistered(subject=1))
        second.append(e.SuspensionOpened(suspension="s", authority="a", reason="r"))
        with pytest.raises(EventError, match="there is a suspension `s` already"):
            first.append(e.SuspensionOpened(suspension="s", authority="a", reason="r"))
        second.append(e.SubjectErased(subject=1))
        with pytest.raises(EventError, match="was erased"):
            first.append(e.SubjectMoved(subject=1, territory="FR"))
        assert first.append(e.SubjectRegistered(subject=2)).position == 3
        assert wrong(one) == []


def killed(worker: subprocess.Popen[str], after: float) -> list[int]:
    """The numbers that a process printed whole before it was killed, this long after it was ready."""
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    time.sleep(after)
    worker.send_signal(signal.SIGKILL)
    return [int(line) for line in worker.communicate()[0].split("\n")[:-1]]


@pytest.mark.slow
def test_a_kill_in_mid_import_shows_nothing_half(place: Place, tmp_path: Path) -> None:
    chance = random.Random(2)
    count = 15_000
    source = tmp_path / "events.ndjson"
    source.write_text("".join(f'{{"kind":"subject.registered","subject":{n}}}\n' for n in range(count)))
    for turn in range(4):
        batch = (0, 1000)[turn % 2]
        place.empty()
        place.create().close()
        told = killed(started("import", place.location, source, batch), chance.uniform(0, 1.0))
        with closing(place.open()) as store:
            size = store.head().size
            if batch:
                # What was told last may not have been committed yet; every batch before it is.
                assert size % batch == 0, f"half a batch is visible; kill {turn}"
                assert size >= (told[-1] if told else 0) - batch
            else:
                assert size in {0, count}, f"half an import is visible; kill {turn}"
            assert [entry.position for entry in store.entries()] == list(range(size))
            assert first_difference(store, store.id_type) is None


# ── what is no ledger ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_ledger_is_not_made_over_another(place: Place) -> None:
    place.create().close()
    with pytest.raises(StoreError, match="holds a ledger or other"):
        place.create()
    with closing(place.open()) as store:
        assert store.head().size == 0


def test_a_ledger_of_a_newer_sayso_is_not_opened(place: Place) -> None:
    place.create().close()
    place.run("UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(StoreError, match="form `0999`, which this version of sayso does not know; upgrade sayso"):
        place.open()


def test_a_ledger_that_others_write_to_is_looked_at_as_of_one_moment(place: Place) -> None:
    """No false alarm: neither of a checkpoint that came after the entries, nor of facts or tombstones that did."""
    with closing(place.create()) as store, closing(place.open()) as other:
        journal = journal_on(store)
        journal.append_many([e.SubjectRegistered(subject=n, territory="FR") for n in range(300)])
        writer, stopped = journal_on(other), threading.Event()

        def write() -> int:
            count = 300
            while not stopped.is_set():
                writer.append(e.SubjectRegistered(subject=count, territory="DE"))
                writer.append(e.SubjectErased(subject=count))
                count += 1
            return count

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            try:
                for _ in range(8):
                    before = store.head().size
                    assert wrong(store) == []
                    while store.head().size == before and not writing.done():
                        time.sleep(0.01)
            finally:
                stopped.set()
            assert writing.result() > 300
        assert wrong(store) == []
