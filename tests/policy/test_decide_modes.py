"""Section 3, steps 4 to 6, and section 5: modes, holders, requirements, suspensions, and several subjects."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sayso import instant
from sayso.policy.facts import AccountFacts, Delivery, Subject, SubjectFacts
from sayso.policy.model import Holder, MinAge, Mode, SituationMode, Told
from sayso.policy.terms import Scope, Window
from sayso.territory import Region
from tests.policy.by_hand import (
    ADULT,
    AFTER_CHOICE,
    AFTER_NOTICE,
    ALL,
    ALWAYS,
    CALIFORNIA,
    DAY,
    FRANCE,
    GUARDIAN,
    LONG_AGO,
    NOW,
    OPT_IN,
    OPT_OUT,
    POST,
    THEN,
    USE,
    Ledger,
    everything,
    grant,
    person,
    policy,
    refusal,
    rule,
    said,
    signal,
    stop,
    told,
    voice,
)

HEALTH = replace(POST, category="health")


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (Mode.OPT_IN, "granted"),
        (Mode.OPT_OUT, "not-enabled"),
        (Mode.ALWAYS, "no-choice"),
        (Mode.NEVER, "not-enabled"),
        (Mode.DISPUTED, "not-enabled"),
    ],
)
def test_a_special_category_passes_only_by_an_explicit_grant(mode: Mode, reason: str) -> None:
    assert said(rule(mode), person(grant(), told()), HEALTH) == reason
    assert said(OPT_IN, person(), HEALTH) == "no-consent"


def test_opt_out_asks_that_the_holder_was_told_and_did_not_refuse() -> None:
    assert said(OPT_OUT, person()) == "not-notified"
    assert said(OPT_OUT, person(told())) == "not-objected"
    assert said(OPT_OUT, person(told(), grant())) == "granted"
    assert said(OPT_OUT, person(grant())) == "not-notified"
    assert said(OPT_OUT, person(told(), refusal())) == "refused"
    assert said(OPT_OUT, person(told(), refusal(), grant(THEN + 1))) == "granted"
    assert said(OPT_OUT, person(told(), grant(notice=("other", "v9")))) == "granted"


@pytest.mark.parametrize(
    "delivery",
    [
        told(version="v2"),
        told(notice="other"),
        told(declares=Scope(ALL.purposes, frozenset({"comments"}), ALL.recipients)),
        told(declares=Scope(frozenset({"ads"}), ALL.categories, ALL.recipients)),
        told(declares=Scope(ALL.purposes, ALL.categories, frozenset({"affiliate"}))),
        told(NOW + 1),
    ],
)
def test_only_an_accepted_version_that_declares_the_case_counts(delivery: Delivery) -> None:
    assert said(OPT_OUT, person(delivery)) == "not-notified"


def test_the_notice_period_ends_to_the_microsecond() -> None:
    patient = rule(Mode.OPT_OUT, notice_period=30 * DAY)
    assert said(patient, person(told(NOW - 30 * DAY))) == "not-objected"
    assert said(patient, person(told(NOW - 30 * DAY + 1))) == "notice-period"
    assert said(patient, person(told(NOW - 31 * DAY), told(NOW))) == "not-objected"
    assert said(OPT_OUT, person(told(NOW)), replace(POST, collected_at=NOW)) == "not-objected"


def test_a_text_merely_published_counts_where_the_rule_says_so_with_its_own_ground() -> None:
    published = Ledger({1: person()}, published=(told(NOW - 30 * DAY),))
    lax = rule(Mode.OPT_OUT, told=Told.PUBLISHED, notice_period=30 * DAY)
    assert said(OPT_OUT, published) == "not-notified"
    assert said(lax, published) == "not-told"
    assert said(lax, replace(published, published=(told(NOW - 30 * DAY + 1),))) == "notice-period"
    assert said(lax, replace(published, people={1: person(told(NOW - 40 * DAY))})) == "not-objected"
    assert said(lax, replace(published, people={1: person(told(NOW - DAY))})) == "not-told"
    assert said(lax, replace(published, people={1: person(refusal())})) == "refused"
    assert said(lax, replace(published, people={1: person(grant())})) == "granted"
    assert said(lax, Ledger({1: person()})) == "not-notified"


def test_always_hears_refusals_unless_it_says_why_not() -> None:
    compelled = rule(Mode.ALWAYS, overrides_refusal=True)
    assert said(ALWAYS, person(refusal())) == "refused"
    assert said(compelled, person(refusal())) == "no-choice"
    assert said(compelled, person(aliases=(voice(refusal()),))) == "no-choice"
    assert said(policy(compelled, ALWAYS), person(refusal())) == "refused"


def test_disputed_and_never_are_told_apart() -> None:
    assert said(policy(rule(Mode.DISPUTED), rule(Mode.NEVER)), person(grant())) == "not-enabled"
    assert said(rule(Mode.DISPUTED), person(grant())) == "disputed"


# ── holder ───────────────────────────────────────────────────────────────────────────────────────────────────────────

ORGANISATION = Holder.ORGANISATION
HELD, HELD_OUT = rule(Mode.OPT_IN, holder=ORGANISATION), rule(Mode.OPT_OUT, holder=ORGANISATION)
AT_WORK = replace(POST, account=7)


def workspace(*holders: tuple[int, int | None], **voices: object) -> Ledger:
    return Ledger({1: person()}, {7: AccountFacts({}, holders)}, {8: voice(grant(), told()), 9: voice()})


def test_the_organisation_that_holds_the_account_decides() -> None:
    held = workspace((LONG_AGO, 8))
    assert said(HELD, held, AT_WORK) == "organisation"
    assert said(HELD_OUT, held, AT_WORK) == "organisation"
    assert said(rule(Mode.ALWAYS, holder=ORGANISATION), held, AT_WORK) == "no-choice"
    refused = replace(held, organisations={8: voice(grant(), refusal(THEN + 1))})
    assert said(HELD, refused, AT_WORK) == "refused"
    assert said(HELD_OUT, replace(held, organisations={8: voice(told())}), AT_WORK) == "not-objected"


def test_the_person_is_not_heard_by_a_rule_of_the_organisation() -> None:
    held = replace(workspace((LONG_AGO, 8)), people={1: person(refusal(), aliases=(voice(refusal()),))})
    assert said(HELD, held, AT_WORK) == "organisation"
    assert said(policy(HELD, ALWAYS), held, AT_WORK) == "refused"


def test_both_holders_must_permit() -> None:
    assert said(HELD, workspace((LONG_AGO, 8), (NOW, 9)), AT_WORK) == "no-consent"
    assert said(HELD, workspace((LONG_AGO, 9), (NOW, 8)), AT_WORK) == "no-consent"
    assert said(HELD_OUT, workspace((LONG_AGO, 9), (NOW, 8)), AT_WORK) == "not-notified"


@pytest.mark.parametrize(
    "held", [workspace(), workspace((THEN + 1, 8)), workspace((LONG_AGO, 8), (NOW, None)), Ledger({1: person()})]
)
def test_a_holder_that_is_not_known_denies(held: Ledger) -> None:
    assert said(HELD, held, AT_WORK) == "no-consent"
    assert said(HELD_OUT, held, AT_WORK) == "not-notified"
    assert said(rule(Mode.ALWAYS, holder=ORGANISATION), held, AT_WORK) == "not-notified"
    assert said(HELD, held) == "no-consent"


# ── requirements ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_after_choice_counts_from_the_first_grant_of_the_unbroken_run() -> None:
    since = rule(Mode.OPT_IN, covers=AFTER_CHOICE)
    assert said(since, person(grant(THEN))) == "granted"
    assert said(since, person(grant(THEN + 1))) == "collected-too-early"
    assert said(since, person(grant(THEN), grant(THEN + DAY))) == "granted"
    assert said(since, person(grant(THEN - DAY), refusal(THEN), grant(THEN + DAY))) == "collected-too-early"
    assert said(since, person(grant(THEN - DAY), refusal(THEN - DAY), grant(THEN))) == "granted"
    assert said(since, person(grant(THEN, notice=("n", "v0")), grant(THEN + DAY))) == "collected-too-early"
    broken = person(grant(THEN - DAY), signal(THEN + DAY), grant(THEN + 2 * DAY))
    assert said(since, broken) == "collected-too-early"
    assert said(OPT_IN, broken) == "granted"


def test_after_notice_counts_from_the_delivery_or_publication_that_counts() -> None:
    since = rule(Mode.OPT_OUT, covers=AFTER_NOTICE)
    assert said(since, person(told(THEN))) == "not-objected"
    assert said(since, person(told(THEN + 1))) == "collected-too-early"
    assert said(since, person(told(THEN + 1), told(THEN, version="v2"))) == "collected-too-early"
    assert said(since, person(told(THEN + 1), grant())) == "collected-too-early"
    lax = replace(since, told=Told.PUBLISHED)
    assert said(lax, Ledger({1: person(told(THEN + 1))}, published=(told(THEN),))) == "not-told"
    assert said(lax, Ledger({1: person()}, published=(told(THEN + 1),))) == "collected-too-early"


def test_a_window_is_half_open() -> None:
    windowed = rule(Mode.ALWAYS, collected=Window(THEN, THEN + 1))
    assert said(windowed, person()) == "no-choice"
    assert said(windowed, person(), replace(POST, collected_at=THEN - 1)) == "collected-outside-window"
    assert said(windowed, person(), replace(POST, collected_at=THEN + 1)) == "collected-outside-window"


def test_age_is_the_difference_of_years_minus_one_at_the_use_and_when_collected() -> None:
    adults = rule(Mode.ALWAYS, min_age=ADULT)
    assert said(adults, person(born=2006)) == "no-choice"
    assert said(adults, person(born=2007)) == "under-age"
    assert said(adults, person()) == "under-age"
    new_year = instant.parse("2025-01-01T00:00:00Z")
    before = replace(POST, collected_at=new_year - 1)
    assert said(adults, person(born=2006), before) == "under-age"
    assert said(adults, person(born=2006), replace(POST, collected_at=new_year)) == "no-choice"
    assert said(rule(Mode.ALWAYS, min_age=MinAge(18, at_use_only=True)), person(born=2006), before) == "no-choice"
    assert said(adults, person(born=2006), before, replace(USE, at=new_year - 1)) == "under-age"


def test_youth_known_of_an_alias_counts_and_its_age_does_not() -> None:
    adults = rule(Mode.ALWAYS, min_age=ADULT)
    assert said(adults, person(born=1980, youths=frozenset({2012}))) == "under-age"
    assert said(adults, person(youths=frozenset({1980}))) == "under-age"


def test_a_standing_grant_by_a_guardian_lets_a_minor_through_where_the_rule_says_so() -> None:
    guarded = MinAge(18, or_guardian=True)
    by_guardian, own = grant(by=GUARDIAN), grant()
    asked, told_rule = rule(Mode.OPT_IN, min_age=guarded), rule(Mode.OPT_OUT, min_age=guarded)
    assert said(asked, person(by_guardian, born=2012)) == "granted"
    assert said(asked, person(by_guardian)) == "granted"
    assert said(asked, person(own, born=2012)) == "under-age"
    assert said(asked, person(by_guardian, refusal(THEN + 1), born=2012)) == "under-age"
    assert said(asked, person(by_guardian, replace(own, at=THEN + 1), born=2012)) == "under-age"
    assert said(replace(asked, expires_after=DAY), person(by_guardian, born=2012)) == "under-age"
    assert said(rule(Mode.OPT_IN, min_age=ADULT), person(by_guardian, born=2012)) == "under-age"
    assert said(OPT_IN, person(by_guardian)) == "no-consent"
    assert said(told_rule, person(by_guardian, told(), born=2012)) == "granted"
    assert said(told_rule, person(told(), born=2012)) == "under-age"
    assert said(told_rule, person(by_guardian, refusal(THEN + 1), told(), born=2012)) == "under-age"


# ── suspensions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def suspended(**said_of_it: object) -> Ledger:
    return Ledger({1: person(grant(), told())}, suspensions=(stop(**said_of_it),))


def test_a_suspension_holds_from_its_opening_until_it_is_lifted() -> None:
    assert said(OPT_IN, suspended(opened=NOW)) == "suspended"
    assert said(OPT_IN, suspended(opened=NOW + 1)) == "granted"
    assert said(OPT_IN, suspended(lifted=NOW + 1)) == "suspended"
    assert said(OPT_IN, suspended(lifted=NOW)) == "granted"
    assert said(OPT_IN, suspended(opened=THEN, lifted=THEN)) == "granted"


def test_a_suspension_covers_its_scope_data_and_territories() -> None:
    assert said(OPT_IN, suspended(data=Window(THEN, THEN + 1))) == "suspended"
    assert said(OPT_IN, suspended(data=Window(THEN + 1))) == "granted"
    assert said(OPT_IN, suspended(data=Window(None, THEN))) == "granted"
    assert said(OPT_IN, suspended(scope=Scope(ALL.purposes, frozenset({"comments"}), ALL.recipients))) == "granted"
    assert said(OPT_IN, suspended(territories=FRANCE)) == "suspended"
    assert said(OPT_IN, suspended(territories=Region(frozenset({"GB"})))) == "granted"


def test_a_suspension_is_heard_in_any_of_the_three_situations_whatever_is_asked() -> None:
    moved = person(residences=((LONG_AGO, "GB"), (NOW, "FR")))
    for where, record in (("FR", POST), ("GB", POST), ("DE", replace(POST, territory="DE"))):
        held = Ledger({1: moved}, suspensions=(stop(territories=Region(frozenset({where}))),))
        for situation in SituationMode:
            assert said(policy(ALWAYS, situation=situation), held, record) == "suspended"


def test_a_suspension_in_a_part_of_a_country_stops_those_who_may_be_there() -> None:
    held = Ledger({1: person(residences=((LONG_AGO, "US"),))}, suspensions=(stop(territories=CALIFORNIA),))
    assert said(ALWAYS, held) == "suspended"
    elsewhere = replace(held, people={1: person(residences=((LONG_AGO, "US-TX"),))})
    assert said(ALWAYS, elsewhere) == "no-choice"


def test_lifting_does_not_revive_what_the_version_does_not_cover() -> None:
    assert said(rule(Mode.ALWAYS, collected=Window(NOW)), suspended(lifted=NOW)) == "collected-outside-window"


# ── several subjects ─────────────────────────────────────────────────────────────────────────────────────────────────

PAIR = replace(POST, subjects=(Subject(1, "author"), Subject(2, "mentioned")))


def test_every_subject_that_counts_must_permit() -> None:
    both = replace(POST, subjects=(Subject(1, "author"), Subject(2, "recipient")))
    assert said(OPT_IN, Ledger({1: person(grant()), 2: person()}), both) == "no-consent"
    assert said(OPT_IN, Ledger({1: person(grant()), 2: person(grant())}), both) == "granted"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (person(), "granted"),
        (None, "granted"),
        (person(residences=()), "granted"),
        (person(registered=None), "granted"),
        (person(refusal()), "refused"),
        (person(refusal(), residences=()), "refused"),
        (person(signal()), "refused"),
        (person(signal(territories=FRANCE)), "refused"),
        (person(signal(territories=CALIFORNIA)), "granted"),
        (person(signal(territories=CALIFORNIA), residences=()), "refused"),
        (person(aliases=(voice(refusal()),)), "refused"),
        (person(refusal(), grant(THEN + 1)), "granted"),
        (person(refusal(), grant(THEN + 1, by=GUARDIAN)), "refused"),
        (person(erased=5), "erased"),
        (SubjectFacts(erased=5), "erased"),
    ],
)
def test_of_a_subject_that_does_not_count_only_what_restricts_is_heard(other: SubjectFacts | None, reason: str) -> None:
    people = {1: person(grant())} | ({} if other is None else {2: other})
    assert said(OPT_IN, Ledger(people), PAIR) == reason


def test_known_youth_of_a_subject_that_does_not_count_is_heard() -> None:
    adults = rule(Mode.OPT_IN, min_age=ADULT)
    grown = person(grant(), born=1980)
    for known in (person(born=2012), SubjectFacts(born=2012), person(youths=frozenset({2012}))):
        assert said(adults, Ledger({1: grown, 2: known}), PAIR) == "under-age"
    assert said(adults, Ledger({1: grown, 2: person()}), PAIR) == "granted"
    assert said(adults, Ledger({1: grown, 2: person(born=1980)}), PAIR) == "granted"
    elsewhere = rule(Mode.NEVER, min_age=ADULT, territories=CALIFORNIA)
    assert said(policy(OPT_IN, elsewhere), Ledger({1: grown, 2: person(born=2012)}), PAIR) == "under-age"
    out_of_scope = rule(Mode.OPT_IN, min_age=ADULT, data=Window(NOW))
    assert said(policy(OPT_IN, out_of_scope), Ledger({1: grown, 2: person(born=2012)}), PAIR) == "granted"


def test_suspensions_are_heard_of_a_subject_that_does_not_count() -> None:
    where = stop(territories=CALIFORNIA)
    californian = person(residences=((LONG_AGO, "US-CA"),))
    assert said(OPT_IN, Ledger({1: person(grant()), 2: californian}, suspensions=(where,)), PAIR) == "suspended"
    assert said(OPT_IN, Ledger({1: person(grant()), 2: person()}, suspensions=(where,)), PAIR) == "granted"


def test_a_record_of_nobody_that_counts_has_no_subject_and_the_rest_is_found_too() -> None:
    lone = replace(POST, subjects=(Subject(1, "mentioned"),))
    assert everything(ALWAYS, person(refusal()), lone) == {"no-subject", "refused"}
