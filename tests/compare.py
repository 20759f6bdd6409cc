"""Deciding one generated world by every engine: what the reference says of each record, and what a gate says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sayso.consent.fold import Fact
from sayso.consent.kin import groups
from sayso.engines import flat
from sayso.engines.forms import Forms
from sayso.gate.columns import Columns, SubjectColumn
from sayso.ledger.identity import IdType
from sayso.plan import accounts
from sayso.plan.direct import Direct
from sayso.plan.gate import Packing, Shape, Tables, combinations, keyed, plain, verdicts
from sayso.plan.history import history, told_once
from sayso.plan.ids import Hashing, Texts
from sayso.plan.lookup import Lookup
from sayso.plan.relevance import Relevance
from sayso.plan.several import AT_ONCE, Worst
from sayso.plan.snapshot import Snapshot, build, with_buried
from sayso.plan.symbols import Symbols, symbols
from sayso.policy.decide import decide
from sayso.policy.facts import Id, Record, SubjectFacts
from sayso.policy.verdict import Outcome
from sayso.territory import canonical
from tests.strategies import World

Row = tuple[str, str | None, str | None, Id | None, int | None]
"""Outcome, rule, territory and subject, and of a denial the position of the event behind it."""
Batches = Callable[[], Iterable[pa.RecordBatch]]
BATCH = 7
"""So few rows a batch that people often lie across two."""


def by_reference(world: World, records: Sequence[Record]) -> list[Row]:
    """What the reference says of each record."""
    known = world.known
    rows: list[Row] = []
    for record in records:
        verdict = decide(world.policy, world.use, record, known)
        evidence = verdict.evidence
        behind = None if verdict.permit or not evidence.positions else evidence.positions[0]
        rows.append((verdict.outcome.word, evidence.rule, evidence.territory, evidence.subject, behind))
    return rows


def snapshot(connection: Any, world: World, examples: list[Id] | None = None) -> Snapshot:
    """The snapshot of a world, its fold run as a relational query. Those by whom a key is decided go into `examples`."""
    relevance = Relevance(world.context, world.known, world.use)
    events = _Events()
    people = events.rows({one: said for one, said in world.subjects.items() if one not in world.buried}, pa.int64())
    pairs = [(one, f.other) for one, said in world.subjects.items() for f in said if f.kind == "subject.aliased"]
    heard = [
        (other, member, [member, *(o for o in group if o != member)].index(other))
        for member, group in groups((one, other) for one, other in pairs if other is not None).items()
        for other in group
    ]
    kin = _kin(heard, pa.int64())
    marked = {f"{accounts.ACCOUNT}{one}": said for one, said in world.accounts.items()}
    marked |= {f"{accounts.ORGANISATION}{one}": said for one, said in world.organisations.items()}
    held = events.rows(marked, pa.string())
    table = symbols(events.payloads, relevance)
    of_people = _histories(connection, people, table, kin)
    if not relevance.asks_account:
        known = world.known

        def persons(ids: Sequence[Id]) -> Mapping[Id, SubjectFacts]:
            if examples is not None:
                examples.extend(ids)
            return {one: known.subject(one) or SubjectFacts() for one in ids}

        return with_buried(build(relevance, table, of_people(), persons, pa.int64()), world.buried)
    of_accounts = accounts.account_symbols(events.payloads, relevance)
    holdings = [(one, f.other) for one, said in world.accounts.items() for f in said if f.other is not None]
    later = _histories(connection, held, of_accounts, accounts.kin((one, other) for one, other in holdings if other))
    made = accounts.build(relevance, (table, of_people), (of_accounts, later), pa.int64())
    return with_buried(made, world.buried)


class _Events:
    """Every payload by its code, and facts as rows that name it."""

    def __init__(self) -> None:
        self.payloads: dict[int, Mapping[str, Any]] = {}
        self._codes: dict[str, int] = {}

    def rows(self, parties: Mapping[Any, Sequence[Fact]], ids: pa.DataType) -> pa.Table:
        rows: list[tuple[Any, ...]] = []
        for party, facts in parties.items():
            for fact in facts:
                code = self._codes.setdefault(repr(sorted(fact.payload.items(), key=str)), len(self._codes))
                self.payloads[code] = fact.payload
                channel = str(fact.other) if fact.kind == "signal.seen" else None
                rows.append((fact.position, party, fact.at, fact.recorded_at, code, channel))
        names = ("position", "id", "at", "recorded_at", "code", "other")
        types = {"id": ids, "other": pa.string()}
        schema = pa.schema([(name, types.get(name, pa.int64())) for name in names])
        return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in sorted(rows)], schema)


def _kin(heard: Sequence[tuple[Any, ...]], ids: pa.DataType) -> pa.Table:
    schema = pa.schema([("id", ids), ("subject", ids), ("member", pa.int64())])
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in heard], schema)


def _histories(connection: Any, facts: pa.Table, table: Symbols, kin: pa.Table) -> Batches:
    def batches() -> Iterable[pa.RecordBatch]:
        once = told_once(facts.to_batches(max_chunksize=BATCH), table.signals, facts.schema.field("id").type).read_all()
        found = history(ibis.memtable(once), ibis.memtable(table.table), ibis.memtable(kin))
        made: pa.Table = connection.to_pyarrow(found)
        return made.to_batches(max_chunksize=BATCH)

    return batches


Naming = Callable[[Id | None], Id | None]
"""What somebody's number is called instead; and what stands instead of no id."""


def by_number(one: Id | None) -> Id | None:
    """Everybody's own number."""
    return one


def kind_of(naming: Naming) -> pa.DataType:
    """The type of what people are called."""
    return pa.string() if isinstance(naming(1), str) else pa.int64()


def corpus(records: Sequence[Record], world: World, naming: Naming = by_number) -> pa.Table:
    """Records as the gate reads them: several subjects each, every column mapped."""
    reserved = world.policy.purposes.above(world.use.purpose)
    subjects = pa.list_(pa.struct([("id", kind_of(naming)), ("role", pa.string())]))
    return pa.table(
        {
            "row": pa.array(range(len(records)), pa.int64()),
            "category": pa.array([r.category for r in records], pa.string()),
            "collected": pa.array([r.collected_at for r in records], pa.int64()),
            "subjects": pa.array(
                [
                    None if r.subjects is None else [{"id": naming(s.id), "role": s.role} for s in r.subjects]
                    for r in records
                ],
                subjects,
            ),
            "written": pa.array([r.territory for r in records], pa.string()),
            "reserved": pa.array([not r.reserved.isdisjoint(reserved) for r in records], pa.bool_()),
            "malformed": pa.array([r.malformed for r in records], pa.bool_()),
            "account": pa.array([r.account for r in records], pa.int64()),
        }
    )


def by_gate(connection: Any, world: World, records: Sequence[Record], *, several: bool = True) -> list[Row]:
    """The same, by the gate's expression on a snapshot. Without `several`, records of one author each."""
    made = snapshot(connection, world)
    read = corpus(records, world)
    shape = Shape(several=True, written=True, reserved=True, malformed=True, account=made.accounts is not None)
    if not several:
        lone = pa.array([r.subjects[0].id if r.subjects else None for r in records], pa.int64())
        role = next((r.subjects[0].role for r in records if r.subjects), None)
        read = read.drop_columns(["subjects"]).append_column("subject", lone)
        shape = Shape(role=role, written=True, reserved=True, malformed=True, account=made.accounts is not None)
    if made.accounts is not None:
        asked = combinations(ibis.memtable(read), shape, tables(made), made.dimensions)
        relevance = Relevance(world.context, world.known, world.use)
        made = accounts.answered(made, connection.to_pyarrow(asked), relevance, world.known)
    expression = verdicts(ibis.memtable(read), shape, tables(made), made.dimensions)
    found = sorted(connection.to_pyarrow(expression).to_pylist(), key=lambda row: row["row"])
    return _rows(made, world, records, found)


def by_lookup(connection: Any, world: World, records: Sequence[Record]) -> list[Row]:
    """The same of records of one author each, none of them reserved, by keys whose answers are looked up."""
    made = snapshot(connection, world)
    lone = pa.array([r.subjects[0].id if r.subjects else None for r in records], pa.int64())
    read = corpus(records, world).drop_columns(["subjects", "reserved"]).append_column("subject", lone)
    held = tables(made)
    numbers = made.standing.append_column("person", pa.array(range(made.standing.num_rows), pa.int32()))
    held = replace(held, standing=ibis.memtable(numbers.drop_columns(["behind"])), behind=None)
    shape = Shape(written=True, malformed=True)
    assert plain(shape, made.dimensions)
    asked = connection.to_pyarrow(keyed(ibis.memtable(read), shape, held, made.dimensions))
    return _told(made, world, records, map(Lookup(made).numbered, asked.to_batches()))


def renamed(made: Snapshot, naming: Naming, hashed: Hashing | None = None) -> Direct:
    """Where everybody is by another id; `hashed` otherwise than texts are."""

    def moved(table: pa.Table) -> pa.Table:
        return table.set_column(0, "subject", [pa.array(map(naming, table.column("subject").to_pylist()), kind)])

    kind = kind_of(naming)
    standing = moved(made.standing)
    direct = Direct(replace(made, standing=standing, overflow=moved(made.overflow)))
    if hashed is not None:
        direct.people = Texts(standing.column("subject"), hashed)
    assert direct.fits
    return direct


def by_direct(
    connection: Any, world: World, records: Sequence[Record], naming: Naming = by_number,
    hashed: Hashing | None = None,
) -> list[Row]:  # fmt: skip
    """The same, by arrays from the columns themselves, in which people are called otherwise."""
    made = snapshot(connection, world)
    direct, lookup = renamed(made, naming, hashed), Lookup(made)
    lone = [naming(r.subjects[0].id if r.subjects else None) for r in records]
    read = corpus(records, world).append_column("subject", [pa.array(lone, kind_of(naming))])

    def batches() -> Iterable[pa.RecordBatch]:
        with Forms(IdType.STRING) as forms:
            for batch in read.combine_chunks().to_batches(max_chunksize=BATCH * 100):
                person = direct.people.of(batch.column("subject"), forms).person
                instants, no_instant = flat.numbers(batch.column("collected"))
                unread = np.asarray(batch.column("malformed")) | (False if no_instant is None else no_instant)
                said, where = (batch.column(name).dictionary_encode() for name in ("category", "written"))
                key, category = direct.keyed(person, instants, said, where, unread)
                yield lookup.told(batch.column("row"), key, category, person)

    return _told(made, world, records, batches())


def by_arrays(
    connection: Any, world: World, records: Sequence[Record], *, by_role: bool = False, most: int = AT_ONCE,
    naming: Naming = by_number, hashed: Hashing | None = None,
) -> list[Row]:  # fmt: skip
    """The same of records of several subjects, by arrays; of permitted ones without a subject, which is not carried out.

    The subjects are a list of structs, or, `by_role`, a column of authors, a list of nobody's role and one of those
    mentioned, in which order they are then expected. `most` of them are asked at once. They may be called otherwise.
    """
    made = snapshot(connection, world)
    direct, lookup = renamed(made, naming, hashed), Lookup(made)
    worst = Worst(direct, lookup, most)
    read = corpus(records, world, naming)
    columns = Columns((SubjectColumn("subjects"),), category="category")
    if by_role:
        columns = Columns(
            (SubjectColumn("author", "author", optional=True), SubjectColumn("others"),
             SubjectColumn("mentioned", "mentioned", optional=True)), category="category",
        )  # fmt: skip
        read = _by_role(read, records, naming)

    def batches() -> Iterable[pa.RecordBatch]:
        first = 0
        with Forms(IdType.STRING) as forms:
            for batch in read.combine_chunks().to_batches(max_chunksize=BATCH * 100):
                find = partial(direct.people.of, read=forms)
                several, missing = flat.subjects(batch, columns, made.dimensions.unasked, find)
                instants, no_instant = flat.numbers(batch.column("collected"))
                unread = np.asarray(batch.column("malformed")) | missing | (False if no_instant is None else no_instant)
                yield from worst.numbered(
                    first, several, instants, batch.column("category").dictionary_encode(),
                    batch.column("written").dictionary_encode(), unread, named=True,
                )  # fmt: skip
                first += batch.num_rows

    return _told(made, world, records, batches(), naming)


def _by_role(read: pa.Table, records: Sequence[Record], naming: Naming) -> pa.Table:
    """Subjects in columns by role; the first author alone, and the list of the others null where there is none at all."""

    def of(record: Record, role: str | None) -> list[Id | None] | None:
        return None if record.subjects is None else [naming(one.id) for one in record.subjects if one.role == role]

    kind = kind_of(naming)
    authors = [(of(record, "author") or [None])[0] for record in records]
    columns = {
        "author": pa.array(authors, kind),
        "others": pa.array([of(record, None) for record in records], pa.list_(kind)),
        "mentioned": pa.array([of(record, "mentioned") or None for record in records], pa.large_list(kind)),
    }
    for name, column in columns.items():
        read = read.append_column(name, column)
    return read


def _told(
    made: Snapshot, world: World, records: Sequence[Record], batches: Iterable[pa.RecordBatch],
    naming: Naming = by_number,
) -> list[Row]:  # fmt: skip
    """Numbered verdicts in words."""
    packing = Packing.of(made)
    found = []
    for batch in batches:
        for row in batch.to_pylist():
            rest, category = divmod(row["number"], packing.categories)
            result, territory = divmod(rest, packing.territories)
            about = 0 if made.results.column("outcome")[result].as_py() > Outcome.NO_SUBJECT else -1
            if "id" in row:
                ids = [None if one.id is None else naming(one.id) for one in records[row["row"]].subjects or ()]
                about = -1 if row["id"] is None else ids.index(row["id"])
            found.append(
                {
                    "row": row["row"], "result": result, "territory": territory - 2, "category": category - 1,
                    "subject": about, "id": None, "position": row.get("position"),
                }
            )  # fmt: skip
    return _rows(made, world, records, sorted(found, key=lambda row: row["row"]))


def _rows(made: Snapshot, world: World, records: Sequence[Record], found: Sequence[Mapping[str, Any]]) -> list[Row]:
    """What verdicts say, in words."""
    assert [row["row"] for row in found] == list(range(len(records)))
    results = made.results.to_pylist()
    version = world.policy.in_force(world.use.at, world.context.withdrawn)
    rows: list[Row] = []
    for row, record in zip(found, records, strict=True):
        result = results[row["result"]]
        rule = version.rules[result["rule"]].id if version and result["rule"] >= 0 else None
        where = canonical(record.territory or "") if row["territory"] == -1 else None
        where = made.territories[row["territory"]] if row["territory"] >= 0 else where
        subject = record.subjects[row["subject"]].id if record.subjects and row["subject"] >= 0 else None
        assert row["id"] in (None, subject)
        outcome = Outcome(result["outcome"])
        rows.append((outcome.word, rule, where, subject, None if outcome.permits else row["position"]))
    return rows


def tables(made: Snapshot) -> Tables:
    """A snapshot's tables as the gate's expression names them."""
    held = {name: ibis.memtable(table) for name, table in made.tables.items()}

    def unless_empty(name: str) -> Any:
        return held[name] if name in held and made.tables[name].num_rows else None

    def behind(name: str) -> Any:
        if name not in held:
            return None
        having = made.tables[name].filter(pc.is_valid(made.tables[name].column("behind")))
        return ibis.memtable(having.select(["subject", "behind"])) if having.num_rows else None

    return Tables(
        held["standing"], unless_empty("overflow"), held["answers"], held["categories"], held["places"],
        held.get("accounts"), unless_empty("accounts_overflow"), behind("standing"), behind("accounts"),
    )  # fmt: skip
