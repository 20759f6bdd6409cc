"""Names that expressions and a Spark session share, for as long as a query needs them."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql import types as t

from sayso.engines.joining import joined
from sayso.engines.spark_session import NANOSECONDS, kept_setting
from sayso.gate.engine import Question
from sayso.plan.gate import Tables

_numbers = itertools.count()


def frame_of(session: SparkSession, table: pa.Table) -> DataFrame:
    """A table of ours as a frame."""
    with no_warnings():
        return session.createDataFrame(table)


def in_arrow(
    frame: DataFrame, made: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]], schema: t.StructType | str
) -> DataFrame:
    """What is made of a frame's batches where it lies."""
    with no_warnings():
        return frame.mapInArrow(made, schema)


@contextmanager
def no_warnings() -> Iterator[None]:
    """Without what PySpark thinks of the pandas that is installed, which is not used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Views:
    """Tables under names of their own in a session. One of no more than `broadcast` rows is sent to every executor."""

    def __init__(self, session: SparkSession, *, broadcast: int) -> None:
        self.session, self.broadcast, self._names = session, broadcast, ExitStack()

    def __enter__(self) -> Views:
        self._names.enter_context(kept_setting(self.session, NANOSECONDS))
        return self

    def __exit__(self, *_: object) -> None:
        self._names.close()

    def frame(self, frame: DataFrame, schema: ibis.Schema) -> ir.Table:
        """A frame, as expressions name it."""
        name = f"sayso_{next(_numbers)}"
        frame.createOrReplaceTempView(name)
        self._names.callback(self.session.catalog.dropTempView, name)
        return ibis.table(schema, name=name)

    def arrow(self, table: pa.Table) -> ir.Table:
        """A table of ours."""
        return self.frame(self.sent(frame_of(self.session, table), table.num_rows), ibis.schema(table.schema))

    def sent(self, frame: DataFrame, rows: int) -> DataFrame:
        """A frame of so many rows, to be joined as is best."""
        return f.broadcast(frame) if rows <= self.broadcast else frame

    def tables(self, question: Question) -> Tables:
        """The tables of a question's snapshot."""
        return joined(question.snapshot, lambda _, table: self.arrow(table))

    def sql(self, expression: ir.Table) -> DataFrame:
        """What an expression says, of tables named before."""
        return self.session.sql(str(ibis.to_sql(expression, dialect="pyspark")))

    def fetched(self, expression: ir.Table) -> pa.Table:
        """The rows of an expression, on the driver, of the types that it has."""
        return self.sql(expression).toArrow().cast(expression.schema().to_pyarrow())
