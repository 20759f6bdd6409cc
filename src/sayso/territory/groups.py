"""Who belongs to a group at an instant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from sayso import instant
from sayso.errors import Problem, TerritoryError
from sayso.territory.code import canonical, is_known
from sayso.territory.table import KNOWN, ROWS

WORLD = "world"
"""The group of every known territory, at any instant."""


def _instant(written: str) -> int:
    return instant.parse(written if "T" in written else f"{written}T00:00:00Z")


_MEMBERSHIPS: dict[str, list[tuple[str, int, int]]] = {}
for _row in ROWS:
    _until = instant.LATEST + 1 if _row.until is None else _instant(_row.until)
    _MEMBERSHIPS.setdefault(_row.group, []).append((_row.code, _instant(_row.since), _until))

_GROUPS = tuple(sorted((*_MEMBERSHIPS, WORLD)))


def groups() -> tuple[str, ...]:
    """The names of all groups, sorted. None of them is a territory's code."""
    return _GROUPS


def members(group: str, at: int) -> frozenset[str]:
    """The codes of a group's territories at an instant (microseconds since the epoch).

    Raises TerritoryError for a group that there is not.
    """
    if group == WORLD:
        return KNOWN
    if group not in _MEMBERSHIPS:
        raise TerritoryError(not_known(group))
    return frozenset(code for code, since, until in _MEMBERSHIPS[group] if since <= at < until)


def not_known(name: str, others: Iterable[str] = ()) -> Problem:
    """What to tell whoever wrote a name of no territory and no group; `others` are the groups that a policy names."""
    written = name.strip()
    code = canonical(written.upper())
    words = {group.casefold(): group for group in (*_GROUPS, *sorted(others))}
    # Codes are too short for a guess by likeness: every wrong one is like a dozen others.
    close = get_close_matches(written.casefold(), words, n=1)
    if code is not None and is_known(code):
        remedy = f"did you mean `{written.upper()}`?"
    elif close:
        remedy = f"did you mean `{words[close[0]]}`?"
    else:
        remedy = f"groups are {', '.join(f'`{group}`' for group in words.values())}"
    return Problem(f"expected a territory such as `DE` or `US-CA`, or a group, got `{name}`", remedy=remedy)
