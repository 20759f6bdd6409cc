"""Receipts: every field that TS 27560 demands, in defined terms alone; checked by the public key, forged in vain."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sayso import instant, wiring
from sayso.api.keeping import Log
from sayso.consent import receipt, receipt_check
from sayso.consent.receipt_record import record
from sayso.consent.receipt_standing import MOST, standing
from sayso.errors import InputError, VerificationError
from sayso.ledger.document import read
from sayso.ledger.events import PolicyPublished
from sayso.ledger.identity import IdType
from sayso.ledger.log.note import Signer
from sayso.ledger.log.proof import LogProof
from sayso.policy import loads, normal
from tests.consent.fields import FIELDS, PROCESS, RECORD, STATUS
from tests.consent.receipts import CHOICES, LATER, START, TEXT, Made, issue, made, payload, platform, prove, say

DATA = Path(__file__).parents[1] / "data" / "dpv"
PERSONS = [name for name in CHOICES if "organisation" not in name]


def lines(name: str) -> list[str]:
    return [line for line in (DATA / name).read_text("utf-8").splitlines() if line and not line.startswith("#")]


DEFINED = frozenset(lines("terms.txt"))
VECTORS = Path(__file__).parents[3] / "shared/vectors/dpv-27560/guide-examples.json"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    found = made(tmp_path_factory.mktemp("receipts") / "ledger")
    yield found
    found.parts.close()


def at(node: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        node = node[step]
    return node


def test_the_fields_are_those_that_the_standard_makes_mandatory() -> None:
    assert list(FIELDS) == lines("mandatory.txt") == json.loads(VECTORS.read_text("utf-8"))["mandatory_fields"]
    assert len(FIELDS) == 29


@pytest.mark.parametrize("name", PERSONS)
@pytest.mark.parametrize("field", FIELDS)
def test_every_mandatory_field_is_there(house: Made, name: str, field: str) -> None:
    assert at(payload(house.receipts[name])["record"], FIELDS[field])


def terms(node: Any, context: dict[str, str]) -> Iterator[str]:
    """Every key, type and reference of a node that has a prefix of its context."""
    match node:
        case dict():
            for key, value in node.items():
                if key == "@context":
                    continue
                if not key.startswith("@"):
                    yield key
                if key in ("@type", "@id"):
                    named = value if isinstance(value, list) else [value]
                    yield from (one for one in named if one.partition(":")[0] in context)
                yield from terms(value, context)
        case list():
            for one in node:
                yield from terms(one, context)


@pytest.mark.parametrize("name", PERSONS)
def test_only_terms_that_are_defined(house: Made, name: str) -> None:
    said = payload(house.receipts[name])["record"]
    found = set(terms(said, said["@context"]))
    assert len(found) > 20
    assert found <= DEFINED, found - DEFINED


def test_the_state_of_each_decision_is_its_own(house: Made) -> None:
    states = {name: at(payload(house.receipts[name])["record"], (*STATUS, "@type", 0)) for name in PERSONS}
    assert states["grant"] == "dpv:ConsentGiven"
    assert states["refusal of everything"] == "dpv:ConsentRefused"
    assert states["withdrawal"] == "dpv:ConsentWithdrawn"
    objection = payload(house.receipts["objection"])["record"]
    assert at(objection, (*PROCESS, "dpv:hasStatus", "@id")) == "dpv:LegitimateInterestObjected"


@pytest.mark.parametrize("name", CHOICES)
def test_it_is_checked_by_the_key_alone_and_by_the_policy_beside(house: Made, name: str) -> None:
    found = receipt_check.verify(house.receipts[name], house.keys)
    assert found == receipt_check.verify(house.receipts[name], house.keys, house.policy)
    assert found.position == house.positions[name]
    assert found.choice["decision"] == CHOICES[name]["decision"]
    assert found.created_at == LATER
    assert found.policy == house.policy.digest
    assert (found.record is None) == (name == "refusal by an organisation")
    said = CHOICES[name].get("effective_at")
    assert found.effective_at == (found.recorded_at if said is None else instant.parse(said))
    assert found.standing.combinations == len(found.standing.shown)


def test_it_states_the_standing_that_it_produced(house: Made) -> None:
    def stands(name: str) -> dict[str, bool]:
        shown = receipt_check.verify(house.receipts[name], house.keys).standing.shown
        return {f"{one.purpose}/{one.category}": one.outcome.permits for one in shown if one.recipient == "platform"}

    assert stands("grant") == {"genai/posts": True, "genai/comments": True}
    assert not any(stands("withdrawal").values())
    assert not any(stands("objection").values())


# ── forgeries ────────────────────────────────────────────────────────────────────────────────────────────────────────


def forged(house: Made, name: str, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """A receipt that somebody who has the log's own key made say something else."""
    said = copy.deepcopy(payload(house.receipts[name]))
    change(said)
    return receipt.signed(said, [house.parts.journal.keys.signing()])


def put(path: tuple[str | int, ...], value: Any) -> Callable[[dict[str, Any]], None]:
    def change(said: dict[str, Any]) -> None:
        at(said, path[:-1])[path[-1]] = value

    return change


CONSENT = ("record", *RECORD)
STATE = ("record", *STATUS)
FORGERIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "position": put((*CONSENT, "dct:identifier"), "example.com/members#99"),
    "recorded at": put((*CONSENT, "dct:created"), "2020-01-01T00:00:00Z"),
    "subject": put((*CONSENT, "dpv:hasDataSubject", "dct:identifier"), "4712"),
    "scope": put((*CONSENT, "dpv:hasScope", "rdf:value"), "{}"),
    "decision": put((*STATE, "dct:type"), "refusal"),
    "state": put((*STATE, "@type"), ["dpv:ConsentRefused", "dpv:ExpressedConsent"]),
    "instant": put((*STATE, "dpv:isIndicatedAtTime"), "2020-01-01T00:00:00Z"),
    "actor": put((*STATE, "dpv:isIndicatedBy"), {"@type": "dpv:Agent"}),
    "act": put((*STATE, "dpv:hasIndicationMethod"), ["said so", "settings"]),
    "status": put((*CONSENT, "dpv:hasConsentStatus"), []),
    "record": put(CONSENT, []),
    "no record": lambda said: said.pop("record"),
    "created": put(("record", "dct:created"), "2020-01-01T00:00:00Z"),
    "notice": put((*CONSENT, "dpv:hasNotice", 0, "dct:identifier"), "asks 2"),
    "digest of the notice": put((*CONSENT, "dpv:hasNotice", 0, "dpv:hasIdentifier"), "sha256:" + "00" * 32),
    "notices": put((*CONSENT, "dpv:hasNotice"), []),
    "no notices": put((*CONSENT, "dpv:hasNotice"), None),
    "notice beside": put(("notice", "version"), "2"),
    "no notice": lambda said: said.pop("notice"),
    "policy": put(("policy",), "sha256:" + "00" * 32),
    "form": put(("form",), "sayso/receipt/2"),
    "entry": put(("entry",), '{"day":"2025-06-01","kind":"choice.recorded","parts":1,"root":"","v":1}'),
    "body": lambda said: said["part"].update(body=said["part"]["body"].replace("4711", "4712")),
    "body that is none": lambda said: said["part"].update(body="[]"),
    "salt": put(("part", "salt"), "AAAA"),
    "salt of another": put(("part", "salt"), "A" * 43 + "="),
    "path": put(("part", "path"), ["!"]),
    "index": put(("part", "index"), 1),
    "parts": put(("part", "of"), 2),
    "proof": lambda said: said.update(proof=said["proof"].replace("index ", "index 1")),
    "proof that is none": put(("proof",), "x"),
    "standing of no reason": put(("standing", 0, "ground"), None),
    "standing of another kind": put(("standing", 0, "permit"), False),
    "standing of no such word": put(("standing", 0, "ground"), "because"),
    "something more": put(("more",), 1),
    "creation": put(("created",), "some day"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_told_though_the_log_itself_signed_it(house: Made, name: str) -> None:
    with pytest.raises(VerificationError) as caught:
        receipt_check.verify(forged(house, "grant", FORGERIES[name]), house.keys)
    assert "4711" not in str(caught.value)


ADDED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "controller": put((*CONSENT, "dpv:hasEntity", 0, "dpv:hasName"), "Somebody else"),
    "purpose": put(("record", *PROCESS, "dpv:hasPurpose", 0, "dct:title"), "Something else"),
    "language": put((*CONSENT, "dpv:hasNotice", 0, "dct:language"), "de"),
    "duration": put((*STATE, "dpv:hasDuration", 0, "rdf:value"), "P9999D"),
    "standing": lambda said: said["standing"].pop(),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in ADDED if name != "standing"])
def test_what_the_policy_adds_is_checked_by_the_policy(house: Made, name: str) -> None:
    spoiled = forged(house, "grant", ADDED[name])
    receipt_check.verify(spoiled, house.keys)
    with pytest.raises(VerificationError, match="its policy makes"):
        receipt_check.verify(spoiled, house.keys, house.policy)


def test_another_policy_is_not_the_one_that_it_names(house: Made) -> None:
    with pytest.raises(VerificationError, match="got another"):
        receipt_check.verify(
            house.receipts["grant"], house.keys, loads(TEXT.replace("P730D", "").replace("730d", "9d"))
        )


def test_a_stranger_signs_no_receipt(house: Made) -> None:
    stranger = Signer("example.com/members", b"\x04" * 32)
    said = payload(house.receipts["grant"])
    with pytest.raises(VerificationError, match="no known key"):
        receipt_check.verify(receipt.signed(said, [stranger]), house.keys)
    witness = Signer("example.com/witness", b"\x05" * 32)
    with pytest.raises(VerificationError):
        receipt_check.verify(receipt.signed(said, [witness]), [*house.keys, witness.verifier])
    receipt_check.verify(house.receipts["grant"], [*house.keys, witness.verifier])


def test_one_from_before_a_change_of_keys_is_checked_years_later(tmp_path: Path) -> None:
    with closing(platform(tmp_path / "ledger")) as parts:
        old = issue(parts, say(parts, CHOICES["grant"]))
        log = Log(parts)
        before, new = log.keys, log.rotate_key()
        made_since = issue(parts, say(parts, CHOICES["withdrawal"]))
        for one in (old, made_since):
            receipt_check.verify(one, log.keys)
            receipt_check.verify(one, log.trusted(before))
        receipt_check.verify(old, before)
        for one, keys in ((old, [new]), (made_since, before)):
            with pytest.raises(VerificationError, match="no known key"):
                receipt_check.verify(one, keys)


def test_another_kind_of_event_has_no_receipt(house: Made) -> None:
    with pytest.raises(InputError, match="expected the position of a choice"):
        issue(house.parts, 2)


def test_the_entry_of_another_kind_is_no_choice(house: Made) -> None:
    """A receipt made of the registration of the same person, with its own proof and part."""
    (entry,) = house.parts.store.entries(2, 3)
    other = copy.deepcopy(payload(house.receipts["grant"]))
    other["entry"] = entry.public.decode()
    other["proof"] = str(prove(house.parts, 2))
    with pytest.raises(VerificationError, match="expected the entry of a choice"):
        receipt_check.verify(receipt.signed(other, [house.parts.journal.keys.signing()]), house.keys)


def test_who_was_erased_gets_none(tmp_path: Path) -> None:
    parts = platform(tmp_path / "ledger")
    position = say(parts, CHOICES["grant"])
    (entry,) = parts.store.entries(position, position + 1)
    proof: LogProof = prove(parts, position)
    say(parts, {"kind": "subject.erased", "subject": "4711"})
    with pytest.raises(InputError, match="or of one erased"):
        issue(parts, position)
    (left,) = parts.store.entries(position, position + 1)
    view = parts.reader.view(None, position + 1)
    stands = standing(view, read(CHOICES["refusal of everything"], IdType.STRING), START)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="nothing is left"):
        receipt.payload(left, proof, "x", view, stands, LATER)
    assert entry.public == left.public
    parts.close()


def test_it_rests_on_what_was_known_then(house: Made) -> None:
    position = house.positions["grant"]
    (entry,) = house.parts.store.entries(position, position + 1)
    with pytest.raises(InputError, match="nothing later"):
        receipt.issue(
            entry, prove(house.parts, position), view=house.parts.reader.view(), id_type=IdType.STRING,
            created_at=LATER, signers=[],
        )  # fmt: skip


LACKING = [
    (lambda text: text.replace("controllers:", "x-controllers:") and _without(text, "controllers:", "notices:"), "`controllers`"),
    (lambda text: text.replace(", language: en,", ","), "`language` of version `1` of the notice `asks`"),
    (lambda text: text.replace("controller: Example Ireland Ltd, basis", "basis"), "`controller` in rule `ask`"),
]  # fmt: skip


def _without(text: str, start: str, end: str) -> str:
    """The policy without its controllers, and without naming any."""
    before, _, rest = text.partition(start)
    return before + end + rest.partition(end)[2]


@pytest.mark.parametrize(("change", "told"), LACKING)
def test_a_policy_that_says_too_little_is_told_what_to_add(
    tmp_path: Path, change: Callable[[str], str], told: str
) -> None:
    parts = platform(tmp_path / "ledger", change(TEXT))
    position = say(parts, CHOICES["grant"])
    with pytest.raises(InputError) as caught:
        issue(parts, position)
    assert told in str(caught.value)
    assert "add it to the policy document" in str(caught.value)
    parts.close()


BARE = """
sayso: 1
platform: example
purposes: {genai: }
categories: {posts: }
recipients: {platform: }
controllers:
  Example Ltd: {identifier: "1", address: a street, contact: a@example.org, jurisdictions: [IE],
                rights: https://example.org/r, withdrawal: in the settings, storage: in the EEA}
versions:
  - id: first
    announced: 2024-12-01T00:00:00Z
    effective: 2025-01-01T00:00:00Z
    rules: [{id: never, purposes: [genai], categories: all, recipients: all, mode: never, controller: Example Ltd}]
"""


def test_a_refusal_needs_something_that_people_are_told(tmp_path: Path) -> None:
    with closing(
        wiring.create(tmp_path / "ledger", IdType.STRING, origin="example.com/bare", now=lambda: START)
    ) as parts:
        edition = loads(BARE)
        parts.journal.append(PolicyPublished(platform="example", digest=edition.digest, document=normal(edition)))
        say(parts, {"kind": "subject.registered", "subject": "1"})
        position = say(parts, {"kind": "choice.recorded", "decision": "refusal", "source": "x", "subject": "1"})
        with pytest.raises(InputError, match="`notices` that declare anything"):
            issue(parts, position)


def test_a_record_can_be_made_of_a_choice_alone(house: Made) -> None:
    choice = read(CHOICES["grant"], IdType.STRING)
    position = house.positions["grant"]
    view = house.parts.reader.view(None, position + 1)
    (entry,) = house.parts.store.entries(position, position + 1)
    stands = standing(view, choice, entry.recorded_at)  # type: ignore[arg-type]
    found = record(
        choice, origin="example.com/members", position=position, recorded_at=entry.recorded_at, created_at=LATER,  # type: ignore[arg-type]
        policy=house.policy, standing=stands, notice_digest=json.loads(entry.public)["notice"]["digest"],
    )  # fmt: skip
    assert found == payload(house.receipts["grant"])["record"]
    with pytest.raises(InputError, match="of a person"):
        record(
            read(CHOICES["refusal by an organisation"], IdType.STRING), origin="x", position=1,  # type: ignore[arg-type]
            recorded_at=START, created_at=LATER, policy=house.policy, standing=stands,
        )  # fmt: skip


def test_instants_that_are_none(house: Made) -> None:
    with pytest.raises(VerificationError, match="RFC 3339"):
        receipt_check.verify(forged(house, "refusal by an organisation", put(("created",), "some day")), house.keys)


def test_a_policy_that_makes_no_record_of_it(house: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: object) -> None:
        raise InputError("the policy has no `controllers`")

    monkeypatch.setattr(receipt_check, "written", lacking)
    with pytest.raises(VerificationError, match="makes no record"):
        receipt_check.verify(house.receipts["grant"], house.keys, house.policy)


def test_no_more_is_shown_than_a_receipt_can_hold() -> None:
    assert MOST == 256
