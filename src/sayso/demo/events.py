"""What a synthetic ledger is told: events of many people kept small, put in order, and written for import.

An event is a subject, an instant and a *form*, the rest of its document. There are some thousands of forms and millions
of events, so that a form is held once. Announcements (policies, notices, suspensions) are documents of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sayso import instant

Form: TypeAlias = Mapping[str, Any]

_NAMES = pa.list_(pa.string())
SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("subject", pa.int64()),
        ("effective_at", pa.timestamp("us", "UTC")),
        ("attested", pa.string()),
        ("territory", pa.string()),
        ("birth_year", pa.int64()),
        ("year", pa.int64()),
        ("attributes", pa.map_(pa.string(), pa.string())),
        ("decision", pa.string()),
        ("source", pa.string()),
        ("scope", pa.struct([("purposes", _NAMES), ("categories", _NAMES), ("recipients", _NAMES)])),
        ("notice", pa.struct([("id", pa.string()), ("version", pa.string())])),
        ("act", pa.struct([("what", pa.string()), ("where", pa.string())])),
        ("signal", pa.string()),
        ("channel", pa.string()),
    ]
)
"""The columns of a file of events for import (spec/ledger.md, *Import*)."""


@dataclass(frozen=True, slots=True)
class Events:
    """Events about subjects: an instant in microseconds, an id and the number of a form for each."""

    at: NDArray[np.int64]
    subject: NDArray[np.int64]
    form: NDArray[np.int32]
    forms: tuple[Form, ...]

    def __len__(self) -> int:
        return len(self.at)


def alike(at: NDArray[np.int64], subject: NDArray[np.int64], form: Form) -> Events:
    """Events that differ only by who and when."""
    return Events(at, subject, np.zeros(len(at), np.int32), (form,))


def registrations(
    members: pa.Table, attributes: Sequence[Mapping[str, str]] = ({},), attested: str | None = None
) -> Events:
    """`subject.registered` of each member, with residence and birth year where known.

    `attributes`: what a member may be registered with; the members take turns. Without `attested`, evidence of the
    instant, what is told at sign-up counts from the import on.
    """
    places = members["territory"].combine_chunks().dictionary_encode()
    years = members["birth_year"].combine_chunks().dictionary_encode()
    names, born = [*places.dictionary.to_pylist(), None], [*years.dictionary.to_pylist(), None]
    place = places.indices.fill_null(len(names) - 1).to_numpy().astype(np.int32)
    year = years.indices.fill_null(len(born) - 1).to_numpy().astype(np.int32)
    turn = (np.arange(len(place)) % len(attributes)).astype(np.int32)
    forms = tuple(
        _without_nulls(
            kind="subject.registered", territory=name, birth_year=one, attributes=dict(facts) or None, attested=attested
        )
        for name in names
        for one in born
        for facts in attributes
    )
    form = (place * np.int32(len(born)) + year) * np.int32(len(attributes)) + turn
    return Events(_at(members["registered_at"]), members["id"].to_numpy(), form, forms)


def moves(members: pa.Table) -> Events:
    """`subject.moved` of each member who did."""
    moved = members.filter(members["moved_at"].is_valid())
    places = moved["moved_to"].combine_chunks().dictionary_encode()
    forms = tuple({"kind": "subject.moved", "territory": name} for name in places.dictionary.to_pylist())
    return Events(_at(moved["moved_at"]), moved["id"].to_numpy(), places.indices.to_numpy().astype(np.int32), forms)


def refusals(members: pa.Table, form: Form) -> Events:
    """A choice of each member who refused; `form` says its decision, scope and source."""
    refused = members.filter(members["refused_at"].is_valid())
    return alike(_at(refused["refused_at"]), refused["id"].to_numpy(), {"kind": "choice.recorded", **form})


def in_order(*streams: Events) -> Events:
    """Several streams as one, by instant; of the same instant in the order given."""
    starts = np.cumsum([0, *(len(stream.forms) for stream in streams)])
    at = np.concatenate([stream.at for stream in streams])
    order = np.argsort(at, kind="stable")
    form = np.concatenate([stream.form + np.int32(start) for stream, start in zip(streams, starts, strict=False)])
    subject = np.concatenate([stream.subject for stream in streams])
    return Events(at[order], subject[order], form[order], tuple(form for stream in streams for form in stream.forms))


def parts(events: Events, rows: int) -> Iterator[Events]:
    """The same events in order, so many at a time."""
    for first in range(0, len(events), rows):
        part = slice(first, first + rows)
        yield Events(events.at[part], events.subject[part], events.form[part], events.forms)


def table(events: Events) -> pa.Table:
    """Events as a table of `SCHEMA`."""
    forms = pa.Table.from_pylist([dict(form) for form in events.forms], SCHEMA)
    out = forms.take(pa.array(events.form))
    for name, values in (("subject", events.subject), ("effective_at", events.at.astype("datetime64[us]"))):
        field = SCHEMA.field(name)
        out = out.set_column(SCHEMA.get_field_index(name), field, [pa.array(values, field.type)])
    return out


def lines(events: Events) -> pa.Array:
    """Events as lines of NDJSON, each ended."""
    tails = pa.array([json.dumps(dict(form), ensure_ascii=False)[1:] + "\n" for form in events.forms])
    at = pc.strftime(pa.array(events.at.astype("datetime64[us]")), "%Y-%m-%dT%H:%M:%SZ")
    subject = pa.array(events.subject).cast(pa.string())
    tail = tails.take(pa.array(events.form))
    return pc.binary_join_element_wise('{"subject": ', subject, ', "effective_at": "', at, '", ', tail, "")


def write_events(
    folder: Path,
    events: Events,
    announcements: Sequence[Form] = (),
    *,
    fmt: Literal["ndjson", "parquet"] = "ndjson",
    rows: int = 1_000_000,
) -> list[Path]:
    """Writes events in order into a folder that is made, cut where something was announced; returns the files in order.

    NDJSON takes more room and is imported faster; a file holds so many `rows` at most.

    An announcement is a document with its `effective_at` as an instant in microseconds. It stands after the events
    before that instant: whom it reached is read from what the ledger held by then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    done = 0
    for announced in [*sorted(announcements, key=lambda one: one["effective_at"]), None]:
        until = len(events) if announced is None else int(np.searchsorted(events.at, announced["effective_at"]))
        part = Events(events.at[done:until], events.subject[done:until], events.form[done:until], events.forms)
        done = until
        for some in parts(part, rows):
            paths.append(folder / f"{len(paths):04}-people.{fmt}")
            if fmt == "parquet":
                pq.write_table(table(some), paths[-1])
            else:
                paths[-1].write_text("".join(lines(some).to_pylist()), encoding="utf-8")
        if announced is not None:
            paths.append(folder / f"{len(paths):04}-{announced['kind'].replace('.', '-')}.ndjson")
            written = {**announced, "effective_at": instant.format(announced["effective_at"])}
            paths[-1].write_text(json.dumps(written, ensure_ascii=False) + "\n", encoding="utf-8")
    return paths


def _at(column: pa.ChunkedArray) -> NDArray[np.int64]:
    at: NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
    return at


def _without_nulls(**fields: Any) -> Form:
    return {name: value for name, value in fields.items() if value is not None}
