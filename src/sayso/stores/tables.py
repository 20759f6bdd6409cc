"""The tables of a ledger in a relational database, as they are today (spec/ledger.md, *Tables*)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine, UserDefinedType

from sayso.ledger.identity import IdType


class AnyValue(UserDefinedType[Any]):
    """A column that keeps an int as an int and a text as a text: the ids of a ledger of any id type."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in a STRICT table of SQLite."""
        return "ANY"


def ids(id_type: IdType) -> TypeEngine[Any]:
    """The type of a column of ids: on PostgreSQL, which has no column for any value, that of the ledger's id type."""
    one = sa.BigInteger() if id_type is IdType.INT64 else sa.Text(collation="C")
    return AnyValue().with_variant(one, "postgresql")


Int = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
"""A whole number of 64 bits."""
Blob = sa.LargeBinary().with_variant(sa.BLOB(), "sqlite")
"""Bytes."""
Ids = ids(IdType.STRING)

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
    sa.Column("position", Int, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("recorded_at", Int, nullable=False),
    sa.Column("everyones", Int, nullable=False),
    sa.Column("public", Blob, nullable=False),
    sa.Column("document", Blob, nullable=True),
    sqlite_strict=True,
)

_about_nobody = events.c.everyones == 1
sa.Index("events_everyones", events.c.position, sqlite_where=_about_nobody, postgresql_where=_about_nobody)

private = sa.Table(
    "private",
    metadata,
    sa.Column("position", Int, sa.ForeignKey("events.position"), primary_key=True, autoincrement=False),
    sa.Column("part", Int, primary_key=True, autoincrement=False),
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
    sa.Column("level", Int, primary_key=True, autoincrement=False),
    sa.Column("place", Int, primary_key=True, autoincrement=False),
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
    sa.Column("body", Blob, nullable=False),
    sa.Column("uses", Int, nullable=False),
    sa.UniqueConstraint("body").ddl_if(dialect="sqlite"),
    sqlite_strict=True,
    sqlite_autoincrement=True,
)

# PostgreSQL's trees hold no value of more than a third of a page; who writes is alone, and looks first.
sa.Index("payloads_body", payloads.c.body, postgresql_using="hash").ddl_if(dialect="postgresql")

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("row", Int, primary_key=True, autoincrement=False),
    sa.Column("party", Int, nullable=False),
    sa.Column("id", Ids, nullable=False),
    sa.Column("at", Int, nullable=False),
    sa.Column("effective_at", Int, nullable=False),
    sa.Column("recorded_at", Int, nullable=False),
    sa.Column("code", Int, sa.ForeignKey("payloads.code"), nullable=False),
    sa.Column("other", Ids, nullable=True),
    sqlite_strict=True,
)

sa.Index("facts_party_id", facts.c.party, facts.c.id)
_named = facts.c.other.is_not(None)
sa.Index("facts_other", facts.c.other, sqlite_where=_named, postgresql_where=_named)
