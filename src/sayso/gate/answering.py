"""What the gate says of records that are at hand: a few of them, put into a Parquet file and asked like any corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sayso.consent.reader import View
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.engine import Engine, Part, Question
from sayso.gate.looks import Look, verdicts
from sayso.gate.snapshots import make
from sayso.ledger.identity import IdType
from sayso.ledger.store import Store
from sayso.policy.facts import Id, Record, Use
from sayso.policy.verdict import Outcome
from sayso.territory.code import canonical

COLUMNS = Columns(
    (SubjectColumn("subjects"),), category="category", territory="territory", account="account", reserved="reserved"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gate says of one record. `subject` is told of denials that rest on somebody, else `None`."""

    outcome: Outcome
    rule: str | None
    territory: str | None
    subject: Id | None


def answers(
    store: Store, view: View, use: Use, records: Sequence[Record], engine: Engine, folder: Path
) -> list[Answer]:
    """The verdicts of some records, in order, by a snapshot as known at the view's position.

    `folder` is a place to write one small file in. A record that is `malformed` cannot be asked this way. Raises
    StoreError, EngineError.
    """
    look = Look(view, make(store, view, use, engine), stale=False)
    ids = pa.int64() if store.id_type is IdType.INT64 else pa.string()
    path = folder / "records.parquet"
    table = _table(records, ids)
    pq.write_table(table, path)
    reserving = view.context.policy.purposes.above(use.purpose)
    question = Question(
        (Part(path, len(records), 0),), COLUMNS, table.schema, look.pinned.snapshot, reserving, False, store.id_type
    )
    found = verdicts(look, question, len(records), engine)
    whose = dict(zip(found.denials.rows.tolist(), found.denials.ids.to_pylist(), strict=True))
    told = []
    for row, (record, number) in enumerate(zip(records, found.packed.tolist(), strict=True)):
        said = found.codec.read(number)
        territory = canonical(record.territory or "") if said.written else said.territory
        told.append(Answer(said.outcome, look.rules.get(said.rule), territory, whose.get(row)))
    return told


def _table(records: Sequence[Record], ids: pa.DataType) -> pa.Table:
    subjects = [
        None if record.subjects is None else [{"id": one.id, "role": one.role} for one in record.subjects]
        for record in records
    ]
    columns = {
        "subjects": (subjects, pa.list_(pa.struct([("id", ids), ("role", pa.string())]))),
        "category": ([record.category for record in records], pa.string()),
        "collected_at": ([record.collected_at for record in records], pa.timestamp("us", "UTC")),
        "territory": ([record.territory for record in records], pa.string()),
        "account": ([record.account for record in records], ids),
        "reserved": ([sorted(record.reserved) for record in records], pa.list_(pa.string())),
    }
    return pa.table({name: pa.array(values, kind) for name, (values, kind) in columns.items()})
