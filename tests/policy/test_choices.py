"""Section 4: which choice stands, by whom, since when; signals; and aliases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sayso.policy.choices import Matter, consent, guardian_stands
from sayso.policy.model import MinAge, Mode
from sayso.policy.terms import Scope
from tests.policy.by_hand import (
    AGENT,
    ALL,
    ALWAYS,
    CALIFORNIA,
    DAY,
    FRANCE,
    GUARDIAN,
    NOW,
    OPT_IN,
    OPT_OUT,
    THEN,
    grant,
    person,
    policy,
    refusal,
    rule,
    said,
    signal,
    told,
    voice,
)

POSTS = Scope(frozenset({"genai"}), frozenset({"posts"}), frozenset({"platform"}))
COMMENTS = replace(POSTS, categories=frozenset({"comments"}))
MATTER = Matter("genai", "posts", "platform", NOW, "FR", OPT_IN)


@pytest.mark.parametrize(
    "scope",
    [COMMENTS, replace(POSTS, purposes=frozenset({"ads"})), replace(POSTS, recipients=frozenset({"affiliate"}))],
)
def test_a_choice_covers_what_each_part_of_its_scope_contains(scope: Scope) -> None:
    assert said(OPT_IN, person(grant(scope=scope))) == "no-consent"
    assert said(ALWAYS, person(refusal(scope=scope))) == "no-choice"


def test_the_latest_covering_choice_wins_however_wide_it_is() -> None:
    narrow = grant(THEN + 1, scope=POSTS)
    assert said(OPT_IN, person(refusal(), narrow)) == "granted"
    assert said(OPT_IN, person(refusal(), grant(THEN + 1, scope=COMMENTS))) == "refused"
    assert said(OPT_IN, person(narrow, refusal(THEN + 2))) == "refused"
    assert said(OPT_IN, person(narrow, refusal(THEN + 2, scope=COMMENTS))) == "granted"


def test_of_equal_instants_a_refusal_beats_a_grant_then_the_greatest_position_wins() -> None:
    assert said(OPT_IN, person(grant(position=99), refusal(position=1))) == "refused"
    first, second = grant(position=1), grant(position=2, notice=("n", "v0"))
    assert said(OPT_IN, person(second, first)) == "granted"
    assert consent(MATTER, voice(grant(position=2), first), None).position == 2


def test_a_choice_counts_from_its_instant() -> None:
    assert said(OPT_IN, person(grant(NOW))) == "granted"
    assert said(OPT_IN, person(grant(NOW + 1))) == "no-consent"
    assert said(ALWAYS, person(refusal(NOW))) == "refused"
    assert said(ALWAYS, person(refusal(NOW + 1))) == "no-choice"


def test_a_grant_must_be_under_a_notice_that_the_rule_accepts() -> None:
    old = grant(THEN + 1, notice=("n", "v0"))
    assert said(OPT_IN, person(old)) == "consent-outdated"
    assert said(OPT_IN, person(grant(notice=("other", "v1")))) == "consent-outdated"
    assert said(OPT_IN, person(grant(notice=None))) == "consent-outdated"
    assert said(OPT_IN, person(refusal(), old)) == "consent-outdated"
    assert said(OPT_IN, person(replace(old, at=THEN - 1), refusal())) == "refused"
    assert said(OPT_IN, person(grant(), old)) == "granted"
    assert said(OPT_IN, person(grant(), refusal(THEN + 1), replace(old, at=THEN + 2))) == "consent-outdated"


def test_a_grant_expires_to_the_microsecond() -> None:
    month = rule(Mode.OPT_IN, expires_after=30 * DAY)
    assert said(month, person(grant(NOW - 30 * DAY + 1))) == "granted"
    assert said(month, person(grant(NOW - 30 * DAY))) == "consent-expired"
    assert said(month, person(grant(NOW - 40 * DAY), grant(NOW - DAY))) == "granted"


def test_a_guardian_may_grant_only_where_the_rule_allows_and_may_always_refuse() -> None:
    guarded = rule(Mode.OPT_IN, min_age=MinAge(18, or_guardian=True))
    assert said(OPT_IN, person(grant(by=GUARDIAN))) == "no-consent"
    assert said(guarded, person(grant(by=GUARDIAN), born=2012)) == "granted"
    assert said(OPT_IN, person(grant(), refusal(THEN + 1, by=GUARDIAN))) == "refused"
    assert said(OPT_OUT, person(told(), refusal(), grant(THEN + 1, by=GUARDIAN))) == "refused"
    assert not guardian_stands(replace(MATTER, rule=None), voice(grant(by=GUARDIAN)))


def test_an_agent_speaks_as_the_holder_does() -> None:
    assert said(OPT_IN, person(grant(by=AGENT))) == "granted"
    assert said(OPT_IN, person(grant(by=AGENT), refusal(THEN + 1, by=AGENT))) == "refused"


# ── signals ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_signal_is_a_refusal_of_lower_rank() -> None:
    assert said(OPT_OUT, person(told(), signal())) == "refused"
    assert said(OPT_OUT, person(told(), signal(), grant(THEN + 1))) == "granted"
    assert said(OPT_IN, person(grant(), signal(THEN + 1))) == "refused"


def test_a_signal_yields_to_an_explicit_choice_after_it_was_first_recorded_on_that_channel() -> None:
    assert said(OPT_IN, person(grant(THEN + 5), signal(THEN + 9, first_recorded=THEN + 4))) == "granted"
    assert said(OPT_IN, person(grant(THEN + 5), signal(THEN + 9, first_recorded=THEN + 5))) == "refused"
    assert said(OPT_IN, person(grant(THEN + 5), signal(THEN, first_recorded=THEN + 6))) == "refused"
    narrow = grant(THEN + 5, scope=COMMENTS)
    assert said(OPT_OUT, person(told(), narrow, signal(THEN))) == "refused"


def test_a_signal_counts_from_its_instant_in_its_territories_over_its_scope() -> None:
    assert said(ALWAYS, person(signal(NOW))) == "refused"
    assert said(ALWAYS, person(signal(NOW + 1))) == "no-choice"
    assert said(ALWAYS, person(signal(territories=FRANCE))) == "refused"
    assert said(ALWAYS, person(signal(territories=CALIFORNIA))) == "no-choice"
    assert said(ALWAYS, person(signal(scope=COMMENTS))) == "no-choice"


def test_a_signal_breaks_the_run_of_grants() -> None:
    run = voice(grant(THEN), signal(THEN + 1), grant(THEN + 2), grant(THEN + 3))
    assert consent(MATTER, run, None).since == THEN + 2
    late = voice(grant(THEN), signal(THEN + 1, first_recorded=THEN + 2), grant(THEN + 2), grant(THEN + 3))
    assert consent(MATTER, late, None).since == THEN + 3
    tied = voice(grant(THEN), signal(THEN + 2, first_recorded=THEN + 1), grant(THEN + 2))
    assert consent(MATTER, tied, None).since == THEN + 2
    elsewhere = voice(grant(THEN), signal(THEN + 1, territories=CALIFORNIA), grant(THEN + 2))
    assert consent(MATTER, elsewhere, None).since == THEN


def test_the_signal_behind_a_refusal_is_the_first() -> None:
    found = MATTER.refusal(voice(signal(position=31), signal(position=30)))
    assert found is not None
    assert found.position == 30


# ── aliases ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_standing_refusal_of_any_alias_wins() -> None:
    assert said(OPT_IN, person(grant(), aliases=(voice(refusal()),))) == "refused"
    assert said(OPT_IN, person(grant(THEN + 5), aliases=(voice(refusal()),))) == "refused"
    assert said(OPT_IN, person(grant(), aliases=(voice(signal()),))) == "refused"
    assert said(OPT_IN, person(grant(), aliases=(voice(refusal(), grant(THEN + 1)),))) == "granted"


def test_what_an_alias_granted_or_was_told_counts_for_nobody_else() -> None:
    assert said(OPT_IN, person(aliases=(voice(grant()),))) == "no-consent"
    assert said(OPT_OUT, person(aliases=(voice(told()),))) == "not-notified"
    assert said(policy(OPT_IN), person(refusal(), aliases=(voice(grant(THEN + 1)),))) == "refused"


def test_every_name_of_a_scope_is_asked_for() -> None:
    assert ALL.covers("genai", "posts", "platform")
    assert not ALL.covers("training", "posts", "platform")
