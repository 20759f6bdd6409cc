"""Spark as the gate's engine: the same expressions, as Spark's SQL, over Parquet files that Spark reads itself."""

from __future__ import annotations

import itertools
import platform
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote, urlsplit

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql import types as t

from sayso.engines.duckdb import DuckDBEngine
from sayso.engines.joining import joined, rests
from sayso.engines.reading import corpus_schema, expressions, shape_of
from sayso.engines.spark_session import NANOSECONDS, READING, spark_errors
from sayso.engines.spark_sql import Spark, quoted, type_of
from sayso.errors import CorpusError, EngineError
from sayso.gate.columns import Columns
from sayso.gate.engine import Question
from sayso.plan.gate import Packing, Tables, combinations, numbered, strangers, verdicts
from sayso.plan.history import history

BROADCAST = 20_000_000
"""So many subjects' standing at most is sent to every executor; more are joined by a shuffle (docs/design/0062)."""
_numbers = itertools.count()


class Views:
    """Tables under names of their own in a session, for as long as a query needs them."""

    def __init__(self, session: SparkSession, *, broadcast: int) -> None:
        self.session, self._broadcast, self._names = session, broadcast, ExitStack()

    def __enter__(self) -> Views:
        return self

    def __exit__(self, *_: object) -> None:
        self._names.close()

    def frame(self, frame: DataFrame, schema: ibis.Schema) -> ir.Table:
        """A frame, as expressions name it."""
        name = f"sayso_{next(_numbers)}"
        frame.createOrReplaceTempView(name)
        self._names.callback(self.session.catalog.dropTempView, name)
        return ibis.table(schema, name=name)

    def arrow(self, _name: str, table: pa.Table) -> ir.Table:
        """A table of ours; one of few rows is sent to every executor."""
        frame = frame_of(self.session, table)
        if table.num_rows <= self._broadcast:
            frame = f.broadcast(frame)
        return self.frame(frame, ibis.schema(table.schema))

    def tables(self, question: Question) -> Tables:
        """The tables of a question's snapshot."""
        return joined(question.snapshot, self.arrow)

    def sql(self, expression: ir.Table) -> DataFrame:
        """What an expression says, of tables named before."""
        return self.session.sql(str(ibis.to_sql(expression, dialect="pyspark")))


class SparkEngine:
    """A session of Spark's, on one machine or many. `broadcast` is how many rows of a snapshot's table are sent to all."""

    def __init__(self, session: SparkSession, *, broadcast: int = BROADCAST) -> None:
        self.session, self.broadcast = session, broadcast
        self.versions: Mapping[str, str] = {
            "engine": f"spark {session.version}",
            "python": platform.python_version(),
        } | {name: version(name) for name in ("sayso", "pyarrow", "ibis-framework", "numpy")}

    def histories(self, facts: pa.RecordBatchReader, symbols: pa.Table, kin: pa.Table) -> Iterator[pa.RecordBatch]:
        """The sorted histories of `plan.history`. All facts pass through the driver, where the ledger is."""
        with spark_errors("fold the ledger"), self._views() as views:
            tables = [views.arrow("", table) for table in (facts.read_all(), symbols, kin)]
            yield from _fetched(views, history(*tables)).to_batches()

    def verdicts(self, question: Question) -> Iterator[pa.RecordBatch]:
        """The verdicts of `plan.gate.numbered` for the records of some Parquet files."""
        with spark_errors("run the plan"), self._views() as views:
            table = _fetched(views, decided(views, corpus(views, question), question))
            place = table.schema.get_field_index("number")
            yield from table.set_column(place, "number", table.column(place).cast(pa.uint32())).to_batches()

    def strangers(self, question: Question) -> Iterator[pa.RecordBatch]:
        """The `id` of each subject of the corpus whom the snapshot does not know, once each."""
        with spark_errors("look for those who were erased"), self._views() as views:
            read = corpus(views, question)
            yield from _fetched(views, strangers(read, shape_of(question), views.tables(question))).to_batches()

    def records(self, question: Question, rows: Sequence[int]) -> pa.Table:
        """Some records by their `row`, as the corpus's columns are read (`plan.gate.Shape`)."""
        with spark_errors("read the corpus"), self._views() as views:
            read = corpus(views, question)
            return _fetched(views, read.filter(read.row.isin(list(rows))))

    def combinations(self, question: Question) -> pa.Table:
        """What `plan.gate.combinations` gives, for a use that asks for the account."""
        with spark_errors("ask for what to answer"), self._views() as views:
            read, shape = corpus(views, question), shape_of(question)
            tables, dimensions = views.tables(question), question.snapshot.dimensions
            return _fetched(views, combinations(read, shape, tables, dimensions))

    def to_parquet(self, source: Path, form: str, target: Path, columns: Columns) -> None:
        """Writes an NDJSON or CSV file as Parquet, on the driver and by DuckDB, so that it is read alike by both."""
        DuckDBEngine().to_parquet(source, form, target, columns)

    def _views(self) -> Views:
        return Views(self.session, broadcast=self.broadcast)


def decided(views: Views, read: ir.Table, question: Question) -> ir.Table:
    """The verdicts of a corpus that was read, as `plan.gate.numbered` has them; Spark has no `uint32`."""
    shape, snapshot = shape_of(question), question.snapshot
    told = verdicts(read, shape, views.tables(question), snapshot.dimensions, stale=question.stale)
    several, resting = shape.several, rests(snapshot)
    return numbered(told, Packing.of(snapshot), several=several, positions=resting, number="int64")


def corpus(views: Views, question: Question) -> ir.Table:
    """The records of a question's parts, as its columns are read."""
    used = {name: question.schema.field(name).type for name in question.columns.used if name in question.schema.names}
    types, collected = _types(used), question.columns.collected_at
    old = collected in used and _is_int96(question.parts[0].path, collected)
    if old:
        types[collected].dataType = t.TimestampType()
    read, row = rows_of(views.session, question, types)
    if old:
        read = read.withColumn(collected, f.expr(f"try_multiply(unix_micros({quoted(collected)}), 1000L)"))
    selected = [f.expr(one).alias(name) for name, one in expressions(question, Spark()).items()]
    return views.frame(read.select(row.alias("row"), *selected), corpus_schema(question))


def rows_of(session: SparkSession, question: Question, schema: t.StructType) -> tuple[DataFrame, Column]:
    """The records of a question's parts with some columns, and each record's number among all of them.

    Raises EngineError where Spark passes a file over.
    """
    if any(_has_nanoseconds(field.type) for field in question.schema):
        session.conf.set(NANOSECONDS, "true")
    paths = [str(part.path.absolute()) for part in question.parts]
    read = session.read.options(**READING).schema(schema).parquet(*paths)
    files = {_local(name): name for name in read.inputFiles()}
    row = f.col("_metadata.row_index")
    missing = [path for path in paths if path not in files]
    if missing:
        raise EngineError(f"spark passes over `{Path(missing[0]).name}`; rename the file, without `_` or `.` before")
    if len(paths) == 1:
        return read, row + question.parts[0].first
    firsts = pa.table(
        {
            "sayso file": [_as_metadata(files[path]) for path in paths],
            "sayso first": pa.array([p.first for p in question.parts], pa.int64()),
        }
    )
    named = f.broadcast(frame_of(session, firsts))
    placed = read.withColumn("sayso row", row).join(named, f.col("_metadata.file_path") == named["sayso file"])
    return placed, f.col("sayso row") + f.col("sayso first")


def frame_of(session: SparkSession, table: pa.Table) -> DataFrame:
    """A table of ours as a frame."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what PySpark thinks of pandas, which is not used
        return session.createDataFrame(table)


def _types(used: Mapping[str, pa.DataType]) -> t.StructType:
    """The columns that are used, as Spark reads them. What is null throughout is not read (`reading`)."""
    fields = []
    for name, kind in used.items():
        made = type_of(kind)
        if made is not None:
            fields.append(t.StructField(name, made))
        elif not kinds.is_null(kind):
            raise CorpusError(f"expected a type that Spark has in column `{name}`, got `{kind}`")
    return t.StructType(fields)


def _is_int96(path: Path, column: str) -> bool:
    """Whether a column holds the instants of before, which Spark reads as no other type; to Arrow they are nanoseconds."""
    try:
        columns = pq.ParquetFile(path).schema
    except (pa.ArrowException, OSError) as error:
        raise EngineError(f"spark could not read the corpus: {type(error).__name__}") from error
    return any(one.path == column and one.physical_type == "INT96" for one in columns)


def _has_nanoseconds(kind: pa.DataType) -> bool:
    if kinds.is_timestamp(kind):
        return bool(kind.unit == "ns")
    return any(_has_nanoseconds(kind.field(place).type) for place in range(kind.num_fields))


def _local(name: str) -> str:
    """The path of a file that Spark names by its URI."""
    return unquote(urlsplit(name.replace("#", "%23").replace("?", "%3F")).path)


def _as_metadata(name: str) -> str:
    """The same file's URI, as Spark writes it beside a row."""
    return name.replace("file:///", "file:/", 1)


def _fetched(views: Views, expression: ir.Table) -> pa.Table:
    """The rows of an expression, on the driver, of the types that it has."""
    schema = expression.schema().to_pyarrow()
    return views.sql(expression).toArrow().cast(schema)
