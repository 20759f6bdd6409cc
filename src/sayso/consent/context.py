"""What the ledger says to everyone alike: editions, suspensions, notices published, and deliveries to audiences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sayso.consent.editions import Editions
from sayso.policy.facts import Delivery, Suspension
from sayso.policy.model import Policy, SignUp
from sayso.policy.terms import Scope
from sayso.territory import Region

NOTHING = Scope(frozenset(), frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A delivery to an audience that is not listed.

    Told at once to everyone registered and then in the audience, or, at `sign_up`, to each who registers or enters
    it in `[at, until)`. `territories` of `None` is everywhere; `position` is `None` where the policy itself says so.
    """

    delivery: Delivery
    territories: Region | None = None
    attributes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    sign_up: bool = False
    until: int | None = None


@dataclass(frozen=True)
class Context:
    """The part of the facts that no one person's or account's events say, as known at one position."""

    editions: Editions
    suspensions: tuple[Suspension, ...] = ()
    published: tuple[Delivery, ...] = ()
    deliveries: tuple[Broadcast, ...] = ()
    withdrawn: frozenset[str] = frozenset()
    announced: Mapping[str, int] = field(default_factory=dict)
    """For each version in the ledger, the instant at which an edition that holds it was first recorded."""

    @property
    def policy(self) -> Policy:
        """The policy that is decided by."""
        return self.editions.deciding

    @cached_property
    def broadcasts(self) -> tuple[Broadcast, ...]:
        """Every delivery to an audience, those at sign-up ending where the notice's next version begins."""
        every = (*self.deliveries, *self._sign_ups())
        begins = [*self.published, *(broadcast.delivery for broadcast in every)]
        return tuple(broadcast if not broadcast.sign_up else _ending(broadcast, begins) for broadcast in every)

    def _sign_ups(self) -> tuple[Broadcast, ...]:
        """The sign-up deliveries that versions of the policy themselves declare."""
        return tuple(
            Broadcast(self.delivery_by_policy(sign_up, at), sign_up.territories, sign_up.attributes, sign_up=True)
            for version in self.policy.versions
            if version.id not in self.withdrawn
            for at in [max(version.effective, self.announced.get(version.id, version.effective))]
            for sign_up in version.sign_ups
        )

    def delivery_by_policy(self, sign_up: SignUp, at: int) -> Delivery:
        """What a version's sign-up delivery tells, from when."""
        told = self.policy.notices.get((sign_up.notice, sign_up.version))
        return Delivery(sign_up.notice, sign_up.version, told.declares if told else NOTHING, at, None)

    def declared(self, notice: str, version: str, position: int) -> Scope:
        """What a notice declared, by the edition in force when it was delivered or published."""
        edition = self.editions.at(position)
        told = edition.notices.get((notice, version)) if edition else None
        return told.declares if told else NOTHING


def _ending(broadcast: Broadcast, begins: list[Delivery]) -> Broadcast:
    """The same, ending at the first later instant at which another version of its notice is told or published."""
    own = broadcast.delivery
    later = [d.at for d in begins if d.notice == own.notice and d.version != own.version and d.at > own.at]
    return Broadcast(own, broadcast.territories, broadcast.attributes, sign_up=True, until=min(later, default=None))
