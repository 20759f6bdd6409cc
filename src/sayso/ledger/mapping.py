"""Importing the tables that a platform already has, through a map file: members become registrations, toggles choices.

An "off" becomes a refusal. A default "on" becomes nothing at all: silence is never stored as a grant. An "on" becomes a
grant only where the map names the column with the evidence of an affirmative act, and the row has such evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sayso.errors import EventError, Problem
from sayso.ledger import events as e
from sayso.ledger.document import checked
from sayso.ledger.identity import Id, IdType
from sayso.ledger.importing import Imported, load
from sayso.ledger.journal import Journal
from sayso.ledger.mapfile import Column, Grant, Members, Residence, TableMap, Toggles, read_map
from sayso.ledger.sources import AT_ONCE, Chunk
from sayso.ledger.tables import instant_of, rows, text

_Row = dict[str, Any]


def import_mapped(
    journal: Journal,
    path: Path,
    *,
    batch: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Imported:
    """Appends what the tables of a map file say. Files are named relative to the map.

    Whole or not at all, unless `batch` is given, as `import_events`. Raises EventError with each bad row, by file and
    row (from 1, the header not counted); StoreError.
    """
    return load(journal, mapped(read_map(path), path.parent, journal.id_type), batch=batch, progress=progress)


def mapped(found: TableMap, directory: Path, id_type: IdType, *, at_once: int = AT_ONCE) -> Iterator[Chunk]:
    """The events that the tables of a map say, some rows at a time. Raises EventError if a table cannot be read."""
    for members in found.members:
        yield from _chunks(directory / members.file, _member_columns(members), _member(members, id_type), at_once)
    for toggles in found.toggles:
        yield from _chunks(directory / toggles.file, _toggle_columns(toggles), _toggle(toggles, id_type), at_once)


_Events = Callable[[_Row], list[e.Event]]


def _chunks(path: Path, needed: set[str], events: _Events, at_once: int) -> Iterator[Chunk]:
    number = 0
    for some in rows(path, needed, at_once):
        chunk = Chunk(str(path), number + len(some) + 1)
        for row in some:
            number += 1
            try:
                chunk.events += [(number, event) for event in events(row)]
            except EventError as error:
                chunk.problems += [
                    Problem(problem.message, file=str(path), line=number, remedy=problem.remedy)
                    for problem in error.problems
                ]
        yield chunk


def _member_columns(members: Members) -> set[str]:
    specs = [members.registered, members.territory, members.birth_year, *members.attributes.values()]
    if members.territory is not None:
        specs.append(members.territory.since)
    return {members.subject, *(spec.column for spec in specs if spec is not None)}


def _toggle_columns(toggles: Toggles) -> set[str]:
    needed = {toggles.subject, toggles.setting.column}
    if toggles.at is not None:
        needed.add(toggles.at.column)
    if toggles.grant is not None:
        needed |= {toggles.grant.act.column, toggles.grant.notice.version.column}
        if toggles.grant.attested is not None:
            needed.add(toggles.grant.attested)
    return needed


def _member(members: Members, id_type: IdType) -> _Events:
    def events(row: _Row) -> list[e.Event]:
        subject = _id(row, members.subject, id_type)
        registered = (
            None if members.registered is None else instant_of(row[members.registered.column], members.registered)
        )
        territory = _value(row, members.territory)
        since = _since(row, members.territory) if territory is not None else None
        attributes = {name: _value(row, column) for name, column in members.attributes.items()}
        said: dict[str, Any] = {
            "territory": territory if since is None else None,
            "birth_year": _year(row, members.birth_year),
            "attributes": {name: value for name, value in attributes.items() if value is not None},
        }
        made = [_event(e.SubjectRegistered, id_type, subject=subject, effective_at=registered, **said)]
        if since is not None:
            made.append(_event(e.SubjectMoved, id_type, subject=subject, effective_at=since, territory=territory))
        return made

    return events


def _toggle(toggles: Toggles, id_type: IdType) -> _Events:
    setting = toggles.setting
    off, on, unset = ({text(value) for value in values} for values in (setting.off, setting.on, setting.unset))
    twice = sorted(str(value) for value in (off & on) | (off & unset) | (on & unset))
    if twice:
        raise EventError(f"column `{setting.column}`: the map gives value `{twice[0]}` two meanings")

    def events(row: _Row) -> list[e.Event]:
        subject = _id(row, toggles.subject, id_type)
        value = text(row[setting.column])
        said: dict[str, Any] = {"subject": subject, "source": toggles.source, "scope": toggles.scope}
        if value in off:
            return [_event(e.ChoiceRecorded, id_type, decision=toggles.refusal, **said, effective_at=_at(row, toggles))]
        if value in on:
            granted = None if toggles.grant is None else _granted(row, toggles.grant)
            if granted is None:
                return []
            said |= granted
            return [_event(e.ChoiceRecorded, id_type, decision="grant", **said, effective_at=_at(row, toggles))]
        if value in unset:
            return []
        raise EventError(
            Problem(
                f"column `{setting.column}` holds `{'null' if value is None else value}`, which the map does not name",
                remedy="list it under `off`, `on` or `unset`",
            )
        )

    return events


def _granted(row: _Row, grant: Grant) -> dict[str, Any] | None:
    """What makes a grant of an "on"; `None` where the row has no evidence of an act."""
    act = text(row[grant.act.column])
    if act is None or not act.strip():
        return None
    version = _value(row, grant.notice.version)
    if version is None:
        raise EventError(f"column `{grant.notice.version.column}`: a grant needs the version of its notice, got null")
    return {
        "act": e.Act(what=act, where=grant.act.where),
        "notice": e.NoticeRef(id=grant.notice.id, version=version),
        "attested": None if grant.attested is None else text(row[grant.attested]),
    }


def _at(row: _Row, toggles: Toggles) -> int | None:
    if toggles.at is None or row[toggles.at.column] is None:
        return None
    return instant_of(row[toggles.at.column], toggles.at)


def _since(row: _Row, residence: Residence | None) -> int | None:
    if residence is None or residence.since is None or row[residence.since.column] is None:
        return None
    return instant_of(row[residence.since.column], residence.since)


def _id(row: _Row, column: str, id_type: IdType) -> Id:
    try:
        return id_type.read(row[column])
    except EventError as error:
        raise EventError(f"column `{column}`: {error}") from error


def _value(row: _Row, spec: Column | Residence | None) -> str | None:
    """The value of a column, through the map's `values` where it gives some; null is no value."""
    value = None if spec is None else text(row[spec.column])
    if value is None or spec is None or spec.values is None:
        return value
    if value not in spec.values:
        raise EventError(
            Problem(f"column `{spec.column}` holds `{value}`, which the map does not name", remedy="add it to `values`")
        )
    return spec.values[value]


def _year(row: _Row, spec: Column | None) -> int | None:
    value = _value(row, spec)
    if value is None or spec is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= 4):
        raise EventError(f"column `{spec.column}`: expected a year such as `1980`")
    return int(value)


def _event(cls: type[e.Event], id_type: IdType, **fields: Any) -> e.Event:
    """An event of this class, its fields checked as those of a document are; a field of `None` is left out."""
    return checked(cls, {name: value for name, value in fields.items() if value is not None}, id_type)
