"""Base64 as every format of the log writes it: the standard alphabet, padded, one spelling for each value."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode


def base64(data: bytes) -> str:
    """Bytes in base64 (RFC 4648, section 4)."""
    return b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes | None:
    """What a text in base64 holds; `None` for another text, or another spelling of the same value."""
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64(data) == text else None
