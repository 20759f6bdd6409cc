"""Making and migrating the tables of a ledger, with Alembic's migrations that ship in this package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from sayso.ledger.identity import Id, IdType
from sayso.ledger.log.tiles import Edge

_MIGRATIONS = Path(__file__).parent / "migrations"

HEAD = "0002"
"""The newest revision that this version of sayso knows."""


@dataclass(frozen=True)
class Founding:
    """What a log begins with: its name, who signs its first checkpoint, and what stands for the erased until then."""

    origin: str
    sign: Callable[[Edge], str]
    tombstone: Callable[[Id], bytes]
    random_bytes: Callable[[int], bytes]


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


def upgrade(connection: sa.Connection, id_type: IdType, founding: Founding, *, to: str = HEAD) -> None:
    """Brings the tables to a revision, by default the newest, within the transaction that is open on the connection.

    A ledger from before there was a log gets one, over the events that it holds.
    """
    # Alembic is only needed here, and takes longer to import than a ledger takes to open.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes |= {"connection": connection, "id_type": id_type, "founding": founding}
    command.upgrade(config, to)
