"""Territory codes: their form, which of several codes of one place is used here, and which are known.

A code is an ISO 3166-1 alpha-2 code, or an ISO 3166-2 subdivision where law differs inside a country.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sayso.territory.table import ALIASES, KNOWN

_FORM = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", re.ASCII)


@lru_cache(maxsize=4096)  # records bear few codes, each many times
def canonical(code: str) -> str | None:
    """The code by which a territory is known here; `None` if this is not the form of a code.

    Lower case is malformed. A well-formed code may still be of no territory (`is_known`).
    """
    return ALIASES.get(code, code) if _FORM.fullmatch(code) else None


def country(code: str) -> str:
    """The country of a canonical code: the code itself, unless it is of a subdivision."""
    return code[:2]


@lru_cache(maxsize=4096)
def is_known(code: str) -> bool:
    """Whether this is the canonical code of a territory in the table, or of any subdivision of one.

    What is malformed, or an alias, is not known: whoever forgot to ask for its canonical form is denied.
    """
    return code[:2] in KNOWN and canonical(code) == code
