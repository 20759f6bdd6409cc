"""Sets of territories: what a list of names stands for at an instant, less what another list does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sayso.errors import Problem, TerritoryError
from sayso.territory.code import canonical, country, is_known
from sayso.territory.groups import groups, members, not_known


@dataclass(frozen=True, slots=True)
class Region:
    """A set of territories. A country holds its subdivisions, but for those `excepted`."""

    codes: frozenset[str]
    excepted: frozenset[str] = frozenset()

    def contains(self, code: str) -> bool:
        """Whether a canonical code lies within.

        A country lies within if it does but for some of its subdivisions, and does not if only some of them do:
        what a less precise code may stand for is the decision's to ask (semantics, section 3.2).
        """
        return code in self.codes or (country(code) in self.codes and code not in self.excepted)


def region(include: Iterable[str], exclude: Iterable[str] = (), *, at: int, named: Mapping[str, Region] = {}) -> Region:
    """The territories that names stand for at an instant (microseconds): those they include and do not exclude.

    A name is a group, a code or its alias, or one of `named`, which are expanded already. For every code,
    `contains` of the result is `contains` of some included name and of no excluded one; equal sets are equal Regions,
    however they were written. Raises TerritoryError with a problem for each name that is not known, and for each of
    `named` that would hide a group or a territory.
    """
    include, exclude = tuple(include), tuple(exclude)
    expanded = {name: _expanded(name, at, named) for name in (*include, *exclude)}
    problems = [*_hidden(named), *(not_known(name, named) for name, found in expanded.items() if found is None)]
    if problems:
        raise TerritoryError(problems)
    inside = [found for name in include if (found := expanded[name]) is not None]
    outside = [found for name in exclude if (found := expanded[name]) is not None]

    def within(code: str) -> bool:
        return any(one.contains(code) for one in inside) and not any(one.contains(code) for one in outside)

    told_apart = frozenset().union(*(one.codes | one.excepted for one in (*inside, *outside)))
    held = {code for code in told_apart if within(code)}
    whole = {code for code in held if country(code) == code}
    return Region(
        frozenset(code for code in held if code in whole or country(code) not in whole),
        frozenset(code for code in told_apart - held if country(code) in whole),
    )


def to_json(region: Region) -> dict[str, list[str]]:
    """The form in which a region is digested and printed: `codes` and `excepted`, each sorted."""
    return {"codes": sorted(region.codes), "excepted": sorted(region.excepted)}


def _hidden(named: Mapping[str, Region]) -> Iterator[Problem]:
    for name in named:
        if _expanded(name, 0, {}) is not None:
            yield Problem(
                f"expected a new name for a group of territories, got `{name}`, which already means one",
                remedy="give it another name",
            )


def _expanded(name: str, at: int, named: Mapping[str, Region]) -> Region | None:
    if name in named:
        return named[name]
    if name in groups():
        return Region(members(name, at))
    code = canonical(name)
    return Region(frozenset((code,))) if code is not None and is_known(code) else None
