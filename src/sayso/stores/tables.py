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


Int = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
"""A whole number of 64 bits."""
Blob = sa.LargeBinary().with_variant(sa.BLOB(), "sqlite")
"""Bytes."""

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
    sa.Column("position", Int, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("recorded_at", Int, nullable=False),
    sa.Column("everyones", Int, nullable=False),
    sa.Column("public", Blob, nullable=False),
    sa.Column("document", Blob, nullable=True),
    sqlite_strict=True,
)

sa.Index("events_everyones", events.c.position, sqlite_where=events.c.everyones == 1)

private = sa.Table(
    "private",
    metadata,
    sa.Column("position", Int, sa.ForeignKey("events.position"), primary_key=True),
    sa.Column("part", Int, primary_key=True),
    sa.Column("salt", Blob, nullable=True),
    sa.Column("body", Blob, nullable=True),
    sa.Column("commitment", Blob, nullable=True),
    sa.CheckConstraint("(salt IS NULL) = (body IS NULL) AND (salt IS NULL) <> (commitment IS NULL)", "opened"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

tiles = sa.Table(
    "tiles",
    metadata,
    sa.Column("level", Int, primary_key=True),
    sa.Column("place", Int, primary_key=True),
    sa.Column("hashes", Blob, nullable=False),
    sqlite_strict=True,
)

tombstones = sa.Table(
    "tombstones",
    metadata,
    sa.Column("tombstone", Blob, primary_key=True),
    sa.Column("position", Int, sa.ForeignKey("events.position"), nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

payloads = sa.Table(
    "payloads",
    metadata,
    sa.Column("code", Int, primary_key=True),
    sa.Column("body", Blob, nullable=False, unique=True),
    sa.Column("uses", Int, nullable=False),
    sqlite_strict=True,
    sqlite_autoincrement=True,
)

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("row", Int, primary_key=True),
    sa.Column("party", Int, nullable=False),
    sa.Column("id", AnyValue, nullable=False),
    sa.Column("at", Int, nullable=False),
    sa.Column("effective_at", Int, nullable=False),
    sa.Column("recorded_at", Int, nullable=False),
    sa.Column("code", Int, sa.ForeignKey("payloads.code"), nullable=False),
    sa.Column("other", AnyValue, nullable=True),
    sqlite_strict=True,
)

sa.Index("facts_party_id", facts.c.party, facts.c.id)
sa.Index("facts_other", facts.c.other, sqlite_where=facts.c.other.is_not(None))
