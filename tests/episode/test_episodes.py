"""Episodes: the shipped sagas and one that says all there is to say, through reference and gate; and bad files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sayso import wiring
from sayso.episode.reading import read_episode
from sayso.episode.run import EpisodeReport, run_episode
from sayso.episode.sagas import SAGAS
from sayso.errors import EpisodeError, PolicyError
from sayso.ledger.identity import IdType
from sayso.policy.loading import examine_file
from sayso.policy.verdict import Outcome

ABLE = Path(__file__).parent / "episodes/able.episode.yaml"


def run(path: Path) -> EpisodeReport:
    def fresh(file: Path, ids: IdType, now: Callable[[], int]) -> wiring.Parts:
        return wiring.create(file, ids, now=now)

    return run_episode(path, engine=wiring.engine(threads=1), open_ledger=fresh)


def told(report: EpisodeReport) -> list[str]:
    """The questions that failed, as a person would want to read them."""
    return [
        f"{one.question.line}: {one.question.ask}: expected {one.question.outcome.word}, "
        f"reference {one.reference.outcome.word}, gate {one.gate.outcome.word}"
        for one in report.failed
    ]


@pytest.mark.parametrize("path", [*SAGAS.values(), ABLE], ids=lambda path: path.name)
def test_every_question_is_answered_as_expected_by_reference_and_gate(path: Path) -> None:
    report = run(path)
    assert told(report) == []
    assert report.passed
    document = json.loads(json.dumps(report.to_json()))
    assert document["questions"] == len(document["answers"]) == len(report.answered)
    assert [one["number"] for one in document["answers"]] == list(range(1, len(report.answered) + 1))


@pytest.mark.parametrize("name", sorted(SAGAS))
def test_a_saga_asks_much_and_cites_what_it_says(name: str) -> None:
    episode = read_episode(SAGAS[name])
    assert len(episode.questions) >= 40
    for version in examine_file(SAGAS[name].with_name(f"{name}.policy.yaml")).policy.versions:  # type: ignore[union-attr]
        assert version.rules
    text = SAGAS[name].with_name(f"{name}.policy.yaml").read_text("utf-8")
    assert text.count("- id: ") == text.count(" source: ")  # each version and each rule
    assert "[M]" not in text
    cited = [one for one in episode.story.events if one.register_ is None and one.publish is None and one.event is None]
    lifts = [one for one in cited if one.lift is not None]
    assert all(one.source or one.lift for one in cited)
    assert all("[P]" in text or "[S]" in text for one in lifts if one.lift for text in one.lift.evidence.values())


def test_the_sagas_use_no_instant_that_is_not_around_their_timeline() -> None:
    outcomes = {question.outcome for path in SAGAS.values() for question in read_episode(path).questions}
    assert {Outcome.DISPUTED, Outcome.SUSPENDED, Outcome.NO_POLICY, Outcome.UNDER_AGE, Outcome.REFUSED} <= outcomes


SMALL = """\
episode: 1
title: small
policy:
  sayso: 1
  platform: small
  purposes: {training: }
  categories: {posts: }
  recipients: {us: }
  versions:
    - {id: a, announced: 2025-01-01T00:00:00Z, effective: 2025-01-01T00:00:00Z, rules: [
        {id: open, purposes: all, categories: all, recipients: all, mode: always}]}
events:
  - {at: 2025-01-01T00:00:00Z, publish: policy}
  - {at: 2025-01-02T00:00:00Z, register: {anna: DE}}
questions:
  - ask: may it
    record: {subject: anna, category: posts, collected_at: 2025-01-03T00:00:00Z}
    use: {purpose: training, recipient: us, at: 2025-02-01T00:00:00Z}
    expect: {permit: no-choice}
"""


def small(tmp_path: Path, old: str = "", new: str = "") -> Path:
    assert old in SMALL
    path = tmp_path / "small.episode.yaml"
    path.write_text(SMALL.replace(old, new), "utf-8")
    return path


def test_a_wrong_expectation_fails_and_says_both_answers(tmp_path: Path) -> None:
    report = run(small(tmp_path, "{permit: no-choice}", "{deny: refused}"))
    assert not report.passed
    (one,) = report.failed
    assert (one.reference.outcome, one.gate.outcome) == (Outcome.NO_CHOICE, Outcome.NO_CHOICE)
    assert not one.differs
    assert report.to_json()["failed"] == 1


@pytest.mark.parametrize(
    ("old", "new"), [("{permit: no-choice}", "{permit: no-choice, rule: other}"),
                     ("{permit: no-choice}", "{permit: no-choice, territory: FR}")],
)  # fmt: skip
def test_a_wrong_rule_or_territory_fails(tmp_path: Path, old: str, new: str) -> None:
    assert not run(small(tmp_path, old, new)).passed


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("title: small", "titel: small", 1, "expected a key `title`"),
        ("title: small", "title: small\nsurplus: 1", 3, "unknown key `surplus`"),
        ("publish: policy", "publish: another", 13, "unknown policy `another`"),
        ("publish: policy", "publish: policy, announce: {notice: a, version: b}", 13, "expected one of `publish`"),
        ("2025-01-02T00:00:00Z", "2024-01-02T00:00:00Z", 14, "in the order in which they were recorded"),
        ("at: 2025-02-01T00:00:00Z", "at: 2025-02-01T00:00:00", 18, "time zone"),
        ("recipient: us, ", "", 16, "expected `recipient` in the use"),
        ("{permit: no-choice}", "{permit: refused}", 19, "expected a ground, got `refused`"),
        ("{permit: no-choice}", "{}", 19, "expected either `permit"),
        ("subject: anna,", "subject: anna, subjects: [anna],", 17, "either `subject` or `subjects`"),
        ("    expect", "    position: 1\n    known_at: end\n    expect", 19, "either `known_at` or `position`"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    with pytest.raises(EpisodeError) as caught:
        read_episode(small(tmp_path, old, new))
    assert any(one.line == line and message in one.message for one in caught.value.problems), caught.value


def test_every_problem_is_told_of_at_once(tmp_path: Path) -> None:
    path = small(tmp_path, "publish: policy", "publish: another")
    path.write_text(path.read_text("utf-8").replace("{permit: no-choice}", "{permit: yes}"), "utf-8")
    with pytest.raises(EpisodeError) as caught:
        read_episode(path)
    assert len(caught.value.problems) == 2


def test_a_problem_of_an_inline_policy_is_at_its_line_of_the_episode(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        read_episode(small(tmp_path, "mode: always", "mode: perhaps"))
    assert caught.value.problems[0].line == 11


def test_an_event_that_the_ledger_refuses_is_told_of_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(EpisodeError, match=r"small\.episode\.yaml:14:5: subject\.registered") as caught:
        run(small(tmp_path, "register: {anna: DE}", "event: {kind: subject.registered}"))
    assert caught.value.problems
