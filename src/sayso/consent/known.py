"""What the ledger says, as known at one position, for the reference decision: one person or account at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sayso.consent.context import Context
from sayso.consent.fold import Fact, fold_account, fold_subject, fold_voice
from sayso.consent.kin import related
from sayso.policy.facts import SILENT, AccountFacts, Delivery, Id, SubjectFacts, Suspension, Voice

FactsOf = Callable[[Sequence[Id]], Mapping[Id, Sequence[Fact]]]


def nothing(_: Sequence[Id]) -> Mapping[Id, Sequence[Fact]]:
    """No facts of anybody."""
    return {}


@dataclass(frozen=True)
class Known:
    """The facts of a ledger (`policy.facts.Facts`). What was asked once is kept: one position never changes."""

    context: Context
    subjects: FactsOf
    accounts: FactsOf = nothing
    organisations: FactsOf = nothing
    _people: dict[Id, SubjectFacts | None] = field(default_factory=dict)
    _accounts: dict[Id, AccountFacts | None] = field(default_factory=dict)
    _voices: dict[Id, Voice] = field(default_factory=dict)

    @property
    def suspensions(self) -> tuple[Suspension, ...]:
        """Every suspension that was opened, lifted or not."""
        return self.context.suspensions

    @property
    def published(self) -> tuple[Delivery, ...]:
        """Every notice version that was published."""
        return self.context.published

    @property
    def withdrawn(self) -> frozenset[str]:
        """The policy versions that were withdrawn before they took effect."""
        return self.context.withdrawn

    def subject(self, subject: Id) -> SubjectFacts | None:
        """What is known of a person; `None` of one of whom nothing is."""
        if subject not in self._people:
            found = related(subject, self.subjects)
            own = found.pop(subject)
            self._people[subject] = fold_subject(own, found, self.context) if own or any(found.values()) else None
        return self._people[subject]

    def account(self, account: Id) -> AccountFacts | None:
        """What is known of an account; `None` of one of which nothing is."""
        if account not in self._accounts:
            facts = self.accounts([account]).get(account)
            self._accounts[account] = fold_account(facts) if facts else None
        return self._accounts[account]

    def organisation(self, organisation: Id) -> Voice:
        """What an organisation said and was told."""
        if organisation not in self._voices:
            facts = self.organisations([organisation]).get(organisation)
            self._voices[organisation] = fold_voice(facts, self.context) if facts else SILENT
        return self._voices[organisation]
