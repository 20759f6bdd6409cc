"""Map files: how the member and toggle tables that a platform already has are read as events (spec/ledger.md, *Maps*)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import MappingEndEvent, MappingStartEvent, SequenceEndEvent, SequenceStartEvent
from ruamel.yaml.reader import ReaderError

from sayso.errors import EventError, Problem
from sayso.ledger.events import Key, Name, Scope, Text, in_words

MOST_BYTES = 1 << 20
MOST_DEPTH = 16


class _Spec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class When(_Spec, frozen=True):
    """A column of instants. Naive ones need `time_zone`; numbers need `epoch`, the unit in which they count."""

    column: Name
    time_zone: Name | None = None
    epoch: Literal["s", "ms", "us"] | None = None


class Column(_Spec, frozen=True):
    """A column of values. With `values`, each value must be one of its keys, and is read as what stands there."""

    column: Name
    values: Annotated[dict[str, str], Meta(min_length=1)] | None = None


class Residence(_Spec, frozen=True):
    """A column of territories; `since` tells, where it is not the registration, from when each holds."""

    column: Name
    values: Annotated[dict[str, str], Meta(min_length=1)] | None = None
    since: When | None = None


class Members(_Spec, frozen=True):
    """A table with one row a member."""

    file: Text
    subject: Name
    registered: When | None = None
    territory: Residence | None = None
    birth_year: Column | None = None
    attributes: dict[Key, Column] = {}


class Setting(_Spec, frozen=True):
    """The column of a toggle, and what its values mean. `unset` is a value that nobody chose."""

    column: Name
    off: Annotated[tuple[str | bool | int | None, ...], Meta(min_length=1)]
    on: tuple[str | bool | int | None, ...] = ()
    unset: tuple[str | bool | int | None, ...] = ()


class ActColumn(_Spec, frozen=True):
    """The column that says by what affirmative act somebody switched the toggle on, and where that was done."""

    column: Name
    where: Text


class NoticeColumns(_Spec, frozen=True):
    """The notice that a grant was made under, and the column with its version."""

    id: Name
    version: Column


class Grant(_Spec, frozen=True):
    """What makes a grant of an `on`: evidence of an act, and the notice's version. `attested`: evidence of its instant."""

    act: ActColumn
    notice: NoticeColumns
    attested: Name | None = None


class Toggles(_Spec, frozen=True):
    """A table with one row for each toggle of a member."""

    file: Text
    subject: Name
    setting: Setting
    source: Text
    scope: Scope
    at: When | None = None
    refusal: Literal["refusal", "withdrawal", "objection"] = "refusal"
    grant: Grant | None = None


class TableMap(_Spec, frozen=True):
    """A map file. Members are read before toggles, each in the order in which they stand."""

    members: tuple[Members, ...] = ()
    toggles: tuple[Toggles, ...] = ()


def read_map(path: Path) -> TableMap:
    """The map in a YAML file.

    Raises EventError with file and line for what cannot be read, an unknown key, or an unknown time zone.
    """
    text = _text(path)
    try:
        _check_plain(path, text)
        document: Any = YAML(typ="rt", pure=True).load(text)
    except ReaderError as error:
        at = text[: error.position].count("\n") + 1
        raise EventError(Problem("expected text, got a control character", file=str(path), line=at)) from error
    except (YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or "a value cannot be read"
        line = None if mark is None else mark.line + 1
        raise EventError(Problem(f"the map is no YAML: {said}", file=str(path), line=line)) from error
    if not isinstance(document, dict):
        raise EventError(Problem("expected `members`, `toggles` or both", file=str(path), line=1))
    try:
        found = msgspec.convert(_plain(document), TableMap)
    except msgspec.ValidationError as error:
        raise EventError(_problem(path, document, in_words(error))) from error
    if not found.members and not found.toggles:
        raise EventError(Problem("expected `members`, `toggles` or both", file=str(path)))
    for when in _whens(found):
        _check_zone(path, when)
    return found


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EventError(Problem(f"the map could not be read: {reason}", file=str(path))) from error
    if len(raw) > MOST_BYTES:
        message = f"expected at most {MOST_BYTES >> 20} MiB, got more"
        raise EventError(Problem(message, file=str(path), remedy="is this a map?"))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        message = f"expected UTF-8 text, got the byte `0x{raw[error.start]:02x}`"
        raise EventError(Problem(message, file=str(path), line=line, remedy="save the file as UTF-8")) from error


def _check_plain(path: Path, text: str) -> None:
    """Refuses what expands, and what is too deep to be read: no map needs either."""
    depth = 0
    for event in YAML(typ="rt", pure=True).parse(text):
        depth += isinstance(event, SequenceStartEvent | MappingStartEvent)
        depth -= isinstance(event, SequenceEndEvent | MappingEndEvent)
        refused = None
        if getattr(event, "anchor", None) is not None:
            refused = "no anchor and no alias; write out what is meant"
        elif getattr(event, "ctag", None) is not None:
            refused = "no tag; put quotes around what is text"
        elif depth > MOST_DEPTH:
            refused = f"at most {MOST_DEPTH} levels, got one more"
        if refused is not None:
            raise EventError(Problem(f"expected {refused}", file=str(path), line=event.start_mark.line + 1))


def _plain(value: Any) -> Any:
    """The values of a YAML document without what it remembers of its lines."""
    match value:
        case dict():
            return {name if isinstance(name, str) else str(name): _plain(one) for name, one in value.items()}
        case list():
            return [_plain(one) for one in value]
        case int() if not isinstance(value, bool):
            return int(value)
        case float():
            return float(value)
        case str():
            return str(value)
        case _:
            return value


def _problem(path: Path, document: Any, text: str) -> Problem:
    """What msgspec says, with the line of the place that it names."""
    message, _, place = text.partition(" - at `$")
    line, value = 1, document
    for name, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", place):
        if index:
            line, value = value.lc.item(int(index))[0] + 1, value[int(index)]
        elif name in value:
            line, value = value.lc.key(name)[0] + 1, value[name]
    return Problem(message, file=str(path), line=line)


def _whens(found: TableMap) -> list[When]:
    since = (None if one.territory is None else one.territory.since for one in found.members)
    columns = (*(one.registered for one in found.members), *since, *(one.at for one in found.toggles))
    return [when for when in columns if when is not None]


def _check_zone(path: Path, when: When) -> None:
    if when.time_zone is not None:
        try:
            ZoneInfo(when.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            message = f"expected a time zone such as `Europe/Dublin`, got `{when.time_zone}`"
            raise EventError(Problem(message, file=str(path))) from error
