"""Where Spark reads a corpus from: Parquet files, or a frame. Every record has a number that is the same whenever it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql import types as t

from sayso.engines.reading import expressions
from sayso.engines.spark_session import NANOSECONDS, READING, spark_errors
from sayso.engines.spark_sql import Spark, quoted
from sayso.engines.spark_types import type_of
from sayso.engines.spark_views import frame_of
from sayso.engines.spark_worker import BITS, WORD_OF
from sayso.errors import CorpusError, EngineError, Problem
from sayso.gate.engine import Question

ROW, FIRST = "sayso row", "sayso first"
"""Beside the columns of a corpus: a record's number among all, and that of the first record of its file."""
_FILE, _PLACE = "sayso file", "sayso place"
_FIRST_OF_FILE = "sayso first of file"
OWN = frozenset({ROW, FIRST, _FILE, _PLACE, _FIRST_OF_FILE, WORD_OF, BITS})
FILE_BITS = 36
"""A record's place in its file is a number of so many bits."""


class Source(Protocol):
    """Where records are read from."""

    def rows(self, session: SparkSession, question: Question, types: t.StructType | None = None) -> DataFrame:
        """The records with the columns named in `types`, or all of them, and ROW and FIRST beside.

        Raises CorpusError for a column that Spark has no type for, EngineError for a file that it passes over.
        """


class Files:
    """The parts of a question."""

    def rows(self, session: SparkSession, question: Question, types: t.StructType | None = None) -> DataFrame:
        """The records, numbered as the parts are."""
        if types is None:
            types = _whole(question.schema)
        elif any(_has_nanoseconds(question.schema.field(name).type) for name in types.names):
            session.conf.set(NANOSECONDS, "true")
        paths = [str(part.path.absolute()) for part in question.parts]
        read = session.read.options(**READING).schema(types).parquet(*paths)
        files = {_local(name): name for name in read.inputFiles()}
        missing = [path for path in paths if path not in files]
        if missing:
            name = Path(missing[0]).name
            raise EngineError(f"spark passes over `{name}`; rename the file, without `_` or `.` before")
        firsts = [part.first for part in question.parts]
        if len(paths) == 1:
            row = f.col("_metadata.row_index") + firsts[0]
            return read.select("*", row.alias(ROW), f.lit(firsts[0]).cast("long").alias(FIRST))
        named, key = _named(session, [files[path] for path in paths], firsts)
        placed = read.select("*", f.col("_metadata.row_index").alias(_PLACE), key)
        numbered = placed.join(named, _FILE).withColumn(ROW, f.col(_PLACE) + f.col(_FIRST_OF_FILE))
        return numbered.withColumnRenamed(_FIRST_OF_FILE, FIRST).drop(_FILE, _PLACE)


@dataclass(frozen=True)
class Frame:
    """A frame that is held still (`hold`): whatever made it, each record is the same one again."""

    held: DataFrame

    def rows(self, session: SparkSession, question: Question, types: t.StructType | None = None) -> DataFrame:
        """The records, numbered as they are held."""
        names = self.held.columns if types is None else [*types.names, ROW, FIRST]
        return self.held.select(*(f.col(quoted(name)) for name in names))


@dataclass(frozen=True)
class Table:
    """A table of the catalogue that lies in Parquet files: a record is known by its file and its place there.

    The files are those of when the table was opened.
    """

    opened: DataFrame
    files: tuple[str, ...]

    def rows(self, session: SparkSession, question: Question, types: t.StructType | None = None) -> DataFrame:
        """The records, numbered by file and place."""
        names = self.opened.columns if types is None else types.names
        firsts = [number << FILE_BITS for number in range(len(self.files))]
        named, key = _named(session, self.files, firsts)
        columns = (f.col(quoted(name)) for name in names)
        placed = self.opened.select(*columns, f.col("_metadata.row_index").alias(_PLACE), key)
        numbered = placed.join(named, _FILE).withColumn(ROW, f.col(_PLACE) + f.col(_FIRST_OF_FILE))
        return numbered.withColumn(FIRST, f.lit(0).cast("long")).drop(_FILE, _PLACE, _FIRST_OF_FILE)


def _named(session: SparkSession, files: Sequence[str], firsts: Sequence[int]) -> tuple[DataFrame, Column]:
    """A frame of files by _FILE, each with its _FIRST_OF_FILE, to be sent to all; and the _FILE that a record is in.

    That is a hash of the file's name which no other of them has: for each record a number is found sooner than a name.
    """
    listed = {"name": list(map(_as_metadata, files)), _FIRST_OF_FILE: pa.array(firsts, pa.int64())}
    told = frame_of(session, pa.table(listed))
    seed = 0
    while True:
        hashed = told.select(f.xxhash64("name", f.lit(seed)).alias(_FILE), _FIRST_OF_FILE).toArrow()
        if len(hashed.column(_FILE).unique()) == len(set(files)):
            return f.broadcast(frame_of(session, hashed)), f.xxhash64("_metadata.file_path", f.lit(seed)).alias(_FILE)
        seed += 1


def opened(session: SparkSession, source: str | DataFrame) -> tuple[Source, pa.Schema, int]:
    """A table of the catalogue, by its name, or a frame; its columns as Arrow has them, and how many records it has.

    What cannot be told by file and place is held (`hold`). Raises EngineError.
    """
    with spark_errors("open the table"):
        frame = session.table(source) if isinstance(source, str) else source
        _check_names(frame.columns)
        files = tuple(frame.inputFiles()) if isinstance(source, str) and _is_plain(session, source, frame) else ()
        schema: pa.Schema = frame.limit(0).toArrow().schema
        if files:
            return Table(frame, files), schema, frame.count()
        held = hold(frame)
        return held, schema, held.held.count()


def _is_plain(session: SparkSession, name: str, frame: DataFrame) -> bool:
    """Whether a table is one of Parquet files. Of a view the rows of a file may be there twice."""
    try:
        frame.select("_metadata.row_index", "_metadata.file_path")
    except AnalysisException:
        return False
    return session.catalog.getTable(name).tableType in ("MANAGED", "EXTERNAL")


def hold(frame: DataFrame) -> Frame:
    """A frame's records on the executors' disks: asked again, a frame may give others, or in another order."""
    numbered = frame.withColumns({ROW: f.monotonically_increasing_id(), FIRST: f.lit(0).cast("long")})
    return Frame(numbered.localCheckpoint(eager=True))


def reading(source: Source, session: SparkSession, question: Question, extra: Mapping[str, str]) -> DataFrame:
    """The records of a source as a question's columns are read (`reading.expressions`), with some `extra` beside."""
    used = {name: question.schema.field(name).type for name in question.columns.used if name in question.schema.names}
    types, collected = columns_of(used), question.columns.collected_at
    old = bool(question.parts) and collected in used and _is_int96(question.parts[0].path, collected)
    if old:
        types[collected].dataType = t.TimestampType()
    read = source.rows(session, question, types)
    if old:
        read = read.withColumn(collected, f.expr(f"try_multiply(unix_micros({quoted(collected)}), 1000L)"))
    selected = {"row": quoted(ROW), **expressions(question, Spark()), **extra}
    return read.select(*(f.expr(one).alias(name) for name, one in selected.items()))


def columns_of(used: Mapping[str, pa.DataType]) -> t.StructType:
    """Columns as Spark reads them. What is null throughout is not read.

    Raises CorpusError for a type that Spark has not.
    """
    fields = []
    for name, kind in used.items():
        made = type_of(kind)
        if made is not None:
            fields.append(t.StructField(name, made))
        elif not kinds.is_null(kind):
            raise CorpusError(f"expected a type that Spark has in column `{name}`, got `{kind}`")
    return t.StructType(fields)


def _whole(schema: pa.Schema) -> t.StructType:
    """All columns, to be written as they were read. Raises CorpusError for one that Spark would write as another."""
    for field in schema:
        if kinds.is_null(field.type) or _has_nanoseconds(field.type):
            problem = f"expected a type that Spark can write in column `{field.name}`, got `{field.type}`"
            raise CorpusError(
                Problem(problem, remedy="gate the corpus without Spark, or write the column as another type")
            )
    _check_names(schema.names)
    return columns_of({field.name: field.type for field in schema})


def _check_names(names: Sequence[str]) -> None:
    """Raises CorpusError for a column that is called as one of ours, in whatever case."""
    for name in names:
        if name.casefold() in OWN:
            raise CorpusError(Problem(f"expected no column `{name}`", remedy="rename it"))


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
