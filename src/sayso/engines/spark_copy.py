"""Verdicts that Spark keeps, and the copies that it makes by them.

Deciding reads a few narrow columns. What is permitted is then a bit for each record, 64 to a word; so that the columns
of content are read once, never shuffled, and joined with nothing but those words.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from sayso.engines import spark_report
from sayso.engines.spark_session import INSTANTS_WRITTEN, setting, spark_errors
from sayso.engines.spark_sources import FIRST, ROW, Frame, Source
from sayso.engines.spark_sql import quoted
from sayso.engines.spark_verdicts import Kept, keeping, of_rows
from sayso.engines.spark_views import Views, frame_of, in_arrow
from sayso.engines.spark_worker import BITS, WORD_OF
from sayso.errors import EngineError
from sayso.gate.engine import Part, Question
from sayso.gate.output import DENIED, PERMITTED

RECORDS_A_COPY = 1_000_000_000
"""So many records' bits at most are sent to every executor at a time."""
_LAST = (1 << 63) - 1
_COMPRESSIONS = {"UNCOMPRESSED": "none", "LZ4": "lz4_raw", "LZ4_RAW": "lz4_raw"}


@contextmanager
def deciding(views: Views, source: Source, question: Question, *, arrow: bool) -> Iterator[KeptVerdicts]:
    """The verdicts of all records, until the end of the block."""
    with ExitStack() as until_end:
        with spark_errors("run the plan"):
            kept = until_end.enter_context(keeping(views, source, question, arrow=arrow))
        yield KeptVerdicts(views, source, question, kept, until_end)


@dataclass(frozen=True)
class KeptVerdicts:
    """Verdicts that lie on the executors (`gate.engine.Decided`)."""

    views: Views
    source: Source
    question: Question
    kept: Kept
    until_end: ExitStack
    counted: dict[int, Counter[tuple[int, str | None]]] = field(default_factory=dict)

    def counts(self, until: int) -> Counter[tuple[int, str | None]]:
        """How many of the records below `until` have each packed verdict, and the territory that it is of, if written."""
        if until not in self.counted:
            with spark_errors("run the plan"):
                counts = self.kept.counts.where(f.col("first") < until) if self.question.parts else self.kept.counts
                told = counts.toArrow()
            # Few rows, of which a shuffle would take longer than to fetch them.
            added = told.group_by(["number", "written"]).aggregate([("records", "sum")]).to_pylist()
            self.counted[until] = Counter({(row["number"], row["written"]): row["records_sum"] for row in added})
        return self.counted[until]

    def permitted(self, since: int) -> int:
        """How many of the records from a row on are permitted."""
        with spark_errors("run the plan"):
            later = f.when(f.col(WORD_OF) == since >> 6, f.col(BITS).bitwiseAND(-1 << (since & 63))).otherwise(
                f.col(BITS)
            )
            words = self.kept.words(since >> 6, _LAST)
            return _sum(words, f.bit_count(later))

    def revoked(self, later: KeptVerdicts) -> int:
        """How many records are permitted here that are not `later`."""
        with spark_errors("run the plan"):
            now = later.kept.words(0, _LAST).groupBy(WORD_OF).agg(f.bit_or(BITS).alias("now"))
            words = self.kept.words(0, _LAST).join(now, WORD_OF, "left")
            lost = f.col(BITS).bitwiseAND(f.bitwise_not(f.coalesce(f.col("now"), f.lit(0).cast("long"))))
            return _sum(words, f.bit_count(lost))

    def merged(self, later: KeptVerdicts, base: int) -> KeptVerdicts:
        """The verdicts of both: those of `later` where it denies or both permit, else these."""
        with spark_errors("run the plan"):
            before, after = self.kept.rows().alias("before"), later.kept.rows().alias("after")
            earlier = f.col("after.permitted") & ~f.col("before.permitted")
            moved = (f.col("after.number") + base).alias("number")
            chosen = [f.col("row")]
            for name in before.columns:
                if name != "row":
                    of_later = moved if name == "number" else f.col(f"after.{name}")
                    chosen.append(f.when(earlier, f.col(f"before.{name}")).otherwise(of_later).alias(name))
            # A record that only one of them has is denied by the lack of it.
            both = before.join(after, "row").select(*chosen).persist(StorageLevel.MEMORY_AND_DISK)
            self.until_end.callback(both.unpersist)
        return replace(self, kept=of_rows(both), counted={})

    def write(self, into: Path, report: pa.Table, until: int, *, permitted: bool = True) -> None:
        """Writes the permitted records, if they are asked for, and the report of the denied ones below `into`."""
        instants = setting(self.views.session, INSTANTS_WRITTEN, "TIMESTAMP_MICROS")
        with spark_errors("write the output"), instants:
            for number, asked in enumerate(self._slices(until) if permitted else ()):
                copy = self.permitted_records(asked)
                mode = "append" if number else "errorifexists"
                writer = copy.write.mode(mode).option("compression", _compression(self.question))
                writer.option(_SUCCESS, "false").parquet(str(into / PERMITTED))
            self._report(into / DENIED, report, until)

    def _report(self, into: Path, report: pa.Table, until: int) -> None:
        if self.kept.packed is None:
            self.denied_records(report, until).write.option(_SUCCESS, "false").parquet(str(into))
            return
        parts = into / "parts"
        parts.mkdir(parents=True)
        how = spark_report.Reporting(parts.absolute(), report, self._files(), until if self.question.parts else None)
        written = in_arrow(self.kept.packed, lambda batches: spark_report.report(how, batches), "name string").collect()
        for number, name in enumerate(sorted(row["name"] for row in written if row["name"] is not None)):
            (parts / name).rename(into / f"part-{number:05}.parquet")
        shutil.rmtree(parts)
        if not any(into.iterdir()):  # nothing is denied: a file says so, with the columns of a report
            self.denied_records(report, until).write.mode("append").option(_SUCCESS, "false").parquet(str(into))

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
            if not isinstance(self.source, Frame):  # files may be written again, and a bit is of what was there
                permitted = permitted.localCheckpoint(eager=True)
            if valid_until is not None:
                valid = f.unix_micros(f.current_timestamp()) < valid_until
                stale = f.raise_error(f.lit("the permits of this frame are stale; gate the records again"))
                permitted = permitted.where(f.when(valid, f.lit(True)).otherwise(stale.cast("boolean")))
            return permitted, self.denied_records(report, until).localCheckpoint(eager=True)

    def _permitted(self, until: int, *, held: bool = False) -> DataFrame:
        """All permitted records."""
        return reduce(DataFrame.union, [self.permitted_records(one, held=held) for one in self._slices(until)])

    def permitted_records(self, asked: Question, *, held: bool = False) -> DataFrame:
        """The permitted records of some parts, with the columns that they came with."""
        parts = asked.parts
        first, last = (parts[0].first, parts[-1].first + parts[-1].rows) if parts else (0, _LAST)
        words = self.kept.words(first >> 6, last >> 6)
        if held:
            words = words.localCheckpoint(eager=True)
        whole = self.source.rows(self.views.session, asked)
        is_set = f.expr(f"shiftrightunsigned({quoted(BITS)}, CAST({quoted(ROW)} & 63 AS INT)) & 1L") == 1
        kept = whole.join(f.broadcast(words), (f.shiftright(f.col(quoted(ROW)), 6) == f.col(quoted(WORD_OF))) & is_set)
        return kept.drop(ROW, FIRST, WORD_OF, BITS)

    def denied_records(self, report: pa.Table, until: int | None) -> DataFrame:
        """The report of the denied records (`gate.output.denied_schema`), with the `input` that each is in."""
        session, parts = self.views.session, self.question.parts
        words = f.broadcast(frame_of(session, report))
        denied = self.kept.denied
        if until is not None and parts:  # without those that were planted at the end
            denied = denied.where(f.col("row") < until)
        same = (f.col("of.number") == f.col("word.number")) & f.col("of.written").eqNullSafe(f.col("word.written"))
        told = (
            denied.alias("of")
            .join(words.alias("word"), same, "left")
            .join(f.broadcast(frame_of(session, self._files())), "first")
        )
        key = [] if self.question.columns.key is None else ["key"]
        row = (f.col("row") - f.col("first")).alias("row")
        evidence = ("reason", "rule", "territory", "category", "subject", "position")
        return told.select(*key, "input", row, *evidence)

    def _files(self) -> pa.Table:
        """Which file each record is in, by the number of its first; a table has one, of no name."""
        parts = self.question.parts
        firsts: list[int] = [part.first for part in parts] or [0]
        names: list[str | None] = [part.name or part.path.name for part in parts]
        return pa.table({"first": pa.array(firsts, pa.int64()), "input": pa.array(names or [None], pa.string())})

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


def _sum(frame: DataFrame, column: Column) -> int:
    found = frame.agg(f.sum(column)).collect()[0][0]
    return int(found or 0)


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
