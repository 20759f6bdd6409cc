"""Canonical bytes and digests of everything that is hashed or signed.

Canonical bytes are those of RFC 8785 (JSON Canonicalization Scheme). A digest is written `sha256:` and 64 lowercase
hexadecimal digits.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import rfc8785

from sayso.errors import InputError

PREFIX = "sha256:"


def canonical_bytes(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value (dicts with string keys, lists, strings, numbers, booleans, `None`).

    Raises InputError for what RFC 8785 cannot hold: integers beyond 2**53 - 1, NaN, infinities, lone surrogates.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise InputError(f"a value has no canonical JSON form (RFC 8785): {type(error).__name__}") from error


def digest_bytes(data: bytes) -> str:
    """The digest of `data`."""
    return PREFIX + hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """The digest of a JSON value's canonical bytes."""
    return digest_bytes(canonical_bytes(value))


def digest_file(path: Path) -> str:
    """The digest of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return PREFIX + hashlib.file_digest(file, "sha256").hexdigest()
