"""Writing what a gate lets through, and the report of what it does not, file by file.

An output file has its input's schema, order, compression and encodings. SHA-256 is taken of the bytes as they go by.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sayso.canonical import PREFIX, digest_file
from sayso.gate.columns import Columns
from sayso.gate.inputs import Input
from sayso.gate.verdicts import Answer, Denials, Verdicts, canonical_codes
from sayso.policy.verdict import Outcome

PERMITTED, DENIED = "permitted", "denied"
DICTIONARY_BYTES = 4
"""A column whose values take fewer bytes each is well served by a dictionary."""
NAMES = {"UNCOMPRESSED": "none"}
WORDS = ["reason", "rule", "territory", "category"]
"""The columns of the denied-records report that have few different values."""
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
    """One file of the output: its path below the output directory, digest and number of records."""

    path: str
    digest: str
    rows: int


@dataclass(frozen=True)
class Gated:
    """What came of one input file."""

    input: Input
    input_digest: str
    permitted: Written | None
    denied: Written | None
    counts: Counter[tuple[int, str | None]]
    """How many records have each packed verdict; with the territory written on them, where the verdict is of it."""


@dataclass(frozen=True)
class Report:
    """What the denied-records report says of a verdict, beside the record."""

    rule_ids: dict[int, str]
    answers: Callable[[int], Answer]
    ids: pa.DataType


def gate_file(
    file: Input,
    first: int,
    verdicts: Verdicts,
    report: Report,
    columns: Columns,
    root: Path,
    *,
    several_threads: bool,
    done: Callable[[int], None],
    stopped: threading.Event,
) -> Gated:
    """Writes the permitted records of one file and the report of its denied ones below `root`.

    `first` is the row of its first record among the verdicts. `done` is told of records as they are written.
    """
    digest = hashlib.sha256()
    hashing = threading.Thread(target=_hash_into, args=(digest, file.source, stopped))
    hashing.start()
    try:
        permitted, denied, counts = _write(
            file, first, verdicts, report, columns, root, several_threads=several_threads, done=done, stopped=stopped
        )
    finally:
        hashing.join()
    return Gated(file, PREFIX + digest.hexdigest(), permitted, denied, counts)


def count_file(file: Input, first: int, verdicts: Verdicts, columns: Columns, *, done: Callable[[int], None]) -> Gated:
    """Counts the verdicts of one file, and writes nothing."""
    counts: Counter[tuple[int, str | None]] = Counter()
    if columns.territory is None:
        counts += verdicts.counts(first, first + file.rows)
        done(file.rows)
        return Gated(file, digest_file(file.source), None, None, counts)
    at = first
    for batch in pq.ParquetFile(file.path).iter_batches(columns=[columns.territory]):
        counts += verdicts.counts(at, at + batch.num_rows, batch.column(0))
        at += batch.num_rows
        done(batch.num_rows)
    return Gated(file, digest_file(file.source), None, None, counts)


def _hash_into(digest: Any, path: Path, stopped: threading.Event) -> None:
    with path.open("rb") as file:
        while not stopped.is_set() and (piece := file.read(1 << 20)):
            digest.update(piece)


def _write(
    file: Input, first: int, verdicts: Verdicts, report: Report, columns: Columns, root: Path,
    *, several_threads: bool, done: Callable[[int], None], stopped: threading.Event,
) -> tuple[Written, Written, Counter[tuple[int, str | None]]]:  # fmt: skip
    whole = pq.ParquetFile(file.path, memory_map=True, pre_buffer=False)
    settings = mirrored(whole)
    coded = _coded(whole, settings, columns)
    source = pq.ParquetFile(file.path, memory_map=True, pre_buffer=False, read_dictionary=coded)
    name = file.name if file.form == "parquet" else f"{file.name}.parquet"
    let_through, refused = HashingFile(root / PERMITTED / name), HashingFile(root / DENIED / name)
    counts: Counter[tuple[int, str | None]] = Counter()
    rows = passed = 0
    schema = denied_schema(file.schema, columns, report.ids)
    with (
        closing(let_through),
        closing(refused),
        pq.ParquetWriter(let_through, source.schema_arrow, store_schema=not coded, **settings) as out,
        pq.ParquetWriter(refused, schema, compression="snappy", use_dictionary=WORDS) as log,
    ):
        stored = (whole.metadata.metadata or {}).get(ARROW_SCHEMA)
        if coded and stored is not None:
            out.add_key_value_metadata({ARROW_SCHEMA: stored})
        for group in range(source.num_row_groups):
            if stopped.is_set():
                break
            table = source.read_row_group(group, use_threads=several_threads)
            at = first + rows
            mask = verdicts.permitted(at, at + table.num_rows)
            kept = table if mask.all() else table.filter(pa.array(mask))
            if kept.num_rows:
                out.write_table(kept, row_group_size=max(kept.num_rows, 1))
            passed += kept.num_rows
            counts += verdicts.counts(at, at + table.num_rows, _column(table, columns.territory))
            if kept.num_rows < table.num_rows:
                log.write_table(_denials(table, mask, at, rows, verdicts, report, columns, schema))
            rows += table.num_rows
            done(table.num_rows)
    return (
        Written(f"{PERMITTED}/{name}", let_through.digest, passed),
        Written(f"{DENIED}/{name}", refused.digest, rows - passed),
        counts,
    )


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


def denied_schema(schema: pa.Schema, columns: Columns, ids: pa.DataType) -> pa.Schema:
    """The columns of the denied-records report. It never holds content: only keys, reasons and evidence."""
    words = pa.dictionary(pa.int32(), pa.string())
    key = [] if columns.key is None else [schema.field(columns.key).with_name("key")]
    return pa.schema(
        [
            *key, ("row", pa.int64()), ("reason", words), ("rule", words), ("territory", words), ("category", words),
            ("subject", ids), ("position", pa.int64()),
        ]
    )  # fmt: skip


def _denials(
    table: pa.Table, mask: np.ndarray[Any, Any], at: int, before: int, verdicts: Verdicts, report: Report,
    columns: Columns, schema: pa.Schema,
) -> pa.Table:  # fmt: skip
    """The rows of the report for one row group."""
    rows = np.flatnonzero(~mask)
    numbers, which = np.unique(verdicts.packed[at + rows], return_inverse=True)
    answers = [report.answers(int(number)) for number in numbers]
    behind = verdicts.denials.within(at, at + table.num_rows)
    indices = pa.array(which.astype(np.int32))

    def words(values: list[str | None]) -> pa.Array:
        known = list(dict.fromkeys(value for value in values if value is not None))
        places = pa.array([None if value is None else known.index(value) for value in values], pa.int32())
        return pa.DictionaryArray.from_arrays(places.take(indices), pa.array(known, pa.string()))

    territory = words([answer.territory for answer in answers])
    if columns.territory is not None and any(answer.written for answer in answers):
        said = table.column(columns.territory).take(pa.array(rows)).combine_chunks()
        territory = _with_written(territory, said, np.array([answer.written for answer in answers])[which])
    data: dict[str, Any] = {
        "row": pa.array(rows + before),
        "reason": words([answer.outcome.word for answer in answers]),
        "rule": words([report.rule_ids.get(answer.rule) for answer in answers]),
        "territory": territory,
        "category": words([answer.category for answer in answers]),
        "subject": _subjects(table, rows, answers, which, behind, report, columns),
        "position": behind.positions,
    }
    if columns.key is not None:
        data["key"] = table.column(columns.key).take(pa.array(rows))
    return pa.table([data[name] for name in schema.names], schema=schema)


def _subjects(
    table: pa.Table, rows: Any, answers: list[Answer], which: Any, behind: Denials, report: Report, columns: Columns
) -> pa.Array:
    """The subject of each denial: of a record with one it is that, where the verdict is about a subject at all."""
    if columns.several or pa.types.is_nested(table.schema.field(columns.subjects[0].column).type):
        return behind.ids
    about = np.array([answer.outcome > Outcome.NO_SUBJECT for answer in answers])[which]
    own = table.column(columns.subjects[0].column).take(pa.array(rows)).combine_chunks()
    if isinstance(own.type, pa.UuidType) or pa.types.is_fixed_size_binary(own.type):
        raw = own.storage if isinstance(own, pa.ExtensionArray) else own
        own = pa.array([None if one is None else str(UUID(bytes=one)) for one in raw.to_pylist()], pa.string())
    # Nulled before the cast: what is no id of the ledger's may not even fit its type.
    return pc.if_else(pa.array(about), own, pa.scalar(None, own.type)).cast(report.ids)


def _column(table: pa.Table, name: str | None) -> pa.Array | None:
    """A column in one piece, if it has a name."""
    return None if name is None else table.column(name).combine_chunks()


def _with_written(territory: pa.Array, said: pa.Array, of_record: Any) -> pa.Array:
    """The territories of a report, those of some verdicts being the territory written on the record."""
    codes, known = canonical_codes(said)
    named = territory.dictionary.to_pylist()
    values = list(dict.fromkeys([*named, *(one for one in known if one is not None)]))
    place = np.array([-1 if one is None else values.index(one) for one in known], np.int64)
    stated = territory.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    index = np.where(of_record, place[codes], stated).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(index, mask=index < 0), pa.array(values, pa.string()))
