"""The test vectors that others wrote for Merkle trees, signed notes, checkpoints, proofs and envelopes (`../shared/vectors`)."""

from __future__ import annotations

import contextlib
import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sayso.errors import KeyFileError, SaysoError, VerificationError
from sayso.ledger import dsse
from sayso.ledger.log import checkpoint, merkle, note, proof, tiles
from sayso.ledger.log.checkpoint import Checkpoint
from sayso.ledger.log.note import ED25519, Signer, VerifierKey
from sayso.ledger.log.proof import LogProof

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"


def read(name: str) -> Any:
    return json.loads((VECTORS / name).read_text("utf-8"))


def cases(kind: str) -> list[Any]:
    found = sorted((VECTORS / "merkle" / kind).rglob("*.json"))
    assert len(found) > 60
    return [pytest.param(json.loads(path.read_text("utf-8")), id=f"{path.parent.name}/{path.stem}") for path in found]


def data(text: str | None) -> bytes:
    return b64decode(text or "")


def path_of(case: dict[str, Any]) -> list[bytes]:
    return [data(one) for one in case["proof"] or []]


def refused(case: dict[str, Any]) -> Any:
    """A block that must be refused where the vector says so."""
    return pytest.raises(VerificationError) if case["wantErr"] else contextlib.nullcontext()


@pytest.mark.parametrize("case", cases("inclusion"))
def test_inclusion(case: dict[str, Any]) -> None:
    with refused(case):
        merkle.verify_inclusion(
            data(case["leafHash"]), case["leafIdx"], case["treeSize"], path_of(case), data(case["root"])
        )


@pytest.mark.parametrize("case", cases("consistency"))
def test_consistency(case: dict[str, Any]) -> None:
    with refused(case):
        roots = data(case["root1"]), data(case["root2"])
        merkle.verify_consistency(case["size1"], case["size2"], *roots, path_of(case))


@pytest.mark.parametrize("case", cases("subtreeinclusion"))
def test_inclusion_in_a_subtree(case: dict[str, Any]) -> None:
    with refused(case):
        start, stop = case["start"], case["end"]
        merkle.check_subtree(start, stop)
        leaf, root = data(case["leafHash"]), data(case["root"])
        merkle.verify_inclusion(leaf, case["leafIdx"] - start, stop - start, path_of(case), root)


@pytest.mark.parametrize("case", cases("subtreeconsistency"))
def test_consistency_of_a_subtree(case: dict[str, Any]) -> None:
    with refused(case):
        roots = data(case["root1"]), data(case["root2"])
        merkle.verify_subtree(case["start"], case["end"], case["size"], *roots, path_of(case))


CT = read("tlog/merkle.rfc6962-ct.json")


def test_the_hashes_of_certificate_transparency() -> None:
    assert merkle.EMPTY.hex() == CT["empty_root"]
    for one in CT["leaf_hashes"]:
        assert merkle.leaf_hash(bytes.fromhex(one["leaf"])).hex() == one["hash"]
    for one in CT["node_hashes"]:
        assert merkle.node_hash(bytes.fromhex(one["left"]), bytes.fromhex(one["right"])).hex() == one["hash"]
    leaves = [merkle.leaf_hash(bytes.fromhex(one)) for one in CT["tree_leaves"]]
    assert [merkle.root(leaves[:size]).hex() for size in range(1, 9)] == CT["roots_by_size"]


@pytest.mark.parametrize("case", CT["consistency"] + CT["consistency_bad"])
def test_the_consistency_proofs_of_certificate_transparency(case: dict[str, Any]) -> None:
    with refused({"wantErr": not case.get("ok", False)}):
        roots = bytes.fromhex(case["old_root"]), bytes.fromhex(case["new_root"])
        merkle.verify_consistency(case["old"], case["new"], *roots, [bytes.fromhex(one) for one in case["proof"]])


def test_an_entry_of_a_real_log() -> None:
    case = CT["inclusion_real_log"]
    leaf = merkle.leaf_hash(bytes.fromhex(case["raw_leaf_hex"]))
    path = [bytes.fromhex(one) for one in case["audit_path"]]
    root = bytes.fromhex(case["root"])
    assert leaf.hex() == case["leaf_hash"]
    merkle.verify_inclusion(leaf, case["leaf_index"], case["tree_size"], path, root)
    with pytest.raises(VerificationError):
        merkle.verify_inclusion(leaf, case["leaf_index"] + 1, case["tree_size"], path, root)


FORMATS = read("tlog/checkpoint-proof-cosig.formats.json")
ROOT = b64encode(bytes(32)).decode()


@pytest.mark.parametrize("case", FORMATS["checkpoint_unmarshal"], ids=lambda case: case["desc"])
def test_checkpoints_are_read(case: dict[str, Any]) -> None:
    body = case["body"]
    if case["wantErr"]:
        with pytest.raises(VerificationError):
            checkpoint.parse(body)
        return
    with pytest.raises(VerificationError):  # their hashes are not of 32 bytes; what is asked of them is their syntax
        checkpoint.parse(body)
    body = body.replace(case["hash_base64"], ROOT)
    if "lenient" in case:
        with pytest.raises(VerificationError):
            checkpoint.parse(body)
        return
    assert checkpoint.parse(body) == Checkpoint(case["origin"], case["size"], bytes(32), case["rest"])
    assert checkpoint.parse(body).text == body


@pytest.mark.parametrize("case", FORMATS["checkpoint_marshal"])
def test_checkpoints_are_written(case: dict[str, Any]) -> None:
    assert Checkpoint(case["origin"], case["size"], data(case["hash_base64"])).text == case["want"]


@pytest.mark.parametrize("case", FORMATS["tlog_proof"]["marshal"], ids=lambda case: case["name"])
def test_proofs_are_written_and_read(case: dict[str, Any]) -> None:
    extra = None if case["extra"] is None else data(case["extra"])
    made = LogProof(case["index"], tuple(map(data, case["hashes"])), case["checkpoint"], extra)
    assert str(made) == case["want"]
    assert proof.parse(case["want"]) == made


@pytest.mark.parametrize("case", FORMATS["tlog_proof"]["unmarshal_errors"], ids=lambda case: case["name"])
def test_malformed_proofs_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises(VerificationError):
        proof.parse(case["proof"])


@pytest.mark.parametrize("case", FORMATS["vkeys"], ids=lambda case: case["name"])
def test_verifier_keys(case: dict[str, Any]) -> None:
    if case["wantErr"]:
        with pytest.raises(KeyFileError):
            VerifierKey.parse(case["vkey"])
        return
    key = VerifierKey.parse(case["vkey"])
    assert str(key) == case["vkey"]
    if key.kind != ED25519:
        with pytest.raises(VerificationError, match="no Ed25519 key"):
            key.verify(b"", b"")


NOTES = read("tlog/signed-note.golang.json")


@pytest.mark.parametrize("case", NOTES["open"], ids=lambda case: case["name"])
def test_notes_are_opened(case: dict[str, Any]) -> None:
    raw = data(case["msg_base64"])
    if not case["ok"]:
        with pytest.raises(SaysoError):
            note.parse(raw).verify([VerifierKey.parse(one) for one in case["keys"]])
        return
    read = note.parse(raw)
    found = read.verify([VerifierKey.parse(one) for one in case["keys"]])
    assert [key.name for key in found] == case["verified"]
    known = {(key.name, key.key_id) for key in found}
    unknown = dict.fromkeys(one for one in read.signatures if (one.name, one.key_id) not in known)
    assert [one.name for one in unknown] == case["unverified"]
    assert str(read).encode() == raw


def test_notes_are_signed() -> None:
    case = NOTES["sign"]
    signer = Signer.parse(case["private_key"])
    assert str(note.sign(case["text"], signer)) == case["want"]
    assert signer.text == case["private_key"]
    assert case["private_key"] not in repr(signer)


EXAMPLES = read("tlog/examples.c2sp.json")


def test_the_worked_examples_of_c2sp() -> None:
    key = VerifierKey.parse(EXAMPLES["signed_note"]["vkey"])
    assert note.parse(EXAMPLES["signed_note"]["note"]).verify([key]) == (key,)
    blocks = EXAMPLES["code_blocks"]
    for text in (*blocks["signed_note"], *blocks["tlog_cosignature"], *blocks["tlog_checkpoint"]):
        assert str(note.parse(text)) == text
    for text in (*blocks["tlog_cosignature"], *blocks["tlog_checkpoint"]):
        assert checkpoint.unverified(text).size == 20852163
    (shown,) = blocks["tlog_proof"]  # it leaves out most of the signatures, and is cut in its extra data
    whole = "\n".join(line for line in shown.split("\n") if not line.startswith("extra "))
    read = proof.parse(whole)
    assert (read.index, len(read.path)) == (73894, 5)
    with pytest.raises(VerificationError):
        note.parse(read.checkpoint)


def test_the_tiles_of_the_example() -> None:
    found = {
        (level, width == tiles.WIDTH): [
            one for one in tiles.tiles(70000, level) if (one.width == 256) == (width == 256)
        ]
        for level in range(tiles.levels(70000))
        for width in (1, tiles.WIDTH)
    }
    case = EXAMPLES["tile_counts_example"]
    assert len(found[0, True]) == case["full_level0"]
    assert [one.width for one in found[0, False]] == [case["partial_level0"]]
    assert len(found[1, True]) == case["full_level1"]
    assert [one.width for one in found[1, False]] == [case["partial_level1"]]
    assert [one.width for one in found[2, False]] == [case["partial_level2"]]
    assert [one.path for one in tiles.tiles(256, 0)] == ["tile/0/000"]
    assert [one.path for one in tiles.tiles(256, 1)] == ["tile/1/000.p/1"]
    assert tiles.Tile(0, 1234067).path == "tile/0/x001/x234/067"


def test_the_envelope_of_dsse() -> None:
    case = read("dsse/vectors.json")["dsse"]
    body = case["pae"]["body"].encode()
    encoded = dsse.pae(case["pae"]["payload_type"], body)
    assert encoded == case["pae"]["pae"].encode()
    numbers = case["ecdsa_p256_sha256_rfc6979"]
    public = ec.EllipticCurvePublicNumbers(int(numbers["x"]), int(numbers["y"]), ec.SECP256R1()).public_key()
    raw = data(case["envelope"]["signatures"][0]["sig"])
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    public.verify(signature, encoded, ec.ECDSA(SHA256()))
    text = json.dumps(case["envelope"])
    assert dsse.unverified(text, case["pae"]["payload_type"]) == body
    with pytest.raises(VerificationError, match="no known key"):  # ours are of Ed25519 alone
        dsse.verify(text, case["pae"]["payload_type"], [Signer("a", bytes(32)).verifier])
