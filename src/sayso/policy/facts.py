"""What a decision reads: the use, the record, and what the ledger says of the people and accounts behind it.

Everything here is already folded: instants are those from which a fact counts, scopes are expanded to the leaves they
reach, and only what the ledger held at the pinned position is here. `consent` builds it; `decide` reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias, TypeVar

from sayso.policy.terms import ALWAYS, Scope, Window
from sayso.territory import Region

Id: TypeAlias = int | str
_T = TypeVar("_T")
History: TypeAlias = tuple[tuple[int, _T], ...]
"""Values with the instants from which they hold, in order of instant, then position."""


def value_at(history: History[_T], at: int) -> _T | None:
    """The value that holds at an instant; of equal instants the last, `None` before the first."""
    held = None
    for since, value in history:
        if since > at:
            break
        held = value
    return held


class By(StrEnum):
    """Who acted for the holder."""

    HOLDER = "holder"
    GUARDIAN = "guardian"
    AGENT = "agent"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Use:
    """What the data is to be used for: a leaf purpose, a recipient, and the instant."""

    purpose: str
    recipient: str
    at: int


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject of a record. An id of `None` is one that could not be read."""

    id: Id | None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One unit of training data. `subjects` of `None` is a list that could not be read; so is a `None` in it."""

    subjects: tuple[Subject, ...] | None
    category: str | None
    collected_at: int | None
    territory: str | None = None
    account: Id | None = None
    reserved: frozenset[str] = frozenset()
    malformed: bool = False
    """Whether a territory, account or reservation was given in a form that could not be read."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A grant or a refusal, over the leaves that it reaches."""

    refusal: bool
    scope: Scope
    at: int
    position: int
    notice: tuple[str, str] | None = None
    by: By = By.HOLDER

    @property
    def order(self) -> tuple[int, bool, int]:
        """Sorts choices: of equal instants a refusal comes after a grant, then the greater position."""
        return (self.at, self.refusal, self.position)


@dataclass(frozen=True, slots=True)
class Signal:
    """A refusal of lower rank. `first_recorded` is when this signal was first recorded on its channel."""

    scope: Scope
    territories: Region | None
    at: int
    first_recorded: int
    position: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notice version that reached its holder, or was published to all, and what it declared when it did."""

    notice: str
    version: str
    declares: Scope
    at: int
    position: int | None


@dataclass(frozen=True, slots=True)
class Voice:
    """What one holder said and was told: a subject, an alias of one (told nothing), or an organisation."""

    choices: tuple[Choice, ...] = ()
    signals: tuple[Signal, ...] = ()
    told: tuple[Delivery, ...] = ()


SILENT = Voice()


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """What is known of one person. `born` is the person's own birth year, `youths` those known of aliases."""

    registered: int | None = None
    erased: int | None = None
    """The position of the erasure event, of the person or of an alias."""
    residences: History[str] = ()
    attributes: Mapping[str, History[str]] = field(default_factory=dict)
    born: int | None = None
    youths: frozenset[int] = frozenset()
    voice: Voice = SILENT
    aliases: tuple[Voice, ...] = ()

    @property
    def youngest(self) -> int | None:
        """The latest birth year known of the person or any alias."""
        return max((*self.youths, *(() if self.born is None else (self.born,))), default=None)


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What is known of one account: attributes, and which organisation held it from when (`None`: none)."""

    attributes: Mapping[str, History[str]] = field(default_factory=dict)
    holders: History[Id | None] = ()


@dataclass(frozen=True, slots=True)
class Suspension:
    """An operator's stop; in force from `opened` until `lifted`. `territories` of `None` is everywhere."""

    id: str
    scope: Scope
    territories: Region | None
    opened: int
    position: int
    lifted: int | None = None
    data: Window = ALWAYS

    def in_force(self, at: int) -> bool:
        """Whether it stops anything at this instant."""
        return self.opened <= at and (self.lifted is None or at < self.lifted)


class Facts(Protocol):
    """What the ledger says, as known at one position."""

    @property
    def suspensions(self) -> tuple[Suspension, ...]:
        """Every suspension that was opened, lifted or not."""

    @property
    def published(self) -> tuple[Delivery, ...]:
        """Every notice version that was published."""

    @property
    def withdrawn(self) -> frozenset[str]:
        """The policy versions that were withdrawn before they took effect."""

    def subject(self, subject: Id) -> SubjectFacts | None:
        """What is known of a person; `None` of one never registered."""

    def account(self, account: Id) -> AccountFacts | None:
        """What is known of an account; `None` of one never mentioned."""

    def organisation(self, organisation: Id) -> Voice:
        """What an organisation said and was told."""
