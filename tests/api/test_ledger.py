"""Recording and asking through the Python API, on the example's ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import sayso
from sayso.api import Ledger
from sayso.api.ledger import verdict_json
from sayso.errors import EventError, InputError, InstantError, PolicyError, StoreError, TerritoryError, UsageError
from sayso.policy.facts import Subject
from tests.tour import T0, TOUR, Clock

USE: dict[str, Any] = {"purpose": "generative-ai", "recipient": "platform"}
MARCH = "2025-03-01T12:00:00Z"


def test_a_ledger_is_made_once_and_opened(tmp_path: Path) -> None:
    with sayso.init_ledger(tmp_path / "l", "uuid") as ledger:
        assert (ledger.id_type, ledger.head.size, ledger.policy) == ("uuid", 0, None)
    with pytest.raises(StoreError, match="already"):
        sayso.init_ledger(tmp_path / "l")
    with sayso.open_ledger(tmp_path / "l") as ledger:
        one = "0190e5a0-0000-7000-8000-000000000000"
        ledger.append({"kind": "subject.registered", "subject": one.upper(), "territory": "FR"})
        ledger.publish(TOUR / "policy.yaml")
        ledger.choose("refusal", subject=UUID(one), source="test")
        assert [event["subject"] for event in ledger.show() if "subject" in event] == [one, one]
    with pytest.raises(StoreError, match="no ledger"):
        sayso.open_ledger(tmp_path / "m")


def test_nothing_is_decided_without_a_policy(tmp_path: Path) -> None:
    with sayso.init_ledger(tmp_path / "l") as ledger, pytest.raises(InputError, match="no policy is published"):
        ledger.decide(1, "posts", MARCH, **USE)


def test_publishing_again_does_nothing(ledger: Ledger, tour: Path) -> None:
    size = ledger.head.size
    again = ledger.publish(tour / "policy.yaml")
    assert (again.position, again.new, ledger.head.size) == (0, False, size)
    assert ledger.policy is not None
    assert again.digest == ledger.policy.digest


def test_a_policy_with_problems_is_told_of_whole(ledger: Ledger, tour: Path) -> None:
    bad = tour / "bad.yaml"
    bad.write_text((tour / "policy.yaml").read_text("utf-8").replace("[EEA, GB]", "[EAE, GB]").replace("30d", "soon"))
    with pytest.raises(PolicyError) as caught:
        ledger.publish(bad)
    assert len(caught.value.problems) == 2 or "soon" in str(caught.value)
    assert not sayso.check_policy(bad).policy
    assert sayso.load_policy(tour / "policy.yaml").platform == "example"


@pytest.mark.parametrize(
    ("subject", "category", "collected_at", "word"),
    [
        (1, "posts", MARCH, "not-objected"),
        ("1", "comments", datetime(2025, 3, 1, tzinfo=UTC), "not-objected"),
        (1, "posts", "2024-12-01T00:00:00Z", "collected-too-early"),
        (1, "private-messages", MARCH, "not-enabled"),
        (2, "posts", MARCH, "refused"),
        (3, "posts", MARCH, "under-age"),
        (4, "posts", MARCH, "granted"),
        (4, "comments", MARCH, "no-consent"),
        (6, "posts", MARCH, "no-rule"),
        (7, "posts", MARCH, "unknown-subject"),
        ("x", "posts", MARCH, "unreadable"),
        (1, "posts", None, "unreadable"),
        (None, "posts", MARCH, "unreadable"),
        ([], "posts", MARCH, "no-subject"),
        ([1, 2], "posts", MARCH, "refused"),
        ([Subject(1, "author"), Subject(None)], "posts", MARCH, "unreadable"),
        (1, "content", MARCH, "unreadable"),
    ],
)
def test_decisions(ledger: Ledger, subject: object, category: str, collected_at: object, word: str) -> None:
    verdict = ledger.decide(subject, category, collected_at, **USE)  # type: ignore[arg-type]
    assert verdict.outcome.word == word
    said = verdict_json(verdict)
    assert said["permit"] is verdict.permit
    assert word in (said["reason"], said["ground"])


def test_what_is_malformed_denies_and_what_is_naive_raises(ledger: Ledger) -> None:
    assert ledger.decide(1, "posts", MARCH, account="x", **USE).reason == "unreadable"
    assert ledger.decide(1, "posts", MARCH, territory="nowhere", **USE).reason == "unreadable"
    assert ledger.decide(1, "posts", MARCH, reserved=["ai-training"], **USE).reason == "reserved"
    for naive in ("2025-03-01T12:00:00", datetime(2025, 3, 1)):  # noqa: DTZ001
        with pytest.raises(InstantError):
            ledger.decide(1, "posts", naive, **USE)
        with pytest.raises(InstantError):
            ledger.decide(1, "posts", MARCH, at=naive, **USE)
    with pytest.raises(InstantError):
        ledger.decide(1, "posts", 5, **USE)  # type: ignore[arg-type]


def test_a_choice_counts_from_the_next_question_and_not_at_an_older_position(ledger: Ledger, clock: Clock) -> None:
    before = ledger.head.size
    made = ledger.choose("objection", subject=1, purposes="generative-ai", source="web form")
    assert made.position == before
    assert ledger.decide(1, "posts", MARCH, **USE).reason == "refused"
    assert ledger.decide(1, "posts", MARCH, position=before, **USE).ground == "not-objected"
    clock.now += 1
    grant = {"purposes": ["generative-ai"], "categories": ["posts"], "recipients": ["platform"],
             "notice": ("ai-notice", "2025-01"), "act": ("switched on", "settings page")}  # fmt: skip
    ledger.choose("grant", subject=1, source="settings", **grant)  # type: ignore[arg-type]
    assert ledger.decide(1, "posts", MARCH, **USE).ground == "granted"
    with pytest.raises(EventError, match="affirmative `act`"):
        ledger.choose("grant", subject=1, source="a default")
    with pytest.raises(EventError, match="registered as the subject's guardian"):
        ledger.choose("refusal", subject=3, source="letter", by=("guardian", 1))


def test_a_suspension_stops_a_group_until_it_is_lifted(ledger: Ledger, clock: Clock) -> None:
    ledger.suspend("s", authority="an authority", reason="an inquiry", territories="EEA", purposes="generative-ai",
                   data_until="2025-04-01T00:00:00Z", conditions={"dpia": "an assessment"})  # fmt: skip
    opened = list(ledger.show())[-1]
    assert "FR" in opened["scope"]["territories"]
    assert "GB" not in opened["scope"]["territories"]
    assert ledger.decide(1, "posts", MARCH, **USE).reason == "suspended"
    assert ledger.decide(1, "posts", "2025-04-01T00:00:00Z", **USE).permit
    clock.now += 1
    with pytest.raises(EventError, match="dpia"):
        ledger.lift("s")
    ledger.lift("s", evidence={"dpia": "assessment 7"})
    assert ledger.decide(1, "posts", MARCH, **USE).permit
    with pytest.raises(TerritoryError):
        ledger.suspend("t", authority="a", reason="r", territories=["EAE"])


def test_an_older_policy_or_another_instant_may_be_asked(ledger: Ledger, tour: Path) -> None:
    other = tour / "other.yaml"
    other.write_text((tour / "policy.yaml").read_text("utf-8").replace("[EEA, GB]", "[GB]"))
    assert ledger.decide(1, "posts", MARCH, policy=other, **USE).reason == "no-rule"
    assert ledger.decide(1, "posts", "2025-01-10T00:00:00Z", at="2025-01-20T00:00:00Z", **USE).reason == "no-policy"


def test_a_version_is_withdrawn_before_it_takes_effect_only(ledger: Ledger, tour: Path) -> None:
    with pytest.raises(EventError, match="took effect"):
        ledger.withdraw_version("2025-01", "too late")
    later = "  - {id: later, announced: 2025-07-01T00:00:00Z, effective: 2026-01-01T00:00:00Z, rules: []}\n"
    (tour / "next.yaml").write_text((tour / "policy.yaml").read_text("utf-8") + later)
    assert ledger.publish(tour / "next.yaml").new
    assert ledger.decide(1, "posts", MARCH, at="2026-02-01T00:00:00Z", **USE).reason == "no-rule"
    ledger.withdraw_version("later", "it was too much")
    assert ledger.decide(1, "posts", MARCH, at="2026-02-01T00:00:00Z", **USE).permit


def test_records_from_json_are_read_whole_or_not_at_all(ledger: Ledger) -> None:
    record = ledger.record({"subjects": [{"id": "1", "role": "author"}, {"id": 2}], "category": "posts",
                            "collected_at": MARCH, "reserved": []})  # fmt: skip
    assert record.subjects == (Subject(1, "author"), Subject(2))
    assert ledger.decide_record(record, **USE).reason == "refused"
    for bad in (5, {"subject": 1, "subjects": [1]}, {"colour": "red"}, {"category": 5}, {"reserved": "all"}):
        with pytest.raises(InputError):
            ledger.record(bad)  # type: ignore[arg-type]
    assert ledger.record({"subjects": [{"id": 1, "age": 5}]}).subjects == (Subject(None),)


def test_what_was_erased_is_shown_as_that(ledger: Ledger) -> None:
    ledger.append({"kind": "subject.erased", "subject": 4})
    assert [one["kind"] for one in ledger.show() if one.get("erased")] == [
        "subject.registered",
        "choice.recorded",
        "subject.erased",
    ]
    assert ledger.decide(4, "posts", MARCH, **USE).reason == "erased"


def test_an_event_made_in_python_is_judged_too(ledger: Ledger) -> None:
    from sayso.ledger.events import SignalSeen

    with pytest.raises(EventError, match="did you mean `gpc`"):
        ledger.append(SignalSeen(subject=1, signal="gpcc", channel="browser"))


def test_a_territory_that_leaves_some_out_is_no_list(ledger: Ledger) -> None:
    from sayso.api.given import territories_of
    from sayso.territory import Region

    with pytest.raises(UsageError, match="US-CA"):
        territories_of(["most-of-us"], 0, {"most-of-us": Region(frozenset({"US"}), frozenset({"US-CA"}))})


def test_many_decisions_are_those_of_the_reference_while_they_are_fresh(ledger: Ledger, clock: Clock) -> None:
    quick = ledger.decisions(**USE)
    replay = ledger.decisions(position=ledger.head.size, **USE)
    for subject in (1, "2", 3, 4, 5, 6, 7, "x", None):
        for category in ("posts", "comments", "private-messages", "profile", "content"):
            for at in (MARCH, "2024-12-01T00:00:00Z", datetime(2025, 1, 6, 8, tzinfo=UTC)):
                expected = ledger.decide([subject], category, at, **USE)
                found = quick.decide(subject, category, at)
                assert found.outcome == expected.outcome
                assert found.evidence.rule == expected.evidence.rule
                assert found.evidence.subject == expected.evidence.subject
    clock.now = quick.valid_until - 1
    assert quick.decide(1, "posts", 1_740_830_400_000_000).permit
    clock.now += 1
    assert quick.decide(1, "posts", MARCH).reason == "stale"
    assert replay.decide(1, "posts", MARCH).permit
    with pytest.raises(InstantError):
        replay.decide(1, "posts", "2025-03-01")


def test_a_choice_gives_its_receipt(ledger: Ledger) -> None:
    made = ledger.choose("objection", subject=1, purposes="generative-ai", source="web form")
    found = sayso.verify_receipt(made.receipt(), keys=ledger.log.keys)
    assert (found.position, found.choice["decision"]) == (made.position, "objection")
    assert "receipt" not in repr(made)


def test_a_clock_that_is_behind_undoes_no_objection(ledger: Ledger, clock: Clock, tour: Path) -> None:
    ledger.choose("objection", subject=1, purposes="generative-ai", source="test")
    clock.now -= 120_000_000  # as another host's may be
    assert ledger.decide(1, "posts", MARCH, **USE).reason == "refused"
    assert ledger.decisions(**USE).decide(1, "posts", MARCH).reason == "refused"
    columns = tour / "corpus.yaml"
    made = ledger.gate(tour / "posts.ndjson", columns=columns, into=tour / "out", **USE)
    assert made.counts["by_ground"] == {"granted": 1}
    assert made.manifest["use"]["at"] == "2025-06-01T00:00:00Z"


def test_a_clock_set_back_between_two_looks_undoes_no_objection(ledger: Ledger, clock: Clock, tour: Path) -> None:
    def object_then_set_back(stage: str, _done: int, _total: int) -> None:
        if stage == "writing" and clock.now == T0:
            clock.now += 1
            ledger.choose("objection", subject=1, purposes="generative-ai", source="test")
            clock.now -= 120_000_000

    columns = tour / "corpus.yaml"
    made = ledger.gate(tour / "posts.ndjson", columns=columns, into=tour / "out", progress=object_then_set_back, **USE)
    assert made.counts["by_ground"] == {"granted": 1}
