"""When one cell of a policy is at least as strict as another: what `diff` says tightened rests on this alone.

A cell is a purpose, category and recipient in a place, with all that decides there but the ledger. "Stricter" means:
whoever passes there passes under the other too. The one exception is a person's own standing grant: asking for one, or
for one under fewer texts, counts as stricter, though somebody may have said yes who was never recorded as told, or
whose yes came under the text that is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sayso.policy.model import Attribute, Band, Covers, Mode, Rule, SituationMode, Told
from sayso.policy.terms import Window

FORBIDS = (Mode.NEVER, Mode.DISPUTED)
ORDER = (*FORBIDS, Mode.OPT_IN, Mode.OPT_OUT, Mode.ALWAYS)


@dataclass(frozen=True, slots=True)
class SignedUp:
    """A notice told at sign-up, from an instant on, to whom has one of some values of each attribute."""

    notice: str
    version: str
    at: int
    attributes: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """What decides in a cell. `rules` are those that may match there; without a version in force there are none.

    `declared` are the notice versions that declare the cell, `signed` those told at sign-up there, `signals` those
    that refuse it, `above` the names from which a record may be reserved.
    """

    rules: tuple[Rule, ...]
    situation: SituationMode
    freshness: int
    roles: tuple[tuple[str, bool], ...]
    attributes: Mapping[str, Attribute]
    special: bool
    declared: frozenset[tuple[str, str]]
    signed: frozenset[SignedUp]
    signals: frozenset[str]
    above: frozenset[str]

    def forbids(self, rule: Rule) -> bool:
        """Whether a rule denies whatever it matches: by its mode, or since the category is special."""
        return rule.mode in FORBIDS or (self.special and rule.mode is Mode.OPT_OUT)

    @property
    def lets(self) -> bool:
        """Whether anything may pass: some rule is there, and none forbids all that could."""
        return bool(self.rules) and not any(self.forbids(rule) and _matches_all(rule) for rule in self.rules)

    def asked(self) -> Mapping[str, tuple[bool, str | None]]:
        """Of each attribute that its rules ask for, whether it is the account's, and its default."""
        named = {name for rule in self.rules for name in rule.attributes}
        return {name: (self.attributes[name].of_account, self.attributes[name].default) for name in sorted(named)}

    def told(self) -> frozenset[SignedUp]:
        """What is told at sign-up of the notices that its opt-out rules ask for."""
        return frozenset(one for one in self.signed if one.notice in self.opted_out())

    def asks_for_a_grant(self) -> bool:
        """Whether one of its rules is opt-in."""
        return any(rule.mode is Mode.OPT_IN for rule in self.rules)

    def opted_out(self) -> frozenset[str | None]:
        """The notices that its opt-out rules ask for."""
        return frozenset(rule.notice for rule in self.rules if rule.mode is Mode.OPT_OUT)


def stricter(one: Cell, other: Cell) -> bool:
    """Whether whoever passes in `one` passes in `other` too. When in doubt, no."""
    if not one.lets:
        return True
    return (
        other.lets
        and one.situation in (SituationMode.STRICTEST, other.situation)
        and one.freshness <= other.freshness
        and one.roles == other.roles
        and all(one.asked().get(name, known) == known for name, known in other.asked().items())
        and one.signals >= other.signals
        and one.above >= other.above
        # Neither more nor fewer: a further text at sign-up ends the one before.
        and one.told() == frozenset(told for told in other.signed if told.notice in one.opted_out())
        # Each rule there is implied by what is here, and nothing matches here of which nothing there speaks.
        and all(_implied(one, there, other) for there in other.rules)
        and all(any(_within(here, there) for there in other.rules) for here in one.rules if not one.forbids(here))
    )


def _matches_all(rule: Rule) -> bool:
    return not rule.attributes and rule.band is None and rule.data == Window()


def _window_within(one: Window, other: Window) -> bool:
    """Whether every instant of one lies in the other."""
    starts = other.start is None or (one.start is not None and one.start >= other.start)
    return starts and (other.until is None or (one.until is not None and one.until <= other.until))


def _band_within(one: Band | None, other: Band | None) -> bool:
    """Whether every age of one lies in the other; an unknown age lies in both."""
    one, other = one or Band(), other or Band()
    starts = (one.start or 0) >= (other.start or 0)
    return starts and (other.until is None or (one.until is not None and one.until <= other.until))


def _within(one: Rule, other: Rule) -> bool:
    """Whether `other` matches wherever `one` does, in their cell."""
    return (
        all(name in one.attributes and one.attributes[name] <= values for name, values in other.attributes.items())
        and _band_within(one.band, other.band)
        and _window_within(one.data, other.data)
    )


def _implied(one: Cell, there: Rule, other: Cell) -> bool:
    """Whether whoever passes in `one` is let through by a rule of the other cell, if that matches.

    By a rule that matches wherever that does; or by each, for whoever passes was let through by one.
    """
    each = [_implies(here, one, there, other) for here in one.rules]
    return all(each) or any(known and _within(there, here) for known, here in zip(each, one.rules, strict=True))


def _implies(here: Rule, one: Cell, there: Rule, other: Cell) -> bool:
    """Whether whoever the rule `here` lets through is let through by the rule `there`, where both match."""
    if one.forbids(here):
        return True
    return (
        not other.forbids(there)
        and set(there.attributes) <= set(here.attributes)  # else one that is unknown denies only there
        and ORDER.index(here.mode) <= ORDER.index(there.mode)
        and here.holder is there.holder
        and here.overrides_refusal <= there.overrides_refusal
        and _guardian(here) <= _guardian(there)
        and _old_enough(here, there)
        and _window_within(here.collected, there.collected)
        and (here.covers is not Covers.ALL or there.covers is Covers.ALL)
        and (here.mode is not there.mode or _asks_no_less(here, one, there, other))
        # A grant takes the place of being told only where it was not asked for beside that.
        and not (here.mode is Mode.OPT_IN and there.mode is Mode.OPT_OUT and other.asks_for_a_grant())
    )


def _guardian(rule: Rule) -> bool:
    return rule.min_age is not None and rule.min_age.or_guardian


def _old_enough(here: Rule, there: Rule) -> bool:
    """Whether the least age here is one that the least age there is met by."""
    if there.min_age is None:
        return True
    return (
        here.min_age is not None
        and here.min_age.age >= there.min_age.age
        and here.min_age.at_use_only <= there.min_age.at_use_only
    )


def _asks_no_less(here: Rule, one: Cell, there: Rule, other: Cell) -> bool:
    """Whether, of two rules of one mode, `here` asks whatever `there` does."""
    if here.mode is Mode.ALWAYS:
        return True
    accepted = here.notice == there.notice and here.accepts <= there.accepts
    if here.mode is Mode.OPT_IN:
        expires = here.expires_after is not None and here.expires_after <= (there.expires_after or here.expires_after)
        return accepted and (there.expires_after is None or expires)
    declared = {version for notice, version in one.declared if notice == here.notice} & here.accepts
    return (
        accepted
        and all((here.notice or "", version) in other.declared for version in declared)
        and (here.told is Told.DELIVERED or there.told is Told.PUBLISHED)
        and here.notice_period >= there.notice_period
    )
