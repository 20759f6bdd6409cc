"""The fold as a relational query: each person's facts for one use, as symbols in order.

It has no meaning of its own: it picks, joins and sorts. What the sorted symbols say is found by deciding one person
of each kind by the reference (`classes`).
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

FACTS = ("position", "id", "at", "recorded_at", "code")
KIN = ("id", "subject", "member")


def history(facts: ir.Table, symbols: ir.Table, kin: ir.Table) -> ir.Table:
    """Rows (subject, at, position, symbol, member), in that order.

    `facts` has the columns FACTS, for one kind of party; `symbols` those of `symbols.SCHEMA`; `kin` has, for every
    person who has aliases, a row for each of them and one for the person, `member` 0: `id` is whose facts, `subject`
    who hears them.
    """
    known = facts.join(symbols, "code")
    instant = ibis.cases((known.instant.notnull(), known.instant), (known.recorded, known.recorded_at), else_=known.at)
    known = known.mutate(at=instant, own_at=known.at)
    known = known.filter(~known.recorded | (known.recorded_at > known.own_at))
    kin = kin.rename(kin_id="id")
    told = known.left_join(kin, known.id == kin.kin_id)
    told = told.filter(told.member.isnull() | (told.member == 0) | told.heard)
    return told.select(
        subject=ibis.coalesce(told.subject, told.id),
        at=told.at,
        position=told.position,
        symbol=told.symbol,
        member=ibis.coalesce(told.member, 0),
    ).order_by("subject", "at", "position", "symbol", "member")
