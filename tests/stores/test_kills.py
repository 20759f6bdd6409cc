"""Killed at any moment of opening, appending, importing, erasing and publishing: nothing acknowledged is lost, and the log
never forks.

`python -m tests.stores.test_kills SEED TIMES` chooses the same moments again.
"""

from __future__ import annotations

import multiprocessing
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

from sayso.ledger.fsck import faults
from sayso.ledger.head import check_not_older
from sayso.ledger.log import checkpoint
from sayso.ledger.log.checkpoint import Checkpoint
from sayso.ledger.publishing import publish
from sayso.ledger.store import Store
from tests.ledgers import KEYS
from tests.stores.places import Place, SqlitePlace
from tests.stores.writer import work

# Processes forked from one that has everything imported: else most of the time is spent on that.
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["tests.stores.writer"])
LARGE = 20_000
"""So many events, and a look at all of them takes too long: then a new ledger is begun."""
STEPS = 15
"""So many steps are to be done before the latest kill."""


def kills(place: Place, folder: Path, times: int, seed: int) -> int:
    """Kills a working process again and again, and looks at what it left.

    How long each may work goes by what the one before it got done, so that kills fall into the midst of work on every
    machine. Returns how many steps were acknowledged, of all ledgers that were begun.
    """
    chance = random.Random(seed)
    place.create().close()
    acknowledged, most, span, seen = 0, 0, 0.1, None
    for turn in range(times):
        after = chance.uniform(0, span)
        told = _killed(place, folder, chance.randrange(2**32), turn * 10**6, after)
        acknowledged, most = acknowledged + len(told), max([most, *told])
        span = min(2 * span, STEPS * after / len(told)) if told else span + after
        store, where = place.open(), f"seed {seed}, kill {turn}"
        seen = _looked_at(store, folder / "public", most, seen, where)
        if turn % 10 == 9 or turn == times - 1:
            assert list(faults(store, KEYS.verifiers)) == [], where
        size = store.head().size
        store.close()
        if size > LARGE:
            shutil.rmtree(folder / "public")
            place.empty()
            place.create().close()
            most, seen = 0, None
    return acknowledged


def _killed(place: Place, folder: Path, seed: int, first: int, after: float) -> list[int]:
    """What a process acknowledged before it was killed."""
    hearing, saying = FORKED.Pipe(duplex=False)
    worker = FORKED.Process(target=work, args=(saying, place.location, str(folder), seed, first))
    worker.start()
    saying.close()
    time.sleep(after)
    worker.kill()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL, "it ended by itself"
    told = []
    with hearing:
        while True:
            try:
                told.append(int(hearing.recv_bytes()))
            except EOFError:
                return told


def _looked_at(store: Store, public: Path, acknowledged: int, seen: Checkpoint | None, where: str) -> Checkpoint:
    """The checkpoint of a ledger that goes on from the one seen before, and can be published where that one was."""
    with store.reading() as reading:
        head = checkpoint.opened(reading.checkpoint(), KEYS.verifiers)
        assert head.size >= acknowledged, f"an acknowledged event is lost; {where}"
        if seen is not None:
            check_not_older(reading, head, seen)
        publish(reading, public, KEYS.verifiers)
    return head


@pytest.mark.slow
def test_fifty_kills(place: Place, tmp_path: Path) -> None:
    assert kills(place, tmp_path, 50, seed=3) >= 50


@pytest.mark.torture
def test_a_thousand_kills(place: Place, tmp_path: Path) -> None:
    assert kills(place, tmp_path, 1000, seed=random.randrange(2**32)) >= 1000


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        somewhere = SqlitePlace(Path(scratch) / "ledger.db")
        sys.stdout.write(f"{kills(somewhere, Path(scratch), int(sys.argv[2]), int(sys.argv[1]))} steps\n")
