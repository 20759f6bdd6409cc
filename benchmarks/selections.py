"""Selections, measured: making one beside the fastest plain copy, and reading through one beside reading the plain files.

`python -m benchmarks.selections`; the data is that of `benchmarks`, and a snapshot is at hand. Of a corpus of 100
million records the files are the same ones several times over, and of a ledger of 20 million subjects the snapshot is
made of one of 5 million, everybody four times with other ids.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.__main__ import SIXTH, Bench, begin, ratio, row, tell
from benchmarks.measure import pairs, run
from sayso.gate import snapshots


def made(bench: Bench, times: int, target: str, kept: str, subjects: str) -> None:
    """Selections with the digests of all inputs, beside Polars' plain copy of the same files."""
    corpora = [bench.corpus] * times
    found = pairs(
        ("select", bench.ledger, SIXTH, kept, *corpora), ("copy_polars", bench.corpus, str(times)), bench.pairs, tell
    )
    records = f"{bench.scale.records * times:,} records, {subjects} subjects, {found.first.said['denied']:.1%} denied"
    ratio(f"selection / the fastest plain copy (polars), {records}", found, target)
    row(f"— selection {found.first.wall:.1f} s, copy {found.second.wall:.1f} s; peak of the selection's memory",
         f"{found.first.peak:.0f} MiB", "", "<= 2048 MiB")  # fmt: skip


def read(bench: Bench, kept: str) -> None:
    """All columns as Arrow batches, through a selection and plainly."""
    folder = bench.folder / "selection"
    shutil.rmtree(folder, ignore_errors=True)
    run(("select", bench.ledger, SIXTH, kept, f"into={folder}", bench.corpus))
    found = pairs(("read_through", str(folder), bench.corpus, SIXTH), ("read_plain", bench.corpus), bench.pairs, tell)
    ratio("reading through a selection / reading the plain files", found, "<= 1.10")
    row(f"— reading {found.first.wall:.1f} s and {found.second.wall:.1f} s; opening, with the digest of each file",
         f"{found.first.said['opening']:.1f} s", "", "")  # fmt: skip


def many(bench: Bench, kept: str) -> str:
    """The snapshot with everybody four times: so many subjects as a ledger of four times the size has."""
    path = bench.folder / f"{Path(kept).name}-four"
    if not path.exists():
        pinned = snapshots.load(Path(kept))
        held = pinned.snapshot
        highest = int(np.max(held.standing.column("subject").to_numpy())) + 1

        def four(table: pa.Table) -> pa.Table:
            ids = table.column("subject").to_numpy()
            others = [table.set_column(0, "subject", pa.array(ids + highest * n)) for n in range(4)]
            return pa.concat_tables(others).combine_chunks()

        snapshots.save(snapshots.with_tables(pinned, standing=four(held.standing), overflow=four(held.overflow)), path)
    return str(path)


def main() -> None:
    """Measures at a scale, like `python -m benchmarks`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--only", choices=["made", "many", "read"], action="append", help="measure these parts alone")
    bench, given = begin(parser)
    only = given.only
    kept = bench.kept(SIXTH)
    subjects = f"{bench.scale.subjects:,}"
    if not only or "made" in only:
        made(bench, 1, "<= 0.30", kept, subjects)
    if not only or "read" in only:
        read(bench, kept)
    if not only or "many" in only:
        times = max(2, 100_000_000 // bench.scale.records)
        made(bench, times, "<= 0.20", many(bench, kept), f"{bench.scale.subjects * 4:,}")


if __name__ == "__main__":
    main()
