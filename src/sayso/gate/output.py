"""Writing what a gate lets through, and the report of what it does not, file by file.

An output file has its input's schema, order, compression and encodings. SHA-256 is taken of the bytes as they go by.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sayso.canonical import PREFIX
from sayso.gate.columns import Columns
from sayso.gate.counting import Cell
from sayso.gate.inputs import Input, output_name
from sayso.gate.report import WORDS, Report, column, denials, denied_schema
from sayso.gate.verdicts import Counts, Verdicts

PERMITTED, DENIED = "permitted", "denied"
AT_ONCE = 1 << 20
"""So many values of one column are read at once."""
DICTIONARY_BYTES = 4
"""A column whose values take fewer bytes each is well served by a dictionary."""
NAMES = {"UNCOMPRESSED": "none"}
ARROW_SCHEMA = b"ARROW:schema"
"""Where a Parquet file's metadata holds its Arrow schema."""


class HashingFile:
    """A file that is written once, from front to back, and knows the SHA-256 of what it holds."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")
        self._hash = hashlib.sha256()
        self.closed = False

    def write(self, data: Any) -> int:
        """Writes bytes."""
        self._hash.update(data)
        return self._file.write(data)

    def tell(self) -> int:
        """The number of bytes written."""
        return self._file.tell()

    def flush(self) -> None:
        """Hands everything to the system."""
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        if not self.closed:
            self._file.close()
            self.closed = True

    @property
    def digest(self) -> str:
        """The digest of what was written."""
        return PREFIX + self._hash.hexdigest()


@dataclass(frozen=True, slots=True)
class Written:
    """One file of the output: its path below the output directory, what it holds, its digest and number of records."""

    path: str
    kind: str
    digest: str
    rows: int


@dataclass(frozen=True)
class Gated:
    """What came of one input file: what was written of it, and how many of its records have each outcome."""

    input: Input
    input_digest: str
    written: tuple[Written, ...]
    cells: Counter[Cell]


@dataclass(frozen=True)
class Piece:
    """One file of a corpus, with the verdicts of its records: `first` is the row of its first one among them.

    `done` is told of records as they are written; nothing more is written once `stopped` is set.
    """

    file: Input
    first: int
    verdicts: Verdicts
    columns: Columns
    done: Callable[[int], None]
    stopped: threading.Event

    def permitted(self, start: int, stop: int) -> npt.NDArray[np.bool_]:
        """Which of some rows of the file are permitted."""
        return self.verdicts.permitted(self.first + start, self.first + stop)


Made: TypeAlias = tuple[tuple[Written, ...], Counts]
"""The files that were written of one, and its counts."""


def hash_file(path: Path, stopped: threading.Event) -> str:
    """The digest of a file, unless it is stopped before."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        held = memoryview(bytearray(1 << 20))
        while not stopped.is_set() and (size := file.readinto(held)):
            digest.update(held[:size])
    return PREFIX + digest.hexdigest()


def count_file(piece: Piece) -> Made:
    """Counts the verdicts of one file, and writes nothing."""
    counts = counted(piece)
    piece.done(piece.file.rows)
    return (), counts


def counted(piece: Piece) -> Counts:
    """How many records of a file have each verdict, the territories written on them read where the verdict is of one."""
    found, rows = piece.verdicts, piece.file.rows
    name = piece.columns.territory
    if name is None or found.written is not None or not found.any_of_written(piece.first, piece.first + rows):
        return found.counts(piece.first, piece.first + rows)
    counts: Counts = Counter()
    at = piece.first
    for batch in pq.ParquetFile(piece.file.path, read_dictionary=[name]).iter_batches(AT_ONCE, columns=[name]):
        counts.update(found.counts(at, at + batch.num_rows, batch.column(0)))
        at += batch.num_rows
    return counts


def copy_file(piece: Piece, report: Report, root: Path, *, several_threads: bool) -> Made:
    """Writes the permitted records of one file and the report of its denied ones below `root`."""
    file, verdicts, columns = piece.file, piece.verdicts, piece.columns
    whole = pq.ParquetFile(file.path, memory_map=True, pre_buffer=False)
    settings = mirrored(whole)
    coded = _coded(whole, settings, columns)
    source = pq.ParquetFile(file.path, memory_map=True, pre_buffer=False, read_dictionary=coded)
    name = output_name(file.name)
    let_through = HashingFile(root / PERMITTED / name)
    counts: Counts = Counter()
    rows = passed = 0
    with (
        closing(let_through),
        reporting(root, name, file, columns, report) as log,
        pq.ParquetWriter(let_through, source.schema_arrow, store_schema=not coded, **settings) as out,
    ):
        stored = (whole.metadata.metadata or {}).get(ARROW_SCHEMA)
        if coded and stored is not None:
            out.add_key_value_metadata({ARROW_SCHEMA: stored})
        for group in range(source.num_row_groups):
            if piece.stopped.is_set():
                break
            table = source.read_row_group(group, use_threads=several_threads)
            at = piece.first + rows
            mask = piece.permitted(rows, rows + table.num_rows)
            kept = table if mask.all() else table.filter(pa.array(mask))
            if kept.num_rows:
                out.write_table(kept, row_group_size=max(kept.num_rows, 1))
            passed += kept.num_rows
            counts.update(verdicts.counts(at, at + table.num_rows, column(table, columns.territory)))
            log.write(table, mask, at, rows, verdicts)
            rows += table.num_rows
            piece.done(table.num_rows)
    return (Written(f"{PERMITTED}/{name}", PERMITTED, let_through.digest, passed), log.written(rows - passed)), counts


@contextmanager
def reporting(root: Path, name: str, file: Input, columns: Columns, report: Report) -> Iterator[Log]:
    """A report of the denied records of one file, written below `root`."""
    refused = HashingFile(root / DENIED / name)
    schema = denied_schema(file.schema, columns, report.ids)
    with closing(refused), pq.ParquetWriter(refused, schema, compression="snappy", use_dictionary=WORDS) as out:
        yield Log(f"{DENIED}/{name}", refused, out, schema, report, columns)


@dataclass(frozen=True)
class Log:
    """A report that is being written."""

    path: str
    file: HashingFile
    out: pq.ParquetWriter
    schema: pa.Schema
    report: Report
    columns: Columns

    def write(self, table: pa.Table, mask: npt.NDArray[np.bool_], at: int, before: int, verdicts: Verdicts) -> None:
        """The denied ones of some records: `at` among the verdicts, `before` among the file's."""
        if not mask.all():
            self.out.write_table(denials(table, mask, at, before, verdicts, self.report, self.columns, self.schema))

    def written(self, rows: int) -> Written:
        """What was written, once it is closed."""
        return Written(self.path, DENIED, self.file.digest, rows)


def _coded(source: pq.ParquetFile, settings: dict[str, Any], columns: Columns) -> list[str]:
    """Columns of few different texts, to be carried as codes from one file to the other. Which type they have is then
    said by the input's own schema, copied.
    """
    asked = {columns.key, *(subject.column for subject in columns.subjects)}
    dictionaries = settings.get("use_dictionary", ())
    return [
        field.name
        for field in source.schema_arrow
        if field.name in dictionaries and field.name not in asked and pa.types.is_string(field.type)
    ]


def mirrored(source: pq.ParquetFile) -> dict[str, Any]:
    """The settings that write a file as this one was written: compression and dictionaries, column by column."""
    metadata = source.metadata
    if not metadata.num_row_groups:
        return {"compression": "snappy"}
    group = metadata.row_group(0)
    chunks = [group.column(index) for index in range(group.num_columns)]
    return {
        "compression": {c.path_in_schema: NAMES.get(c.compression, c.compression.lower()) for c in chunks},
        "use_dictionary": [
            c.path_in_schema
            for c in chunks
            if c.has_dictionary_page and c.total_uncompressed_size < DICTIONARY_BYTES * max(c.num_values, 1)
        ],
        "write_statistics": [c.path_in_schema for c in chunks if c.is_stats_set],
    }
