"""DuckDB as the gate's engine: it runs a plan's expressions over Parquet files, within a memory limit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend

from sayso.engines.reading import corpus_sql, literal, shape_of
from sayso.errors import CorpusError, EngineError, Problem
from sayso.gate.columns import Columns
from sayso.gate.engine import Question
from sayso.plan.gate import Tables, verdicts
from sayso.plan.history import history

ROWS_A_BATCH = 262_144
DEFAULT_MEMORY = "1200MiB"


class DuckDBEngine:
    """One embedded DuckDB. `memory_limit` is DuckDB's own (`1GiB`), `temp_directory` where it spills."""

    name = "duckdb"
    version: str = duckdb.__version__

    def __init__(
        self, *, memory_limit: str = DEFAULT_MEMORY, threads: int | None = None, temp_directory: Path | None = None
    ) -> None:
        self._settings: dict[str, str | int] = {"memory_limit": memory_limit, "autoinstall_known_extensions": "false"}
        if threads is not None:
            self._settings["threads"] = threads
        if temp_directory is not None:
            self._settings["temp_directory"] = str(temp_directory)

    def histories(self, facts: pa.RecordBatchReader, symbols: pa.Table, kin: pa.Table) -> Iterator[pa.RecordBatch]:
        """The sorted histories of `plan.history`, from a stream of facts that is read once."""
        backend = self._connect()
        backend.con.register("facts", facts)
        table = ibis.table(ibis.schema(facts.schema), name="facts")
        expression = history(table, ibis.memtable(symbols), ibis.memtable(kin))
        yield from self._stream(backend, expression)

    def verdicts(self, question: Question) -> Iterator[pa.RecordBatch]:
        """The verdicts of `plan.gate.verdicts` for the records of some Parquet files."""
        backend = self._connect()
        corpus = backend.sql(corpus_sql(question), dialect="duckdb")
        held = question.snapshot.tables
        tables = Tables(
            standing=self._table(backend, "standing", held["standing"]),
            overflow=self._table(backend, "overflow", held["overflow"]) if held["overflow"].num_rows else None,
            answers=self._table(backend, "answers", held["answers"]),
            categories=self._table(backend, "categories", held["categories"]),
            places=self._table(backend, "places", held["places"]),
        )
        expression = verdicts(
            corpus, shape_of(question), tables, question.snapshot.dimensions, stale=question.stale
        )
        yield from self._stream(backend, expression)

    def to_parquet(self, source: Path, form: str, target: Path, columns: Columns) -> None:
        """Writes an NDJSON or CSV file as Parquet, instants left as the text that was written."""
        connection = self._connect().con
        reader = "read_json" if form == "ndjson" else "read_csv"
        how = ", format = 'newline_delimited'" if form == "ndjson" else ""
        try:
            found = connection.execute(f"DESCRIBE SELECT * FROM {reader}({literal(str(source))}{how})").fetchall()
            types = {name: kind for name, kind, *_ in found}
            if columns.collected_at in types:
                types[columns.collected_at] = "VARCHAR"
            given = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
            option = "columns" if form == "ndjson" else "types"
            connection.execute(
                f"COPY (SELECT * FROM {reader}({literal(str(source))}{how}, {option} = {{{given}}})) "  # noqa: S608  # quoted
                f"TO {literal(str(target))} (FORMAT parquet)"
            )
        except duckdb.Error as error:
            # What DuckDB says may quote the line, which is somebody's words: only its number is passed on.
            line = re.search(r"line:?\s+(\d+)", str(error), re.IGNORECASE)
            raise CorpusError(
                Problem(
                    f"expected {form} that can be read from end to end ({type(error).__name__})",
                    file=str(source),
                    line=int(line[1]) if line else None,
                    remedy="mend or remove the line, then run the gate again",
                )
            ) from None

    def _connect(self) -> Backend:
        return ibis.duckdb.connect(**self._settings)

    @staticmethod
    def _table(backend: Backend, name: str, table: pa.Table) -> ir.Table:
        backend.con.register(name, table)
        return ibis.table(ibis.schema(table.schema), name=name)

    @staticmethod
    def _stream(backend: Backend, expression: ir.Table) -> Iterator[pa.RecordBatch]:
        try:
            yield from backend.to_pyarrow_batches(expression, chunk_size=ROWS_A_BATCH)
        except duckdb.OutOfMemoryException as error:
            raise EngineError("duckdb ran out of memory or disk; give it more with `--memory` or a larger disk") from error
        except duckdb.Error as error:
            raise EngineError(f"duckdb could not run the plan: {type(error).__name__}") from error
        finally:
            backend.disconnect()
