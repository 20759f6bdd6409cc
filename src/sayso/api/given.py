"""What callers give, as the core reads it: instants, ids, records and scopes. What cannot be read denies or raises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sayso import instant
from sayso.errors import EventError, InputError, InstantError, UsageError
from sayso.ledger.identity import Id, IdType
from sayso.policy.facts import Record, Subject
from sayso.territory import Region, region

Instant: TypeAlias = str | datetime
"""ISO 8601 text with a time zone, or an aware datetime. A naive one is an error."""
AnyId: TypeAlias = int | str | UUID
Subjects: TypeAlias = "AnyId | Subject | Sequence[AnyId | Subject | None] | None"

FIELDS = frozenset({"subject", "subjects", "category", "collected_at", "territory", "account", "reserved"})
"""The keys that a record's JSON object may have."""


def instant_of(value: Instant) -> int:
    """Microseconds since the epoch. Raises InstantError for a naive or malformed instant."""
    match value:
        case str():
            return instant.parse(value)
        case datetime():
            return instant.from_datetime(value)
    raise InstantError(f"expected an instant such as `2024-09-18T00:00:00Z`, got {type(value).__name__}")


def maybe_instant(value: Instant | None) -> int | None:
    """As `instant_of`, of what may be left out."""
    return None if value is None else instant_of(value)


def record_of(
    id_type: IdType,
    subjects: Subjects,
    category: str | None,
    collected_at: Instant | None,
    territory: str | None = None,
    account: AnyId | None = None,
    reserved: Iterable[str] = (),
) -> Record:
    """A record to decide on. An id that is not of the ledger's type is one that could not be read, and so denies;
    so does whatever else is of another type than it should be.

    Raises InstantError for a naive or malformed `collected_at`: that is a mistake of the caller, not of the record.
    """
    held = None if account is None else one_id(id_type, account)
    purposes = _purposes(reserved)
    malformed = (account is not None and held is None) or purposes is None or not is_text(territory)
    return Record(
        _subjects(id_type, subjects),
        category if isinstance(category, str) else None,
        maybe_instant(collected_at),
        territory if isinstance(territory, str) else None,
        held,
        purposes or frozenset(),
        malformed,
    )


def is_text(value: object) -> bool:
    """Whether something is text, or left out."""
    return value is None or isinstance(value, str)


def _purposes(reserved: Any) -> frozenset[str] | None:
    """The purposes that a record is reserved from, of which one may be given by itself; `None` for what are none."""
    names = listed(reserved) if isinstance(reserved, Iterable) and not isinstance(reserved, bytes | Mapping) else None
    return frozenset(names) if names is not None and all(isinstance(one, str) for one in names) else None


def record_from_json(id_type: IdType, document: object) -> Record:
    """A record from a JSON object: `subjects` (ids, or objects of `id` and `role`) or `subject`, `category`,
    `collected_at`, and where known `territory`, `account` and `reserved`.

    Raises InputError for what is no such object, or has other keys.
    """
    if not isinstance(document, Mapping):
        raise InputError(f"expected a record, an object such as {_EXAMPLE}, got {type(document).__name__}")
    unknown = sorted(str(key) for key in document.keys() - FIELDS)
    if unknown:
        known = ", ".join(f"`{name}`" for name in sorted(FIELDS))
        raise InputError(f"unknown key `{unknown[0]}` in a record; known are {known}")
    if "subject" in document and "subjects" in document:
        raise InputError("a record has either `subject` or `subjects`; leave one out")
    subjects: Any = document.get("subjects", document.get("subject"))
    if isinstance(subjects, list):
        subjects = [_subject_from_json(one) for one in subjects]
    for name in ("category", "territory"):
        if not isinstance(document.get(name), str | None):
            raise InputError(f"expected text for `{name}` of a record, got {type(document[name]).__name__}")
    reserved = document.get("reserved", [])
    if not isinstance(reserved, list) or not all(isinstance(one, str) for one in reserved):
        raise InputError("expected `reserved` to list the purposes that a record is reserved from")
    return record_of(
        id_type,
        subjects,
        document.get("category"),
        document.get("collected_at"),
        document.get("territory"),
        document.get("account"),
        reserved,
    )


_EXAMPLE = '`{"subjects": [4711], "category": "posts", "collected_at": "2025-01-01T00:00:00Z"}`'


def _subject_from_json(value: object) -> Any:
    match value:
        case {"id": one, "role": str(role), **rest} if not rest:
            return Subject(one, role)
        case {"id": one, **rest} if not rest:
            return one
    return value


def _subjects(id_type: IdType, given: Any) -> tuple[Subject, ...] | None:
    if given is None:
        return None
    if isinstance(given, Sequence) and not isinstance(given, str | bytes | bytearray | memoryview):
        return tuple(_subject(id_type, one) for one in given)
    return (_subject(id_type, given),)


def _subject(id_type: IdType, given: Any) -> Subject:
    if isinstance(given, Subject):
        known = given.id is not None and is_text(given.role)
        return Subject(one_id(id_type, given.id) if known else None, given.role if is_text(given.role) else None)
    return Subject(one_id(id_type, given))


def one_id(id_type: IdType, value: Any) -> Id | None:
    """An id in the ledger's form; `None` for what is none of its type."""
    try:
        return id_type.read(value)
    except EventError:
        return None


def written(value: AnyId | None) -> int | str | None:
    """An id as an event's document has it."""
    return str(value) if isinstance(value, UUID) else value


def territories_of(names: Sequence[str] | None, at: int, groups: Mapping[str, Region]) -> tuple[str, ...] | None:
    """Territories and groups, as the codes that an event lists: groups as they are at an instant.

    Raises TerritoryError for a name that is not known, UsageError for a group that leaves part of a country out.
    """
    if names is None:
        return None
    found = region(names, at=at, named=groups)
    if found.excepted:
        left = sorted(found.excepted)
        raise UsageError(f"`{', '.join(names)}` leaves out `{left[0]}`, which an event cannot; list the subdivisions")
    return tuple(sorted(found.codes))


def listed(names: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Names that may be given as one, as several, or not at all."""
    if names is None:
        return None
    return (names,) if isinstance(names, str) else tuple(names)
