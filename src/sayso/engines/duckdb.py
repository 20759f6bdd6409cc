"""DuckDB as the gate's engine: it runs a plan's expressions over Parquet files, within a memory limit."""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from sayso.engines import direct
from sayso.engines.duckdb_sql import DuckDB, corpus_sql
from sayso.engines.joining import joined, rests
from sayso.engines.reading import corpus_schema, shape_of
from sayso.engines.staging import to_parquet
from sayso.errors import EngineError
from sayso.gate.columns import Columns
from sayso.gate.engine import Question
from sayso.plan.direct import Direct
from sayso.plan.gate import Packing, Tables, combinations, keyed, numbered, plain, strangers, verdicts
from sayso.plan.history import history
from sayso.plan.lookup import Lookup

ROWS_A_BATCH = 262_144
DEFAULT_MEMORY = "900MiB"
RECORDS_A_QUERY = 20_000_000


class DuckDBEngine:
    """One embedded DuckDB. `memory_limit` is DuckDB's own (`1GiB`), `temp_directory` where it spills."""

    versions: Mapping[str, str] = MappingProxyType(
        {"engine": f"duckdb {duckdb.__version__}", "python": platform.python_version()}
        | {name: version(name) for name in ("sayso", "pyarrow", "ibis-framework", "numpy")}
    )

    def __init__(
        self, *, memory_limit: str = DEFAULT_MEMORY, threads: int | None = None, temp_directory: Path | None = None
    ) -> None:
        self._settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "autoinstall_known_extensions": "false",
        }
        self._found: list[tuple[pa.Table, Direct]] = []
        self._lookups: list[tuple[pa.Table, bool, Lookup]] = []
        self._lock = threading.Lock()
        if threads is not None:
            self._settings["threads"] = threads
        if temp_directory is not None:
            self._settings["temp_directory"] = str(temp_directory)

    def histories(self, facts: pa.RecordBatchReader, symbols: pa.Table, kin: pa.Table) -> Iterator[pa.RecordBatch]:
        """The sorted histories of `plan.history`, from a stream of facts that is read once."""
        with self._connect() as connection:
            tables = [
                _named(connection, name, data) for name, data in (("facts", facts), ("symbols", symbols), ("kin", kin))
            ]
            yield from _stream(connection, history(*tables))

    def records_at_once(self, question: Question) -> int:
        """How many records to ask about at once: a join takes long to set up, and answers that are found do not."""
        return RECORDS_A_QUERY if self._direct(question) is None else 1

    def verdicts(self, question: Question) -> Iterator[pa.RecordBatch]:
        """The verdicts of `plan.gate.numbered` for the records of some Parquet files."""
        found = self._direct(question)
        if found is not None:
            yield from direct.numbered(question, found, self._lookup(question))
            return
        with self._connect() as connection:
            dimensions = question.snapshot.dimensions
            shape = shape_of(question)
            looks_up = plain(shape, dimensions) and not question.stale
            corpus, tables = _prepared(connection, question, looks_up=looks_up)
            if looks_up:
                lookup = Lookup(question.snapshot, behind=question.behind)
                yield from map(lookup.numbered, _stream(connection, keyed(corpus, shape, tables, dimensions)))
                return
            told = verdicts(corpus, shape, tables, dimensions, stale=question.stale)
            behind, packing = question.behind, Packing.of(question.snapshot)
            resting = behind and rests(question.snapshot)
            yield from _stream(connection, numbered(told, packing, several=shape.several and behind, positions=resting))

    def strangers(self, question: Question) -> Iterator[pa.RecordBatch]:
        """The `id` of each subject of the corpus whom the snapshot does not know."""
        found = self._direct(question)
        if found is not None:
            yield from direct.strangers(question, found)
            return
        with self._connect() as connection:
            corpus, tables = _prepared(connection, question)
            yield from _stream(connection, strangers(corpus, shape_of(question), tables))

    def records(self, question: Question, rows: Sequence[int]) -> pa.Table:
        """Some records by their `row`, as the corpus's columns are read (`plan.gate.Shape`)."""
        with self._connect() as connection:
            corpus, _ = _prepared(connection, question)
            expression = corpus.filter(corpus.row.isin(list(rows)))
            schema = expression.schema().to_pyarrow()
            return pa.Table.from_batches(list(_stream(connection, expression))).cast(schema)

    def combinations(self, question: Question) -> pa.Table:
        """What `plan.gate.combinations` gives, for a use that asks for the account."""
        with self._connect() as connection:
            corpus, tables = _prepared(connection, question)
            expression = combinations(corpus, shape_of(question), tables, question.snapshot.dimensions)
            schema = expression.schema().to_pyarrow()
            return pa.Table.from_batches(list(_stream(connection, expression))).cast(schema)

    def to_parquet(self, source: Path, form: str, target: Path, columns: Columns) -> None:
        """Writes an NDJSON or CSV file as Parquet (`engines.staging`)."""
        with self._connect() as connection:
            to_parquet(connection, source, form, target, columns)

    def _direct(self, question: Question) -> Direct | None:
        """The tables by which a question's answers are found, if they can be. Those of two snapshots are kept."""
        if not direct.suits(question, DuckDB()):
            return None
        standing = question.snapshot.standing
        with self._lock:
            kept = next((found for of, found in self._found if of is standing), None)
            if kept is None:
                kept = Direct(question.snapshot)
                self._found = [(standing, kept), *self._found[:1]]
        return kept if kept.fits else None

    def _lookup(self, question: Question) -> Lookup:
        """The answers of a question's snapshot. Those of two are kept."""
        answers = question.snapshot.answers
        with self._lock:
            kept = next((one for of, behind, one in self._lookups if of is answers and behind is question.behind), None)
            if kept is None:
                kept = Lookup(question.snapshot, behind=question.behind)
                self._lookups = [(answers, question.behind, kept), *self._lookups[:1]]
        return kept

    def _connect(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(config=self._settings)


def _named(connection: duckdb.DuckDBPyConnection, name: str, data: pa.Table | pa.RecordBatchReader) -> ir.Table:
    """A table of DuckDB's over Arrow data, as expressions name it."""
    connection.register(name, data)
    return ibis.table(ibis.schema(data.schema), name=name)


def _prepared(
    connection: duckdb.DuckDBPyConnection, question: Question, *, looks_up: bool = False
) -> tuple[ir.Table, Tables]:
    """The corpus and the snapshot's tables, as expressions name them: for answers that are joined, or looked up."""
    reading = corpus_sql(question)
    try:
        connection.execute(f"CREATE TEMP VIEW corpus AS {reading}")
    except duckdb.Error as error:
        raise EngineError(f"duckdb could not read the corpus: {type(error).__name__}") from error

    def named(name: str, table: pa.Table) -> ir.Table:
        return _named(connection, name, table)

    tables = joined(question.snapshot, named, looks_up=looks_up)
    return ibis.table(corpus_schema(question), name="corpus"), tables


def _stream(connection: duckdb.DuckDBPyConnection, expression: ir.Table) -> Iterator[pa.RecordBatch]:
    """The rows of an expression, a batch at a time."""
    try:
        yield from connection.sql(ibis.to_sql(expression, dialect="duckdb")).to_arrow_reader(ROWS_A_BATCH)
    except duckdb.OutOfMemoryException as error:
        raise EngineError("duckdb ran out of memory or disk; give it more with `--memory` or a larger disk") from error
    except (duckdb.Error, pa.ArrowException) as error:
        raise EngineError(f"duckdb could not run the plan: {type(error).__name__}") from error
