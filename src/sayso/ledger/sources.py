"""Reading files of events: NDJSON with one event a line, Parquet with one event a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from sayso import instant
from sayso.errors import EventError, InstantError, Problem
from sayso.ledger.document import read
from sayso.ledger.events import Event
from sayso.ledger.identity import IdType

AT_ONCE = 5_000


class Format(StrEnum):
    """How a file of events is written."""

    NDJSON = "ndjson"
    PARQUET = "parquet"


@dataclass(slots=True)
class Chunk:
    """Some lines of a file: the events that could be read, each with its line, and what is wrong with the others.

    `until` is the line after the last. Lines, and rows of a table, count from 1.
    """

    file: str
    until: int
    events: list[tuple[int, Event]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def format_of(path: Path) -> Format:
    """The format that a file's name tells. Raises EventError if it tells none."""
    match path.suffix.lower():
        case ".ndjson" | ".jsonl":
            return Format.NDJSON
        case ".parquet" | ".pq":
            return Format.PARQUET
        case _:
            raise EventError(
                f"expected a file named `.ndjson`, `.jsonl` or `.parquet`, got `{path.name}`; say its format"
            )


def chunks(path: Path, fmt: Format, id_type: IdType, *, from_line: int = 1, at_once: int = AT_ONCE) -> Iterator[Chunk]:
    """The events of a file, some lines at a time. Raises EventError if it cannot be read at all."""
    try:
        read_some = _ndjson if fmt is Format.NDJSON else _parquet
        yield from read_some(path, id_type, from_line, at_once)
    except (OSError, OverflowError, pa.ArrowException) as error:
        raise EventError(Problem(f"the file could not be read as {fmt}: {_reason(error)}", file=str(path))) from error


def _ndjson(path: Path, id_type: IdType, from_line: int, at_once: int) -> Iterator[Chunk]:
    decode = msgspec.json.Decoder().decode
    chunk = Chunk(str(path), from_line)
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if number < from_line:
                continue
            chunk.until = number + 1
            if line.isspace():
                continue
            try:
                chunk.events.append((number, read(decode(line), id_type)))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                chunk.problems.append(Problem(f"no JSON document: {_reason(error)}", file=str(path), line=number))
            except EventError as error:
                chunk.problems += [_placed(problem, path, number) for problem in error.problems]
            if len(chunk.events) >= at_once:
                yield chunk
                chunk = Chunk(str(path), number + 1)
    yield chunk


def _parquet(path: Path, id_type: IdType, from_line: int, at_once: int) -> Iterator[Chunk]:
    with pq.ParquetFile(path) as file:
        naive = [column.name for column in file.schema_arrow if is_naive(column.type)]
        if naive:
            raise EventError(
                Problem(
                    f"column `{naive[0]}` holds instants without a time zone",
                    file=str(path),
                    remedy="write them in UTC",
                )
            )
        number = 0
        for batch in file.iter_batches(batch_size=at_once):
            chunk = Chunk(str(path), number + batch.num_rows + 1)
            for row in microseconds(batch).to_pylist():
                number += 1
                if number < from_line:
                    continue
                try:
                    chunk.events.append((number, read(_document(row), id_type)))
                except (EventError, InstantError) as error:
                    chunk.problems += [_placed(problem, path, number) for problem in error.problems]
            yield chunk


def is_naive(kind: pa.DataType) -> bool:
    """Whether a column of this type holds instants that name no time zone."""
    return pa.types.is_timestamp(kind) and kind.tz is None


def microseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with its instants in microseconds. Raises pa.ArrowInvalid for one that is finer."""
    for index, column in enumerate(batch.schema):
        if pa.types.is_timestamp(column.type) and column.type.unit != "us":
            finest = pa.timestamp("us", column.type.tz)
            batch = batch.set_column(index, pa.field(column.name, finest), batch.column(index).cast(finest))
    return batch


def _document(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a document: nulls left out, instants written, maps as objects, `document` read where it is text."""
    out = _present(row)
    if isinstance(out.get("document"), str):
        try:
            out["document"] = msgspec.json.decode(out["document"])
        except (msgspec.DecodeError, RecursionError) as error:
            raise EventError(f"`document` holds no JSON: {_reason(error)}") from error
    return out


def _present(value: dict[str, Any]) -> dict[str, Any]:
    said = ((name, _plain(one)) for name, one in value.items() if one is not None)
    return {name: one for name, one in said if one != {}}


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return _present(value)
        case list() if value and all(isinstance(one, tuple) for one in value):
            return dict(value)
        case datetime():
            return instant.format(instant.from_datetime(value))
        case date():
            raise InstantError(f"expected an instant such as `2024-09-18T00:00:00Z`, got the date `{value}`")
        case _:
            return value


def _placed(problem: Problem, path: Path, number: int) -> Problem:
    return Problem(problem.message, file=str(path), line=number, remedy=problem.remedy)


def _reason(error: Exception) -> str:
    """The first line of a library's message, lowercase, as it says nothing of what the file holds."""
    text = (getattr(error, "strerror", None) or str(error)).splitlines() or [type(error).__name__]
    first = text[0]
    return first if first[1:2].isupper() else first[:1].lower() + first[1:]
