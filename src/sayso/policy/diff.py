"""Comparing policies: which cells a change tightens, and which it loosens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sayso import instant
from sayso.policy.comparing import Cell, SignedUp, stricter
from sayso.policy.matrix import asked
from sayso.policy.model import Policy, Rule, SituationMode, Version, named_subdivisions
from sayso.territory import KNOWN, Region

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
    """What differs between two policies, each by its version in force at an instant (microseconds).

    By purpose, recipient and category. One that only one of them has is met by no rule in the other. What the ledger
    says counts for nothing here: a version that was withdrawn is taken as it is written.
    """
    first, second = _Side(before, at_before), _Side(after, at_after)
    alike: dict[tuple[tuple[bool, ...], tuple[bool, ...]], list[str]] = {}
    for place in sorted(KNOWN | first.subdivisions | second.subdivisions):
        alike.setdefault((first.within(place), second.within(place)), []).append(place)
    changes: dict[tuple[str, str, str, str, str, str], list[str]] = {}
    for purpose in sorted(before.purposes.leaves | after.purposes.leaves):
        for recipient in sorted({*before.recipients.terms, *after.recipients.terms}):
            for category in sorted(before.categories.leaves | after.categories.leaves):
                for places in alike.values():
                    old = first.cell(purpose, category, recipient, places[0])
                    new = second.cell(purpose, category, recipient, places[0])
                    direction = _direction(old, new)
                    if direction is not None:
                        key = (direction, purpose, recipient, category, *_words(old, new))
                        changes.setdefault(key, []).extend(places)
    return tuple(
        Change(direction, purpose, recipient, category, tuple(sorted(places)), old_words, new_words)
        for (direction, purpose, recipient, category, old_words, new_words), places in changes.items()
    )


def _direction(before: Cell, after: Cell) -> str | None:
    """Which way a cell changed; `None` if the same pass in both."""
    tighter, looser = stricter(after, before), stricter(before, after)
    if tighter:
        return None if looser else TIGHTENED
    return LOOSENED if looser else CHANGED


class _Side:
    """One policy at an instant."""

    def __init__(self, policy: Policy, at: int) -> None:
        self.policy = policy
        self.version = policy.in_force(at) or Version("none", at, at, ())
        regions: list[Region | None] = [rule.territories for rule in self.version.rules]
        past = [version for version in policy.versions if version.effective <= at]
        self.sign_ups = [(one, version.effective) for version in past for one in version.sign_ups]
        regions += [one.territories for one, _ in self.sign_ups]
        regions += [signal.territories for signal in policy.signals.values()]
        self.regions = tuple(region for region in dict.fromkeys(regions) if region is not None)
        self.subdivisions = frozenset[str]().union(*(named_subdivisions(region) for region in self.regions))

    def within(self, place: str) -> tuple[bool, ...]:
        """In which of the regions that the policy names a place lies: alike in these, places are alike in all."""
        return tuple(region.contains(place) for region in self.regions)

    def cell(self, purpose: str, category: str, recipient: str, place: str) -> Cell:
        """What decides in a cell."""
        policy, version, named = self.policy, self.version, (purpose, category, recipient)
        return Cell(
            tuple(rule for rule in version.rules if rule.scope.covers(*named) and _holds(rule.territories, place)),
            version.situation,
            version.freshness,
            tuple(sorted(version.roles.items())),
            policy.attributes,
            category in policy.categories and policy.categories.terms[category].special,
            frozenset(notice for notice, text in policy.notices.items() if text.declares.covers(*named)),
            frozenset(
                SignedUp(
                    one.notice,
                    one.version,
                    since,
                    tuple((name, tuple(sorted(values))) for name, values in sorted(one.attributes.items())),
                )
                for one, since in self.sign_ups
                if _holds(one.territories, place)
            ),
            frozenset(
                name
                for name, signal in policy.signals.items()
                if signal.scope.covers(*named) and _holds(signal.territories, place)
            ),
            frozenset(policy.purposes.above(purpose)),
        )


def _holds(region: Region | None, place: str) -> bool:
    return region is None or region.contains(place)


def _words(before: Cell, after: Cell) -> tuple[str, str]:
    """What each of two cells says, in a line; what they share beside their rules is left out."""
    first, second = _beside(before), _beside(after)
    return tuple(  # type: ignore[return-value] # there are two
        "; ".join([_said(cell.rules), *(words for words in own if words not in theirs)]) if cell.rules else "no-rule"
        for cell, own, theirs in ((before, first, second), (after, second, first))
    )


def _said(rules: Iterable[Rule]) -> str:
    said = []
    for rule in rules:
        notice = f" under {rule.notice} {'/'.join(sorted(rule.accepts))}" if rule.notice else ""
        asks = f" ({', '.join(asked(rule))})" if asked(rule) else ""
        said.append(f"{rule.mode.value}{notice}{asks}")
    return " and ".join(dict.fromkeys(said))


def _beside(cell: Cell) -> tuple[str, ...]:
    """What decides in a cell beside its rules, in words."""
    listed = (
        ("declared by", (" ".join(one) for one in cell.declared if one[0] in {rule.notice for rule in cell.rules})),
        ("told at sign-up", (f"{one.notice} {one.version}" for one in cell.told())),
        ("refused by", cell.signals),
        ("reserved by", cell.above),
        ("not counting", (name for name, counts in cell.roles if not counts)),
        ("assumed", (f"{name} as {default}" for name, (_, default) in cell.asked().items() if default is not None)),
    )
    words = [f"{what} {', '.join(sorted(found))}" for what, each in listed if (found := list(each))]
    words += ["special"] if cell.special else []
    words += [] if cell.situation is SituationMode.STRICTEST else [f"situation {cell.situation.value}"]
    return (*words, f"fresh for {cell.freshness // instant.DAY} days")
