"""Generated events, as facts of one party: positions and recorded instants grow together, effective ones do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from sayso import instant
from sayso.consent.fold import Fact
from sayso.policy.facts import Id
from tests.strategies.terms import NOTICES, PLACES, START, instants, now_and_then

Payload = dict[str, Any]
AFTER = 1000
"""Positions of events of one quarter of a day lie within so many, so that there is room around them."""

SCOPES: list[Payload] = [
    {
        "purposes": ["training"],
        "categories": ["content", "messages", "health"],
        "recipients": ["platform", "affiliate"],
    },
    {"purposes": ["genai"], "categories": ["content"], "recipients": ["platform"]},
    {"purposes": ["training"], "categories": ["content"], "except": ["posts"], "recipients": ["platform"]},
    {"purposes": ["training"], "categories": ["articles", "posts"], "recipients": ["platform", "affiliate"]},
]


def _choices(decision: str, scope: Payload, by: str) -> Iterator[Payload]:
    said: Payload = {"kind": "choice.recorded", "decision": decision, "by": by, "scope": scope}
    if decision == "grant":
        yield from (said | {"notice": list(notice)} for notice in (*NOTICES, *[NOTICES[0], NOTICES[1]] * 2))
    else:
        without = {key: value for key, value in scope.items() if key != "recipients"}
        yield from (said, said | {"scope": without})


CHOICES = [
    payload
    for decision in (*["grant"] * 4, "refusal", "withdrawal", "objection")
    for scope in (SCOPES[0], SCOPES[0], SCOPES[0], *SCOPES)
    for by in (*["holder"] * 4, "guardian", "agent")
    for payload in _choices(decision, scope, by)
]
DELIVERED: list[Payload] = [{"kind": "notice.delivered", "notice": list(notice)} for notice in NOTICES]
MOVED: list[Payload] = [
    {"kind": "subject.moved", "territory": territory, **attested}
    for territory in (*PLACES, *PLACES, *PLACES, "QQ")
    for attested in ({}, {"attested": True})
]
CHANGED: list[Payload] = [
    {"kind": "subject.attributes-changed", "attributes": {name: value}}
    for name, value in (("kind", "member"), ("kind", "student"), ("flag", "on"))
]
BORN: list[Payload] = [
    {"kind": "subject.birth-year", "birth_year": year, **corrected}
    for year in (1980, 1994, 2006, 2007, 2011)
    for corrected in ({}, {"corrected": True})
]
SIGNAL: Payload = {"kind": "signal.seen", "signal": "gpc"}
ERASED: Payload = {"kind": "subject.erased"}
KINDS = [*[CHOICES] * 20, *[DELIVERED] * 12, *[MOVED] * 4, *[CHANGED] * 3, *[BORN] * 3, *[[SIGNAL]] * 2, [ERASED]]
REGISTERED: list[Payload] = [
    {"kind": "subject.registered", **place, **born, **attributes}
    for place in [*({"territory": code} for code in PLACES * 4), {}]
    for born in ({"birth_year": 1980}, {"birth_year": 1980}, {"birth_year": 2006}, {"birth_year": 2007}, {})
    for attributes in ({"attributes": {"kind": "member"}}, {"attributes": {"kind": "student"}}, {})
]


def choices() -> st.SearchStrategy[Payload]:
    """A choice; a refusal now and then names no recipient."""
    return st.sampled_from(CHOICES)


def payloads(*, organisation: bool = False) -> st.SearchStrategy[Payload]:
    """What an event says of one person, or of an organisation."""
    if organisation:
        return st.sampled_from([CHOICES, DELIVERED]).flatmap(st.sampled_from)
    return st.sampled_from(KINDS).flatmap(st.sampled_from)


@st.composite
def facts(draw: st.DrawFn, party: int, *, organisation: bool = False, most: int = 6) -> list[Fact]:
    """The facts of one person, who registers first, or of an organisation."""
    said = draw(st.lists(payloads(organisation=organisation), min_size=1, max_size=most))
    if not organisation:
        said = [draw(st.sampled_from(REGISTERED)), *said]
    recorded = sorted(draw(st.lists(instants(-3, 18), min_size=len(said), max_size=len(said))))
    found = []
    for number, (payload, at) in enumerate(zip(said, recorded, strict=True)):
        late = draw(now_and_then(10 if payload["kind"] == "subject.registered" else 2))
        if payload["kind"] == "subject.registered":
            effective = draw(instants(-5, 25) if late else instants(-8, -6))
        else:
            effective = draw(instants(-5, 25)) if late else at
        channel = draw(st.sampled_from(["phone", "desktop"])) if payload["kind"] == "signal.seen" else None
        found.append(fact(payload, position(at, party, number), recorded=at, effective=effective, other=channel))
    return found


def fact(
    payload: Payload, at_position: int, *, recorded: int, effective: int | None = None, other: Id | None = None
) -> Fact:
    """A fact as the ledger keeps it: what loosens counts from its recorded instant unless attested."""
    effective = recorded if effective is None else effective
    loosens = payload["kind"] == "notice.delivered" or payload.get("decision") == "grant"
    counts = recorded if loosens and not payload.get("attested") else effective
    return Fact(at_position, counts, effective, recorded, payload, other)


def position(recorded: int, party: int, number: int) -> int:
    """Unique, and in the order in which things were recorded."""
    return ((recorded - START) // (instant.DAY // 4) + 100) * AFTER + party * 20 + number + 1
