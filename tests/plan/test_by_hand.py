"""Worlds made by hand, each for something that a plan must tell apart: what generated ones meet now and then is met always."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import ibis
import pyarrow as pa
import pytest

from sayso import instant
from sayso.consent.context import Broadcast
from sayso.plan.accounts import kin
from sayso.plan.decider import Decider
from sayso.plan.people import people
from sayso.policy.decide import decide
from sayso.policy.facts import Delivery, Record, Subject
from sayso.policy.model import Covers, Holder, Mode, NoticeVersion, Rule, Version
from sayso.territory import Region
from tests import strategies
from tests.compare import by_gate, by_lookup, by_reference, snapshot
from tests.strategies import EVERYTHING, START, World, fact, position

DAY = instant.DAY
SCOPE = {"purposes": ["genai"], "categories": ["content"], "recipients": ["platform"]}
GRANT = {"kind": "choice.recorded", "decision": "grant", "by": "holder", "scope": SCOPE, "notice": ["n1", "v1"]}
ADS = {"kind": "choice.recorded", "decision": "refusal", "by": "holder", "scope": SCOPE | {"purposes": ["ads"]}}
JOINED = {"kind": "organisation.joined"}
LEFT = {"kind": "organisation.left"}
OPT_IN = Rule(
    "asks", 0, EVERYTHING, Mode.OPT_IN, Region(frozenset({"FR", "US-CA"})), notice="n1", accepts=frozenset({"v1"}),
    covers=Covers.AFTER_CHOICE, expires_after=14 * DAY,
)  # fmt: skip
OPT_OUT = Rule(
    "tells", 1, EVERYTHING, Mode.OPT_OUT, Region(frozenset({"US", "DE"}), frozenset({"US-CA"})), notice="n1",
    accepts=frozenset({"v1"}), covers=Covers.AFTER_NOTICE,
)  # fmt: skip


@pytest.fixture(scope="module")
def duckdb() -> Any:
    return ibis.duckdb.connect(threads=1)


def said(party: int, *events: tuple[dict[str, Any], int, Any]) -> list[Any]:
    """Facts of one party: payload, the day on which it was recorded, and the other party."""
    return [
        fact(payload, position(START + day * DAY, party, number), recorded=START + day * DAY, other=other)
        for number, (payload, day, other) in enumerate(events)
    ]


def world(*rules: Rule, broadcasts: tuple[Broadcast, ...] = (), **parties: dict[Any, Any]) -> World:
    version = Version("v", START - 9 * DAY, START - 8 * DAY, rules, roles=strategies.ROLES)
    policy = strategies.Policy(
        "example", "sha256:" + "0" * 64, strategies.PURPOSES, strategies.CATEGORIES, strategies.RECIPIENTS, (version,),
        strategies.ATTRIBUTES, {("n1", "v1"): NoticeVersion("n1", "v1", EVERYTHING)},
    )  # fmt: skip
    context = strategies.Context(strategies.Editions((), policy), deliveries=broadcasts)
    return World(context, strategies.Use("genai", "platform", START + 20 * DAY), **parties)


def resident(code: str) -> dict[str, Any]:
    return {"kind": "subject.registered", "territory": code}


def told(day: int, version: str = "v1", *, sign_up: bool = False) -> Broadcast:
    at = START + day * DAY
    return Broadcast(Delivery("n1", version, EVERYTHING, at, position(at, 40, day)), sign_up=sign_up)


SUBJECTS = {
    # Of two grants on the same terms the second repeats the first; what is refused of another use says nothing.
    1: said(1, (resident("FR"), -7, None), (GRANT, 3, None), (ADS, 4, None), (GRANT, 5, None)),
    2: said(2, (resident("US"), -7, None), ({"kind": "notice.delivered", "notice": ["n1", "v1"]}, 2, None)),
    # A change of an attribute for which no rule asks, and no change of place.
    3: said(3, (resident("DE"), -7, None), ({"kind": "subject.attributes-changed", "attributes": {"flag": "on"}}, 1, None)),
    4: said(4, (resident("FR"), -7, None), ({"kind": "subject.moved", "territory": "US"}, 3, None),
            ({"kind": "subject.moved", "territory": "FR"}, 6, None), (GRANT, 7, None)),
    5: said(5, (resident("FR"), -7, None), (GRANT, 7, None), (GRANT | {"decision": "refusal"}, 9, None), (GRANT, 9, None)),
    # Who registers while the first text is shown, and who does after the second took its place.
    6: said(6, (resident("DE"), 3, None)),
    7: said(7, (resident("DE"), 10, None)),
}  # fmt: skip
TOLD = (told(2), told(1, sign_up=True), told(9, "v2", sign_up=True))
WORLD = world(OPT_IN, OPT_OUT, broadcasts=TOLD, subjects=SUBJECTS)
PLACES = [None, "FR", "US", "US-CA", "US-TX", "QQ", "AQ", "us", "", "US-"]
INSTANTS = [None, *(START + day * DAY + step for day in (-8, 2, 3, 5, 7, 12, 20) for step in (0, 1))]
RECORDS = [
    Record((Subject(who, role),), category, collected, place)
    for who, role, category, collected, place in product(
        (1, 2, 3, 4, 5, 6, 7, 8), ("author", "mentioned", None), ("posts", "health", "nonsense"), INSTANTS, PLACES
    )
]


def test_every_engine_says_what_the_reference_says(duckdb: Any) -> None:
    expected = by_reference(WORLD, RECORDS)
    assert {row[0] for row in expected} >= {
        "granted",
        "refused",
        "consent-expired",
        "no-consent",
        "not-objected",
        "no-rule",
    }
    assert by_gate(duckdb, WORLD, RECORDS) == expected
    alone = [one for one in RECORDS if one.subjects and one.subjects[0].role is None]
    assert by_lookup(duckdb, WORLD, alone) == by_reference(WORLD, alone)


def test_one_record_at_a_time_is_decided_alike(duckdb: Any) -> None:
    decider, known = Decider(snapshot(duckdb, WORLD)), WORLD.known
    for record in RECORDS:
        (one,) = record.subjects or ()
        expected = decide(WORLD.policy, WORLD.use, record, known)
        found = decider.decide(one.id, record.category, record.collected_at, record.territory, one.role)
        assert (found.outcome, found.territory) == (expected.outcome, expected.evidence.territory), record


PRO = Rule("pro", 0, EVERYTHING, Mode.ALWAYS, attributes={"plan": frozenset({"pro"})})
HELD = replace(OPT_OUT, index=1, territories=None, holder=Holder.ORGANISATION, covers=Covers.ALL)
CHANGED = "account.attributes-changed"


def test_accounts_that_join_an_organisation_twice_and_change_what_nobody_asks(duckdb: Any) -> None:
    accounts = {
        1: said(31, (JOINED, -8, 1), ({"kind": CHANGED, "attributes": {"tier": "a"}}, 1, None), (LEFT, 2, 1),
                (JOINED, 4, 1), ({"kind": CHANGED, "attributes": {"plan": "pro"}}, 6, None)),
        2: said(32, (JOINED, -8, 2), (LEFT, 3, 2)),
    }  # fmt: skip
    organisations = {1: said(21, (ADS | {"by": "owner", "scope": SCOPE}, 5, None))}
    asked = world(PRO, HELD, broadcasts=(told(2),), subjects=SUBJECTS, accounts=accounts, organisations=organisations)
    records = [replace(one, account=account) for one, account in product(RECORDS[::7], (None, 1, 2, 3))]
    assert by_gate(duckdb, asked, records) == by_reference(asked, records)


def test_an_account_hears_an_organisation_once_however_often_it_joined() -> None:
    found = kin([(1, 7), (1, 7), (1, 8), (2, 7), (1, 7)]).to_pylist()
    heard = {(row["subject"], row["id"]): row["member"] for row in found}
    assert len(heard) == len(found)
    assert heard == {
        ("a:1", "a:1"): 0, ("a:2", "a:2"): 0, ("a:1", "o:7"): 1, ("a:1", "o:8"): 2, ("a:2", "o:7"): 1,
    }  # fmt: skip
    assert kin([]).num_rows == 0


def test_people_who_fill_batches_and_batches_that_are_empty() -> None:
    names = ("subject", "at", "position", "symbol", "member")
    schema = pa.schema([*((name, pa.int64()) for name in names), ("late", pa.bool_())])

    def batch(*subjects: int) -> pa.RecordBatch:
        rows = [dict.fromkeys(names, 0) | {"subject": one, "late": False} for one in subjects]
        return pa.RecordBatch.from_pylist(rows, schema)

    cut = [batch(), batch(1, 1), batch(1), batch(), batch(2, 2), batch(3), batch(3, 4), batch()]
    found = [
        (run.id(one), int(run.starts[one + 1] - run.starts[one])) for run in people(cut) for one in range(run.count)
    ]
    assert found == [(1, 3), (2, 2), (3, 2), (4, 1)]
    assert list(people([batch()])) == []
