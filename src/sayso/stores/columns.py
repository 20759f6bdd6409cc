"""Streaming rows of facts out of SQLite as Arrow columns, fast and in bounded memory.

Fetching rows into Python costs several objects a row. Instead SQLite joins a batch of each column into one text, which
Arrow splits and casts: about four times as fast, and with the one SQLite library that the process already holds. (A
second one in the same process, such as an ADBC driver's, would break SQLite's POSIX locks: docs/design/0031.)
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sayso.ledger.facts import COLUMNS, ROW_BITS, schema
from sayso.ledger.identity import IdType

_SEPARATOR = "\x1f"


def scan(
    connection: sqlite3.Connection, id_type: IdType, upto: int, columns: Sequence[str], batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """The facts at positions below `upto`, in batches of at most `batch_rows`, in order of row."""
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown or not columns:
        raise ValueError(f"expected columns among {', '.join(COLUMNS)}")
    shape = schema(id_type, tuple(columns))
    named = [name for name in columns if name != "position"]
    others = "count(other)" if "other" in columns else "0"
    query = (
        f"SELECT max(row), count(*), {others}, {', '.join(_joined(name) for name in columns)} FROM "
        f"(SELECT {', '.join(['row', *named])} FROM facts WHERE row > ? AND row < ? ORDER BY row LIMIT ?)"
    )
    end = upto << ROW_BITS

    def fetch(last: int) -> tuple[Any, ...]:
        row: tuple[Any, ...] = connection.execute(query, (last, end, batch_rows)).fetchone()
        return row

    # SQLite joins the next batch, without Python's lock, while this one is cast and used.
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(fetch, -1)
        while True:
            last, rows, known, *texts = coming.result()
            if not rows:
                return
            more = rows == batch_rows
            if more:
                coming = ahead.submit(fetch, last)
            arrays = [
                pa.nulls(rows, shape.field(name).type)
                if name == "other" and not known
                else _array(text, shape.field(name))
                for name, text in zip(columns, texts, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=shape)
            if not more:
                return


def _joined(name: str) -> str:
    value = {"position": f"row >> {ROW_BITS}", "other": "ifnull(other, '')"}.get(name, name)
    return f"group_concat({value}, char(31))"


def _array(text: str, field: pa.Field) -> pa.Array:
    values = pc.split_pattern(_one(text), _SEPARATOR).values
    if field.nullable:
        values = pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
    return values.cast(field.type)


def _one(text: str) -> pa.Array:
    """An array of one text. `pa.array` would import pandas first, which takes a second where it is installed."""
    data = text.encode()
    ends = pa.py_buffer(struct.pack("=2i", 0, len(data)))
    return pa.StringArray.from_buffers(1, ends, pa.py_buffer(data))
