"""What a choice comes to: the verdict of the reference decision for each use and category that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from typing import Any, NamedTuple

from sayso.consent.reader import View
from sayso.ledger.events import ChoiceRecorded
from sayso.ledger.events import Scope as Named
from sayso.policy.decide import NOTHING_FOUND, find
from sayso.policy.facts import Record, Subject, Use
from sayso.policy.model import Policy
from sayso.policy.terms import Scope
from sayso.policy.verdict import Outcome

MOST = 256
"""How many combinations of use and category a receipt tells of."""


class Standing(NamedTuple):
    """How a person stands in one use and category: the reason or ground, and the rules that matched, in order."""

    purpose: str
    recipient: str
    category: str
    outcome: Outcome
    rules: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        word = "ground" if self.outcome.permits else "reason"
        return {
            "purpose": self.purpose, "recipient": self.recipient, "category": self.category,
            "permit": self.outcome.permits, word: self.outcome.word, "rules": list(self.rules),
        }  # fmt: skip


class Standings(NamedTuple):
    """How a person stands in all that a choice is about, in order of purpose, recipient and category.

    `version` is that of the policy in force, `None` if none is; `combinations` how many there are, of which no more
    than `MOST` are `shown`.
    """

    version: str | None
    combinations: int
    shown: tuple[Standing, ...]

    @property
    def rules(self) -> frozenset[str]:
        """Every rule that matched."""
        return frozenset(name for one in self.shown for name in one.rules)


def standing(view: View, choice: ChoiceRecorded, at: int) -> Standings:
    """How a person stands after a choice, at the instant (microseconds) of its recording.

    By the policy and the ledger of the view, which holds the choice: whether a record of that person alone, without
    account or territory, collected at the instant of the choice, may be used at the instant of its recording. There is
    nothing to tell of an organisation's choice: it is of many people.
    """
    policy, subject = view.context.policy, choice.subject
    collected = at if choice.effective_at is None else choice.effective_at
    # An act may be up to five minutes ahead of the clock by which it is recorded (spec/ledger.md).
    used = max(at, collected)
    version = policy.in_force(used, view.known.withdrawn)
    reached = reach(choice.scope, policy)
    if subject is None:
        return Standings(version.id if version else None, 0, ())

    def each() -> Iterator[Standing]:
        for purpose, recipient, category in combinations:
            record = Record((Subject(subject),), category, collected)
            found = list(find(policy, Use(purpose, recipient, used), record, view.known))
            first = min(found, key=lambda one: one.order, default=NOTHING_FOUND)
            matched = sorted({one.rule for one in found if one.rule >= 0})
            rules = tuple(version.rules[rule].id for rule in matched) if version else ()
            yield Standing(purpose, recipient, category, first.outcome, rules)

    combinations = product(sorted(reached.purposes), sorted(reached.recipients), sorted(reached.categories))
    count = len(reached.purposes) * len(reached.recipients) * len(reached.categories)
    return Standings(version.id if version else None, count, tuple(islice(each(), MOST)))


def reach(scope: Named, policy: Policy) -> Scope:
    """The leaves and recipients that a choice names, in the terms of the policy that it was made under."""
    return Scope(
        policy.purposes.reach(scope.purposes),
        policy.categories.reach(scope.categories, scope.excluded),
        policy.recipients.reach(scope.recipients),
    )
