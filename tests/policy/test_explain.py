"""Explanations: the verdict first, every rule accounted for, in words and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sayso.policy.decide import decide
from sayso.policy.explain import Explanation, explain
from sayso.policy.facts import Record, Subject, SubjectFacts
from sayso.policy.model import Mode, Policy
from sayso.policy.situation import readable
from sayso.policy.terms import Window
from tests.policy.by_hand import (
    CALIFORNIA,
    LONG_AGO,
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
    told,
)
from tests.searching import searched
from tests.strategies import World, records, worlds


def explained(asked: Policy, who: SubjectFacts, record: Record = POST) -> Explanation:
    return explain(asked, USE, record, Ledger({1: who}))


def test_a_denial_says_whom_where_and_by_which_rule_and_what_did_not_match() -> None:
    asked = policy(OPT_OUT, rule(Mode.NEVER, "elsewhere", territories=CALIFORNIA))
    assert explained(asked, person(told(), refusal())).lines() == (
        "denied: refused for genai by platform at 2025-06-01T00:00:00Z, by version v",
        "  denies: refused — subject 1; now (FR); rule rule; events 11",
        "  denies: refused — subject 1; at collection (FR); rule rule; events 11",
        "  did not match: rule elsewhere",
    )


def test_a_permit_says_its_grounds() -> None:
    found = explained(policy(OPT_IN), person(grant(), residences=((LONG_AGO, "FR"), (THEN + 1, "DE"))))
    assert found.lines()[:2] == (
        "permitted: granted for genai by platform at 2025-06-01T00:00:00Z, by version v",
        "  permits: granted — subject 1; now (DE); rule rule; events 10",
    )
    assert found.unmatched == ()


def test_what_nobody_knows_is_said_so() -> None:
    lines = explained(policy(OPT_IN), SubjectFacts()).lines()
    assert "  denies: unknown-territory — subject 1; now (no known territory)" in lines
    assert "  denies: unknown-subject — subject 1" in lines
    assert lines[-1] == "  did not match: rule rule"


def test_what_cannot_be_read_is_not_said_to_match_nothing() -> None:
    found = explained(policy(OPT_IN), person(), replace(POST, category="nonsense"))
    assert found.lines()[1:] == ("  denies: unreadable",)
    assert found.to_json()["findings"][0]["category"] is None


def test_without_a_version_in_force_there_is_nothing_to_try() -> None:
    asked = replace(policy(OPT_IN), versions=())
    assert explained(asked, person()).lines() == (
        "denied: no-policy for genai by platform at 2025-06-01T00:00:00Z, by no version in force",
        "  denies: no-policy",
    )


def test_a_category_that_was_split_is_explained_part_by_part() -> None:
    found = explained(policy(OPT_IN), person(), replace(POST, category="articles"))
    assert {reason.category for reason in found.reasons} == {"posts", "comments"}


def test_the_json_form_holds_all_of_it() -> None:
    asked = policy(replace(OPT_OUT, source="a page"), rule(Mode.NEVER, "old", data=Window(until=LONG_AGO)))
    form = explained(asked, person(told())).to_json()
    assert json.loads(json.dumps(form)) == form
    assert form == {
        "permit": True,
        "reason": None,
        "ground": "not-objected",
        "use": {"purpose": "genai", "recipient": "platform", "at": "2025-06-01T00:00:00Z"},
        "policy": "sha256:0",
        "version": "v",
        "findings": [
            {
                "outcome": "not-objected", "permits": True, "subject": 1, "situation": situation, "territory": "FR",
                "rule": "rule", "source": "a page", "category": "posts", "positions": [13],
            }
            for situation in ("now", "at collection")
        ],
        "unmatched": ["old"],
    }  # fmt: skip


def test_a_record_about_nobody_is_explained() -> None:
    assert explained(policy(OPT_IN), person(), replace(POST, subjects=())).lines()[1] == "  denies: no-subject"
    mentioned = replace(POST, subjects=(Subject(1, "mentioned"),))
    assert "  denies: no-subject" in explained(policy(OPT_IN), person(refusal()), mentioned).lines()


@searched(100)
@given(worlds(), st.data())
def test_the_verdict_is_the_first_finding_and_every_rule_is_accounted_for(world: World, data: st.DataObject) -> None:
    record = data.draw(records(world))
    known = world.known
    found = explain(world.policy, world.use, record, known)
    assert found.verdict == decide(world.policy, world.use, record, known)
    assert found.reasons[0].outcome == found.verdict.outcome.word
    assert found.reasons[0].rule == found.verdict.evidence.rule
    permitting = [reason for reason in found.reasons if reason.permits]
    assert found.verdict.permit == (len(permitting) == len(found.reasons))
    version = world.policy.in_force(world.use.at, known.withdrawn)
    if version is not None and readable(world.policy, world.use, record):
        named = {reason.rule for reason in found.reasons if reason.rule} | set(found.unmatched)
        assert named == {one.id for one in version.rules}
    assert len(found.lines()) == 1 + len(found.reasons) + len(found.unmatched)
    assert json.loads(json.dumps(found.to_json())) == found.to_json()
