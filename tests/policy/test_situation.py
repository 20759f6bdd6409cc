"""Situations: where somebody is, which places that may stand for, and the ages to judge by."""

from __future__ import annotations

from dataclasses import replace

from sayso import instant
from sayso.policy.facts import AccountFacts, value_at
from sayso.policy.model import Attribute, MinAge, Mode, SignalMap, SituationMode
from sayso.policy.situation import Situation, ages, alternatives, attribute, situations, too_young
from sayso.territory import Region
from tests.policy.by_hand import (
    ALL,
    ALWAYS,
    CALIFORNIA,
    LONG_AGO,
    NOW,
    POST,
    THEN,
    USE,
    Ledger,
    person,
    policy,
    rule,
    stop,
)


def test_a_record_has_two_situations_or_three() -> None:
    moved = person(residences=((LONG_AGO, "FR"), (THEN + 1, "DE")))
    assert situations(moved, USE, POST) == (Situation(0, "DE", NOW), Situation(1, "FR", THEN))
    assert situations(moved, USE, replace(POST, territory="UK"))[2] == Situation(2, "GB", THEN)


def test_which_are_asked() -> None:
    three = [Situation(index, "FR", NOW) for index in range(3)]
    asked = {mode: [one.asked(mode) for one in three] for mode in SituationMode}
    assert asked == {
        SituationMode.STRICTEST: [True, True, True],
        SituationMode.CURRENT: [True, False, False],
        SituationMode.COLLECTION: [False, True, True],
    }


def test_places_that_a_territory_may_stand_for() -> None:
    asked = policy(ALWAYS, rule(Mode.NEVER, territories=CALIFORNIA))
    assert alternatives(asked, Ledger(), "US") == ("US", "US-CA")
    assert alternatives(asked, Ledger(), "US-CA") == ("US-CA",)
    assert alternatives(asked, Ledger(), "FR") == ("FR",)
    assert alternatives(asked, Ledger(), "QQ") == alternatives(asked, Ledger(), None) == ()
    by_stop = Ledger(suspensions=(stop(territories=Region(frozenset({"US-NY"}))),))
    assert alternatives(asked, by_stop, "US") == ("US", "US-CA", "US-NY")
    excepting = policy(rule(Mode.NEVER, territories=Region(frozenset({"US"}), frozenset({"US-TX"}))))
    assert alternatives(excepting, Ledger(), "US") == ("US", "US-TX")
    by_signal = replace(policy(), signals={"gpc": SignalMap("gpc", ALL, CALIFORNIA)})
    assert alternatives(by_signal, Ledger(), "US") == ("US", "US-CA")


def test_ages_are_the_persons_own_and_those_of_younger_aliases() -> None:
    assert ages(person(), NOW) == (None,)
    assert ages(person(born=2006), NOW) == (18,)
    assert ages(person(born=2006), instant.parse("2024-12-31T23:59:59.999999Z")) == (17,)
    assert ages(person(born=2000, youths=frozenset({2012, 1990, 2010})), NOW) == (24, 14, 12)
    assert ages(person(youths=frozenset({1980})), NOW) == (None, 44)


def test_too_young_at_either_instant() -> None:
    assert too_young(MinAge(18), 2007, NOW, NOW)
    assert not too_young(MinAge(18), 2006, NOW, NOW)
    assert too_young(MinAge(18), 2006, NOW, NOW - 365 * instant.DAY)
    assert not too_young(MinAge(18, at_use_only=True), 2006, NOW, NOW - 365 * instant.DAY)


def test_an_attribute_is_the_value_held_or_the_default() -> None:
    kind, flag, plan = (
        Attribute("kind", ("a",)), Attribute("flag", ("a",), default="b"), Attribute("plan", ("a",), of_account=True),
    )  # fmt: skip
    held = person(attributes={"kind": ((THEN, "a"),), "plan": ((THEN, "never this"),)})
    account = AccountFacts({"plan": ((THEN, "a"),)})
    assert [attribute(kind, held, None, at) for at in (THEN - 1, THEN)] == [None, "a"]
    assert attribute(flag, held, None, NOW) == "b"
    assert [attribute(plan, held, one, NOW) for one in (None, account)] == [None, "a"]


def test_of_equal_instants_the_last_value_holds() -> None:
    history = ((1, "a"), (1, "b"), (3, "c"))
    assert [value_at(history, at) for at in range(5)] == [None, "b", "b", "c", "c"]
