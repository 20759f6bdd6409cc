"""Making and migrating the tables of a ledger, with Alembic's migrations that ship in this package."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

_MIGRATIONS = Path(__file__).parent / "migrations"

HEAD = "0001"
"""The newest revision that this version of sayso knows."""


def revision(connection: sa.Connection) -> str | None:
    """The revision of the tables; `None` where there are none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


def is_known(found: str) -> bool:
    """Whether this version of sayso knows a revision, and so can bring it to `HEAD`."""
    from alembic.script import ScriptDirectory

    return any(script.revision == found for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions())


def upgrade(connection: sa.Connection) -> None:
    """Brings the tables to `HEAD`, within the transaction that is open on the connection."""
    # Alembic is only needed here, and takes longer to import than a ledger takes to open.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
