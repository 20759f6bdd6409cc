"""Uses that ask for the record's account: its attributes, or the organisation that holds it.

What such a use says depends on a person and an account together, which are too many pairs to decide beforehand. So
the snapshot holds states, each party's own step function with nothing merged, and the pairs of states that a corpus
asks for are decided by the reference when they are met, one record of it each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sayso.consent.fold import GRANT, written
from sayso.plan.classes import AS_WRITTEN, NOWHERE, axes
from sayso.plan.people import Ints, first_rows_alike
from sayso.plan.relevance import Relevance
from sayso.plan.results import Result, Results, first, result_of
from sayso.plan.segments import Keys, Segments
from sayso.plan.snapshot import Snapshot, answers, categories, dimensions, places, results, stand
from sayso.plan.symbols import NOTHING, Kind, Meaning, Symbols, table_of
from sayso.policy.decide import find
from sayso.policy.facts import Facts, Id, Record, Subject
from sayso.policy.situation import WRITTEN

ACCOUNT, ORGANISATION = "a:", "o:"
"""Before the ids of accounts and of organisations, in histories that hold both."""


class States:
    """The states of parties, one for each key and where a person is and was. State 0 is that of one who is not known."""

    buried = 1
    """The state of those who were erased."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, int, int], int] = {}

    @property
    def count(self) -> int:
        """How many numbers are in use."""
        return len(self._numbers) + 2

    def of(self, segments: Segments) -> Ints:
        """The state of each segment."""
        firsts, place = first_rows_alike([segments.key, segments.now + 1, segments.then + 1])
        columns = (segments.key[firsts], segments.now[firsts], segments.then[firsts])
        triples = zip(*(column.tolist() for column in columns), strict=True)
        return np.array([self._numbers.setdefault(triple, self.count) for triple in triples], np.int64)[place]

    def join(self, _one: int, _other: int) -> int:
        """No state stands for another."""
        return NOTHING

    def slots(self, _numbers: Ints, segments: Segments, kept: Ints) -> Ints:
        """Every event of a party may be behind a verdict."""
        return segments.all_slots[segments.whose[kept]]


def account_symbols(payloads: Mapping[int, Mapping[str, Any]], relevance: Relevance) -> Symbols:
    """The symbols of what is said of accounts, and of organisations to the accounts that they held.

    Where a rule hears organisations, an account that one ever held is like no other.
    """
    known: dict[Meaning, int] = {}
    rows: list[tuple[int, int, int, int | None, bool, bool]] = []
    held = any(rule.holder.value == "organisation" for rule in relevance.rules)
    for code in sorted(payloads):
        payload = payloads[code]
        match payload["kind"]:
            case "account.attributes-changed":
                said = payload["attributes"].items()
                asked = tuple(sorted((name, value) for name, value in said if name in relevance.attributes))
                if asked:
                    meaning = Meaning(Kind.VOICE, asked, border=True)
                    rows.append((code, 0, known.setdefault(meaning, len(known)), None, False, True))
            case "organisation.joined" | "organisation.left" | "choice.recorded" | "notice.delivered" if held:
                meaning = Meaning(Kind.VOICE, "of an organisation", border=True, alone=True)
                rows.append((code, 0, known.setdefault(meaning, len(known)), None, False, True))
            case _:
                pass
    scopes = frozenset(
        relevance.context.editions.granted(written(payload["scope"]), position)
        if payload["decision"] == GRANT
        else relevance.context.editions.refused(written(payload["scope"]), position)
        for payload in payloads.values()
        if payload["kind"] == "choice.recorded"
        for position in (0, *(position + 1 for position in relevance.context.editions.positions))
    )
    return Symbols(table_of(rows), tuple(known), {}, scopes)


Histories = Callable[[], Iterable[pa.RecordBatch]]


def build(
    relevance: Relevance, people: tuple[Symbols, Histories], accounts: tuple[Symbols, Histories], ids: pa.DataType
) -> Snapshot:
    """The snapshot of a use that asks for the account: states, and no answers yet."""

    def stood(symbols: Symbols, histories: Histories, of: pa.DataType) -> tuple[pa.Table, pa.Table, int | None, int]:
        standing, overflow, change, used = stand(States(), Keys(relevance, symbols), relevance, histories(), of)
        return standing, overflow, change, len(used)

    standing, overflow, change, _ = stood(*people, ids)
    held, held_overflow, later, count = stood(*accounts, pa.string())
    both = replace(people[0], scopes=people[0].scopes | accounts[0].scopes)
    axis = axes(relevance, both)
    numbered = Results()
    for code in relevance.territories:
        numbered.territory(code)
    numbers = dimensions(relevance, axis, numbered, 0, States.buried, count)
    none = np.empty(0, np.int32)
    return Snapshot(
        numbers, standing, overflow, answers(numbered, np.empty(0, np.int64), none, none), categories(relevance, axis),
        places(axis), results(numbered), tuple(numbered.territories), relevance.categories,
        min((instant for instant in (change, later) if instant is not None), default=None),
        _plain(held, ids), _plain(held_overflow, ids),
    )  # fmt: skip


def answered(snapshot: Snapshot, asked: pa.Table, relevance: Relevance, facts: Facts) -> Snapshot:
    """The snapshot with the answers that a corpus asks for (`gate.combinations`), each decided by the reference."""
    numbered = Results()
    for code in snapshot.territories:
        numbered.territory(code)
    for row in snapshot.results.to_pylist():
        numbered.number(Result(**row))
    unasked = snapshot.dimensions.unasked
    keys, found, where = [], [], []
    for combination in asked.to_pylist():
        example = combination["example"]
        role = unasked[0] if example["role"] else None
        record = Record(
            (Subject(example["subject"], role),), example["category"], example["collected"], example["written"],
            example["account"],
        )  # fmt: skip
        finding = first(find(relevance.reduced, relevance.use, record, facts), counts=not example["role"])
        slots = {position: (slot, True) for slot, position in enumerate(example["account_behind"] or ())}
        slots |= {position: (slot, False) for slot, position in enumerate(example["behind"] or ())}
        keys.append(combination["asked"])
        found.append(numbered.number(result_of(finding, slots)))
        if finding is None or finding.territory is None:
            where.append(NOWHERE)
        else:
            where.append(AS_WRITTEN if finding.situation == WRITTEN else numbered.territory(finding.territory))
    table = answers(numbered, np.array(keys, np.int64), np.array(found, np.int32), np.array(where, np.int32))
    return replace(snapshot, answers=table, results=results(numbered), territories=tuple(numbered.territories))


def marked(ids: pa.Array, mark: str) -> pa.Array:
    """Ids as they stand in histories that hold accounts and organisations."""
    return pc.binary_join_element_wise(mark, ids.cast(pa.string()), "")


def kin(held: Iterable[tuple[Id, Id]]) -> pa.Table:
    """Whose facts an account hears, as `history.history` asks: its own, and those of every organisation it had."""
    of: dict[Id, list[Id]] = {}
    for account, organisation in held:
        if organisation not in of.setdefault(account, []):
            of[account].append(organisation)
    rows = [(f"{ACCOUNT}{account}", f"{ACCOUNT}{account}", 0) for account in of]
    rows += [
        (f"{ORGANISATION}{organisation}", f"{ACCOUNT}{account}", member)
        for account, organisations in of.items()
        for member, organisation in enumerate(organisations, start=1)
    ]
    ids, accounts, members = list(zip(*rows, strict=True)) or [(), (), ()]
    columns = [pa.array(ids, pa.string()), pa.array(accounts, pa.string()), pa.array(members, pa.int64())]
    return pa.table(columns, names=["id", "subject", "member"])


def _plain(table: pa.Table, ids: pa.DataType) -> pa.Table:
    """A table about accounts with their own ids again."""
    table = table.filter(pc.starts_with(table.column("subject"), ACCOUNT))
    own = [value.removeprefix(ACCOUNT) for value in table.column("subject").to_pylist()]
    plain = pa.array([int(value) for value in own] if pa.types.is_integer(ids) else own, ids)
    return table.set_column(0, "subject", plain)
