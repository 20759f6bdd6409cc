"""What one use asks of the facts: the rules in scope, the instants that matter, the places and categories alike.

Two subjects whose facts differ only in ways that nothing here tells apart are of one class, and are decided once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from sayso.consent.context import Context
from sayso.policy.facts import Facts, Use
from sayso.policy.model import Covers, Mode, Policy, Rule, Version
from sayso.policy.situation import alternatives
from sayso.policy.terms import Scope
from sayso.territory import KNOWN, Region

NO_VERSION = Version("", 0, 0, ())


@dataclass(frozen=True)
class Relevance:
    """What a use asks, given a policy and what the ledger says to all alike."""

    context: Context
    facts: Facts
    use: Use

    @property
    def policy(self) -> Policy:
        """The policy that is decided by."""
        return self.context.policy

    @cached_property
    def version(self) -> Version:
        """The version in force with only the rules that are in scope of the use, their indices kept."""
        version = self.policy.in_force(self.use.at, self.facts.withdrawn)
        if version is None:
            return NO_VERSION
        rules = tuple(
            rule
            for rule in version.rules
            if self.use.purpose in rule.scope.purposes and self.use.recipient in rule.scope.recipients
        )
        return replace(version, rules=rules)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in scope."""
        return self.version.rules

    @cached_property
    def reduced(self) -> Policy:
        """The policy with only the version in force, and of it only the rules in scope."""
        versions = () if self.version is NO_VERSION else (self.version,)
        reduced = replace(self.policy, versions=versions)
        reduced.__dict__["subdivisions"] = self.policy.subdivisions  # a territory is as precise as the whole asks
        return reduced

    @cached_property
    def attributes(self) -> frozenset[str]:
        """The attributes that a rule or an audience asks for."""
        asked = [rule.attributes for rule in self.rules]
        asked += [broadcast.attributes for broadcast in self.context.broadcasts]
        return frozenset(name for names in asked for name in names)

    @property
    def asks_account(self) -> bool:
        """Whether a rule in scope asks for anything of the record's account."""
        return any(
            rule.holder.value == "organisation"
            or any(self.policy.attributes[name].of_account for name in rule.attributes)
            for rule in self.rules
        )

    @property
    def after_choice(self) -> bool:
        """Whether a rule in scope covers only what was collected after a grant."""
        return any(rule.covers is Covers.AFTER_CHOICE for rule in self.rules)

    @property
    def after_notice(self) -> bool:
        """Whether a rule in scope covers only what was collected after a notice."""
        return any(rule.covers is Covers.AFTER_NOTICE for rule in self.rules)

    @cached_property
    def ages(self) -> tuple[int, ...]:
        """Every age, in years, whose coming makes a difference."""
        bands = [rule.band for rule in self.rules if rule.band is not None]
        least = [rule.min_age.age for rule in self.rules if rule.min_age is not None]
        borders = [age for band in bands for age in (band.start, band.until) if age is not None]
        return tuple(sorted({*borders, *least}))

    @cached_property
    def notices(self) -> frozenset[tuple[str, str]]:
        """The notice versions that a rule in scope accepts."""
        return frozenset((rule.notice, v) for rule in self.rules if rule.notice is not None for v in rule.accepts)

    def touches(self, scope: Scope) -> bool:
        """Whether a scope covers any category for this use."""
        return self.use.purpose in scope.purposes and self.use.recipient in scope.recipients and bool(scope.categories)

    @cached_property
    def instants(self) -> tuple[int, ...]:
        """The instants that are the same for all, before or after which it matters that something happened.

        Each with the microsecond after it, so that "by" and "before" are both told apart.
        """
        at = self.use.at
        marks: set[int] = {at, *self.borders}
        for rule in self.rules:
            marks.add(at - rule.notice_period)
            if rule.expires_after is not None:
                marks.add(at - rule.expires_after)
        for broadcast in self.context.broadcasts:
            marks.add(broadcast.delivery.at)
            if broadcast.until is not None:
                marks.add(broadcast.until)
        return tuple(sorted(marks | {mark + 1 for mark in marks}))

    @cached_property
    def durations(self) -> tuple[int, ...]:
        """How long after something happened it matters that so much time has passed."""
        expiries = {rule.expires_after for rule in self.rules if rule.expires_after is not None}
        return tuple(sorted({0, *(rule.notice_period for rule in self.rules), *expiries}))

    @cached_property
    def scheduled(self) -> int | None:
        """The next instant at which a version or a suspension begins, whatever happens."""
        at = self.use.at
        begins = [v.effective for v in self.policy.versions if v.id not in self.facts.withdrawn]
        return min((b for b in [*begins, *(stop.opened for stop in self.facts.suspensions)] if b > at), default=None)

    @cached_property
    def next_change(self) -> int | None:
        """The next instant after the use's at which time alone may change a verdict, by what is the same for all."""
        told = [*self.context.published, *(broadcast.delivery for broadcast in self.context.broadcasts)]
        marks = [d.at + duration for d in told for duration in self.durations]
        marks += [stop.lifted for stop in self.facts.suspensions if stop.lifted is not None]
        marks += [] if self.scheduled is None else [self.scheduled]
        return min((mark for mark in marks if mark > self.use.at), default=None)

    @cached_property
    def positions(self) -> tuple[int, ...]:
        """The positions that are the same for all, before or after which it matters that something was recorded."""
        told = [broadcast.delivery.position for broadcast in self.context.broadcasts]
        marks = {position for position in told if position is not None} | set(self.context.editions.positions)
        return tuple(sorted(marks | {mark + 1 for mark in marks}))

    @cached_property
    def borders(self) -> tuple[int, ...]:
        """The instants that are the same for all, at which the verdict of a record may change with `collected_at`."""
        windows = [window for rule in self.rules for window in (rule.data, rule.collected)]
        windows += [stop.data for stop in self.facts.suspensions if self.touches(stop.scope)]
        marks = {end for window in windows for end in (window.start, window.until) if end is not None}
        if any(rule.covers is Covers.AFTER_NOTICE and rule.mode is Mode.OPT_OUT for rule in self.rules):
            told = [*self.context.published, *(broadcast.delivery for broadcast in self.context.broadcasts)]
            marks |= {d.at for d in told if (d.notice, d.version) in self.notices}
        return tuple(sorted(mark for mark in marks if mark <= self.use.at))

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """Every set of territories that something tells apart from the rest."""
        asked = [rule.territories for rule in self.rules]
        asked += [stop.territories for stop in self.facts.suspensions]
        asked += [signal.territories for edition in self.context.editions.all for signal in edition.signals.values()]
        asked += [broadcast.territories for broadcast in self.context.broadcasts]
        return tuple(dict.fromkeys(region for region in asked if region is not None))

    def place(self, territory: str) -> tuple[tuple[bool, ...], ...]:
        """What tells a territory from others; two of one place are alike. Empty for one that is not known."""
        return tuple(
            tuple(region.contains(code) for region in self.regions)
            for code in alternatives(self.policy, self.facts, territory)
        )

    @cached_property
    def territories(self) -> tuple[str, ...]:
        """Every country, and every subdivision that is told apart from its country, in order."""
        named: set[str] = set().union(*(region.codes | region.excepted for region in self.regions))
        return tuple(sorted(KNOWN | named))

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Every name that a record's category may bear and be read: leaves, and leaves since renamed or split."""
        terms = self.policy.categories
        old = {name for term in terms.terms.values() for name in term.was if terms.resolve(name)}
        return tuple(sorted(terms.leaves | old))

    def alike(self, scopes: Iterable[Scope]) -> dict[str, str]:
        """For each category, the first that nothing tells from it, given the scopes that choices have."""
        editions = self.context.editions
        told = [
            notice.declares
            for edition in editions.all
            for notice in edition.notices.values()
            if (notice.notice, notice.version) in self.notices
        ]
        signals = {name for edition in editions.all for name in edition.signals}
        refused = [signal.scope for name in signals for signal in editions.signals(name, 0)]
        every = (*(rule.scope for rule in self.rules), *(stop.scope for stop in self.facts.suspensions))
        reached = {scope.categories for scope in (*every, *told, *refused, *scopes) if self.touches(scope)}
        ordered = sorted(reached, key=sorted)
        first: dict[tuple[object, ...], str] = {}
        same: dict[str, str] = {}
        for name in self.categories:
            marks = tuple(
                (self.policy.categories.terms[leaf].special, *(leaf in categories for categories in ordered))
                for leaf in self.policy.categories.resolve(name)
            )
            same[name] = first.setdefault(marks, name)
        return same
