"""Signed notes, and the keys that sign and verify them (C2SP signed-note), with Ed25519 alone.

A signature by an unknown key is ignored; one by a known key that does not verify refuses the whole note.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sayso.errors import KeyFileError, VerificationError
from sayso.ledger.log.words import base64, from_base64

ED25519 = 1
ECDSA = 2
ASSIGNED = (ED25519, ECDSA, 4, 5, 6)
"""The types of key that the specification assigns."""
SEED_BYTES = KEY_BYTES = 32
MOST_SIGNATURES = 100
_NAME = re.compile(r"[^\s+\ud800-\udfff]+")
_KEY_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)
# Half a surrogate pair is in no UTF-8, but may be in text that was no UTF-8 where it came from.
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")


class Signature(NamedTuple):
    """One signature line of a note: the key's name and id, and the signature's bytes."""

    name: str
    key_id: int
    data: bytes

    @property
    def line(self) -> str:
        """The line, with its newline."""
        return f"— {self.name} {base64(self.key_id.to_bytes(4, 'big') + self.data)}\n"


@dataclass(frozen=True)
class VerifierKey:
    """A public key with its name, of any type that there is; only Ed25519 can `verify`."""

    name: str
    kind: int
    public: bytes
    stated_id: int | None = None
    """The id, of a type whose ids are not computed here."""

    @cached_property
    def key_id(self) -> int:
        """The first four bytes of a digest of name, type and key."""
        return _key_id(self.name, self.kind, self.public) if self.stated_id is None else self.stated_id

    @cached_property
    def _key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id:08x}+{base64(bytes([self.kind]) + self.public)}"

    @staticmethod
    def parse(text: str) -> VerifierKey:
        """The key that a text such as `example.com/foo+530d903a+AekyeRrm…` writes. Raises KeyFileError."""
        parts = text.strip().split("+", 2)
        if len(parts) != 3 or not _NAME.fullmatch(parts[0]) or not _KEY_ID.fullmatch(parts[1]):
            raise KeyFileError("expected a verifier key such as `example.com/log+530d903a+AekyeRrm…`")
        material = from_base64(parts[2])
        if material is None or len(material) < 2 or material[0] not in ASSIGNED:
            raise KeyFileError("expected the key of a verifier key in base64, of a type that is known")
        kind, stated = material[0], int(parts[1], 16)
        key = VerifierKey(parts[0], kind, material[1:], None if kind in (ED25519, ECDSA) else stated)
        if key.kind == ED25519 and len(key.public) != KEY_BYTES:
            raise KeyFileError(f"expected an Ed25519 key of {KEY_BYTES} bytes, got {len(key.public)}")
        if key.key_id != stated:
            raise KeyFileError(f"the id of verifier key `{parts[0]}` is not that of its key")
        return key

    def verify(self, signature: bytes, data: bytes) -> None:
        """Checks a signature. Raises VerificationError."""
        if self.kind != ED25519:
            raise VerificationError(f"key `{self.name}` is no Ed25519 key")
        try:
            self._key.verify(signature, data)
        except InvalidSignature as error:
            raise VerificationError(f"the signature by `{self.name}` is not that of this text") from error


class Signer:
    """A private key with its name."""

    def __init__(self, name: str, seed: bytes) -> None:
        if not _NAME.fullmatch(name) or len(seed) != SEED_BYTES:
            raise KeyFileError(
                f"expected a key name without spaces and `+`, and {SEED_BYTES} bytes of Ed25519 key, "
                f"got name `{name}` and {len(seed)} bytes"
            )
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._seed = seed
        self.verifier = VerifierKey(name, ED25519, self._key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"Signer({self.verifier.name!r})"

    @staticmethod
    def parse(text: str) -> Signer:
        """The key that a text such as `PRIVATE+KEY+name+id+base64` writes. Raises KeyFileError; it shows no key."""
        parts = text.strip().split("+", 4)
        if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:
            raise KeyFileError("expected a signing key of the form `PRIVATE+KEY+name+id+base64`")
        material = from_base64(parts[4])
        if material is None or len(material) != 1 + SEED_BYTES or material[0] != ED25519:
            raise KeyFileError("expected a signing key that holds an Ed25519 key in base64")
        signer = Signer(parts[2], material[1:])
        if parts[3] != f"{signer.verifier.key_id:08x}":
            raise KeyFileError(f"the id of signing key `{parts[2]}` is not that of its key")
        return signer

    @property
    def text(self) -> str:
        """The key as it is kept. It is secret."""
        key = self.verifier
        return f"PRIVATE+KEY+{key.name}+{key.key_id:08x}+{base64(bytes([ED25519]) + self._seed)}"

    def sign(self, data: bytes) -> bytes:
        """The signature of some bytes."""
        return self._key.sign(data)


@dataclass(frozen=True)
class Note:
    """A text, which ends with a newline, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(one.line for one in self.signatures)

    def verify(self, known: Collection[VerifierKey]) -> tuple[VerifierKey, ...]:
        """The known keys that signed it. Raises VerificationError if none did, or one of them did not sign this."""
        return _verified(self.text, self.signatures, known)


def sign(text: str, *signers: Signer) -> Note:
    """A note over a text, signed by each of some keys. Raises VerificationError for a text that no note may have."""
    if not text.endswith("\n") or _CONTROL.search(text):
        raise VerificationError("the text of a note ends with a newline and holds no other control character")
    data = text.encode()
    made = [Signature(one.verifier.name, one.verifier.key_id, one.sign(data)) for one in signers]
    return Note(text, tuple(made))


def parse(data: bytes | str) -> Note:
    """The note in some bytes, nothing of it verified. Raises VerificationError for what is no note."""
    try:
        whole = data if isinstance(data, str) else data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed("is not UTF-8") from error
    if _CONTROL.search(whole):
        raise _malformed("holds a control character")
    text, between, block = whole.rpartition("\n\n")
    if not between or not block.endswith("\n"):
        raise _malformed("has no signatures, or does not end with a newline")
    lines = block[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise _malformed(f"has more than {MOST_SIGNATURES} signatures")
    return Note(text + "\n", tuple(map(_signature, lines)))


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    data = from_base64(encoded)
    if dash != "—" or not _NAME.fullmatch(name) or data is None or len(data) < 5:
        raise _malformed("has a line after its text that is no signature")
    return Signature(name, int.from_bytes(data[:4], "big"), data[4:])


def _verified(text: str, signatures: Sequence[Signature], known: Collection[VerifierKey]) -> tuple[VerifierKey, ...]:
    data = text.encode()
    found: list[VerifierKey] = []
    for one in signatures:
        keys = [key for key in known if (key.name, key.key_id) == (one.name, one.key_id)]
        if len(keys) > 1:
            raise VerificationError(f"two known keys are `{one.name}+{one.key_id:08x}`; give each once")
        if keys and keys[0] not in found:
            keys[0].verify(one.data, data)
            found.append(keys[0])
    if not found:
        raise VerificationError("no known key signed the note")
    return tuple(found)


def _key_id(name: str, kind: int, public: bytes) -> int:
    # The witnesses' ECDSA keys are named by their key alone (C2SP signed-note, *Signature types*).
    data = public if kind == ECDSA else name.encode() + b"\n" + bytes([kind]) + public
    return int.from_bytes(sha256(data).digest()[:4], "big")


def _malformed(why: str) -> VerificationError:
    return VerificationError(f"expected a signed note; this {why}")
