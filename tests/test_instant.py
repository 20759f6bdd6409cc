"""Instants: what is written, what is refused, and the ends of the calendar."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso import instant
from sayso.errors import InstantError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00z", 0),
        ("1970-01-01 01:00:00.000001+01:00", 1),
        ("2024-02-29T23:59:59.9999990Z", 1_709_251_199_999_999),
        ("0001-01-01T00:00:00Z", instant.EARLIEST),
        ("9999-12-31T23:59:59.999999Z", instant.LATEST),
    ],
)
def test_an_instant_is_read(text: str, expected: int) -> None:
    assert instant.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2024-09-18", "expected an instant such as"),
        ("18.9.2024 00:00Z", "expected an instant such as"),
        ("٢٠٢٤-09-18T00:00:00Z", "expected an instant such as"),
        ("2024-09-18T00:00:00", "names no time zone"),
        ("2024-09-18T00:00:00.12345678Z", "finer than a microsecond"),
        ("2023-02-29T00:00:00Z", "an instant that exists"),
        ("0001-01-01T00:00:00+01:00", "an instant that exists"),
        ("9999-12-31T23:59:59-01:00", "an instant that exists"),
        ("2024-09-18T24:00:00Z", "an instant that exists"),
        ("2024-09-18T00:00:00+99:00", "an instant that exists"),
    ],
)
def test_what_is_no_instant_is_refused_and_not_guessed(text: str, why: str) -> None:
    with pytest.raises(InstantError, match=why):
        instant.parse(text)


def test_a_naive_datetime_is_an_error() -> None:
    with pytest.raises(InstantError, match="naive"):
        instant.from_datetime(datetime(2024, 1, 1))  # noqa: DTZ001  # which is what is tested


@given(st.integers(instant.EARLIEST, instant.LATEST))
def test_what_is_written_reads_the_same(at: int) -> None:
    assert instant.parse(instant.format(at)) == at
    assert instant.start_of_year(instant.year(at)) <= at


def test_years_beyond_the_calendar_begin_at_its_ends() -> None:
    assert instant.start_of_year(0) == instant.EARLIEST
    assert instant.start_of_year(10_000) == instant.LATEST
    assert instant.start_of_year(1) == instant.EARLIEST
