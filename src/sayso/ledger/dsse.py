"""Signed envelopes (DSSE, version 1.0: `envelope.md` and `protocol.md` of secure-systems-lab/dsse).

```json
{"payload": "aGVsbG8=", "payloadType": "application/vnd.in-toto+json", "signatures": [{"keyid": "log+530d903a", "sig": "…"}]}
```
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from sayso.canonical import canonical_bytes
from sayso.errors import VerificationError
from sayso.ledger.log.note import Signer, VerifierKey
from sayso.ledger.log.words import base64, from_base64


class _Signature(msgspec.Struct):
    sig: str
    keyid: str = ""


class _Envelope(msgspec.Struct):
    payload: str
    payload_type: str = msgspec.field(name="payloadType")
    signatures: tuple[_Signature, ...]


_DECODE = msgspec.json.Decoder(_Envelope).decode


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: the pre-authentication encoding of type and payload."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def key_id(key: VerifierKey) -> str:
    """How an envelope names a key: a hint alone, as the specification has it."""
    return f"{key.name}+{key.key_id:08x}"


def sign(payload_type: str, payload: bytes, *signers: Signer) -> bytes:
    """An envelope around a payload, in canonical JSON, signed by each of some keys."""
    data = pae(payload_type, payload)
    signatures: list[dict[str, Any]] = [
        {"keyid": key_id(one.verifier), "sig": base64(one.sign(data))} for one in signers
    ]
    return canonical_bytes({"payload": base64(payload), "payloadType": payload_type, "signatures": signatures})


def verify(envelope: bytes | str, payload_type: str, known: Collection[VerifierKey]) -> bytes:
    """The payload of an envelope that one of some known keys signed.

    A signature counts for the keys that its `keyid` names, and for all of them if it names none that is known. Raises
    VerificationError for what is no envelope, one of another type, or one that no known key signed.
    """
    return verify_by(envelope, payload_type, known)[0]


def verify_by(envelope: bytes | str, payload_type: str, known: Collection[VerifierKey]) -> tuple[bytes, VerifierKey]:
    """As `verify`, with the key that signed it; where several did, one of them."""
    payload, signatures = _read(envelope, payload_type)
    data = pae(payload_type, payload)
    named = {key_id(key): key for key in known}
    for one in signatures:
        signature = from_base64(one.sig)
        candidates = [named[one.keyid]] if one.keyid in named else list(known)
        for key in candidates:
            if signature is not None and _signed(key, signature, data):
                return payload, key
    raise VerificationError("no known key signed the envelope")


def unverified(envelope: bytes | str, payload_type: str) -> bytes:
    """The payload of an envelope, whoever signed it. Raises VerificationError."""
    return _read(envelope, payload_type)[0]


def _read(envelope: bytes | str, payload_type: str) -> tuple[bytes, tuple[_Signature, ...]]:
    try:
        if isinstance(envelope, bytes):
            envelope.decode("utf-8")  # what no field takes is not looked at
        read = _DECODE(envelope)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise VerificationError("expected a DSSE envelope: JSON with payload, payloadType and signatures") from error
    payload = from_base64(read.payload)
    if payload is None:
        raise VerificationError("expected the payload of an envelope in base64")
    if read.payload_type != payload_type:
        raise VerificationError(f"expected an envelope of type `{payload_type}`, got another type")
    return payload, read.signatures


def _signed(key: VerifierKey, signature: bytes, data: bytes) -> bool:
    try:
        key.verify(signature, data)
    except VerificationError:
        return False
    return True
