"""A policy as a matrix: for one purpose, recipient and instant, what each territory and category meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from sayso import instant
from sayso.errors import PolicyError
from sayso.policy.model import Covers, Mode, Policy, Rule, named_subdivisions
from sayso.policy.terms import Window
from sayso.territory import KNOWN

NO_RULE = "no-rule"
STRICTNESS = (NO_RULE, Mode.NEVER, Mode.DISPUTED, Mode.OPT_IN, Mode.OPT_OUT, Mode.ALWAYS)


@dataclass(frozen=True, slots=True)
class Cell:
    """What a territory and category meet: the strictest mode, the rules and notices behind it, and what they ask."""

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

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "platform": self.platform,
            "version": self.version,
            "purpose": self.purpose,
            "recipient": self.recipient,
            "at": instant.format(self.at),
            "categories": list(self.categories),
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
        pages = Environment(
            loader=PackageLoader("sayso.policy", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        return pages.get_template("matrix.html").render(matrix=self, at=instant.format(self.at))


def territories(policy: Policy) -> tuple[str, ...]:
    """Every country, and every subdivision that the policy tells apart, in order."""
    named = (named_subdivisions(rule.territories) for version in policy.versions for rule in version.rules)
    return tuple(sorted(KNOWN.union(*named)))


def cell_rules(policy: Policy, at: int, purpose: str, recipient: str) -> Mapping[tuple[str, str], tuple[Rule, ...]]:
    """For each (territory, category) the rules of the version in force that may match there."""
    version = policy.in_force(at)
    rules = () if version is None else version.rules
    scoped = [rule for rule in rules if purpose in rule.scope.purposes and recipient in rule.scope.recipients]
    return {
        (place, category): tuple(
            rule
            for rule in scoped
            if category in rule.scope.categories and (rule.territories is None or rule.territories.contains(place))
        )
        for place in territories(policy)
        for category in sorted(policy.categories.leaves)
    }


def matrix(policy: Policy, at: int, purpose: str, recipient: str) -> Matrix:
    """What each territory and category meets at an instant.

    Raises PolicyError if the purpose is no leaf or the recipient is unknown.
    """
    if purpose not in policy.purposes.leaves:
        known = ", ".join(f"`{name}`" for name in sorted(policy.purposes.leaves))
        raise PolicyError(f"expected a purpose that has no narrower ones ({known}), got `{purpose}`")
    if recipient not in policy.recipients:
        known = ", ".join(f"`{name}`" for name in sorted(policy.recipients.terms))
        raise PolicyError(f"expected a recipient ({known}), got `{recipient}`")
    categories = tuple(sorted(policy.categories.leaves))
    rules = cell_rules(policy, at, purpose, recipient)
    alike: dict[tuple[Cell, ...], list[str]] = {}
    for place in territories(policy):
        cells = tuple(_cell(rules[place, category]) for category in categories)
        alike.setdefault(cells, []).append(place)
    rows = [Row(_name(policy, places), tuple(places), cells) for cells, places in alike.items()]
    version = policy.in_force(at)
    ordered = tuple(sorted(rows, key=lambda row: (len(row.territories), row.name)))
    return Matrix(policy.platform, version.id if version else None, purpose, recipient, at, categories, ordered)


def _cell(rules: tuple[Rule, ...]) -> Cell:
    if not rules:
        return Cell(NO_RULE)
    strictest = min((rule.mode for rule in rules), key=STRICTNESS.index)
    notices = dict.fromkeys(
        f"{rule.notice} {' or '.join(sorted(rule.accepts))}" for rule in rules if rule.notice is not None
    )
    asks = dict.fromkeys(ask for rule in rules for ask in asked(rule))
    return Cell(strictest.value, tuple(rule.id for rule in rules), tuple(notices), tuple(asks))


def asked(rule: Rule) -> tuple[str, ...]:
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
    for name, window in (("collected", rule.collected), ("only data", rule.data)):
        words += _interval(name, window)
    words += [f"{name} {' or '.join(sorted(values))}" for name, values in rule.attributes.items()]
    if rule.band is not None:
        words.append(f"ages {rule.band.start or 0} to {rule.band.until if rule.band.until is not None else 'any'}")
    words += ["chosen by the organisation"] if rule.holder.value == "organisation" else []
    words += ["told by publication"] if rule.told.value == "published" else []
    words += ["whatever was refused"] if rule.overrides_refusal else []
    return tuple(words)


def _interval(name: str, window: Window) -> list[str]:
    found = [f"from {instant.format(window.start)}"] if window.start is not None else []
    found += [f"until {instant.format(window.until)}"] if window.until is not None else []
    return [f"{name} {' '.join(found)}"] if found else []


def _name(policy: Policy, places: list[str]) -> str:
    """A name for some territories: a group of the policy's that is just these, or the first few codes."""
    for name, group in sorted(policy.groups.items()):
        if not group.excepted and group.codes == frozenset(places):
            return name
    return " ".join(places) if len(places) <= 6 else f"{' '.join(places[:4])} and {len(places) - 4} more"
