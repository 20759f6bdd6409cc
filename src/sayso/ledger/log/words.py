"""Base64 as every format of the log writes it: the standard alphabet, padded, one spelling for each value."""

from __future__ import annotations

import binascii


def base64(data: bytes) -> str:
    """Bytes in base64 (RFC 4648, section 4)."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def from_base64(text: str) -> bytes | None:
    """What a text in base64 holds; `None` for another text, or another spelling of the same value."""
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # and binascii.Error, which is one
        return None
    # Strict mode lets through padding where none is due, and bits of the last letter that no byte takes.
    left = len(data) % 3
    if len(text) != (len(data) + 2) // 3 * 4 or (left and base64(data[-left:]) != text[-4:]):
        return None
    return data
