"""The facts of an event: what the fold reads of it, a row for each party it touches (spec/ledger.md, *Facts*).

Facts are derived: they can be rebuilt from the events at any time. What they say beside ids and instants is a payload
of few distinct values, so that millions of facts share a few thousand payloads.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import msgspec
import pyarrow as pa

from sayso.ledger import events as e
from sayso.ledger.identity import Id, IdType

ROW_BITS = 20
MOST_LISTED = 10_000
"""How many people one event may list: a delivery to more is recorded as several."""


class Party(IntEnum):
    """Whose fact it is."""

    SUBJECT = 0
    ACCOUNT = 1
    ORGANISATION = 2


class Fact(NamedTuple):
    """One row: at `row >> 20` the position of its event, in the other bits its place among the event's facts."""

    row: int
    party: int
    id: Id
    at: int
    effective_at: int
    recorded_at: int
    payload: bytes
    other: Id | None

    @property
    def position(self) -> int:
        """The position of the event that says so."""
        return self.row >> ROW_BITS


ERASED = b'{"kind":"subject.erased"}'
"""The payload of the one fact that is known of somebody erased; no store holds it."""

COLUMNS = ("position", "party", "id", "at", "effective_at", "recorded_at", "code", "other")


def schema(id_type: IdType, columns: tuple[str, ...] = COLUMNS) -> pa.Schema:
    """The Arrow schema of facts as a store streams them; `code` refers to the store's payloads."""
    one = pa.int64() if id_type is IdType.INT64 else pa.string()
    types = {"party": pa.int8(), "code": pa.int32(), "id": one, "other": one}
    return pa.schema([pa.field(name, types.get(name, pa.int64()), nullable=name == "other") for name in columns])


def first_row(position: int) -> int:
    """The first row that a fact of the event at a position can have."""
    return position << ROW_BITS


@lru_cache(maxsize=65_536)
def kind_of(payload: bytes) -> str:
    """The kind of the event that a payload is of."""
    kind: str = msgspec.json.decode(payload)["kind"]
    return kind


def counts_at(event: e.Event, recorded_at: int) -> int:
    """The instant from which an event counts (semantics, section 1, *Time*).

    What only restricts, and plain facts, count from `effective_at`. What loosens counts from its `recorded_at`, or
    later if it says so itself; from its `effective_at` only where evidence attests that instant.
    """
    effective = recorded_at if event.effective_at is None else event.effective_at
    return max(effective, recorded_at) if loosens(event) and event.attested is None else effective


def buried(position: int, subject: Id) -> Fact:
    """What is known of somebody who was erased: where. It holds for all instants."""
    return Fact(first_row(position), Party.SUBJECT, subject, 0, 0, 0, ERASED, None)


def loosens(event: e.Event) -> bool:
    """Whether an event can turn a deny into a permit by itself: a grant, a notice, or a lift."""
    match event:
        case e.ChoiceRecorded():
            return event.decision == "grant"
        case e.NoticePublished() | e.NoticeDelivered() | e.SuspensionLifted():
            return True
        case _:
            return False


def channel_key(channel: str, id_type: IdType) -> Id:
    """A channel in the form of the ledger's ids, so that it fits beside them: a part of its SHA-256."""
    digest = sha256(channel.encode()).digest()
    match id_type:
        case IdType.INT64:
            return int.from_bytes(digest[:8], "big") >> 1
        case IdType.UUID:
            return str(UUID(bytes=digest[:16]))
        case _:
            return digest[:16].hex()


def facts(event: e.Event, position: int, recorded_at: int, id_type: IdType) -> list[Fact]:
    """The facts of an event. None for what is about nobody in particular: that is read as one of the globals."""
    if event.effective_at is None:
        at = effective = recorded_at
    else:
        at, effective = counts_at(event, recorded_at), event.effective_at
    row = position << ROW_BITS
    return [
        Fact(row + index, party, one, at, effective, recorded_at, _ENCODE(payload), other)
        for index, party, one, payload, other in _rows(event, id_type)
    ]


_ENCODE = msgspec.json.Encoder(order="sorted").encode
_Row = tuple[int, int, Id, dict[str, Any], Id | None]
_OfSubject: TypeAlias = (
    e.SubjectRegistered
    | e.SubjectMoved
    | e.SubjectAttributesChanged
    | e.SubjectBirthYear
    | e.SignalSeen
    | e.GuardianRegistered
    | e.GuardianEnded
    | e.AgentMandated
    | e.AgentEnded
)
_S, _A, _O = int(Party.SUBJECT), int(Party.ACCOUNT), int(Party.ORGANISATION)


def _rows(event: e.Event, id_type: IdType) -> Iterator[_Row]:
    match event:
        case e.SubjectRegistered():
            known = {"territory": event.territory, "birth_year": event.birth_year, "attributes": event.attributes}
            yield _of(event, {name: value for name, value in known.items() if value} | _attested(event))
        case e.ChoiceRecorded():
            yield from _choice(event)
        case e.SubjectMoved():
            yield _of(event, {"territory": event.territory} | _attested(event))
        case e.SubjectAttributesChanged():
            yield _of(event, {"attributes": event.attributes} | _attested(event))
        case e.SubjectBirthYear():
            corrected = {"corrected": True} if event.corrected else {}
            yield _of(event, {"birth_year": event.year} | corrected)
        case e.SignalSeen():
            yield _of(event, {"signal": event.signal}, channel_key(event.channel, id_type))
        case e.GuardianRegistered() | e.GuardianEnded():
            yield _of(event, {}, event.guardian)
        case e.AgentMandated() | e.AgentEnded():
            yield _of(event, {}, event.agent)
        case e.AccountAttributesChanged():
            yield 0, _A, event.account, {"kind": event.kind, "attributes": event.attributes}, None
        case e.OrganisationJoined() | e.OrganisationLeft():
            yield 0, _A, event.account, {"kind": event.kind}, event.organisation
        case _:
            yield from _of_several(event)


def _of(event: _OfSubject, said: dict[str, Any], other: Id | None = None) -> _Row:
    return 0, _S, event.subject, {"kind": event.kind} | said, other


def _attested(event: e.Event) -> dict[str, Any]:
    """Whether the instant is attested: what is told at sign-up was told then only if it is."""
    return {} if event.attested is None else {"attested": True}


def _of_several(event: e.Event) -> Iterator[_Row]:
    payload: dict[str, Any] = {"kind": event.kind}
    match event:
        case e.NoticeDelivered():
            payload["notice"] = [event.notice, event.version]
            for party, listed in ((_S, event.audience.subjects), (_O, event.audience.organisations)):
                for index, one in enumerate(listed or ()):
                    if one is not None:
                        yield index, party, one, payload, None
        case e.SubjectAliased():
            yield 0, _S, event.subject, payload, event.other
            yield 1, _S, event.other, payload, event.subject
        case e.OrganisationOwners():
            for index, owner in enumerate(event.owners or (None,)):
                yield index, _O, event.organisation, payload, owner
        case _:
            return


def _choice(event: e.ChoiceRecorded) -> Iterator[_Row]:
    payload = {
        "kind": event.kind,
        "decision": event.decision,
        "scope": msgspec.to_builtins(event.scope),
        "by": "holder" if event.by is None else event.by.role,
    }
    if event.notice is not None:
        payload["notice"] = [event.notice.id, event.notice.version]
    actor = None if event.by is None else event.by.id
    if event.subject is not None:
        yield 0, _S, event.subject, payload, actor
    elif event.organisation is not None:
        yield 0, _O, event.organisation, payload, actor
