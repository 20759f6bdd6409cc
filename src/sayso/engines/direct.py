"""Reading the columns that decide with Arrow, a file at a time, for answers that are found by place (`plan.direct`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds

from sayso.engines.duckdb_sql import DuckDB
from sayso.engines.reading import check_names, shape_of
from sayso.errors import EngineError
from sayso.gate.engine import Part, Question
from sayso.plan.direct import Direct
from sayso.plan.gate import plain
from sayso.plan.lookup import Lookup

ROWS_A_BATCH = 65_536
INFINITE = -np.iinfo(np.int64).max
"""An instant that is none, as DuckDB reads it; its opposite is after every use."""


def suits(question: Question) -> bool:
    """Whether a question's records have one subject with an integer as id, and columns that need no conversion."""
    columns, schema = question.columns, question.schema
    if question.stale or not plain(shape_of(question), question.snapshot.dimensions) or columns.account is not None:
        return False
    if any(name not in schema.names for name in columns.used):
        return False
    check_names(columns, schema, DuckDB())
    if not kinds.is_integer(question.snapshot.standing.schema.field("subject").type):
        return False
    subject, collected = (schema.field(name).type for name in (columns.subjects[0].column, columns.collected_at))
    texts = [schema.field(name).type for name in (columns.category, columns.territory) if name is not None]
    return (
        kinds.is_integer(subject)
        and not kinds.is_uint64(subject)
        and kinds.is_timestamp(collected)
        and collected.unit == "us"
        and collected.tz is not None
        and all(kinds.is_string(kind) or kinds.is_large_string(kind) for kind in texts)
    )


def numbered(question: Question, direct: Direct, lookup: Lookup) -> Iterator[pa.RecordBatch]:
    """The verdicts of `plan.gate.numbered` for the records of some files."""
    columns = question.columns
    for part in question.parts:
        for first, batch in _read(part, question):
            ids, no_id = _numbers(batch.column(columns.subjects[0].column))
            collected, no_instant = _numbers(batch.column(columns.collected_at))
            categories = columns.category_constant or ""
            if columns.category is not None:
                categories = _encoded(batch.column(columns.category))
            territories = None if columns.territory is None else _encoded(batch.column(columns.territory))
            unread = no_id | no_instant | (collected == INFINITE)
            key, category, person = direct.keyed(ids, collected, categories, territories, unread)
            yield lookup.told(pa.array(np.arange(first, first + len(ids))), key, category, person)


def strangers(question: Question, direct: Direct) -> Iterator[pa.RecordBatch]:
    """The `id` of each subject of the corpus whom the snapshot does not know; some more than once."""
    name = question.columns.subjects[0].column
    for part in question.parts:
        for _, batch in _read(part, question, [name]):
            ids, null = _numbers(batch.column(name))
            unknown = np.unique(ids[(direct.index.of(ids) < 0) & ~null])
            yield pa.RecordBatch.from_pydict({"id": pa.array(unknown)})


def _read(part: Part, question: Question, names: list[str] | None = None) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The batches of a file, each with the number of its first row."""
    columns, first = question.columns, part.first
    asked = (columns.subjects[0].column, columns.collected_at, columns.category, columns.territory)
    used = names or [name for name in dict.fromkeys(asked) if name is not None]
    texts = [name for name in (columns.category, columns.territory) if name is not None]
    try:
        file = pq.ParquetFile(part.path, read_dictionary=texts, memory_map=True, pre_buffer=False)
        for batch in file.iter_batches(ROWS_A_BATCH, columns=used, use_threads=False):
            yield first, batch
            first += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise EngineError(f"could not read the corpus: {type(error).__name__}") from error


def _numbers(column: pa.Array) -> tuple[Any, Any]:
    """Integers or instants as an array of int64, and which of them are null."""
    values = column.cast(pa.int64()) if column.type != pa.int64() else column
    if not column.null_count:
        return values.to_numpy(), np.False_
    return values.fill_null(0).to_numpy(), column.is_null().to_numpy(zero_copy_only=False)


def _encoded(column: pa.Array) -> pa.Array:
    return column if kinds.is_dictionary(column.type) else column.dictionary_encode()
