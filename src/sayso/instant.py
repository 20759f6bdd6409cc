"""Instants: microseconds since 1970-01-01T00:00:00Z, as plain integers, and their one written form.

Written, an instant is RFC 3339 with a `Z` or an offset. A naive one is an error, never a guess.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from sayso.errors import InstantError

MICROSECOND = 1
SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = -62_135_596_800 * SECOND  # 0001-01-01T00:00:00Z
LATEST = 253_402_300_799 * SECOND + 999_999  # 9999-12-31T23:59:59.999999Z

_FORM = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(?P<fraction>\.\d+)?)?(?P<zone>[Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)


def parse(text: str) -> int:
    """The instant that `text` writes, to the microsecond.

    Raises InstantError if it is not RFC 3339, names no time zone, is finer than a microsecond, or is no date.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise InstantError(f"expected an instant such as `2024-09-18T00:00:00Z`, got `{text}`")
    if match["zone"] is None:
        raise InstantError(f"instant `{text}` names no time zone; write `Z` for UTC or an offset such as `+01:00`")
    if match["fraction"] and len(match["fraction"].rstrip("0")) > 7:
        raise InstantError(f"instant `{text}` is finer than a microsecond; give at most six digits after the second")
    try:
        return from_datetime(datetime.fromisoformat(text.upper()))
    except (ValueError, OverflowError) as error:
        raise InstantError(f"expected an instant that exists, got `{text}`") from error


def from_datetime(value: datetime) -> int:
    """The instant of an aware datetime. Raises InstantError for a naive one, and for one that is in no year of UTC."""
    if value.tzinfo is None or value.utcoffset() is None:
        raise InstantError(f"datetime `{value.isoformat()}` is naive; give it a time zone")
    instant = (value - EPOCH) // timedelta(microseconds=1)
    if not EARLIEST <= instant <= LATEST:
        raise InstantError(f"expected an instant that exists in UTC, got `{value.isoformat()}`")
    return instant


def to_datetime(instant: int) -> datetime:
    """The instant as an aware datetime in UTC."""
    return EPOCH + timedelta(microseconds=instant)


def format(instant: int) -> str:
    """The written form, in UTC, with a fraction only where there is one."""
    return to_datetime(instant).isoformat().replace("+00:00", "Z")


def year(instant: int) -> int:
    """The calendar year of the instant, in UTC."""
    return to_datetime(instant).year


def start_of_year(year: int) -> int:
    """The first instant of a calendar year, in UTC; years outside 1..9999 are clamped to the earliest or latest."""
    if year < 1:
        return EARLIEST
    if year > 9999:
        return LATEST
    return from_datetime(datetime(year, 1, 1, tzinfo=UTC))
