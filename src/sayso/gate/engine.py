"""The port through which a plan is run: what the gate asks of an engine. Adapters are in `sayso.engines`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import pyarrow as pa

from sayso.gate.columns import Columns
from sayso.ledger.identity import IdType
from sayso.plan.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of a corpus, and the number of its first record among all of a query; its `name` in a report."""

    path: Path
    rows: int
    first: int
    name: str | None = None


@dataclass(frozen=True)
class Question:
    """What a query asks: the verdicts of the records in some parts, by a snapshot.

    `reserving` are the purposes whose reservation reserves a record from this use; `id_type` is that of the ledger's
    ids, by which an id of another form is known (`None`: any text that a string id may be).
    """

    parts: tuple[Part, ...]
    columns: Columns
    schema: pa.Schema
    snapshot: Snapshot
    reserving: tuple[str, ...]
    stale: bool = False
    id_type: IdType | None = None
    behind: bool = True
    """Whether it is asked what denials rest on: the subject and the event's position."""


class Engine(Protocol):
    """A relational engine. It may raise EngineError; it never answers for a record that it could not judge."""

    @property
    def versions(self) -> Mapping[str, str]:
        """What runs, by name and version, for the manifest; `engine` is its own."""

    def histories(self, facts: pa.RecordBatchReader, symbols: pa.Table, kin: pa.Table) -> Iterator[pa.RecordBatch]:
        """The sorted histories of `plan.history`."""

    def verdicts(self, question: Question) -> Iterator[pa.RecordBatch]:
        """The verdicts of `plan.gate.numbered`, `row` counting over all parts, in no order, each record once.

        An engine that has it at hand tells beside them what is `written` on every record: its territory, null for none.
        """

    def records_at_once(self, question: Question) -> int:
        """How many records to ask about at once, at least; files are not divided. It may be asked in several threads."""

    def strangers(self, question: Question) -> Iterator[pa.RecordBatch]:
        """The `id` of each subject of the corpus whom the snapshot does not know, once each or more often."""

    def records(self, question: Question, rows: Sequence[int]) -> pa.Table:
        """Some records by their `row`, as the corpus's columns are read (`plan.gate.Shape`)."""

    def combinations(self, question: Question) -> pa.Table:
        """What `plan.gate.combinations` gives, for a use that asks for the account."""

    def to_parquet(self, source: Path, form: str, target: Path, columns: Columns) -> None:
        """Writes an NDJSON or CSV file (`form`) as Parquet, its records in order.

        Raises CorpusError naming the file and the line that could not be read.
        """


class Decided(Protocol):
    """The verdicts of a whole corpus, where the engine keeps them. Each record has one, whatever was read how often."""

    def counts(self, until: int) -> Counter[tuple[int, str | None]]:
        """How many of the records whose row is below `until` have each packed verdict; with the territory written on
        them, where the verdict is of it.

        Raises EngineError unless each record has exactly one verdict.
        """

    def permitted(self, since: int) -> int:
        """How many of the records from a row on are permitted."""

    def revoked(self, later: Self) -> int:
        """How many records are permitted here that are not `later`."""

    def merged(self, later: Self, base: int) -> Self:
        """The verdicts of both: those of `later` where it denies or both permit, else these. To the packed numbers of
        `later` `base` is added.
        """

    def write(self, into: Path, report: pa.Table, until: int, *, permitted: bool = True) -> None:
        """Writes the `permitted` records of rows below `until` (unless they are not asked for) and the report of the
        denied ones as Parquet, in the directories `permitted` and `denied` of `into`.

        `report` has the columns REPORT, a row for each pair of packed number and territory (as in `counts`) that is a
        denial.
        """

    def save(self, name: str, until: int) -> int:
        """Makes a table of the catalogue of the permitted records of rows below `until`, and says how many it has. Raises EngineError."""

    def frames(self, report: pa.Table, valid_until: int | None, until: int) -> tuple[Any, Any]:
        """The permitted records and the report of the denied ones (of rows below `until`) as frames of the engine's
        own, which no longer need what is kept here. From `valid_until` on, the first is an error.
        """


REPORT = ("number", "written", "reason", "rule", "territory", "category")


class Cluster(Engine, Protocol):
    """An engine that keeps verdicts and copies corpora itself, wherever it runs."""

    def deciding(self, question: Question) -> AbstractContextManager[Any]:
        """The verdicts of all parts of a question (`Decided`), for as long as they are needed."""


@dataclass(frozen=True)
class View:
    """A gate as SQL: its `texts` by file name, and the tables of the snapshot that they join, by name."""

    texts: Mapping[str, str]
    tables: Mapping[str, pa.Table]


class Viewing(Protocol):
    """Writes a gate as SQL."""

    def __call__(self, question: Question, table: str, prefix: str, valid_until: int, rules: Mapping[int, str]) -> View:
        """The gate of a question (whose parts are not asked) over a table with its columns, as `gate.views` has it.

        The snapshot's tables are called by the `prefix` and their own names. Raises CorpusError.
        """


Progress = Callable[[str, int, int], None]
"""Told of the stage, how many records of it are done, and how many there are."""


def silent(_stage: str, _done: int, _total: int) -> None:
    """Says nothing."""
