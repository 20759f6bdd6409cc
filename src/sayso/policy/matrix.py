"""A policy as a matrix: for one purpose, recipient and instant, what each territory and category meets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from sayso import instant
from sayso.errors import PolicyError
from sayso.policy.model import Covers, Mode, Policy, Rule, named_subdivisions
from sayso.policy.terms import Window
from sayso.territory import KNOWN, Region, groups, region

NO_RULE = "no-rule"
VARIES = "varies"
MOST_CODES = 8
STRICTNESS = (Mode.NEVER, Mode.DISPUTED, Mode.OPT_IN, Mode.OPT_OUT, Mode.ALWAYS)

MODES = {
    Mode.ALWAYS.value: "used without asking, unless the person refused",
    Mode.OPT_OUT.value: "used once people were told, unless the person refused",
    Mode.OPT_IN.value: "used only where the person said yes",
    VARIES: "there are rules for some people or some data only; what each of them says stands under the number",
    Mode.DISPUTED.value: "not used: the sources contradict each other, or are silent",
    Mode.NEVER.value: "not used",
    NO_RULE: "not used: no rule speaks of it, and silence is never permission",
}
"""Every mode that a cell may have, with what it says, from the laxest to the strictest."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What a territory and category meet: the strictest mode, the rules and notices behind it, and what they ask.

    The mode is that of the rules for everybody and all data; what the others say is among `asks`. Where there are only
    others, and one of them may permit, it is `varies`.
    """

    mode: str
    rules: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """Territories that meet the same in every category."""

    name: str
    territories: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The matrix, with what it is of."""

    platform: str
    version: str | None
    purpose: str
    recipient: str
    at: int
    categories: tuple[str, ...]
    rows: tuple[Row, ...]
    titles: Mapping[str, str] = field(default_factory=dict)
    """What people call the categories, where the policy says it."""
    digest: str | None = None
    """The policy's."""
    announced: int | None = None
    effective: int | None = None
    """Of the version in force, in microseconds."""
    withdrawn: tuple[str, ...] = ()
    """The versions of the policy that were withdrawn before they took effect, and so are never in force."""

    @property
    def numbered(self) -> dict[Cell, int]:
        """Every cell that says more than its mode, with a number by which it is looked up, in order of appearance."""
        said = dict.fromkeys(cell for row in self.rows for cell in row.cells if cell.rules)
        return {cell: number for number, cell in enumerate(said, 1)}

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "platform": self.platform,
            "version": self.version,
            "purpose": self.purpose,
            "recipient": self.recipient,
            "at": instant.format(self.at),
            "digest": self.digest,
            "announced": _written(self.announced),
            "effective": _written(self.effective),
            "withdrawn": list(self.withdrawn),
            "categories": list(self.categories),
            "titles": dict(self.titles),
            "rows": [
                {
                    "name": row.name,
                    "territories": list(row.territories),
                    "cells": [
                        {
                            "category": category, "mode": cell.mode, "rules": list(cell.rules),
                            "notices": list(cell.notices), "asks": list(cell.asks),
                        }
                        for category, cell in zip(self.categories, row.cells, strict=True)
                    ],
                }
                for row in self.rows
            ],
        }  # fmt: skip

    def to_html(self) -> str:
        """A page of its own, all of it escaped, readable without styles or scripts."""
        return _page().render(
            matrix=self, numbered=self.numbered, modes=MODES, at=instant.format(self.at),
            announced=_written(self.announced), effective=_written(self.effective),
        )  # fmt: skip


def _written(at: int | None) -> str | None:
    return None if at is None else instant.format(at)


@cache
def _page() -> Template:
    return Environment(
        loader=PackageLoader("sayso.policy", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("matrix.html")


def territories(policy: Policy) -> tuple[str, ...]:
    """Every country, and every subdivision that the policy tells apart, in order."""
    named = (named_subdivisions(rule.territories) for version in policy.versions for rule in version.rules)
    return tuple(sorted(KNOWN.union(*named)))


def matrix(policy: Policy, at: int, purpose: str, recipient: str, withdrawn: Collection[str] = ()) -> Matrix:
    """What each territory and category meets at an instant (microseconds), some versions being withdrawn.

    Raises PolicyError if the purpose is no leaf or the recipient is unknown.
    """
    if purpose not in policy.purposes.leaves:
        known = ", ".join(f"`{name}`" for name in sorted(policy.purposes.leaves))
        raise PolicyError(f"expected a purpose that has no narrower ones ({known}), got `{purpose}`")
    if recipient not in policy.recipients:
        known = ", ".join(f"`{name}`" for name in sorted(policy.recipients.terms))
        raise PolicyError(f"expected a recipient ({known}), got `{recipient}`")
    version = policy.in_force(at, withdrawn)
    categories = tuple(sorted(policy.categories.leaves))
    alike: dict[tuple[Cell, ...], list[str]] = {}
    every = territories(policy)
    for place in every:
        here = [
            rule
            for rule in (version.rules if version else ())
            if rule.territories is None or rule.territories.contains(place)
        ]
        cells = tuple(
            _cell(
                policy,
                [rule for rule in here if rule.scope.covers(purpose, category, recipient)],
                purpose,
                category,
                recipient,
            )
            for category in categories
        )
        alike.setdefault(cells, []).append(place)
    inside = _groups(policy, every, at)
    rows = [Row(_name(places, every, inside), tuple(places), cells) for cells, places in alike.items()]
    ordered = tuple(sorted(rows, key=lambda row: (len(row.territories), row.name)))
    terms = policy.categories.terms
    titles = {name: title for name in categories if (title := terms[name].title) is not None}
    theirs = {one.id for one in policy.versions}
    return Matrix(
        policy.platform, version.id if version else None, purpose, recipient, at, categories, ordered, titles,
        policy.digest, version.announced if version else None, version.effective if version else None,
        tuple(sorted(theirs.intersection(withdrawn))),
    )  # fmt: skip


def _cell(policy: Policy, rules: list[Rule], purpose: str, category: str, recipient: str) -> Cell:
    if not rules:
        return Cell(NO_RULE)
    special = policy.categories.terms[category].special

    def mode(rule: Rule) -> Mode:
        return Mode.NEVER if special and rule.mode is Mode.OPT_OUT else rule.mode

    everybody = [rule for rule in rules if not conditions(rule)]
    strictest: str = min(map(mode, everybody or rules), key=STRICTNESS.index).value
    if not everybody and any(mode(rule) not in (Mode.NEVER, Mode.DISPUTED) for rule in rules):
        strictest = VARIES
    notices: dict[str, None] = {}
    asks: dict[str, None] = {}
    for rule in rules:
        said = list(requirements(rule))
        if rule.notice is not None:
            notices[f"{rule.notice} {' or '.join(sorted(rule.accepts))}"] = None
            told = [one for one in policy.notices.values() if one.notice == rule.notice and one.version in rule.accepts]
            if rule.mode is Mode.OPT_OUT and not any(one.declares.covers(purpose, category, recipient) for one in told):
                said.append("the notice does not declare it")
        if special and rule.mode is Mode.OPT_OUT:
            said.append("a special category passes no opt-out")
        if conditions(rule):
            said = [f"{mode(rule).value} for {', '.join(conditions(rule))}{': ' if said else ''}{', '.join(said)}"]
        asks |= dict.fromkeys(said)
    return Cell(strictest, tuple(rule.id for rule in rules), tuple(notices), tuple(asks))


def asked(rule: Rule) -> tuple[str, ...]:
    """What a rule asks beside its mode, and of what data and whom, in words."""
    return (*requirements(rule), *conditions(rule))


def requirements(rule: Rule) -> tuple[str, ...]:
    """What a rule asks beside its mode, in words."""
    words: list[str] = []
    if rule.min_age is not None:
        words.append(f"age {rule.min_age.age}{' or guardian' if rule.min_age.or_guardian else ''}")
    if rule.covers is not Covers.ALL:
        words.append(rule.covers.value)
    if rule.notice_period:
        words.append(f"{rule.notice_period // instant.DAY} days after notice")
    if rule.expires_after is not None:
        words.append(f"renewed every {rule.expires_after // instant.DAY} days")
    words += _interval("collected", rule.collected)
    words += ["chosen by the organisation"] if rule.holder.value == "organisation" else []
    words += ["told by publication"] if rule.told.value == "published" else []
    words += ["whatever was refused"] if rule.overrides_refusal else []
    return tuple(words)


def conditions(rule: Rule) -> tuple[str, ...]:
    """For which data and whom a rule is, in words; nothing for one that is for all."""
    words = _interval("data", rule.data)
    words += [f"{name} {' or '.join(sorted(values))}" for name, values in sorted(rule.attributes.items())]
    if rule.band is not None:
        words += [f"ages from {rule.band.start}"] if rule.band.start is not None else []
        words += [f"ages under {rule.band.until}"] if rule.band.until is not None else []
    return tuple(words)


def _interval(name: str, window: Window) -> list[str]:
    found = [f"from {instant.format(window.start)}"] if window.start is not None else []
    found += [f"until {instant.format(window.until)}"] if window.until is not None else []
    return [f"{name} {' '.join(found)}"] if found else []


def _groups(policy: Policy, every: tuple[str, ...], at: int) -> Mapping[str, frozenset[str]]:
    """The territories inside of each group that there is or that the policy names, the largest group first."""
    known: dict[str, Region] = {name: region((name,), at=at) for name in groups()}
    inside = {
        name: frozenset(place for place in every if group.contains(place))
        for name, group in {**known, **policy.groups}.items()
    }
    return {name: inside[name] for name in sorted(inside, key=lambda name: (-len(inside[name]), name)) if inside[name]}


def _name(places: list[str], every: tuple[str, ...], inside: Mapping[str, frozenset[str]]) -> str:
    """A name for some territories: the groups that they are made of, and the codes of the rest, if few."""
    if len(places) == len(every):
        return "everywhere"
    rest, named = set(places), list[str]()
    for name, within in inside.items():
        if within <= rest:
            named.append(name)
            rest -= within
    if len(rest) <= MOST_CODES:
        return " ".join([*named, *sorted(rest)])
    if len(places) > len(every) / 2:
        return "everywhere else"
    return " ".join([*named, *sorted(rest)[:4], f"and {len(rest) - 4} more"])
