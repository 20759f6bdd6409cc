"""Reading a ledger for decisions: its globals folded into a context, its facts of one party at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from sayso.consent.context import Broadcast, Context
from sayso.consent.editions import Editions, WrittenScope
from sayso.consent.fold import Fact
from sayso.consent.kin import ALIASED, groups
from sayso.consent.known import Known
from sayso.errors import InputError, StoreError
from sayso.ledger import events as e
from sayso.ledger.facts import Fact as Row
from sayso.ledger.facts import Party, buried, counts_at
from sayso.ledger.journal import Journal, Read
from sayso.policy.facts import Delivery, Id, Suspension
from sayso.policy.model import Policy
from sayso.policy.terms import ALWAYS, Window
from sayso.territory import Region, region

Compile = Callable[[Mapping[str, Any]], Policy]
Erased = Callable[[Sequence[Id]], Mapping[Id, int]]


@dataclass(frozen=True)
class View:
    """What a ledger says as known at one position: a context, and the facts of parties."""

    context: Context
    known: Known
    size: int
    payloads: Mapping[int, Mapping[str, Any]]
    kin: Mapping[Id, tuple[Id, ...]]
    erased: Erased | None = None
    """Where each of some people was erased, of those who were; `None` where nobody ever was."""


class Reader:
    """Reads a journal. `compile_policy` turns the normalised document of a published policy into the policy."""

    def __init__(self, journal: Journal, compile_policy: Compile) -> None:
        self.journal = journal
        self._compile = lru_cache(maxsize=64)(lambda _digest, document: compile_policy(_DOCUMENT(document)))

    def published(self, position: int | None = None) -> Policy | None:
        """The policy last published below a position (by default, the head); `None` if none was."""
        editions = self._editions(list(self.journal.globals(position)))
        return editions[-1][1] if editions else None

    def view(self, policy: Policy | None = None, position: int | None = None) -> View:
        """What the ledger says at a position (by default, the head), decided by `policy` or by the last published.

        Raises InputError if there is neither, or if the ledger has not come to that position.
        """
        head = self.journal.head().size
        size = head if position is None else position
        if not 0 <= size <= head:
            raise InputError(f"expected a position from 0 to `{head}`, the size of the ledger, got `{size}`")
        read = [one for one in self.journal.globals(size) if one.event is not None]
        editions = self._editions(read)
        deciding = policy or (editions[-1][1] if editions else None)
        if deciding is None:
            raise InputError("no policy is published in this ledger; publish one with `sayso policy publish FILE`")
        context = gather(read, editions, deciding)
        erased = self._erased if self.journal.store.entombed() else None
        return View(context, self._known(context, size, erased), size, self._payloads(), self._kin(size), erased)

    def known(self, policy: Policy | None = None, position: int | None = None) -> Known:
        """What the reference decision reads, at a position."""
        return self.view(policy, position).known

    def _editions(self, read: Sequence[Read]) -> list[tuple[int, Policy]]:
        return [
            (one.position, self._edition(one.position, one.event))
            for one in read
            if isinstance(one.event, e.PolicyPublished)
        ]

    def _edition(self, position: int, event: e.PolicyPublished) -> Policy:
        """The policy that was published. Raises StoreError where the document is not the one whose digest is in the log."""
        found = self._compile(event.digest, msgspec.json.encode(event.document))
        if found.digest != event.digest:
            raise StoreError(
                f"the policy document at position `{position}` is not the one that was published: it was damaged or "
                "altered; run `sayso fsck`"
            )
        return found

    def _erased(self, ids: Sequence[Id]) -> Mapping[Id, int]:
        """Where each of some people was erased, of those who were. An erasure holds for every position."""
        key_of = {self.journal.keys.tombstone(one): one for one in ids}
        return {key_of[key]: position for key, position in self.journal.store.tombstones(key_of).items()}

    def _known(self, context: Context, size: int, erased: Erased | None) -> Known:
        store = self.journal.store

        def of(party: Party) -> Callable[[Sequence[Id]], Mapping[Id, Sequence[Fact]]]:
            def facts_of(ids: Sequence[Id]) -> Mapping[Id, Sequence[Fact]]:
                found: dict[Id, dict[int, Fact]] = {one: {} for one in ids}
                for row in store.facts_of(party, ids, size):
                    found[row.id][row.row] = fact_of(row)
                if party is Party.SUBJECT and erased is not None:
                    for one, position in erased(ids).items():
                        found[one][-1] = fact_of(buried(position, one))
                return {one: list(facts.values()) for one, facts in found.items()}

            return facts_of

        return Known(context, of(Party.SUBJECT), of(Party.ACCOUNT), of(Party.ORGANISATION))

    def _payloads(self) -> Mapping[int, Mapping[str, Any]]:
        return {code: _payload(body) for code, body in self.journal.store.payloads().items()}

    def _kin(self, size: int) -> Mapping[Id, tuple[Id, ...]]:
        """For every id that has an alias by a position, all ids of the same person."""
        codes = {code for code, payload in self._payloads().items() if payload["kind"] == ALIASED}
        if not codes:
            return {}
        pairs = []
        for batch in self.journal.store.facts(size, columns=("id", "code", "other")):
            ids, others, found = batch.column("id"), batch.column("other"), batch.column("code").to_pylist()
            pairs += [(ids[row].as_py(), others[row].as_py()) for row, code in enumerate(found) if code in codes]
        return groups((one, other) for one, other in pairs if other is not None)


def fact_of(row: Row) -> Fact:
    """A ledger's fact as the fold reads it."""
    return Fact(row.position, row.at, row.effective_at, row.recorded_at, _payload(row.payload), row.other)


_DOCUMENT = msgspec.json.decode


@lru_cache(maxsize=65_536)
def _payload(body: bytes) -> Mapping[str, Any]:
    decoded: Mapping[str, Any] = msgspec.json.decode(body)
    return decoded


def gather(read: Sequence[Read], editions: Sequence[tuple[int, Policy]], deciding: Policy) -> Context:
    """The context that the globals of a ledger make, in order of position."""
    known = Context(Editions(editions, deciding))
    announced: dict[str, int] = {}
    withdrawn: set[str] = set()
    published: list[Delivery] = []
    deliveries: list[Broadcast] = []
    suspensions: dict[str, Suspension] = {}
    compiled = dict(editions)
    for one in read:
        match one.event:
            case e.PolicyPublished():
                for version in compiled[one.position].versions:
                    announced.setdefault(version.id, one.recorded_at)
            case e.VersionWithdrawn() as event:
                withdrawn.add(event.version)
            case e.NoticePublished() as event:
                published.append(_told(known, event.notice, event.version, event, one))
            case e.NoticeDelivered() as event:
                deliveries.append(_broadcast(known, event, one))
            case e.SuspensionOpened() as event:
                suspensions[event.suspension] = _suspension(known, event, one)
            case e.SuspensionLifted() as event:
                stopped = suspensions[event.suspension]
                suspensions[event.suspension] = Suspension(
                    stopped.id, stopped.scope, stopped.territories, stopped.opened, stopped.position,
                    counts_at(event, one.recorded_at), stopped.data,
                )  # fmt: skip
            case _:
                pass
    return Context(
        known.editions,
        tuple(suspensions.values()),
        tuple(published),
        tuple(deliveries),
        frozenset(withdrawn),
        announced,
    )


def _told(context: Context, notice: str, version: str, event: e.Event, one: Read) -> Delivery:
    declares = context.declared(notice, version, one.position)
    return Delivery(notice, version, declares, counts_at(event, one.recorded_at), one.position)


def _broadcast(context: Context, event: e.NoticeDelivered, one: Read) -> Broadcast:
    audience = event.audience
    return Broadcast(
        _told(context, event.notice, event.version, event, one),
        _region(audience.territories, event, one),
        {name: frozenset(values) for name, values in (audience.attributes or {}).items()},
        sign_up=audience.at == "sign-up",
    )


def _suspension(context: Context, event: e.SuspensionOpened, one: Read) -> Suspension:
    scope = event.scope
    written = WrittenScope(scope.purposes, scope.categories, scope.excluded, scope.recipients)
    window = ALWAYS if scope.data is None else Window(scope.data.start, scope.data.until)
    return Suspension(
        event.suspension,
        context.editions.refused(written, one.position),
        _region(scope.territories, event, one),
        counts_at(event, one.recorded_at),
        one.position,
        data=window,
    )


def _region(territories: Sequence[str] | None, event: e.Event, one: Read) -> Region | None:
    """The territories of an event, groups expanded as they were when it took effect."""
    at = one.recorded_at if event.effective_at is None else event.effective_at
    return None if territories is None else region(territories, at=at)
