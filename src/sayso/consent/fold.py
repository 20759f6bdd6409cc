"""Folding one party's events into what a decision reads of it (semantics, section 1).

A fact is one event as it bears on one party. Facts come in any order; what only restricts counts from its effective
instant, what loosens from its recorded one (or its effective one, if attested): the ledger has set `at` accordingly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sayso.consent.context import Broadcast, Context
from sayso.consent.editions import WrittenScope
from sayso.policy.facts import (
    AccountFacts,
    By,
    Choice,
    Delivery,
    History,
    Id,
    Signal,
    SubjectFacts,
    Voice,
)
from sayso.territory import canonical

GRANT = "grant"


@dataclass(frozen=True, slots=True)
class Fact:
    """One event as it bears on one party. `payload` is what it says, without ids and instants; `other` a second party.

    The shapes of payloads are those of `spec/ledger.md`, *Facts*.
    """

    position: int
    at: int
    effective_at: int
    recorded_at: int
    payload: Mapping[str, Any]
    other: Id | None = None

    @property
    def kind(self) -> str:
        """The event's kind."""
        kind: str = self.payload["kind"]
        return kind

    @property
    def order(self) -> tuple[int, int]:
        """Of equal instants the greatest position comes last, and wins."""
        return (self.at, self.position)


def fold_subject(facts: Iterable[Fact], aliases: Mapping[Id, Sequence[Fact]], context: Context) -> SubjectFacts:
    """What is known of one person, from their own facts and those of every alias, each by its own id."""
    own = sorted(facts, key=lambda fact: fact.order)
    registered = [fact.at for fact in own if fact.kind == "subject.registered"]
    everyone = [own, *aliases.values()]
    erased = [fact.position for facts in everyone for fact in facts if fact.kind == "subject.erased"]
    residences: History[str] = tuple(
        (fact.at, canonical(fact.payload["territory"]) or fact.payload["territory"])
        for fact in own
        if fact.payload.get("territory") is not None
    )
    attributes = _attributes(own)
    voice = fold_voice(own, context)
    told = (*voice.told, *_told(own, context))
    return SubjectFacts(
        registered=min(registered, default=None),
        erased=min(erased, default=None),
        residences=residences,
        attributes=attributes,
        born=_born(own),
        youths=frozenset(born for facts in aliases.values() if (born := _born(facts)) is not None),
        voice=Voice(voice.choices, voice.signals, told),
        aliases=tuple(
            Voice(heard.choices, heard.signals)
            for heard in (
                fold_voice(aliases[alias], context)
                for alias in sorted(aliases, key=lambda alias: (type(alias).__name__, alias))
            )
        ),
    )


def fold_account(facts: Iterable[Fact]) -> AccountFacts:
    """What is known of one account."""
    own = sorted(facts, key=lambda fact: fact.order)
    holders: list[tuple[int, Id | None]] = []
    held: Id | None = None
    for fact in own:
        if fact.kind == "organisation.joined":
            held = fact.other
        elif fact.kind == "organisation.left" and fact.other == held:
            held = None
        holders.append((fact.at, held))
    return AccountFacts(_attributes(own), tuple(holders))


def fold_voice(facts: Iterable[Fact], context: Context) -> Voice:
    """What a holder said, and what was delivered to it by name."""
    own = sorted(facts, key=lambda fact: fact.order)
    choices = tuple(_choice(fact, context) for fact in own if fact.kind == "choice.recorded")
    told = tuple(
        Delivery(notice, version, context.declared(notice, version, fact.position), fact.at, fact.position)
        for fact in own
        if fact.kind == "notice.delivered"
        for notice, version in [fact.payload["notice"]]
    )
    return Voice(choices, tuple(_signals(own, context)), told)


def written(scope: Mapping[str, Any]) -> WrittenScope:
    """A scope as an event's payload writes it."""

    def names(key: str) -> tuple[str, ...] | None:
        return tuple(scope[key]) if scope.get(key) is not None else None

    return WrittenScope(names("purposes"), names("categories"), names("except") or (), names("recipients"))


def _choice(fact: Fact, context: Context) -> Choice:
    scope = written(fact.payload["scope"])
    notice = fact.payload.get("notice")
    refusal = fact.payload["decision"] != GRANT
    return Choice(
        refusal,
        context.editions.refused(scope, fact.position) if refusal else context.editions.granted(scope, fact.position),
        fact.at,
        fact.position,
        (notice[0], notice[1]) if notice else None,
        By(fact.payload.get("by", By.HOLDER)),
    )


def _signals(own: Sequence[Fact], context: Context) -> Iterable[Signal]:
    """One signal for each channel that showed it, with what it refuses by every edition's map since."""
    channels: dict[tuple[str, Id | None], list[Fact]] = {}
    for fact in own:
        if fact.kind == "signal.seen":
            channels.setdefault((fact.payload["signal"], fact.other), []).append(fact)
    for (name, _), seen in channels.items():
        first = min(seen, key=lambda fact: fact.position)
        at = min(fact.at for fact in seen)
        for signal in context.editions.signals(name, first.position):
            yield Signal(signal.scope, signal.territories, at, first.recorded_at, first.position)


def _attributes(own: Sequence[Fact]) -> Mapping[str, History[str]]:
    histories: dict[str, list[tuple[int, str]]] = {}
    for fact in own:
        for name, value in (fact.payload.get("attributes") or {}).items():
            histories.setdefault(name, []).append((fact.at, value))
    return {name: tuple(history) for name, history in histories.items()}


def _born(facts: Iterable[Fact]) -> int | None:
    """The youngest birth year recorded, unless corrected with evidence: then the correction, and what came after."""
    born: int | None = None
    for fact in sorted(facts, key=lambda fact: fact.position):
        year = fact.payload.get("birth_year")
        if year is not None:
            born = year if born is None or fact.payload.get("corrected") else max(born, year)
    return born


def _told(own: Sequence[Fact], context: Context) -> Iterable[Delivery]:
    """The deliveries to audiences that reached this person."""
    states = [
        fact for fact in own if fact.kind in ("subject.registered", "subject.moved", "subject.attributes-changed")
    ]
    for broadcast in context.broadcasts:
        if broadcast.sign_up:
            yield from _at_sign_up(states, broadcast, context)
        else:
            delivery = broadcast.delivery
            before = [
                fact
                for fact in states
                if fact.at <= delivery.at and (delivery.position is None or fact.position < delivery.position)
            ]
            if any(fact.kind == "subject.registered" for fact in before) and _within(before, broadcast, context):
                yield delivery


def _at_sign_up(states: Sequence[Fact], broadcast: Broadcast, context: Context) -> Iterable[Delivery]:
    """One delivery for each time that the person registered into, or entered, the audience while it was told."""
    told = broadcast.delivery
    for index, fact in enumerate(states):
        if fact.at < told.at or (broadcast.until is not None and fact.at >= broadcast.until):
            continue
        until_then = states[: index + 1]
        if not any(known.kind == "subject.registered" for known in until_then):
            continue
        entered = fact.kind == "subject.registered" or not _within(states[:index], broadcast, context)
        if entered and _within(until_then, broadcast, context):
            counts = fact.at if fact.payload.get("attested") else max(fact.at, fact.recorded_at)
            yield Delivery(told.notice, told.version, told.declares, counts, fact.position)


def _within(states: Sequence[Fact], broadcast: Broadcast, context: Context) -> bool:
    """Whether somebody of whom these facts are known, in this order, is certainly in the audience."""
    places = [fact.payload["territory"] for fact in states if fact.payload.get("territory") is not None]
    place = canonical(places[-1]) if places else None
    if broadcast.territories is not None and (place is None or not broadcast.territories.contains(place)):
        return False
    known = _attributes(states)
    for name, accepted in broadcast.attributes.items():
        declared = context.policy.attributes.get(name)
        default = declared.default if declared else None
        history = known.get(name)
        if (history[-1][1] if history else default) not in accepted:
            return False
    return True
