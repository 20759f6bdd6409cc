"""The ids of a ledger: one type, fixed when it is made, and one way to write each id."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from sayso.errors import EventError

Id: TypeAlias = int | str
"""An id as the ledger holds it: an int of 64 bits, a string, or a UUID in its 36 lowercase characters."""

LONGEST = 256
LEAST, GREATEST = -(2**63), 2**63 - 1
"""Of int64 ids."""
_DIGITS = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class IdType(StrEnum):
    """What the ids of subjects, accounts, organisations, guardians and agents are."""

    INT64 = "int64"
    STRING = "string"
    UUID = "uuid"

    def read(self, value: object) -> Id:
        """The id that a value writes, in its one form.

        An int64 is a number or its decimal digits; a UUID any form that Python's `UUID` reads; a string has 1 to 256
        characters, none of them a control character. Raises EventError, without the id, for anything else.
        """
        match self:
            case IdType.INT64:
                return _read_int(value)
            case IdType.UUID:
                return _read_uuid(value)
            case _:
                if isinstance(value, str) and 0 < len(value) <= LONGEST and not _CONTROL.search(value):
                    return value
                raise EventError(
                    f"expected a string id of 1 to {LONGEST} characters, none of them a control character, "
                    f"got {type(value).__name__} of another form"
                )


def write(value: Id) -> str:
    """An id as documents write it: a string, whatever the type (RFC 8785 has no exact 64-bit integers)."""
    return value if isinstance(value, str) else str(value)


def _read_int(value: object) -> int:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if type(value) is int and LEAST <= value <= GREATEST:
        return value
    raise EventError(f"expected an int64 id (a number, or its decimal digits), got {type(value).__name__}")


def _read_uuid(value: object) -> str:
    if isinstance(value, str):
        try:
            value = UUID(value)
        except ValueError as error:
            raise EventError(
                "expected a UUID such as `0190e5a0-0000-7000-8000-000000000000`, got other text"
            ) from error
    if isinstance(value, UUID):
        return str(value)
    raise EventError(f"expected a UUID id, got {type(value).__name__}")
