"""`make bench`: every figure that the project promises, measured on this machine, as a table in Markdown."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks import data
from benchmarks.measure import pairs, run


def main() -> None:
    """Measures at a scale. The first run at a scale makes its data, which takes longer than the measuring."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--records", type=int, default=data.FULL.records)
    parser.add_argument("--subjects", type=int, default=data.FULL.subjects)
    parser.add_argument("--files", type=int, default=data.FULL.files)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--folder", type=Path, default=data.FOLDER)
    given = parser.parse_args()
    scale = data.Scale(given.records, given.subjects, given.files)
    corpus, ledger = str(data.corpus(scale, given.folder)), str(data.ledger(scale, given.folder))
    print(
        f"{platform.machine()}, Python {platform.python_version()}, duckdb {version('duckdb')}, pyarrow"
        f" {version('pyarrow')}; {scale.records:,} records, {scale.subjects:,} subjects\n"
    )
    print("| figure | wall | CPU | target |\n| --- | --- | --- | --- |", flush=True)

    def kept(purpose: str) -> str:
        return str(given.folder / f"snapshot-{scale.subjects}-{purpose}")

    def row(name: str, wall: str, cpu: str, target: str) -> None:
        print(f"| {name} | {wall} | {cpu} | {target} |", flush=True)

    targets = {"a twentieth": "<= 1.15", "a sixth": "<= 1.05", "half": "<= 0.85"}
    for share, purpose in data.USES.items():
        run(("snapshot", ledger, purpose, kept(purpose)))
        gated = ("gate", ledger, purpose, kept(purpose), corpus)
        found = pairs(gated, ("copy_duckdb", corpus), given.pairs, _tell)
        denied = f"{found.first.said['denied']:.1%} denied"
        row(
            f"gated copy / DuckDB copy, about {share} denied ({denied})",
            f"{found.wall:.2f}",
            f"{found.cpu:.2f}",
            targets[share],
        )
        row(
            f"— gate {found.first.wall:.1f} s, copy {found.second.wall:.1f} s; peak of the gate",
            f"{found.first.peak:.0f} MiB",
            "",
            "<= 2048 MiB",
        )
    sixth = data.USES["a sixth"]
    fastest = min((run((name, corpus)).wall, name) for name in ("copy_duckdb", "copy_pyarrow", "copy_polars"))[1]
    found = pairs(("gate", ledger, sixth, kept(sixth), corpus), (fastest, corpus), given.pairs, _tell)
    row(
        f"gated copy / fastest plain copy ({fastest.removeprefix('copy_')}), a sixth",
        f"{found.wall:.2f}",
        f"{found.cpu:.2f}",
        "<= 1.25",
    )
    found = pairs(("snapshot", ledger, sixth, kept(sixth)), ("group", ledger), max(2, given.pairs // 2), _tell)
    row("snapshot / reading and grouping the same events", f"{found.wall:.2f}", f"{found.cpu:.2f}", "<= 3")
    row(
        "peak of memory, gate with its snapshot made on the way",
        f"{run(('whole', ledger, sixth, corpus)).peak:.0f} MiB",
        "",
        "<= 2048 MiB",
    )
    said = run(("decision", ledger, sixth, kept(sixth))).said
    row("one decision, median microseconds (decider)", f"{said['decider']:.1f}", "", "<= 8")
    row("— the reference; a dict look-up", f"{said['reference']:.0f}; {said['dict']:.2f}", "", "")


def _tell(line: str) -> None:
    import sys

    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
