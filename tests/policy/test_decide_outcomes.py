"""Every reason and every ground, by an example each (semantics, section 6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sayso.policy.decide import decide
from sayso.policy.facts import AccountFacts, Record, Subject, SubjectFacts, Use
from sayso.policy.model import Holder, Mode, Told
from sayso.policy.terms import Window
from sayso.policy.verdict import Evidence, Outcome, Verdict
from tests.policy.by_hand import (
    ADULT,
    AFTER_CHOICE,
    ALWAYS,
    DAY,
    LONG_AGO,
    NOW,
    OPT_IN,
    OPT_OUT,
    POST,
    THEN,
    USE,
    Ledger,
    grant,
    person,
    policy,
    refusal,
    rule,
    stop,
    told,
    verdict,
    voice,
)

HELD = rule(Mode.OPT_IN, holder=Holder.ORGANISATION)
WORKSPACE = Ledger({1: person()}, {7: AccountFacts({}, ((LONG_AGO, 8),))}, {8: voice(grant())})

EXAMPLES: dict[Outcome, Callable[[], Verdict]] = {
    Outcome.UNREADABLE: lambda: verdict(ALWAYS, person(), replace(POST, category="content")),
    Outcome.STALE: lambda: decide(policy(ALWAYS), USE, POST, Ledger({1: person()}), stale=True),
    Outcome.NO_POLICY: lambda: verdict(policy(ALWAYS), Ledger({1: person()}, withdrawn=frozenset({"v"}))),
    Outcome.NO_SUBJECT: lambda: verdict(ALWAYS, person(), replace(POST, subjects=())),
    Outcome.UNKNOWN_SUBJECT: lambda: verdict(ALWAYS, Ledger()),
    Outcome.ERASED: lambda: verdict(ALWAYS, SubjectFacts(erased=3)),
    Outcome.SUSPENDED: lambda: verdict(ALWAYS, Ledger({1: person()}, suspensions=(stop(),))),
    Outcome.UNKNOWN_TERRITORY: lambda: verdict(ALWAYS, person(residences=())),
    Outcome.UNKNOWN_ATTRIBUTE: lambda: verdict(
        rule(Mode.ALWAYS, attributes={"kind": frozenset({"member"})}), person()
    ),
    Outcome.NO_RULE: lambda: verdict(policy(), person()),
    Outcome.NOT_ENABLED: lambda: verdict(rule(Mode.NEVER), person()),
    Outcome.DISPUTED: lambda: verdict(rule(Mode.DISPUTED), person()),
    Outcome.RESERVED: lambda: verdict(ALWAYS, person(), replace(POST, reserved=frozenset({"training"}))),
    Outcome.UNDER_AGE: lambda: verdict(rule(Mode.ALWAYS, min_age=ADULT), person(born=2010)),
    Outcome.REFUSED: lambda: verdict(ALWAYS, person(refusal())),
    Outcome.NO_CONSENT: lambda: verdict(OPT_IN, person()),
    Outcome.CONSENT_OUTDATED: lambda: verdict(OPT_IN, person(grant(notice=("n", "v0")))),
    Outcome.CONSENT_EXPIRED: lambda: verdict(rule(Mode.OPT_IN, expires_after=DAY), person(grant())),
    Outcome.NOT_NOTIFIED: lambda: verdict(OPT_OUT, person()),
    Outcome.NOTICE_PERIOD: lambda: verdict(rule(Mode.OPT_OUT, notice_period=101 * DAY), person(told())),
    Outcome.COLLECTED_OUTSIDE_WINDOW: lambda: verdict(rule(Mode.ALWAYS, collected=Window(NOW)), person()),
    Outcome.COLLECTED_TOO_EARLY: lambda: verdict(rule(Mode.OPT_IN, covers=AFTER_CHOICE), person(grant(THEN + 1))),
    Outcome.NO_CHOICE: lambda: verdict(ALWAYS, person()),
    Outcome.NOT_TOLD: lambda: verdict(
        rule(Mode.OPT_OUT, told=Told.PUBLISHED), Ledger({1: person()}, published=(told(),))
    ),
    Outcome.NOT_OBJECTED: lambda: verdict(OPT_OUT, person(told())),
    Outcome.ORGANISATION: lambda: verdict(HELD, WORKSPACE, replace(POST, account=7)),
    Outcome.GRANTED: lambda: verdict(OPT_IN, person(grant())),
}  # fmt: skip


@pytest.mark.parametrize("outcome", Outcome, ids=lambda outcome: outcome.word)
def test_every_reason_and_ground_is_reached(outcome: Outcome) -> None:
    found = EXAMPLES[outcome]()
    assert found.outcome is outcome
    assert (found.permit, found.reason, found.ground) == (
        (True, None, outcome.word) if outcome >= Outcome.NO_CHOICE else (False, outcome.word, None)
    )


def test_the_order_is_that_of_the_page() -> None:
    reasons = [
        "unreadable",
        "stale",
        "no-policy",
        "no-subject",
        "unknown-subject",
        "erased",
        "suspended",
        "unknown-territory",
        "unknown-attribute",
        "no-rule",
        "not-enabled",
        "disputed",
        "reserved",
        "under-age",
        "refused",
        "no-consent",
        "consent-outdated",
        "consent-expired",
        "not-notified",
        "notice-period",
        "collected-outside-window",
        "collected-too-early",
    ]
    grounds = ["granted", "organisation", "not-objected", "not-told", "no-choice"]
    assert [outcome.word for outcome in Outcome] == reasons + grounds[::-1]


def test_the_first_of_several_reasons_is_reported() -> None:
    who = person(refusal(), grant(notice=("n", "v0"), at=THEN + 1), born=2010)
    strict = rule(Mode.OPT_IN, min_age=ADULT, collected=Window(NOW))
    record = replace(POST, reserved=frozenset({"genai"}))
    assert verdict(strict, who, record).reason == "reserved"
    assert verdict(strict, who).reason == "under-age"
    assert verdict(replace(strict, min_age=None), who).reason == "consent-outdated"


def test_the_weakest_ground_is_reported() -> None:
    who = person(grant(), told())
    assert verdict(policy(OPT_IN, ALWAYS), who).ground == "no-choice"
    assert verdict(policy(OPT_IN, OPT_OUT), who).ground == "granted"
    two = Ledger({1: person(grant()), 2: person(told())})
    both = replace(POST, subjects=(Subject(1), Subject(2)))
    assert verdict(OPT_OUT, Ledger({1: person(grant(), told()), 2: person(told())}), both).ground == "not-objected"
    assert verdict(OPT_OUT, two, both).reason == "not-notified"


def test_evidence_names_the_lowest_subject_then_the_first_situation_then_the_first_rule() -> None:
    first, second = rule(Mode.NEVER, "first"), rule(Mode.NEVER, "second")
    moved = person(residences=((LONG_AGO, "DE"), (NOW, "FR")))
    both = replace(POST, subjects=(Subject(2), Subject(1)), territory="GB")
    found = verdict(policy(first, second), Ledger({1: person(), 2: moved}), both)
    assert found.evidence == Evidence("sha256:0", "v", "first", "FR", 2, ())
    where = verdict(policy(first, second), Ledger({1: person(), 2: person(residences=((THEN, "DE"),))}), both)
    assert (where.evidence.territory, where.evidence.subject) == ("DE", 2)


def test_evidence_gives_the_positions_of_what_is_behind() -> None:
    assert verdict(OPT_IN, person(grant(position=77))).evidence.positions == (77,)
    assert verdict(OPT_IN, person(refusal(position=78))).evidence.positions == (78,)
    assert verdict(OPT_OUT, person(told(position=79))).evidence.positions == (79,)
    assert verdict(OPT_OUT, person(told(position=None))).evidence.positions == ()
    stopped = Ledger({1: person()}, suspensions=(stop(position=80),))
    assert verdict(ALWAYS, stopped).evidence.positions == (80,)


@pytest.mark.parametrize(
    "record",
    [
        replace(POST, subjects=None),
        replace(POST, subjects=(Subject(1), Subject(None))),
        replace(POST, category=None),
        replace(POST, category="content"),
        replace(POST, category="nonsense"),
        replace(POST, collected_at=None),
        replace(POST, collected_at=NOW + 1),
        replace(POST, territory="France"),
        replace(POST, territory=""),
        replace(POST, malformed=True),
    ],
)
def test_what_cannot_be_read_is_denied(record: Record) -> None:
    assert verdict(ALWAYS, person(), record).reason == "unreadable"


@pytest.mark.parametrize("use", [Use("training", "platform", NOW), Use("x", "platform", NOW), Use("genai", "x", NOW)])
def test_a_use_names_a_leaf_and_a_known_recipient(use: Use) -> None:
    assert verdict(ALWAYS, person(), POST, use).reason == "unreadable"


def test_an_absent_territory_or_account_is_no_fault() -> None:
    assert verdict(ALWAYS, person(), replace(POST, territory=None, account=None, collected_at=NOW)).permit


def test_unreadable_comes_before_stale() -> None:
    held = Ledger({1: person()})
    assert decide(policy(ALWAYS), USE, replace(POST, category=None), held, stale=True).reason == "unreadable"
    assert decide(policy(ALWAYS), USE, replace(POST, subjects=()), held, stale=True).reason == "stale"
    assert decide(policy(ALWAYS), replace(USE, at=THEN), POST, Ledger(), stale=True).reason == "stale"
