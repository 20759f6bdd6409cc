"""Killed at any moment of opening, appending, importing, erasing and publishing: nothing acknowledged is lost, and the log
never forks.

`python -m tests.stores.test_kills SEED TIMES` chooses the same moments again.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
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

ROOT = Path(__file__).parents[2]
LARGE = 20_000
"""So many events, and a look at all of them takes too long: then a new ledger is begun."""
FEW, MANY = 3, 60
"""A turn that finished fewer steps than these is followed by a longer one, one that finished more by a shorter one."""


def kills(place: Place, folder: Path, times: int, seed: int) -> int:
    """Kills a working process again and again, and looks at what it left.

    How long each may work goes by what the one before it got done, so that kills fall into the midst of work on every
    machine. Returns how many steps were acknowledged, of all ledgers that were begun.
    """
    chance = random.Random(seed)
    place.make().close()
    acknowledged, most, span, seen = 0, 0, 0.1, None
    coming = _started(place, folder, chance, 0)  # a process takes longer to begin than to be killed
    for turn in range(times):
        worker, coming = coming, _started(place, folder, chance, turn + 1)
        told = _killed(worker, chance.uniform(0, span))
        acknowledged, most = acknowledged + len(told), max([most, *told])
        span *= 2 if len(told) < FEW else 0.5 if len(told) > MANY else 1
        store, where = place.open(), f"seed {seed}, kill {turn}"
        seen = _looked_at(store, folder / "public", most, seen, where)
        if turn % 10 == 9 or turn == times - 1:
            assert list(faults(store, KEYS.verifiers)) == [], where
        size = store.head().size
        store.close()
        if size > LARGE:
            shutil.rmtree(folder / "public")
            place.make().close()
            most, seen = 0, None
    coming.communicate()
    return acknowledged


def _started(place: Place, folder: Path, chance: random.Random, turn: int) -> subprocess.Popen[str]:
    """A process that is ready to work, and begins when it is told to."""
    arguments = ["work", place.location, str(folder), str(chance.randrange(2**32)), str(turn * 10**6)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.stores.writer", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def _killed(worker: subprocess.Popen[str], after: float) -> list[int]:
    """What a process acknowledged, whole lines of it, before it was killed."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    worker.stdin.write("go\n")
    worker.stdin.flush()
    time.sleep(after)
    worker.send_signal(signal.SIGKILL)
    told = [int(line) for line in worker.communicate()[0].split("\n")[:-1]]
    assert worker.returncode == -signal.SIGKILL, "it ended by itself"
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


@pytest.fixture(params=[SqlitePlace], ids=["sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    make: Callable[[Path], Place] = request.param
    return make(tmp_path / "ledger.db")


@pytest.mark.slow
def test_fifty_kills(place: Place, tmp_path: Path) -> None:
    assert kills(place, tmp_path, 50, seed=3) >= 50


@pytest.mark.torture
def test_a_thousand_kills(place: Place, tmp_path: Path) -> None:
    assert kills(place, tmp_path, 1000, seed=random.randrange(2**32)) >= 1000


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        ledger = SqlitePlace(Path(scratch) / "ledger.db")
        sys.stdout.write(f"{kills(ledger, Path(scratch), int(sys.argv[2]), int(sys.argv[1]))} steps\n")
