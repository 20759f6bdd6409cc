"""Spark as the gate's engine: the same expressions, as Spark's SQL, over records that Spark reads itself."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import ibis.expr.types as ir
import pyarrow as pa
from pyspark.sql import SparkSession

from sayso.engines.duckdb import RECORDS_A_QUERY, DuckDBEngine
from sayso.engines.joining import rests
from sayso.engines.reading import corpus_schema, shape_of
from sayso.engines.spark_copy import KeptVerdicts, deciding
from sayso.engines.spark_session import spark_errors
from sayso.engines.spark_sources import Files, Source, reading
from sayso.engines.spark_views import Views
from sayso.gate.columns import Columns
from sayso.gate.engine import Question
from sayso.plan.gate import Packing, combinations, numbered, strangers, verdicts
from sayso.plan.history import history

BROADCAST = 20_000_000
"""So many subjects' standing at most is sent to every executor; more are joined by a shuffle (docs/design/0066-spark.md)."""


class SparkEngine:
    """A session of Spark's, on one machine or many. `broadcast` is how many rows of a snapshot's table are sent to all.

    Records are read from the parts of a question, unless there is another `source` of them.
    """

    def __init__(
        self, session: SparkSession, *, broadcast: int = BROADCAST, source: Source | None = None, arrow: bool = True
    ) -> None:
        self.session, self.broadcast, self.source, self.arrow = session, broadcast, source or Files(), arrow
        self.versions: Mapping[str, str] = {
            "engine": f"spark {session.version}",
            "python": platform.python_version(),
        } | {name: version(name) for name in ("sayso", "pyarrow", "ibis-framework", "numpy")}

    def histories(self, facts: pa.RecordBatchReader, symbols: pa.Table, kin: pa.Table) -> Iterator[pa.RecordBatch]:
        """The sorted histories of `plan.history`. All facts pass through the driver, where the ledger is."""
        with spark_errors("fold the ledger"), self._views() as views:
            tables = [views.arrow(table) for table in (facts.read_all(), symbols, kin)]
            yield from views.fetched(history(*tables)).to_batches()

    def verdicts(self, question: Question) -> Iterator[pa.RecordBatch]:
        """The verdicts of `plan.gate.numbered` for the records of some Parquet files."""
        with spark_errors("run the plan"), self._views() as views:
            shape, snapshot = shape_of(question), question.snapshot
            corpus, tables = self._corpus(views, question), views.tables(question)
            told = verdicts(corpus, shape, tables, snapshot.dimensions, stale=question.stale)
            packing, resting = Packing.of(snapshot), rests(snapshot)
            # Spark has no `uint32`.
            narrow = numbered(told, packing, several=shape.several, positions=resting, number="int64")
            table = views.fetched(narrow)
            place = table.schema.get_field_index("number")
            yield from table.set_column(place, "number", table.column(place).cast(pa.uint32())).to_batches()

    def records_at_once(self, question: Question) -> int:
        """How many records to ask about at once: all that there may be, for each question is a job."""
        return RECORDS_A_QUERY

    def strangers(self, question: Question) -> Iterator[pa.RecordBatch]:
        """The `id` of each subject of the corpus whom the snapshot does not know, once each."""
        with spark_errors("look for those who were erased"), self._views() as views:
            corpus = self._corpus(views, question)
            yield from views.fetched(strangers(corpus, shape_of(question), views.tables(question))).to_batches()

    def records(self, question: Question, rows: Sequence[int]) -> pa.Table:
        """Some records by their `row`, as the corpus's columns are read (`plan.gate.Shape`)."""
        with spark_errors("read the corpus"), self._views() as views:
            corpus = self._corpus(views, question)
            return views.fetched(corpus.filter(corpus.row.isin(list(rows))))

    def combinations(self, question: Question) -> pa.Table:
        """What `plan.gate.combinations` gives, for a use that asks for the account."""
        with spark_errors("ask for what to answer"), self._views() as views:
            corpus, shape = self._corpus(views, question), shape_of(question)
            return views.fetched(combinations(corpus, shape, views.tables(question), question.snapshot.dimensions))

    def to_parquet(self, source: Path, form: str, target: Path, columns: Columns) -> None:
        """Writes an NDJSON or CSV file as Parquet, on the driver and by DuckDB, so that it is read alike by both."""
        DuckDBEngine().to_parquet(source, form, target, columns)

    @contextmanager
    def deciding(self, question: Question) -> Iterator[KeptVerdicts]:
        """The verdicts of all records of a question, kept where they were made (`engines.spark_copy`)."""
        with self._views() as views, deciding(views, self.source, question, arrow=self.arrow) as verdicts:
            yield verdicts

    def _views(self) -> Views:
        return Views(self.session, broadcast=self.broadcast)

    def _corpus(self, views: Views, question: Question) -> ir.Table:
        return views.frame(reading(self.source, self.session, question, {}), corpus_schema(question))
