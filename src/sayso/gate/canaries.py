"""Canaries: planted records that must be denied, whatever the policy. One that passes fails the gate.

They go through the same query as the corpus, and reach no output.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as kinds

from sayso.errors import CorpusError
from sayso.gate.columns import Columns
from sayso.gate.inputs import Input
from sayso.gate.looks import Look
from sayso.instant import DAY

if TYPE_CHECKING:
    from sayso.gate.run import Job


def plant(files: Sequence[Input], job: Job, look: Look, directory: Path) -> Input:
    """A file of planted records with the corpus's columns: nobody's, a stranger's, of no category, and of the future.

    Raises CorpusError if there is no record to make them from.
    """
    example = _example(files)
    columns = job.columns
    kinds_of_wrong = [_unread, _stranger, _uncategorised, _future]
    rows = []
    for number in range(job.canaries):
        planted = dict(example)
        wrong = kinds_of_wrong[number % len(kinds_of_wrong)]
        if not wrong(planted, columns, look, files[0].schema):
            _unread(planted, columns, look, files[0].schema)
        rows.append(planted)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "canaries.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=files[0].schema), path)
    return Input(path, "canaries", "parquet", path, len(rows), files[0].schema)


def _example(files: Sequence[Input]) -> dict[str, Any]:
    for file in files:
        if file.rows:
            first = next(pq.ParquetFile(file.path).iter_batches(batch_size=1))
            row: dict[str, Any] = first.to_pylist()[0]
            return row
    raise CorpusError("canaries are made from the first record of a corpus, and this one is empty")


def _unread(row: dict[str, Any], columns: Columns, _look: Look, _schema: pa.Schema) -> bool:
    """A record without the instant at which it was collected."""
    row[columns.collected_at] = None
    return True


def _stranger(row: dict[str, Any], columns: Columns, look: Look, schema: pa.Schema) -> bool:
    """A record of a person whom the ledger does not know."""
    column = columns.subjects[0].column
    kind = schema.field(column).type
    known = look.pinned.snapshot.standing.column("subject")
    if kinds.is_integer(kind):
        greatest = pc.max(known).as_py() if len(known) else 0
        if greatest is None or greatest >= 2**31 - 2:
            return False
        row[column] = greatest + 1
        return True
    return False


def _uncategorised(row: dict[str, Any], columns: Columns, _look: Look, _schema: pa.Schema) -> bool:
    """A record of no category."""
    if columns.category is None:
        return False
    row[columns.category] = None
    return True


def _future(row: dict[str, Any], columns: Columns, _look: Look, schema: pa.Schema) -> bool:
    """A record collected after the use."""
    value = row[columns.collected_at]
    if value is None or not kinds.is_timestamp(schema.field(columns.collected_at).type):
        return False
    row[columns.collected_at] = (
        pa.scalar(_look.pinned.use.at + DAY, pa.timestamp("us", "UTC"))
        .cast(schema.field(columns.collected_at).type)
        .as_py()
    )
    return True
