"""What the journal must know to judge an event: the parties that it names, and what everyone was told or stopped from.

Both are read from the store as far as an event needs them, and go along with the events that a batch adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sayso import instant
from sayso.errors import InstantError
from sayso.ledger.events import (
    DatasetBuilt,
    Event,
    KeyRotated,
    NoticePublished,
    PolicyPublished,
    SuspensionLifted,
    SuspensionOpened,
    VersionWithdrawn,
)
from sayso.ledger.facts import Fact, Party, kind_of
from sayso.ledger.identity import Id

ACTORS = {
    "guardian.registered": ("guardian", True),
    "guardian.ended": ("guardian", False),
    "agent.mandated": ("agent", True),
    "agent.ended": ("agent", False),
}
"""Which role each kind begins or ends."""

_HEEDED = frozenset(ACTORS) | {"subject.registered", "organisation.owners"}


@dataclass(slots=True)
class PartyState:
    """What is known of one subject or organisation."""

    registered: bool = False
    erased: bool = False
    actors: list[tuple[int, int, str, Id, bool]] = field(default_factory=list)
    """Instant, row, role, id, and whether it begins or ends."""
    owners: dict[tuple[int, int], set[Id]] = field(default_factory=dict)
    """The whole set of owners, by instant and position."""

    def apply(self, fact: Fact) -> None:
        """Takes in one more fact."""
        kind = kind_of(fact.payload)
        if kind not in _HEEDED:
            return
        match kind:
            case "subject.registered":
                self.registered = True
            case "organisation.owners":
                owners = self.owners.setdefault((fact.effective_at, fact.position), set())
                if fact.other is not None:
                    owners.add(fact.other)
            case _ if fact.other is not None:
                role, begins = ACTORS[kind]
                self.actors.append((fact.effective_at, fact.row, role, fact.other, begins))
            case _:
                pass

    def acts(self, role: str, actor: Id, at: int) -> bool:
        """Whether somebody acted for this subject in this role at an instant: of equal instants the last says so."""
        counted = [one for one in self.actors if one[2] == role and one[3] == actor and one[0] <= at]
        return bool(counted) and max(counted)[4]

    def owned_by(self, owner: Id, at: int) -> bool:
        """Whether somebody was an owner of this organisation at an instant."""
        counted = [key for key in self.owners if key[0] <= at]
        return bool(counted) and owner in self.owners[max(counted)]


class Parties:
    """The states of the parties that a batch of events names."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._states: dict[tuple[int, Id], PartyState] = {}
        self.any_erased = False
        for fact in facts:
            self.apply(fact)

    def apply(self, fact: Fact) -> None:
        """Takes in one more fact."""
        key = (fact.party, fact.id)
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = PartyState()
        state.apply(fact)

    def bury(self, one: Id) -> None:
        """Takes in that somebody was erased."""
        self.any_erased = True
        self._states[Party.SUBJECT, one] = PartyState(erased=True)

    def subject(self, one: Id) -> PartyState:
        """What is known of a subject."""
        return self._states.get((Party.SUBJECT, one), UNKNOWN)

    def organisation(self, one: Id) -> PartyState:
        """What is known of an organisation."""
        return self._states.get((Party.ORGANISATION, one), UNKNOWN)


UNKNOWN = PartyState()


@dataclass(slots=True)
class World:
    """What everyone was told or stopped from: the globals, folded as far as an event must be judged by them."""

    size: int = 0
    """The positions below this are in it."""
    suspensions: dict[str, tuple[frozenset[str], int]] = field(default_factory=dict)
    """The conditions of each suspension, and from when it counts."""
    lifted: set[str] = field(default_factory=set)
    policy: PolicyPublished | None = None
    withdrawn: set[str] = field(default_factory=set)
    notices: dict[tuple[str, str], str | None] = field(default_factory=dict)
    datasets: set[str] = field(default_factory=set)
    declared: dict[tuple[str, str], str] = field(default_factory=dict)
    """The digests of notices in the policy last published."""
    key: str | None = None
    """The key that signs since the last change of keys."""

    def copy(self) -> World:
        """One that can go ahead by itself."""
        return World(
            self.size,
            dict(self.suspensions),
            set(self.lifted),
            self.policy,
            set(self.withdrawn),
            dict(self.notices),
            set(self.datasets),
            self.declared,
            self.key,
        )

    def at(self, size: int) -> World:
        """The same, of a ledger that grew to a size by what is no part of it. The two share what they hold."""
        return replace(self, size=size)

    def apply(self, event: Event, effective_at: int) -> None:
        """Takes in one more event."""
        match event:
            case SuspensionOpened():
                self.suspensions[event.suspension] = (frozenset(event.conditions), effective_at)
            case SuspensionLifted():
                self.lifted.add(event.suspension)
            case PolicyPublished():
                self.policy = event
                self.declared = dict(_digests(event.document))
            case KeyRotated():
                self.key = event.new
            case VersionWithdrawn():
                self.withdrawn.add(event.version)
            case NoticePublished():
                self.notices.setdefault((event.notice, event.version), event.digest)
            case DatasetBuilt():
                self.datasets.add(event.dataset)
            case _:
                pass

    def notice_digest(self, notice: str, version: str) -> str | None:
        """The digest of a notice's text, as it was published or as the policy last published has it."""
        return self.notices.get((notice, version)) or self.declared.get((notice, version))

    def effective_of(self, version: str) -> int | None:
        """When a version of the policy last published takes effect; `None` if it has no such version."""
        document: dict[str, Any] = {} if self.policy is None else self.policy.document
        versions = document.get("versions")
        for one in versions if isinstance(versions, list) else ():
            if isinstance(one, dict) and one.get("id") == version:
                return _instant(one.get("effective"))
        return None


def _digests(document: dict[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    """The digest of each version of a notice that a normalised policy has, where it has one."""
    notices = document.get("notices")
    for one in notices if isinstance(notices, list) else ():
        match one:
            case {"notice": str() as notice, "version": str() as version, "digest": str() as digest}:
                yield (notice, version), digest
            case _:
                pass


def _instant(value: object) -> int | None:
    """An instant in a policy document: microseconds, as the normalised form has them, or written out."""
    if type(value) is int:  # one that is canonical JSON lies within the years that an instant may have
        return value
    if not isinstance(value, str):
        return None
    try:
        return instant.parse(value)
    except InstantError:
        return None
