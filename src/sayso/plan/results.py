"""Results and territories by number, in the order in which they are first met: what a snapshot's answers refer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sayso.policy.decide import NOTHING_FOUND
from sayso.policy.verdict import Finding, Outcome

NO_OBJECTION = 100
"""Stands after every ground: a subject that does not count was heard, and said nothing."""
FIXED = (Outcome.UNREADABLE, Outcome.STALE, Outcome.NO_SUBJECT, Outcome.RESERVED)
"""The results that have the first numbers, in this order, whatever the use."""


@dataclass(frozen=True, slots=True)
class Result:
    """A verdict without a person: where it comes from, and the event behind it.

    The event is at a `position` that is the same for all, or a `slot`: its place among the positions that standing
    keeps for the person, or, where `of_account`, for the account.
    """

    outcome: int
    rule: int
    situation: int
    slot: int | None = None
    of_account: bool = False
    position: int | None = None


@dataclass
class Results:
    """The results met so far, and the territories of evidence."""

    numbers: dict[Result, int] = field(default_factory=dict)
    territories: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for outcome in FIXED:
            self.number(Result(int(outcome), -1, -1))

    def number(self, result: Result) -> int:
        """The number of a result."""
        return self.numbers.setdefault(result, len(self.numbers))

    def territory(self, code: str) -> int:
        """The number of a territory."""
        return self.territories.setdefault(code, len(self.territories))


def first(found: Iterable[Finding], *, counts: bool) -> Finding | None:
    """The verdict for one subject; for one that does not count, apart from that nobody does, and there may be none."""
    if counts:
        return min(found, key=lambda finding: finding.order, default=NOTHING_FOUND)
    heard = (finding for finding in found if finding.outcome is not Outcome.NO_SUBJECT)
    return min(heard, key=lambda finding: finding.order, default=None)


def result_of(found: Finding | None, slots: Mapping[int, tuple[int, bool]]) -> Result:
    """The result of a finding; `slots` says of positions that are a person's or account's own where they are kept."""
    if found is None:
        return Result(NO_OBJECTION, -1, -1)
    behind = found.positions[0] if found.positions else None
    place = (int(found.outcome), found.rule, found.situation)
    if behind is None or behind not in slots:
        return Result(*place, position=behind)
    slot, of_account = slots[behind]
    return Result(*place, slot=slot, of_account=of_account)
