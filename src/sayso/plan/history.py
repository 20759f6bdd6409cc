"""The fold as a relational query: each person's facts for one use, as symbols in order.

It has no meaning of its own: it picks, joins and sorts. What the sorted symbols say is found by deciding one person
of each kind by the reference (`classes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sayso.plan.symbols import CHANNELS

FACTS = ("position", "id", "at", "recorded_at", "code", "nth")
KIN = ("id", "subject", "member")


def told_once(facts: Iterable[pa.RecordBatch], signals: Mapping[int, int], ids: pa.DataType) -> pa.RecordBatchReader:
    """Facts with the columns FACTS, a signal but once for each channel that showed it: from the earliest instant, as
    it was first recorded (semantics, section 9.6). `nth` counts a person's channels.

    `facts` come in order of position, with `other`, the channel, if there are `signals` (by code, a number for each).
    """
    schema = pa.schema([(name, ids if name == "id" else pa.int64()) for name in FACTS])
    codes = pa.array(sorted(signals), pa.int64())

    def told() -> Iterator[pa.RecordBatch]:
        seen: list[pa.RecordBatch] = []
        for batch in facts:
            if signals:
                is_signal = pc.is_in(batch.column("code"), codes)
                seen.append(batch.filter(is_signal))
                batch = batch.filter(pc.invert(is_signal))
            none = pa.array(np.zeros(batch.num_rows, np.int64))
            yield pa.RecordBatch.from_arrays([*(batch.column(name) for name in FACTS[:-1]), none], schema=schema)
        if seen:
            yield from _channels(pa.Table.from_batches(seen), signals).cast(schema).to_batches()

    return pa.RecordBatchReader.from_batches(schema, told())


def _channels(seen: pa.Table, signals: Mapping[int, int]) -> pa.Table:
    """One row for each person, signal and channel."""
    named = pc.index_in(seen.column("code"), pa.array(list(signals), pa.int64()))
    names = pa.array(list(signals.values()), pa.int64()).take(named)
    grouped = seen.append_column("signal", names).group_by(["id", "signal", "other"], use_threads=False)
    once = grouped.aggregate([("position", "first"), ("at", "min"), ("recorded_at", "first"), ("code", "first")])
    once = once.sort_by([("id", "ascending"), ("position_first", "ascending")])
    whose = once.column("id").combine_chunks()
    changes = pc.not_equal(whose.slice(1), whose.slice(0, max(len(whose) - 1, 0))).to_numpy(zero_copy_only=False)
    starts = np.concatenate((np.zeros(min(1, len(whose)), np.int64), np.flatnonzero(changes) + 1))
    nth = np.arange(len(whose)) - np.repeat(starts, np.diff(np.append(starts, len(whose))))
    columns = [once.column(name) for name in ("position_first", "id", "at_min", "recorded_at_first", "code_first")]
    return pa.table([*columns, pa.array(np.minimum(nth, CHANNELS - 1))], names=list(FACTS))


def history(facts: ir.Table, symbols: ir.Table, kin: ir.Table) -> ir.Table:
    """Rows (subject, at, position, symbol, member, late), in that order.

    `facts` has the columns FACTS, for one kind of party; `symbols` those of `symbols.SCHEMA`; `kin` has, for every
    person who has aliases, a row for each of them and one for the person, `member` 0: `id` is whose facts, `subject`
    who hears them. `late` says of a fact that it was recorded at another instant than it counts from.
    """
    known = facts.join(symbols, ["code", "nth"])
    instant = ibis.cases((known.instant.notnull(), known.instant), (known.recorded, known.recorded_at), else_=known.at)
    known = known.mutate(at=instant, late=known.recorded_at != known.at)
    known = known.filter(~known.recorded | known.late)
    kin = kin.rename(kin_id="id")
    told = known.left_join(kin, known.id == kin.kin_id)
    told = told.filter(told.member.isnull() | (told.member == 0) | told.heard)
    return told.select(
        subject=ibis.coalesce(told.subject, told.id),
        at=told.at,
        position=told.position,
        symbol=told.symbol,
        member=ibis.coalesce(told.member, 0),
        late=told.late,
    ).order_by("subject", "at", "position", "symbol", "member")
