"""Appends that several threads share: each has its own answer, none is lost, and nobody waits for ever."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

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
