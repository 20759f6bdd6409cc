"""What is measured, each in a process of its own: `python -m benchmarks.tasks NAME …`. The last line printed is JSON."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import data
from sayso.api import open_ledger, open_selection
from sayso.api.deciding import Decisions
from sayso.engines.duckdb import DuckDBEngine
from sayso.gate import snapshots
from sayso.gate.columns import SubjectColumn
from sayso.gate.job import Job
from sayso.gate.run import run as gate_run
from sayso.ledger.facts import Party
from sayso.ledger.identity import IdType
from sayso.plan.decider import Decider
from sayso.policy.decide import decide
from sayso.policy.facts import Record, Subject, Use


@contextmanager
def scratch(beside: Path) -> Iterator[Path]:
    """A folder on the disk of the corpus, gone afterwards."""
    folder = Path(tempfile.mkdtemp(dir=beside))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Clock:
    """Seconds by the clock and of CPU since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {"wall": time.perf_counter() - self._wall, "cpu": time.process_time() - self._cpu}


def files(corpus: Path) -> list[str]:
    return [str(path) for path in sorted(corpus.glob("*.parquet"))]


def copy_duckdb(corpus: str) -> dict[str, Any]:
    """DuckDB's plain copy, as it comes."""
    with scratch(Path(corpus).parent) as into:
        clock = Clock()
        duckdb.connect().execute(
            f"COPY (FROM read_parquet({files(Path(corpus))})) TO '{into}/all.parquet' (FORMAT parquet)"
        )
        return clock.read()


def copy_pyarrow(corpus: str) -> dict[str, Any]:
    """Pyarrow's plain copy, a file a thread."""
    with scratch(Path(corpus).parent) as into:
        clock = Clock()

        def one(path: str) -> None:
            source = pq.ParquetFile(path, memory_map=True)
            with pq.ParquetWriter(into / Path(path).name, source.schema_arrow) as out:
                for group in range(source.num_row_groups):
                    out.write_table(source.read_row_group(group, use_threads=False))

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(one, files(Path(corpus))))
        return clock.read()


def copy_polars(corpus: str, times: str = "1") -> dict[str, Any]:
    """Polars' plain copy, with the compression that the corpus has; of the corpus several times over."""
    import polars as pl

    with scratch(Path(corpus).parent) as into:
        clock = Clock()
        pl.scan_parquet(files(Path(corpus)) * int(times)).sink_parquet(into / "all.parquet", compression="snappy")
        return clock.read()


def snapshot(ledger: str, purpose: str, kept: str) -> dict[str, Any]:
    """The snapshot of a use from the ledger; kept for the gate to be measured apart."""
    with open_ledger(ledger, now=lambda: data.AT) as opened:
        clock = Clock()
        view = opened.parts.reader.view()
        made = snapshots.make(opened.parts.journal.store, view, Use(purpose, data.RECIPIENT, data.AT), DuckDBEngine())
        spent = clock.read()
        folder = Path(kept)
        if not folder.exists():
            snapshots.save(made, folder)
        shape = made.snapshot
        return spent | {"subjects": shape.standing.num_rows, "answers": shape.answers.num_rows, "digest": made.digest}


def group(ledger: str) -> dict[str, Any]:
    """Reading the same ledger's facts of people and grouping them by person, with no meaning applied."""
    with open_ledger(ledger) as opened:
        clock = Clock()
        store = opened.parts.journal.store
        wanted = ("position", "party", "id", "at", "recorded_at", "code")
        schema = pa.schema([(name, pa.int64()) for name in wanted if name != "party"])

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in store.facts(columns=wanted):
                people = batch.filter(pc.equal(batch.column("party"), int(Party.SUBJECT)))
                yield pa.RecordBatch.from_arrays(
                    [people.column(n).cast(pa.int64()) for n in schema.names], schema=schema
                )

        connection = duckdb.connect(config={"memory_limit": "1200MiB"})
        connection.register("facts", pa.RecordBatchReader.from_batches(schema, batches()))
        found = connection.sql('SELECT id, count(*), list(code), list("at"), list(position) FROM facts GROUP BY id')
        people = sum(batch.num_rows for batch in found.to_arrow_reader(100_000))
        return clock.read() | {"subjects": people}


def gate(ledger: str, purpose: str, kept: str, *corpora: str) -> dict[str, Any]:
    """A gated copy from a kept snapshot: reasons, counts, SHA-256 of all files and the manifest."""
    return gate_by("copy", "author", ledger, purpose, kept, *corpora)


def gate_by(emit: str, subject: str, ledger: str, purpose: str, kept: str, *corpora: str) -> dict[str, Any]:
    """The same, or a selection, by the column that holds the subjects.

    Of a corpus that is named with `:n` the first n files are gated; one that is named again is linked beside.
    """
    folder = Path(corpora[0].partition(":")[0]).parent
    with open_ledger(ledger, now=lambda: data.AT) as opened, scratch(folder) as into:
        pinned = snapshots.load(Path(kept))
        corpus = str(_several(corpora, into / "in"))
        columns = replace(data.COLUMNS, subjects=(SubjectColumn(subject),))
        pa.array([1]).to_numpy()  # loads pandas, if there is one: the loading of libraries is not measured
        clock = Clock()
        job = Job(
            Use(purpose, data.RECIPIENT, data.AT), False, (corpus,), columns, into / "out",
            position=pinned.position, snapshot=pinned, emit=emit,
        )  # fmt: skip
        done = gate_run(job, DuckDBEngine(), opened.parts.reader, now=lambda: data.AT)
        counts = done.manifest["counts"]
        share = counts["denied"] / counts["records"]
        told = {"denied": share, "permitted": counts["permitted"], "records": counts["records"]}
        return clock.read() | told | {"reasons": counts["by_reason"], "grounds": counts["by_ground"]}


def select(ledger: str, purpose: str, kept: str, *corpora: str) -> dict[str, Any]:
    """A selection from a kept snapshot, with SHA-256 of all files and the manifest; kept where `into=` says, if it does."""
    kept_in = Path(corpora[0].removeprefix("into=")) if corpora[0].startswith("into=") else None
    corpora = corpora if kept_in is None else corpora[1:]
    with open_ledger(ledger, now=lambda: data.AT) as opened, scratch(Path(corpora[0]).parent) as folder:
        pinned = snapshots.load(Path(kept))
        corpus = str(_several(corpora, folder / "in"))
        pa.array([1]).to_numpy()  # loads pandas, if there is one: the loading of libraries is not measured
        clock = Clock()
        job = Job(
            Use(purpose, data.RECIPIENT, data.AT), kept_in is not None, (corpus,), data.COLUMNS, kept_in or folder / "out",
            position=None if kept_in else pinned.position, snapshot=pinned, emit="selection",
        )  # fmt: skip
        done = gate_run(job, DuckDBEngine(), opened.parts.reader, now=lambda: data.AT)
        counts = done.manifest["counts"]
        return clock.read() | {"denied": counts["denied"] / counts["records"]}


def read_through(selection: str, corpus: str, purpose: str) -> dict[str, Any]:
    """Every record that a selection lets through, all columns, as Arrow batches; the opening is told apart."""
    clock = Clock()
    chosen = open_selection(selection, corpus=corpus, purpose=purpose, recipient=data.RECIPIENT, now=lambda: data.AT)
    opening = clock.read()["wall"]
    clock = Clock()
    rows = sum(batch.num_rows for batch in chosen.batches())
    return clock.read() | {"rows": rows, "opening": opening}


def read_plain(corpus: str) -> dict[str, Any]:
    """Every record of the plain files, all columns, as Arrow batches."""
    import pyarrow.dataset as ds

    clock = Clock()
    rows = sum(batch.num_rows for batch in ds.dataset(files(Path(corpus)), format="parquet").to_batches())
    return clock.read() | {"rows": rows}


def _several(corpora: Sequence[str], into: Path) -> Path:
    """One folder with the files of several corpora."""
    if len(corpora) == 1 and ":" not in corpora[0]:
        return Path(corpora[0])
    into.mkdir()
    for number, name in enumerate(corpora):
        path, _, most = name.partition(":")
        for file in sorted(Path(path).glob("*.parquet"))[: int(most) if most else None]:
            (into / f"{number:03}-{file.name}").hardlink_to(file)
    return into


def whole(ledger: str, purpose: str, corpus: str) -> dict[str, Any]:
    """A gated copy from the ledger, the snapshot made on the way: for the peak of memory."""
    with open_ledger(ledger, now=lambda: data.AT) as opened, scratch(Path(corpus).parent) as into:
        clock = Clock()
        job = Job(Use(purpose, data.RECIPIENT, data.AT), False, (corpus,), data.COLUMNS, into / "out")
        gate_run(job, DuckDBEngine(), opened.parts.reader, now=lambda: data.AT)
        return clock.read()


def _median(asked: Callable[[int], object], count: int) -> float:
    """The median of calls, in microseconds."""
    spent = []
    for number in range(count):
        before = time.perf_counter_ns()
        asked(number)
        spent.append(time.perf_counter_ns() - before)
    return statistics.median(spent) / 1000


def decision(ledger: str, purpose: str, kept: str) -> dict[str, Any]:
    """One decision in process, warm: by the decider, by the reference, and a dict look-up for scale."""
    with open_ledger(ledger, now=lambda: data.AT) as opened:
        pinned = snapshots.load(Path(kept))
        decider = Decider(pinned.snapshot)
        view = opened.parts.reader.view()
        asked = Decisions(decider, pinned, {}, IdType.INT64, lambda: data.AT)
        people = pinned.snapshot.standing.column("subject")[
            :: max(1, pinned.snapshot.standing.num_rows // 50_000)
        ].to_pylist()
        collected = data.AT - 1
        look_up = dict.fromkeys(people, 1)
        use = Use(purpose, data.RECIPIENT, data.AT)
        policy = view.context.policy
        some = people[:2000]
        for subject in some:
            view.known.subject(subject)
        return {
            "dict": _median(lambda n: look_up.get(people[n]), len(people)),
            "decisions": _median(lambda n: asked.decide(people[n], "posts", collected), len(people)),
            "decider": _median(lambda n: decider.decide(people[n], "posts", collected), len(people)),
            "reference": _median(
                lambda n: decide(policy, use, Record((Subject(some[n]),), "posts", collected), view.known), len(some)
            ),
        }


TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    one.__name__: one
    for one in (
        copy_duckdb,
        copy_pyarrow,
        copy_polars,
        snapshot,
        group,
        gate,
        gate_by,
        whole,
        decision,
        select,
        read_through,
        read_plain,
    )
}

if __name__ == "__main__":
    from benchmarks import today

    os.environ.setdefault("PYTHONHASHSEED", "0")
    print(json.dumps((TASKS | today.TASKS)[sys.argv[1]](*sys.argv[2:])))
