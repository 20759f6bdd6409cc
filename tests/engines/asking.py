"""Generated worlds put to an engine as it is asked by a gate: Parquet files, mapped columns, a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.engine import Engine, Part, Question
from sayso.gate.verdicts import Codec, collect
from sayso.ledger.identity import IdType
from sayso.plan import accounts
from sayso.plan.relevance import Relevance
from sayso.policy.facts import Record
from sayso.policy.verdict import Outcome
from sayso.territory.code import canonical
from tests.compare import Row, by_reference, snapshot
from tests.strategies import World

COLUMNS = Columns(
    (SubjectColumn("subjects"),), category="category", territory="territory", account="account", reserved="reserved"
)
LAYOUTS = ((1, 1 << 20), (3, 100), (5, 7))
"""How a corpus lies in files: how many, and of how many records a row group is."""


def table(records: Sequence[Record], *, several: bool = True) -> pa.Table:
    """Records as a platform may write them: of several subjects each, or of one."""
    instants = pa.array([record.collected_at for record in records], pa.int64()).cast(pa.timestamp("us", "UTC"))
    columns = {
        "category": pa.array([record.category for record in records], pa.string()),
        "collected_at": instants,
        "territory": pa.array([record.territory for record in records], pa.string()),
        "account": pa.array([record.account for record in records], pa.int64()),
        "reserved": pa.array([sorted(record.reserved) for record in records], pa.list_(pa.string())),
    }
    if several:
        told = [
            None if record.subjects is None else [{"id": one.id, "role": one.role} for one in record.subjects]
            for record in records
        ]
        kind = pa.list_(pa.struct([("id", pa.int64()), ("role", pa.string())]))
        return pa.table(columns | {"subjects": pa.array(told, kind)})
    lone = [record.subjects[0].id if record.subjects else None for record in records]
    return pa.table(columns | {"author": pa.array(lone, pa.int64())})


def written(corpus: pa.Table, folder: Path, files: int = 1, group: int = 1 << 20) -> tuple[Part, ...]:
    """A corpus as so many files of row groups of so many records."""
    folder.mkdir(parents=True, exist_ok=True)
    size, parts = -(-corpus.num_rows // files), []
    for number in range(files):
        piece, path = corpus.slice(number * size, size), folder / f"part {number}.parquet"
        pq.write_table(piece, path, row_group_size=group)
        parts.append(Part(path, piece.num_rows, number * size))
    return tuple(part for part in parts if part.rows)


def question(
    made: Any, world: World, corpus: pa.Table, parts: tuple[Part, ...], columns: Columns = COLUMNS, **more: Any
) -> Question:
    """What a gate asks of a world."""
    reserving = world.policy.purposes.above(world.use.purpose)
    return Question(parts, columns, corpus.schema, made, reserving, id_type=IdType.INT64, **more)


def said(engine: Engine, world: World, asked: Question) -> list[Row]:
    """What an engine says of each record, in order: as the reference does, but for whom a permit is about."""
    made = asked.snapshot
    if made.accounts is not None:
        relevance = Relevance(world.context, world.known, world.use)
        made = accounts.answered(made, engine.combinations(asked), relevance, world.known)
        asked = replace(asked, snapshot=made)
    rows = sum(part.rows for part in asked.parts)
    found = collect(engine.verdicts(asked), rows, Codec(made), pa.int64())
    version = world.policy.in_force(world.use.at, world.context.withdrawn)
    denials = found.denials
    about = dict(
        zip(
            denials.rows.tolist(), zip(denials.ids.to_pylist(), denials.positions.to_pylist(), strict=True), strict=True
        )
    )
    stated = territories(asked)
    told: list[Row] = []
    for row, number in enumerate(found.packed.tolist()):
        answer = found.codec.read(number)
        rule = version.rules[answer.rule].id if version and answer.rule >= 0 else None
        where = canonical(stated[row] or "") if answer.written else answer.territory
        told.append((answer.outcome.word, rule, where, *about.get(row, (None, None))))
    return told


def expected(world: World, records: Sequence[Record], *, several: bool = True) -> list[Row]:
    """What the reference says, of denials alone whom they are about; of records of one subject that is that."""
    told = by_reference(world, records)
    permits = {outcome for outcome, *_ in told} - _DENIALS
    return [
        (outcome, rule, where, None if outcome in permits or not several else who, behind)
        for outcome, rule, where, who, behind in told
    ]


def territories(asked: Question) -> list[str | None]:
    """The territory written on each record."""
    name = asked.columns.territory
    columns = [pq.read_table(part.path, columns=[name]).column(0) for part in asked.parts]
    return pc.cast(
        pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string()), pa.string()
    ).to_pylist()


def ask(engine: Engine, world: World, duckdb: Any, corpus: pa.Table, folder: Path, **how: Any) -> list[Row]:
    """The verdicts of a corpus that lies in a folder somehow (`written`)."""
    columns = COLUMNS if "subjects" in corpus.schema.names else replace(COLUMNS, subjects=how.pop("subjects"))
    stale = how.pop("stale", False)
    parts = written(corpus, folder, **how)
    return said(engine, world, question(snapshot(duckdb, world), world, corpus, parts, columns, stale=stale))


_DENIALS = {outcome.word for outcome in Outcome if not outcome.permits}
