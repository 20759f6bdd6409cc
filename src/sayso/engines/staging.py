"""How DuckDB puts NDJSON and CSV files into Parquet: every record, as it was written, or an error that names the line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from sayso.engines.duckdb_sql import file_literal, literal, quoted
from sayso.errors import CorpusError, EngineError, Problem
from sayso.gate.columns import Columns

TEXT = "VARCHAR"
DELIMITERS = (",", ";", "\t", "|")
LONGEST_HEADER = 1 << 20
_GUESSED = re.compile(
    r'(^|[\w"] )(TIMESTAMP WITH TIME ZONE|TIMESTAMP(?:_\w+)?|TIME WITH TIME ZONE|DATE|TIME|UUID)(?=$|[,)\[])'
)
"""Types that DuckDB guesses of strings, where a type stands in that of a column."""


def to_parquet(connection: duckdb.DuckDBPyConnection, source: Path, form: str, target: Path, columns: Columns) -> None:
    """Writes an NDJSON or CSV file as Parquet, its records in order.

    Strings stay strings, whatever they look like; of a CSV file only what decides may be a number or a boolean. No
    line is left out, be it like a comment or a heading. Raises CorpusError naming the line, EngineError.
    """
    try:
        reader, options, typed = _csv(source) if form == "csv" else _ndjson()
        file = file_literal(source)
        found = connection.execute(f"DESCRIBE SELECT * FROM {reader}({file}{options})").fetchall()
        kinds = {name: kind for name, kind, *_ in found}
        types = _types(kinds, columns) if form == "csv" else _plain(kinds, columns)
        given = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
        selected = ", ".join(quoted(name) for name in types)
        connection.execute(
            f"COPY (SELECT {selected} FROM {reader}({file}{options}, {typed} = {{{given}}})) "  # quoted
            f"TO {literal(str(target))} (FORMAT parquet)"
        )
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise EngineError(
            f"could not put `{source.name}` into Parquet ({type(error).__name__}); is there room on the disk?"
        ) from error
    except duckdb.Error as error:
        # What DuckDB says may quote the line, which is somebody's words: only its number is passed on.
        told = re.search(r"line:?\s+(\d+)", str(error), re.IGNORECASE)
        line = int(told[1]) if told else None
        raise CorpusError(
            Problem(
                f"expected {form} that can be read from end to end ({type(error).__name__})",
                file=str(source),
                line=(_ragged_line(source) or line) if form == "csv" else _bad_line(source),
                remedy="mend or remove the line, then run the gate again",
            )
        ) from None


def _csv(source: Path) -> tuple[str, str, str]:
    """RFC 4180, with the delimiter of the first line, which names the columns. Nothing is guessed of the form."""
    delimiter, names = _header(source)
    folded = [name.casefold() for name in names]
    if len(set(folded)) < len(folded):
        problem = "expected names that differ in more than case, got one twice or in two spellings"
        raise CorpusError(Problem(problem, str(source), 1, remedy="rename or remove one of the columns"))
    options = (
        f", delim = {literal(delimiter)}, quote = '\"', escape = '\"', header = true, skip = 0, comment = '', "
        "null_padding = false, ignore_errors = false, strict_mode = true, nullstr = ''"
    )
    return "read_csv", options, "types"


def _header(source: Path) -> tuple[str, list[str]]:
    """The delimiter of a CSV file, and the names in its first line."""
    with source.open("rb") as file:
        first = file.readline(LONGEST_HEADER).decode("utf-8-sig", "replace")
    delimiter = next((one for one in DELIMITERS if one in first), ",")
    return delimiter, next(csv.reader([first], delimiter=delimiter), [])


def _ragged_line(source: Path) -> int | None:
    """The first line of a CSV file that has more or fewer fields than the header; `None` if there is none."""
    delimiter, names = _header(source)
    with source.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            return next((rows.line_num for row in rows if row and len(row) != len(names)), None)
        except csv.Error:
            return rows.line_num


def _ndjson() -> tuple[str, str, str]:
    """All lines are asked for their keys, for one that is only in the last is a column too."""
    return "read_json", ", format = 'newline_delimited', records = true, sample_size = -1", "columns"


def _types(kinds: Mapping[str, str], columns: Columns) -> dict[str, str]:
    """The types of a CSV file's columns: text, but for numbers and booleans where the gate reads them."""
    numbers = {subject.column for subject in columns.subjects} | {columns.account, columns.key}
    types = dict.fromkeys(kinds, TEXT)
    types |= {name: "BIGINT" for name, kind in kinds.items() if name in numbers and kind == "BIGINT"}
    types |= {name: "BOOLEAN" for name, kind in kinds.items() if name == columns.reserved and kind == "BOOLEAN"}
    return types


def _plain(kinds: Mapping[str, str], columns: Columns) -> dict[str, str]:
    """The types of an NDJSON file's columns, with strings that look like dates or UUIDs left as strings."""
    types = {name: _GUESSED.sub(rf"\1{TEXT}", kind) for name, kind in kinds.items()}
    return types | {name: TEXT for name in types if name == columns.collected_at}


def _bad_line(source: Path) -> int | None:
    """The first line that is no JSON, or says a thing twice; `None` if the fault is none of these."""
    with source.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                if line.strip():
                    json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"), object_pairs_hook=_once)
            except (ValueError, RecursionError):
                return number
    return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is said twice")
    return found
