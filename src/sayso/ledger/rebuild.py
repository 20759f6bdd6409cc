"""Deriving the facts from the events once more, to compare them with what the store holds, or to put them in its place."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from sayso.ledger.entry import unseal
from sayso.ledger.facts import Fact, facts, first_row
from sayso.ledger.identity import IdType
from sayso.ledger.store import Reading, Store


def derived(reading: Reading, id_type: IdType) -> Iterator[Fact]:
    """The facts that the events say, in order."""
    for entry in reading.entries():
        event = None if entry.everyones else unseal(entry, id_type)
        if event is not None:
            yield from facts(event, entry.position, entry.recorded_at, id_type)


def held(store: Store) -> Iterator[Fact]:
    """The facts that the store holds, in order, with the place among an event's facts left out of the row."""
    payloads = store.payloads()
    for batch in store.facts():
        for row in batch.to_pylist():
            payload = payloads[row.pop("code")]
            yield Fact(first_row(row.pop("position")), payload=payload, **row)


def first_difference(store: Store) -> int | None:
    """The first position whose facts are not what its event says; `None` if all are.

    Reads the whole ledger. Raises StoreError.
    """
    said = (fact._replace(row=first_row(fact.position)) for fact in derived(store, store.id_type))
    for one, other in zip_longest(said, held(store)):
        if one != other:
            return min(fact.position for fact in (one, other) if fact is not None)
    return None


def rebuild(store: Store) -> None:
    """Puts the facts that the events say in the place of those that the store holds. Raises StoreError."""
    with store.writing() as transaction:
        transaction.replace_facts(derived(transaction, store.id_type))
