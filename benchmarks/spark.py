"""What Spark's gated copy costs beside its plain copy, in one warm session: `python -m benchmarks.spark`."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import data
from sayso.api import open_ledger
from sayso.engines.duckdb import DuckDBEngine
from sayso.engines.spark import SparkEngine
from sayso.engines.spark_session import start
from sayso.gate import distributed, snapshots
from sayso.gate.job import Job
from sayso.policy.facts import Use

WAYS = {
    "place": "decided by place",
    "joins": "decided by joins, the snapshot sent to all",
    "shuffled": "decided by joins, the snapshot shuffled",
}
PURPOSE = data.USES["a sixth"]


def main() -> None:
    """Pairs of a gated and a plain copy of the same files, in turn, after one of each that is not counted."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--records", type=int, default=data.FULL.records)
    parser.add_argument("--subjects", type=int, default=data.FULL.subjects)
    parser.add_argument("--files", type=int, default=data.FULL.files)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=data.FOLDER)
    parser.add_argument("--master", default=f"local[{os.cpu_count()}]")
    parser.add_argument("--memory", default="6g", help="of the driver, which is all of Spark on a local master")
    parser.add_argument("--only", action="append", choices=list(WAYS), help="how records are decided")
    given = parser.parse_args()
    scale = data.Scale(given.records, given.subjects, given.files)
    corpus, ledger = data.corpus(scale, given.folder), data.ledger(scale, given.folder)
    session = start(given.master, {"spark.driver.memory": given.memory})
    with open_ledger(ledger, now=lambda: data.AT) as opened:
        pinned = snapshots.make(
            opened.parts.journal.store,
            opened.parts.reader.view(),
            Use(PURPOSE, data.RECIPIENT, data.AT),
            DuckDBEngine(),
        )

        def plain(into: Path) -> float:
            session.read.parquet(str(corpus)).write.parquet(str(into))
            return 0.0

        def gated(way: str) -> Callable[[Path], float]:
            def run(into: Path) -> float:
                job = Job(
                    Use(PURPOSE, data.RECIPIENT, data.AT), False, (str(corpus),), data.COLUMNS, into,
                    position=pinned.position, snapshot=pinned,
                )  # fmt: skip
                engine = SparkEngine(
                    session, arrow=way == "place", broadcast=0 if way == "shuffled" else scale.subjects
                )
                with distributed.run(job, engine, DuckDBEngine(), opened.parts.reader, now=lambda: data.AT) as made:
                    counts = made.outcome.manifest["counts"]
                return float(counts["denied"] / counts["records"])

            return run

        print(
            f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before, Spark {session.version} on"
            f" `{given.master}`; {scale.records:,} records, {scale.subjects:,} subjects\n\n"
            "| figure | wall | target |\n| --- | --- | --- |",
            flush=True,
        )
        for way in given.only or WAYS:
            ratio, gate, copy, denied = _pairs(gated(way), plain, given.pairs, corpus.parent)
            print(
                f"| Spark gated copy / Spark plain copy, {denied:.1%} denied, {WAYS[way]} | {ratio:.2f} | <= 1.4 |\n"
                f"| — gate {gate:.1f} s, copy {copy:.1f} s | | |",
                flush=True,
            )
    session.stop()


def _pairs(
    first: Callable[[Path], float], second: Callable[[Path], float], count: int, beside: Path
) -> tuple[float, float, float, float]:
    """The median ratio of both, their medians, and what the first says."""
    spent: list[tuple[float, float]] = []
    said = 0.0
    for number in range(count + 1):
        seconds = {}
        for which in (first, second) if number % 2 else (second, first):
            folder = Path(tempfile.mkdtemp(dir=beside))
            started = time.perf_counter()
            told = which(folder / "out")
            seconds[which] = time.perf_counter() - started
            said = told or said
            shutil.rmtree(folder)
        if number:  # the first pair warms the session
            spent.append((seconds[first], seconds[second]))
    ratio = statistics.median(a / b for a, b in spent)
    return ratio, statistics.median(a for a, _ in spent), statistics.median(b for _, b in spent), said


if __name__ == "__main__":
    main()
