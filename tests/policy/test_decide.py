"""Sections 2 and 3, steps 1 to 3: the policy in force, who is known, situations, and which rules match."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sayso import instant
from sayso.policy.facts import AccountFacts, Subject, SubjectFacts
from sayso.policy.model import Band, Mode, SituationMode, Version
from sayso.policy.terms import Scope, Window
from sayso.territory import Region
from tests.policy.by_hand import (
    ALL,
    ALWAYS,
    CALIFORNIA,
    DAY,
    FRANCE,
    LONG_AGO,
    NOW,
    OPT_IN,
    OPT_OUT,
    POST,
    THEN,
    USE,
    Ledger,
    everything,
    person,
    policy,
    refusal,
    rule,
    said,
    verdict,
)

MEMBER = frozenset({"member"})
NEVER = rule(Mode.NEVER)


def test_the_version_in_force_is_the_latest_effective_by_the_use() -> None:
    first = Version("first", LONG_AGO, LONG_AGO, (ALWAYS,))
    second = Version("second", LONG_AGO, NOW, (NEVER,))
    both = replace(policy(), versions=(second, first))
    assert verdict(both, person()).evidence.version == "second"
    assert said(both, person(), use=replace(USE, at=NOW - 1)) == "no-choice"
    assert said(both, Ledger({1: person()}, withdrawn=frozenset({"second"}))) == "no-choice"
    assert said(replace(both, versions=(second,)), person(), use=replace(USE, at=NOW - 1)) == "no-policy"


def test_a_person_is_known_from_their_registration() -> None:
    assert said(ALWAYS, person(registered=NOW)) == "no-choice"
    assert said(ALWAYS, person(registered=NOW + 1)) == "unknown-subject"
    assert said(ALWAYS, person(registered=None)) == "unknown-subject"


def test_erasure_counts_whatever_the_instant_and_is_not_called_unknown() -> None:
    assert said(ALWAYS, person(erased=9)) == "erased"
    assert said(ALWAYS, SubjectFacts(erased=9)) == "erased"
    assert verdict(ALWAYS, SubjectFacts(erased=9)).evidence.positions == (9,)


@pytest.mark.parametrize(
    ("reserved", "reason"), [("genai", "reserved"), ("training", "reserved"), ("ads", "no-choice")]
)
def test_a_reservation_is_from_the_purpose_or_a_node_above_it(reserved: str, reason: str) -> None:
    assert said(ALWAYS, person(), replace(POST, reserved=frozenset({reserved}))) == reason


def test_no_step_short_circuits_another() -> None:
    found = everything(
        policy(OPT_IN, OPT_OUT), person(refusal(), erased=1, residences=()), replace(POST, territory="FR")
    )
    assert {"erased", "unknown-territory", "refused", "not-notified"} <= found


# ── situations ───────────────────────────────────────────────────────────────────────────────────────────────────────

MOVED = person(residences=((LONG_AGO, "FR"), (NOW, "DE")))
NOT_IN_FRANCE = rule(Mode.ALWAYS, territories=Region(frozenset({"DE", "GB"})))
IN_FRANCE = rule(Mode.ALWAYS, territories=FRANCE)


def test_the_strictest_asks_for_now_then_and_what_is_written() -> None:
    assert said(NOT_IN_FRANCE, MOVED) == "no-rule"
    assert said(IN_FRANCE, MOVED) == "no-rule"
    assert said(ALWAYS, MOVED) == "no-choice"
    assert said(IN_FRANCE, person()) == "no-choice"
    assert said(IN_FRANCE, person(), replace(POST, territory="GB")) == "no-rule"


def test_a_policy_may_ask_for_the_present_or_for_collection_alone() -> None:
    current, collection = SituationMode.CURRENT, SituationMode.COLLECTION
    assert said(policy(NOT_IN_FRANCE, situation=current), MOVED) == "no-choice"
    assert said(policy(NOT_IN_FRANCE, situation=current), MOVED, replace(POST, territory="US")) == "no-choice"
    assert said(policy(IN_FRANCE, situation=collection), MOVED) == "no-choice"
    assert said(policy(IN_FRANCE, situation=collection), MOVED, replace(POST, territory="GB")) == "no-rule"


def test_a_residence_holds_from_its_instant() -> None:
    arrived = person(residences=((THEN, "FR"),))
    assert said(ALWAYS, arrived) == "no-choice"
    assert said(ALWAYS, arrived, replace(POST, collected_at=THEN - 1)) == "unknown-territory"
    assert (
        said(policy(ALWAYS, situation=SituationMode.CURRENT), arrived, replace(POST, collected_at=THEN - 1))
        == "no-choice"
    )


def test_a_territory_outside_the_table_is_unknown() -> None:
    assert said(ALWAYS, person(residences=((LONG_AGO, "QQ"),))) == "unknown-territory"
    assert said(ALWAYS, person(), replace(POST, territory="QQ")) == "unknown-territory"


def test_a_less_precise_territory_stands_for_all_that_is_asked_for() -> None:
    american = person(residences=((LONG_AGO, "US"),))
    californian = person(residences=((LONG_AGO, "US-CA"),))
    texan = person(residences=((LONG_AGO, "US-TX"),))
    strict = policy(ALWAYS, rule(Mode.NEVER, territories=CALIFORNIA))
    assert said(strict, american) == "not-enabled"
    assert said(strict, californian) == "not-enabled"
    assert said(strict, texan) == "no-choice"
    only_california = rule(Mode.ALWAYS, territories=CALIFORNIA)
    assert said(only_california, american) == "no-rule"
    assert said(only_california, californian) == "no-choice"
    elsewhere = rule(Mode.ALWAYS, territories=Region(frozenset({"US"}), frozenset({"US-CA"})))
    assert said(elsewhere, american) == "no-rule"
    assert said(elsewhere, texan) == "no-choice"


# ── which rules match ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "scope",
    [
        Scope(frozenset({"ads"}), ALL.categories, ALL.recipients),
        Scope(ALL.purposes, frozenset({"messages"}), ALL.recipients),
        Scope(ALL.purposes, ALL.categories, frozenset({"affiliate"})),
    ],
)
def test_silence_is_never_permission(scope: Scope) -> None:
    assert said(rule(Mode.ALWAYS, scope=scope), person()) == "no-rule"
    assert said(policy(ALWAYS, rule(Mode.NEVER, scope=scope)), person()) == "no-choice"


def test_every_matching_rule_must_permit() -> None:
    assert said(policy(ALWAYS, NEVER), person()) == said(policy(NEVER, ALWAYS), person()) == "not-enabled"


def test_a_rule_over_data_is_half_open() -> None:
    first, later = rule(Mode.ALWAYS, data=Window(None, THEN)), rule(Mode.NEVER, data=Window(THEN))
    assert said(policy(first, later), person()) == "not-enabled"
    assert said(policy(first, later), person(), replace(POST, collected_at=THEN - 1)) == "no-choice"


def test_an_attribute_is_that_of_the_situation() -> None:
    members = rule(Mode.ALWAYS, attributes={"kind": MEMBER})
    since = ((LONG_AGO, "student"), (NOW, "member"))
    assert said(members, person(attributes={"kind": ((LONG_AGO, "member"),)})) == "no-choice"
    assert said(members, person(attributes={"kind": since})) == "no-rule"
    assert said(policy(members, situation=SituationMode.CURRENT), person(attributes={"kind": since})) == "no-choice"


def test_an_unknown_attribute_that_is_asked_for_denies() -> None:
    members = rule(Mode.ALWAYS, attributes={"kind": MEMBER})
    assert said(members, person()) == "unknown-attribute"
    assert said(policy(ALWAYS, members), person()) == "unknown-attribute"
    unasked = rule(Mode.ALWAYS, attributes={"kind": MEMBER}, territories=CALIFORNIA)
    assert said(policy(ALWAYS, unasked), person()) == "no-choice"
    known_not_to_match = rule(Mode.ALWAYS, attributes={"kind": MEMBER, "flag": frozenset({"on"})})
    assert said(policy(ALWAYS, known_not_to_match), person()) == "no-choice"


def test_a_default_stands_for_what_is_not_known() -> None:
    off = rule(Mode.ALWAYS, attributes={"flag": frozenset({"off"})})
    assert said(off, person()) == "no-choice"
    assert said(off, person(attributes={"flag": ((NOW, "on"),)})) == "no-rule"


def test_an_attribute_may_be_of_the_account() -> None:
    pros = rule(Mode.ALWAYS, attributes={"plan": frozenset({"pro"})})
    held = {7: AccountFacts({"plan": ((LONG_AGO, "pro"),)})}
    assert said(pros, Ledger({1: person()}, held), replace(POST, account=7)) == "no-choice"
    assert said(pros, Ledger({1: person()}, held), replace(POST, account=8)) == "unknown-attribute"
    assert said(pros, Ledger({1: person()}, held)) == "unknown-attribute"


@pytest.mark.parametrize(
    ("born", "reason"), [(2006, "no-choice"), (2007, "not-enabled"), (None, "not-enabled"), (1980, "no-choice")]
)
def test_an_age_band_holds_whoever_is_of_unknown_age(born: int | None, reason: str) -> None:
    minors = policy(ALWAYS, rule(Mode.NEVER, band=Band(None, 18)))
    assert said(minors, person(born=born)) == reason


def test_a_band_is_half_open_and_the_birthday_is_the_end_of_the_year() -> None:
    teens = policy(ALWAYS, rule(Mode.NEVER, band=Band(13, 18)))
    new_year = instant.parse("2025-01-01T00:00:00Z")
    for born, at, reason in (
        (2006, new_year - 1, "not-enabled"),
        (2006, new_year, "no-choice"),
        (2012, NOW, "no-choice"),
    ):
        record, use = replace(POST, collected_at=at), replace(USE, at=at)
        assert said(teens, person(born=born), record, use) == reason
    assert said(teens, person(born=2006), replace(POST, collected_at=new_year - 1)) == "not-enabled"


def test_of_several_known_ages_each_younger_one_must_permit() -> None:
    minors = policy(ALWAYS, rule(Mode.NEVER, band=Band(None, 18)))
    assert said(minors, person(born=1980, youths=frozenset({2012}))) == "not-enabled"
    assert said(minors, person(born=1980, youths=frozenset({1970}))) == "no-choice"


def test_a_split_category_must_be_permitted_under_every_child() -> None:
    old = replace(POST, category="articles")
    comments = Scope(ALL.purposes, frozenset({"comments"}), ALL.recipients)
    assert said(ALWAYS, person(), old) == "no-choice"
    assert said(policy(ALWAYS, rule(Mode.NEVER, scope=comments)), person(), old) == "not-enabled"
    assert said(policy(ALWAYS, rule(Mode.NEVER, scope=comments)), person()) == "no-choice"
    assert said(ALWAYS, person(), replace(POST, category="dms")) == "no-choice"


def test_day_lengths_are_exact_over_a_leap_day() -> None:
    leap = instant.parse("2024-02-29T12:00:00Z")
    yearly = rule(Mode.ALWAYS, data=Window(leap, leap + 365 * DAY))
    assert (
        said(yearly, person(), replace(POST, collected_at=instant.parse("2025-02-28T11:59:59.999999Z"))) == "no-choice"
    )
    assert said(yearly, person(), replace(POST, collected_at=instant.parse("2025-02-28T12:00:00Z"))) == "no-rule"


def test_subjects_of_roles_that_count() -> None:
    mentioned = replace(POST, subjects=(Subject(1, "mentioned"),))
    assert said(ALWAYS, person(), mentioned) == "no-subject"
    assert said(ALWAYS, person(), replace(POST, subjects=(Subject(1, "not named"),))) == "no-choice"
