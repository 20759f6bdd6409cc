"""Checking a receipt, with nothing but the log's public key (`spec/receipt.md`, *Checking*).

In order: the envelope is signed by the log; its checkpoint is; the entry is in the tree of the checkpoint; the private
part opens the entry; the rest says what entry and part say; and, where the policy is given, nothing but what follows
from them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import msgspec

from sayso import instant
from sayso.canonical import canonical_bytes
from sayso.consent.receipt import FORM, PAYLOAD_TYPE
from sayso.consent.receipt_record import event, said, told, written
from sayso.consent.receipt_standing import Standing, Standings
from sayso.errors import InputError, InstantError, VerificationError
from sayso.ledger import dsse
from sayso.ledger.commitment import SALT_BYTES, commit
from sayso.ledger.events import Decision
from sayso.ledger.log import checkpoint, proof
from sayso.ledger.log.checkpoint import Checkpoint
from sayso.ledger.log.merkle import leaf_hash, verify_inclusion
from sayso.ledger.log.note import VerifierKey
from sayso.ledger.log.words import from_base64
from sayso.policy.model import Policy
from sayso.policy.verdict import Outcome


class Verified(NamedTuple):
    """What a receipt proves. Instants are in microseconds, `choice` is the private part of the choice as written."""

    checkpoint: Checkpoint
    position: int
    recorded_at: int
    effective_at: int
    created_at: int
    choice: Mapping[str, Any]
    notice: Mapping[str, str] | None
    policy: str
    standing: Standings
    record: Mapping[str, Any] | None


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of what is read: no key but those named."""


class _Part(_Strict, frozen=True):
    index: int
    of: int
    salt: str
    body: str
    path: tuple[str, ...]


class _Standing(_Strict, frozen=True):
    purpose: str
    recipient: str
    category: str
    permit: bool
    rules: tuple[str, ...]
    ground: str | None = None
    reason: str | None = None


class _Payload(_Strict, frozen=True):
    form: str
    created: str
    entry: str
    part: _Part
    proof: str
    policy: str
    version: str | None
    combinations: int
    standing: tuple[_Standing, ...]
    notice: dict[str, str] | None = None
    record: dict[str, Any] | None = None


class _Entry(msgspec.Struct, frozen=True):
    """What a receipt needs of an entry (spec/ledger.md, *Entries and private parts*)."""

    kind: str
    v: int
    parts: int
    root: str
    day: str
    notice: dict[str, str] | None = None
    policy: str | None = None


class _By(msgspec.Struct, frozen=True):
    role: Literal["guardian", "agent", "owner"]


class _Act(msgspec.Struct, frozen=True):
    what: str
    where: str


class _Body(msgspec.Struct, frozen=True):
    """What a receipt needs of a choice's private part."""

    decision: Decision
    source: str
    recorded_at: str
    effective_at: str | None = None
    subject: str | None = None
    organisation: str | None = None
    act: _Act | None = None
    by: _By | None = None
    scope: dict[str, tuple[str, ...]] = {}


_PAYLOAD = msgspec.json.Decoder(_Payload).decode
_ENTRY = msgspec.json.Decoder(_Entry).decode
_BODY = msgspec.json.Decoder(_Body).decode
_WORDS = {outcome.word: outcome for outcome in Outcome}


def verify(receipt: bytes | str, known: Collection[VerifierKey], policy: Policy | None = None) -> Verified:
    """What a receipt proves, by the log's public keys; with the policy that it names, also what it adds to the choice.

    A checkpoint that was seen to be signed is not verified again. Raises VerificationError, which names what does not
    agree and nothing of what it says.
    """
    keys = tuple(known)
    payload, signer = dsse.verify_by(receipt, PAYLOAD_TYPE, keys)
    read = _decoded(_PAYLOAD, payload, "the payload of a receipt")
    if read.form != FORM:
        raise VerificationError(f"expected a receipt of form `{FORM}`")
    written_proof = proof.parse(read.proof)
    head = _opened(written_proof.checkpoint, keys)
    if signer.name != head.origin:  # a witness does not sign receipts
        dsse.verify(receipt, PAYLOAD_TYPE, [key for key in keys if key.name == head.origin])
    raw = read.entry.encode()
    written_proof.leads_to(head, raw)
    entry = _decoded(_ENTRY, raw, "the entry of a choice")
    if entry.kind != "choice.recorded" or entry.v != 1:
        raise VerificationError("expected the entry of a choice")
    _opens(read.part, entry)
    body = _decoded(_BODY, read.part.body.encode(), "the private part of a choice")
    choice: dict[str, Any] = msgspec.json.decode(read.part.body)
    for what, agrees in _agreements(read, entry, choice, head.origin, written_proof.index):
        if not agrees:
            raise VerificationError(f"the receipt's {what} is not what the choice in the log says")
    stands = Standings(read.version, read.combinations, tuple(map(_standing, read.standing)))
    if policy is not None:
        _follows(read, choice, head.origin, written_proof.index, policy, stands)
    try:
        recorded_at, created_at = instant.parse(body.recorded_at), instant.parse(read.created)
        effective_at = recorded_at if body.effective_at is None else instant.parse(body.effective_at)
    except InstantError as error:
        raise VerificationError("expected the instants of a receipt in RFC 3339") from error
    return Verified(
        head, written_proof.index, recorded_at, effective_at, created_at, choice, read.notice, read.policy, stands,
        read.record,
    )  # fmt: skip


def _decoded(decode: Any, data: bytes, what: str) -> Any:
    try:
        return decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise VerificationError(f"expected {what}, got what has another form") from error


@lru_cache(maxsize=4096)
def _opened(text: str, known: tuple[VerifierKey, ...]) -> Checkpoint:
    """A checkpoint that the log signed. Many receipts rest on one."""
    return checkpoint.opened(text, known)


def _opens(part: _Part, entry: _Entry) -> None:
    """Checks that a private part is the first of those that an entry commits to."""
    salt, root, path = from_base64(part.salt), from_base64(entry.root), [from_base64(one) for one in part.path]
    if part.index != 0 or part.of != entry.parts or salt is None or len(salt) != SALT_BYTES or root is None:
        raise VerificationError("expected the first private part of the entry, with its salt")
    hashes = [one for one in path if one is not None]
    if len(hashes) != len(path):
        raise VerificationError("expected the path of the private part in base64")
    try:
        verify_inclusion(leaf_hash(commit(salt, part.body.encode())), 0, entry.parts, hashes, root)
    except VerificationError as error:
        raise VerificationError("the private part is not the one that the entry commits to") from error


def _agreements(
    read: _Payload, entry: _Entry, choice: Mapping[str, Any], origin: str, position: int
) -> Iterator[tuple[str, bool]]:
    """What a receipt says of a choice, and whether it is what entry and part say."""
    yield "notice", read.notice == entry.notice
    yield "policy", read.policy == entry.policy
    yield "day", entry.day == choice["recorded_at"][:10]
    yield "record", (read.record is None) == ("subject" not in choice)
    if read.record is None:
        return
    consent = read.record.get("dpv:hasRecordOfActivity")
    consent = consent if isinstance(consent, dict) else {}
    for key, value in said(choice, origin, position).items():
        yield _FIELDS[key], consent.get(key) == value
    status = consent.get("dpv:hasConsentStatus")
    status = status if isinstance(status, dict) else {}
    for key, value in event(choice).items():
        yield _FIELDS[key], status.get(key) == value
    yield "instant of creation", read.record.get("dct:created") == read.created
    yield "notice", _notices(consent.get("dpv:hasNotice"), entry)


_FIELDS = {
    "dct:identifier": "position",
    "dct:created": "instant of recording",
    "dpv:hasDataSubject": "data subject",
    "dpv:hasScope": "scope",
    "@type": "decision",
    "dct:type": "decision",
    "dpv:isIndicatedAtTime": "instant",
    "dpv:isIndicatedBy": "actor",
    "dpv:hasIndicationMethod": "act",
}


def _notices(named: object, entry: _Entry) -> bool:
    """Whether a record names the notice of an entry as the one that consent was asked by; none where it has none."""
    listed = [one for one in named if isinstance(one, dict)] if isinstance(named, list) else []
    asked = [one for one in listed if one.get("@type") != "dpv:PrivacyNotice"]
    if entry.notice is None:
        return listed != [] and asked == []
    expected = told(entry.notice)
    return len(listed) == 1 and all(listed[0].get(key) == value for key, value in expected.items())


def _standing(one: _Standing) -> Standing:
    outcome = _WORDS.get((one.ground if one.permit else one.reason) or "")
    if outcome is None or outcome.permits != one.permit or (one.ground is None) == (one.reason is None):
        raise VerificationError("expected a standing with a ground if it permits, else with a reason")
    return Standing(one.purpose, one.recipient, one.category, outcome, one.rules)


def _follows(
    read: _Payload, choice: Mapping[str, Any], origin: str, position: int, policy: Policy, stands: Standings
) -> None:
    """Checks that a receipt's record is the one that the policy makes of the choice."""
    if policy.digest != read.policy:
        raise VerificationError("expected the policy that the receipt names, got another")
    if read.record is None:
        return
    try:
        made = written(choice, read.notice, origin, position, read.created, policy, stands)
        same = canonical_bytes(made) == canonical_bytes(read.record)
    except InputError as error:
        raise VerificationError("the policy that the receipt names makes no record of the choice") from error
    if not same:
        raise VerificationError("the receipt's record is not the one that its policy makes of the choice")
