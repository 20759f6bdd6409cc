"""A manifest's signed statement: a DSSE envelope around an in-toto statement about the files of an output.

Its subjects are the files, the manifest among them; its predicate holds the manifest and the checkpoint of the ledger that
it rests on (spec/manifest.md, *The statement*).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from sayso.canonical import PREFIX, canonical_bytes, digest_bytes
from sayso.errors import VerificationError
from sayso.ledger import dsse
from sayso.ledger.log.note import Signer, VerifierKey

FILE = "manifest.dsse.json"
PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:sayso:manifest:1"


class Statement(NamedTuple):
    """What an envelope states: the digest of each file by its path, the manifest, and a signed checkpoint."""

    files: Mapping[str, str]
    manifest: Mapping[str, Any]
    checkpoint: str


def attest(manifest: Mapping[str, Any], name: str, data: bytes, checkpoint: str, signer: Signer) -> bytes:
    """The envelope about an output, whose manifest has this file name and these bytes."""
    files = {entry["path"]: entry["sha256"] for entry in manifest["outputs"]} | {name: digest_bytes(data)}
    statement = {
        "_type": STATEMENT,
        "subject": [
            {"name": path, "digest": {"sha256": digest.removeprefix(PREFIX)}} for path, digest in sorted(files.items())
        ],
        "predicateType": PREDICATE,
        "predicate": {"manifest": manifest, "checkpoint": checkpoint},
    }
    return dsse.sign(PAYLOAD, canonical_bytes(statement), signer) + b"\n"


def read(envelope: bytes, known: Collection[VerifierKey]) -> Statement:
    """What an envelope states. Without `known` keys nobody vouches for it.

    Raises VerificationError for what is no such envelope, or was not signed by a known key.
    """
    payload = dsse.verify(envelope, PAYLOAD, known) if known else dsse.unverified(envelope, PAYLOAD)
    try:
        said = msgspec.json.decode(payload)
        if said["_type"] != STATEMENT or said["predicateType"] != PREDICATE:
            raise VerificationError(f"expected an in-toto statement with a predicate of type `{PREDICATE}`")
        files = {str(one["name"]): PREFIX + one["digest"]["sha256"] for one in said["subject"]}
        if len(files) != len(said["subject"]):
            raise VerificationError("expected an in-toto statement that names each file once")
        return Statement(files, said["predicate"]["manifest"], str(said["predicate"]["checkpoint"]))
    except (msgspec.DecodeError, LookupError, TypeError) as error:
        raise VerificationError("expected an in-toto statement about a gate's output") from error
