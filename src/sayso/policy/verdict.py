"""Verdicts: the reasons to deny and the grounds to permit, in the order in which one is reported before another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from sayso.policy.facts import Id


class Outcome(IntEnum):
    """Every reason and every ground. Of several the least is the verdict (semantics, section 6).

    Reasons come in the order of the specification, then grounds from the weakest to the strongest; so one `min`
    over everything found both ranks the reasons and finds the weakest ground.
    """

    UNREADABLE = 0
    STALE = 1
    NO_POLICY = 2
    NO_SUBJECT = 3
    UNKNOWN_SUBJECT = 4
    ERASED = 5
    SUSPENDED = 6
    UNKNOWN_TERRITORY = 7
    UNKNOWN_ATTRIBUTE = 8
    NO_RULE = 9
    NOT_ENABLED = 10
    DISPUTED = 11
    RESERVED = 12
    UNDER_AGE = 13
    REFUSED = 14
    NO_CONSENT = 15
    CONSENT_OUTDATED = 16
    CONSENT_EXPIRED = 17
    NOT_NOTIFIED = 18
    NOTICE_PERIOD = 19
    COLLECTED_OUTSIDE_WINDOW = 20
    COLLECTED_TOO_EARLY = 21
    NO_CHOICE = 22
    NOT_TOLD = 23
    NOT_OBJECTED = 24
    ORGANISATION = 25
    GRANTED = 26

    @property
    def permits(self) -> bool:
        """Whether this is a ground."""
        return self >= Outcome.NO_CHOICE

    @property
    def word(self) -> str:
        """The name in the specification, in reports and in the API."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found while deciding: an outcome, and where it was found.

    `subject`, `situation`, `rule` and `leaf` are indices, -1 where the finding is about none; `territory` is the
    situation's; `positions` are those of the choices, notices or suspensions behind it.
    """

    outcome: Outcome
    subject: int = -1
    situation: int = -1
    rule: int = -1
    leaf: int = 0
    territory: str | None = None
    positions: tuple[int, ...] = ()

    @property
    def order(self) -> tuple[int, int, int, int, int]:
        """Sorts findings: the first is the verdict, its place the evidence."""
        return (self.outcome, self.subject, self.situation, self.rule, self.leaf)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a verdict comes from."""

    policy: str
    version: str | None = None
    rule: str | None = None
    territory: str | None = None
    subject: Id | None = None
    positions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a record may be used, the one reason or ground, and the evidence."""

    outcome: Outcome
    evidence: Evidence

    @property
    def permit(self) -> bool:
        """Whether the record may be used."""
        return self.outcome.permits

    @property
    def reason(self) -> str | None:
        """Why it is denied; `None` if it is permitted."""
        return None if self.permit else self.outcome.word

    @property
    def ground(self) -> str | None:
        """On what ground it is permitted; `None` if it is denied."""
        return self.outcome.word if self.permit else None
