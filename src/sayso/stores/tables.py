"""The tables of a ledger in a relational database, as they are today (spec/ledger.md, *Tables*)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import UserDefinedType


class AnyValue(UserDefinedType[Any]):
    """A column that keeps an int as an int and a text as a text: the ids of a ledger of any id type."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in a STRICT table of SQLite."""
        return "ANY"


metadata = sa.MetaData()

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sqlite_strict=True,
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("recorded_at", sa.Integer, nullable=False),
    sa.Column("everyones", sa.Integer, nullable=False),
    sa.Column("public", sa.BLOB, nullable=False),
    sqlite_strict=True,
)

sa.Index("events_everyones", events.c.position, sqlite_where=events.c.everyones == 1)
sa.Index("events_erasures", events.c.position, sqlite_where=events.c.kind == "subject.erased")

private = sa.Table(
    "private",
    metadata,
    sa.Column("position", sa.Integer, sa.ForeignKey("events.position"), primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True),
    sa.Column("salt", sa.BLOB, nullable=False),
    sa.Column("body", sa.BLOB, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

payloads = sa.Table(
    "payloads",
    metadata,
    sa.Column("code", sa.Integer, primary_key=True),
    sa.Column("body", sa.BLOB, nullable=False, unique=True),
    sa.Column("uses", sa.Integer, nullable=False),
    sqlite_strict=True,
    sqlite_autoincrement=True,
)

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("row", sa.Integer, primary_key=True),
    sa.Column("party", sa.Integer, nullable=False),
    sa.Column("id", AnyValue, nullable=False),
    sa.Column("at", sa.Integer, nullable=False),
    sa.Column("effective_at", sa.Integer, nullable=False),
    sa.Column("recorded_at", sa.Integer, nullable=False),
    sa.Column("code", sa.Integer, sa.ForeignKey("payloads.code"), nullable=False),
    sa.Column("other", AnyValue, nullable=True),
    sqlite_strict=True,
)

sa.Index("facts_party_id", facts.c.party, facts.c.id)
sa.Index("facts_other", facts.c.other, sqlite_where=facts.c.other.is_not(None))
