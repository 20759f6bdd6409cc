"""The port through which a plan is run: what the gate asks of an engine. Adapters are in `sayso.engines`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from sayso.gate.columns import Columns
from sayso.ledger.identity import IdType
from sayso.plan.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of a corpus, and the number of its first record among all of a query."""

    path: Path
    rows: int
    first: int


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
        """The verdicts of `plan.gate.numbered`, `row` counting over all parts, in no order, each record once."""

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


Progress = Callable[[str, int, int], None]
"""Told of the stage, how many records of it are done, and how many there are."""


def silent(_stage: str, _done: int, _total: int) -> None:
    """Says nothing."""
