"""The first tables of a ledger: events and their private parts, payloads and facts."""

import sqlalchemy as sa
from alembic import context, op

from sayso.stores.tables import Blob, Int, ids

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    one = ids(context.config.attributes["id_type"])
    op.create_table(
        "ledger",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "events",
        sa.Column("position", Int, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("recorded_at", Int, nullable=False),
        sa.Column("everyones", Int, nullable=False),
        sa.Column("public", Blob, nullable=False),
        sqlite_strict=True,
    )
    op.create_index(
        "events_everyones",
        "events",
        ["position"],
        sqlite_where=sa.text("everyones = 1"),
        postgresql_where=sa.text("everyones = 1"),
    )
    op.create_index(
        "events_erasures",
        "events",
        ["position"],
        sqlite_where=sa.text("kind = 'subject.erased'"),
        postgresql_where=sa.text("kind = 'subject.erased'"),
    )
    op.create_table(
        "private",
        sa.Column("position", Int, sa.ForeignKey("events.position"), primary_key=True, autoincrement=False),
        sa.Column("part", Int, primary_key=True, autoincrement=False),
        sa.Column("salt", Blob, nullable=False),
        sa.Column("body", Blob, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payloads",
        sa.Column("code", Int, primary_key=True),
        sa.Column("body", Blob, nullable=False),
        sa.Column("uses", Int, nullable=False),
        sa.UniqueConstraint("body").ddl_if(dialect="sqlite"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "postgresql":  # whose trees hold no value of more than a third of a page
        op.create_index("payloads_body", "payloads", ["body"], postgresql_using="hash")
    op.create_table(
        "facts",
        sa.Column("row", Int, primary_key=True, autoincrement=False),
        sa.Column("party", Int, nullable=False),
        sa.Column("id", one, nullable=False),
        sa.Column("at", Int, nullable=False),
        sa.Column("effective_at", Int, nullable=False),
        sa.Column("recorded_at", Int, nullable=False),
        sa.Column("code", Int, sa.ForeignKey("payloads.code"), nullable=False),
        sa.Column("other", one, nullable=True),
        sqlite_strict=True,
    )
    op.create_index("facts_party_id", "facts", ["party", "id"])
    op.create_index(
        "facts_other",
        "facts",
        ["other"],
        sqlite_where=sa.text("other IS NOT NULL"),
        postgresql_where=sa.text("other IS NOT NULL"),
    )
