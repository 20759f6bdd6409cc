"""How choices stand (semantics, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sayso.policy.facts import By, Choice, Delivery, Signal, Voice
from sayso.policy.model import Covers, Mode, Rule, Told
from sayso.policy.verdict import Outcome


@dataclass(frozen=True, slots=True)
class Matter:
    """What is asked of a holder: a cell, at an instant, in a place (`None`: in any), under a rule (`None`: none)."""

    purpose: str
    category: str
    recipient: str
    at: int
    place: str | None
    rule: Rule | None

    def concerns(self, choice: Choice) -> bool:
        """Whether a choice counts here: it covers the cell, was made by then, and by one who may make it."""
        return (
            choice.at <= self.at
            and choice.scope.covers(self.purpose, self.category, self.recipient)
            and (choice.refusal or choice.by is not By.GUARDIAN or self.guardian_may_grant)
        )

    @property
    def guardian_may_grant(self) -> bool:
        """Whether the rule lets a registered guardian grant."""
        return self.rule is not None and self.rule.min_age is not None and self.rule.min_age.or_guardian

    def accepts(self, choice: Choice) -> bool:
        """Whether a grant was made under a notice version that the rule accepts."""
        rule, notice = self.rule, choice.notice
        return rule is not None and notice is not None and notice[0] == rule.notice and notice[1] in rule.accepts

    def latest(self, voice: Voice, heed: Callable[[Choice], bool] = lambda _: True) -> Choice | None:
        """The latest choice of a holder that counts here."""
        counted = (choice for choice in voice.choices if self.concerns(choice) and heed(choice))
        return max(counted, key=lambda choice: choice.order, default=None)

    def signals(self, voice: Voice) -> Iterator[Signal]:
        """The signals of a holder that cover this cell and place."""
        for signal in voice.signals:
            where = signal.territories
            if signal.at <= self.at and signal.scope.covers(self.purpose, self.category, self.recipient):
                if where is None or self.place is None or where.contains(self.place):
                    yield signal

    def refusal(self, voice: Voice) -> Choice | Signal | None:
        """The refusal of one holder that stands: the latest choice, or a signal that no later choice answers."""
        latest = self.latest(voice)
        if latest is not None and latest.refusal:
            return latest
        unanswered = (s for s in self.signals(voice) if latest is None or latest.at <= s.first_recorded)
        return min(unanswered, key=lambda signal: signal.position, default=None)


@dataclass(frozen=True, slots=True)
class Consent:
    """How an opt-in rule finds a holder: a standing grant and since when, or why there is none."""

    grant: Choice | None
    since: int | None
    lacks: Outcome | None
    position: int | None


def consent(matter: Matter, voice: Voice, expires_after: int | None) -> Consent:
    """Whether a grant stands for an opt-in rule, and the first instant of the unbroken run of grants that does."""
    latest = matter.latest(voice, lambda choice: choice.refusal or matter.accepts(choice))
    other = matter.latest(voice, lambda choice: not choice.refusal and not matter.accepts(choice))
    if latest is None or latest.refusal:
        if other is not None and (latest is None or other.order > latest.order):
            return Consent(None, None, Outcome.CONSENT_OUTDATED, other.position)
        if latest is not None:
            return Consent(None, None, Outcome.REFUSED, latest.position)
        return Consent(None, None, Outcome.NO_CONSENT, None)
    if expires_after is not None and matter.at - latest.at >= expires_after:
        return Consent(None, None, Outcome.CONSENT_EXPIRED, latest.position)
    counted = [choice for choice in voice.choices if matter.concerns(choice)]
    breaks = [choice.at for choice in counted if choice.refusal]
    breaks += [max(signal.at, signal.first_recorded) for signal in matter.signals(voice)]
    broken = max((at for at in breaks if at <= latest.at), default=None)
    run = (c.at for c in counted if not c.refusal and matter.accepts(c) and (broken is None or c.at > broken))
    return Consent(latest, min(run, default=latest.at), None, latest.position)


def guardian_stands(matter: Matter, voice: Voice) -> bool:
    """Whether what stands is a grant by a registered guardian, where the rule lets one through."""
    rule = matter.rule
    if rule is None or not matter.guardian_may_grant:
        return False
    if rule.mode is Mode.OPT_IN:
        grant = consent(matter, voice, rule.expires_after).grant
    else:
        grant = matter.latest(voice)
    return grant is not None and not grant.refusal and grant.by is By.GUARDIAN


def told(
    matter: Matter, rule: Rule, voice: Voice, published: Iterable[Delivery], collected: int
) -> tuple[Outcome, Delivery | None]:
    """Whether an opt-out rule finds the holder told, in time for it and for the data: a ground, or what is lacking.

    The delivery, or publication, is the earliest that counts.
    """

    def counted(deliveries: Iterable[Delivery]) -> list[Delivery]:
        return [
            delivery
            for delivery in deliveries
            if delivery.notice == rule.notice
            and delivery.version in rule.accepts
            and delivery.at <= matter.at
            and delivery.declares.covers(matter.purpose, matter.category, matter.recipient)
        ]

    def lacks(first: Delivery | None) -> Outcome | None:
        if first is None:
            return Outcome.NOT_NOTIFIED
        if matter.at - first.at < rule.notice_period:
            return Outcome.NOTICE_PERIOD
        early = rule.covers is Covers.AFTER_NOTICE and collected < first.at
        return Outcome.COLLECTED_TOO_EARLY if early else None

    def earliest(deliveries: list[Delivery]) -> Delivery | None:
        return min(deliveries, key=lambda delivery: (delivery.at, delivery.position or 0), default=None)

    reached = earliest(counted(voice.told))
    if rule.told is Told.DELIVERED or lacks(reached) is None:
        return lacks(reached) or Outcome.NOT_OBJECTED, reached
    read = earliest(counted((*voice.told, *published)))
    return lacks(read) or Outcome.NOT_TOLD, read
