"""Where a ledger on PostgreSQL is. This needs no driver, so that it can be told that one is missing."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

SCHEMES = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True, repr=False)
class PostgresUrl:
    """Where a ledger on PostgreSQL is, as libpq reads it (its documentation, section 34.1.1.2).

    It is shown without a password, and without its parameters, which may hold one.
    """

    whole: str

    def __str__(self) -> str:
        parts = urlsplit(self.whole)
        user, at, host = parts.netloc.rpartition("@")
        return urlunsplit((parts.scheme, f"{user.partition(':')[0]}{at}{host}", parts.path, "", ""))

    def __repr__(self) -> str:
        return f"PostgresUrl({str(self)!r})"
