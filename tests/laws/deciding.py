"""Deciding many records of a generated world at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property

from hypothesis import given
from hypothesis import strategies as st

from sayso.policy.decide import decide, find
from sayso.policy.facts import Record, Use
from sayso.policy.model import Policy, Rule, Version
from sayso.policy.verdict import Finding, Outcome
from tests import strategies
from tests.searching import searched
from tests.strategies import World

RECORDS = 40
WIDE = {"purposes": ["training", "ads"], "categories": ["content", "messages", "health"]}
REFUSAL = {"kind": "choice.recorded", "decision": "refusal", "by": "holder", "scope": WIDE}
USE = Use("genai", "platform", strategies.START + 20 * 86_400_000_000)


class Case:
    """A world and some records about its people."""

    def __init__(self, world: World, seed: int, count: int = RECORDS) -> None:
        self.world, self.seed = world, seed
        self.records = strategies.many_records(world, seed, count)

    def __repr__(self) -> str:
        return f"Case({self.world!r}, {self.seed})"

    @cached_property
    def outcomes(self) -> list[Outcome]:
        """The verdict on each record."""
        return outcomes(self.world, self.records)


def outcomes(world: World, records: Iterable[Record]) -> list[Outcome]:
    """The verdict on each record."""
    known = world.known
    return [decide(world.policy, world.use, record, known).outcome for record in records]


def cases(*, accounts: bool = True) -> st.SearchStrategy[Case]:
    """A world with records."""
    return st.builds(Case, strategies.worlds(accounts=accounts), st.integers(0, 2**32))


def law(**given_too: st.SearchStrategy[object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A property of every case."""

    def named(test: Callable[..., None]) -> Callable[..., None]:
        return searched(40)(given(case=cases(), **given_too)(test))

    return named


def findings(world: World, record: Record) -> list[tuple[Finding, Rule | None]]:
    """Everything found, with the rule that it was found under."""
    version = in_force(world)
    return [
        (found, version.rules[found.rule] if version is not None and found.rule >= 0 else None)
        for found in find(world.policy, world.use, record, world.known)
    ]


def in_force(world: World) -> Version | None:
    """The version that decides."""
    return world.policy.in_force(world.use.at, world.context.withdrawn)


def with_rules(policy: Policy, change: Callable[[Version], Sequence[Rule]]) -> Policy:
    """The policy with other rules in each version, numbered anew."""
    versions = [
        replace(version, rules=tuple(replace(rule, index=index) for index, rule in enumerate(change(version))))
        for version in policy.versions
    ]
    return replace(policy, versions=tuple(versions))


def never_loosens(case: Case, after: World, records: Sequence[Record] | None = None) -> None:
    """Nothing that was denied is permitted after; `records` are what became of the case's."""
    later = outcomes(after, case.records if records is None else records)
    for record, before, now in zip(case.records, case.outcomes, later, strict=True):
        assert before.permits or not now.permits, (record, before, now)
