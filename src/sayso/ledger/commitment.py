"""Salted commitments to the private parts of events (spec/ledger.md, *Commitments*).

A commitment is SHA-256 over a domain tag, a fresh salt of 32 bytes and the canonical bytes of the part. Once salt and
part are destroyed, nobody can show or guess what it committed to.
"""

from __future__ import annotations

from hashlib import sha256

SALT_BYTES = 32
TAG = b"sayso:private-part:1\n"


def commit(salt: bytes, body: bytes) -> bytes:
    """The commitment to a part: 32 bytes."""
    return sha256(TAG + salt + body).digest()
