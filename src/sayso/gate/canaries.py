"""Canaries: planted records that must be denied, whatever the policy. One that passes fails the gate.

They go through the same query as the corpus, and reach no output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as kinds

from sayso.errors import CorpusError, EngineError
from sayso.gate.columns import Columns
from sayso.gate.inputs import Input
from sayso.gate.job import Job
from sayso.gate.looks import Look
from sayso.instant import DAY

Changes: TypeAlias = dict[str, pa.Scalar]
"""What is written over the columns of a record to make a canary of it."""


def plant(files: Sequence[Input], job: Job, look: Look, directory: Path) -> Input:
    """A file of planted records with the corpus's columns: nobody's, a stranger's, of no category, and of the future.

    Raises CorpusError if there is no record to make them from, EngineError if they cannot be written.
    """
    first = _first(files)
    kinds_of_wrong: list[Callable[[Columns, Look, pa.Table], Changes | None]] = [
        _unread, _stranger, _uncategorised, _future,
    ]  # fmt: skip
    planted = []
    for number in range(job.canaries):
        changes = kinds_of_wrong[number % len(kinds_of_wrong)](job.columns, look, first)
        planted.append(_changed(first, changes or _unread(job.columns, look, first)))
    path = directory / "canaries.parquet"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.concat_tables(planted), path)
    except OSError as error:
        raise EngineError(f"could not write the canaries: {error.strerror or type(error).__name__}") from error
    return Input(path, "canaries", "parquet", path, job.canaries, files[0].schema)


def _first(files: Sequence[Input]) -> pa.Table:
    """The first record of the corpus, of columns that may be null."""
    for file in files:
        if file.rows:
            try:
                found = next(pq.ParquetFile(file.path).iter_batches(batch_size=1))
            except (pa.ArrowException, OSError) as error:
                raise CorpusError(
                    f"expected a file that can be read ({type(error).__name__}), got `{file.name}`"
                ) from error
            fields = [field.with_nullable(True) for field in files[0].schema]
            table = pa.Table.from_batches([found]).select([field.name for field in fields])
            return pa.table(table.columns, schema=pa.schema(fields))
    raise CorpusError("canaries are made from the first record of a corpus, and this one is empty")


def _changed(record: pa.Table, changes: Changes) -> pa.Table:
    for name, value in changes.items():
        place = record.schema.get_field_index(name)
        record = record.set_column(place, record.schema.field(place), pa.repeat(value, 1))
    return record


def _null(record: pa.Table, column: str) -> pa.Scalar:
    return pa.scalar(None, record.schema.field(column).type)


def _unread(columns: Columns, _look: Look, record: pa.Table) -> Changes:
    """A record without the instant at which it was collected."""
    return {columns.collected_at: _null(record, columns.collected_at)}


def _stranger(columns: Columns, look: Look, record: pa.Table) -> Changes | None:
    """A record of a person whom the ledger does not know, and of no other: others may count where this one does not."""
    known = look.pinned.snapshot.standing.column("subject")
    changes: Changes = {}
    for subject in columns.subjects:
        kind = record.schema.field(subject.column).type
        if kinds.is_integer(kind) and kinds.is_integer(known.type):
            greatest = (pc.max(known).as_py() or 0) if len(known) else 0
            bits = kind.bit_width - kinds.is_signed_integer(kind)
            if not 0 <= greatest < 2 ** min(bits, 63) - 1:
                return None
            changes[subject.column] = pa.scalar(greatest + 1, kind)
        elif kinds.is_string(kind) or kinds.is_large_string(kind):
            name = "nobody"
            while pc.any(pc.equal(known.cast(pa.string()), name)).as_py():
                name += "-"
            changes[subject.column] = pa.scalar(name, kind)
        else:
            return None
    return changes


def _uncategorised(columns: Columns, _look: Look, record: pa.Table) -> Changes | None:
    """A record of no category."""
    return None if columns.category is None else {columns.category: _null(record, columns.category)}


def _future(columns: Columns, look: Look, record: pa.Table) -> Changes | None:
    """A record collected after the use."""
    kind = record.schema.field(columns.collected_at).type
    if not kinds.is_timestamp(kind):
        return None
    # A naive instant may be read by a time zone that is hours away.
    later = pa.scalar(look.pinned.use.at + 2 * DAY, pa.timestamp("us", "UTC"))
    try:
        return {columns.collected_at: later.cast(kind, safe=False) if kind.unit == "s" else later.cast(kind)}
    except pa.ArrowInvalid:  # no instant of that type is so late
        return None
