"""What a fact's payload means for one use: a small symbol, the same for payloads that make no difference.

A payload is what an event says without ids and instants; millions of facts share a few thousand. Only here is it
looked at: the relational fold sees symbols.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sayso import instant
from sayso.consent.fold import GRANT, written
from sayso.plan.relevance import Relevance
from sayso.policy.terms import Scope
from sayso.territory import canonical, is_known

SCHEMA = pa.schema(
    [
        ("code", pa.int64()),
        ("symbol", pa.int64()),
        ("instant", pa.int64()),  # of a coming of age: takes the place of the fact's own
        ("recorded", pa.bool_()),  # stands at the recorded instant, if that is later
        ("heard", pa.bool_()),  # counts for every alias
    ]
)


@dataclass(frozen=True)
class Symbols:
    """The symbols of every payload that matters.

    `table` has a row for each (code, symbol) after SCHEMA. `places` gives for each symbol the symbol that stands for
    it when territories of one place are not told apart; `alone` are symbols whose subjects are like no others;
    `counted` symbols make their subject so when it has two.
    """

    table: pa.Table
    places: tuple[int, ...]
    alone: frozenset[int]
    counted: frozenset[int]
    scopes: frozenset[Scope]


@dataclass
class _Alphabet:
    """Symbols in the order in which their meanings are first met."""

    meanings: dict[object, int]

    def of(self, meaning: object) -> int:
        return self.meanings.setdefault(meaning, len(self.meanings))


def symbols(payloads: Mapping[int, Mapping[str, Any]], relevance: Relevance) -> Symbols:
    """The symbols of payloads, by code, for one use."""
    alphabet = _Alphabet({})
    rows: list[tuple[int, int, int | None, bool, bool]] = []
    places: dict[int, int] = {}
    alone: set[int] = set()
    counted: set[int] = set()
    scopes: set[Scope] = set()
    positions = (0, *(position + 1 for position in relevance.context.editions.positions))
    asks_recorded = any(broadcast.sign_up for broadcast in relevance.context.broadcasts)

    def row(code: int, symbol: int, *, at: int | None = None, recorded: bool = False, heard: bool = False) -> None:
        places.setdefault(symbol, symbol)
        rows.append((code, symbol, at, recorded, heard))

    for code in sorted(payloads):
        payload = payloads[code]
        kind = payload["kind"]
        match kind:
            case "subject.registered" | "subject.moved" | "subject.attributes-changed":
                state = _state(payload, relevance)
                if kind != "subject.registered" and state[1:3] == (None, ()):
                    continue
                symbol = alphabet.of(("state", *state))
                territory = state[1]
                place = relevance.place(territory) if territory is not None else None
                places[symbol] = alphabet.of(("place", state[0], place, territory is None, *state[2:]))
                row(code, symbol)
                if asks_recorded:
                    row(code, alphabet.of(("recorded",)), recorded=True)
            case "choice.recorded":
                reach = tuple(
                    relevance.context.editions.granted(written(payload["scope"]), position)
                    if payload["decision"] == GRANT
                    else relevance.context.editions.refused(written(payload["scope"]), position)
                    for position in positions
                )
                if any(relevance.touches(scope) for scope in reach):
                    scopes.update(reach)
                    refusal = payload["decision"] != GRANT
                    notice = tuple(payload.get("notice") or ())
                    told = None if refusal else notice if notice in relevance.notices else "other"
                    cells = tuple(scope.categories if relevance.touches(scope) else None for scope in reach)
                    by = None if refusal else payload.get("by", "holder")
                    row(code, alphabet.of(("choice", refusal, cells, told, by)), heard=True)
            case "signal.seen":
                symbol = alphabet.of(("signal", payload["signal"]))
                counted.add(symbol)
                row(code, symbol, heard=True)
                row(code, alphabet.of(("signal recorded",)), recorded=True, heard=True)
            case "notice.delivered":
                notice = tuple(payload["notice"])
                if notice in relevance.notices:
                    row(code, alphabet.of(("delivered", notice)))
            case "subject.erased":
                row(code, alphabet.of(("erased",)), heard=True)
            case _:
                pass
        born = payload.get("birth_year")
        if born is not None and relevance.ages:
            symbol = alphabet.of(("born", bool(payload.get("corrected"))))
            if payload.get("corrected"):
                alone.add(symbol)
            row(code, symbol, heard=True)
            for age in relevance.ages:
                comes = instant.start_of_year(born + 1 + age)
                row(code, alphabet.of(("age", age)), at=comes, heard=True)
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    table = pa.table([pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], SCHEMA)
    collapsed = tuple(places.get(symbol, symbol) for symbol in range(len(alphabet.meanings)))
    return Symbols(table, collapsed, frozenset(alone), frozenset(counted), frozenset(scopes))


def _state(
    payload: Mapping[str, Any], relevance: Relevance
) -> tuple[bool, str | None, tuple[tuple[str, str], ...], bool]:
    """What a registration, move or change of attributes says that is asked for."""
    given = payload.get("territory")
    territory = None if given is None else canonical(given)
    if given is not None and (territory is None or not is_known(territory)):
        territory = given
    attributes = payload.get("attributes") or {}
    asked = tuple(sorted((name, value) for name, value in attributes.items() if name in relevance.attributes))
    return payload["kind"] == "subject.registered", territory, asked, bool(payload.get("attested"))
