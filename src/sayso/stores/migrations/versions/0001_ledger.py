"""The first tables of a ledger: events and their private parts, payloads and facts."""

import sqlalchemy as sa
from alembic import op

from sayso.stores.tables import AnyValue

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "ledger",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "events",
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.Integer, nullable=False),
        sa.Column("everyones", sa.Integer, nullable=False),
        sa.Column("public", sa.BLOB, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("events_everyones", "events", ["position"], sqlite_where=sa.text("everyones = 1"))
    op.create_index("events_erasures", "events", ["position"], sqlite_where=sa.text("kind = 'subject.erased'"))
    op.create_table(
        "private",
        sa.Column("position", sa.Integer, sa.ForeignKey("events.position"), primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True),
        sa.Column("salt", sa.BLOB, nullable=False),
        sa.Column("body", sa.BLOB, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payloads",
        sa.Column("code", sa.Integer, primary_key=True),
        sa.Column("body", sa.BLOB, nullable=False, unique=True),
        sa.Column("uses", sa.Integer, nullable=False),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_table(
        "facts",
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
    op.create_index("facts_party_id", "facts", ["party", "id"])
    op.create_index("facts_other", "facts", ["other"], sqlite_where=sa.text("other IS NOT NULL"))
