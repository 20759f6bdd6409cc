"""Hostile notes, proofs and envelopes: whatever is given, it is refused in words of the one exception tree, or means the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError as TheirError
from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]

from sayso.errors import KeyFileError, VerificationError
from sayso.ledger import dsse
from sayso.ledger.log import checkpoint, merkle, note, proof
from sayso.ledger.log.checkpoint import Checkpoint
from sayso.ledger.log.note import Signer, VerifierKey
from sayso.ledger.log.proof import LogProof
from sayso.ledger.log.words import base64, from_base64
from tests.ledgers import KEYS, ORIGIN, SIGNER
from tests.searching import searched

ENTRY = b"an entry"
LEAVES = [merkle.leaf_hash(ENTRY), merkle.leaf_hash(b"another")]
HEAD = Checkpoint(ORIGIN, 2, merkle.root(LEAVES))
SIGNED = str(HEAD.signed(SIGNER))
PROOF = str(LogProof(0, (LEAVES[1],), SIGNED))
OTHER = Signer("example.com/other", b"\x08" * 32)
KIND = "application/vnd.example+json"
ENVELOPE = dsse.sign(KIND, b'{"a":1}', SIGNER)


def test_what_is_good_is_good() -> None:
    assert checkpoint.opened(SIGNED, KEYS.verifiers, ORIGIN) == HEAD
    assert proof.parse(PROOF).verify(ENTRY, KEYS.verifiers, ORIGIN) == HEAD
    assert dsse.verify(ENVELOPE, KIND, KEYS.verifiers) == b'{"a":1}'
    assert from_base64(base64(b"\x00")) == b"\x00"


@searched(300)
@given(data=st.binary(max_size=8), tail=st.text("AQgwB=/+-_\n é", max_size=4), cut=st.integers(0, 4))
def test_base64_has_one_spelling_for_each_value(data: bytes, tail: str, cut: int) -> None:
    text = base64(data)
    text = text[: len(text) - cut] + tail
    found = from_base64(text)
    assert found is None or base64(found) == text
    assert from_base64(base64(data)) == data


@pytest.mark.parametrize(
    "text",
    [
        "AB==",
        "AAB=",
        "AA",
        "AAA",
        "A",
        "=",
        "====",
        "AA=A",
        "AA==AA==",
        "AAAA=",
        "AAAA====",
        "AA===",
        "AAAA\n",
        "_-__",
        " AAAA",
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    assert from_base64(text) is None


def flipped(data: bytes, place: int) -> bytes:
    spoiled = bytearray(data)
    spoiled[place // 8 % len(data)] ^= 1 << place % 8
    return bytes(spoiled)


@given(place=st.integers(0, len(SIGNED.encode()) * 8 - 1))
def test_a_bit_of_a_checkpoint(place: int) -> None:
    with pytest.raises(VerificationError):
        checkpoint.opened(flipped(SIGNED.encode(), place), KEYS.verifiers, ORIGIN)


@given(place=st.integers(0, len(PROOF.encode()) * 8 - 1))
def test_a_bit_of_a_proof(place: int) -> None:
    with pytest.raises((VerificationError, UnicodeDecodeError)):
        proof.parse(flipped(PROOF.encode(), place).decode()).verify(ENTRY, KEYS.verifiers, ORIGIN)


@given(place=st.integers(0, len(ENVELOPE) * 8 - 1))
def test_a_bit_of_an_envelope(place: int) -> None:
    """One in the key's id, which is a hint, changes nothing."""
    spoiled = flipped(ENVELOPE, place)
    try:
        assert dsse.verify(spoiled, KIND, KEYS.verifiers) == b'{"a":1}'
    except VerificationError:
        return
    assert b'"sig"' in spoiled
    assert json.loads(spoiled)["signatures"][0].get("keyid") != json.loads(ENVELOPE)["signatures"][0]["keyid"]


@searched(200)
@given(text=st.text(max_size=200) | st.binary(max_size=200))
def test_whatever_is_given(text: str | bytes) -> None:
    for read in (note.parse, lambda one: checkpoint.opened(one, KEYS.verifiers)):
        with pytest.raises(VerificationError):
            read(text)
    with pytest.raises(VerificationError):
        dsse.verify(text, KIND, KEYS.verifiers)
    if isinstance(text, str):
        with pytest.raises(VerificationError):
            proof.parse(text)
        with pytest.raises(KeyFileError):
            VerifierKey.parse(text)
        with pytest.raises(KeyFileError):
            Signer.parse(text)


HOSTILE = [
    SIGNED.replace("\n", "\r\n"), SIGNED + "\n", SIGNED[:-1], "\n" + SIGNED, SIGNED.replace("— ", "- "),
    SIGNED.replace("\n2\n", "\n02\n"), SIGNED.replace("\n2\n", "\n+2\n"), SIGNED.replace("\n2\n", "\n２\n"),
    SIGNED.replace("\n2\n", f"\n{2**63}\n"), SIGNED.replace("\n2\n", "\n 2\n"),
    str(Checkpoint(ORIGIN, 2, HEAD.root, "\n").signed(SIGNER)), str(Checkpoint("", 2, HEAD.root).signed(SIGNER)),
    str(Checkpoint(ORIGIN, 2, HEAD.root[:-1]).signed(SIGNER)), str(Checkpoint(ORIGIN, 2, HEAD.root).signed(OTHER)),
    str(Checkpoint("example.com/other", 2, HEAD.root).signed(SIGNER)),
    SIGNED.replace("example.com/test-ledger ", "example.com/test\u2003ledger "), "a\n" * 1_000_000 + SIGNED,
    "[" * 100_000, "x", "", SIGNED.replace("example", "ex\udcffample"), SIGNED.replace("— ", "— \ud800"),
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_checkpoints_that_are_none(text: str) -> None:
    with pytest.raises(VerificationError):
        checkpoint.opened(text, KEYS.verifiers, ORIGIN)


def test_extensions_are_read_and_signed() -> None:
    text = str(Checkpoint(ORIGIN, 2, HEAD.root, "more\n").signed(SIGNER))
    assert checkpoint.opened(text, KEYS.verifiers).rest == "more\n"


def test_a_checkpoint_is_not_vouched_for_by_a_stranger_alone() -> None:
    """A witness whose key is known signs it, and the log does not."""
    witnessed = str(HEAD.signed(OTHER))
    with pytest.raises(VerificationError, match="of the log itself"):
        checkpoint.opened(witnessed, [SIGNER.verifier, OTHER.verifier])
    assert checkpoint.opened(str(HEAD.signed(SIGNER, OTHER)), [SIGNER.verifier, OTHER.verifier]) == HEAD


def test_a_proof_of_something_else() -> None:
    read = proof.parse(PROOF)
    for index, path, entry in (
        (1, read.path, ENTRY),
        (0, (), ENTRY),
        (0, read.path, b"no entry"),
        (2, read.path, ENTRY),
    ):
        with pytest.raises(VerificationError):
            LogProof(index, path, SIGNED).verify(entry, KEYS.verifiers)
    for text in (
        PROOF.replace("index 0", "index 00"), PROOF.replace("index 0", f"index {2**63}"), PROOF.replace("index 0\n", ""),
        PROOF.replace("index 0\n", "index 0\n" + base64(bytes(32)) * 1 + "\n" + (base64(bytes(32)) + "\n") * 63),
        PROOF.replace("index 0\n", "extra !\nindex 0\n"),
    ):  # fmt: skip
        with pytest.raises(VerificationError):
            proof.parse(text)


BAD_KEYS = [
    "PRIVATE+KEY+a b+00000000+AAAA", "PRIVATE+KEY+a+00000000+" + base64(b"\x01" + bytes(32)), "PRIVATE+KEY+a+1",
    "PUBLIC+KEY+a+00000000+" + base64(b"\x01" + bytes(32)), "PRIVATE+KEY+a+00000000+" + base64(b"\x02" + bytes(32)),
    "PRIVATE+KEY+\udcff+00000000+" + base64(b"\x01" + bytes(32)), "PRIVATE+KEY+a+00000000+" + base64(b"\x01" + bytes(31)), "PRIVATE+KEY+a+00000000+!",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_KEYS)
def test_signing_keys_that_are_none(text: str) -> None:
    with pytest.raises(KeyFileError) as caught:
        Signer.parse(text)
    assert "AQAA" not in str(caught.value), "it shows nothing of a key"


@pytest.mark.parametrize("text", ["a", "a+b+c", "a+0000000g+AQ==", "a b+00000000+AQ==", "\udcff+00000000+AQ==", str(SIGNER.verifier).replace("example", "ex\udcffample"), "a+00000000+AQ==",
                                  "a+00000000+" + base64(b"\x01" + bytes(31)), str(SIGNER.verifier).replace("+", "-")])  # fmt: skip
def test_verifier_keys_that_are_none(text: str) -> None:
    with pytest.raises(KeyFileError):
        VerifierKey.parse(text)


def test_a_text_that_no_note_may_have() -> None:
    for text in ("no newline", "a\tb\n", "a\r\n", "\x00\n", "\udcff\n"):
        with pytest.raises(VerificationError):
            note.sign(text, SIGNER)


ENVELOPES = [
    b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, ENVELOPE.replace(b'"keyid"', b'"keyi\xe4"'), b'{"payload":"!","payloadType":"x","signatures":[]}',
    b'{"payload":"","payloadType":"application/vnd.example+json","signatures":[]}',
    b'{"payload":"","payloadType":"application/vnd.example+json","signatures":[{"sig":"!"}]}',
    b'{"payload":"","payloadType":"application/vnd.example+json","signatures":[{"sig":"AAAA","keyid":"?"}]}',
    ENVELOPE.replace(b"vnd.example", b"vnd.else"), dsse.sign(KIND, b'{"a":1}', OTHER),
]  # fmt: skip


@pytest.mark.parametrize("envelope", ENVELOPES, ids=range(len(ENVELOPES)))
def test_envelopes_that_are_none(envelope: bytes) -> None:
    with pytest.raises(VerificationError):
        dsse.verify(envelope, KIND, KEYS.verifiers)


def test_a_signature_that_names_no_known_key_may_still_be_of_one() -> None:
    said = json.loads(ENVELOPE)
    said["signatures"][0]["keyid"] = "some other name"
    assert dsse.verify(json.dumps(said), KIND, KEYS.verifiers) == b'{"a":1}'
    assert dsse.unverified(ENVELOPE, KIND) == b'{"a":1}'


def their_key() -> SSlibKey:
    held = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": SIGNER.verifier.public.hex()}}
    return SSlibKey.from_dict(dsse.key_id(SIGNER.verifier), held)


def test_an_independent_library_verifies_our_envelopes() -> None:
    read = Envelope.from_dict(json.loads(ENVELOPE))
    assert list(read.verify([their_key()], 1)) == [dsse.key_id(SIGNER.verifier)]
    spoiled = json.loads(ENVELOPE) | {"payload": base64(b'{"a":2}')}
    with pytest.raises(TheirError):
        Envelope.from_dict(spoiled).verify([their_key()], 1)


def test_we_verify_the_envelopes_of_an_independent_library() -> None:
    signer = CryptoSigner.generate_ed25519()
    made = Envelope(b"what was said", KIND, {})
    made.sign(signer)
    theirs = VerifierKey("example.com/theirs", note.ED25519, bytes.fromhex(signer.public_key.keyval["public"]))
    assert dsse.verify(json.dumps(made.to_dict()), KIND, [theirs]) == b"what was said"
