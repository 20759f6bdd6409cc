"""`make bench`: every figure that the project promises, measured on this machine, as a table in Markdown."""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks import data, rivals
from benchmarks.measure import Ratio, pairs, run

SIXTH = data.USES["a sixth"]
TARGETS = {"a twentieth": "<= 1.15", "a sixth": "<= 1.05", "half": "<= 0.85"}


@dataclass(frozen=True)
class Bench:
    """The data of one scale, and how often each pair is run."""

    scale: data.Scale
    folder: Path
    pairs: int
    corpus: str
    ledger: str

    def kept(self, purpose: str) -> str:
        """Where a snapshot is kept; made if it is not there."""
        path = self.folder / f"snapshot-{self.scale.subjects}-form{data.FORM}-{purpose}"
        if not path.exists():
            run(("snapshot", self.ledger, purpose, str(path)))
        return str(path)

    def gate(self, purpose: str, times: int = 1) -> tuple[str, ...]:
        """The task that gates the corpus, or several times the corpus at once."""
        return ("gate", self.ledger, purpose, self.kept(purpose), *[self.corpus] * times)


def copies(bench: Bench) -> None:
    """Gated copies beside DuckDB's plain copy, and beside the fastest."""
    for share, purpose in data.USES.items():
        found = pairs(bench.gate(purpose), ("copy_duckdb", bench.corpus), bench.pairs, tell)
        denied = f"{found.first.said['denied']:.1%} denied"
        ratio(f"gated copy / DuckDB's plain copy, {denied}", found, TARGETS[share])
        row(f"— gate {found.first.wall:.1f} s, copy {found.second.wall:.1f} s; peak of the gate's memory",
             f"{found.first.peak:.0f} MiB", "", "<= 2048 MiB")  # fmt: skip
    fastest = min((run((name, bench.corpus)).wall, name) for name in ("copy_duckdb", "copy_pyarrow", "copy_polars"))[1]
    found = pairs(bench.gate(SIXTH), (fastest, bench.corpus), bench.pairs, tell)
    ratio(f"gated copy / the fastest plain copy ({fastest.removeprefix('copy_')}), a sixth denied", found, "<= 1.25")


def snapshots(bench: Bench) -> None:
    """Snapshots beside reading and grouping the same events."""
    for purpose in data.USES.values():
        asked = ("snapshot", bench.ledger, purpose, bench.kept(purpose))
        found = pairs(
            asked, ("group", bench.ledger), max(1, bench.pairs // 3 if purpose == SIXTH else 1), tell, warm=False
        )
        ratio(f"snapshot ({purpose}) / reading and grouping the same events", found, "<= 3")
        row(f"— snapshot {found.first.wall:.0f} s, grouping {found.second.wall:.0f} s; peak of the snapshot's memory",
             f"{found.first.peak:.0f} MiB", "", "")  # fmt: skip


def decisions(bench: Bench) -> None:
    """One decision in process, beside a dict look-up, the reference and other engines."""
    said = run(("decision", bench.ledger, SIXTH, bench.kept(SIXTH))).said
    row("one decision with its evidence, median, microseconds", f"{said['decisions']:.1f}", "", "<= 8")
    row("— of which the look-up; the reference; a dict's look-up",
         f"{said['decider']:.1f}; {said['reference']:.0f}; {said['dict']:.2f}", "", "")  # fmt: skip
    others = rivals.measured()
    told = "; ".join(f"{name} {'not installed' if value is None else value}" for name, value in others.items())
    row("— a like question put to others", told, "", "")


def records(bench: Bench) -> None:
    """The marginal cost of a record: the corpus once, and as often as gives 100 million records."""
    times = [1, max(2, 100_000_000 // bench.scale.records)]
    few = max(1, bench.scale.files // 20)
    some = [run(("gate", bench.ledger, SIXTH, bench.kept(SIXTH), f"{bench.corpus}:{few}")) for _ in range(3)]
    found = [(bench.scale.records * few // bench.scale.files, some)]
    found += [(bench.scale.records * n, [run(bench.gate(SIXTH, n)) for _ in range(3 if n == 1 else 1)]) for n in times]
    _slopes("record", [(n, statistics.median(r.cpu for r in runs), max(r.peak for r in runs)) for n, runs in found])


def subjects(bench: Bench, scales: list[int]) -> None:
    """The marginal cost of a subject in a snapshot."""
    found = []
    for number in sorted({*scales, bench.scale.subjects}):
        scale = data.Scale(bench.scale.records, number, bench.scale.files)
        ledger = str(data.ledger(scale, bench.folder))
        path = bench.folder / f"snapshot-{number}-form{data.FORM}-{SIXTH}"
        made = run(("snapshot", ledger, SIXTH, str(path)))
        found.append((number, made.cpu, made.peak))
    _slopes("subject", found)


def _slopes(what: str, found: list[tuple[int, float, float]]) -> None:
    for number, cpu, peak in found:
        row(f"{number:,} {what}s", f"peak {peak:.0f} MiB", f"{cpu:.1f} s", "<= 2048 MiB" if what == "record" else "")
    steps = list(itertools.pairwise(found))
    costs = [(b[1] - a[1]) / (b[0] - a[0]) * 1e6 for a, b in steps]
    for (a, b), cost in zip(steps, costs, strict=True):
        row(f"— marginal cost of a {what}, {a[0]:,} to {b[0]:,}, microseconds", "", f"{cost:.2f}", "flat within 15%")


def ratio(name: str, found: Ratio, target: str) -> None:
    row(name, f"{found.wall:.2f}", f"{found.cpu:.2f}", target)


def row(name: str, wall: str, cpu: str, target: str) -> None:
    print(f"| {name} | {wall} | {cpu} | {target} |", flush=True)


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def begin(parser: argparse.ArgumentParser) -> tuple[Bench, argparse.Namespace]:
    """The data of the scale that is asked for, made if it is not there; and the head of a table is printed."""
    parser.add_argument("--records", type=int, default=data.FULL.records)
    parser.add_argument("--subjects", type=int, default=data.FULL.subjects)
    parser.add_argument("--files", type=int, default=data.FULL.files)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--folder", type=Path, default=data.FOLDER)
    given = parser.parse_args()
    scale = data.Scale(given.records, given.subjects, given.files)
    corpus, ledger = str(data.corpus(scale, given.folder)), str(data.ledger(scale, given.folder))
    bench = Bench(scale, given.folder, given.pairs, corpus, ledger)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, duckdb {version('duckdb')},"
        f" pyarrow {version('pyarrow')}, polars {version('polars')}; {scale.records:,} records,"
        f" {scale.subjects:,} subjects\n\n| figure | wall | CPU | target |\n| --- | --- | --- | --- |",
        flush=True,
    )
    return bench, given


def main() -> None:
    """Measures at a scale. The first run at a scale makes its data, which takes longer than the measuring."""
    parts: dict[str, Callable[[Bench], None]] = {
        "copies": copies, "snapshots": snapshots, "decisions": decisions, "records": records,
    }  # fmt: skip
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--only", choices=[*parts, "subjects"], action="append", help="measure these parts alone")
    parser.add_argument("--also", type=int, action="append", help="numbers of subjects beside, for their marginal cost")
    bench, given = begin(parser)
    for name, part in parts.items():
        if given.only is None or name in given.only:
            part(bench)
    if given.only is None or "subjects" in given.only:
        subjects(bench, given.also or [100_000, 1_000_000])


if __name__ == "__main__":
    main()
