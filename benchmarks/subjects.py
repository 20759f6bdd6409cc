"""Many subjects a record, other ids, and what people do today, measured: `python -m benchmarks.subjects`.

The data is that of `benchmarks`, its corpus with other subjects made from it (`variants`). Of casbin and cedarpy it
says nothing unless `pip install casbin cedarpy` has brought them.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks import data, today, variants
from benchmarks.__main__ import SIXTH, Bench, begin, ratio, row, tell
from benchmarks.measure import pairs, run

TWENTIETH = data.USES["a twentieth"]
LENGTHS = (1, 5, 20, 200)
FEW = 100_000
LEAST = 5_000_000
"""Of a smaller corpus the same files are copied several times over, so that what is done once does not weigh."""


def apart(make: Callable[..., Path], *asked: Any, **more: Any) -> str:
    """Where something was made, in a process of its own: the peak of one that is begun is that of its parent or more."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return str(pool.submit(make, *asked, **more).result())


def lists(bench: Bench) -> None:
    """A gated copy by a column of five subjects a record, beside plain copies of the same files."""
    corpus = apart(variants.lists, Path(bench.corpus), 5)
    times = max(1, LEAST // bench.scale.records)
    gated = ("gate_by", "copy", "recipients", bench.ledger, TWENTIETH, bench.kept(TWENTIETH), *[corpus] * times)
    for name in ("copy_duckdb", "copy_polars"):
        found = pairs(gated, (name, corpus, str(times)), bench.pairs, tell)
        said = f"5 subjects a record in a list, {found.first.said['denied']:.1%} denied: gated copy"
        ratio(f"{said} / plain copy ({name.removeprefix('copy_')})", found, "<= 1.3")
        row(f"— gate {found.first.wall:.1f} s, copy {found.second.wall:.1f} s; peak of the gate's memory",
             f"{found.first.peak:.0f} MiB", "", "<= 2048 MiB")  # fmt: skip


def lengths(bench: Bench) -> None:
    """What a further subject costs where lists are short, and where they are long: selections of few records."""
    spent = []
    for length in LENGTHS:
        corpus = apart(variants.lists, Path(bench.corpus), length, FEW)
        task = ("gate_by", "selection", "recipients", bench.ledger, TWENTIETH, bench.kept(TWENTIETH), corpus)
        runs = [run(task) for _ in range(3)]
        cpu, peak = statistics.median(one.cpu for one in runs), max(one.peak for one in runs)
        spent.append((length * runs[0].said["records"], cpu))
        row(f"selection of {runs[0].said['records']:,} records with {length} subjects each", f"peak {peak:.0f} MiB",
             f"{cpu:.2f} s", "")  # fmt: skip
    for (some, cpu), (more, later) in itertools.pairwise(spent):
        row(f"— a further subject, {some:,} to {more:,} subjects, nanoseconds", "",
             f"{(later - cpu) / (more - some) * 1e9:.0f}", "flat")  # fmt: skip


def ids(bench: Bench) -> None:
    """The same corpus with ids that are strings and UUIDs, beside integers."""
    kept = bench.kept(SIXTH)
    for kind in ("string", "uuid"):
        ledger = apart(variants.ledger, bench.folder, kind)
        pinned = apart(variants.snapshot, Path(kept), Path(ledger), kind)
        corpus = apart(variants.named, Path(bench.corpus), kind)
        text = ("gate", ledger, SIXTH, pinned, corpus)
        found = pairs(text, ("gate", bench.ledger, SIXTH, kept, bench.corpus), bench.pairs, tell)
        assert found.first.said["permitted"] == found.second.said["permitted"]
        ratio(f"gated copy, ids that are {kind}s / int64", found, "<= 1.25")
        plain = pairs(("copy_duckdb", corpus), ("copy_duckdb", bench.corpus), bench.pairs, tell)
        ratio("— plain copies of the same (duckdb)", plain, "")


def skew(bench: Bench) -> None:
    """One author of a tenth of all records, beside authors spread evenly."""
    kept = bench.kept(SIXTH)
    some, even = (apart(variants.spread, Path(bench.corpus), bench.scale, skewed=skewed) for skewed in (True, False))
    gated = [("gate", bench.ledger, SIXTH, kept, corpus) for corpus in (some, even)]
    ratio("gated copy, one subject with 10 % of all records / evenly spread",
          pairs(gated[0], gated[1], bench.pairs, tell), "<= 1.15")  # fmt: skip


def rivals(bench: Bench) -> None:
    """What people do today, and the gate, with the same verdicts: seconds, and microseconds a record."""
    path = bench.folder / f"members-{bench.scale.subjects}-form{data.FORM}.parquet"
    people = apart(today.members, data.events(bench.scale, bench.folder), path)
    tasks = {
        "sayso, gated copy": bench.gate(TWENTIETH),
        "sayso, selection": ("gate_by", "selection", "author", bench.ledger, TWENTIETH, bench.kept(TWENTIETH), bench.corpus),
        "a hand-written DuckDB join, copied": ("today_duckdb", bench.corpus, people),
        "a pandas merge, copied": ("today_pandas", bench.corpus, people),
    }  # fmt: skip
    for name, task in tasks.items():
        runs = [run(task) for _ in range(max(1, bench.pairs // 2))]
        wall, cpu = (statistics.median(values) for values in ([r.wall for r in runs], [r.cpu for r in runs]))
        each = bench.scale.records / 1e6
        row(f"{name}: {runs[0].said['permitted']:,} permitted; microseconds a record", f"{wall / each:.2f}",
             f"{cpu / each:.2f}", "")  # fmt: skip
    for engine in ("casbin", "cedarpy"):
        if importlib.util.find_spec(engine) is None:
            row(f"{engine}, asked record by record", "not installed", "", "")
            continue
        found = run(("today_asking", engine, bench.corpus, people))
        said = found.said
        agrees = "agrees" if said["agrees"] else "does not agree"
        row(f"{engine}, asked record by record ({said['records']:,} records; {agrees}); microseconds a record",
             f"{said['microseconds']:.1f}", f"{found.cpu / said['records'] * 1e6:.1f}", "")  # fmt: skip


def main() -> None:
    """Measures at a scale, like `python -m benchmarks`."""
    parts = {"lists": lists, "lengths": lengths, "ids": ids, "skew": skew, "rivals": rivals}
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--only", choices=list(parts), action="append", help="measure these parts alone")
    bench, given = begin(parser)
    tell(f"load: {os.getloadavg()}")
    for name, part in parts.items():
        if given.only is None or name in given.only:
            part(bench)


if __name__ == "__main__":
    main()
