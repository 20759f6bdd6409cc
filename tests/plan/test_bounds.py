"""What the reference decides is bounded by how many kinds of people and of records there are, not by how many there are."""

from __future__ import annotations

from typing import Any

import ibis
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sayso import instant, policy
from sayso.consent.context import Broadcast, Context
from sayso.consent.editions import Editions
from sayso.consent.fold import Fact
from sayso.plan.gate import Shape, combinations
from sayso.policy.facts import Delivery, Id, Record, Subject, Use
from tests import strategies
from tests.compare import by_arrays, by_reference, corpus, snapshot, tables
from tests.laws.platform import POLICY, SCOPE, START
from tests.searching import searched
from tests.strategies import World, fact

COUNTS = (20, 200)
SINCE_CHOICE = POLICY.replace("covers: all, covers_reason: a test, controller: Example, basis: consent",
                              "covers: after-choice, controller: Example, basis: consent").replace(
    "notice_period: 2d, covers: all, covers_reason: a test", "notice_period: 2d, covers: after-notice")  # fmt: skip


@pytest.fixture(scope="module")
def duckdb() -> Any:
    return ibis.duckdb.connect(threads=1)


def movers(count: int) -> World:
    """People who each moved four times, chose late and were told late, all at instants of their own."""
    edition = policy.loads(SINCE_CHOICE)
    context = Context(Editions([(1, edition)], edition))
    told = Delivery("n", "1", context.declared("n", "1", 2), START - 100 * instant.DAY, 2)
    context = Context(context.editions, deliveries=(Broadcast(told, None, {}, True),))
    return World(context, Use("genai", "platform", START), {who: _moved(who) for who in range(1, count + 1)})


def _moved(who: int) -> list[Fact]:
    places = ["FR", "GB", "FR", "US", "GB"] if who % 2 else ["GB", "FR", "GB", "FR", "FR"]
    since = START - 90 * instant.DAY + who * 1_000_003
    said: list[dict[str, Any]] = [{"kind": "subject.registered", "territory": places[0]}]
    said += [{"kind": "subject.moved", "territory": place} for place in places[1:]]
    said += [{"kind": "choice.recorded", "decision": "grant", "by": "holder", "scope": SCOPE, "notice": ["n", "1"]}]
    return [
        fact(payload, 100 + who * 10 + nth, recorded=since + nth * (10 * instant.DAY + who * 1_009))
        for nth, payload in enumerate(said)
    ]


def test_movers_and_late_choosers_are_decided_by_their_kind(duckdb: Any) -> None:
    """Ten times as many, whose instants all differ, are no more for the reference to decide; nobody's are rounded."""
    asked: list[int] = []
    world = movers(COUNTS[-1])
    for count in COUNTS:
        examples: list[Id] = []
        made = snapshot(duckdb, movers(count), examples)
        assert made.standing.num_rows == count
        assert made.overflow.num_rows > 3 * count
        asked.append(len(set(examples)))
    assert asked[0] == asked[1] < 10
    borders = [at for said in world.subjects.values() for one in said for at in (one.at - 1, one.at)][:1500]
    records = [Record((Subject(1 + place // 12 % 200), Subject(2)), "posts", at) for place, at in enumerate(borders)]
    found = by_arrays(duckdb, world, records)
    expected = by_reference(world, records)
    assert [(*one[:3], one[4]) for one in found] == [(*one[:3], one[4]) for one in expected]
    assert len({one[0] for one in expected}) > 2


@searched(10)
@given(world=strategies.worlds(), seed=st.integers(0, 2**32), times=st.integers(2, 6))
def test_pairs_of_people_and_accounts_are_decided_by_their_kind(
    duckdb: Any, world: World, seed: int, times: int
) -> None:
    """A corpus several times over asks the reference for no more, and any corpus for no more than there are keys."""
    made = snapshot(duckdb, world)
    assume(made.accounts is not None)
    shape = Shape(several=True, written=True, reserved=True, malformed=True, account=True)

    def decided(records: list[Record]) -> int:
        expression = combinations(ibis.memtable(corpus(records, world)), shape, tables(made), made.dimensions)
        return int(duckdb.to_pyarrow(expression.count()).as_py())

    records = strategies.many_records(world, seed, 200)
    once = decided(records)
    assert decided(records * times) == once
    numbers = made.dimensions
    people = len(set(made.standing.column("c0").to_pylist())) + 2 * strategies.PEOPLE + made.overflow.num_rows + 2
    assert once <= people * numbers.states * numbers.size
