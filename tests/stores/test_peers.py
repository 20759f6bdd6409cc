"""Processes of one host that share commits: each event is answered, none is lost or written twice, whoever ends or dies.

`python -m tests.stores.test_peers SEED TIMES` kills again as a seed says.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Thread

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso import errors, wiring
from sayso.errors import EventError, Problem, SaysoError, StoreError
from sayso.ledger import events as e
from sayso.ledger.fsck import faults
from sayso.ledger.identity import IdType
from sayso.ledger.journal import Answer, Journal, Recorded
from sayso.ledger.store import Writing
from sayso.stores.peer_frames import BYE, HELLO, Frames, answers_in, events_in, framed, framed_answers, framed_events
from sayso.stores.peers import Peers
from tests.ledger.strategies import documents
from tests.ledgers import KEYS, journal_on
from tests.postgres import Server
from tests.stores.places import ROOT, Place, PostgresPlace, SqlitePlace, opened

T0 = 1_700_000_000_000_000


@pytest.fixture
def path() -> Iterator[Path]:
    """Where the socket is: not below pytest's own directories, whose names are too long for one."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "appends.sock"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return SqlitePlace(tmp_path / "ledger.db")


Join = Callable[[], tuple[Journal, Peers]]


@pytest.fixture
def join(place: Place, path: Path) -> Iterator[Join]:
    """Journals as of several processes, each with a store of its own."""
    made: list[Peers] = []
    place.create().close()

    def one() -> tuple[Journal, Peers]:
        made.append(Peers(path, 5, lambda: time.sleep(50e-6)))
        return journal_on(place.open(), now=lambda: T0, peers=made[-1]), made[-1]

    yield one
    for peers in made:
        peers.close()


def person(subject: int) -> e.SubjectRegistered:
    return e.SubjectRegistered(subject=subject, territory="FR")


def writes(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many transactions a journal begins by itself from now on: one element each."""
    found: list[int] = []
    writing = journal.store.writing

    def counted() -> AbstractContextManager[Writing]:
        found.append(1)
        return writing()

    monkeypatch.setattr(journal.store, "writing", counted)
    return found


def test_the_second_event_of_a_process_makes_it_write_for_all(
    join: Join, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, _), (second, _) = join(), join()
    own = writes(second, monkeypatch)
    first.append(person(0))
    assert not path.exists()
    first.append(person(1))
    assert path.is_socket()
    assert path.stat().st_mode & 0o777 == 0o600
    assert second.append(person(2)) == Recorded(2, T0)
    with pytest.raises(EventError, match="the subject is registered already") as caught:
        second.append(person(2))
    assert caught.value.problems[0].remedy == "record what changed of it instead"
    assert second.append(person(3)).position == 3
    assert own == []
    assert list(faults(first.store, KEYS.verifiers)) == []


def test_who_ends_in_order_leaves_nothing_open_and_another_takes_over(join: Join) -> None:
    several = [join() for _ in range(4)]
    numbers = count()

    def work(turn: int) -> list[int]:
        journal, peers = several[turn]
        found = [journal.append(person(next(numbers))).position for _ in range(60)]
        peers.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        positions = [one for found in pool.map(work, range(4)) for one in found]
    assert sorted(positions) == list(range(240))
    assert list(faults(several[0][0].store, KEYS.verifiers)) == []


@contextmanager
def taker(path: Path, *said: bytes) -> Iterator[None]:
    """Somebody who listens, says these things to the first who connects, reads one thing, and ends."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            line, _ = listener.accept()
            listener.close()
            with line, suppress(OSError):
                line.sendall(said[0])
                Frames(line).next()
                path.unlink()
                line.sendall(b"".join(said[1:]))
            path.unlink(missing_ok=True)

        thread = Thread(target=serve)
        thread.start()
        yield
        thread.join()


def test_an_event_whose_taker_dies_may_be_there_or_not(join: Join, path: Path) -> None:
    journal, _ = join()
    with taker(path, framed(HELLO)), pytest.raises(StoreError, match="look whether the event is there"):
        journal.append(person(1))
    assert journal.store.head().size == 0
    assert journal.append(person(1)).position == 0


@pytest.mark.parametrize("said", [[framed(HELLO), framed(BYE)], [framed(b"something else")]])
def test_an_event_that_was_not_taken_is_written_once(join: Join, path: Path, said: list[bytes]) -> None:
    journal, _ = join()
    with taker(path, *said):
        assert journal.append(person(1)).position == 0
    assert journal.append(person(2)).position == 1


def test_an_answer_that_nobody_understands_is_no_answer(join: Join, path: Path) -> None:
    journal, _ = join()
    with taker(path, framed(HELLO), framed(b"\xc1")), pytest.raises(StoreError, match="look whether"):
        journal.append(person(1))


@pytest.mark.parametrize("sent", [b"\xff" * 8, framed(b"\xc1"), framed(msgspec.msgpack.encode([{"kind": "no.kind"}]))])
def test_who_says_nonsense_is_let_go_and_the_others_are_heard(join: Join, path: Path, sent: bytes) -> None:
    (first, _), (second, _) = join(), join()
    first.append(person(0))
    first.append(person(1))
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        line.settimeout(5)
        frames = Frames(line)
        assert frames.next() == HELLO
        line.sendall(sent)
        assert frames.next() in (None, BYE)
    assert second.append(person(2)).position == 2
    assert first.store.head().size == 3


def test_who_may_not_use_the_socket_writes_alone(join: Join, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (first, _), (second, _) = join(), join()
    first.append(person(0))
    first.append(person(1))
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    own = writes(second, monkeypatch)
    assert second.append(person(2)).position == 2
    assert own == [1]


def test_where_there_is_no_room_for_a_socket_each_writes_alone(place: Place, path: Path) -> None:
    place.create().close()
    for folder in (path.parent / "missing", path.parent / ("x" * 120)):
        journal = journal_on(place.open(), now=lambda: T0, peers=Peers(folder / "s.sock", 5, lambda: None))
        size = journal.store.head().size
        assert [journal.append(person(size + n)).position for n in range(3)] == [size, size + 1, size + 2]


def test_a_forked_process_lets_its_parent_go_on(join: Join, path: Path) -> None:
    journal, peers = join()
    journal.append(person(0))
    journal.append(person(1))
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    child.start()
    try:
        peers.close()
        assert not path.exists()
        other, _ = join()
        number, until = 2, time.monotonic() + 20
        while not path.is_socket() and time.monotonic() < until:  # a child may be slow to begin, and to let go
            other.append(person(number))
            number += 1
        assert path.is_socket(), "the child still holds the lock"
    finally:
        child.kill()
        child.join()


@pytest.mark.parametrize("id_type", list(IdType))
@given(data=st.data())
def test_events_are_told_whole(id_type: IdType, data: st.DataObject) -> None:
    several = data.draw(st.lists(documents(id_type), max_size=4))
    assert events_in(framed_events(several)[4:]) == several


KINDS = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, SaysoError)]


@pytest.mark.parametrize("kind", KINDS)
def test_errors_are_told_whole(kind: type[SaysoError]) -> None:
    if issubclass(kind, errors.InputError):
        error: SaysoError = kind([Problem("a", "file", 1, 2, "remedy"), Problem("b")])
    else:
        error = kind("message")
    several: list[Answer] = [Recorded(5, T0), error, ZeroDivisionError("x")]
    first, second, third = answers_in(framed_answers(several)[4:])
    assert first == several[0]
    assert type(second) is kind
    assert str(second) == str(error)
    assert type(third) is StoreError


@pytest.mark.slow
def test_on_postgresql_processes_are_wired_together(server: Server, path: Path) -> None:
    files = wiring.key_files(Path("unused"), {"SAYSO_KEYS": str(path.parent / "keys")})
    url = server.schema()
    with closing(wiring.create(url, IdType.INT64, keys=files)) as first:
        with closing(
            wiring.open_ledger(url, keys=wiring.key_files(url, {"SAYSO_KEYS": str(files.directory)}))
        ) as second:
            first.journal.append(person(0))
            first.journal.append(person(1))
            (found,) = files.directory.glob("appends-*.sock")
            second.store.close()
            assert second.journal.append(person(2)).position == 2
        assert found.exists()
    assert not found.exists()


def kills(place: Place, path: Path, times: int, seed: int) -> int:
    """Several processes append while one after another is killed; looks at what is there then. Returns how much that is."""
    chance = random.Random(seed)
    with closing(place.create()) as store:
        journal_on(store, now=lambda: T0).append(person(1))
    outputs: list[str] = []
    names = count()

    def started() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.stores.sharer", place.location, str(path), f"w{next(names)}", "100000"],
            stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        )  # fmt: skip

    def ready(worker: subprocess.Popen[str]) -> subprocess.Popen[str]:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        return worker

    def ended(worker: subprocess.Popen[str]) -> None:
        worker.send_signal(signal.SIGKILL)
        outputs.append(worker.communicate()[0])

    workers = [ready(worker) for worker in [started() for _ in range(4)]]
    for _ in range(times):
        time.sleep(chance.uniform(0, 0.05))
        ended(workers.pop(chance.randrange(len(workers))))
        workers.append(ready(started()))
    for worker in workers:
        assert worker.poll() is None, f"a process ended by itself; seed {seed}"
        ended(worker)
    told: dict[str, str] = {}
    for output in outputs:
        told |= dict(line.split(" ") for line in output.split("\n")[:-1] if " " in line)
    with closing(opened(place.location)) as store:
        there: dict[str, list[int]] = {}
        for one in journal_on(store, now=lambda: T0).read(1):
            assert isinstance(one.event, e.SubjectMoved)
            there.setdefault(str(one.event.attested), []).append(one.position)
        for name, said in told.items():
            if said != "lost":
                assert there.get(name) == [int(said)], f"an acknowledged event is lost; seed {seed}"
        assert all(len(found) == 1 for found in there.values()), f"an event is there twice; seed {seed}"
        assert list(faults(store, KEYS.verifiers)) == [], f"seed {seed}"
        return len(there)


@pytest.mark.slow
def test_killed_at_random_on_sqlite(place: Place, path: Path) -> None:
    assert kills(place, path, 6, seed=5) > 0


@pytest.mark.slow
def test_killed_at_random_on_postgresql(server: Server, path: Path) -> None:
    assert kills(PostgresPlace(server), path, 6, seed=6) > 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch, suppress(KeyboardInterrupt):
        found = kills(SqlitePlace(Path(scratch) / "ledger.db"), Path(scratch) / "s", int(sys.argv[2]), int(sys.argv[1]))
        sys.stdout.write(f"{found} events\n")
