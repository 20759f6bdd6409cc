"""Reading rows of tables: CSV, NDJSON or Parquet, and the values in them as text and instants."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from sayso import instant
from sayso.errors import EventError, InstantError, Problem
from sayso.ledger.mapfile import When
from sayso.ledger.sources import microseconds

_DIGITS = re.compile(r"[0-9]{1,20}", re.ASCII)
_RAGGED = re.compile(r"CSV parse error: .*?Expected (\d+) columns, got (\d+)")
_UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}


def rows(path: Path, needed: set[str], at_once: int) -> Iterator[list[dict[str, Any]]]:
    """The rows of a table, some at a time; values of CSV are text, an empty one is `None`.

    Raises EventError if the file cannot be read, or has not the columns needed.
    """
    try:
        match path.suffix.lower():
            case ".csv":
                yield from _csv(path, needed)
            case ".parquet" | ".pq":
                with pq.ParquetFile(path) as file:
                    _check(path, needed, set(file.schema_arrow.names))
                    for batch in file.iter_batches(batch_size=at_once, columns=sorted(needed)):
                        yield microseconds(batch).to_pylist()
            case ".ndjson" | ".jsonl":
                yield from _ndjson(path, needed, at_once)
            case _:
                raise EventError(f"expected a table named `.csv`, `.parquet` or `.ndjson`, got `{path.name}`")
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise EventError(Problem(f"the table could not be read: {_reason(error)}", file=str(path))) from error
    except (OverflowError, ValueError) as error:
        message = "the table could not be read: it holds an instant outside of the years 1 to 9999"
        raise EventError(Problem(message, file=str(path))) from error


def _csv(path: Path, needed: set[str]) -> Iterator[list[dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file), [])
    _check(path, needed, set(names))
    options = pcsv.ConvertOptions(
        column_types=dict.fromkeys(needed, pa.string()),
        include_columns=sorted(needed),
        null_values=[""],
        strings_can_be_null=True,
    )
    reading = pcsv.ParseOptions(newlines_in_values=True)
    with pcsv.open_csv(path, convert_options=options, parse_options=reading) as batches:
        for batch in batches:
            yield batch.to_pylist()


def _ndjson(path: Path, needed: set[str], at_once: int) -> Iterator[list[dict[str, Any]]]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    some: list[dict[str, Any]] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise EventError(Problem("expected one JSON object a line", file=str(path), line=number)) from error
            some.append({name: row.get(name) for name in needed})
            if len(some) >= at_once:
                yield some
                some = []
    yield some


def _reason(error: Exception) -> str:
    """Why a table could not be read; of what a library says only what shows nothing of the rows."""
    ragged = _RAGGED.search(str(error))
    if ragged is not None:
        return f"expected {ragged[1]} columns in every row, got {ragged[2]} in one"
    return getattr(error, "strerror", None) or type(error).__name__


def _check(path: Path, needed: set[str], names: set[str]) -> None:
    missing = sorted(needed - names)
    if missing:
        raise EventError([Problem(f"there is no column `{name}`", file=str(path)) for name in missing])


def text(value: Any) -> str | None:
    """A value as text, as a map file compares it: booleans as `true` and `false`. `None` stays `None`."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if value.is_integer():
            return str(int(value))
        case _:
            raise EventError(f"expected text, a number or a boolean, got {type(value).__name__}")


def instant_of(value: Any, when: When) -> int:
    """The instant that a value of a table writes.

    A local time that a change of clocks makes occur twice is its first occurrence. Raises EventError for one without a
    time zone where the map gives none, or that cannot be read.
    """
    try:
        match value:
            case datetime():
                return instant.from_datetime(_zoned(value, when))
            case date():
                return instant.from_datetime(_zoned(datetime.combine(value, time()), when))
            case bool() | None:
                raise EventError(f"column `{when.column}`: expected an instant, got {text(value)}")
            case int() | float():
                return _counted(value, when)
            case str() if when.epoch is not None and _DIGITS.fullmatch(value):
                return _counted(int(value), when)
            case str():
                return _written(value, when)
            case _:
                raise EventError(f"column `{when.column}`: expected an instant, got {type(value).__name__}")
    except InstantError as error:
        raise EventError(f"column `{when.column}`: {error}") from error


def _written(value: str, when: When) -> int:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return instant.parse(value)
    if found.tzinfo is not None:
        return instant.parse(value)
    return instant.from_datetime(_zoned(found, when))


def _zoned(value: datetime, when: When) -> datetime:
    if value.tzinfo is not None:
        return value.astimezone(UTC)
    if when.time_zone is None:
        raise EventError(
            Problem(
                f"column `{when.column}` holds an instant without a time zone", remedy="give its `time_zone` in the map"
            )
        )
    return value.replace(tzinfo=ZoneInfo(when.time_zone))


def _counted(value: float, when: When) -> int:
    if when.epoch is None:
        raise EventError(
            Problem(
                f"column `{when.column}` holds a number",
                remedy="say in the map as `epoch` whether it is in s, ms or us",
            )
        )
    found = value * _UNITS[when.epoch]
    if not instant.EARLIEST <= found <= instant.LATEST:
        raise EventError(f"column `{when.column}` holds a number that is no instant in `{when.epoch}`")
    return round(found)
