"""Running an episode: its events into a fresh ledger, each question to the reference and to the gate, and a report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sayso import instant
from sayso.consent.reader import Reader, View
from sayso.episode.happening import events_of
from sayso.episode.reading import Episode, Question, read_episode
from sayso.errors import EpisodeError, InputError
from sayso.gate.answering import Answer, answers
from sayso.gate.engine import Engine
from sayso.ledger.identity import IdType
from sayso.ledger.journal import Journal
from sayso.policy.decide import decide
from sayso.policy.facts import Use
from sayso.policy.verdict import Verdict


class Opened(Protocol):
    """An open ledger: `sayso.wiring.Parts` is one."""

    @property
    def journal(self) -> Journal:
        """What appends to it."""

    @property
    def reader(self) -> Reader:
        """What reads it for decisions."""

    def close(self) -> None:
        """Closes it."""


OpenLedger = Callable[[Path, IdType, Callable[[], int]], Opened]
"""Makes a new, empty ledger in a file, with a clock: `lambda path, ids, now: wiring.create(path, ids, now=now)`."""


@dataclass(frozen=True)
class Answered:
    """A question with both answers."""

    question: Question
    position: int
    reference: Verdict
    gate: Answer

    @property
    def differs(self) -> bool:
        """Whether the gate says something else than the reference."""
        told = self.reference.evidence
        same = (self.gate.outcome, self.gate.rule, self.gate.territory) == (
            self.reference.outcome, told.rule, told.territory,
        )  # fmt: skip
        return not same or self.gate.subject not in (None, told.subject)

    @property
    def as_expected(self) -> bool:
        """Whether the reference says what the file expects, and names the rule and territory that it names."""
        asked, told = self.question, self.reference.evidence
        return (
            self.reference.outcome is asked.outcome
            and asked.rule in (None, told.rule)
            and asked.territory in (None, told.territory)
        )

    @property
    def passed(self) -> bool:
        """Whether both say what is expected."""
        return self.as_expected and not self.differs

    def to_json(self) -> dict[str, Any]:
        """The question and both answers."""
        asked, told = self.question, self.reference.evidence
        return {
            "number": asked.number,
            "line": asked.line,
            "ask": asked.ask,
            "use": {
                "purpose": asked.use.purpose, "recipient": asked.use.recipient, "at": instant.format(asked.use.at),
            },
            "position": self.position,
            "expected": {"permit": asked.outcome.permits, "outcome": asked.outcome.word, "rule": asked.rule,
                         "territory": asked.territory},
            "reference": {"permit": self.reference.permit, "outcome": self.reference.outcome.word, "rule": told.rule,
                          "territory": told.territory, "version": told.version, "positions": list(told.positions)},
            "gate": {"permit": self.gate.outcome.permits, "outcome": self.gate.outcome.word, "rule": self.gate.rule,
                     "territory": self.gate.territory},
            "passed": self.passed,
            "source": asked.source,
            "why": asked.why,
        }  # fmt: skip


@dataclass(frozen=True)
class EpisodeReport:
    """Every question of an episode with both answers, in the file's order."""

    file: str
    title: str
    events: int
    answered: tuple[Answered, ...]

    @property
    def failed(self) -> tuple[Answered, ...]:
        """The questions whose answers differ from each other, or from what is expected."""
        return tuple(one for one in self.answered if not one.passed)

    @property
    def passed(self) -> bool:
        """Whether every question was answered as expected, twice."""
        return not self.failed

    def to_json(self) -> dict[str, Any]:
        """The whole report."""
        return {
            "file": self.file,
            "title": self.title,
            "events": self.events,
            "questions": len(self.answered),
            "failed": len(self.failed),
            "passed": self.passed,
            "answers": [one.to_json() for one in self.answered],
        }


class _Clock:
    """A clock that stands at the instant of the event that is being recorded."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def run_episode(path: Path, *, engine: Engine, open_ledger: OpenLedger) -> EpisodeReport:
    """Tells an episode to a new ledger, and answers its questions through the reference and through the gate.

    Raises EpisodeError for a file that cannot be read or an event that the ledger refuses, PolicyError for its
    policies, StoreError, EngineError. What differs or is not as expected is in the report.
    """
    episode = read_episode(path)
    clock = _Clock()
    with tempfile.TemporaryDirectory() as scratch:
        opened = open_ledger(Path(scratch) / "episode.ledger", episode.id_type, clock)
        try:
            sizes = _tell(episode, opened, clock)
            answered = _answer(episode, opened, sizes, engine, Path(scratch))
            events = opened.journal.head().size
        finally:
            opened.close()
    return EpisodeReport(episode.file, episode.story.title, events, answered)


def _tell(episode: Episode, opened: Opened, clock: _Clock) -> list[tuple[int, int]]:
    """Appends every event; gives the instant of each entry, with the ledger's size after it."""
    sizes: list[tuple[int, int]] = []
    policy = None
    for place, one in enumerate(episode.story.events):
        clock.now = one.at
        policy = policy if one.publish is None else episode.policies[one.publish]
        groups = {} if policy is None else policy.groups
        try:
            found = events_of(one, episode.policies, groups, episode.story.defaults.person, episode.id_type)
            stop = opened.journal.append_many(found).stop
        except InputError as error:
            told = [episode.problem(("events", place), one.message, one.remedy) for one in error.problems]
            raise EpisodeError(told) from error
        sizes.append((one.at, stop))
    return sizes


def _answer(
    episode: Episode, opened: Opened, sizes: list[tuple[int, int]], engine: Engine, scratch: Path
) -> tuple[Answered, ...]:
    """Both answers to each question; those of one use, policy and position are asked of the gate together."""
    groups: dict[tuple[str | None, int, Use], list[Question]] = {}
    for question in episode.questions:
        key = (question.policy, _position(episode, question, sizes), question.use)
        groups.setdefault(key, []).append(question)
    found: dict[int, Answered] = {}
    views: dict[tuple[str | None, int], View] = {}
    for (named, position, use), asked in groups.items():
        if (named, position) not in views:
            views[named, position] = _view(episode, opened, named, position, asked[0])
        view = views[named, position]
        records = [one.record for one in asked]
        gated = answers(opened.journal.store, view, use, records, engine, scratch)
        for one, gate in zip(asked, gated, strict=True):
            said = decide(view.context.policy, use, one.record, view.known)
            found[one.number] = Answered(one, position, said, gate)
    return tuple(found[number] for number in sorted(found))


def _position(episode: Episode, question: Question, sizes: list[tuple[int, int]]) -> int:
    last = sizes[-1][1] if sizes else 0
    if question.position is not None:
        if question.position > last:
            place = ("questions", question.number - 1, "position")
            raise EpisodeError(episode.problem(place, f"expected a position up to `{last}`, got `{question.position}`"))
        return question.position
    if question.known_at is None:
        return last
    return max((size for at, size in sizes if at <= question.known_at), default=0)


def _view(episode: Episode, opened: Opened, named: str | None, position: int, first: Question) -> View:
    """What the ledger says at a position, by the policy that a question names or the one last published by then."""
    policy = None if named is None else episode.policies[named]
    if policy is None and opened.reader.published(position) is None:
        raise EpisodeError(
            episode.problem(
                ("questions", first.number - 1), f"expected a policy published by position `{position}`, got none",
                "name one in the question's `policy`, or ask as known later with `known_at`",
            )
        )  # fmt: skip
    return opened.reader.view(policy, position)
