"""From an episode's text to its policies, events and questions, with every problem at its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from sayso.episode.format import RecordOf, Story, SubjectOf
from sayso.errors import EpisodeError, EventError, PolicyError, Problem
from sayso.ledger.identity import Id, IdType
from sayso.policy.facts import Record, Subject, Use
from sayso.policy.loading import Report, contents, examine_source, load
from sayso.policy.model import Policy
from sayso.policy.parse import problems
from sayso.policy.source import Path as At
from sayso.policy.source import Source, read
from sayso.policy.verdict import Outcome

DEFAULT = "policy"
"""The name of the one policy of a file that names none."""
WORDS = {outcome.word: outcome for outcome in Outcome}


@dataclass(frozen=True)
class Question:
    """A question, complete: a record, a use, as known when, and the verdict that is expected."""

    number: int
    line: int
    ask: str
    record: Record
    use: Use
    known_at: int | None
    """As known at an instant; `None` is the end of the episode, unless there is a `position`."""
    position: int | None
    policy: str | None
    outcome: Outcome
    rule: str | None
    territory: str | None
    source: str | None
    why: str | None


@dataclass(frozen=True)
class Episode:
    """An episode that can be run."""

    file: str
    story: Story
    source: Source
    id_type: IdType
    policies: Mapping[str, Policy]
    questions: tuple[Question, ...]

    def problem(self, path: At, message: str, remedy: str | None = None) -> Problem:
        """A problem at a place of the file."""
        return self.source.problem(path, message, remedy)


def read_episode(path: Path) -> Episode:
    """The episode in a file. Raises EpisodeError with every problem of it, PolicyError with those of its policies."""
    try:
        text = contents(path)
    except (OSError, ValueError) as error:
        raise EpisodeError(
            Problem(f"cannot be read: {getattr(error, 'strerror', None) or error}", str(path))
        ) from error
    source = read(text, str(path))
    if source.problems:
        raise EpisodeError(source.problems)
    try:
        story = Story.model_validate(source.data)
    except ValidationError as error:
        raise EpisodeError(tuple(problems(error.errors(include_url=False), source, Story))) from error
    policies = _policies(story, source, path)
    id_type = IdType(story.ids)
    found: list[Problem] = []
    questions = tuple(_question(story, source, place, id_type, found) for place in range(len(story.questions)))
    _check(story, source, policies, found)
    if found:
        raise EpisodeError(found)
    return Episode(str(path), story, source, id_type, policies, questions)


def _policies(story: Story, source: Source, path: Path) -> dict[str, Policy]:
    """Every policy of the file, compiled."""
    written: dict[str, tuple[At, dict[str, Any]]] = {
        name: (("policies", name), one) for name, one in story.policies.items()
    }
    if story.policy is not None:
        written[DEFAULT] = (("policy",), story.policy)
    if not written:
        raise EpisodeError(source.problem((), "expected a `policy` or `policies`, got neither", "add one"))
    policies: dict[str, Policy] = {}
    wrong: list[Problem] = []
    for name, (place, document) in written.items():
        if set(document) == {"file"} and isinstance(document["file"], str):
            policies[name] = load(path.parent / document["file"])
            continue
        report = _inline(source, place, document)
        wrong += report.errors
        if report.policy is not None:
            policies[name] = report.policy
    if wrong:
        raise PolicyError(wrong)
    return policies


def _inline(source: Source, place: At, document: dict[str, Any]) -> Report:
    """A policy that stands in the episode, its problems at their lines there."""
    depth = len(place)
    inner = Source(source.file, document)
    inner.values = {at[depth:]: where for at, where in source.values.items() if at[:depth] == place}
    inner.keys = {at[depth:]: where for at, where in source.keys.items() if at[:depth] == place and len(at) > depth}
    return examine_source(inner)


def _check(story: Story, source: Source, policies: Mapping[str, Policy], found: list[Problem]) -> None:
    """What concerns events among themselves, and names of policies."""
    before = None
    for place, one in enumerate(story.events):
        if before is not None and one.at < before:
            found.append(
                source.problem(
                    ("events", place, "at"), "expected events in the order in which they were recorded",
                    "move it up, or give it an `effective_at`",
                )
            )  # fmt: skip
        before = one.at
    named = [(("events", place, "publish"), one.publish) for place, one in enumerate(story.events)]
    named += [(("questions", place, "policy"), one.policy) for place, one in enumerate(story.questions)]
    for at, name in named:
        if name is not None and name not in policies:
            known = ", ".join(f"`{one}`" for one in policies)
            found.append(source.problem(at, f"unknown policy `{name}`", f"the file has {known}"))


def _question(story: Story, source: Source, place: int, id_type: IdType, found: list[Problem]) -> Question:
    asked = story.questions[place]
    at: At = ("questions", place)
    record = _over(story.defaults.record, asked.record)
    use = _over(story.defaults.use, asked.use)
    missing = [name for name in ("purpose", "recipient", "at") if use.get(name) is None]
    found += [source.problem(at, f"expected `{one}` in the use, or in the defaults", f"add `{one}`") for one in missing]
    if asked.record.subject is not None and asked.record.subjects is not None:
        found.append(source.problem((*at, "record"), "expected either `subject` or `subjects`", "leave one out"))
    if asked.known_at is not None and asked.position is not None:
        found.append(source.problem((*at, "position"), "expected either `known_at` or `position`", "leave one out"))
    word = asked.expect.permit or asked.expect.deny or ""
    outcome = WORDS.get(word)
    if outcome is None or outcome.permits is not (asked.expect.permit is not None):
        kind, permits = ("ground", True) if asked.expect.permit is not None else ("reason", False)
        known = ", ".join(f"`{name}`" for name, one in WORDS.items() if one.permits is permits)
        found.append(source.problem((*at, "expect"), f"expected a {kind}, got `{word}`", f"{kind}s are {known}"))
    instant_ = use.get("at") or 0
    known_at = {None: instant_, "end": None}.get(asked.known_at, asked.known_at)  # type: ignore[arg-type]
    where = source.values.get(at)
    return Question(
        number=place + 1,
        line=where.line if where else 1,
        ask=asked.ask,
        record=_record(record, asked.record, id_type),
        use=Use(use.get("purpose") or "", use.get("recipient") or "", instant_),
        known_at=known_at if isinstance(known_at, int) else None,
        position=asked.position,
        policy=asked.policy,
        outcome=outcome or Outcome.UNREADABLE,
        rule=asked.expect.rule,
        territory=asked.expect.territory,
        source=asked.source,
        why=asked.why,
    )


def _over(defaults: BaseModel, given: BaseModel) -> dict[str, Any]:
    """What is given, and the defaults where nothing is; a key that is given as null stays null."""
    held = {name: getattr(defaults, name) for name in type(defaults).model_fields}
    return held | {name: getattr(given, name) for name in given.model_fields_set}


def _record(held: dict[str, Any], given: RecordOf, id_type: IdType) -> Record:
    """A record. Of `subject` and `subjects`, what the question says goes before what the defaults say."""
    several = held["subjects"]
    if "subject" in given.model_fields_set or several is None:
        several = None if held["subject"] is None else [held["subject"]]
    subjects = None if several is None else tuple(_subject(one, id_type) for one in several)
    account = held["account"]
    return Record(
        subjects, held["category"], held["collected_at"], held["territory"],
        None if account is None else _id(account, id_type), frozenset(held["reserved"]),
    )  # fmt: skip


def _subject(one: Any, id_type: IdType) -> Subject:
    return Subject(_id(one.id, id_type), one.role) if isinstance(one, SubjectOf) else Subject(_id(one, id_type))


def _id(value: object, id_type: IdType) -> Id | None:
    """An id in the ledger's form; one that is not of it cannot be read, and denies."""
    try:
        return id_type.read(value)
    except EventError:
        return None
