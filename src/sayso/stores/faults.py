"""What SQLite reports, in the words of the one exception tree."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from sayso.errors import StoreBusyError, StoreError

_PRIMARY = 0xFF
_MESSAGES = {
    sqlite3.SQLITE_FULL: "no room is left on the disk of ledger `{path}`; nothing of this was kept; free some and try again",
    sqlite3.SQLITE_IOERR: "ledger `{path}` could not be read or written; nothing of this was kept; check the disk",
    sqlite3.SQLITE_READONLY: "ledger `{path}` may not be written; check the permissions of the file and its directory",
    sqlite3.SQLITE_CANTOPEN: "ledger `{path}` could not be opened; SQLite must be able to write the file and, beside it, "
    "its `-wal` and `-shm` files",
    sqlite3.SQLITE_PERM: "ledger `{path}` may not be opened; check its permissions",
    sqlite3.SQLITE_NOTADB: "`{path}` is no ledger: it is not an SQLite file, or its beginning is damaged",
    sqlite3.SQLITE_CORRUPT: "ledger `{path}` is damaged; restore it from a backup",
}


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Raises what SQLite raises within the block as StoreError or StoreBusyError."""
    try:
        yield
    except DBAPIError as error:
        raise _translated(error.orig, path) from error
    except sqlite3.Error as error:
        raise _translated(error, path) from error


def _translated(error: BaseException | None, path: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & _PRIMARY
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusyError(f"another process holds ledger `{path}`; try again")
    if primary in _MESSAGES:
        return StoreError(_MESSAGES[primary].format(path=path))
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return StoreError(f"ledger `{path}` could not do what was asked: SQLite reports {name}")
