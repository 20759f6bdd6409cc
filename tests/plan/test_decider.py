"""The decider says what the reference says, of generated worlds and records with one subject."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ibis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.consent.context import Context
from sayso.consent.editions import Editions
from sayso.errors import UsageError
from sayso.plan.decider import Decider
from sayso.policy.decide import decide
from sayso.policy.facts import Record, Subject, Use
from sayso.policy.model import Policy
from tests import strategies
from tests.compare import snapshot
from tests.strategies import World

RECORDS = 500


@pytest.fixture(scope="module")
def duckdb() -> Any:
    return ibis.duckdb.connect(threads=1)


@given(world=strategies.worlds(accounts=False), seed=st.integers(0, 2**32))
def test_the_decider_says_what_the_reference_says(duckdb: Any, world: World, seed: int) -> None:
    made = snapshot(duckdb, world)
    decider = Decider(made)
    known = world.known
    version = world.policy.in_force(world.use.at, world.context.withdrawn)
    for record in strategies.many_records(world, seed, RECORDS, several=False):
        role = [None, "author", "mentioned"][record.collected_at % 3 if record.collected_at else 0]
        subject = record.subjects[0].id if record.subjects else None
        asked = replace(record, subjects=(Subject(subject, role),), reserved=frozenset())
        expected = decide(world.policy, world.use, asked, known)
        said = decider.decide(subject, record.category, record.collected_at, record.territory, role)
        rule = version.rules[said.rule].id if version and said.rule >= 0 else None
        evidence = expected.evidence
        assert (said.outcome, said.permit) == (expected.outcome, expected.permit), asked
        assert (rule, said.territory) == (evidence.rule, evidence.territory), asked
        assert (said.subject >= 0) == (evidence.subject is not None), asked
        if not expected.permit:
            assert said.position == (evidence.positions[0] if evidence.positions else None), asked


def test_a_use_that_asks_for_the_account_is_refused(duckdb: Any) -> None:
    world = World(Context(Editions((), _empty())), Use("genai", "platform", 0))
    made = snapshot(duckdb, world)
    with pytest.raises(UsageError, match="account"):
        Decider(replace(made, accounts=made.standing))


def _empty() -> Policy:
    return Policy(
        "example", "sha256:" + "0" * 64, strategies.PURPOSES, strategies.CATEGORIES, strategies.RECIPIENTS, ()
    )


def test_a_record_without_subject_is_unreadable(duckdb: Any) -> None:
    world = World(Context(Editions((), _empty())), Use("genai", "platform", 10))
    said = Decider(snapshot(duckdb, world)).decide(None, "posts", 0)
    assert not said.permit
    assert said.outcome == decide(world.policy, world.use, Record((Subject(None),), "posts", 0), world.known).outcome
