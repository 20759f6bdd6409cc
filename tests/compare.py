"""Deciding one generated world by every engine: what the reference says of each record, and what a gate says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
import pyarrow as pa

from sayso.consent.kin import groups
from sayso.plan.gate import Shape, Tables, verdicts
from sayso.plan.history import history
from sayso.plan.relevance import Relevance
from sayso.plan.snapshot import Snapshot, build
from sayso.plan.symbols import symbols
from sayso.policy.decide import decide
from sayso.policy.facts import Id, Record
from sayso.policy.verdict import Outcome
from sayso.territory import canonical
from tests.strategies import World

FACTS = pa.schema([(name, pa.int64()) for name in ("position", "id", "at", "recorded_at", "code")])
KIN = pa.schema([(name, pa.int64()) for name in ("id", "subject", "member")])
Row = tuple[str, str | None, str | None, Id | None]


def by_reference(world: World, records: Sequence[Record]) -> list[Row]:
    """Outcome, rule, territory and subject index of each record, by the reference."""
    known = world.known
    rows = []
    for record in records:
        verdict = decide(world.policy, world.use, record, known)
        rows.append((verdict.outcome.word, verdict.evidence.rule, verdict.evidence.territory, verdict.evidence.subject))
    return rows


def snapshot(connection: Any, world: World) -> Snapshot:
    """The snapshot of a world, its fold run as a relational query."""
    relevance = Relevance(world.context, world.known, world.use)
    codes: dict[str, int] = {}
    payloads: dict[int, Any] = {}
    rows = []
    pairs = []
    for subject, facts in world.subjects.items():
        for fact in facts:
            code = codes.setdefault(repr(sorted(fact.payload.items(), key=str)), len(codes))
            payloads[code] = fact.payload
            rows.append((fact.position, subject, fact.at, fact.recorded_at, code))
            if fact.kind == "subject.aliased":
                pairs.append((subject, fact.other))
    table = symbols(payloads, relevance)
    kin = [
        (other, member, [member, *(o for o in group if o != member)].index(other))
        for member, group in groups(pairs).items()
        for other in group
    ]
    expression = history(
        ibis.memtable(pa.Table.from_pylist([dict(zip(FACTS.names, row, strict=True)) for row in rows], FACTS)),
        ibis.memtable(table.table),
        ibis.memtable(pa.Table.from_pylist([dict(zip(KIN.names, row, strict=True)) for row in kin], KIN)),
    )
    sorted_rows = connection.to_pyarrow(expression)
    known = world.known
    return build(
        relevance, table, sorted_rows.to_batches(max_chunksize=7), lambda ids: {i: known.subject(i) for i in ids}, pa.int64()
    )


def corpus(records: Sequence[Record], world: World) -> pa.Table:
    """Records as the gate reads them: several subjects each, every column mapped."""
    reserved = world.policy.purposes.above(world.use.purpose)
    subjects = pa.list_(pa.struct([("id", pa.int64()), ("role", pa.string())]))
    return pa.table(
        {
            "row": pa.array(range(len(records)), pa.int64()),
            "category": pa.array([r.category for r in records], pa.string()),
            "collected": pa.array([r.collected_at for r in records], pa.int64()),
            "subjects": pa.array(
                [None if r.subjects is None else [{"id": s.id, "role": s.role} for s in r.subjects] for r in records],
                subjects,
            ),
            "written": pa.array([r.territory for r in records], pa.string()),
            "reserved": pa.array([not r.reserved.isdisjoint(reserved) for r in records], pa.bool_()),
        }
    )


def by_gate(connection: Any, world: World, records: Sequence[Record], *, several: bool = True) -> list[Row]:
    """The same, by the gate's expression on a snapshot."""
    made = snapshot(connection, world)
    tables = {name: ibis.memtable(table) for name, table in made.tables.items()}
    read = corpus(records, world)
    shape = Shape(several=True, written=True, reserved=True)
    if not several:
        lone = pa.array([r.subjects[0].id if r.subjects else None for r in records], pa.int64())
        read = read.drop_columns(["subjects"]).append_column("subject", lone)
        shape = Shape(written=True, reserved=True)
    expression = verdicts(
        ibis.memtable(read),
        shape,
        Tables(
            tables["standing"], tables["overflow"] if made.overflow.num_rows else None, tables["answers"],
            tables["categories"], tables["places"],
        ),
        made.dimensions,
    )  # fmt: skip
    found = sorted(connection.to_pyarrow(expression).to_pylist(), key=lambda row: row["row"])
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
        rows.append((Outcome(result["outcome"]).word, rule, where, subject))
    return rows
