"""How things are measured: in processes of their own, in alternating pairs, wall beside CPU, with the peak of memory.

Single wall-clock ratios err by a fifth on shared machines; so every figure is the median of pairs, and CPU is told too.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command: seconds by the clock, seconds of CPU, MiB at the peak, and what it printed last."""

    wall: float
    cpu: float
    peak: float
    said: Any


@dataclass(frozen=True, slots=True)
class Ratio:
    """Medians over pairs: of the first by the second, by the clock and in CPU."""

    wall: float
    cpu: float
    first: Run
    second: Run


def run(arguments: Sequence[str]) -> Run:
    """Runs a task of `benchmarks.tasks` in a process of its own. Raises RuntimeError if it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.tasks", *arguments], stdout=subprocess.PIPE
    )  # our own
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the task `{' '.join(arguments)}` ended with {process.returncode}")
    said = json.loads(out.decode().strip().splitlines()[-1])
    return Run(said.pop("wall", wall), said.pop("cpu", used.ru_utime + used.ru_stime), used.ru_maxrss / 1024, said)


def pairs(
    first: Sequence[str], second: Sequence[str], count: int, told: Callable[[str], None], *, warm: bool = True
) -> Ratio:
    """Both tasks in turn, `count` times; after one of each that is not counted, where they are to be `warm`."""
    for task in (first, second) if warm else ():
        run(task)
    found: list[tuple[Run, Run]] = []
    for number in range(count):
        both = (run(first), run(second)) if number % 2 == 0 else tuple(reversed((run(second), run(first))))
        found.append(both)  # type: ignore[arg-type]  # two runs either way
        told(f"pair {number + 1} of {count}: {both[0].wall / both[1].wall:.2f}")
    return Ratio(
        statistics.median(a.wall / b.wall for a, b in found),
        statistics.median(a.cpu / b.cpu for a, b in found),
        _middle([a for a, _ in found]),
        _middle([b for _, b in found]),
    )


def _middle(runs: Sequence[Run]) -> Run:
    return sorted(runs, key=lambda one: one.wall)[len(runs) // 2]
