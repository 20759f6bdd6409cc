"""Killed at any moment of appending, importing, erasing and publishing: nothing acknowledged is lost, and the log never forks.

The seed is printed; `python -m tests.stores.test_kills SEED TIMES` runs the same again.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from sayso.ledger.fsck import faults
from sayso.ledger.head import check_not_older
from sayso.ledger.identity import IdType
from sayso.ledger.log import checkpoint
from sayso.ledger.publishing import publish
from sayso.stores import sqlite
from tests.ledgers import KEYS, founding

ROOT = Path(__file__).parents[2]


def kills(folder: Path, times: int, seed: int) -> int:
    """Kills a working process again and again, and looks at what it left. Returns how many events there are then."""
    chance = random.Random(seed)
    path = folder / "ledger.db"
    sqlite.create(path, IdType.INT64, founding()).close()
    acknowledged, seen = 0, None
    for turn in range(times):
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.stores.writer", "work", str(path), str(chance.randrange(2**32)), str(turn * 10**6)],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.12))
        worker.send_signal(signal.SIGKILL)
        told = [int(line) for line in worker.communicate()[0].split("\n")[:-1]]
        acknowledged = max([acknowledged, *told])
        store = sqlite.open_ledger(path, founding)
        with store.reading() as reading:
            head = checkpoint.opened(reading.checkpoint(), KEYS.verifiers)
            assert head.size >= acknowledged, f"an acknowledged event is lost; seed {seed}, kill {turn}"
            if seen is not None:
                check_not_older(reading, head, seen)
            seen = head
            publish(reading, folder / "ledger.db.public", KEYS.verifiers)
        if turn % 10 == 9 or turn == times - 1:
            assert list(faults(store, KEYS.verifiers)) == [], f"seed {seed}, kill {turn}"
            if store.head().size > 20_000:  # begin anew, or each look takes longer than the one before
                store.close()
                shutil.rmtree(folder / "ledger.db.public")
                for file in folder.glob("ledger.db*"):
                    file.unlink()
                sqlite.create(path, IdType.INT64, founding()).close()
                acknowledged, seen = 0, None
                continue
        store.close()
    return acknowledged


@pytest.mark.slow
def test_fifty_kills(tmp_path: Path) -> None:
    assert kills(tmp_path, 50, seed=3) > 0


@pytest.mark.torture
def test_a_thousand_kills(tmp_path: Path) -> None:
    kills(tmp_path, 1000, seed=random.randrange(2**32))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.stdout.write(f"{kills(Path(scratch), int(sys.argv[2]), int(sys.argv[1]))} events\n")
