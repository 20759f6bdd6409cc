"""How Spark's SQL reads a corpus: its dialect.

No expression here depends on a setting of the session: not on its time zone, nor on whether casts fail.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.types as kinds

from sayso.engines.reading import OF_IDS, PLAIN, ZONED
from sayso.ledger.identity import LONGEST, IdType

DAY, HOUR, MINUTE, SECOND = "86400000000L", "3600000000L", "60000000L", "1000000L"
TURNED_BACK = ("7200000000L", "3600000000L", "1800000000L")
"""By how much clocks are turned back, somewhere."""


def quoted(name: str) -> str:
    """A column's name as SQL writes it."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A string as SQL writes it; whatever sets how it is read by its bytes."""
    if text.isascii() and text.isprintable() and not set(text) & set("'\\"):
        return f"'{text}'"
    return f"CAST(X'{text.encode().hex()}' AS STRING)"


class Spark:
    """The dialect (`reading.Dialect`)."""

    own: tuple[str, ...] = ("_metadata",)

    def quoted(self, name: str) -> str:
        return quoted(name)

    def literal(self, text: str) -> str:
        return literal(text)

    def nothing(self, ids: IdType) -> str:
        return f"CAST(NULL AS {'BIGINT' if ids is IdType.INT64 else 'STRING'})"

    def text(self, value: str) -> str:
        return f"CAST({value} AS STRING)"

    def number(self, value: str) -> str:
        return f"try_cast({value} AS BIGINT)"

    def uuid(self, value: str, *, raw: bool) -> str:
        if raw:
            digits = f"lower(hex({value}))"
        else:
            digits = f"lower(regexp_replace(regexp_replace({value}, r'^[{{](.*)[}}]\\z', r'$1'), '-', ''))"
        groups = [f"substring({digits}, {start}, {length})" for start, length in _UUID_GROUPS]
        return f"CASE WHEN {digits} RLIKE r'^[0-9a-f]{{32}}\\z' THEN concat_ws('-', {', '.join(groups)}) END"

    def string_id(self, value: str) -> str:
        return f"CASE WHEN length({value}) <= {LONGEST} AND {_is_all(value, OF_IDS)} THEN {value} END"

    def micros(self, value: str, kind: pa.DataType, zone: str | None) -> str:
        if kinds.is_timestamp(kind) and kind.unit == "ns":  # read as a number, for Spark has no such instants
            told = f"(({value} - pmod({value}, 1000)) DIV 1000)"
        elif kinds.is_timestamp(kind) and zone is None:
            return f"unix_micros({value})"
        elif kinds.is_timestamp(kind):
            clock = f"hour({value}) * {HOUR} + minute({value}) * {MINUTE}"
            seconds = f"CAST(extract(SECOND FROM {value}) * {SECOND} AS BIGINT)"
            told = f"(unix_date(CAST({value} AS DATE)) * {DAY} + {clock} + {seconds})"
        else:
            told = f"(unix_date({value}) * {DAY})"
        return told if zone is None else _in_zone(told, zone)

    def micros_of_text(self, value: str, zone: str | None) -> str:
        told = _wall(value)
        minutes = f"(try_cast(substring({value}, -5, 2) AS BIGINT) * 60 + try_cast(right({value}, 2) AS BIGINT))"
        sign = f"CASE substring({value}, -6, 1) WHEN '-' THEN -1 ELSE 1 END"
        offset = f"CASE WHEN upper(right({value}, 1)) = 'Z' THEN 0 ELSE {sign} * {minutes} * {MINUTE} END"
        cases = f"WHEN {_is_all(value, ZONED)} THEN {told} - {offset}"
        if zone is not None:
            cases += f" WHEN {_is_all(value, PLAIN)} THEN {_in_zone(told, zone)}"
        return f"CASE WHEN substring({value}, 1, 4) = '0000' THEN NULL {cases} END"

    def listed(self, texts: Sequence[str]) -> str:
        return f"CAST(array({', '.join(literal(text) for text in texts)}) AS ARRAY<STRING>)"

    def holds_null(self, values: str) -> str:
        return f"exists({values}, one -> one IS NULL)"

    def overlaps(self, values: str, listed: str) -> str:
        return f"arrays_overlap({values}, {listed})"

    def contains(self, listed: str, value: str) -> str:
        return f"array_contains({listed}, {value})"

    def subject(self, id: str, role: str) -> str:  # noqa: A002
        return f"named_struct('id', {id}, 'role', {role})"

    def field(self, value: str, name: str) -> str:
        return f"{value}.{quoted(name)}"

    def one(self, value: str) -> str:
        return f"array({value})"

    def each(self, values: str, item: str, made: str) -> str:
        return f"coalesce(transform({values}, {item} -> {made}), array())"

    def flat(self, lists: Sequence[str]) -> str:
        return f"flatten(array({', '.join(lists)}))"


_UUID_GROUPS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


def _is_all(text: str, pattern: str) -> str:
    """Whether a text is all of a pattern. Raw, for what a backslash means else is a setting."""
    return f"{text} RLIKE r'^({pattern})\\z'"


def _wall(text: str) -> str:
    """What clock and calendar tell in a text, as if it were UTC; null for a day that there is not."""

    def number(start: int, unit: str) -> str:
        return f"coalesce(try_cast(substring({text}, {start}, 2) AS BIGINT), 0) * {unit}"

    fraction = rf"rpad(regexp_extract({text}, r'\.(\d{{1,6}})', 1), 6, '0')"
    seconds = f"CASE WHEN substring({text}, 17, 1) = ':' THEN {number(18, SECOND)} ELSE 0 END"
    return (
        f"(unix_date(try_cast(substring({text}, 1, 10) AS DATE)) * {DAY} + {number(12, HOUR)} + {number(15, MINUTE)}"
        f" + {seconds} + try_cast({fraction} AS BIGINT))"
    )


def _in_zone(told: str, zone: str) -> str:
    """The last instant at which the clocks of a zone told this."""
    named = literal(zone)
    first = f"unix_micros(to_utc_timestamp(timestamp_micros({told}), {named}))"
    later = [
        f"WHEN unix_micros(from_utc_timestamp(timestamp_micros({first} + {back}), {named})) = {told} "
        f"THEN {first} + {back}"
        for back in TURNED_BACK
    ]
    return f"CASE {' '.join(later)} ELSE {first} END"
