"""Events as documents and as entries: nothing is lost on the way, nothing malformed is let in."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from sayso import instant
from sayso.errors import EventError
from sayso.ledger import events as e
from sayso.ledger.commitment import commit
from sayso.ledger.document import document, read
from sayso.ledger.entry import Destroyed, Entry, PrivatePart, path_of, seal, split, unseal
from sayso.ledger.facts import facts
from sayso.ledger.identity import IdType
from sayso.ledger.log import merkle
from sayso.ledger.log.words import from_base64
from tests.ledger.strategies import INSTANTS, documents, ids

ID_TYPES = list(IdType)


TOMBSTONES = (b"\x01" * 32, b"\x02" * 32)


def entry_of(event: e.Event, position: int = 3, recorded_at: int = 1_700_000_000_000_000) -> Entry:
    draft = split(event, recorded_at, TOMBSTONES if isinstance(event, e.SubjectErased) else ())
    salts = bytes(range(256)) * 2
    return seal(draft, position, recorded_at, salts[: 32 * len(draft.bodies)])


@pytest.mark.parametrize("id_type", ID_TYPES)
@given(data=st.data())
def test_a_document_reads_back_as_its_event(id_type: IdType, data: st.DataObject) -> None:
    event = data.draw(documents(id_type))
    text = msgspec.json.encode(document(event))
    assert read(msgspec.json.decode(text), id_type) == event


@pytest.mark.parametrize("id_type", ID_TYPES)
@given(data=st.data())
def test_an_entry_unseals_to_its_event_and_its_commitments_open(id_type: IdType, data: st.DataObject) -> None:
    event = data.draw(documents(id_type))
    entry = entry_of(event)
    assert unseal(entry, id_type) == (None if isinstance(event, e.SubjectErased) else event)
    public = msgspec.json.decode(entry.public)
    assert entry.everyones == (not entry.parts)
    assert public.get("parts", 0) == len(entry.parts)
    for index, part in enumerate(entry.parts):
        assert isinstance(part, PrivatePart)
        assert part.commitment == commit(part.salt, part.body) != commit(part.salt, part.body + b" ")
        root = from_base64(public["root"]) or b""
        leaf = merkle.leaf_hash(part.commitment)
        merkle.verify_inclusion(leaf, index, len(entry.parts), path_of(entry.parts, index), root)


@pytest.mark.parametrize("id_type", ID_TYPES)
@given(data=st.data(), recorded_at=INSTANTS)
def test_all_stored_bytes_are_those_of_rfc_8785(id_type: IdType, data: st.DataObject, recorded_at: int) -> None:
    event = data.draw(documents(id_type))
    entry = entry_of(event, recorded_at=recorded_at)
    bodies = [part.body for part in entry.parts if isinstance(part, PrivatePart)]
    bodies += [fact.payload for fact in facts(event, 3, recorded_at, id_type)]
    for body in (entry.public, *bodies):
        assert rfc8785.dumps(msgspec.json.decode(body)) == body


@given(data=st.data())
def test_the_public_part_of_a_personal_event_names_nobody(data: st.DataObject) -> None:
    event = data.draw(documents(IdType.UUID).filter(lambda one: not one.everyones))
    entry = entry_of(event)
    assert set(msgspec.json.decode(entry.public)) <= {
        "kind", "v", "day", "parts", "root", "notice", "policy",
    }  # fmt: skip
    for fact in facts(event, 3, 0, IdType.UUID):
        assert str(fact.id).encode() not in entry.public


def test_the_example_of_the_specification() -> None:
    event = read(
        {
            "kind": "choice.recorded",
            "subject": 4711,
            "decision": "grant",
            "scope": {"purposes": ["generative-ai"], "categories": ["posts"], "recipients": ["platform"]},
            "notice": {"id": "ai-notice", "version": "2025-09"},
            "act": {"what": "switched the toggle on", "where": "settings page"},
            "source": "settings",
        },
        IdType.INT64,
    )
    recorded_at = instant.parse("2026-01-05T10:00:00Z")
    draft = split(event, recorded_at)
    entry = seal(draft, 1, recorded_at, bytes(32))
    assert entry.public == (
        b'{"day":"2026-01-05","kind":"choice.recorded","notice":{"id":"ai-notice","version":"2025-09"},"parts":1,'
        b'"root":"FQ8KuMgLyVnvb29BTDkihqTOkLzUWVuQQc5E66BLcpk=","v":1}'
    )
    (body,) = draft.bodies
    assert body == (
        b'{"act":{"what":"switched the toggle on","where":"settings page"},"decision":"grant",'
        b'"recorded_at":"2026-01-05T10:00:00Z","scope":{"categories":["posts"],"purposes":["generative-ai"],"recipients":["platform"]},'
        b'"source":"settings","subject":"4711"}'
    )


def test_a_delivery_of_whom_nobody_is_left_is_no_event_any_more() -> None:
    audience = e.Audience(subjects=(1,))
    entry = entry_of(e.NoticeDelivered(notice="n", version="1", audience=audience))
    first, named = entry.parts
    assert unseal(entry._replace(parts=(first, Destroyed(named.commitment))), IdType.INT64) is None
    mixed = (first, named, PrivatePart(bytes(32), b'{"organisation":"1"}'))
    assert unseal(entry._replace(parts=mixed), IdType.INT64) is None


GOOD: dict[str, Any] = {"kind": "subject.registered", "subject": 1}
BAD: list[tuple[Any, str]] = [
    (None, "expected an event, an object with a `kind`, got null"),
    ([GOOD], "got an array"),
    ("x", "got text"),
    (b"x", "got bytes"),
    ({}, "expected a `kind` such as `choice.recorded`, got `None`"),
    ({"kind": 4}, "got `4`"),
    ({"kind": "subject.deleted"}, "got `subject.deleted`; the kinds are in"),
    ({"kind": "subject.registered"}, "missing required field `subject`"),
    (GOOD | {"surname": "x"}, "unknown field `surname`"),
    (GOOD | {"v": 2}, "invalid enum value 2 - at `$.v`"),
    (GOOD | {"subject": None}, "expected `int | str`, got `null`"),
    (GOOD | {"subject": "1x"}, "`subject`: expected an int64 id"),
    (GOOD | {"territory": "fr"}, "expected a territory such as `DE` or `US-CA`, not a group such as `EEA`"),
    (GOOD | {"territory": "FR\n"}, "expected a territory such as"),
    (GOOD | {"attributes": {"plan\n": "x"}}, "expected 1 to 64 letters, digits"),
    (GOOD | {"birth_year": 1980.0}, "got `float`"),
    (GOOD | {"effective_at": 5}, "`effective_at`: expected an instant such as `2024-09-18T00:00:00Z`, got a number"),
    (GOOD | {"effective_at": True}, "got a boolean"),
    (GOOD | {"effective_at": "2024-09-18T00:00:00"}, "names no time zone"),
    (GOOD | {"effective_at": "2024-02-30T00:00:00Z"}, "expected an instant that exists"),
    ({"kind": "suspension.opened", "suspension": "s", "authority": "a", "reason": "r",
      "scope": {"data": {"from": "2024-01-01"}}}, "expected an instant such as"),
    ({"kind": "suspension.opened", "suspension": "s", "authority": "a", "reason": "r", "scope": 5}, "at `$.scope`"),
    ({"kind": "dataset.built", "dataset": "d", "manifest": "sha256:", "use": {}}, "expected `sha256:` and 64 hexadecimal digits"),
    ({"kind": "organisation.owners", "organisation": 1, "owners": ["x"]}, "`owners`: expected an int64 id"),
    ({"kind": "subject.erased", "subject": 1, "aliases": [2]}, "unknown field `aliases`"),
    ({"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"subjects": ["x"]}},
     "`audience.subjects`: expected an int64 id"),
    ({"kind": "choice.recorded", "decision": "refusal", "source": "s", "by": {"role": "agent", "id": "x"}},
     "`by.id`: expected an int64 id"),
    ({"kind": "choice.recorded", "decision": "maybe", "source": "s"}, "invalid enum value 'maybe'"),
    ({"kind": "choice.recorded", "decision": "refusal", "source": "s", "scope": {"purposes": []}}, "length >= 1"),
]  # fmt: skip


@pytest.mark.parametrize(("given_document", "message"), BAD)
def test_a_malformed_document_is_refused_with_a_reason(given_document: Any, message: str) -> None:
    with pytest.raises(EventError) as caught:
        read(given_document, IdType.INT64)
    assert message in str(caught.value)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(EventError, match="surrogate"):
        split(e.ChoiceRecorded(subject=1, decision="refusal", source="\ud800"), 0)


def test_half_a_surrogate_pair_is_refused_where_one_of_some_words_is_expected() -> None:
    written = {"kind": "choice.recorded", "subject": 1, "decision": "\ud800", "source": "form", "scope": {}}
    with pytest.raises(EventError, match="expected text in Unicode"):
        read(written, IdType.INT64)


def test_a_document_is_not_changed_by_being_read() -> None:
    given_document = {
        "kind": "suspension.opened", "suspension": "s", "authority": "a", "reason": "r",
        "effective_at": "2024-01-01T00:00:00Z",
        "scope": {"data": {"from": "2024-01-01T00:00:00Z"}},
    }  # fmt: skip
    before = msgspec.json.encode(given_document)
    read(given_document, IdType.INT64)
    assert msgspec.json.encode(given_document) == before


@pytest.mark.parametrize("id_type", ID_TYPES)
@given(data=st.data())
def test_an_id_has_one_form(id_type: IdType, data: st.DataObject) -> None:
    one = id_type.read(data.draw(ids(id_type)))
    assert id_type.read(one) == one
    assert id_type.read(str(one)) == one


@pytest.mark.parametrize(
    ("id_type", "value"),
    [
        (IdType.INT64, 2**63), (IdType.INT64, "007"), (IdType.INT64, "-0"), (IdType.INT64, True), (IdType.INT64, 1.0),
        (IdType.INT64, str(2**63)), (IdType.INT64, "١"), (IdType.INT64, None),
        (IdType.STRING, ""), (IdType.STRING, "x" * 257), (IdType.STRING, "a\x1fb"), (IdType.STRING, 5),
        (IdType.STRING, "\ud800"), (IdType.UUID, "x"), (IdType.UUID, 5), (IdType.UUID, None),
    ],
)  # fmt: skip
def test_an_id_of_another_type_is_refused_without_repeating_it(id_type: IdType, value: object) -> None:
    with pytest.raises(EventError) as caught:
        id_type.read(value)
    assert "expected" in str(caught.value)
