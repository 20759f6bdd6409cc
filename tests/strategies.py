"""Generated policies, ledgers and records: small worlds in which everything meets everything.

Instants lie on a grid of days with the odd microsecond beside it, ids and terms are few, so that ties, borders and
collisions are the rule and not the exception.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from hypothesis import strategies as st

from sayso import instant
from sayso.consent.context import Broadcast, Context
from sayso.consent.editions import Editions
from sayso.consent.fold import Fact
from sayso.consent.known import Known
from sayso.policy.facts import Delivery, Id, Record, Subject, Suspension, Use
from sayso.policy.model import (
    Attribute,
    Band,
    Covers,
    Holder,
    MinAge,
    Mode,
    NoticeVersion,
    Policy,
    Rule,
    SignalMap,
    SignUp,
    SituationMode,
    Told,
    Version,
)
from sayso.policy.terms import ALWAYS, Scope, Term, Vocabulary, Window
from sayso.territory import Region

START = instant.parse("2024-12-20T00:00:00Z")
DAYS = 30
LATER = 1000
"""Positions of events that all people share lie on even hundreds, so that there is room around them."""

PURPOSES = Vocabulary({t.name: t for t in (Term("training"), Term("genai", "training"), Term("ranking", "training"), Term("ads"))})
CATEGORIES = Vocabulary(
    {
        t.name: t
        for t in (
            Term("content"), Term("posts", "content", was=("articles",)), Term("comments", "content", was=("articles",)),
            Term("messages"), Term("health", special=True),
        )
    }
)  # fmt: skip
RECIPIENTS = Vocabulary({t.name: t for t in (Term("platform"), Term("affiliate"))})
EARLIER_CATEGORIES = Vocabulary({t.name: t for t in (Term("content"), Term("articles", "content"), Term("messages"))})
ATTRIBUTES = {
    "plan": Attribute("plan", ("free", "pro"), of_account=True, default="free"),
    "tier": Attribute("tier", ("a", "b"), of_account=True),
    "kind": Attribute("kind", ("member", "student")),
    "flag": Attribute("flag", ("on", "off"), default="off"),
}
PLACES = ("FR", "DE", "US", "US-CA", "GB")
ROLES = {"author": True, "mentioned": False}
NOTICES = (("n1", "v1"), ("n1", "v2"), ("n2", "v1"))


def instants(low: int = 0, high: int = DAYS) -> st.SearchStrategy[int]:
    """Instants on the grid, now and then a microsecond beside it."""
    return st.builds(
        lambda day, beside: START + day * instant.DAY + beside, st.integers(low, high), st.sampled_from([0, 0, 0, -1, 1])
    )


def some(values: Any, least: int = 1) -> st.SearchStrategy[frozenset[Any]]:
    """A subset."""
    return st.frozensets(st.sampled_from(sorted(values)), min_size=least)


def regions() -> st.SearchStrategy[Region | None]:
    """A set of territories, or everywhere."""
    return st.none() | st.none() | st.builds(
        Region, some(PLACES), st.sampled_from([frozenset(), frozenset(), frozenset({"US-CA"})])
    ).map(lambda region: Region(region.codes, region.excepted - region.codes))


def scopes() -> st.SearchStrategy[Scope]:
    """A scope over leaves."""
    wide = Scope(PURPOSES.leaves, CATEGORIES.leaves, RECIPIENTS.leaves)
    narrow = st.builds(Scope, some(PURPOSES.leaves), some(CATEGORIES.leaves), some(RECIPIENTS.leaves))
    genai = st.builds(lambda c: Scope(frozenset({"genai"}), c, RECIPIENTS.leaves), some(CATEGORIES.leaves))
    return st.one_of(*[st.just(wide)] * 4, genai, genai, narrow)


def windows() -> st.SearchStrategy[Window]:
    """Mostly always."""
    ends = st.none() | instants()
    return st.just(ALWAYS) | st.builds(Window, ends, ends)


def rules(index: int, *, accounts: bool) -> st.SearchStrategy[Rule]:
    """A rule; without `accounts`, one that asks nothing of a record's account."""
    names = sorted(ATTRIBUTES) if accounts else ["flag", "kind"]
    asked = st.sampled_from(names).flatmap(
        lambda name: some(ATTRIBUTES[name].values).map(lambda values: {name: values})
    )
    return st.builds(
        _rule,
        st.just(index),
        scopes(),
        st.sampled_from([*[Mode.OPT_IN, Mode.OPT_OUT, Mode.ALWAYS] * 5, Mode.NEVER, Mode.DISPUTED]),
        regions(),
        st.one_of(*[st.just({})] * 7, asked),
        st.one_of(*[st.none()] * 5, st.builds(Band, st.sampled_from([None, 13, 18]), st.sampled_from([None, 18, 30]))),
        st.one_of(*[st.just(ALWAYS)] * 4, windows()),
        st.sampled_from([Holder.SUBJECT, Holder.SUBJECT, Holder.ORGANISATION]) if accounts else st.just(Holder.SUBJECT),
        st.sampled_from(["n1", "n1", "n2"]),
        some(["v1", "v2"]),
        st.sampled_from(Told),
        st.sampled_from([0, 0, 1, 5]),
        st.sampled_from([Covers.ALL, Covers.AFTER_CHOICE, Covers.AFTER_NOTICE]),
        st.one_of(*[st.just(ALWAYS)] * 4, windows()),
        st.none() | st.none() | st.builds(MinAge, st.sampled_from([13, 18]), st.booleans(), st.booleans()),
        st.none() | st.integers(1, 15),
        st.booleans(),
    )


def _rule(index: int, scope: Scope, mode: Mode, territories: Any, attributes: Any, band: Any, data: Any, holder: Any,
          notice: str, accepts: Any, told: Told, period: int, covers: Covers, collected: Any, min_age: Any,
          expires: int | None, overrides: bool) -> Rule:  # fmt: skip
    opt_in, opt_out = mode is Mode.OPT_IN, mode is Mode.OPT_OUT
    fits = covers is Covers.ALL or covers is (Covers.AFTER_CHOICE if opt_in else Covers.AFTER_NOTICE)
    return Rule(
        f"rule-{index}", index, scope, mode, territories, attributes, band, data, holder,
        notice if opt_in or opt_out else None, accepts if opt_in or opt_out else frozenset(),
        told if opt_out else Told.DELIVERED, period * instant.DAY if opt_out else 0,
        covers if fits and (opt_in or opt_out) else Covers.ALL, collected, min_age,
        expires * instant.DAY if opt_in and expires else None, overrides and mode is Mode.ALWAYS,
    )  # fmt: skip


def audiences() -> st.SearchStrategy[dict[str, frozenset[str]]]:
    """The attributes that an audience asks for."""
    return st.just({}) | st.just({}) | some(["member", "student"]).map(lambda values: {"kind": values})


@st.composite
def policies(draw: st.DrawFn, *, accounts: bool = True, most_rules: int = 5) -> Policy:
    """A policy of one or two versions."""
    versions = []
    starts = draw(st.lists(instants(-5, 20), min_size=draw(st.sampled_from([0] + [1] * 9)), max_size=2, unique=True))
    for number, effective in enumerate(starts):
        count = draw(st.sampled_from([0, *range(1, most_rules + 1), 1, 1, 2, 2]))
        versions.append(
            Version(
                f"version-{number}",
                effective - instant.DAY,
                effective,
                tuple(draw(rules(index, accounts=accounts)) for index in range(count)),
                draw(st.sampled_from([SituationMode.STRICTEST, SituationMode.STRICTEST, *SituationMode])),
                sign_ups=draw(
                    st.just(())
                    | st.tuples(st.builds(SignUp, st.just("n1"), st.sampled_from(["v1", "v2"]), regions(), audiences()))
                ),
                roles=ROLES,
            )
        )
    declares = draw(st.tuples(*(scopes() for _ in NOTICES)))
    return Policy(
        "example", "sha256:" + "0" * 64, PURPOSES, CATEGORIES, RECIPIENTS, tuple(versions), ATTRIBUTES,
        {(n, v): NoticeVersion(n, v, d) for (n, v), d in zip(NOTICES, declares, strict=True)},
        {"gpc": SignalMap("gpc", draw(scopes()), draw(regions()))},
    )  # fmt: skip


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
        return self.context.policy

    @property
    def known(self) -> Known:
        """What the reference reads."""
        return Known(
            self.context,
            lambda ids: {i: self.subjects.get(i, []) for i in ids},
            lambda ids: {i: self.accounts.get(i, []) for i in ids},
            lambda ids: {i: self.organisations.get(i, []) for i in ids},
        )


def written_scopes() -> st.SearchStrategy[dict[str, Any]]:
    """A scope as an event writes it."""
    return st.sampled_from(
        [
            {"purposes": ["training"], "categories": ["content", "messages", "health"], "recipients": ["platform", "affiliate"]},
            {"purposes": ["genai"], "categories": ["content"], "recipients": ["platform"]},
            {"purposes": ["training"], "categories": ["content"], "except": ["posts"], "recipients": ["platform"]},
            {"purposes": ["training"], "categories": ["articles", "posts"], "recipients": ["platform", "affiliate"]},
        ]
    )  # fmt: skip


def payloads(*, account: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """What an event says of one party."""
    choice = st.builds(
        lambda decision, scope, notice, by, wide: {
            "kind": "choice.recorded", "decision": decision, "by": by,
            "scope": {k: v for k, v in scope.items() if not (wide and decision != "grant" and k == "recipients")},
            **({"notice": list(notice)} if decision == "grant" else {}),
        },
        st.sampled_from(["grant", "grant", "grant", "refusal", "withdrawal", "objection"]),
        written_scopes(), st.sampled_from(NOTICES), st.sampled_from(["holder", "holder", "guardian", "agent"]),
        st.booleans(),
    )  # fmt: skip
    delivered = st.sampled_from(NOTICES).map(lambda notice: {"kind": "notice.delivered", "notice": list(notice)})
    if account:
        return st.one_of(choice, delivered)
    moved = st.builds(
        lambda t, attested: {"kind": "subject.moved", "territory": t} | ({"attested": True} if attested else {}),
        st.sampled_from([*PLACES, "QQ"]), st.booleans(),
    )  # fmt: skip
    changed = st.sampled_from([("kind", "member"), ("kind", "student"), ("flag", "on")]).map(
        lambda item: {"kind": "subject.attributes-changed", "attributes": dict([item])}
    )
    born = st.builds(
        lambda year, corrected: {"kind": "subject.birth-year", "birth_year": year} | ({"corrected": True} if corrected else {}),
        st.sampled_from([1980, 1994, 2006, 2007, 2011]), st.booleans(),
    )  # fmt: skip
    signal = st.just({"kind": "signal.seen", "signal": "gpc"})
    erased = st.just({"kind": "subject.erased"})
    common = (choice, choice, choice, delivered, delivered, moved, changed, born, signal)
    return st.one_of(*common, *common, *common, erased)


RESTRICTS = ("subject.erased", "signal.seen", "subject.birth-year")


@st.composite
def facts(draw: st.DrawFn, party: int, *, registered: bool = True, most: int = 6) -> list[Fact]:
    """One party's facts; positions and recorded instants grow together, effective ones do not."""
    said = draw(st.lists(payloads(account=not registered), max_size=most))
    if registered:
        first = {"kind": "subject.registered"}
        if draw(st.integers(0, 9)):
            first["territory"] = draw(st.sampled_from(PLACES))
        if draw(st.booleans()):
            first["birth_year"] = draw(st.sampled_from([1980, 2006, 2007]))
        if draw(st.booleans()):
            first["attributes"] = {"kind": draw(st.sampled_from(["member", "student"]))}
        said = [first, *said]
    recorded = sorted(draw(st.lists(instants(0, 25), min_size=len(said), max_size=len(said))))
    found = []
    for number, (payload, at) in enumerate(zip(said, recorded, strict=True)):
        effective = draw(st.just(at) | instants(-5, 25))
        if registered and number == 0:
            effective = draw(st.one_of(*[instants(-8, -4)] * 3, instants(-5, 25)))
        loosens = payload["kind"] == "notice.delivered" or payload.get("decision") == "grant"
        counts = at if loosens and not payload.get("attested") else effective
        found.append(Fact(_position(at, party, number), counts, effective, at, payload, _channel(draw, payload)))
    return found


def _channel(draw: st.DrawFn, payload: dict[str, Any]) -> Id | None:
    return draw(st.sampled_from(["phone", "desktop"])) if payload["kind"] == "signal.seen" else None


def _position(recorded: int, party: int, number: int) -> int:
    """Unique, and in the order in which things were recorded."""
    return ((recorded - START) // (instant.DAY // 4) + 100) * LATER + party * 20 + number + 1


@st.composite
def worlds(draw: st.DrawFn, *, accounts: bool = True, people: int = 5) -> World:
    """A policy, a use, and a ledger of a few people."""
    policy = draw(policies(accounts=accounts))
    published = []
    if draw(st.booleans()):
        earlier = replace(policy, categories=EARLIER_CATEGORIES)
        first, second = sorted(draw(st.tuples(instants(0, 10), instants(0, 20))))
        published = [(_position(first, 40, 1), earlier), (_position(second, 41, 1), policy)]
        published = published[: draw(st.integers(1, 2))]
    context = Context(Editions(published, policy))
    told = draw(st.lists(st.tuples(st.sampled_from(NOTICES), instants(0, 25), regions(), audiences(), st.booleans()), max_size=3))
    deliveries = []
    for number, ((notice, version), at, region, attributes, sign_up) in enumerate(told):
        position = _position(at, 42, number)
        delivery = Delivery(notice, version, context.declared(notice, version, position), at, position)
        deliveries.append(Broadcast(delivery, region, attributes, sign_up))
    texts = draw(st.lists(st.tuples(st.sampled_from(NOTICES), instants(0, 25)), max_size=2))
    public = [
        Delivery(n, v, context.declared(n, v, _position(at, 43, i)), at, _position(at, 43, i))
        for i, ((n, v), at) in enumerate(texts)
    ]
    stops = draw(
        st.lists(st.tuples(scopes(), regions(), instants(0, 25), st.none() | instants(0, 30), windows()), max_size=2)
        if draw(st.integers(0, 2)) == 0
        else st.just([])
    )
    suspensions = [
        Suspension(f"stop-{i}", scope, region, opened, _position(opened, 44, i), lifted, window)
        for i, (scope, region, opened, lifted, window) in enumerate(stops)
    ]
    withdrawn = draw(st.sampled_from([frozenset(), frozenset(), frozenset({"version-1"})]))
    context = replace(
        context, suspensions=tuple(suspensions), published=tuple(public), deliveries=tuple(deliveries), withdrawn=withdrawn
    )
    use = Use(
        draw(st.sampled_from(["genai"] * 18 + ["ranking", "training", "nonsense"])),
        draw(st.sampled_from(["platform"] * 18 + ["affiliate", "nobody"])),
        draw(instants(12, 28)),
    )
    world = World(context, use)
    for subject in range(1, people + 1):
        if draw(st.integers(0, 9)):
            world.subjects[subject] = draw(facts(subject))
    for number, (one, other) in enumerate(draw(st.lists(st.tuples(*[st.integers(1, people)] * 2), max_size=2))):
        if one != other and draw(st.booleans()):
            at = draw(instants(0, 25))
            fact = Fact(_position(at, 45, number), at, at, at, {"kind": "subject.aliased"})
            world.subjects.setdefault(one, []).append(replace(fact, other=other))
            world.subjects.setdefault(other, []).append(replace(fact, other=one))
    if accounts:
        _accounts(draw, world)
    return world


def _accounts(draw: st.DrawFn, world: World) -> None:
    """Two accounts, held by organisations now and then, and what those said."""
    for organisation in (1, 2):
        said = draw(facts(20 + organisation, registered=False, most=3))
        world.organisations[organisation] = [
            replace(f, payload={**f.payload, "by": "owner"}) if f.kind == "choice.recorded" else f for f in said
        ]
    for account in (1, 2):
        held = draw(
            st.lists(
                st.tuples(st.sampled_from(["joined", "joined", "left", "plan", "tier"]), st.sampled_from([1, 2]), instants(-5, 25)),
                max_size=4,
            )
        )  # fmt: skip
        world.accounts[account] = [_account_fact(account, number, *item) for number, item in enumerate(held)]


def _account_fact(account: int, number: int, what: str, which: int, at: int) -> Fact:
    position = _position(at, 30 + account, number)
    if what in ("joined", "left"):
        return Fact(position, at, at, at, {"kind": f"organisation.{what}"}, which)
    value = ATTRIBUTES[what].values[which - 1]
    return Fact(position, at, at, at, {"kind": "account.attributes-changed", "attributes": {what: value}})


def records(world: World, *, several: bool = True, people: int = 6) -> st.SearchStrategy[Record]:
    """A record about the people of a world, and now and then about nobody, or unreadable."""
    one = st.builds(Subject, st.integers(1, people), st.sampled_from(["author", None, "mentioned"]))
    unread = st.builds(Subject, st.none(), st.none())
    lone = one.map(lambda subject: (subject,))
    lists = st.lists(one, max_size=4).map(tuple) | st.tuples(one, unread) | st.none()
    return st.builds(
        Record,
        (lone | lists) if several else lone,
        st.sampled_from([*sorted(CATEGORIES.leaves), *sorted(CATEGORIES.leaves), "articles", "content", "nonsense", None]),
        st.none() | instants(-8, 28) | instants(-8, 20) | instants(-8, 20) | instants(-8, 20),
        st.none() | st.none() | st.sampled_from([*PLACES, "US-TX", "QQ", "UK", "IC", "us", "USA", ""]),
        st.none() | st.sampled_from([1, 2, 3]),
        st.sampled_from([frozenset()] * 6 + [frozenset({"genai"}), frozenset({"training"}), frozenset({"ads"})]),
    )


def many_records(world: World, seed: int, count: int, *, several: bool = True, people: int = 6) -> list[Record]:
    """Many records at once, from a seed: for engines whose cost is in the query and not in the record."""
    random = Random(seed)
    last = (world.use.at - START) // instant.DAY

    def subject() -> Subject:
        return Subject(random.randint(1, people), random.choice(["author", "author", None, "mentioned"]))

    def subjects() -> tuple[Subject, ...] | None:
        if not several:
            return (Subject(random.randint(1, people), "author"),)
        if random.random() < 0.02:
            return random.choice([None, (), (subject(), Subject(None))])
        return tuple(subject() for _ in range(random.choice([1, 1, 1, 1, 2, 3, 4])))

    def collected() -> int | None:
        if random.random() < 0.02:
            return random.choice([None, world.use.at + 1])
        return START + random.randint(-8, last - 1) * instant.DAY + random.choice([0, 0, 0, -1, 1])

    def written() -> str | None:
        if random.random() < 0.6:
            return None
        return random.choice(PLACES if random.random() < 0.9 else ["US-TX", "QQ", "UK", "IC", "us", "USA", ""])

    return [
        Record(
            subjects(),
            random.choice(["posts", "comments", "messages", "health"] * 5 + ["articles", "content", "nonsense", None]),
            collected(),
            written(),
            random.choice([None, 1, 1, 2, 2, 3]),
            random.choice([frozenset()] * 20 + [frozenset({"genai"}), frozenset({"training"}), frozenset({"ads"})]),
        )
        for _ in range(count)
    ]
