"""Streaming rows of facts out of PostgreSQL as Arrow columns, in bounded memory: `COPY` as CSV, read by Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv as pc

from sayso.ledger.facts import COLUMNS, ROW_BITS, schema
from sayso.ledger.identity import IdType


def scan(
    connection: psycopg.Connection[Any], id_type: IdType, upto: int, columns: Sequence[str], batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """The facts at positions below `upto`, in batches of at most `batch_rows`, in order of row: one view of them."""
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown or not columns:
        raise ValueError(f"expected columns among {', '.join(COLUMNS)}")
    shape = schema(id_type, tuple(columns))
    selected = ", ".join(f"row >> {ROW_BITS}" if name == "position" else name for name in columns)
    query = f"COPY (SELECT {selected} FROM facts WHERE row < {upto << ROW_BITS} ORDER BY row) TO STDOUT (FORMAT csv)"
    reading = pc.ReadOptions(column_names=shape.names, use_threads=False)
    # A null is written as nothing, an empty text in quotation marks.
    converting = pc.ConvertOptions(
        column_types=shape, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        lines = iter(copy)
        while some := list(islice(lines, batch_rows)):
            table = pc.read_csv(pa.py_buffer(b"".join(some)), reading, convert_options=converting)
            (batch,) = table.combine_chunks().to_batches()
            yield pa.RecordBatch.from_arrays(batch.columns, schema=shape)
