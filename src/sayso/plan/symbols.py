"""What a fact's payload means for one use: a small symbol, the same for payloads that make no difference.

A payload is what an event says without ids and instants; millions of facts share a few thousand. Only here is it
looked at: the relational fold sees symbols.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sayso import instant
from sayso.consent.fold import GRANT, written
from sayso.plan.relevance import Relevance
from sayso.plan.spoken import Spoken
from sayso.policy.terms import Scope
from sayso.territory import canonical

SCHEMA = pa.schema(
    [
        ("code", pa.int64()),
        ("nth", pa.int64()),  # of signals: which of the person's channels showed it
        ("symbol", pa.int64()),
        ("instant", pa.int64()),  # of a coming of age: takes the place of the fact's own
        ("recorded", pa.bool_()),  # stands at the recorded instant, if that is another
        ("heard", pa.bool_()),  # counts for every alias
    ]
)
CHANNELS = 8
"""So many channels of one person are told apart by symbols; a person with more is like no other."""
NOTHING = -1


class Kind(IntEnum):
    """What a symbol bears on."""

    STATE = 0
    """Where a person lives and what attributes they have."""
    STATE_RECORDED = 1
    DELIVERED = 2
    VOICE = 3
    """A choice, or a signal on a channel."""
    SIGNAL_RECORDED = 4
    BORN = 5
    AGE = 6


TELLING = frozenset({Kind.STATE, Kind.STATE_RECORDED, Kind.DELIVERED})
"""What decides which notices reached somebody."""
TIMELESS = frozenset({Kind.BORN, Kind.SIGNAL_RECORDED})
"""What counts whenever it was."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """One symbol. `alike` is the same for states that no audience tells apart; `values` are of the attributes asked.

    At a `border` a verdict may change with `collected_at`; people with a symbol that is `alone` are like no others.
    """

    kind: Kind
    said: object
    alike: object = None
    territory: str | None = None
    values: tuple[str | None, ...] = ()
    registers: bool = False
    border: bool = False
    alone: bool = False


@dataclass(frozen=True)
class Symbols:
    """The symbols of every payload that matters: `table` has a row for each (code, symbol), after SCHEMA.

    `signals` gives the codes of signals with a number for each signal. `scopes` are those of all choices.
    """

    table: pa.Table
    meanings: tuple[Meaning, ...]
    signals: Mapping[int, int]
    scopes: frozenset[Scope]

    @cached_property
    def kind(self) -> npt.NDArray[np.int64]:
        """The kind of each symbol."""
        return np.array([meaning.kind for meaning in self.meanings], np.int64)

    @cached_property
    def alike(self) -> npt.NDArray[np.int64]:
        """For each symbol the first that no audience tells from it."""
        first: dict[object, int] = {}
        return np.array(
            [
                number if meaning.alike is None else first.setdefault(meaning.alike, number)
                for number, meaning in enumerate(self.meanings)
            ],
            np.int64,
        )

    def flag(self, name: str) -> npt.NDArray[np.bool_]:
        """Which symbols have a flag of `Meaning`."""
        return np.array([getattr(meaning, name) for meaning in self.meanings], np.bool_)

    @cached_property
    def territories(self) -> tuple[str, ...]:
        """Every territory that is said."""
        return tuple(dict.fromkeys(m.territory for m in self.meanings if m.territory is not None))

    @cached_property
    def territory(self) -> npt.NDArray[np.int64]:
        """For each symbol the index of its territory; NOTHING if it says none."""
        index = {code: number for number, code in enumerate(self.territories)}
        return np.array([NOTHING if m.territory is None else index[m.territory] for m in self.meanings], np.int64)

    def values(self, attribute: int) -> npt.NDArray[np.int64]:
        """For each symbol a number of the value that it says of an attribute; NOTHING if it says none."""
        index: dict[str, int] = {}
        said = [m.values[attribute] if m.values else None for m in self.meanings]
        return np.array([NOTHING if v is None else index.setdefault(v, len(index)) for v in said], np.int64)


def table_of(rows: list[tuple[int, int, int, int | None, bool, bool]]) -> pa.Table:
    """The table of some rows after SCHEMA."""
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], SCHEMA)


def symbols(payloads: Mapping[int, Mapping[str, Any]], relevance: Relevance) -> Symbols:
    """The symbols of payloads, by code, for one use."""
    known: dict[Meaning, int] = {}
    rows: list[tuple[int, int, int, int | None, bool, bool]] = []
    signals: dict[int, int] = {}
    names: dict[str, int] = {}
    scopes: set[Scope] = set()
    said = _Said(relevance)

    def of(meaning: Meaning) -> int:
        return known.setdefault(meaning, len(known))

    for code in sorted(payloads):
        payload = payloads[code]
        match payload["kind"]:
            case "subject.registered" | "subject.moved" | "subject.attributes-changed":
                state = said.state(payload)
                if state is not None:
                    rows.append((code, 0, of(state), None, False, False))
                    if said.asks_recorded:
                        recorded = Meaning(Kind.STATE_RECORDED, None, border=said.after_notice)
                        rows.append((code, 0, of(recorded), None, True, False))
            case "choice.recorded":
                reach = said.reach(payload)
                if any(relevance.touches(scope) for scope in reach):
                    scopes.update(reach)
                    rows.append((code, 0, of(said.choice(payload, reach)), None, False, True))
            case "signal.seen":
                name = payload["signal"]
                signals[code] = names.setdefault(name, len(names))
                for nth in range(CHANNELS):
                    alone = nth == CHANNELS - 1
                    rows.append((code, nth, of(Meaning(Kind.VOICE, (name, nth), alone=alone)), None, False, True))
                    recorded = Meaning(Kind.SIGNAL_RECORDED, (name, nth))
                    rows.append((code, nth, of(recorded), None, True, True))
            case "notice.delivered":
                notice = tuple(payload["notice"])
                if notice in relevance.notices:
                    delivered = Meaning(Kind.DELIVERED, notice, border=said.after_notice)
                    rows.append((code, 0, of(delivered), None, False, False))
            case _:
                pass
        rows += [
            (code, 0, of(meaning), at, False, True) for meaning, at in said.birth(payload)
        ]  # fmt: skip
    return Symbols(table_of(rows), tuple(known), signals, frozenset(scopes))


class _Said:
    """What payloads say of what a use asks."""

    def __init__(self, relevance: Relevance) -> None:
        self._relevance = relevance
        self._positions = (0, *(position + 1 for position in relevance.context.editions.positions))
        self._names = tuple(sorted(relevance.attributes))
        self.asks_recorded = any(broadcast.sign_up for broadcast in relevance.context.broadcasts)
        self.after_notice = relevance.after_notice

    def state(self, payload: Mapping[str, Any]) -> Meaning | None:
        """What a registration, move or change of attributes says that is asked for, if anything."""
        given = payload.get("territory")
        territory = None if given is None else canonical(given) or given
        attributes = payload.get("attributes") or {}
        values = tuple(attributes.get(name) for name in self._names)
        registers = payload["kind"] == "subject.registered"
        if not registers and territory is None and not any(value is not None for value in values):
            return None
        place = None if territory is None else self._relevance.place(territory)
        attested = bool(payload.get("attested"))
        return Meaning(
            Kind.STATE, attested, (registers, territory is None, place, values, attested), territory, values,
            registers, border=True,
        )  # fmt: skip

    def reach(self, payload: Mapping[str, Any]) -> tuple[Scope, ...]:
        """What a choice reaches, by where its position lies among those of the editions."""
        editions, scope = self._relevance.context.editions, written(payload["scope"])
        reached = editions.granted if payload["decision"] == GRANT else editions.refused
        return tuple(reached(scope, position) for position in self._positions)

    def choice(self, payload: Mapping[str, Any], reach: tuple[Scope, ...]) -> Meaning:
        """What a choice says."""
        cells = tuple(scope.categories if self._relevance.touches(scope) else None for scope in reach)
        if payload["decision"] != GRANT:
            return Meaning(Kind.VOICE, Spoken(cells, refusal=True))
        notice = tuple(payload.get("notice") or ())
        under = notice if notice in self._relevance.notices else None
        by = payload.get("by", "holder")
        return Meaning(Kind.VOICE, Spoken(cells, False, under, by), border=self._relevance.after_choice)

    def birth(self, payload: Mapping[str, Any]) -> Iterator[tuple[Meaning, int | None]]:
        """What a birth year says: that it is known, and when each age that is asked for comes."""
        born = payload.get("birth_year")
        if born is not None and self._relevance.ages:
            yield Meaning(Kind.BORN, None, alone=bool(payload.get("corrected"))), None
            for age in self._relevance.ages:
                yield Meaning(Kind.AGE, age, border=True), instant.start_of_year(born + 1 + age)
