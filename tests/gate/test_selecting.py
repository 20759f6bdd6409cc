"""Selections: of each file the set of its permitted rows, and nothing else; verified like any output."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from sayso.api import open_release
from sayso.errors import CorpusError, VerificationError
from sayso.gate import selection
from sayso.gate.verify import verify
from sayso.ledger import events as e
from tests.gate.platform import Platform, corpus, denied, permitted, platform, records


@pytest.fixture(scope="module")
def made(house: Platform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, a copy, a selection and one with a report, of one instant."""
    folder = tmp_path_factory.mktemp("selected")
    source, at = corpus(folder / "in", records(60), files=3), house.now()
    plain: dict[str, Any] = {"emit": "selection"}
    for name, more in (("copy", {}), ("plain", plain), ("told", plain | {"report": True})):
        house.gate(source, folder / name, at=at, canaries=4, **more)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    for name in ("in", "plain", "told"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def manifest(output: Path) -> dict[str, Any]:
    return json.loads((output / "manifest.json").read_text())


def selected(output: Path, source: Path) -> pa.Table:
    """The records whose rows are selected, by another reader of the form than ours."""
    found = []
    for one in manifest(output)["outputs"]:
        if one["kind"] == "selection":
            rows = list(BitMap.deserialize((output / one["path"]).read_bytes()))
            found.append(pq.read_table(source / one["input"]).take(pa.array(rows, pa.int64())))
    return pa.concat_tables(found)


@pytest.mark.parametrize("name", ["plain", "told"])
def test_a_selection_is_what_a_copy_holds(made: Path, name: str) -> None:
    said, copied = manifest(made / name), manifest(made / "copy")
    assert selected(made / name, made / "in").equals(permitted(made / "copy"))
    assert said["counts"] == copied["counts"]
    assert said["inputs"] == copied["inputs"]
    assert (said["emit"], copied["emit"], said["kind"]) == ("selection", "copy", "release")
    kinds = [one["kind"] for one in said["outputs"]]
    assert kinds == (["selection"] * 3 if name == "plain" else ["selection", "denied"] * 3)
    assert all(one["of"] == entry["sha256"] for entry in said["inputs"] for one in said["outputs"]
               if one["kind"] == "selection" and one["input"] == entry["name"])  # fmt: skip
    assert verify(made / name, made / "in") == verify(made / name) == []


def test_a_report_beside_a_selection_is_that_beside_a_copy(made: Path) -> None:
    assert denied(made / "told") == denied(made / "copy")
    for one in ("part-0.parquet", "part-2.parquet"):
        assert (made / "told/denied" / one).read_bytes() == (made / "copy/denied" / one).read_bytes()


def test_no_record_is_written(made: Path) -> None:
    files = sorted(path.relative_to(made / "plain").as_posix() for path in (made / "plain").rglob("*.*"))
    assert files == ["manifest.dsse.json", "manifest.json", *(f"selected/part-{n}.parquet.roaring" for n in range(3))]


def test_a_selection_is_no_copy_to_be_opened_as_one(made: Path) -> None:
    with pytest.raises(VerificationError, match="open_selection"):
        open_release(made / "plain", at="2025-02-01T01:00:00Z")


def test_what_is_recorded_meanwhile_is_in_no_selection(tmp_path: Path) -> None:
    with platform(tmp_path) as house:
        size = house.journal.head().size

        def object_meanwhile(stage: str, done: int, _total: int) -> None:
            if stage == "writing" and done and house.journal.head().size == size:
                house.journal.append(e.ChoiceRecorded(subject=5, decision="objection", source="setting"))

        source = corpus(tmp_path / "in", records(60))
        house.gate(source, tmp_path / "out", emit="selection", progress=object_meanwhile)
    assert len(manifest(tmp_path / "out")["looks"]) == 2
    assert 5 not in selected(tmp_path / "out", source).column("author").to_pylist()
    assert verify(tmp_path / "out", source) == []


def test_only_parquet_has_rows_to_select(house: Platform, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,author,category,collected_at\n1,1,posts,2025-01-15T00:00:00Z\n")
    with pytest.raises(CorpusError, match="expected Parquet to select from, got csv"):
        house.gate(tmp_path / "in.csv", tmp_path / "out", emit="selection")
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_an_empty_corpus_has_an_empty_selection(house: Platform, tmp_path: Path) -> None:
    source = corpus(tmp_path / "in", records().slice(0, 0), files=1)
    house.gate(source, tmp_path / "out", emit="selection")
    assert selected(tmp_path / "out", source).num_rows == 0
    assert verify(tmp_path / "out", source) == []


# ── what verifying tells ─────────────────────────────────────────────────────────────────────────────────────────────


def spoil(output: Path, change: Callable[[dict[str, Any]], None]) -> None:
    said = manifest(output)
    change(said)
    (output / "manifest.json").write_text(json.dumps(said))


def differences(output: Path, source: Path | None = None) -> list[tuple[str, str]]:
    """Where there are some and what was found, beside the statement's."""
    return [(one.where, one.found) for one in verify(output, source) if "signed" not in one.said]


def test_another_set_of_rows(place: Path) -> None:
    path = place / "plain/selected/part-0.parquet.roaring"
    path.write_bytes(BitMap(range(20)).serialize())
    assert [where for where, _ in differences(place / "plain")] == ["selected/part-0.parquet.roaring"] * 2
    spoil(place / "plain", lambda said: said["outputs"][0].update(sha256=digest(path), records=20))
    assert {where for where, _ in differences(place / "plain")} == {"counts"}


@pytest.mark.parametrize("data", [b"", b"x", BitMap([20]).serialize(), BitMap([1]).serialize() + b"x"])
def test_what_is_no_set_of_the_files_rows(place: Path, data: bytes) -> None:
    path = place / "plain/selected/part-0.parquet.roaring"
    path.write_bytes(data)
    spoil(place / "plain", lambda said: said["outputs"][0].update(sha256=digest(path)))
    ((where, found),) = differences(place / "plain")
    assert where == "selected/part-0.parquet.roaring"
    assert "expected" in found


def test_selections_that_changed_places(place: Path) -> None:
    def swap(said: dict[str, Any]) -> None:
        one, other = said["outputs"][:2]
        one["input"], other["input"] = other["input"], one["input"]

    spoil(place / "plain", swap)
    assert [found for _, found in differences(place / "plain")] == ["no such input, or more than one"] * 2


def test_a_selection_that_is_gone(place: Path) -> None:
    (place / "plain/selected/part-1.parquet.roaring").unlink()
    assert differences(place / "plain") == [("selected/part-1.parquet.roaring", "none")]
    spoil(place / "plain", lambda said: said["outputs"].pop(1))
    assert {where for where, _ in differences(place / "plain")} == {"counts", "input part-1.parquet"}


def test_an_input_that_is_another(place: Path) -> None:
    table = pq.read_table(place / "in/part-0.parquet")
    pq.write_table(table.slice(1), place / "in/part-0.parquet")
    found = differences(place / "plain", place / "in")
    assert [where for where, _ in found] == ["input part-0.parquet"] * 2
    assert found[1][1] == "19 records"


def test_a_report_that_is_gone_from_the_manifest_too(place: Path) -> None:
    """One report fewer than selections: what was reported cannot be told from what was not."""
    (place / "told/denied/part-0.parquet").unlink()
    spoil(place / "told", lambda said: said["outputs"].pop(1))
    assert {where for where, _ in differences(place / "told")} == {"counts", "denied", "input part-0.parquet"}


def digest(path: Path) -> str:
    from sayso.canonical import digest_file

    return digest_file(path)


# ── the form ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(
    rows=st.sets(st.integers(0, 300_000), max_size=200),
    run=st.integers(0, 200_000),
    cuts=st.lists(st.integers(0, 300_001)),
)
def test_rows_come_back_as_they_were(rows: set[int], run: int, cuts: list[int]) -> None:
    mask = np.zeros(300_001, np.bool_)
    mask[list(rows)] = True
    mask[:run] = True
    edges = [0, *sorted(cuts), len(mask)]
    data, count = selection.encode(mask[a:b] for a, b in itertools.pairwise(edges))
    found = selection.decode(data, len(mask))
    assert count == len(found) == mask.sum()
    for start, stop in itertools.pairwise(edges):
        assert (selection.mask_of(found, start, stop) == mask[start:stop]).all()
        assert (selection.within(found, start, stop) == np.flatnonzero(mask[start:stop])).all()


@given(data=st.binary(max_size=200), at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_what_is_no_bitmap_is_an_error(data: bytes, at: int, bit: int) -> None:
    good = bytearray(BitMap([*range(0, 4000, 3), 70_000]).serialize())
    good[at % len(good)] ^= 1 << bit
    for one in (data, bytes(good)):
        try:
            found = selection.decode(one, 100_000)
        except VerificationError:
            continue
        assert found.serialize() == one
        assert sorted(set(found)) == list(found)


def test_a_file_of_more_rows_than_can_be_numbered() -> None:
    selection.check_size(1 << 32, Path("a.parquet"))
    with pytest.raises(CorpusError, match="at most 4,294,967,296 records"):
        selection.check_size((1 << 32) + 1, Path("a.parquet"))
