"""Verifying an output: it says exactly what differs, and falls over nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sayso.api import open_release
from sayso.errors import VerificationError
from sayso.gate import attestation
from sayso.gate.verify import verify
from tests.gate.platform import Platform, corpus, records
from tests.ledgers import SIGNER


@pytest.fixture(scope="module")
def made(house: Platform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verified")
    house.gate(corpus(folder / "in", records()), folder / "out", canaries=4)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """An output and its inputs, to be spoiled."""
    for name in ("in", "out"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def differences(place: Path) -> list[tuple[str, str, str]]:
    """Those beside the statement's, of which another test asks."""
    found = [(one.where, one.said, one.found) for one in verify(place / "out", place / "in")]
    return [one for one in found if "signed" not in one[1]]


def spoil(place: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Writes another manifest."""
    path = place / "out/manifest.json"
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))


def test_what_was_written_is_what_its_manifest_says(place: Path) -> None:
    assert differences(place) == []
    assert verify(place / "out") == []


@pytest.mark.parametrize("name", ["out/permitted/part-0.parquet", "out/denied/part-1.parquet", "in/part-0.parquet"])
def test_a_byte_that_differs(place: Path, name: str) -> None:
    content = bytearray((place / name).read_bytes())
    content[10] ^= 1
    (place / name).write_bytes(content)
    (found,) = differences(place)
    assert found[0] == (name.replace("in/", "input ") if name.startswith("in") else name.removeprefix("out/"))
    assert found[1].startswith("sha256:")
    assert found[2].startswith("sha256:")
    assert found[1] != found[2]


@pytest.mark.parametrize("name", ["out/permitted/part-0.parquet", "in/part-1.parquet"])
def test_a_file_that_is_gone(place: Path, name: str) -> None:
    (place / name).unlink()
    where = name.replace("in/", "input ") if name.startswith("in") else name.removeprefix("out/")
    assert differences(place) == [(where, "a file", "none")]


def test_a_denied_file_that_is_gone(place: Path) -> None:
    (place / "out/denied/part-0.parquet").unlink()
    found = differences(place)
    assert ("denied/part-0.parquet", "a file", "none") in found
    assert any(where == "denied" and "in the report" in told for where, _, told in found)


def test_files_that_nobody_wrote(place: Path) -> None:
    shutil.copy(place / "in/part-0.parquet", place / "out/permitted/more.parquet")
    (place / "out/permitted/.hidden").write_text("x")
    (place / "out/link").symlink_to(place / "nowhere")
    assert differences(place) == [
        (name, "nothing", "a file") for name in ("link", "permitted/.hidden", "permitted/more.parquet")
    ]


def test_files_that_changed_places(place: Path) -> None:
    one, other = (place / "out/permitted" / f"part-{number}.parquet" for number in (0, 1))
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    assert {where for where, _, _ in differences(place)} == {"permitted/part-0.parquet", "permitted/part-1.parquet"}


def test_a_denied_record_that_was_let_through(place: Path) -> None:
    """A whole input in the place of what was permitted of it, its digest and number put into the manifest."""
    shutil.copy(place / "in/part-0.parquet", place / "out/permitted/part-0.parquet")

    def adapted(said: dict[str, Any]) -> None:
        entry = said["outputs"][0]
        entry["records"] = pq.read_metadata(place / "in/part-0.parquet").num_rows
        entry["sha256"] = said["inputs"][0]["sha256"]

    spoil(place, adapted)
    assert {where for where, _, _ in differences(place)} == {"counts", "input part-0.parquet"}


@pytest.mark.parametrize("name", ["records", "permitted", "denied"])
def test_a_total_that_was_changed(place: Path, name: str) -> None:
    spoil(place, lambda said: said["counts"].update({name: said["counts"][name] + 1}))
    found = differences(place)
    assert found
    assert {where for where, _, _ in found} == {"counts"}


@pytest.mark.parametrize(
    "change",
    [
        lambda counts: counts["by_reason"].update(refused=counts["by_reason"]["refused"] + 1),
        lambda counts: counts["by_ground"].update(granted=1),
        lambda counts: counts["by_ground"].update({"granted": counts["by_ground"].pop("not-objected")}),
        lambda counts: counts["by_category"][0].update(category="other"),
        lambda counts: counts["by_territory"].append({"territory": "DE", "permitted": 0, "denied": 0}),
        lambda counts: counts["cells"].pop(),
        lambda counts: counts["cells"][0].update(category="other"),
    ],
)
def test_a_count_that_was_changed(place: Path, change: Callable[[dict[str, Any]], None]) -> None:
    spoil(place, lambda said: change(said["counts"]))
    assert "counts" in {where for where, _, _ in differences(place)}


def test_reasons_that_were_changed_throughout(place: Path) -> None:
    """Counts that agree with each other, and not with the report."""

    def change(said: dict[str, Any]) -> None:
        counts = said["counts"]
        counts["by_reason"] = {"disputed": counts["denied"]}
        merged: dict[Any, int] = {}
        for cell in counts["cells"]:
            outcome = cell["outcome"] if cell["outcome"] in counts["by_ground"] else "disputed"
            key = (outcome, cell["category"], cell["territory"])
            merged[key] = merged.get(key, 0) + cell["records"]
        counts["cells"] = [
            {"outcome": o, "category": c, "territory": t, "records": n} for (o, c, t), n in merged.items()
        ]

    spoil(place, change)
    assert {where for where, _, _ in differences(place)} >= {"denied"}


@pytest.mark.parametrize("path", ["../in/part-0.parquet", "/etc/passwd", "permitted/../../in/part-0.parquet"])
def test_a_path_outside_the_output(place: Path, path: str) -> None:
    spoil(place, lambda said: said["outputs"][0].update(path=path))
    assert (path, "a file of the output", "a path outside it") in differences(place)


def test_an_input_outside_the_corpus(place: Path) -> None:
    spoil(place, lambda said: said["inputs"][0].update(name="../out/manifest.json"))
    assert ("input ../out/manifest.json", "a file of the corpus", "a path outside it") in differences(place)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"form": "sayso/manifest/2"}', b'{"form": 1}', b"[" * 100_000,
     b'{"form": "sayso/manifest/1"}', b'{"form": "sayso/manifest/1", "outputs": 1, "inputs": [], "counts": {}}',
     b'{"form": "sayso/manifest/1", "outputs": [{"path": "a\\u0000b"}], "inputs": [], "counts": {}}'],
)  # fmt: skip
def test_a_manifest_that_cannot_be_read(place: Path, content: bytes) -> None:
    (place / "out/manifest.json").write_bytes(content)
    with pytest.raises(VerificationError):
        verify(place / "out")
    with pytest.raises(VerificationError):
        open_release(place / "out")


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="expected a manifest"):
        verify(tmp_path)
    with pytest.raises(VerificationError, match="expected a manifest"):
        verify(tmp_path / "none")


@pytest.mark.parametrize("key", ["looks", "outputs", "inputs", "counts"])
def test_a_manifest_that_lacks_something(place: Path, key: str) -> None:
    spoil(place, lambda said: said.pop(key))
    with pytest.raises(VerificationError, match="lacks"):
        verify(place / "out")


@pytest.mark.parametrize("until", [None, 7])
def test_a_release_that_does_not_say_how_long_it_is_valid(place: Path, until: object) -> None:
    spoil(place, lambda said: said.update(valid_until=until))
    said = json.loads((place / "out/manifest.json").read_text())
    data = (place / "out/manifest.json").read_bytes()
    stated = attestation.read((place / "out" / attestation.FILE).read_bytes(), ())
    signed = attestation.attest(said, "manifest.json", data, stated.checkpoint, SIGNER)
    (place / "out" / attestation.FILE).write_bytes(signed)
    with pytest.raises(VerificationError, match="until when"):
        open_release(place / "out")


def test_every_file_of_a_release_is_opened(house: Platform, tmp_path: Path) -> None:
    """One that a dataset of the directory would pass over, too."""
    (tmp_path / "in").mkdir()
    for name in ("_a.parquet", ".b.parquet", "c.parquet"):
        pq.write_table(records(8), tmp_path / "in" / name)
    for name in ("_a.parquet", ".b.parquet", "c.parquet"):
        house.gate(tmp_path / "in" / name, tmp_path / f"out{name}")
        found = open_release(tmp_path / f"out{name}", at="2025-02-01T01:00:00Z")
        assert found.count_rows() == 5
