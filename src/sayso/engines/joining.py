"""Which of a snapshot's tables a query joins, and without what in them says nothing: a join carries what it is given."""

from __future__ import annotations

from collections.abc import Callable

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sayso.plan.gate import Tables
from sayso.plan.snapshot import Snapshot


def joined(snapshot: Snapshot, named: Callable[[str, pa.Table], ir.Table], *, looks_up: bool = False) -> Tables:
    """The tables as an engine holds them: `named` gives one a name, and so a place in an expression.

    Where the engine `looks_up` answers by their place, `standing` has its rows numbered as `person`.
    """
    given = snapshot.tables
    given |= {name: _narrow(given[name]) for name in ("standing", "accounts") if name in given}
    if looks_up:
        numbers = pa.array(np.arange(given["standing"].num_rows, dtype=np.int32))
        given["standing"] = given["standing"].append_column("person", numbers)
    held = {name: named(name, table) for name, table in given.items() if _is_asked(name, table)}

    def behind(name: str) -> ir.Table | None:
        table = snapshot.tables.get(name)
        slots = snapshot.answers.column("slot")
        asked = not looks_up and (snapshot.accounts is not None or slots.null_count < len(slots))
        having = None if table is None or not asked else table.filter(pc.is_valid(table.column("behind")))
        if having is None or not having.num_rows:
            return None
        return named(f"{name}_behind", having.select(["subject", "behind"]))

    return Tables(
        held["standing"], held.get("overflow"), held["answers"], held["categories"], held["places"],
        held.get("accounts"), held.get("accounts_overflow"), behind("standing"), behind("accounts"),
    )  # fmt: skip


def rests(snapshot: Snapshot) -> bool:
    """Whether some verdict may rest on an event."""
    answers = snapshot.answers
    return any(answers.column(name).null_count < len(answers) for name in ("slot", "position"))


def _is_asked(name: str, table: pa.Table) -> bool:
    return name != "results" and (table.num_rows > 0 or "overflow" not in name)


def _narrow(table: pa.Table) -> pa.Table:
    """A standing without the columns that say nothing of anybody."""
    idle = [f"{kind}{n}" for n in "12" if table.column(f"b{n}").null_count == len(table) for kind in "bc"]
    if not pc.any(table.column("more")).as_py():
        idle.append("more")
    return table.drop_columns([*idle, "behind"])
