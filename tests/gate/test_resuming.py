"""A gate that is killed goes on where it was, file by file, and its output is that of one that was not killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sayso import instant
from sayso.errors import EngineError
from sayso.gate import resuming
from sayso.gate.budget import Budget
from sayso.gate.output import Gated
from sayso.ledger import events as e
from tests.gate.platform import START, Platform, corpus, permitted, platform, records

FILES = 12
GATE = """
import sys
from pathlib import Path
from tests.gate.platform import *
folder, emit, memory = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = sqlite.open_ledger(folder / "ledger.sayso", founding)
made = Platform(journal_on(store, now=lambda: START, random_bytes=lambda n: b"1" * n), [START])
print("ready", flush=True)
made.gate(folder / "in", folder / "out", emit=emit, report=True, resume=True, memory=memory, threads=2)
"""


def content(folder: Path) -> dict[str, bytes]:
    """Every file, and every directory, of an output."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")
    }


def lines(folder: Path) -> int:
    """How many files a gate has written down as done."""
    return sum(len(path.read_bytes().splitlines()) - 1 for path in folder.glob(f".out.*/{resuming.FILE}"))


def killed(folder: Path, emit: str, most: int, wait: float) -> bool:
    """Runs a gate and kills it once it has done so many files, and then a little later; whether it was still there."""
    with subprocess.Popen([sys.executable, "-c", GATE, str(folder), emit, "1"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        while process.poll() is None and lines(folder) < most:
            time.sleep(0.001)
        time.sleep(wait)
        process.kill()  # nothing, where it came to its end before
        return process.wait() != 0


def goes_on(tmp_path: Path, emit: str, seed: int) -> None:
    random = Random(seed)
    with platform(tmp_path):
        source = corpus(tmp_path / "in", records(12_000), files=FILES, group=200)
    for name in ("in", "ledger.sayso", "ledger.sayso-wal"):
        if (tmp_path / name).is_dir():
            shutil.copytree(source, tmp_path / "whole/in")
        elif (tmp_path / name).exists():
            shutil.copy(tmp_path / name, tmp_path / "whole" / name)
    subprocess.run([sys.executable, "-c", GATE, str(tmp_path / "whole"), emit, str(1 << 30)], check=True)
    most = 0
    for _ in range(3):
        most = random.randint(most, FILES)
        if not killed(tmp_path, emit, most, random.random() / 50) or (tmp_path / "out").exists():
            break  # it was through, be it an instant before it was killed
    if not (tmp_path / "out").exists():
        subprocess.run([sys.executable, "-c", GATE, str(tmp_path), emit, str(1 << 20)], check=True)
    assert content(tmp_path / "out") == content(tmp_path / "whole/out")
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.slow
@pytest.mark.parametrize("emit", ["copy", "selection"])
def test_a_gate_that_is_killed_goes_on(tmp_path: Path, emit: str) -> None:
    goes_on(tmp_path, emit, 7)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(40))
def test_a_gate_that_is_killed_goes_on_whenever_it_was(tmp_path: Path, seed: int) -> None:
    goes_on(tmp_path, ("copy", "selection")[seed % 2], seed)


# ── what is gone on with, and what is not ────────────────────────────────────────────────────────────────────────────


class PowerError(Exception):
    """The power is cut."""


def cut(made: Platform, source: Path, after: int, **more: Any) -> None:
    """A gate that stops dead once it has done so many files: what it leaves stays."""
    done = 0
    add = resuming.Log.add

    def failing(log: resuming.Log, gated: Gated) -> None:
        nonlocal done
        if done == after:
            left = log._path.parent
            shutil.copytree(left, left.with_name(".kept"))
            raise OSError
        done += 1
        add(log, gated)

    resuming.Log.add = failing  # type: ignore[assignment, method-assign]  # put back below
    try:
        with pytest.raises(EngineError):
            made.gate(source, source.parent / "out", threads=1, **more)
    finally:
        resuming.Log.add = add  # type: ignore[method-assign]
    (source.parent / ".kept").rename(source.parent / ".out.1.partial")


def decided(made: Platform, source: Path, **more: Any) -> int:
    """How many files a gate that goes on decides; its output is that of one that is new."""
    asked: list[int] = []

    class Counting(type(made.gate.__globals__["DuckDBEngine"]())):  # type: ignore[misc]
        def verdicts(self, question: Any) -> Any:
            asked.append(len(question.parts))
            return super().verdicts(question)

    made.gate(source, source.parent / "out", resume=True, engine=Counting(threads=1), **more)
    return sum(asked)


@pytest.fixture
def house(tmp_path: Path) -> Any:
    with platform(tmp_path) as made:
        yield made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return corpus(tmp_path / "in", records(60), files=6)


def test_only_what_is_left_is_decided(house: Platform, source: Path) -> None:
    at = house.now()
    house.gate(source, source.parent / "whole", at=at)
    cut(house, source, 4, at=at)
    assert decided(house, source, at=at) == 2
    assert content(source.parent / "out") == content(source.parent / "whole")


def test_a_release_keeps_the_instant_of_its_first_look(house: Platform, source: Path) -> None:
    at = house.now()
    cut(house, source, 3, at=at)
    later = house.now() + instant.HOUR
    assert decided(house, source, at=later) == 3
    assert f'"at": "{instant.format(at)}"' in (source.parent / "out/manifest.json").read_text()


def test_what_was_recorded_since_is_seen_by_the_second_look(house: Platform, source: Path) -> None:
    cut(house, source, 3)
    house.journal.append(e.ChoiceRecorded(subject=5, decision="objection", source="setting"))
    decided(house, source)
    assert 5 not in permitted(source.parent / "out").column("author").to_pylist()


@pytest.mark.parametrize("change", ["emit", "canaries", "purpose", "file", "stale", "erased", "policy"])
def test_a_gate_that_is_asked_something_else_begins_anew(house: Platform, source: Path, change: str) -> None:
    cut(house, source, 3)
    more: dict[str, Any] = {}
    match change:
        case "emit":
            more = {"emit": "selection"}
        case "canaries":
            more = {"canaries": 2}
        case "purpose":
            more = {"purpose": "ranking"}
        case "file":
            os.utime(source / "part-1.parquet", ns=(1, 1))
        case "stale":
            house.clock[0] += 2 * instant.DAY
        case "erased":
            house.journal.append(e.SubjectErased(subject=5))
        case _:
            more = {"release": False, "at": START + 5}
    files = 6 * (1 + ("canaries" in more))
    assert decided(house, source, **more) == files
    name = "selected" if change == "emit" else "permitted"
    assert len(list((source.parent / "out" / name).iterdir())) == 6


@pytest.mark.parametrize("spoil", ["output", "line", "tail", "all"])
def test_what_was_not_written_whole_is_written_again(house: Platform, source: Path, spoil: str) -> None:
    at = house.now()
    house.gate(source, source.parent / "whole", at=at)
    cut(house, source, 4, at=at)
    left = source.parent / ".out.1.partial"
    log = left / resuming.FILE
    match spoil:
        case "output":
            (left / "permitted/part-1.parquet").write_bytes(b"half")
        case "line":
            log.write_bytes(log.read_bytes().replace(b'"cells"', b'"other"', 1))
        case "tail":
            log.write_bytes(log.read_bytes()[:-5])
        case _:
            log.write_bytes(b"\x00")
    assert decided(house, source, at=at) == (6 if spoil == "all" else 3)
    assert content(source.parent / "out") == content(source.parent / "whole")


def test_without_being_told_to_go_on_it_begins_anew(house: Platform, source: Path) -> None:
    cut(house, source, 3)
    house.gate(source, source.parent / "out")
    assert sorted(one.name for one in source.parent.iterdir() if "ledger" not in one.name) == ["in", "out"]


def test_another_gate_at_work_is_left_alone(house: Platform, source: Path, tmp_path: Path) -> None:
    """While one gate works, another for the same place neither takes nor removes what it has."""
    seen: list[list[str]] = []

    def meanwhile(stage: str, done: int, _total: int) -> None:
        if stage == "writing" and done and not seen:
            seen.append([])
            with pytest.raises(Exception, match="Power"):
                house.gate(source, tmp_path / "out", resume=True, progress=stopping)
            seen[0] = [one.name for one in tmp_path.glob(".out*")]

    def stopping(stage: str, *_: int) -> None:
        if stage == "deciding":
            raise PowerError("Power")

    house.gate(source, tmp_path / "out", progress=meanwhile)
    assert len(seen[0]) == 1
    assert len(permitted(tmp_path / "out")) > 0


def test_no_more_files_are_at_work_than_there_is_memory_for() -> None:
    budget, lock, taken = Budget(100), threading.Lock(), [0]
    most: list[int] = []

    def one(size: int) -> None:
        with budget.taking(size):
            with lock:
                taken[0] += size
                most.append(taken[0])
            time.sleep(0.001)
            with lock:
                taken[0] -= size

    sizes = [10, 60, 50, 1000, 30, 99, 1] * 5
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, sizes))
    assert all(together <= 100 or together in sizes for together in most)
    assert max(one for one in most if one <= 100) > 60
    assert (taken[0], len(most)) == (0, len(sizes))
