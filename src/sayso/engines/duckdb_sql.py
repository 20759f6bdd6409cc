"""How DuckDB's SQL reads a corpus: its dialect, and the query over Parquet files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.types as kinds

from sayso.engines.reading import OF_IDS, PLAIN, ZONED, expressions
from sayso.errors import CorpusError, Problem
from sayso.gate.engine import Question
from sayso.ledger.identity import LONGEST, IdType

WILDCARDS = "*?["
UNTOLD = re.compile(r"[\x00\ud800-\udfff]")


def literal(text: str) -> str:
    """A string as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def file_literal(path: Path) -> str:
    """A file's name as SQL writes it: that file and no other, whatever characters it has.

    Raises CorpusError for a name that DuckDB cannot be told.
    """
    name = str(path.absolute())
    wild = any(character in WILDCARDS for character in name)
    if (wild and "\\" in name) or UNTOLD.search(name):
        problem = "expected a path in Unicode, without backslashes beside `*`, `?` or `[`"
        raise CorpusError(Problem(problem, file=str(path), remedy="rename the file or the directory"))
    return literal("".join(f"[{character}]" if character in WILDCARDS else character for character in name))


class DuckDB:
    """The dialect (`reading.Dialect`)."""

    own: tuple[str, ...] = ("file_row_number", "file_index")

    def quoted(self, name: str) -> str:
        return quoted(name)

    def literal(self, text: str) -> str:
        return literal(text)

    def nothing(self, ids: IdType) -> str:
        return "NULL::BIGINT" if ids is IdType.INT64 else "NULL::VARCHAR"

    def text(self, value: str) -> str:
        return f"{value}::VARCHAR"

    def number(self, value: str) -> str:
        return f"TRY_CAST({value} AS BIGINT)"

    def uuid(self, value: str, *, raw: bool) -> str:
        return f"TRY_CAST({value} AS UUID)::VARCHAR"

    def string_id(self, value: str) -> str:
        text = f"{value}::VARCHAR"
        return f"CASE WHEN length({text}) <= {LONGEST} AND regexp_full_match({text}, {literal(OF_IDS)}) THEN {text} END"

    def micros(self, value: str, kind: pa.DataType, zone: str | None) -> str:
        if zone is None:
            return _micros(_to_micros(value, kind, "TIMESTAMPTZ"))
        return _micros(f"timezone({literal(zone)}, {_to_micros(value, kind, 'TIMESTAMP')})")

    def micros_of_text(self, value: str, zone: str | None) -> str:
        text = f"{value}::VARCHAR"
        zoned = f"TRY_CAST(CASE WHEN {_matches(text, ZONED)} THEN upper({text}) END AS TIMESTAMPTZ)"
        if zone is None:
            return _micros(zoned)
        plain = f"TRY_CAST(CASE WHEN {_matches(text, PLAIN)} THEN upper({text}) END AS TIMESTAMP)"
        return _micros(f"coalesce({zoned}, timezone({literal(zone)}, {plain}))")

    def listed(self, texts: Sequence[str]) -> str:
        return "[" + ", ".join(literal(text) for text in texts) + "]::VARCHAR[]"

    def holds_null(self, values: str) -> str:
        return f"list_count({values}) < len({values})"

    def overlaps(self, values: str, listed: str) -> str:
        return f"list_has_any({values}, {listed})"

    def contains(self, listed: str, value: str) -> str:
        return f"list_contains({listed}, {value})"

    def subject(self, id: str, role: str) -> str:  # noqa: A002
        return f"{{'id': {id}, 'role': {role}}}"

    def field(self, value: str, name: str) -> str:
        return f"struct_extract({value}, {literal(name)})"

    def one(self, value: str) -> str:
        return f"[{value}]"

    def each(self, values: str, item: str, made: str) -> str:
        return f"coalesce(list_transform({values}, lambda {item}: {made}), [])"

    def flat(self, lists: Sequence[str]) -> str:
        return f"flatten([{', '.join(lists)}])"


def corpus_sql(question: Question) -> str:
    """The query that reads every record of the parts, with the columns of `plan.gate.Shape`.

    Raises CorpusError for a column that is not there, or whose type cannot say what it should.
    """
    selected = expressions(question, DuckDB())
    paths = ", ".join(file_literal(part.path) for part in question.parts)
    firsts = ", ".join(str(part.first) for part in question.parts)
    # A part's number among the files of the query; a list in a query is looked up faster than a name is joined.
    selected = {"row": f"[{firsts}][(file_index + 1)::BIGINT]::BIGINT + file_row_number", **selected}
    fields = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in selected.items())
    # What a directory is called (`author=1`) says nothing of what a record holds.
    return f"SELECT {fields} FROM read_parquet([{paths}], hive_partitioning = false, union_by_name = false)"  # quoted


def _matches(text: str, pattern: str) -> str:
    """Whether a text is all of a pattern. No calendar of ours has a year 0."""
    return f"(regexp_full_match({text}, {literal(pattern)}) AND NOT starts_with({text}, '0000'))"


def _to_micros(name: str, kind: pa.DataType, wanted: str) -> str:
    """An instant to the microsecond, never later than it was: a cast alone would round."""
    if not kinds.is_timestamp(kind) or kind.unit != "ns":
        return f"{name}::{wanted}"
    rounded = f"{name}::{wanted}"
    later = f"TRY_CAST({rounded} AS {wanted}_NS) > {name}"
    return f"(CASE WHEN {later} THEN {rounded} - INTERVAL 1 MICROSECOND ELSE {rounded} END)"


def _micros(instant: str) -> str:
    return f"CASE WHEN isfinite({instant}) THEN epoch_us({instant}) END"
