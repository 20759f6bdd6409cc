"""Vocabularies: trees and flat sets of terms, and what a scope over them reaches.

A term is named by one word, unique in its vocabulary, whatever its place in the tree (semantics, section 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Term:
    """One purpose, category or recipient.

    `was` lists every name that this term, or a part of what it now means, had in earlier editions.
    `dpv` and `aipref` are the identifiers of the same idea in the W3C Data Privacy Vocabulary and the IETF AI
    preferences vocabulary.
    """

    name: str
    parent: str | None = None
    was: tuple[str, ...] = ()
    special: bool = False
    title: str | None = None
    dpv: str | None = None
    aipref: str | None = None


@dataclass(frozen=True)
class Vocabulary:
    """A tree of terms; a flat set is a tree in which every term is a leaf and a root."""

    terms: Mapping[str, Term] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.terms

    @cached_property
    def _children(self) -> Mapping[str, tuple[str, ...]]:
        children: dict[str, list[str]] = {}
        for term in self.terms.values():
            if term.parent is not None:
                children.setdefault(term.parent, []).append(term.name)
        return {name: tuple(names) for name, names in children.items()}

    @cached_property
    def leaves(self) -> frozenset[str]:
        """Every term that has none below it."""
        return frozenset(name for name in self.terms if name not in self._children)

    def below(self, name: str) -> frozenset[str]:
        """The leaves at or below a term; none for a name that is no term."""
        if name not in self.terms:
            return frozenset()
        children = self._children.get(name)
        if children is None:
            return frozenset((name,))
        return frozenset().union(*(self.below(child) for child in children))

    def above(self, name: str) -> tuple[str, ...]:
        """The term and every term above it, nearest first, each followed by the names that it had before."""
        path: list[str] = []
        step: str | None = name
        while step is not None and step in self.terms:
            path += (step, *self.terms[step].was)
            step = self.terms[step].parent
        return tuple(path)

    def reach(self, names: Iterable[str] | None, excluded: Iterable[str] = ()) -> frozenset[str]:
        """The leaves that a scope reaches: those below `names` (`None`: all) but not below `excluded`."""
        reached = self.leaves if names is None else frozenset().union(*(self.below(name) for name in names))
        return reached - frozenset().union(*(self.below(name) for name in excluded))

    def renamed(self, name: str) -> frozenset[str]:
        """The leaves of today that a name of an earlier edition stands for, by `was`."""
        return frozenset().union(*(self.below(term.name) for term in self.terms.values() if name in term.was))

    def resolve(self, name: str) -> tuple[str, ...]:
        """The leaves under each of which a record or refusal that bears `name` must be judged, in order of name.

        A leaf stands for itself; a leaf since renamed or split for all that came of it; anything else for nothing.
        """
        return (name,) if name in self.leaves else tuple(sorted(self.renamed(name)))


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rule, choice, notice, signal or suspension is about, as the leaves and recipients that it reaches."""

    purposes: frozenset[str]
    categories: frozenset[str]
    recipients: frozenset[str]

    def covers(self, purpose: str, category: str, recipient: str) -> bool:
        """Whether each of the three is within the scope."""
        return purpose in self.purposes and category in self.categories and recipient in self.recipients


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open interval of instants; `None` leaves an end open."""

    start: int | None = None
    until: int | None = None

    def holds(self, instant: int) -> bool:
        """Whether the instant lies within."""
        return (self.start is None or self.start <= instant) and (self.until is None or instant < self.until)


ALWAYS = Window()
