"""What an erasure destroys, and under which ids (spec/ledger.md, *Erasure*)."""

from __future__ import annotations

from sayso.ledger.entry import PrivatePart
from sayso.ledger.facts import ROW_BITS, Fact, Party, first_row, kind_of
from sayso.ledger.identity import Id
from sayso.ledger.state import ACTORS
from sayso.ledger.store import Oblivion, PartKey, Reading


def aliases_of(reading: Reading, subject: Id) -> list[Id]:
    """Every alias of a subject, transitively, in the order of finding them."""
    found: dict[Id, None] = {subject: None}
    edge = [subject]
    while edge:
        facts = reading.facts_of(Party.SUBJECT, edge)
        aliased = (fact.other for fact in facts if kind_of(fact.payload) == "subject.aliased")
        edge = [one for one in aliased if one is not None and one not in found]
        found |= dict.fromkeys(edge)
    return [one for one in found if one != subject]


def oblivion(reading: Reading, subject: Id) -> Oblivion:
    """What leads back to a person: each event about it, its place in lists, and its name where it acted for others.

    An act for another stays, without the name.
    """
    parts: list[PartKey] = []
    rows: list[int] = []
    names: list[int] = []
    for fact in reading.facts_of(Party.SUBJECT, (subject,)):
        match kind_of(fact.payload):
            case "notice.delivered":
                parts.append(PartKey(fact.position, _reached(reading, fact)))
                rows.append(fact.row)
            case "subject.aliased":
                parts.append(PartKey(fact.position, None))
                rows += (first_row(fact.position), first_row(fact.position) + 1)
            case _:
                parts.append(PartKey(fact.position, None))
                rows.append(fact.row)
    for fact in reading.facts_naming(subject):
        match kind_of(fact.payload):
            case "organisation.owners":
                parts.append(PartKey(fact.position, _place(fact) + 1))
                names.append(fact.row)
            case kind if kind in ACTORS or kind == "choice.recorded":
                parts.append(PartKey(fact.position, 1))
                names.append(fact.row)
            case _:
                pass
    return Oblivion(parts, rows, names)


def _reached(reading: Reading, fact: Fact) -> int | None:
    """The part of a delivery that names somebody; every part where nobody else is left."""
    place = _place(fact) + 1
    (entry,) = reading.entries(fact.position, fact.position + 1)
    left = [part for part, held in enumerate(entry.parts) if part and isinstance(held, PrivatePart)]
    return None if left == [place] else place


def _place(fact: Fact) -> int:
    return fact.row & ((1 << ROW_BITS) - 1)
