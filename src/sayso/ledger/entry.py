"""How an event is stored: a canonical public part, which is the log's entry, and private parts that can be erased.

The public part names what happened and on which day, and holds the Merkle root over one commitment a private part.
Part 0 is what the event says of its party; each further part is the id of one other person whom it names (another
alias, a guardian, an agent, an owner, one of those whom a notice reached), so that either can be erased without the
other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import msgspec

from sayso import instant
from sayso.canonical import canonical_bytes
from sayso.errors import EventError, StoreError
from sayso.ledger.commitment import SALT_BYTES, commit
from sayso.ledger.document import document, read
from sayso.ledger.events import (
    ChoiceRecorded,
    Event,
    NoticeDelivered,
    OrganisationOwners,
    PolicyPublished,
    SubjectAliased,
)
from sayso.ledger.identity import IdType
from sayso.ledger.log import merkle
from sayso.ledger.log.words import base64

# The instant of a batch is written once for each of its events.
_format = lru_cache(maxsize=16)(instant.format)
# Its bytes are those of RFC 8785 where every key is ASCII and no number is a float; a test compares the two.
_FAST = msgspec.json.Encoder(order="sorted")


_UNREADABLE = (EventError, msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError, RecursionError)


class PrivatePart(NamedTuple):
    """One private part of an event: its salt, and its canonical bytes."""

    salt: bytes
    body: bytes

    @property
    def commitment(self) -> bytes:
        """The commitment to it."""
        return commit(self.salt, self.body)


class Destroyed(NamedTuple):
    """What is left of a private part that was erased: the commitment, which nobody can open any more."""

    commitment: bytes


Part: TypeAlias = PrivatePart | Destroyed


class Entry(NamedTuple):
    """An event as a store holds it. `document` is that of a published policy, which the entry has by its digest."""

    position: int
    kind: str
    recorded_at: int
    everyones: bool
    public: bytes
    parts: tuple[Part, ...] = ()
    document: bytes | None = None

    @property
    def erased(self) -> bool:
        """Whether what the event said of its party is gone."""
        return any(isinstance(part, Destroyed) for part in self.parts[:1])

    @property
    def leaf(self) -> bytes:
        """The hash of the entry as a leaf of the log's tree."""
        return merkle.leaf_hash(self.public)


class Draft(NamedTuple):
    """An event split into what is public and what is private, before it has a position and salts."""

    public: dict[str, Any]
    bodies: tuple[bytes, ...]
    everyones: bool
    document: bytes | None = None


def split(event: Event, recorded_at: int, tombstones: Sequence[bytes] = ()) -> Draft:
    """The public part of an event, still without its commitments, and the bytes of its private parts.

    `tombstones` stand in the place of those whom an erasure is about: the first of the subject, then of its aliases.
    """
    whole = document(event)
    if event.everyones:
        kept = canonical_bytes(whole.pop("document")) if isinstance(event, PolicyPublished) else None
        return Draft(whole | {"recorded_at": _format(recorded_at)}, (), True, kept)
    named = [{name: one} for name, one in _named(event, whole)]
    if tombstones:
        whole.pop("subject")
        own, *others = map(base64, tombstones)
        whole["tombstone"] = own
        named = [{"tombstone": one} for one in others]
    public = {"kind": whole.pop("kind"), "v": whole.pop("v"), "day": day(recorded_at)}
    match event:
        case NoticeDelivered():
            public["notice"] = {"id": whole.pop("notice"), "version": whole.pop("version")}
        case ChoiceRecorded() if event.notice is not None:
            public["notice"] = whole.pop("notice")
        case _:
            pass
    whole["recorded_at"] = _format(recorded_at)
    try:
        return Draft(public, tuple([_FAST.encode(body) for body in (whole, *named)]), False)
    except UnicodeEncodeError as error:
        raise EventError(f"{event.kind}: a text holds half a surrogate pair, which no UTF-8 can write") from error


@lru_cache(maxsize=16)
def day(recorded_at: int) -> str:
    """The day (UTC) of an instant: as much of it as an entry about somebody says."""
    return instant.format(recorded_at)[:10]


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
        case SubjectAliased():
            yield "other", whole.pop("other")
        case ChoiceRecorded() if event.by is not None:
            yield "by", whole["by"].pop("id")
        case _ if event.names is not None:
            yield event.names, whole.pop(event.names)


def seal(
    draft: Draft, position: int, recorded_at: int, salts: bytes, policy: str | None = None, notice: str | None = None
) -> Entry:
    """The entry of a draft at its position. `salts` are 32 fresh random bytes for each private part.

    `policy` and `notice` are the digests of the policy and the notice behind a choice or a delivery, where known.
    """
    public = draft.public
    kind: str = public["kind"]
    if draft.everyones:
        return Entry(position, kind, recorded_at, True, canonical_bytes(public), document=draft.document)
    if policy is not None:
        public["policy"] = policy
    if notice is not None:
        public["notice"]["digest"] = notice
    parts = tuple(
        [
            PrivatePart(salts[index * SALT_BYTES : (index + 1) * SALT_BYTES], body)
            for index, body in enumerate(draft.bodies)
        ]
    )
    public["parts"] = len(parts)
    public["root"] = base64(root_of(parts))
    return Entry(position, kind, recorded_at, False, _FAST.encode(public), parts)


def root_of(parts: Sequence[Part]) -> bytes:
    """The Merkle root over the commitments of an event's parts."""
    if len(parts) == 1:  # nearly every event
        return merkle.leaf_hash(parts[0].commitment)
    return merkle.root([merkle.leaf_hash(part.commitment) for part in parts])


def path_of(parts: Sequence[Part], index: int) -> list[bytes]:
    """The inclusion proof of one part's commitment under an entry's root."""
    leaves = [merkle.leaf_hash(part.commitment) for part in parts]
    return merkle.inclusion(index, len(leaves), lambda start, stop: merkle.root(leaves[start:stop]))


def unseal(entry: Entry, id_type: IdType) -> Event | None:
    """The event of an entry; `None` where what it said of its party is erased, and of an erasure itself.

    People named beside the party and erased since are `None` in it. Raises StoreError for what is none: the ledger was
    damaged or altered.
    """
    if entry.everyones:
        return unsealed(entry, id_type)
    try:
        return _of_somebody(entry, id_type)
    except _UNREADABLE as error:
        raise _damaged(entry) from error


def _of_somebody(entry: Entry, id_type: IdType) -> Event | None:
    bodies = [None if isinstance(part, Destroyed) else msgspec.json.decode(part.body) for part in entry.parts]
    if bodies[0] is None or entry.kind == "subject.erased":
        return None
    public: dict[str, Any] = msgspec.json.decode(entry.public)
    whole = {"kind": public["kind"], "v": public["v"]} | bodies[0]
    del whole["recorded_at"]
    others = [None if body is None else next(iter(body.values()), None) for body in bodies[1:]]
    match entry.kind:
        case "notice.delivered":
            whole["notice"], whole["version"] = public["notice"]["id"], public["notice"]["version"]
            names = {name for body in bodies[1:] if body is not None for name in body}
            if len(names) != 1:
                return None
            whole["audience"] = {f"{names.pop()}s": others}
        case "choice.recorded" if "notice" in public:
            whole["notice"] = {"id": public["notice"]["id"], "version": public["notice"]["version"]}
            _give_back(whole, others)
        case _:
            _give_back(whole, others)
    return read(whole, id_type)


def unsealed(entry: Entry, id_type: IdType) -> Event:
    """The event of an entry that is public in full. Raises StoreError as `unseal`."""
    try:
        whole: dict[str, Any] = msgspec.json.decode(entry.public)
        del whole["recorded_at"]
        if entry.document is not None:
            whole["document"] = msgspec.json.decode(entry.document)
        return read(whole, id_type)
    except _UNREADABLE as error:
        raise _damaged(entry) from error


def _damaged(entry: Entry) -> StoreError:
    return StoreError(
        f"the event at position `{entry.position}` cannot be read: it was damaged or altered; run `sayso fsck`"
    )


def _give_back(whole: dict[str, Any], others: Sequence[Any]) -> None:
    match whole["kind"]:
        case "organisation.owners":
            whole["owners"] = others
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
