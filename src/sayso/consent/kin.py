"""Aliases: which ids were found to be one person, transitively and for all instants (semantics, section 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from sayso.consent.fold import Fact
from sayso.policy.facts import Id

ALIASED = "subject.aliased"


def order(subject: Id) -> tuple[str, Id]:
    """Sorts ids, of one type, as every engine does."""
    return (type(subject).__name__, subject)


def groups(pairs: Iterable[tuple[Id, Id]]) -> dict[Id, tuple[Id, ...]]:
    """For every id of which a pair speaks, all ids of the same person, in order."""
    group_of: dict[Id, list[Id]] = {}
    for one, other in pairs:
        first, second = group_of.setdefault(one, [one]), group_of.setdefault(other, [other])
        if first is not second:
            if len(first) < len(second):
                first, second = second, first
            first.extend(second)
            for member in second:
                group_of[member] = first
    return {member: tuple(sorted(group, key=order)) for member, group in group_of.items()}


def related(subject: Id, facts_of: Callable[[Sequence[Id]], Mapping[Id, Sequence[Fact]]]) -> dict[Id, Sequence[Fact]]:
    """The facts of one person and of every alias, found by following the facts themselves."""
    found: dict[Id, Sequence[Fact]] = {}
    wanted = [subject]
    while wanted:
        fetched = facts_of(wanted)
        for member in wanted:
            found[member] = fetched.get(member, ())
        others = (fact.other for member in wanted for fact in found[member] if fact.kind == ALIASED)
        wanted = [other for other in dict.fromkeys(others) if other is not None and other not in found]
    return found
