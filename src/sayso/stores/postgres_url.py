"""Where a ledger on PostgreSQL is. This needs no driver, so that it can be told that one is missing."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

SCHEMES = ("postgresql://", "postgres://")


class PostgresUrl(str):
    """Where a ledger on PostgreSQL is, as libpq reads it (its documentation, section 34.1.1.2).

    It is shown without a password, and without its parameters, which may hold one.
    """

    __slots__ = ()

    @property
    def whole(self) -> str:
        """The URL with all that it holds."""
        return str.__str__(self)

    def __str__(self) -> str:
        return shown(self)

    def __format__(self, _spec: str) -> str:
        return shown(self)

    def __repr__(self) -> str:
        return f"PostgresUrl({shown(self)!r})"


def shown(url: PostgresUrl) -> str:
    """A URL as it may be printed."""
    parts = urlsplit(url.whole)
    whole = parts.netloc
    user, at, host = whole.rpartition("@")
    return urlunsplit((parts.scheme, f"{user.partition(':')[0]}{at}{host}", parts.path, "", ""))
