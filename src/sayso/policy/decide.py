"""The reference decision: `spec/semantics.md`, sections 2 to 6, and the arbiter of every other engine.

Pure and total. Every denial and every ground is found; the least of them is the verdict, so that nothing found can
turn a denial into a permit, and finding nothing denies.
"""

from __future__ import annotations

from collections.abc import Iterator

from sayso.policy.choices import Matter, consent, guardian_stands, told
from sayso.policy.facts import Facts, Record, SubjectFacts, Use, Voice, value_at
from sayso.policy.model import Covers, Holder, Mode, Policy, Rule, Version
from sayso.policy.situation import Situation, ages, alternatives, attribute, known, readable, situations, too_young
from sayso.policy.verdict import Evidence, Finding, Outcome, Verdict

NOTHING_FOUND = Finding(Outcome.UNREADABLE)


def decide(policy: Policy, use: Use, record: Record, facts: Facts, *, stale: bool = False) -> Verdict:
    """May this record be used for this use, given this policy and what the ledger says?

    `stale` says that the facts are too old to be used. Never raises, whatever the policy, use, record or facts.
    """
    first = min(find(policy, use, record, facts, stale=stale), key=lambda found: found.order, default=NOTHING_FOUND)
    version = policy.in_force(use.at, facts.withdrawn)
    rule = version.rules[first.rule].id if version and first.rule >= 0 else None
    subject = record.subjects[first.subject].id if record.subjects and first.subject >= 0 else None
    named = version.id if version else None
    return Verdict(first.outcome, Evidence(policy.digest, named, rule, first.territory, subject, first.positions))


def find(policy: Policy, use: Use, record: Record, facts: Facts, *, stale: bool = False) -> Iterator[Finding]:
    """Everything that bears on the verdict (section 3: no step short-circuits another)."""
    version = policy.in_force(use.at, facts.withdrawn)
    if stale:
        yield Finding(Outcome.STALE)
    if not readable(policy, use, record):
        yield Finding(Outcome.UNREADABLE)
    elif version is None:
        yield Finding(Outcome.NO_POLICY)
    else:
        subjects = record.subjects or ()
        if not any(version.counts(subject.role) for subject in subjects):
            yield Finding(Outcome.NO_SUBJECT)
        for leaf, category in enumerate(policy.categories.resolve(record.category or "")):
            for index, subject in enumerate(subjects):
                who = None if subject.id is None else facts.subject(subject.id)
                case = Case(policy, version, use, record, facts, leaf, category, index, who or SubjectFacts())
                yield from case.findings(counts=version.counts(subject.role))


class Case:
    """One record under one leaf, for one of its subjects: sections 3 to 5."""

    def __init__(
        self, policy: Policy, version: Version, use: Use, record: Record, facts: Facts,
        leaf: int, category: str, index: int, who: SubjectFacts,
    ) -> None:  # fmt: skip
        self.policy, self.version, self.use, self.record, self.facts = policy, version, use, record, facts
        self.leaf, self.category, self.index, self.who = leaf, category, index, who
        self.at, self.collected = use.at, record.collected_at or 0
        self.cell = (use.purpose, category, use.recipient)

    def found(
        self, outcome: Outcome, s: Situation | None = None, rule: Rule | None = None, *behind: int | None
    ) -> Finding:
        positions = tuple(position for position in behind if position is not None)
        place = (s.index, rule.index if rule else -1) if s else (-1, -1)
        return Finding(outcome, self.index, *place, self.leaf, s.territory if s else None, positions)

    def findings(self, *, counts: bool) -> Iterator[Finding]:
        """Section 3, step by step; of a subject that does not count only what section 5 hears."""
        who = self.who
        if not self.record.reserved.isdisjoint(self.policy.purposes.above(self.use.purpose)):
            yield self.found(Outcome.RESERVED)
        if who.erased is not None:
            yield self.found(Outcome.ERASED, None, None, who.erased)
        elif counts and (who.registered is None or who.registered > self.at):
            yield self.found(Outcome.UNKNOWN_SUBJECT)
        every = situations(who, self.use, self.record)
        yield from self.suspended(every)
        if not counts:
            yield from self.heard(every)
            return
        for s in every:
            if s.asked(self.version.situation):
                if not known(s.territory):
                    yield self.found(Outcome.UNKNOWN_TERRITORY, s)
                for place in alternatives(self.policy, self.facts, s.territory):
                    for age in ages(who, s.at):
                        yield from self.matched(s, place, age)

    def suspended(self, every: tuple[Situation, ...]) -> Iterator[Finding]:
        """Step 6: whatever the rules and choices say."""
        for stop in self.facts.suspensions:
            if stop.in_force(self.at) and stop.data.holds(self.collected) and stop.scope.covers(*self.cell):
                for s in every:
                    places = alternatives(self.policy, self.facts, s.territory)
                    if stop.territories is None or any(map(stop.territories.contains, places)):
                        yield self.found(Outcome.SUSPENDED, s, None, stop.position)

    def heard(self, every: tuple[Situation, ...]) -> Iterator[Finding]:
        """Section 5: the refusals, signals and known youth of a subject that does not count."""
        for s in every:
            for place in alternatives(self.policy, self.facts, s.territory) or (None,):
                for voice in (self.who.voice, *self.who.aliases):
                    refusal = Matter(*self.cell, self.at, place, None).refusal(voice)
                    if refusal is not None:
                        yield self.found(Outcome.REFUSED, s, None, refusal.position)
        for rule in self.version.rules:
            if rule.min_age and rule.scope.covers(*self.cell) and rule.data.holds(self.collected):
                if self.who.youngest is not None and too_young(
                    rule.min_age, self.who.youngest, self.at, self.collected
                ):
                    yield self.found(Outcome.UNDER_AGE, every[0], rule)

    def matched(self, s: Situation, place: str, age: int | None) -> Iterator[Finding]:
        """Step 3: every matching rule must permit, and silence is never permission."""
        account = None if self.record.account is None else self.facts.account(self.record.account)
        silence = True
        for rule in self.version.rules:
            asked = {name: attribute(self.policy.attributes[name], self.who, account, s.at) for name in rule.attributes}
            if (
                rule.scope.covers(*self.cell)
                and rule.data.holds(self.collected)
                and (rule.territories is None or rule.territories.contains(place))
                and (rule.band is None or rule.band.holds(age))
                and all(value is None or value in rule.attributes[name] for name, value in asked.items())
            ):
                silence = False
                if None in asked.values():
                    yield self.found(Outcome.UNKNOWN_ATTRIBUTE, s, rule)
                yield from self.mode(s, place, rule)
                yield from self.requirements(s, place, rule)
        if silence:
            yield self.found(Outcome.NO_RULE, s)

    def mode(self, s: Situation, place: str, rule: Rule) -> Iterator[Finding]:
        """Step 4: what the rule's mode permits, and on what ground."""
        if self.policy.categories.terms[self.category].special and rule.mode not in (Mode.OPT_IN, Mode.ALWAYS):
            yield self.found(Outcome.NOT_ENABLED, s, rule)
        matter = Matter(*self.cell, self.at, place, rule)
        match rule.mode:
            case Mode.DISPUTED:
                yield self.found(Outcome.DISPUTED, s, rule)
            case Mode.OPT_IN | Mode.OPT_OUT | Mode.ALWAYS:
                holders, aliases = self.holders(rule)
                for voice in (*holders, *aliases):
                    refusal = None if rule.overrides_refusal else matter.refusal(voice)
                    if refusal is not None:
                        yield self.found(Outcome.REFUSED, s, rule, refusal.position)
                if not holders:
                    yield self.found(Outcome.NO_CONSENT if rule.mode is Mode.OPT_IN else Outcome.NOT_NOTIFIED, s, rule)
                for voice in holders:
                    yield from self.permission(s, rule, matter, voice)
            case _:
                yield self.found(Outcome.NOT_ENABLED, s, rule)

    def holders(self, rule: Rule) -> tuple[tuple[Voice, ...], tuple[Voice, ...]]:
        """Whose choice it is, and the aliases whose refusals are heard beside; no holders where one is not known."""
        if rule.holder is Holder.SUBJECT:
            return (self.who.voice,), self.who.aliases
        account = None if self.record.account is None else self.facts.account(self.record.account)
        held = [value_at(account.holders, at) if account else None for at in (self.at, self.collected)]
        known_holders = dict.fromkeys(holder for holder in held if holder is not None)
        return (() if None in held else tuple(map(self.facts.organisation, known_holders))), ()

    def permission(self, s: Situation, rule: Rule, matter: Matter, voice: Voice) -> Iterator[Finding]:
        """The ground on which a rule permits with this holder, or what is lacking."""
        decided = Outcome.GRANTED if rule.holder is Holder.SUBJECT else Outcome.ORGANISATION
        if rule.mode is Mode.OPT_IN:
            held = consent(matter, voice, rule.expires_after)
            yield self.found(held.lacks or decided, s, rule, held.position)
            if rule.covers is Covers.AFTER_CHOICE and held.since is not None and self.collected < held.since:
                yield self.found(Outcome.COLLECTED_TOO_EARLY, s, rule, held.position)
        elif rule.mode is Mode.OPT_OUT:
            outcome, delivery = told(matter, rule, voice, self.facts.published, self.collected)
            latest = matter.latest(voice)
            if outcome.permits and latest is not None:
                yield self.found(Outcome.REFUSED if latest.refusal else decided, s, rule, latest.position)
            else:
                yield self.found(outcome, s, rule, delivery.position if delivery else None)
        else:
            yield self.found(Outcome.NO_CHOICE, s, rule)

    def requirements(self, s: Situation, place: str, rule: Rule) -> Iterator[Finding]:
        """Step 5: what any rule may ask beside its mode."""
        if not rule.collected.holds(self.collected):
            yield self.found(Outcome.COLLECTED_OUTSIDE_WINDOW, s, rule)
        if rule.min_age is not None:
            youngest = self.who.youngest if self.who.born is not None else None
            if youngest is None or too_young(rule.min_age, youngest, self.at, self.collected):
                if not guardian_stands(Matter(*self.cell, self.at, place, rule), self.who.voice):
                    yield self.found(Outcome.UNDER_AGE, s, rule)
