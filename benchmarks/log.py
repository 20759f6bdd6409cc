"""The ledger as a log: `python -m benchmarks.log [appends|shared|import|proofs|receipts …]`, all of them unless told otherwise."""

from __future__ import annotations

import json
import os
import platform
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.ledger_import import unjudged, write
from sayso import init_ledger, verify_receipt, wiring
from sayso.ledger import events as e
from sayso.ledger.entry import Entry
from sayso.ledger.identity import IdType
from sayso.ledger.importing import import_events
from sayso.ledger.log import merkle
from sayso.ledger.log.tiles import Edge, Tile, Tree
from sayso.policy import loads
from sayso.stores.keyfiles import KeyFiles
from sayso.stores.postgres_url import PostgresUrl
from tests.postgres import running

LEAVES = 10_000_000
WRITERS, EACH = 8, 2_000


def plain(folder: Path, rows: int = 4_000) -> float:
    """Plain durable one-row inserts a second, by one writer, with the pragmas of a ledger."""
    with closing(sqlite3.connect(folder / "plain.db", isolation_level=None)) as driver:
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            driver.execute(f"PRAGMA {pragma}").close()
        driver.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)")
        started = time.perf_counter()
        for number in range(rows):
            driver.execute("INSERT INTO t VALUES (?, ?)", (number, b"x" * 300))
        return rows / (time.perf_counter() - started)


def appends(folder: Path) -> None:
    """Eight threads, each awaiting its answer, beside plain inserts; the median of three pairs."""
    found = []
    for turn in range(3):
        baseline = plain(Path(tempfile.mkdtemp(dir=folder)))
        with closing(wiring.create(folder / f"appends-{turn}", IdType.INT64)) as parts:
            waits: list[float] = []

            def work(writer: int, append: Callable[[e.Event], object], waits: list[float]) -> None:
                for number in range(EACH):
                    before = time.perf_counter()
                    append(e.SubjectRegistered(subject=writer * EACH + number, territory="FR"))
                    waits.append(time.perf_counter() - before)

            threads = [
                threading.Thread(target=work, args=(writer, parts.journal.append, waits)) for writer in range(WRITERS)
            ]
            started, cpu = time.perf_counter(), time.process_time()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            rate = WRITERS * EACH / (time.perf_counter() - started)
            cpu = (time.process_time() - cpu) / (WRITERS * EACH)
        found.append((rate / baseline, rate, baseline, sorted(waits)[int(len(waits) * 0.99)] * 1e3, cpu * 1e6))
    ratio, rate, baseline, p99, cpu = sorted(found)[1]
    told = f"{rate:,.0f} / {baseline:,.0f} a second; {cpu:.0f} µs of CPU an event"
    _row(f"appends by 8 threads / plain durable inserts by one writer, SQLite ({told})", f"{ratio:.2f}", ">= 3")
    _row("— 99th percentile of the wait for an answer, milliseconds", f"{p99:.1f}", "<= 50")


def plain_postgres(uri: str, rows: int = 2_000) -> float:
    """Plain durable one-row inserts a second, by one writer."""
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS plain")
        connection.execute("CREATE TABLE plain (a bigint PRIMARY KEY, b bytea)")
        started = time.perf_counter()
        for number in range(rows):
            connection.execute("INSERT INTO plain VALUES (%b, %b)", (number, b"x" * 300))
        return rows / (time.perf_counter() - started)


def shared_appends(folder: Path) -> None:
    """Eight processes on PostgreSQL, each awaiting its answer, beside plain inserts; the median of three pairs."""
    found = []
    with running() as server:
        for turn in range(3):
            baseline = plain_postgres(server.uri)
            url, keys = server.schema(), folder / f"keys-{turn}"
            wiring.create(url, IdType.INT64, keys=KeyFiles(keys, {})).close()
            writers = [
                subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.log", "writer", url.whole, str(keys), str(writer)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
                for writer in range(WRITERS)
            ]  # fmt: skip
            _say_and_hear(writers)
            told = [json.loads(line) for line in _say_and_hear(writers)]
            for writer in writers:
                writer.communicate()
            rate = WRITERS * EACH / (max(one["ended"] for one in told) - min(one["started"] for one in told))
            cpu = sum(one["cpu"] for one in told) / (WRITERS * EACH)
            waits = sorted(wait for one in told for wait in one["waits"])
            found.append((rate / baseline, rate, baseline, waits[int(len(waits) * 0.99)] * 1e3, cpu * 1e6))
    ratio, rate, baseline, p99, cpu = sorted(found)[1]
    told_rates = f"{rate:,.0f} / {baseline:,.0f} a second; {cpu:.0f} µs of CPU an event beside the server's"
    _row(
        f"appends by 8 processes / plain durable inserts by one writer, PostgreSQL ({told_rates})",
        f"{ratio:.2f}",
        ">= 3",
    )
    _row("— 99th percentile of the wait for an answer, milliseconds", f"{p99:.1f}", "<= 50")


def _say_and_hear(writers: list[subprocess.Popen[str]]) -> list[str]:
    """Lets all go on, and hears a line from each."""
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    return [writer.stdout.readline() for writer in writers if writer.stdout is not None]


def write_shared(url: str, keys: str, number: str) -> None:
    """One of the eight processes: appends when it is told to, and prints when, how long each took, and its CPU."""
    with closing(wiring.open_ledger(PostgresUrl(url), keys=KeyFiles(Path(keys), {}))) as parts:
        sys.stdin.readline()
        print("ready", flush=True)
        sys.stdin.readline()
        waits, cpu, started = list[float](), time.process_time(), time.time()
        for subject in range(int(number) * EACH, (int(number) + 1) * EACH):
            before = time.perf_counter()
            parts.journal.append(e.SubjectRegistered(subject=subject, territory="FR"))
            waits.append(time.perf_counter() - before)
        told = {"started": started, "ended": time.time(), "cpu": time.process_time() - cpu, "waits": waits}
        print(json.dumps(told), flush=True)
        sys.stdin.readline()  # who writes for all goes on until all are done


def imported(folder: Path, count: int = 1_000_000) -> None:
    """An import with tree and checkpoint, beside one that hashes and signs nothing."""
    source = folder / "events.ndjson"
    write(source, count)

    def took(name: str) -> float:
        with closing(wiring.create(folder / name, IdType.INT64)) as parts:
            started = time.perf_counter()
            import_events(unjudged(parts), source)
            return time.perf_counter() - started

    whole = took("with")
    extend, leaf = Edge.extend, Entry.leaf
    Edge.extend = lambda *_: None  # type: ignore[method-assign]
    Entry.leaf = property(lambda _: b"")  # type: ignore[assignment, method-assign]
    try:
        bare = took("without")
    finally:
        Edge.extend, Entry.leaf = extend, leaf  # type: ignore[method-assign]
    told = f"{whole:.0f} s / {bare:.0f} s"
    _row(f"import of {count:,} events with tree and checkpoint / without ({told})", f"{whole / bare:.2f}", "<= 2")


def proofs(folder: Path) -> None:
    """Inclusion proofs from a tree of ten million leaves, read from a store's tiles."""
    with closing(wiring.create(folder / "proofs", IdType.INT64)) as parts:
        edge = Edge()
        for start in range(0, LEAVES, 100_000):
            edge.extend([merkle.leaf_hash(b"%d" % number) for number in range(start, start + 100_000)])
            with parts.store.writing() as transaction:
                transaction.grow(edge.changed(), parts.store.checkpoint())
        chance, waits, read, index, path = random.Random(1), list[float](), list[Tile](), 0, list[bytes]()
        with parts.store.reading() as reading:

            def counted(tile: Tile) -> bytes:
                read.append(tile)
                return reading.tile(tile)

            for _ in range(1000):
                index = chance.randrange(LEAVES)
                before = time.perf_counter()
                path = Tree(counted, LEAVES).inclusion(index)
                waits.append(time.perf_counter() - before)
            merkle.verify_inclusion(merkle.leaf_hash(b"%d" % index), index, LEAVES, path, edge.peaks.root())
    median, most = statistics.median(waits) * 1e3, sorted(waits)[990] * 1e3
    _row(f"inclusion proof from {LEAVES:,} events, median, milliseconds (99th percentile {most:.2f})", f"{median:.2f}",
         "<= 1")  # fmt: skip
    _row("— tiles read for one", f"{len(read) / 1000:.1f}", "")


def receipts(folder: Path) -> None:
    """Receipts checked offline by the public key, on one core."""
    policy = loads((Path(__file__).parent / "receipts.yaml").read_text("utf-8"))
    with init_ledger(folder / "receipts", origin="example.com/receipts") as ledger:
        ledger.publish(policy)
        ledger.parts.journal.append_many([e.SubjectRegistered(subject=n, territory="FR") for n in range(1000)])
        made = [ledger.choose("refusal", subject=n, purposes="genai", source="x").position for n in range(1000)]
        keys = ledger.log.keys
        several = [ledger.receipt(position) for position in made]
    started = time.process_time()
    for _ in range(10):
        for one in several:
            verify_receipt(one, keys=keys)
    rate = 10_000 / (time.process_time() - started)
    _row("receipts verified offline a second, on one core (1,000 receipts, each ten times)", f"{rate:,.0f}", ">= 5,000")


def _row(name: str, value: str, target: str) -> None:
    print(f"| {name} | {value} | {target} |", flush=True)


PARTS: dict[str, Callable[[Path], Any]] = {
    "appends": appends, "shared": shared_appends, "import": imported, "proofs": proofs, "receipts": receipts,
}  # fmt: skip


def main(names: list[str]) -> None:
    """Prints a table in Markdown."""
    if names[:1] == ["writer"]:
        write_shared(*names[1:])
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n", flush=True)
    print("| figure | value | target |\n| --- | --- | --- |", flush=True)
    for name, part in PARTS.items():
        if not names or name in names:
            with tempfile.TemporaryDirectory(dir=os.environ.get("SAYSO_BENCH")) as folder:
                part(Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
