"""The editions of a policy document, and what a scope written under one of them reaches today.

Semantics, section 1, *Vocabulary*: what loosens reaches only the leaves and recipients of the edition in force when
it was made; what restricts follows `was`, and reaches what is later put under its scope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sayso.policy.model import Policy, SignalMap
from sayso.policy.terms import Scope, Vocabulary
from sayso.territory import Region


@dataclass(frozen=True, slots=True)
class WrittenScope:
    """A scope as somebody wrote it: names of terms, at any level. `None` names nothing, and so everything."""

    purposes: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None
    excluded: tuple[str, ...] = ()
    recipients: tuple[str, ...] | None = None


class Editions:
    """Every edition that the ledger holds, and the policy that is decided by.

    `published` is in order of position; a position lies under the last edition before it. Before the first, or with
    none, nothing is in force; but a ledger that holds no edition at all is read by the deciding policy.
    """

    def __init__(self, published: Sequence[tuple[int, Policy]], deciding: Policy) -> None:
        self.published = tuple(published)
        self.deciding = deciding

    @property
    def positions(self) -> tuple[int, ...]:
        """The positions at which an edition was published."""
        return tuple(position for position, _ in self.published)

    @property
    def all(self) -> tuple[Policy, ...]:
        """Every edition, the deciding one last."""
        return (*(policy for _, policy in self.published), self.deciding)

    def at(self, position: int) -> Policy | None:
        """The edition in force when the event at this position was recorded."""
        if not self.published:
            return self.deciding
        before = [policy for since, policy in self.published if since < position]
        return before[-1] if before else None

    def since(self, position: int) -> tuple[Policy, ...]:
        """The edition in force at a position (if none was, the first) and all after it, up to the deciding one."""
        index = max(sum(since < position for since, _ in self.published) - 1, 0)
        return (*(policy for _, policy in self.published[index:]), self.deciding)

    def granted(self, scope: WrittenScope, position: int) -> Scope:
        """What a grant reaches: only what it names, as it stood when it was made."""
        edition = self.at(position)
        if edition is None or scope.purposes is None or scope.categories is None or scope.recipients is None:
            return Scope(frozenset(), frozenset(), frozenset())
        return Scope(
            edition.purposes.reach(scope.purposes),
            edition.categories.reach(scope.categories, scope.excluded),
            edition.recipients.reach(scope.recipients),
        )

    def refused(self, scope: WrittenScope, position: int) -> Scope:
        """What a refusal, a signal or a suspension reaches: what it named, and what came of that since."""
        editions = self.since(position)
        return Scope(
            _carried([edition.purposes for edition in editions], scope.purposes, ()),
            _carried([edition.categories for edition in editions], scope.categories, scope.excluded),
            _carried([edition.recipients for edition in editions], scope.recipients, ()),
        )

    def signals(self, name: str, position: int) -> tuple[SignalMap, ...]:
        """What a signal seen at a position refuses: by the map of each edition since, what came of that since."""
        editions = self.since(position)
        maps: dict[tuple[Scope, Region | None], SignalMap] = {}
        for index, edition in enumerate(editions):
            signal = edition.signals.get(name)
            if signal is not None:
                scope = Scope(
                    _kept(editions[index:], signal.scope.purposes, lambda policy: policy.purposes),
                    _kept(editions[index:], signal.scope.categories, lambda policy: policy.categories),
                    _kept(editions[index:], signal.scope.recipients, lambda policy: policy.recipients),
                )
                maps.setdefault((scope, signal.territories), SignalMap(name, scope, signal.territories))
        return tuple(maps.values())


def _kept(
    editions: Sequence[Policy], leaves: frozenset[str], vocabulary: Callable[[Policy], Vocabulary]
) -> frozenset[str]:
    """What came of some leaves, by `was`, over several editions."""
    for edition in editions:
        leaves = frozenset().union(*(vocabulary(edition).resolve(leaf) for leaf in leaves))
    return leaves


def _carried(
    vocabularies: Iterable[Vocabulary], names: tuple[str, ...] | None, excluded: tuple[str, ...]
) -> frozenset[str]:
    """The leaves that names reach in the last of several editions, each edition adding to what the one before said."""
    leaves: frozenset[str] = frozenset()
    for vocabulary in vocabularies:
        kept = frozenset().union(*(vocabulary.resolve(leaf) for leaf in leaves))
        named = None if names is None else [today for name in names for today in _today(vocabulary, name)]
        leaves = kept | vocabulary.reach(named, [today for name in excluded for today in _today(vocabulary, name)])
    return leaves


def _today(vocabulary: Vocabulary, name: str) -> tuple[str, ...]:
    """The terms that a name stands for in a vocabulary: itself, or whatever was called so."""
    if name in vocabulary:
        return (name,)
    return tuple(term.name for term in vocabulary.terms.values() if name in term.was)
