"""Comparing policies: which cells a change tightens, and which it loosens; and whether an edition may follow another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sayso import instant
from sayso.errors import Problem
from sayso.policy.matrix import STRICTNESS, asked, cell_rules, territories
from sayso.policy.model import Policy, Rule, Told
from sayso.policy.terms import Vocabulary

TIGHTENED, LOOSENED, CHANGED = "tightened", "loosened", "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """Territories and a category in which a policy meets people otherwise than another did.

    `direction` is `changed` where it is stricter in one way and laxer in another, or where that cannot be told: take it
    for loosened.
    """

    direction: str
    purpose: str
    recipient: str
    category: str
    territories: tuple[str, ...]
    before: str
    after: str

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "direction": self.direction, "purpose": self.purpose, "recipient": self.recipient,
            "category": self.category, "territories": list(self.territories), "before": self.before,
            "after": self.after,
        }  # fmt: skip


def diff(before: Policy, after: Policy, at_before: int, at_after: int) -> tuple[Change, ...]:
    """What differs between two policies, each at an instant; by purpose, recipient and category.

    A purpose, recipient or category that only one of them has is `no-rule` in the other.
    """
    changes: dict[tuple[str, str, str, str, str, str], list[str]] = {}
    for purpose in sorted(before.purposes.leaves | after.purposes.leaves):
        for recipient in sorted(set(before.recipients.terms) | set(after.recipients.terms)):
            old = cell_rules(before, at_before, purpose, recipient)
            new = cell_rules(after, at_after, purpose, recipient)
            for place in sorted({*territories(before), *territories(after)}):
                for category in sorted(before.categories.leaves | after.categories.leaves):
                    first = _rules(old, place, category)
                    second = _rules(new, place, category)
                    direction = _direction(first, second)
                    if direction is not None:
                        key = (direction, purpose, recipient, category, _words(first), _words(second))
                        changes.setdefault(key, []).append(place)
    return tuple(
        Change(direction, purpose, recipient, category, tuple(places), old_words, new_words)
        for (direction, purpose, recipient, category, old_words, new_words), places in changes.items()
    )


def _rules(cells: Any, place: str, category: str) -> tuple[Rule, ...]:
    """The rules of a cell; of a subdivision that a policy does not tell apart, those of its country."""
    found: tuple[Rule, ...] = cells.get((place, category), cells.get((place[:2], category), ()))
    return found


def _essence(rule: Rule) -> tuple[object, ...]:
    """What of a rule decides, its name and comments left out."""
    return (
        rule.mode, tuple(sorted((n, tuple(sorted(v))) for n, v in rule.attributes.items())), rule.band, rule.data,
        rule.holder, rule.notice, rule.accepts, rule.told, rule.notice_period, rule.covers, rule.collected,
        rule.min_age, rule.expires_after, rule.overrides_refusal,
    )  # fmt: skip


def _direction(before: tuple[Rule, ...], after: tuple[Rule, ...]) -> str | None:
    """Which way a cell changed. Every matching rule must permit, so that more rules are stricter than fewer."""
    old, new = {_essence(rule) for rule in before}, {_essence(rule) for rule in after}
    if old == new:
        return None
    if not old:
        return LOOSENED if _lets(after) else None
    if not new:
        return TIGHTENED if _lets(before) else None
    if not _lets(before) and not _lets(after):
        return None
    if new > old or not _lets(after):
        return TIGHTENED
    if new < old or not _lets(before):
        return LOOSENED
    if len(before) == len(after) == 1:
        return _one(before[0], after[0])
    return CHANGED


def _lets(rules: tuple[Rule, ...]) -> bool:
    """Whether rules may permit anything at all: one that is for all data and people and never permits forbids."""
    return not any(
        rule.mode.value in ("never", "disputed")
        and not rule.attributes
        and rule.band is None
        and rule.data.start is None
        and rule.data.until is None
        for rule in rules
    )


def _one(before: Rule, after: Rule) -> str:
    """Which way one rule differs from another that stands in its place."""
    steps = {_sign(STRICTNESS.index(after.mode) - STRICTNESS.index(before.mode))}
    steps.add(_sign((after.told is Told.PUBLISHED) - (before.told is Told.PUBLISHED)))
    steps.add(_sign(before.notice_period - after.notice_period))
    steps.add(_sign(after.overrides_refusal - before.overrides_refusal))
    steps.add(_sign((after.covers.value == "all") - (before.covers.value == "all")))
    ages = [rule.min_age.age if rule.min_age else 0 for rule in (before, after)]
    steps.add(_sign(ages[0] - ages[1]))
    for key in ("attributes", "band", "data", "holder", "collected", "expires_after"):
        old, new = getattr(before, key), getattr(after, key)
        steps.add(0 if old == new else None)
    if (before.notice, before.accepts) != (after.notice, after.accepts):
        wider = before.notice == after.notice and before.accepts < after.accepts
        narrower = before.notice == after.notice and after.accepts < before.accepts
        steps.add(1 if wider else -1 if narrower else None)
    if None not in steps and steps <= {0, 1}:
        return LOOSENED
    if None not in steps and steps <= {0, -1}:
        return TIGHTENED
    return CHANGED


def _sign(number: int) -> int | None:
    return (number > 0) - (number < 0)


def _words(rules: tuple[Rule, ...]) -> str:
    """What a cell's rules say, in a line."""
    if not rules:
        return "no-rule"
    said = []
    for rule in rules:
        notice = f" under {rule.notice} {'/'.join(sorted(rule.accepts))}" if rule.notice else ""
        asks = f" ({', '.join(asked(rule))})" if asked(rule) else ""
        said.append(f"{rule.mode.value}{notice}{asks}")
    return " and ".join(dict.fromkeys(said))


def succession(before: Policy, after: Policy, present: int) -> list[Problem]:
    """Why an edition may not follow another (semantics, sections 1 and 2); nothing if it may."""
    problems: list[Problem] = []
    if before.platform != after.platform:
        problems.append(Problem(f"expected an edition for platform `{before.platform}`, got `{after.platform}`"))
    for what in ("purposes", "categories", "recipients"):
        problems += _terms(what, getattr(before, what), getattr(after, what))
    kept = {version.id: version for version in after.versions}
    for version in before.versions:
        if version.effective <= present and kept.get(version.id) != version:
            when = instant.format(version.effective)
            problems.append(
                Problem(
                    f"version `{version.id}` has been effective since `{when}` and is changed or gone in this edition",
                    remedy="leave it as it was, and write what is new as a version of its own",
                )
            )
    old = {version.id for version in before.versions}
    for version in after.versions:
        if version.id not in old and version.effective < present:
            problems.append(Problem(f"version `{version.id}` is new and would be effective in the past"))
    return problems


def _terms(what: str, before: Vocabulary, after: Vocabulary) -> Iterator[Problem]:
    said = {name for term in after.terms.values() for name in term.was}
    for name, term in before.terms.items():
        kept = after.terms.get(name)
        if kept is None and name not in said:
            yield Problem(
                f"`{name}` is gone from `{what}`", remedy=f"say `was: [{name}]` at what took its place, or keep it"
            )
        elif kept is not None and kept.parent != term.parent and name not in kept.was:
            yield Problem(f"`{name}` was moved in `{what}`", remedy=f"say `was: [{name}]` at it")
        elif kept is not None and (name in before.leaves) != (name in after.leaves) and name not in said:
            yield Problem(f"`{name}` was split in `{what}`", remedy=f"say `was: [{name}]` at each part")
        lost = sorted(set(term.was) - said)
        if lost:
            yield Problem(f"`was: {lost[0]}` is gone from `{what}`", remedy="keep every name that a term had")
