"""Signed manifests: others verify them, whatever is altered is told, and verdicts are replayed from ledger and corpus."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

import sayso
from sayso import Columns, Ledger, SubjectColumn
from sayso.canonical import digest_file
from sayso.errors import KeyFileError, UsageError, VerificationError
from sayso.gate import attestation
from sayso.gate.attestation import FILE
from sayso.ledger import dsse
from sayso.ledger.log.note import Signer

COLUMNS = Columns((SubjectColumn("author"),), category="kind", collected_at="written_at", key="id")
USE: dict[str, Any] = {"purpose": "generative-ai", "recipient": "platform"}


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    root = Path(__file__).parents[2] / "examples/tour"
    shutil.copytree(root, tmp_path / "tour")
    with sayso.init_ledger(tmp_path / "tour.ledger", origin="example.com/tour") as made:
        made.publish(root / "policy.yaml")
        made.import_map(root / "tables.yaml")
        made.import_events(root / "events.ndjson")
        yield made


@pytest.fixture
def place(ledger: Ledger, tmp_path: Path) -> Path:
    """A directory with a corpus `in`, and what was gated of it, `out`."""
    rows = [json.loads(line) for line in (tmp_path / "tour/posts.ndjson").read_text("utf-8").splitlines()]
    table = pa.Table.from_pylist(rows)
    (tmp_path / "in").mkdir()
    pq.write_table(table.slice(0, 6), tmp_path / "in/a.parquet")
    pq.write_table(table.slice(6), tmp_path / "in/b.parquet")
    ledger.gate(tmp_path / "in", columns=COLUMNS, into=tmp_path / "out", **USE)
    return tmp_path


def keys(ledger: Ledger) -> list[str]:
    return [str(key) for key in ledger.log.keys]


def told(ledger: Ledger, place: Path, *, replayed: bool = False) -> set[str]:
    by = ledger if replayed else None
    return {one.where for one in sayso.verify(place / "out", place / "in", keys=keys(ledger), ledger=by)}


def test_it_is_verified_by_the_key_alone(ledger: Ledger, place: Path) -> None:
    assert told(ledger, place) == set()
    ledger.close()
    shutil.rmtree(place / "tour.ledger.keys")
    (place / "tour.ledger").unlink()
    assert told(ledger, place) == set()


def test_independent_libraries_verify_it(ledger: Ledger, place: Path) -> None:
    envelope = json.loads((place / "out" / FILE).read_bytes())
    (key,) = ledger.log.keys
    held = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": key.public.hex()}}
    read = Envelope.from_dict(envelope)
    assert read.verify([SSlibKey.from_dict(dsse.key_id(key), held)], 1)
    assert read.payload_type == "application/vnd.in-toto+json"
    message = json_format.Parse(read.payload, statement_pb2.Statement())
    statement = Statement.copy_from_pb(message)
    statement.validate()
    said = {one.name: dict(one.digest)["sha256"] for one in message.subject}
    files = [path for path in (place / "out").rglob("*") if path.is_file() and path.name != FILE]
    assert said == {
        path.relative_to(place / "out").as_posix(): digest_file(path).removeprefix("sha256:") for path in files
    }


def test_another_key_vouches_for_nothing(ledger: Ledger, place: Path) -> None:
    stranger = Signer("example.com/tour", b"\x03" * 32)
    found = sayso.verify(place / "out", keys=[stranger.verifier])
    assert [one.where for one in found] == [FILE]
    said = json.loads((place / "out/manifest.json").read_bytes())
    data = (place / "out/manifest.json").read_bytes()
    forged = attestation.attest(said, "manifest.json", data, ledger.log.checkpoint, stranger)
    (place / "out" / FILE).write_bytes(forged)
    assert told(ledger, place) == {FILE}
    with pytest.raises(KeyFileError):
        sayso.verify(place / "out", keys=["no key"])


def test_a_manifest_altered_with_its_files(ledger: Ledger, place: Path) -> None:
    """One permitted file replaced, and the manifest made to fit: only the signature is not."""
    path = place / "out/manifest.json"
    said = json.loads(path.read_bytes())
    entry = next(one for one in said["outputs"] if one["kind"] == "permitted")
    table = pq.read_table(place / "out" / entry["path"])
    pq.write_table(table.replace_schema_metadata({"x": "y"}), place / "out" / entry["path"])
    entry["sha256"] = digest_file(place / "out" / entry["path"])
    path.write_text(json.dumps(said))
    assert told(ledger, place) == {"manifest.json", entry["path"]}


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
def test_a_statement_that_is_none(ledger: Ledger, place: Path, content: bytes) -> None:
    (place / "out" / FILE).write_bytes(content)
    assert told(ledger, place) == {FILE}
    (place / "out" / FILE).unlink()
    assert told(ledger, place) == {FILE}


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(_type="else"), lambda said: said.update(predicateType="else"),
        lambda said: said["subject"].append(said["subject"][0]), lambda said: said.pop("predicate"),
        lambda said: said.update(subject=5), lambda said: said["predicate"].pop("checkpoint"),
    ],
)  # fmt: skip
def test_a_statement_of_something_else(ledger: Ledger, place: Path, change: Any) -> None:
    signer = ledger.parts.journal.keys.signing()
    said = json.loads(dsse.unverified((place / "out" / FILE).read_bytes(), attestation.PAYLOAD))
    change(said)
    (place / "out" / FILE).write_bytes(dsse.sign(attestation.PAYLOAD, json.dumps(said).encode(), signer))
    assert told(ledger, place) == {FILE}


def test_a_checkpoint_of_a_smaller_ledger(ledger: Ledger, place: Path) -> None:
    path = place / "out/manifest.json"
    said = json.loads(path.read_bytes())
    said["looks"][0]["position"] += 100
    path.write_text(json.dumps(said))
    signer = ledger.parts.journal.keys.signing()
    signed = attestation.attest(said, "manifest.json", path.read_bytes(), ledger.log.checkpoint, signer)
    (place / "out" / FILE).write_bytes(signed)
    assert told(ledger, place) == {"checkpoint"}
    assert told(ledger, place, replayed=True) == {"checkpoint"}


def test_verdicts_are_replayed(ledger: Ledger, place: Path) -> None:
    assert told(ledger, place, replayed=True) == set()
    ledger.choose("objection", subject=1, source="later")
    assert told(ledger, place, replayed=True) == set(), "it is replayed as of then"
    ledger.erase(2)
    assert told(ledger, place, replayed=True) == set(), "who was erased since is no difference"
    with pytest.raises(UsageError, match="inputs too"):
        sayso.verify(place / "out", ledger=ledger)


def test_a_verdict_that_the_reference_does_not_give(ledger: Ledger, place: Path) -> None:
    """An output that its platform made by hand and signed: every denial of one file let through."""
    path = place / "out/manifest.json"
    said = json.loads(path.read_bytes())
    shutil.copy(place / "in/a.parquet", place / "out/permitted/a.parquet")
    empty = pq.read_table(place / "out/denied/a.parquet").slice(0, 0)
    pq.write_table(empty, place / "out/denied/a.parquet")
    for entry in said["outputs"]:
        if entry["input"] == "a.parquet":
            entry["sha256"] = digest_file(place / "out" / entry["path"])
            entry["records"] = pq.read_metadata(place / "out" / entry["path"]).num_rows
    data = json.dumps(said).encode()
    path.write_bytes(data)
    signer = ledger.parts.journal.keys.signing()
    (place / "out" / FILE).write_bytes(attestation.attest(said, "manifest.json", data, ledger.log.checkpoint, signer))
    from sayso import wiring
    from sayso.gate.replaying import replay

    found = replay(
        place / "out", place / "in", ledger.parts.reader, wiring.engine(), lambda total, _: range(total), 100, place
    )
    assert found
    assert {one.said for one in found} == {"permitted"}
    assert all(one.where.startswith("input a.parquet, row ") for one in found)


def test_another_ledger_is_not_the_one(ledger: Ledger, place: Path) -> None:
    with sayso.init_ledger(place / "another.ledger", origin="example.com/tour") as another:
        another.publish(place / "tour/policy.yaml")
        found = sayso.verify(place / "out", place / "in", keys=keys(ledger), ledger=another)
        assert [one.where for one in found] == ["checkpoint"]


def test_without_a_key_nothing_is_written(ledger: Ledger, place: Path) -> None:
    ledger.close()
    (place / "tour.ledger.keys/signing.key").unlink()
    with sayso.open_ledger(place / "tour.ledger") as found:
        with pytest.raises(KeyFileError, match="signing key is missing"):
            found.gate(place / "in", columns=COLUMNS, into=place / "again", **USE)
        assert not (place / "again").exists()
        assert found.gate(place / "in", columns=COLUMNS, dry_run=True, **USE).manifest["counts"]["records"] == 11


def test_a_manifest_in_another_form_is_not_replayed(ledger: Ledger, place: Path) -> None:
    from sayso import wiring
    from sayso.gate.replaying import replay

    path = place / "out/manifest.json"
    said = json.loads(path.read_bytes())
    del said["columns"]
    path.write_text(json.dumps(said))
    with pytest.raises(VerificationError, match="another form"):
        replay(place / "out", place / "in", ledger.parts.reader, wiring.engine(), lambda n, k: range(k), 5, place)


@pytest.mark.parametrize(("key", "value"), [("columns", ["x"]), ("columns", {"subjects": "x"}), ("looks", [[]])])
def test_what_a_platform_signed_of_another_form_is_no_replay(
    ledger: Ledger, place: Path, key: str, value: object
) -> None:
    path = place / "out/manifest.json"
    said = json.loads(path.read_bytes()) | {key: value}
    path.write_text(json.dumps(said))
    signer = ledger.parts.journal.keys.signing()
    (place / "out" / FILE).write_bytes(
        attestation.attest(said, "manifest.json", path.read_bytes(), ledger.log.checkpoint, signer)
    )
    with pytest.raises(VerificationError, match="another form"):
        sayso.verify(place / "out", place / "in", keys=keys(ledger), ledger=ledger)


def test_a_file_with_a_name_that_no_file_can_have(ledger: Ledger, place: Path) -> None:
    path = place / "out/manifest.json"
    said = json.loads(path.read_bytes())
    said["outputs"][0]["path"] = "x" * 10_000
    path.write_text(json.dumps(said))
    with pytest.raises(VerificationError, match="another form"):
        sayso.verify(place / "out")
