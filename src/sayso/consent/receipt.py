"""Receipts: what a person is given of a choice, to keep and to check offline years later (`spec/receipt.md`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sayso import instant
from sayso.canonical import canonical_bytes
from sayso.consent.reader import View
from sayso.consent.receipt_record import written
from sayso.consent.receipt_standing import Standings, standing
from sayso.errors import InputError
from sayso.ledger import dsse
from sayso.ledger.entry import Entry, PrivatePart, path_of, unseal
from sayso.ledger.events import ChoiceRecorded
from sayso.ledger.identity import IdType
from sayso.ledger.log import checkpoint
from sayso.ledger.log.note import Signer
from sayso.ledger.log.proof import LogProof
from sayso.ledger.log.words import base64

FORM = "sayso/receipt/1"
PAYLOAD_TYPE = "application/vnd.sayso.receipt+json"


def issue(
    entry: Entry, proof: LogProof, *, view: View, id_type: IdType, created_at: int, signers: Sequence[Signer]
) -> bytes:
    """The receipt of the choice in an entry of the log: a signed envelope, in canonical JSON.

    `proof` is that of the entry, by a checkpoint of the log; `view` what the ledger said when it held the choice (at
    its position and one), by the policy last published; `created_at` the present instant, in microseconds.

    Raises InputError where the entry holds no choice or it was erased, and naming everything that the policy document
    lacks. The choice of an organisation gets a receipt without a consent record, which is of persons.
    """
    choice = unseal(entry, id_type)
    if not isinstance(choice, ChoiceRecorded):
        raise InputError(f"expected the position of a choice, got one of an event `{entry.kind}`, or of one erased")
    public = msgspec.json.decode(entry.public)
    if public.get("policy") != view.context.policy.digest or view.size != entry.position + 1:
        raise InputError(
            "expected what the ledger said when it held the choice and nothing later, by the policy last published then"
        )
    stands = standing(view, choice, entry.recorded_at)
    origin = checkpoint.unverified(proof.checkpoint).origin
    return signed(payload(entry, proof, origin, view, stands, created_at), signers)


def payload(
    entry: Entry, proof: LogProof, origin: str, view: View, stands: Standings, created_at: int
) -> dict[str, Any]:
    """What a receipt says, before it is signed."""
    part = entry.parts[0]
    if not isinstance(part, PrivatePart):
        raise InputError("the choice was erased; nothing is left to give a receipt of")
    public, body = msgspec.json.decode(entry.public), msgspec.json.decode(part.body)
    created = instant.format(created_at)
    notice = public.get("notice")
    said: dict[str, Any] = {
        "form": FORM,
        "created": created,
        "entry": entry.public.decode(),
        "part": {
            "index": 0,
            "of": len(entry.parts),
            "salt": base64(part.salt),
            "body": part.body.decode(),
            "path": [base64(one) for one in path_of(entry.parts, 0)],
        },
        "proof": str(proof),
        "policy": view.context.policy.digest,
        "version": stands.version,
        "combinations": stands.combinations,
        "standing": [one.to_json() for one in stands.shown],
    }
    if notice is not None:
        said["notice"] = notice
    if "subject" in body:
        said["record"] = written(body, notice, origin, entry.position, created, view.context.policy, stands)
    return said


def signed(said: Mapping[str, Any], signers: Sequence[Signer]) -> bytes:
    """A receipt's payload in its envelope."""
    return dsse.sign(PAYLOAD_TYPE, canonical_bytes(dict(said)), *signers)
