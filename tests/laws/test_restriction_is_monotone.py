"""Law 4, *restriction is monotone*: one test for each kind of addition that never turns deny into permit."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sayso.consent.fold import Fact
from sayso.policy.facts import Subject, Suspension
from sayso.policy.model import Rule
from sayso.policy.terms import Scope, Window
from sayso.territory import Region
from tests import strategies
from tests.laws.deciding import Case, cases, in_force, law, never_loosens, with_rules
from tests.searching import searched
from tests.strategies import Payload, World, fact

PEOPLE = st.integers(1, strategies.PEOPLE)


@law(scope=strategies.scopes(), where=strategies.regions(1), opened=strategies.instants(), data=strategies.windows())
def test_restriction_is_monotone_by_suspension(
    case: Case, scope: Scope, where: Region | None, opened: int, data: Window
) -> None:
    world = case.world
    stop = Suspension("added", scope, where, opened, world.next_position, data=data)
    context = replace(world.context, suspensions=(*world.context.suspensions, stop))
    never_loosens(case, replace(world, context=context))


@law(
    subject=PEOPLE,
    said=strategies.choices().filter(lambda payload: payload["decision"] != "grant"),
    at=strategies.instants(-5, 28),
    recorded=strategies.instants(0, 28),
)
def test_restriction_is_monotone_by_refusal(case: Case, subject: int, said: Payload, at: int, recorded: int) -> None:
    """However late it is recorded: at its own position, later than all others, or before them."""
    for where in (case.world.next_position, 1):
        never_loosens(case, case.world.saying(subject, fact(said, where, recorded=recorded, effective=at)))


@law(organisation=st.integers(1, 2), said=strategies.choices(), at=strategies.instants(-5, 28))
def test_restriction_is_monotone_by_refusal_of_an_organisation(
    case: Case, organisation: int, said: Payload, at: int
) -> None:
    world = case.world
    refusal = fact({**said, "decision": "refusal", "by": "owner"}, world.next_position, recorded=at)
    of = [*world.organisations[organisation], refusal]
    never_loosens(case, replace(world, organisations={**world.organisations, organisation: of}))


@law(one=PEOPLE, other=st.integers(1, strategies.PEOPLE + 1), at=strategies.instants(-5, 28))
def test_restriction_is_monotone_by_alias(case: Case, one: int, other: int, at: int) -> None:
    never_loosens(case, aliased(case.world, one, other, at))


def aliased(world: World, one: int, other: int, at: int) -> World:
    """The world, in which two ids were found to be one person."""
    position = world.next_position
    for who, whom in ((one, other), (other, one)):
        world = world.saying(who, Fact(position, at, at, at, {"kind": "subject.aliased"}, whom))
    return world


@law(subject=PEOPLE, at=strategies.instants(-5, 28), recorded=strategies.instants(0, 28))
def test_restriction_is_monotone_by_signal_on_a_new_channel(case: Case, subject: int, at: int, recorded: int) -> None:
    payload = {"kind": "signal.seen", "signal": "gpc"}
    seen = fact(payload, case.world.next_position, recorded=recorded, effective=at, other="new channel")
    never_loosens(case, case.world.saying(subject, seen))


@law(subject=st.integers(1, strategies.PEOPLE + 1), role=st.sampled_from(["author", "mentioned", None]))
def test_restriction_is_monotone_by_further_subject(case: Case, subject: int, role: str | None) -> None:
    """Beside one that counts; where none does, a record is denied, and one more that counts may lift that."""
    version = in_force(case.world)
    counting = [
        record
        for record in case.records
        if version is not None and any(version.counts(one.role) for one in record.subjects or ())
    ]
    before = Case(case.world, case.seed)
    before.records = counting
    more = Subject(subject, role)
    for place in (0, 1):
        added = [
            replace(r, subjects=(*(r.subjects or ())[:place], more, *(r.subjects or ())[place:])) for r in counting
        ]
        never_loosens(before, case.world, added)


@law(territory=st.sampled_from([*strategies.PLACES, "US-TX", "QQ", "uk", "AT"]))
def test_restriction_is_monotone_by_territory_written_on_the_record(case: Case, territory: str) -> None:
    unwritten = [replace(record, territory=None) for record in case.records]
    before = Case(case.world, case.seed)
    before.records = unwritten
    never_loosens(before, case.world, [replace(record, territory=territory) for record in unwritten])


@searched(60)
@given(case=cases(accounts=False), data=st.data(), place=st.integers(0, 5))
def test_restriction_is_monotone_by_rule_whose_cells_were_covered(case: Case, data: st.DataObject, place: int) -> None:
    """Covered for sure: a first rule reaches everything, everywhere."""
    world = case.world
    added = data.draw(strategies.rules(9, accounts=True))
    version = in_force(world)
    if version is None or not version.rules:
        return
    first = replace(
        version.rules[0], scope=strategies.EVERYTHING, territories=None, attributes={}, band=None,
        data=strategies.EVERYTHING_EVER,
    )  # fmt: skip

    def covered(rules: tuple[Rule, ...]) -> list[Rule]:
        return [first, *rules[1:]]

    def more(rules: tuple[Rule, ...]) -> list[Rule]:
        held = covered(rules)
        return [*held[:place], added, *held[place:]]

    before = Case(world.deciding_by(with_rules(world.policy, lambda v: covered(v.rules))), case.seed)
    never_loosens(before, world.deciding_by(with_rules(world.policy, lambda v: more(v.rules))))


@law(index=st.integers(0, 4))
def test_restriction_is_monotone_by_rule_said_twice_more_strictly(case: Case, index: int) -> None:
    """A copy of a rule that asks for more covers nothing that was not covered."""
    version = in_force(case.world)
    if version is None or index >= len(version.rules):
        return
    stricter = replace(
        version.rules[index], id="stricter", collected=strategies.EVERYTHING_EVER, overrides_refusal=False
    )
    policy = with_rules(case.world.policy, lambda v: [*v.rules, stricter] if v is version else v.rules)
    never_loosens(case, case.world.deciding_by(policy))
