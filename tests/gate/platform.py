"""A small platform to gate for: a policy, a ledger of a few people, and a corpus of their records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sayso import instant
from sayso.consent.reader import Reader
from sayso.engines.duckdb import DuckDBEngine
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.job import Job
from sayso.gate.outcome import Outcome
from sayso.gate.run import run
from sayso.ledger import events as e
from sayso.ledger.identity import IdType
from sayso.ledger.journal import Journal
from sayso.policy import from_normal, loads, normal
from sayso.policy.facts import Use
from sayso.stores import sqlite
from tests.ledgers import founding, journal_on

POLICY = """
sayso: 1
platform: example
purposes: {training: {children: {genai: , ranking: }}}
categories: {content: {children: {posts: , comments: }}, messages: }
recipients: {platform: , affiliate: }
attributes: {plan: {of: account, values: [free, pro], default: free}}
roles: {author: {counts: true}, mentioned: {counts: false}}
notices:
  told: {versions: {"1": {declares: {purposes: [training], categories: all, recipients: all}}}}
versions:
  - id: first
    announced: 2025-01-01T00:00:00Z
    effective: 2025-01-01T00:00:00Z
    roles: {author: {counts: true}, mentioned: {counts: false}}
    rules:
      - {id: open, purposes: [genai], categories: [content], recipients: [platform], mode: opt-out, notice: told,
         accepts: ["1"], covers: all, covers_reason: it says so}
      - {id: closed, purposes: [genai], categories: [messages], recipients: [platform], mode: never}
      - {id: paid, purposes: [ranking], categories: all, recipients: [platform], mode: always,
         audience: {attributes: {plan: [free]}}}
"""
START = instant.parse("2025-02-01T00:00:00Z")
COLLECTED = instant.parse("2025-01-15T00:00:00Z")
COLUMNS = Columns((SubjectColumn("author"),), category="category", key="id")


@dataclass
class Platform:
    """An open ledger with its clock, which goes on by a second a look."""

    journal: Journal
    clock: list[int]

    def now(self) -> int:
        """The present."""
        self.clock[0] += instant.SECOND
        return self.clock[0]

    @property
    def reader(self) -> Reader:
        """What reads the ledger for decisions."""
        return Reader(self.journal, from_normal)

    def gate(self, corpus: Path | str, output: Path | None, columns: Columns = COLUMNS, **more: Any) -> Outcome:
        """A release for generative AI by the platform, unless said otherwise."""
        engine = more.pop("engine", None) or DuckDBEngine(memory_limit="500MiB", threads=1)
        progress: Callable[[str, int, int], None] = more.pop("progress", lambda *_: None)
        purpose, release = more.pop("purpose", "genai"), more.pop("release", True)
        use = Use(purpose, "platform", more.pop("at", None) or self.now())
        job = Job(use, release, (str(corpus),), columns, output, **more)
        return run(job, engine, self.reader, now=self.now, progress=progress)


@contextmanager
def platform(folder: Path, id_type: IdType = IdType.INT64, people: int = 10) -> Iterator[Platform]:
    """A platform of people 0 to `people`; odd ones are in France, even ones in the US; 3 objected; all were told."""
    clock = [START]
    store = sqlite.create(folder / "ledger.sayso", id_type, founding())
    try:
        made = Platform(journal_on(store, now=lambda: clock[0], random_bytes=lambda n: b"\1" * n), clock)
        policy = loads(POLICY)
        made.journal.append(e.PolicyPublished(platform=policy.platform, digest=policy.digest, document=normal(policy)))
        made.journal.append_many(
            e.SubjectRegistered(
                subject=named(number, id_type),
                territory="FR" if number % 2 else "US",
                effective_at=COLLECTED - instant.DAY,
            )
            for number in range(people)
        )
        made.journal.append(e.NoticeDelivered(notice="told", version="1", audience=e.Audience()))
        made.journal.append(e.ChoiceRecorded(subject=named(3, id_type), decision="objection", source="setting"))
        yield made
    finally:
        store.close()


def named(number: int, id_type: IdType) -> Any:
    """A person's id in a ledger of this type."""
    match id_type:
        case IdType.INT64:
            return number
        case IdType.UUID:
            return f"00000000-0000-4000-8000-{number:012x}"
        case IdType.STRING:
            return f"member-{number}"


def records(count: int = 40, authors: list[Any] | None = None) -> pa.Table:
    """Posts and messages by eleven people, the last of whom the ledger does not know."""
    return pa.table(
        {
            "id": pa.array(range(count), pa.int32()),
            "author": authors or [number % 11 for number in range(count)],
            "category": ["messages" if number % 4 == 0 else "posts" for number in range(count)],
            "collected_at": pa.array([COLLECTED + number for number in range(count)], pa.timestamp("us", "UTC")),
            "text": [f"words {number}" for number in range(count)],
            "tags": [["a", "b"] if number % 2 else None for number in range(count)],
        }
    )


def corpus(folder: Path, table: pa.Table, files: int = 2, group: int = 7) -> Path:
    """A table as a folder of Parquet files of a few row groups."""
    folder.mkdir()
    size = -(-table.num_rows // files) if table.num_rows else 1
    for number in range(files):
        pq.write_table(table.slice(number * size, size), folder / f"part-{number}.parquet", row_group_size=group)
    return folder


def permitted(output: Path) -> pa.Table:
    """Everything that was let through, in order."""
    return pa.concat_tables(pq.read_table(path) for path in sorted((output / "permitted").rglob("*.parquet")))


def denied(output: Path) -> dict[Any, str]:
    """The reason of every record that was not, by key."""
    rows = [row for path in sorted((output / "denied").rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return {row.get("key", row["row"]): row["reason"] for row in rows}
