"""Verdicts that Spark keeps, and the copies that it makes by them.

Deciding reads a few narrow columns. What is permitted is then a bit for each record, 64 to a word; so that the columns
of content are read once, never shuffled, and joined with nothing but those words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from sayso.engines.joining import rests
from sayso.engines.reading import corpus_schema, shape_of
from sayso.engines.spark_session import INSTANTS_WRITTEN, setting, spark_errors
from sayso.engines.spark_sources import FIRST, ROW, Source, reading
from sayso.engines.spark_sql import quoted
from sayso.engines.spark_views import Views, frame_of
from sayso.errors import EngineError
from sayso.gate.engine import Part, Question
from sayso.gate.output import DENIED, PERMITTED
from sayso.gate.verdicts import Codec
from sayso.plan.gate import Packing, packed, verdicts

RECORDS_A_COPY = 1_000_000_000
"""So many records' bits at most are sent to every executor at a time."""
_COMPRESSIONS = {"UNCOMPRESSED": "none", "LZ4": "lz4_raw", "LZ4_RAW": "lz4_raw"}
_WORD, _BITS = "sayso word", "sayso bits"


@contextmanager
def keeping(views: Views, source: Source, question: Question) -> Iterator[KeptVerdicts]:
    """The verdicts of all records, until the end of the block."""
    with spark_errors("run the plan"):
        frame = views.sql(_verdicts(views, source, question)).persist(StorageLevel.MEMORY_AND_DISK)
    try:
        yield KeptVerdicts(views, source, question, frame)
    finally:
        frame.unpersist()


def _verdicts(views: Views, source: Source, question: Question) -> ir.Table:
    """Of each record `row`, `number`, whether it is `permitted`, and where the verdict is of it the territory `written`;
    of a denied one, for the report, the `first` row of its file, its `key`, the `subject` and the `position`.
    """
    columns, shape, snapshot = question.columns, shape_of(question), question.snapshot
    extra = {"kept_first": quoted(FIRST)} | ({} if columns.key is None else {"kept_key": quoted(columns.key)})
    schema = dict(corpus_schema(question).items()) | {"kept_first": "int64"}
    if columns.key is not None:
        schema["kept_key"] = _key(question.schema.field(columns.key).type)
    if not shape.several:
        schema["kept_subject"] = schema["subject"]
    if shape.written:
        schema["kept_written"] = "string"
    read = reading(source, views.session, question, extra)
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


@dataclass(frozen=True)
class KeptVerdicts:
    """Verdicts that lie on the executors (`gate.engine.Decided`)."""

    views: Views
    source: Source
    question: Question
    frame: DataFrame
    counted: dict[int, Counter[tuple[int, str | None]]] = field(default_factory=dict)

    def counts(self, until: int) -> Counter[tuple[int, str | None]]:
        """How many of the records below `until` have each packed verdict, and the territory that it is of, if written."""
        if until not in self.counted:
            with spark_errors("run the plan"):
                grouped = self._below(until).groupBy("number", "written")
                rows = grouped.agg(f.count("*").alias("records")).toArrow().to_pylist()
            self.counted[until] = Counter({(row["number"], row["written"]): row["records"] for row in rows})
        return self.counted[until]

    def permitted(self, since: int) -> int:
        """How many of the records from a row on are permitted."""
        with spark_errors("run the plan"):
            return self.frame.where((f.col("row") >= since) & f.col("permitted")).count()

    def revoked(self, later: KeptVerdicts) -> int:
        """How many records are permitted here that are not `later`."""
        with spark_errors("run the plan"):
            now = later.frame.where("permitted").select("row")
            return self.frame.where("permitted").join(now, "row", "left_anti").count()

    def merged(self, later: KeptVerdicts, base: int) -> KeptVerdicts:
        """The verdicts of both: those of `later` where it denies or both permit, else these."""
        with spark_errors("run the plan"):
            before, after = self.frame.alias("before"), later.frame.alias("after")
            earlier = f.col("after.permitted") & ~f.col("before.permitted")
            moved = (f.col("after.number") + base).alias("number")
            chosen = [f.col("row")]
            for name in self.frame.columns:
                if name != "row":
                    of_later = moved if name == "number" else f.col(f"after.{name}")
                    chosen.append(f.when(earlier, f.col(f"before.{name}")).otherwise(of_later).alias(name))
            # A record that only one of them has is denied by the lack of it.
            both = before.join(after, "row").select(*chosen)
        return replace(self, frame=both, counted={})

    def write(self, into: Path, report: pa.Table, until: int, *, permitted: bool = True) -> None:
        """Writes the permitted records, if they are asked for, and the report of the denied ones below `into`."""
        instants = setting(self.views.session, INSTANTS_WRITTEN, "TIMESTAMP_MICROS")
        with spark_errors("write the output"), instants:
            for number, asked in enumerate(self._slices(until) if permitted else ()):
                copy = self.permitted_records(asked, until)
                mode = "append" if number else "errorifexists"
                writer = copy.write.mode(mode).option("compression", _compression(self.question))
                writer.option(_SUCCESS, "false").parquet(str(into / PERMITTED))
            self.denied_records(report, until).write.option(_SUCCESS, "false").parquet(str(into / DENIED))

    def save(self, name: str, until: int) -> int:
        """Makes a table of the catalogue of the permitted records, and says how many it has."""
        instants = setting(self.views.session, INSTANTS_WRITTEN, "TIMESTAMP_MICROS")
        with spark_errors("write the table"), instants:
            self._permitted(until).write.mode("errorifexists").saveAsTable(name)
            return self.views.session.table(name).count()

    def frames(self, report: pa.Table, valid_until: int | None, until: int) -> tuple[DataFrame, DataFrame]:
        """The permitted records and the report of the denied ones, as frames that no longer need what is kept here.

        From `valid_until` on, the first is an error.
        """
        with spark_errors("run the plan"):
            permitted = self._permitted(until, held=True)
            if valid_until is not None:
                valid = f.unix_micros(f.current_timestamp()) < valid_until
                stale = f.raise_error(f.lit("the permits of this frame are stale; gate the records again"))
                permitted = permitted.where(f.when(valid, f.lit(True)).otherwise(stale.cast("boolean")))
            return permitted, self.denied_records(report, until).localCheckpoint(eager=True)

    def _permitted(self, until: int, *, held: bool = False) -> DataFrame:
        """All permitted records."""
        return reduce(DataFrame.union, [self.permitted_records(one, until, held=held) for one in self._slices(until)])

    def permitted_records(self, asked: Question, until: int | None, *, held: bool = False) -> DataFrame:
        """The permitted records of some parts, with the columns that they came with."""
        rows = self._below(until).where("permitted").select("row")
        if asked is not self.question:
            first, last = asked.parts[0], asked.parts[-1]
            rows = rows.where((f.col("row") >= first.first) & (f.col("row") < last.first + last.rows))
        bit = f.expr("shiftleft(1L, CAST(row & 63 AS INT))")
        words = rows.groupBy(f.shiftright("row", 6).alias(_WORD)).agg(f.bit_or(bit).alias(_BITS))
        if held:
            words = words.localCheckpoint(eager=True)
        whole = self.source.rows(self.views.session, asked)
        is_set = f.expr(f"shiftrightunsigned({quoted(_BITS)}, CAST({quoted(ROW)} & 63 AS INT)) & 1L") == 1
        kept = whole.join(f.broadcast(words), (f.shiftright(f.col(quoted(ROW)), 6) == f.col(quoted(_WORD))) & is_set)
        return kept.drop(ROW, FIRST, _WORD, _BITS)

    def denied_records(self, report: pa.Table, until: int | None) -> DataFrame:
        """The report of the denied records (`gate.output.denied_schema`), with the `input` that each is in."""
        session, parts = self.views.session, self.question.parts
        words = f.broadcast(frame_of(session, report))
        files = pa.table(
            {
                "first": pa.array([part.first for part in parts] or [0], pa.int64()),
                "input": pa.array([part.name or part.path.name for part in parts] if parts else [None], pa.string()),
            }
        )
        denied = self._below(until).where(~f.col("permitted")).drop("permitted").alias("of")
        same = (f.col("of.number") == f.col("word.number")) & f.col("of.written").eqNullSafe(f.col("word.written"))
        told = denied.join(words.alias("word"), same, "left").join(f.broadcast(frame_of(session, files)), "first")
        key = [] if self.question.columns.key is None else ["key"]
        row = (f.col("row") - f.col("first")).alias("row")
        evidence = ("reason", "rule", "territory", "category", "subject", "position")
        return told.select(*key, "input", row, *evidence)

    def _below(self, until: int | None) -> DataFrame:
        """The verdicts of rows below a number; of a table, which has none planted at its end, all."""
        return self.frame.where(f.col("row") < until) if until is not None and self.question.parts else self.frame

    def _slices(self, until: int) -> Iterator[Question]:
        """The question, in pieces of no more records than are copied at a time."""
        parts = [part for part in self.question.parts if part.first < until]
        if not parts or until <= RECORDS_A_COPY:
            yield replace(self.question, parts=tuple(parts)) if parts != list(self.question.parts) else self.question
            return
        some: list[Part] = []
        for part in parts:
            if some and part.first + part.rows - some[0].first > RECORDS_A_COPY:
                yield replace(self.question, parts=tuple(some))
                some = []
            some.append(part)
        yield replace(self.question, parts=tuple(some))


_SUCCESS = "mapreduce.fileoutputcommitter.marksuccessfuljobs"


def _compression(question: Question) -> str:
    """How the corpus is compressed."""
    for part in question.parts:
        try:
            metadata = pq.read_metadata(part.path)
        except (pa.ArrowException, OSError) as error:
            raise EngineError(f"spark could not read the corpus: {type(error).__name__}") from error
        if metadata.num_row_groups and metadata.num_columns:
            named: str = metadata.row_group(0).column(0).compression
            return _COMPRESSIONS.get(named, named.lower())
    return "snappy"
