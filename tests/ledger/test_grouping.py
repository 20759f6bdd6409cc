"""Appends that several threads share: each has its own answer, none is lost, and nobody waits for ever."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest

from sayso.errors import EventError, StoreError
from sayso.ledger import events as e
from sayso.ledger.fsck import faults
from sayso.ledger.grouping import MOST, Group
from tests.ledger.conftest import Ledger
from tests.ledgers import KEYS, journal_on


def test_each_has_its_own_answer(ledger: Ledger) -> None:
    journal = journal_on(ledger.store, now=ledger.clock)

    def register(subject: int) -> int | str:
        try:
            return journal.append(e.SubjectRegistered(subject=subject % 300)).position
        except EventError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(register, range(600)))
    positions = [one for one in found if isinstance(one, int)]
    assert sorted(positions) == list(range(300))
    assert sum("registered already" in str(one) for one in found) == 300
    assert list(faults(ledger.store, KEYS.verifiers)) == []
    assert {entry.position for entry in ledger.store.entries()} == set(range(300))


def test_many_share_a_write() -> None:
    sizes: list[int] = []

    def write(asked: Sequence[int]) -> list[int | BaseException]:
        sizes.append(len(asked))
        time.sleep(0.01)
        return [one * 2 for one in asked]

    group: Group[int, int] = Group(write, 0.001)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(group.ask, range(200))) == [one * 2 for one in range(200)]
    assert sum(sizes) == 200
    assert len(sizes) < 100
    assert max(sizes) <= MOST


def test_a_store_that_fails_tells_everybody() -> None:
    def write(asked: Sequence[int]) -> list[int | BaseException]:
        time.sleep(0.005)
        return [StoreError("no room is left")] * len(asked)

    group: Group[int, int] = Group(write, 0.0)

    def ask(one: int) -> bool:
        with pytest.raises(StoreError, match="no room is left"):
            group.ask(one)
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(40)))


def test_what_nobody_expected_reaches_who_led_and_nobody_sleeps_on() -> None:
    def write(asked: Sequence[int]) -> list[int | BaseException]:
        time.sleep(0.005)
        raise ZeroDivisionError

    group: Group[int, int] = Group(write, 0.0)

    def ask(one: int) -> type[BaseException]:
        with pytest.raises((ZeroDivisionError, StoreError)) as caught:
            group.ask(one)
        return caught.type

    with ThreadPoolExecutor(8) as pool:
        kinds = list(pool.map(ask, range(40)))
    assert set(kinds) <= {ZeroDivisionError, StoreError}
    assert ZeroDivisionError in kinds


def test_a_store_that_cannot_be_written_says_so(ledger: Ledger) -> None:
    ledger.store.close()
    ledger.store.path.unlink()
    ledger.store.path.mkdir()
    with pytest.raises(StoreError):
        ledger.journal.append(e.SubjectRegistered(subject=1))


def test_an_event_that_no_entry_can_hold_is_refused(ledger: Ledger) -> None:
    wide = e.SuspensionOpened(
        suspension="s", authority="a", reason="r", conditions={f"c{n}": "x" * 1900 for n in range(40)}
    )
    with pytest.raises(EventError, match="takes more than 65535 bytes"):
        ledger.journal.append(wide)
    assert ledger.store.head().size == 0


# ── who is interrupted while waiting ─────────────────────────────────────────────────────────────────────────────────


class CutShortError(Exception):
    """A signal's handler raises it."""


@contextmanager
def interrupted(after: float) -> Iterator[None]:
    """The main thread is interrupted after so many seconds, as by Ctrl-C."""

    def handler(*_: object) -> None:
        raise CutShortError

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        with pytest.raises(CutShortError):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def later(group: Group[int, int]) -> int:
    """Asks once the main thread has."""
    time.sleep(0.1)
    return group.ask(2)


def test_who_is_interrupted_while_another_writes_is_not_written() -> None:
    writes, begun, go = list[list[int]](), Event(), Event()

    def write(asked: Sequence[int]) -> list[int | BaseException]:
        writes.append(list(asked))
        begun.set()
        assert go.wait(10)
        return list(asked)

    group: Group[int, int] = Group(write, 0.01)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(group.ask, 1)
        assert begun.wait(10)
        with interrupted(0.1):
            group.ask(2)
        go.set()
        assert first.result(10) == 1
        assert group.ask(3) == 3
    assert writes == [[1], [3]]


def test_who_is_interrupted_when_taken_already_may_have_been_written_and_nobody_sleeps_on() -> None:
    writes, go = list[list[int]](), Event()

    def write(asked: Sequence[int]) -> list[int | BaseException]:
        writes.append(list(asked))
        assert go.wait(10)
        return list(asked)

    group: Group[int, int] = Group(write, 60)
    group._expected = 2
    with ThreadPoolExecutor(1) as pool:
        last = pool.submit(later, group)
        with interrupted(0.4):
            group.ask(1)
        go.set()
        assert last.result(10) == 2
    assert writes == [[1, 2]]


def test_who_watches_and_is_interrupted_lets_another_watch() -> None:
    group: Group[int, int] = Group(list, 0.5)
    group._expected = 3
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(later, group)
        with interrupted(0.3):
            group.ask(1)
        assert other.result(10) == 2


def test_who_watches_is_answered_by_who_comes_last() -> None:
    group: Group[int, int] = Group(list, 60)
    group._expected = 2
    with ThreadPoolExecutor(1) as pool:
        last = pool.submit(later, group)
        assert group.ask(1) == 1
        assert last.result(10) == 2
