"""How an event is stored: a canonical public part, and private parts that can be erased one by one.

The public part names what happened and when, and holds one commitment a private part. Part 0 of a personal event is
what it says of its party; each further part is the id of one other person whom it names (another alias, a guardian, an
agent, an owner), so that either can be erased without the other. A delivery to listed people has one part for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from sayso import instant
from sayso.canonical import canonical_bytes
from sayso.errors import EventError
from sayso.ledger.commitment import SALT_BYTES, commit
from sayso.ledger.document import document, read
from sayso.ledger.events import (
    ChoiceRecorded,
    Event,
    NoticeDelivered,
    OrganisationOwners,
    SubjectAliased,
    SubjectErased,
)
from sayso.ledger.identity import IdType

_ENVELOPE = ("kind", "v", "effective_at")
# The instant of a batch is written once for each of its events.
_format = lru_cache(maxsize=16)(instant.format)
# Its bytes are those of RFC 8785 where every key is ASCII and no number is a float; a test compares the two.
_FAST = msgspec.json.Encoder(order="sorted")


class PrivatePart(NamedTuple):
    """One private part of an event: its salt, and its canonical bytes."""

    salt: bytes
    body: bytes


class Entry(NamedTuple):
    """An event as a store holds it. A private part of `None` has been erased."""

    position: int
    kind: str
    recorded_at: int
    everyones: bool
    public: bytes
    parts: tuple[PrivatePart | None, ...] = ()

    @property
    def erased(self) -> bool:
        """Whether what the event said of its party is gone."""
        return bool(self.parts) and all(part is None for part in self.parts[:1])


class Draft(NamedTuple):
    """An event split into what is public and what is private, before it has a position and salts."""

    public: dict[str, Any]
    bodies: tuple[bytes, ...]
    everyones: bool


def split(event: Event) -> Draft:
    """The public part of an event, still without commitments and instants, and the bytes of its private parts."""
    whole = document(event)
    if event.everyones:
        return Draft(whole, (), True)
    named = [{name: one} for name, one in _named(event, whole)]
    public = {name: whole.pop(name) for name in (*_ENVELOPE, *event.public) if name in whole}
    rest = () if isinstance(event, NoticeDelivered) else (whole,)
    try:
        return Draft(public, tuple([_FAST.encode(body) for body in (*rest, *named)]), False)
    except UnicodeEncodeError as error:
        raise EventError(f"{event.kind}: a text holds half a surrogate pair, which no UTF-8 can write") from error


def _named(event: Event, whole: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Takes the ids of other people out of a document, one after another."""
    match event:
        case NoticeDelivered():
            for name in ("subjects", "organisations"):
                for one in whole["audience"].get(name, ()):
                    yield name[:-1], one
            del whole["audience"]
        case OrganisationOwners():
            for one in whole.pop("owners"):
                yield "owner", one
        case SubjectErased():
            for one in whole.pop("aliases", ()):
                yield "alias", one
        case SubjectAliased():
            yield "other", whole.pop("other")
        case ChoiceRecorded() if event.by is not None:
            yield "by", whole["by"].pop("id")
        case _ if event.names is not None:
            yield event.names, whole.pop(event.names)


def seal(draft: Draft, position: int, recorded_at: int, salts: bytes) -> Entry:
    """The entry of a draft at its position. `salts` are 32 fresh random bytes for each private part."""
    public = draft.public
    public["recorded_at"] = _format(recorded_at)
    kind: str = public["kind"]
    if draft.everyones:
        return Entry(position, kind, recorded_at, True, canonical_bytes(public))
    parts = tuple(
        [
            PrivatePart(salts[index * SALT_BYTES : (index + 1) * SALT_BYTES], body)
            for index, body in enumerate(draft.bodies)
        ]
    )
    public["commitments"] = [commit(part.salt, part.body) for part in parts]
    return Entry(position, kind, recorded_at, False, _FAST.encode(public), parts)


def unseal(entry: Entry, id_type: IdType) -> Event | None:
    """The event of an entry; `None` where what it said of its party is erased.

    People named beside the party and erased since are `None` in it.
    """
    if entry.everyones:
        return unsealed(entry, id_type)
    whole = _public(entry)
    bodies = [None if part is None else msgspec.json.decode(part.body) for part in entry.parts]
    if entry.kind == "notice.delivered":
        return _delivered(whole, bodies, id_type)
    if bodies[0] is None:
        return None
    whole |= bodies[0]
    _give_back(whole, [None if body is None else next(iter(body.values())) for body in bodies[1:]])
    return read(whole, id_type)


def unsealed(entry: Entry, id_type: IdType) -> Event:
    """The event of an entry that is public in full."""
    return read(_public(entry), id_type)


def _public(entry: Entry) -> dict[str, Any]:
    whole: dict[str, Any] = msgspec.json.decode(entry.public)
    whole.pop("recorded_at")
    whole.pop("commitments", None)
    return whole


def _give_back(whole: dict[str, Any], others: Sequence[Any]) -> None:
    match whole["kind"]:
        case "organisation.owners":
            whole["owners"] = others
        case "subject.erased":
            whole["aliases"] = others
        case "subject.aliased":
            (whole["other"],) = others
        case "choice.recorded":
            if others:
                whole["by"]["id"] = others[0]
        case kind if kind.startswith("guardian."):
            (whole["guardian"],) = others
        case kind if kind.startswith("agent."):
            (whole["agent"],) = others
        case _:
            pass


def _delivered(whole: dict[str, Any], bodies: Sequence[Any], id_type: IdType) -> Event | None:
    names = {name for body in bodies if body is not None for name in body}
    if len(names) != 1:
        return None
    name = names.pop()
    whole["audience"] = {f"{name}s": [None if body is None else body[name] for body in bodies]}
    return read(whole, id_type)
