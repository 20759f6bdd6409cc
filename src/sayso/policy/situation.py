"""What can be read of a record, and the situations in which it must be permitted (semantics, sections 3.2 and 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sayso.instant import year
from sayso.policy.facts import AccountFacts, Facts, History, Record, SubjectFacts, Use, value_at
from sayso.policy.model import Attribute, MinAge, Policy, SituationMode, named_subdivisions
from sayso.territory import canonical, country, is_known

NOW, THEN, WRITTEN = 0, 1, 2
NO_HISTORY: History[str] = ()


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a person is, and the instant whose attributes and age count there. `index` is its place in the order."""

    index: int
    territory: str | None
    at: int

    def asked(self, mode: SituationMode) -> bool:
        """Whether a policy of this mode asks that the record be permitted here."""
        match mode:
            case SituationMode.CURRENT:
                return self.index == NOW
            case SituationMode.COLLECTION:
                return self.index != NOW
            case _:
                return True


def readable(policy: Policy, use: Use, record: Record) -> bool:
    """Whether every part of the input that the decision reads could be read (section 6, last paragraph)."""
    return (
        record.subjects is not None
        and all(subject.id is not None for subject in record.subjects)
        and record.category is not None
        and bool(policy.categories.resolve(record.category))
        and use.purpose in policy.purposes.leaves
        and use.recipient in policy.recipients
        and record.collected_at is not None
        and record.collected_at <= use.at
        and (record.territory is None or canonical(record.territory) is not None)
        and not record.malformed
    )


def situations(who: SubjectFacts, use: Use, record: Record) -> tuple[Situation, ...]:
    """The two or three situations, in the order in which evidence names them."""
    collected = record.collected_at or 0
    two = (
        Situation(NOW, value_at(who.residences, use.at), use.at),
        Situation(THEN, value_at(who.residences, collected), collected),
    )
    if record.territory is None:
        return two
    return (*two, Situation(WRITTEN, canonical(record.territory), collected))


def known(territory: str | None) -> bool:
    """Whether this is a territory that the pinned table knows."""
    return territory is not None and is_known(territory)


def alternatives(policy: Policy, facts: Facts, territory: str | None) -> tuple[str, ...]:
    """The places that a territory may stand for: itself, and where it is less precise than a rule or suspension
    asks for, each subdivision named. None for an unknown territory.
    """
    if territory is None or not is_known(territory):
        return ()
    named = policy.subdivisions.union(*(named_subdivisions(stop.territories) for stop in facts.suspensions))
    return (territory, *sorted(code for code in named if code != territory and country(code) == territory))


def ages(who: SubjectFacts, at: int) -> tuple[int | None, ...]:
    """The ages to judge by: the person's own, and that of each alias known to be younger.

    With only a birth year known, age is the difference of years minus one (section 3.5).
    """
    now = year(at)
    younger = sorted(born for born in who.youths if who.born is None or born > who.born)
    return (None if who.born is None else now - who.born - 1, *(now - born - 1 for born in younger))


def attribute(declared: Attribute, who: SubjectFacts, account: AccountFacts | None, at: int) -> str | None:
    """The value of an attribute at an instant; its default where none is known, `None` where there is no default."""
    histories: Mapping[str, History[str]] = who.attributes
    if declared.of_account:
        histories = account.attributes if account is not None else {}
    value = value_at(histories.get(declared.name, NO_HISTORY), at)
    return declared.default if value is None else value


def too_young(least: MinAge, born: int, at: int, collected: int) -> bool:
    """Whether a person born in this year is under the least age at the use or, by default, when the data was
    collected.
    """
    instants = (at,) if least.at_use_only else (at, collected)
    return any(year(instant) - born - 1 < least.age for instant in instants)
