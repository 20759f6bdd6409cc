"""Who the synthetic platform's members are: where, how old, since when, how busy, and what they chose.

Sourced: the fifteen country counts and Russia's (Thinknum, 2018, of 546 million), the least age of 16, the fit of the
activity (Pew, 2018), the heap of refusals after a notice and its default of 5%. All other shares are assumptions; each is said
in docs/design/0050-synthetic-data.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sayso import instant

COUNTED: dict[str, float] = {
    "US": 143.8, "IN": 45.0, "CN": 40.7, "BR": 32.7, "GB": 22.7, "FR": 15.1, "CA": 13.8, "IT": 10.7, "MX": 10.3,
    "ES": 9.5, "AU": 8.4, "ID": 8.1, "RU": 7.6, "DE": 7.2, "NL": 6.8, "CO": 5.6,
}  # fmt: skip
"""Members in millions, by one dated method."""

DERIVED: dict[str, float] = {"HK": 1.6}
"""Hong Kong's 3.52 million of 2024, scaled to the year of the others (546 of about 1,200 million)."""

ASSUMED: dict[str, float] = {
    "PL": 4.4, "BE": 3.3, "SE": 3.2, "PT": 2.8, "RO": 2.4, "DK": 2.2, "IE": 1.6, "CZ": 1.4, "GR": 1.4, "AT": 1.2,
    "FI": 1.1, "HU": 0.9, "BG": 0.7, "HR": 0.5, "SK": 0.5, "LT": 0.4, "SI": 0.3, "LV": 0.2, "EE": 0.2, "LU": 0.2,
    "CY": 0.2, "MT": 0.1, "RE": 0.1, "NO": 1.6, "IS": 0.1, "LI": 0.01, "CH": 2.5, "TR": 6.5, "ZA": 6.0, "AR": 6.2,
    "PH": 5.8, "CL": 4.2, "PE": 4.1, "MY": 3.9, "NG": 3.6, "AE": 3.5, "PK": 3.4, "SA": 2.8, "EG": 2.8, "SG": 2.0,
    "JP": 1.9, "NZ": 1.7, "KR": 1.6, "VN": 1.6, "UA": 1.6, "KE": 1.5, "TW": 1.4, "IL": 1.3, "TH": 1.3, "PR": 0.4,
}  # fmt: skip
"""The rest: the EU's others together about what its known total leaves, divided by guess; a long tail elsewhere."""

MEMBERS = {**COUNTED, **DERIVED, **ASSUMED}

_SPOKEN: dict[str, str] = {
    "fr": "FR RE LU", "de": "DE AT LI", "es": "ES MX CO AR CL PE PR", "pt": "BR PT", "it": "IT", "nl": "NL", "pl": "PL",
    "zh": "CN HK TW",
}  # fmt: skip
_MIXED: dict[str, dict[str, float]] = {
    "BE": {"nl": 0.5, "fr": 0.35, "en": 0.15}, "CH": {"de": 0.5, "fr": 0.2, "it": 0.1, "en": 0.2},
    "CA": {"en": 0.78, "fr": 0.22}, "IN": {"en": 0.75, "hi": 0.25}, "US": {"en": 0.9, "es": 0.1},
    "HK": {"zh": 0.6, "en": 0.4},
}  # fmt: skip
"""Assumed. Elsewhere 85% write the first language of the place, if it is one of the ten, and all others English."""

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("territory", pa.string()),
        ("birth_year", pa.int32()),
        ("registered_at", pa.timestamp("us", "UTC")),
        ("language", pa.string()),
        ("activity", pa.float64()),
        ("moved_at", pa.timestamp("us", "UTC")),
        ("moved_to", pa.string()),
        ("refused_at", pa.timestamp("us", "UTC")),
    ]
)


@dataclass(frozen=True, slots=True)
class Habits:
    """The shares that a population is made with; each between 0 and 1. `median` and `sigma` fit records a month.

    `in_window` of the `refused` do so in the notice window, the more the earlier; the rest at any time.
    """

    refused: float = 0.05
    in_window: float = 0.7
    moved: float = 0.02
    minors: float = 0.01
    birth_year_unknown: float = 0.08
    territory_unknown: float = 0.003
    median: float = 2.0
    sigma: float = 2.12


@dataclass(frozen=True, slots=True)
class Window:
    """Instants in microseconds, half-open: members register and act in [start, until), are told in [told, settled)."""

    start: int
    until: int
    told: int
    settled: int


USUAL = Habits()


def members(
    random: np.random.Generator,
    count: int,
    window: Window,
    habits: Habits = USUAL,
    territories: Mapping[str, float] = MEMBERS,
) -> pa.Table:
    """A population of `count` members, as `SCHEMA`, in order of registration and of id.

    Ids are distinct and leave gaps. A member without a known residence has a null territory; one who never moved or
    refused has nulls there. Nobody registers, moves or refuses outside of the window, or acts before registering.
    """
    names = np.array(list(territories))
    weights = np.array(list(territories.values()))
    place = random.choice(len(names), count, p=weights / weights.sum())
    # A third was there before the window; the others came evenly since.
    registered = np.sort(_between(random, window.start, window.until, count, early=1 / 3))
    away = random.choice(len(names), count, p=weights / weights.sum())
    moves = (random.random(count) < habits.moved) & (away != place)
    refuses = random.random(count) < habits.refused
    unknown_year = random.random(count) < habits.birth_year_unknown
    nowhere = random.random(count) < habits.territory_unknown
    return pa.table(
        [
            np.cumsum(random.integers(1, 8, count)),
            pa.array(names[place], pa.string(), mask=nowhere),
            pa.array(_birth_years(random, count, habits.minors, window.until), pa.int32(), mask=unknown_year),
            registered.astype("datetime64[us]"),
            pa.array(_languages(random, names, place), pa.string()),
            random.lognormal(np.log(habits.median), habits.sigma, count),
            _instants(_after(random, registered, window.until), moves),
            pa.array(names[away], pa.string(), mask=~moves),
            _instants(_refusals(random, registered, window, habits.in_window), refuses),
        ],
        schema=SCHEMA,
    )


def _instants(at: NDArray[np.int64], said: NDArray[np.bool_]) -> pa.Array:
    return pa.array(at, pa.timestamp("us", "UTC"), mask=~said)


def _between(random: np.random.Generator, start: int, until: int, count: int, *, early: float) -> NDArray[np.int64]:
    """Instants in [start, until), `early` of them in the first hundredth."""
    at = random.integers(start, until, count)
    soon = random.random(count) < early
    at[soon] = random.integers(start, start + max((until - start) // 100, 1), int(soon.sum()))
    return at


def _after(random: np.random.Generator, since: NDArray[np.int64], until: int) -> NDArray[np.int64]:
    """An instant at or after each of `since`, before `until`."""
    return since + (random.random(len(since)) * (until - since)).astype(np.int64)


def _refusals(
    random: np.random.Generator, registered: NDArray[np.int64], window: Window, share: float
) -> NDArray[np.int64]:
    """When each would refuse: `share` of those who could heap up after the notice, falling off by half every four days."""
    at = _after(random, registered, window.until)
    since = np.maximum(registered, window.told)
    heaped = (random.random(len(at)) < share) & (since < window.settled)
    wait = (random.exponential(4 * instant.DAY / np.log(2), len(at))).astype(np.int64)
    room = np.maximum(window.settled - since, 1)
    at[heaped] = (since + wait % room)[heaped]
    return at


def _birth_years(random: np.random.Generator, count: int, minors: float, until: int) -> NDArray[np.int32]:
    """Years of birth: ages at the end of the window from 18 to 80 around 38, and `minors` of 16 and 17."""
    ages = np.clip(random.gamma(6.0, 3.6, count) + 18, 18, 80).astype(np.int32)
    young = random.random(count) < minors
    ages[young] = random.integers(16, 18, int(young.sum()))
    return (instant.year(until) - ages).astype(np.int32)


def _languages(random: np.random.Generator, names: NDArray[np.str_], place: NDArray[np.int64]) -> NDArray[np.str_]:
    """A language for each member, drawn from those of the place."""
    out = np.full(len(place), "en", dtype="<U2")
    first = {code: language for language, codes in _SPOKEN.items() for code in codes.split()}
    for index, code in enumerate(names):
        here = np.flatnonzero(place == index)
        spoken = _MIXED.get(str(code)) or ({first[str(code)]: 0.85, "en": 0.15} if str(code) in first else {"en": 1.0})
        out[here] = random.choice(list(spoken), len(here), p=list(spoken.values()))
    return out
