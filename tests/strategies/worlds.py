"""Generated worlds: a policy, a use, and a ledger of a few people, with what it says to everyone alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from sayso.consent.context import Broadcast, Context
from sayso.consent.editions import Editions
from sayso.consent.fold import Fact
from sayso.consent.kin import groups
from sayso.consent.known import Known
from sayso.policy.facts import Delivery, Id, Suspension, Use
from sayso.policy.model import Policy
from tests.strategies.events import facts, position
from tests.strategies.policies import audiences, policies
from tests.strategies.terms import (
    ATTRIBUTES,
    EARLIER_CATEGORIES,
    NOTICES,
    instants,
    mostly,
    now_and_then,
    regions,
    scopes,
    windows,
)

PEOPLE = 4


@dataclass(frozen=True)
class World:
    """A policy, a use and a ledger, as facts by party."""

    context: Context
    use: Use
    subjects: dict[Id, list[Fact]] = field(default_factory=dict)
    accounts: dict[Id, list[Fact]] = field(default_factory=dict)
    organisations: dict[Id, list[Fact]] = field(default_factory=dict)

    @property
    def policy(self) -> Policy:
        """The policy that is decided by."""
        return self.context.policy

    @property
    def known(self) -> Known:
        """What the reference reads."""

        def of(parties: dict[Id, list[Fact]], ids: Sequence[Id]) -> Mapping[Id, Sequence[Fact]]:
            return {one: parties.get(one, []) for one in ids}

        return Known(
            self.context,
            lambda ids: of(self.subjects, ids),
            lambda ids: of(self.accounts, ids),
            lambda ids: of(self.organisations, ids),
        )

    @property
    def next_position(self) -> int:
        """A position after that of every event."""
        parties = (self.subjects, self.accounts, self.organisations)
        every = [fact.position for party in parties for facts in party.values() for fact in facts]
        every += [stop.position for stop in self.context.suspensions]
        every += [told.position or 0 for told in self.context.published]
        every += [broadcast.delivery.position or 0 for broadcast in self.context.deliveries]
        return max([*every, *self.context.editions.positions], default=0) + 1

    def deciding_by(self, policy: Policy) -> World:
        """The same, decided by another policy."""
        published = self.context.editions.published
        return replace(self, context=replace(self.context, editions=Editions(published, policy)))

    def saying(self, subject: Id, *said: Fact) -> World:
        """The same, with more facts of a person."""
        return replace(
            self, subjects=_without_erased({**self.subjects, subject: [*self.subjects.get(subject, []), *said]})
        )

    @property
    def buried(self) -> dict[Id, int]:
        """Who was erased, and where."""
        return {
            one: fact.position for one, said in self.subjects.items() for fact in said if fact.kind == "subject.erased"
        }


def _without_erased(subjects: dict[Id, list[Fact]]) -> dict[Id, list[Fact]]:
    """The facts of people, as an erasure leaves them: of the person, and of every alias, that it was."""
    pairs = [(one, f.other) for one, said in subjects.items() for f in said if f.kind == "subject.aliased"]
    kin = groups((one, other) for one, other in pairs if other is not None)
    found = dict(subjects)
    for one, said in subjects.items():
        tombstones = [fact for fact in said if fact.kind == "subject.erased"]
        for each in kin.get(one, (one,)) if tombstones else ():
            found[each] = [min(tombstones, key=lambda fact: fact.position)]
    return found


@st.composite
def contexts(draw: st.DrawFn, policy: Policy) -> Context:
    """What a ledger may say to everyone alike."""
    published: list[tuple[int, Policy]] = []
    if draw(st.booleans()):
        earlier = replace(policy, categories=EARLIER_CATEGORIES)
        first, second = sorted(draw(st.tuples(instants(-8, 3), instants(-3, 20))))
        published = [(position(first, 40, 1), earlier), (position(second, 41, 1), policy)]
        published = published[: draw(st.integers(1, 2))]
    context = Context(Editions(published, policy))
    told = st.tuples(st.sampled_from(NOTICES), instants(-8, 18), regions(), audiences(), st.booleans())
    deliveries = []
    for number, (notice, at, region, attributes, sign_up) in enumerate(draw(st.lists(told, min_size=1, max_size=3))):
        deliveries.append(Broadcast(_delivery(context, notice, at, 42, number), region, attributes, sign_up))
    texts = draw(st.lists(st.tuples(st.sampled_from(NOTICES), instants(0, 25)), max_size=2))
    suspensions: list[Suspension] = []
    if draw(now_and_then(5)):
        stops = st.tuples(scopes(), regions(0), instants(0, 25), mostly(None, instants(0, 30), of=2), windows())
        for number, (scope, where, opened, lifted, data) in enumerate(draw(st.lists(stops, min_size=1, max_size=2))):
            stop = Suspension(f"stop-{number}", scope, where, opened, position(opened, 44, number), lifted, data)
            suspensions.append(stop)
    return replace(
        context,
        suspensions=tuple(suspensions),
        published=tuple(_delivery(context, notice, at, 43, number) for number, (notice, at) in enumerate(texts)),
        deliveries=tuple(deliveries),
        withdrawn=frozenset({"version-1"}) if draw(now_and_then(3)) else frozenset(),
    )


def _delivery(context: Context, notice: tuple[str, str], at: int, party: int, number: int) -> Delivery:
    where = position(at, party, number)
    return Delivery(*notice, context.declared(*notice, where), at, where)


@st.composite
def uses(draw: st.DrawFn) -> Use:
    """A use, mostly of generative AI by the platform itself."""
    purpose = draw(st.sampled_from(["genai"] * 40 + ["ranking", "training", "nonsense"]))
    return Use(purpose, draw(st.sampled_from(["platform"] * 40 + ["affiliate", "nobody"])), draw(instants(12, 28)))


@st.composite
def worlds(draw: st.DrawFn, *, accounts: bool = True, people: int = PEOPLE) -> World:
    """A policy, a use, and a ledger of a few people."""
    policy = draw(policies(accounts=accounts))
    world = World(draw(contexts(policy)), draw(uses()))
    for subject in range(1, people + 1):
        if not draw(now_and_then(20)):
            world.subjects[subject] = draw(facts(subject))
    pairs = st.tuples(st.integers(1, people), st.integers(1, people))
    for number, (one, other) in enumerate(draw(st.lists(pairs, max_size=1))):
        if one != other:
            at = draw(instants(0, 25))
            for who, whom in ((one, other), (other, one)):
                known = Fact(position(at, 45, number), at, at, at, {"kind": "subject.aliased"}, whom)
                world.subjects.setdefault(who, []).append(known)
    if accounts:
        _accounts(draw, world)
    return replace(world, subjects=_without_erased(world.subjects))


def _accounts(draw: st.DrawFn, world: World) -> None:
    """Two accounts, mostly held by organisations, and what those said."""
    for organisation in (1, 2):
        said = draw(facts(20 + organisation, organisation=True, most=3))
        world.organisations[organisation] = [
            replace(f, payload={**f.payload, "by": "owner"}) if f.kind == "choice.recorded" else f for f in said
        ]
    later = st.tuples(st.sampled_from(["plan", "tier", "joined", "left"]), st.sampled_from([1, 2]), instants(-5, 25))
    for account in (1, 2):
        held = draw(st.lists(later, max_size=4))
        if not draw(now_and_then(8)):
            held = [("joined", draw(st.sampled_from([1, 2])), draw(instants(-9, -8))), *held]
        world.accounts[account] = [_account_fact(account, number, *item) for number, item in enumerate(held)]


def _account_fact(account: int, number: int, what: str, which: int, at: int) -> Fact:
    where = position(at, 30 + account, number)
    if what in ("joined", "left"):
        return Fact(where, at, at, at, {"kind": f"organisation.{what}"}, which)
    value = ATTRIBUTES[what].values[which - 1]
    return Fact(where, at, at, at, {"kind": "account.attributes-changed", "attributes": {what: value}})
