"""What is kept of the verdicts on a corpus, as frames of Spark's: made by joins, or by Arrow batches where they are decided.

Both ways give the same rows for the same records. Arrow batches are the faster way, and are taken where the snapshot fits
into the memory of every executor, subjects are found by place, and the executors have this package.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds
from py4j.protocol import Py4JError
from pyspark import StorageLevel
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql import types as t
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_type

from sayso.engines import direct, sharing, spark_worker
from sayso.engines.joining import rests
from sayso.engines.reading import corpus_schema, shape_of
from sayso.engines.spark_session import setting
from sayso.engines.spark_sources import FIRST, Files, Source, reading
from sayso.engines.spark_sql import Spark, quoted
from sayso.engines.spark_views import Views, frame_of, in_arrow
from sayso.engines.spark_worker import BITS, COUNTED, DENIED, WORD, WORD_OF, Decider, Shared, Task
from sayso.errors import EngineError
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.engine import Question
from sayso.gate.verdicts import Codec, chunks
from sayso.plan.gate import Packing, Shape, packed, verdicts

BATCH = "spark.sql.execution.arrow.maxRecordsPerBatch"
RECORDS_A_BATCH = 65_536
RECORDS_A_TASK, TASKS_TOGETHER, TASKS_A_CORE = 1_000_000, 16, 3


@dataclass(frozen=True)
class Kept:
    """The verdicts on a corpus. Each row number is that of a record; `first` that of the first record of its file.

    counts: how many `records` have each `number` (packed), with the territory `written` on them where the verdict is of
    it, by `first`; in parts, to be added up. words: of 64 records each (WORD_OF), from one word to another, the BITS that
    are permitted; in parts too, of which none has a bit of another's.
    denied: `row`, `number`, `written`, `first`, `subject`, `position` and, where there is one, `key`. rows: all of that
    for every record, and whether it is `permitted`; computed when asked for. packed: the denied once more, as the `data`
    of `spark_worker`, where executors have this package.
    """

    counts: DataFrame
    words: Callable[[int, int], DataFrame]
    denied: DataFrame
    rows: Callable[[], DataFrame]
    packed: DataFrame | None = None


def of_rows(rows: DataFrame) -> Kept:
    """What is kept, of a frame with a row for every record."""
    bit = f.expr("shiftleft(1L, CAST(row & 63 AS INT))")
    words = rows.where("permitted").groupBy(f.shiftright("row", 6).alias(WORD_OF)).agg(f.bit_or(bit).alias(BITS))
    counts = rows.groupBy("number", "written", "first").agg(f.count("*").alias("records"))

    def within(first: int, last: int) -> DataFrame:
        return words.where(f.col(WORD_OF).between(first, last))

    return Kept(counts, within, rows.where(~f.col("permitted")).drop("permitted"), lambda: rows)


@contextmanager
def keeping(views: Views, source: Source, question: Question, *, arrow: bool) -> Iterator[Kept]:
    """What is kept of the verdicts on all records, on the executors until the end of the block."""
    if arrow and _suits(question) and question.snapshot.standing.num_rows <= views.broadcast:
        decider = Decider(question.snapshot) if has_package(views.session) else None
        if decider is not None and decider.fits:
            with _in_arrow(views.session, source, question, decider) as made:
                yield made
            return
    frame = views.sql(_joined(views, source, question)).persist(StorageLevel.MEMORY_AND_DISK)
    try:
        yield of_rows(frame)
    finally:
        frame.unpersist()


@contextmanager
def _in_arrow(session: SparkSession, source: Source, question: Question, decider: Decider) -> Iterator[Kept]:
    read = _carrying(session, source, question)
    rows = _row_schema(read)
    reader = replace(direct.Reader.of(question), columns=as_read(shape_of(question)))
    data = session.sparkContext.broadcast(sharing.frozen(decider))
    shared = Shared(str(uuid.uuid4()), data)
    with setting(session, BATCH, str(RECORDS_A_BATCH)):
        if isinstance(source, Files) and direct.suits(question, Spark()) and _is_plain_key(question):
            own, tasks = direct.Reader.of(question), _tasks(question, read)
            # Each of Spark's tasks takes a tenth of a second, in which a worker decides half a million records.
            most = max(TASKS_A_CORE * session.sparkContext.defaultParallelism, len(tasks) // TASKS_TOGETHER)
            numbers = session.range(0, len(tasks), 1, min(len(tasks), most))
            frame = in_arrow(numbers, lambda batches: spark_worker.kept_of(shared, own, tasks, batches), _KEPT)
        else:
            frame = in_arrow(read, lambda batches: spark_worker.kept(shared, reader, batches), _KEPT)
        frame = frame.persist(StorageLevel.MEMORY_AND_DISK)
        try:
            first, records = f.col("row").alias("first"), f.col("value").alias("records")
            counts = frame.where(f.col("kind") == COUNTED).select("number", "written", first, records)
            packed = frame.where(f.col("kind") == DENIED).select("data")
            denied = t.StructType([one for one in rows if one.name != "permitted"])

            def words(first: int, last: int) -> DataFrame:
                # They go to the driver in any case, to be sent to all.
                asked = (f.col("kind") == WORD) & (f.col("row") <= last) & (f.col("value") >= first)
                data = frame.where(asked).select("data").toArrow()
                held = pa.Table.from_batches(spark_worker.unpacked(data.to_batches()), _WORDS)
                return frame_of(session, held).where(f.col(WORD_OF).between(first, last))

            yield Kept(
                counts, words, in_arrow(packed, spark_worker.unpacked, denied),
                lambda: in_arrow(read, lambda batches: spark_worker.told(shared, reader, batches), rows), packed,
            )  # fmt: skip
        finally:
            frame.unpersist()
            data.destroy()


def as_read(shape: Shape) -> Columns:
    """The columns of `reading.expressions`, as those of a corpus."""
    subject = SubjectColumn("subjects") if shape.several else SubjectColumn("subject", shape.role)
    return Columns((subject,), "collected", "category", territory="written" if shape.written else None)


def _is_plain_key(question: Question) -> bool:
    """Whether Arrow's reading of the key and Spark's are one."""
    if question.columns.key is None:
        return True
    kind = question.schema.field(question.columns.key).type
    return bool(kinds.is_signed_integer(kind) or kinds.is_string(kind) or kinds.is_large_string(kind))


def _tasks(question: Question, read: DataFrame) -> list[Task]:
    """All row groups of all files, some records at a time. Raises EngineError."""
    key = to_arrow_type(read.schema["kept_key"].dataType) if "kept_key" in read.columns else None
    tasks = []
    for part in question.parts:
        try:
            footer = pq.read_metadata(part.path)
        except (pa.ArrowException, OSError) as error:
            raise EngineError(f"spark could not read the corpus: {type(error).__name__}") from error
        sizes = [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
        found = (range(start, stop) for start, stop in chunks(sizes, RECORDS_A_TASK))
        tasks += [Task(replace(part, path=part.path.absolute()), tuple(groups), key) for groups in found]
    return tasks


def has_package(session: SparkSession) -> bool:
    """Whether executors have this package, of this version. Asked once of each application."""
    try:
        context = session.sparkContext
    except (AttributeError, PySparkException):  # a session of Spark Connect's, which shares no memory with executors
        return False
    if context.applicationId not in _packaged:
        tasks = max(2, min(context.defaultParallelism, _ASKED))
        try:
            told = in_arrow(session.range(0, tasks, 1, tasks), spark_worker.version, "version string").collect()
        except (PySparkException, Py4JError):
            told = []
        _packaged[context.applicationId] = {row["version"] for row in told} == {metadata.version("sayso")}
    return _packaged[context.applicationId]


_packaged: dict[str, bool] = {}
_ASKED = 64
"""So many tasks at most ask where they run."""


def _suits(question: Question) -> bool:
    """Whether nothing but its subjects is asked of a record."""
    shape = shape_of(question)
    return not (question.stale or shape.reserved or shape.account or shape.malformed)


def _carrying(session: SparkSession, source: Source, question: Question) -> DataFrame:
    """The columns of `corpus_schema`, and beside them what is told of denied records."""
    key = question.columns.key
    extra = {"kept_first": quoted(FIRST)} | ({} if key is None else {"kept_key": quoted(key)})
    return reading(source, session, question, extra)


def _row_schema(read: DataFrame) -> t.StructType:
    """The columns of `Kept.rows`."""
    ids = read.schema["subject"].dataType if "subject" in read.columns else _id_of(read.schema["subjects"].dataType)
    key = [t.StructField("key", read.schema["kept_key"].dataType)] if "kept_key" in read.columns else []
    long, text = t.LongType(), t.StringType()
    return t.StructType(
        [
            t.StructField("row", long), t.StructField("number", long), t.StructField("written", text),
            t.StructField("first", long), t.StructField("subject", ids), t.StructField("position", long), *key,
            t.StructField("permitted", t.BooleanType()),
        ]
    )  # fmt: skip


def _id_of(subjects: t.DataType) -> t.DataType:
    assert isinstance(subjects, t.ArrayType)
    assert isinstance(subjects.elementType, t.StructType)
    return subjects.elementType["id"].dataType


_WORDS = pa.schema([(WORD_OF, pa.int64()), (BITS, pa.int64())])
_KEPT = t.StructType([t.StructField("kind", t.ByteType()), *from_arrow_schema(spark_worker.KEPT)])


def _joined(views: Views, source: Source, question: Question) -> ir.Table:
    """The columns of `Kept.rows`, by the plan's own expression."""
    columns, shape, snapshot = question.columns, shape_of(question), question.snapshot
    schema = dict(corpus_schema(question).items()) | {"kept_first": "int64"}
    if columns.key is not None:
        schema["kept_key"] = _key(question.schema.field(columns.key).type)
    if not shape.several:
        schema["kept_subject"] = schema["subject"]
    if shape.written:
        schema["kept_written"] = "string"
    read = _carrying(views.session, source, question)
    if not shape.several:
        read = read.withColumn("kept_subject", f.col("subject"))
    if shape.written:
        read = read.withColumn("kept_written", f.col("written"))
    read = read.select(*schema)
    carried = [name for name in schema if name.startswith("kept_")]
    told = verdicts(
        views.frame(read, ibis.schema(schema)), shape, views.tables(question), snapshot.dimensions,
        stale=question.stale, carried=carried,
    )  # fmt: skip
    permits = [number for number, permits in enumerate(Codec(snapshot).permits.tolist()) if permits]
    permitted = told.result.isin(permits).fill_null(False)

    def if_denied(value: ir.Value) -> ir.Value:
        return ibis.ifelse(permitted, ibis.null(value.type()), value)

    own = told.id if shape.several else ibis.ifelse(told.subject >= 0, told.kept_subject, ibis.null(told.id.type()))
    of_written = ibis.ifelse(told.territory == -1, told.kept_written, ibis.null("string")) if shape.written else None
    kept = {
        "row": told.row, "number": packed(told, Packing.of(snapshot)), "permitted": permitted,
        "written": ibis.null("string") if of_written is None else of_written, "first": told.kept_first,
        "subject": if_denied(own),
        "position": if_denied(told.position) if rests(snapshot) else ibis.null("int64"),
    }  # fmt: skip
    if columns.key is not None:
        kept["key"] = if_denied(told.kept_key)
    return told.select(**kept)


def _key(kind: pa.DataType) -> ibis.expr.datatypes.DataType:
    plain = kind.value_type if kinds.is_dictionary(kind) else kind
    return ibis.schema(pa.schema([("key", plain)]))["key"]
