"""Law 5, *order-free*: permuting the rules of a version, or the subjects of a record, changes no verdict, reason or
ground.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from sayso.policy.facts import Record
from sayso.policy.model import Rule, Version
from tests.laws.deciding import Case, law, outcomes, with_rules
from tests.strategies import World


@law(order=st.randoms(use_true_random=False))
def test_order_free(case: Case, order: Random) -> None:
    def shuffled(version: Version) -> list[Rule]:
        return order.sample(version.rules, len(version.rules))

    def mixed(record: Record) -> Record:
        subjects = record.subjects
        return replace(record, subjects=None if subjects is None else tuple(order.sample(subjects, len(subjects))))

    world = case.world.deciding_by(with_rules(case.world.policy, shuffled))
    assert outcomes(world, case.records) == case.outcomes
    assert outcomes(case.world, map(mixed, case.records)) == case.outcomes


@law(order=st.randoms(use_true_random=False))
def test_facts_may_come_in_any_order(case: Case, order: Random) -> None:
    """What a store gives back is in no order: positions and instants are."""
    world = case.world
    mixed = World(
        world.context,
        world.use,
        {one: order.sample(said, len(said)) for one, said in world.subjects.items()},
        {one: order.sample(said, len(said)) for one, said in world.accounts.items()},
        {one: order.sample(said, len(said)) for one, said in world.organisations.items()},
    )
    assert outcomes(mixed, case.records) == case.outcomes
