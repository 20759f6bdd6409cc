"""The facts of each kind of event, as spec/ledger.md writes them."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pytest

from sayso.ledger.document import read
from sayso.ledger.facts import COLUMNS, channel_key, facts, first_row, schema
from sayso.ledger.fsck import repair as rebuild
from sayso.ledger.identity import IdType
from sayso.ledger.rebuild import first_difference
from sayso.ledger.store import Oblivion
from tests.ledger.conftest import Ledger

CHOICE: dict[str, Any] = {"kind": "choice.recorded", "decision": "refusal", "source": "told us on the phone"}
DELIVERED: dict[str, Any] = {"kind": "notice.delivered", "notice": "n", "version": "1"}
WEB = 2715437459337355612

SHAPES: list[tuple[dict[str, Any], list[tuple[int, int, dict[str, Any], int | None]]]] = [
    ({"kind": "subject.registered", "subject": 1}, [(0, 1, {}, None)]),
    (
        {"kind": "subject.registered", "subject": 1, "territory": "FR", "birth_year": 1980, "attributes": {"plan": "pro"}},
        [(0, 1, {"territory": "FR", "birth_year": 1980, "attributes": {"plan": "pro"}}, None)],
    ),
    ({"kind": "subject.registered", "subject": 1, "attested": "log"}, [(0, 1, {"attested": True}, None)]),
    ({"kind": "subject.moved", "subject": 1, "territory": "FR"}, [(0, 1, {"territory": "FR"}, None)]),
    (
        {"kind": "subject.attributes-changed", "subject": 1, "attributes": {"a": "b"}, "attested": "log"},
        [(0, 1, {"attributes": {"a": "b"}, "attested": True}, None)],
    ),
    ({"kind": "subject.birth-year", "subject": 1, "year": 1980}, [(0, 1, {"birth_year": 1980}, None)]),
    (
        {"kind": "subject.birth-year", "subject": 1, "year": 1980, "corrected": True, "evidence": "seen"},
        [(0, 1, {"birth_year": 1980, "corrected": True}, None)],
    ),
    ({"kind": "subject.aliased", "subject": 1, "other": 2}, [(0, 1, {}, 2), (0, 2, {}, 1)]),
    (
        {"kind": "subject.erased", "subject": 1},
        [],
    ),
    ({"kind": "account.attributes-changed", "account": 1, "attributes": {"a": "b"}}, [(1, 1, {"attributes": {"a": "b"}}, None)]),
    ({"kind": "organisation.joined", "organisation": 9, "account": 1}, [(1, 1, {}, 9)]),
    ({"kind": "organisation.left", "organisation": 9, "account": 1}, [(1, 1, {}, 9)]),
    ({"kind": "organisation.owners", "organisation": 9, "owners": [1, None]}, [(2, 9, {}, 1), (2, 9, {}, None)]),
    ({"kind": "organisation.owners", "organisation": 9, "owners": []}, [(2, 9, {}, None)]),
    ({"kind": "guardian.registered", "subject": 1, "guardian": 2}, [(0, 1, {}, 2)]),
    ({"kind": "guardian.ended", "subject": 1, "guardian": 2}, [(0, 1, {}, 2)]),
    ({"kind": "agent.mandated", "subject": 1, "agent": 2}, [(0, 1, {}, 2)]),
    ({"kind": "agent.ended", "subject": 1, "agent": 2}, [(0, 1, {}, 2)]),
    (CHOICE | {"subject": 1}, [(0, 1, {"decision": "refusal", "scope": {}, "by": "holder"}, None)]),
    (
        CHOICE | {"subject": 1, "scope": {"purposes": ["p"], "except": ["c"]}, "notice": {"id": "n", "version": "1"},
                  "by": {"role": "agent", "id": 2}},
        [(0, 1, {"decision": "refusal", "scope": {"purposes": ["p"], "except": ["c"]}, "by": "agent", "notice": ["n", "1"]}, 2)],
    ),
    (
        CHOICE | {"organisation": 9, "by": {"role": "owner", "id": 2}},
        [(2, 9, {"decision": "refusal", "scope": {}, "by": "owner"}, 2)],
    ),
    (CHOICE, []),
    ({"kind": "signal.seen", "subject": 1, "signal": "gpc", "channel": "web"}, [(0, 1, {"signal": "gpc"}, WEB)]),
    (DELIVERED | {"audience": {"subjects": [1, None, 2]}}, [(0, 1, {"notice": ["n", "1"]}, None), (0, 2, {"notice": ["n", "1"]}, None)]),
    (DELIVERED | {"audience": {"organisations": [9]}}, [(2, 9, {"notice": ["n", "1"]}, None)]),
    (DELIVERED | {"audience": {}}, []),
    ({"kind": "notice.published", "notice": "n", "version": "1"}, []),
    ({"kind": "version.withdrawn", "version": "v", "reason": "r"}, []),
]  # fmt: skip


@pytest.mark.parametrize(("said", "expected"), SHAPES)
def test_the_facts_of_an_event(
    said: dict[str, Any], expected: list[tuple[int, int, dict[str, Any], int | None]]
) -> None:
    found = facts(read(said, IdType.INT64), 7, 1000, IdType.INT64)
    shapes = [(fact.party, fact.id, msgspec.json.decode(fact.payload), fact.other) for fact in found]
    assert shapes == [(party, one, {"kind": said["kind"]} | payload, other) for party, one, payload, other in expected]
    assert {fact.position for fact in found} <= {7}
    assert len({fact.row for fact in found}) == len(found)
    assert all((fact.at, fact.effective_at, fact.recorded_at) == (1000, 1000, 1000) for fact in found)


def test_a_delivery_keeps_the_place_of_each_who_is_listed() -> None:
    found = facts(read(DELIVERED | {"audience": {"subjects": [1, None, 2]}}, IdType.INT64), 7, 0, IdType.INT64)
    assert [fact.row - first_row(7) for fact in found] == [0, 2]


def test_a_channel_has_a_key_in_the_form_of_the_ids() -> None:
    assert channel_key("web", IdType.INT64) == WEB
    assert channel_key("web", IdType.UUID) == "4b5e57f6-eb2f-42b9-039b-3d1e13929295"
    assert channel_key("web", IdType.STRING) == "4b5e57f6eb2f42b9039b3d1e13929295"


def test_the_schema_is_that_of_the_specification() -> None:
    assert schema(IdType.INT64) == pa.schema(
        [
            pa.field("position", pa.int64(), nullable=False),
            pa.field("party", pa.int8(), nullable=False),
            pa.field("id", pa.int64(), nullable=False),
            pa.field("at", pa.int64(), nullable=False),
            pa.field("effective_at", pa.int64(), nullable=False),
            pa.field("recorded_at", pa.int64(), nullable=False),
            pa.field("code", pa.int32(), nullable=False),
            pa.field("other", pa.int64()),
        ]
    )
    assert schema(IdType.UUID, ("id", "other")).types == [pa.string(), pa.string()]
    assert schema(IdType.STRING).names == list(COLUMNS)


def test_facts_that_differ_from_the_events_are_found_and_rebuilt(ledger: Ledger) -> None:
    said = [one for one, expected in SHAPES[3:4] + SHAPES[7:8]]
    for subject in (1, 2):
        ledger.journal.append(read({"kind": "subject.registered", "subject": subject}, IdType.INT64))
    for one in said:
        ledger.journal.append(read(one, IdType.INT64))
    assert first_difference(ledger.store, ledger.store.id_type) is None
    before = [batch.drop_columns(["code"]) for batch in ledger.store.facts()]

    with ledger.store.writing() as transaction:
        transaction.forget(Oblivion([], [first_row(2)], []), [])
    assert first_difference(ledger.store, ledger.store.id_type) == 2
    rebuild(ledger.store)
    assert first_difference(ledger.store, ledger.store.id_type) is None
    assert [batch.drop_columns(["code"]) for batch in ledger.store.facts()] == before

    with ledger.store.writing() as transaction:
        transaction.forget(Oblivion([], [first_row(3) + 1], []), [])
    assert first_difference(ledger.store, ledger.store.id_type) == 3
    with ledger.store.writing() as transaction:
        transaction.forget(Oblivion([], [], [first_row(3)]), [])
    assert first_difference(ledger.store, ledger.store.id_type) == 3
    rebuild(ledger.store)
    assert first_difference(ledger.store, ledger.store.id_type) is None
