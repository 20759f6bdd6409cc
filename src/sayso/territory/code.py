"""Territory codes: ISO 3166-1 alpha-2, or an ISO 3166-2 subdivision where law differs inside a country."""

from __future__ import annotations

import re

from sayso.territory.table import ALIASES, KNOWN

_FORM = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", re.ASCII)


def canonical(code: str) -> str | None:
    """The code by which a territory is known here; `None` if this is not the form of a code.

    Lower case is malformed. A well-formed code may still be of no territory (`is_known`).
    """
    return ALIASES.get(code, code) if _FORM.fullmatch(code) else None


def country(code: str) -> str:
    """The country of a subdivision; a country is its own."""
    return code[:2]


def is_known(code: str) -> bool:
    """Whether a canonical code is of a territory in the table, or of a subdivision of one."""
    return country(code) in KNOWN
