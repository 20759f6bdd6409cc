"""Sets of territories, expanded at an instant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from sayso import instant
from sayso.errors import TerritoryError
from sayso.territory.code import canonical, country, is_known
from sayso.territory.table import KNOWN, ROWS

WORLD = "world"


@dataclass(frozen=True, slots=True)
class Region:
    """A set of territories. A country holds its subdivisions, but for those `excepted`."""

    codes: frozenset[str]
    excepted: frozenset[str] = frozenset()

    def contains(self, code: str) -> bool:
        """Whether a canonical code lies within; `US` does not lie within `US-CA`, nor is told from the rest of US."""
        return code in self.codes or (country(code) in self.codes and code not in self.excepted)


def groups() -> tuple[str, ...]:
    """The names of all groups, in order."""
    return tuple(sorted({WORLD, *(row.group for row in ROWS)}))


def members(group: str, at: int) -> frozenset[str]:
    """The territories of a group at an instant. Raises TerritoryError for a group that there is not."""
    if group == WORLD:
        return KNOWN
    if group not in groups():
        raise TerritoryError(f"expected a territory or group, got `{group}`{_meant(group)}")
    return frozenset(
        row.code
        for row in ROWS
        if row.group == group
        and (row.since is None or _instant(row.since) <= at)
        and (row.until is None or at < _instant(row.until))
    )


def region(
    include: Iterable[str], exclude: Iterable[str] = (), *, at: int, named: Mapping[str, Region] | None = None
) -> Region:
    """The territories that names stand for at an instant: what they include and do not exclude.

    A name is one of `named`, a group, or a code. Raises TerritoryError for any other.
    """
    inside = _union(_expanded(name, at, named or {}) for name in include)
    outside = _union(_expanded(name, at, named or {}) for name in exclude)
    told_apart = inside.codes | inside.excepted | outside.codes | outside.excepted
    whole = {code for code in told_apart if country(code) == code}
    parts = {code for code in told_apart if country(code) != code}
    codes = {code for code in whole if inside.contains(code) and not outside.contains(code)}
    for part in parts:
        if inside.contains(part) and not outside.contains(part) and country(part) not in codes:
            codes.add(part)
    excepted = {
        part for part in parts if country(part) in codes and not (inside.contains(part) and not outside.contains(part))
    }
    return Region(frozenset(codes), frozenset(excepted))


def to_json(region: Region) -> dict[str, list[str]]:
    """The canonical JSON form."""
    return {"codes": sorted(region.codes), "excepted": sorted(region.excepted)}


def _expanded(name: str, at: int, named: Mapping[str, Region]) -> Region:
    if name in named:
        return named[name]
    if name in groups():
        return Region(members(name, at))
    code = canonical(name)
    if code is None or not is_known(code):
        raise TerritoryError(f"expected a territory or group, got `{name}`{_meant(name)}")
    return Region(frozenset((code,)))


def _union(regions: Iterable[Region]) -> Region:
    """All of several regions; a subdivision that one excepts and another holds is held."""
    every = list(regions)
    codes = frozenset().union(*(one.codes for one in every))
    excepted = frozenset().union(*(one.excepted for one in every))
    return Region(codes, frozenset(part for part in excepted if not any(one.contains(part) for one in every)))


def _instant(written: str) -> int:
    return instant.parse(written if "T" in written else f"{written}T00:00:00Z")


def _meant(name: str) -> str:
    close = get_close_matches(name.upper(), [*(group for group in groups()), *sorted(KNOWN)], n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else "; groups are " + ", ".join(f"`{g}`" for g in groups())
