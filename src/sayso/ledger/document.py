"""Events as JSON documents, and back: instants in RFC 3339, ids in the ledger's one form (spec/ledger.md, *Events*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sayso import instant
from sayso.errors import EventError, InstantError
from sayso.ledger.events import (
    KIND_OF,
    KINDS,
    Audience,
    By,
    Event,
    NoticeDelivered,
    OrganisationOwners,
    in_words,
)
from sayso.ledger.identity import Id, IdType, write

INSTANTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "suspension.opened": (("scope", "data", "from"), ("scope", "data", "until")),
    "dataset.built": (("use", "at"),),
}
"""The instants in a document beside `effective_at`, by kind."""

_SAFE = 2**62


def read(document: object, id_type: IdType) -> Event:
    """The event that a document writes.

    Raises EventError for an unknown kind, a field that is missing, unknown or of another form, an instant that is
    naive or malformed, or an id of another type. No message holds an id.
    """
    if not isinstance(document, dict):
        raise EventError(f"expected an event, an object with a `kind`, got {_json_type(document)}")
    kind = document.get("kind")
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise EventError(f"expected a `kind` such as `choice.recorded`, got `{kind}`; the kinds are in spec/ledger.md")
    try:
        fields = _with_instants(document, str(kind))
    except InstantError as error:
        raise EventError(f"{kind}: {error}") from error
    return checked(cls, fields, id_type)


def checked(cls: type[Event], fields: dict[str, Any], id_type: IdType) -> Event:
    """An event of a class with these fields, instants in microseconds. Raises EventError as `read` does."""
    try:
        event = msgspec.convert(fields, cls)
    except msgspec.ValidationError as error:
        raise EventError(f"{KIND_OF[cls]}: {in_words(error)}") from error
    except UnicodeEncodeError as error:
        raise EventError(f"{KIND_OF[cls]}: expected text in Unicode, got half of a surrogate pair") from error
    return normalised(event, id_type)


def checked_again(event: Event, id_type: IdType) -> Event:
    """An event that was made in Python, which has not been checked as a document is when it is read. Raises EventError."""
    return checked(type(event), msgspec.to_builtins(event), id_type)


def document(event: Event) -> dict[str, Any]:
    """The document of an event: what `read` reads, instants written out and ids as strings, defaults left out."""
    out: dict[str, Any] = msgspec.to_builtins(event)
    out["v"] = event.v
    kind = out["kind"]
    if event.effective_at is not None:
        out["effective_at"] = instant.format(event.effective_at)
    for path in INSTANTS.get(kind, ()):
        holder = _at(out, path[:-1])
        if holder is not None and path[-1] in holder:
            holder[path[-1]] = instant.format(holder[path[-1]])
    for name in (*event.ids, event.names):
        if name is not None and name in out:
            out[name] = _written(out[name])
    match event:
        case OrganisationOwners():
            out["owners"] = [_written(owner) for owner in event.owners]
        case NoticeDelivered() if event.audience.listed:
            for name in ("subjects", "organisations"):
                if name in out["audience"]:
                    out["audience"][name] = [_written(one) for one in out["audience"][name]]
        case _ if "id" in out.get("by", ()):
            out["by"]["id"] = _written(out["by"]["id"])
    return out


def normalised(event: Event, id_type: IdType) -> Event:
    """The event with every id in the ledger's one form. Raises EventError for an id of another type."""
    changes: dict[str, Any] = {}
    for name in event.ids if event.names is None else (*event.ids, event.names):
        value = getattr(event, name)
        if value is not None:
            one = _read_id(event, name, value, id_type)
            if one is not value:
                changes[name] = one
    match event:
        case OrganisationOwners(owners=several):
            changes["owners"] = _read_ids(event, "owners", several, id_type)
        case NoticeDelivered(audience=audience) if audience.listed:
            changes["audience"] = msgspec.structs.replace(audience, **_audience(event, audience, id_type))
        case _:
            by = getattr(event, "by", None)
            if isinstance(by, By) and by.id is not None:
                changes["by"] = By(role=by.role, id=_read_id(event, "by.id", by.id, id_type))
    return msgspec.structs.replace(event, **changes) if changes else event


def _audience(event: Event, audience: Audience, id_type: IdType) -> dict[str, tuple[Id | None, ...]]:
    named = {"subjects": audience.subjects, "organisations": audience.organisations}
    return {
        name: _read_ids(event, f"audience.{name}", several, id_type)
        for name, several in named.items()
        if several is not None
    }


def _read_ids(event: Event, name: str, several: tuple[Id | None, ...], id_type: IdType) -> tuple[Id | None, ...]:
    return tuple(None if one is None else _read_id(event, name, one, id_type) for one in several)


def _read_id(event: Event, name: str, value: object, id_type: IdType) -> Id:
    if type(value) is int and id_type is IdType.INT64 and -_SAFE <= value <= _SAFE:
        return value
    if id_type is IdType.STRING and type(value) is str and value.isalnum() and len(value) <= 64:
        return value
    try:
        return id_type.read(value)
    except EventError as error:
        raise EventError(f"{event.kind}: `{name}`: {error}") from error


def _written(value: Id | None) -> str | None:
    return None if value is None else write(value)


def _with_instants(document: dict[str, Any], kind: str) -> dict[str, Any]:
    """The document with its instants as microseconds; the one given is left as it was."""
    paths = INSTANTS.get(kind, ())
    if not paths and document.get("effective_at") is None:
        return document
    out = dict(document)
    if out.get("effective_at") is not None:
        out["effective_at"] = _instant(out["effective_at"], "effective_at")
    for path in paths:
        value = _at(out, path)
        if value is not None:
            out = _replaced(out, path, _instant(value, ".".join(path)))
    return out


def _instant(value: object, name: str) -> int:
    if not isinstance(value, str):
        raise InstantError(f"`{name}`: expected an instant such as `2024-09-18T00:00:00Z`, got {_json_type(value)}")
    return instant.parse(value)


def _at(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = document
    for step in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def _replaced(document: dict[str, Any], path: tuple[str, ...], value: int) -> dict[str, Any]:
    out = dict(document)
    out[path[0]] = value if len(path) == 1 else _replaced(document[path[0]], path[1:], value)
    return out


def _json_type(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
