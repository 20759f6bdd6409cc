"""What is known of a person, an account and a holder, from their facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from sayso import instant
from sayso.consent.context import NOTHING, Broadcast, Context
from sayso.consent.editions import Editions
from sayso.consent.fold import Fact, fold_account, fold_subject
from sayso.consent.kin import groups, related
from sayso.consent.known import Known, nothing
from sayso.policy.facts import By, Delivery, Id, SubjectFacts, Voice
from sayso.policy.model import NoticeVersion, Policy, SignalMap, SignUp, Version
from sayso.territory import Region
from tests.strategies import ATTRIBUTES, CATEGORIES, EVERYTHING, PURPOSES, RECIPIENTS, START, fact

DAY = instant.DAY
FRANCE = Region(frozenset({"FR"}))
POLICY = Policy(
    "example", "sha256:0", PURPOSES, CATEGORIES, RECIPIENTS, (), ATTRIBUTES,
    {("n", "v1"): NoticeVersion("n", "v1", EVERYTHING)}, {"gpc": SignalMap("gpc", EVERYTHING)},
)  # fmt: skip
CONTEXT = Context(Editions((), POLICY))
REGISTERED: dict[str, Any] = {"kind": "subject.registered", "territory": "FR"}
SCOPE = {"purposes": ["training"], "categories": ["content"], "recipients": ["platform"]}


def day(number: int) -> int:
    return START + number * DAY


def at(
    number: int, payload: dict[str, Any], position: int, recorded: int | None = None, other: Id | None = None
) -> Fact:
    return fact(
        payload, position, recorded=day(number if recorded is None else recorded), effective=day(number), other=other
    )


def folded(*facts: Fact, context: Context = CONTEXT, **aliases: list[Fact]) -> SubjectFacts:
    return fold_subject(facts, cast(dict[Id, list[Fact]], aliases), context)


def test_a_person_is_registered_from_the_first_registration() -> None:
    assert folded(at(3, REGISTERED, 2), at(1, REGISTERED, 5)).registered == day(1)
    assert folded().registered is None


def test_residences_and_attributes_are_histories_in_order_of_instant_then_position() -> None:
    moves = [{"kind": "subject.moved", "territory": code} for code in ("DE", "uk", "QQ")]
    who = folded(at(5, moves[2], 9), at(5, moves[1], 3), at(1, REGISTERED, 1), at(2, moves[0], 7))
    assert who.residences == ((day(1), "FR"), (day(2), "DE"), (day(5), "uk"), (day(5), "QQ"))
    upper = folded(at(1, {"kind": "subject.moved", "territory": "UK"}, 1))
    assert upper.residences == ((day(1), "GB"),)
    changed = {"kind": "subject.attributes-changed", "attributes": {"kind": "student"}}
    registered = {**REGISTERED, "attributes": {"kind": "member", "flag": "on"}}
    kept = folded(at(4, changed, 2), at(1, registered, 1)).attributes
    assert kept == {"kind": ((day(1), "member"), (day(4), "student")), "flag": ((day(1), "on"),)}


def test_the_youngest_birth_year_recorded_counts_unless_corrected_with_evidence() -> None:
    def born(year: int, position: int, **more: Any) -> Fact:
        return at(0, {"kind": "subject.birth-year", "birth_year": year, **more}, position)

    assert folded(born(1990, 1), born(2010, 2), born(1980, 3)).born == 2010
    assert folded(born(2010, 1), born(1990, 2, corrected=True)).born == 1990
    assert folded(born(1990, 2, corrected=True), born(2010, 1), born(2005, 3)).born == 2005
    assert folded(at(1, {**REGISTERED, "birth_year": 1999}, 1)).born == 1999


def test_refusals_signals_erasure_and_youth_of_an_alias_count_and_nothing_else() -> None:
    said = [
        at(1, {**REGISTERED, "birth_year": 2010}, 20),
        at(2, {"kind": "choice.recorded", "decision": "refusal", "scope": SCOPE}, 21),
        at(2, {"kind": "signal.seen", "signal": "gpc"}, 22, other=7),
        at(2, {"kind": "notice.delivered", "notice": ["n", "v1"]}, 23),
    ]
    who = folded(at(3, {**REGISTERED, "territory": "DE"}, 1), b=[*said, at(9, {"kind": "subject.erased"}, 29)], a=[])
    assert (who.registered, who.born, who.youngest, who.erased) == (day(3), None, 2010, 29)
    assert who.youths == {2010}
    assert who.residences == ((day(3), "DE"),)
    silent, heard = who.aliases
    assert silent == Voice()
    assert heard.told == ()
    assert [choice.position for choice in heard.choices] == [21]
    assert [signal.position for signal in heard.signals] == [22]


def test_a_choice_keeps_its_notice_and_who_made_it() -> None:
    grant = {"kind": "choice.recorded", "decision": "grant", "scope": SCOPE, "notice": ["n", "v1"], "by": "guardian"}
    objection = {"kind": "choice.recorded", "decision": "objection", "scope": {}}
    first, second = folded(at(2, objection, 2), at(1, grant, 1)).voice.choices
    assert (first.refusal, first.notice, first.by) == (False, ("n", "v1"), By.GUARDIAN)
    assert first.scope.categories == {"posts", "comments"}
    assert (second.refusal, second.notice, second.by, second.scope) == (True, None, By.HOLDER, EVERYTHING)


def test_a_signal_is_one_on_each_channel_from_the_earliest_instant_as_first_recorded() -> None:
    seen = {"kind": "signal.seen", "signal": "gpc"}
    signals = folded(
        at(1, seen, 9, recorded=9, other="phone"), at(4, seen, 4, recorded=4, other="phone"), at(2, seen, 6, recorded=6, other="tv")
    ).voice.signals  # fmt: skip
    assert [(one.position, one.at, one.first_recorded) for one in signals] == [
        (4, day(1), day(4)), (6, day(2), day(6)),
    ]  # fmt: skip
    assert folded(at(1, {"kind": "signal.seen", "signal": "dnt"}, 1)).voice.signals == ()


def test_an_account_is_held_by_who_joined_last_until_that_one_leaves() -> None:
    def held(number: int, what: str, who: int, position: int) -> Fact:
        return at(number, {"kind": f"organisation.{what}"}, position, other=who)

    changed = at(2, {"kind": "account.attributes-changed", "attributes": {"plan": "pro"}}, 5)
    account = fold_account([held(3, "left", 8, 3), held(1, "joined", 8, 1), held(4, "joined", 9, 4), changed])
    assert account.holders == ((day(1), 8), (day(2), 8), (day(3), None), (day(4), 9))
    assert account.attributes == {"plan": ((day(2), "pro"),)}
    other = fold_account([held(1, "joined", 8, 1), held(2, "joined", 9, 2), held(3, "left", 8, 3)])
    assert other.holders[-1] == (day(3), 9)


# ── what was told ────────────────────────────────────────────────────────────────────────────────────────────────────


def broadcast(number: int, position: int | None = 50, **said: Any) -> Broadcast:
    return Broadcast(Delivery("n", "v1", EVERYTHING, day(number), position), **said)


def told(cast: Broadcast, *facts: Fact, **more: Any) -> list[int]:
    """The instants at which somebody was told, by one delivery to an audience."""
    context = replace(CONTEXT, deliveries=(cast,), **more)
    return [delivery.at for delivery in folded(*facts, context=context).voice.told]


def test_a_delivery_by_name_declares_what_its_edition_said() -> None:
    delivered = at(2, {"kind": "notice.delivered", "notice": ["n", "v1"]}, 3)
    unheard = at(3, {"kind": "notice.delivered", "notice": ["n", "v9"]}, 4)
    first, second = folded(delivered, unheard).voice.told
    assert (first.at, first.declares, second.declares) == (day(2), EVERYTHING, NOTHING)
    late = Context(Editions([(10, POLICY)], POLICY))
    assert folded(delivered, context=late).voice.told[0].declares == NOTHING


def test_a_delivery_reaches_everyone_registered_and_then_in_the_audience_by_events_before_it() -> None:
    assert told(broadcast(2), at(1, REGISTERED, 1)) == [day(2)]
    assert told(broadcast(2), at(2, REGISTERED, 1)) == [day(2)]
    assert told(broadcast(2), at(3, REGISTERED, 1)) == []
    assert told(broadcast(2), at(1, REGISTERED, 51)) == []
    assert told(broadcast(2), at(1, {"kind": "subject.moved", "territory": "FR"}, 1)) == []
    assert told(broadcast(2, None), at(1, REGISTERED, 51)) == [day(2)]


def test_an_audience_is_by_residence_and_attribute_of_whom_it_is_certain() -> None:
    moved = at(2, {"kind": "subject.moved", "territory": "DE"}, 2)
    assert told(broadcast(3, territories=FRANCE), at(1, REGISTERED, 1)) == [day(3)]
    assert told(broadcast(3, territories=FRANCE), at(1, REGISTERED, 1), moved) == []
    assert told(broadcast(3, territories=FRANCE), at(1, {"kind": "subject.registered"}, 1)) == []
    assert (
        told(broadcast(3, territories=Region(frozenset({"US-CA"}))), at(1, {**REGISTERED, "territory": "US"}, 1)) == []
    )
    students, unset = {"kind": frozenset({"student"})}, {"flag": frozenset({"off"})}
    student = {**REGISTERED, "attributes": {"kind": "student"}}
    assert told(broadcast(3, attributes=students), at(1, student, 1)) == [day(3)]
    assert told(broadcast(3, attributes=students), at(1, REGISTERED, 1)) == []
    assert told(broadcast(3, attributes=unset), at(1, REGISTERED, 1)) == [day(3)]
    assert told(broadcast(3, attributes={"gone": frozenset({"x"})}), at(1, REGISTERED, 1)) == []


def test_at_sign_up_each_is_told_who_registers_or_enters_the_audience() -> None:
    asked = broadcast(2, territories=FRANCE, sign_up=True)
    home = at(6, {"kind": "subject.moved", "territory": "FR"}, 4)
    away = at(5, {"kind": "subject.moved", "territory": "DE"}, 3)
    assert told(asked, at(2, REGISTERED, 1)) == [day(2)]
    assert told(asked, at(1, REGISTERED, 1)) == []
    assert told(asked, at(3, REGISTERED, 1), away, home) == [day(3), day(6)]
    assert told(asked, at(1, REGISTERED, 1), home) == []
    assert told(asked, home) == []
    assert told(asked, at(3, {**REGISTERED, "territory": "DE"}, 1)) == []


def test_told_at_sign_up_counts_from_the_recorded_instant_unless_attested() -> None:
    asked = broadcast(2, sign_up=True)
    assert told(asked, at(3, REGISTERED, 1, recorded=9)) == [day(9)]
    assert told(asked, at(3, {**REGISTERED, "attested": True}, 1, recorded=9)) == [day(3)]


def test_a_sign_up_delivery_ends_where_the_notices_next_version_begins() -> None:
    asked = broadcast(2, sign_up=True)
    next_one = Delivery("n", "v2", EVERYTHING, day(4), 60)
    assert told(asked, at(4, REGISTERED, 1), published=(next_one,)) == []
    assert told(asked, at(4, REGISTERED, 1), published=(replace(next_one, notice="m"),)) == [day(4)]
    assert told(asked, at(4, REGISTERED, 1), published=(replace(next_one, version="v1"),)) == [day(4)]
    assert told(asked, at(4, REGISTERED, 1), published=(replace(next_one, at=day(2)),)) == [day(4)]
    assert told(asked, at(3, REGISTERED, 1), published=(next_one,)) == [day(3)]


@pytest.mark.parametrize(
    ("announced", "registers", "expected"),
    [({}, 2, True), ({}, 1, False), ({"v": day(4)}, 3, False), ({"v": day(4)}, 4, True), ({"v": day(1)}, 2, True)],
)
def test_a_version_tells_at_sign_up_from_its_effect_or_from_when_it_was_first_recorded(
    announced: dict[str, int], registers: int, expected: bool
) -> None:
    version = Version("v", day(0), day(2), (), sign_ups=(SignUp("n", "v1", FRANCE), SignUp("n", "gone", FRANCE)))
    policy = replace(POLICY, versions=(version,))
    context = Context(Editions((), policy), announced=announced)
    found = folded(at(registers, REGISTERED, 1), context=context).voice.told
    assert [(one.version, one.declares) for one in found] == (
        [("v1", EVERYTHING), ("gone", NOTHING)] if expected else []
    )
    assert folded(at(9, REGISTERED, 1), context=replace(context, withdrawn=frozenset({"v"}))).voice.told == ()


# ── aliases, and what is known ───────────────────────────────────────────────────────────────────────────────────────


def test_aliases_are_transitive() -> None:
    assert groups([(1, 2), (3, 4), (5, 6), (6, 3), (2, 1)]) == {
        1: (1, 2), 2: (1, 2), 3: (3, 4, 5, 6), 4: (3, 4, 5, 6), 5: (3, 4, 5, 6), 6: (3, 4, 5, 6),
    }  # fmt: skip
    assert groups([(1, 2), (3, 4), (4, 5), (2, 5)])[1] == (1, 2, 3, 4, 5)


def test_everybody_related_is_found_by_following_the_facts() -> None:
    pairs = {1: 2, 2: 3, 3: 1}
    facts: dict[Id, list[Fact]] = {
        one: [at(0, {"kind": "subject.aliased"}, one, other=other)] for one, other in pairs.items()
    }
    assert set(related(1, lambda ids: {one: facts[one] for one in ids})) == {1, 2, 3}
    assert related(9, nothing) == {9: ()}


def test_of_whom_nothing_is_known_nothing_is() -> None:
    known = Known(CONTEXT, nothing)
    assert (known.subject(1), known.account(1)) == (None, None)
    assert known.organisation(1).choices == ()
    linked = at(0, {"kind": "subject.aliased"}, 1, other=2)
    aliased = Known(CONTEXT, lambda ids: {one: [linked] if one == 1 else [] for one in ids})
    assert aliased.subject(1) == SubjectFacts(aliases=(SubjectFacts().voice,))
