"""Output appears whole or not at all: a disk that is full, places that cannot be written to, and what the report holds."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sayso.engines.duckdb import DuckDBEngine
from sayso.errors import CanaryError, CorpusError, EngineError
from sayso.gate.verify import verify
from tests.gate.platform import Platform, corpus, denied, permitted, records

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here: it takes root and a mount namespace of one's own")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def wide(rows: int) -> pa.Table:
    """Records of a kilobyte each that do not compress."""
    blocks = [bytes((number * 7919 + place * place) % 251 for place in range(1024)) for number in range(rows)]
    return records(rows).append_column("bytes", pa.array(blocks))


def test_a_full_disk_leaves_nothing(house: Platform, tmp_path: Path, small_disk: Path) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(wide(3000), source, compression="none", use_dictionary=False, row_group_size=100)
    with pytest.raises(EngineError, match="could not"):
        house.gate(source, small_disk / "out")
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_is_full_while_text_is_staged(house: Platform, tmp_path: Path, small_disk: Path) -> None:
    source = tmp_path / "in.csv"
    lines = [f"{n},1,posts,2025-01-15T00:00:00Z,{hash((n, 'x')):x}{hash((n, 'y')):x}\n" for n in range(60_000)]
    source.write_text("id,author,category,collected_at,text\n" + "".join(lines))
    with pytest.raises(EngineError, match="room on the disk"):
        house.gate(source, small_disk / "out")
    assert list(small_disk.iterdir()) == []


def test_places_that_cannot_be_written_to(house: Platform, tmp_path: Path) -> None:
    source = corpus(tmp_path / "in", records(8))
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file" / "out", Path("/proc/none/out"), tmp_path / ("x" * 300)):
        with pytest.raises((CorpusError, OSError)) as caught:
            house.gate(source, place)
        if isinstance(caught.value, OSError):
            assert caught.value.errno == errno.ENAMETOOLONG
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "in"]


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_in_the_place_already_stays(house: Platform, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    match kind:
        case "file":
            out.write_text("kept")
        case "directory":
            (out / "kept").mkdir(parents=True)
        case _:
            (tmp_path / "elsewhere").mkdir()
            out.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CorpusError, match="there already"):
        house.gate(corpus(tmp_path / "in", records(8)), out)
    assert out.exists()
    assert not (tmp_path / "elsewhere/manifest.json").exists()


def test_nothing_is_seen_before_all_of_it_is_there(house: Platform, tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def watch(_stage: str, _done: int, _total: int) -> None:
        seen.append([one.name for one in tmp_path.iterdir() if not one.name.startswith(".")])

    house.gate(corpus(tmp_path / "in", records()), tmp_path / "out", progress=watch)
    assert len(seen) > 4
    assert all(names == ["in"] for names in seen)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in", "out"]
    assert verify(tmp_path / "out", tmp_path / "in") == []


def test_what_a_killed_gate_left_is_removed_by_the_next(house: Platform, tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = tmp_path / f".out.{gone.pid}.partial"
    (left / "permitted").mkdir(parents=True)
    (left / "permitted/r.parquet").write_bytes(b"half")
    other = tmp_path / ".other.1.partial"
    other.mkdir()
    house.gate(corpus(tmp_path / "in", records(8)), tmp_path / "out")
    assert sorted(one.name for one in tmp_path.iterdir()) == [".other.1.partial", "in", "out"]


@pytest.mark.parametrize("resume", [False, True])
def test_what_no_gate_left_is_neither_removed_nor_gone_on_with(house: Platform, tmp_path: Path, resume: bool) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "letters").mkdir(parents=True)
    (tmp_path / ".out.1.partial").symlink_to(theirs)
    (tmp_path / ".out.2.partial").write_text("a file")
    house.gate(corpus(tmp_path / "in", records(8)), tmp_path / "out", resume=resume)
    assert not (tmp_path / "out").is_symlink()
    assert [one.name for one in theirs.iterdir()] == ["letters"]


@needs_root
def test_what_another_user_left_is_not_gone_on_with(house: Platform, tmp_path: Path) -> None:
    theirs = tmp_path / ".out.1.partial"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    house.gate(corpus(tmp_path / "in", records(8)), tmp_path / "out", resume=True)
    assert (tmp_path / "out").stat().st_uid == os.geteuid()
    assert theirs.is_dir()


def test_a_place_that_cannot_be_named_is_told(house: Platform, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="a path in Unicode"):
        house.gate(corpus(tmp_path / "in", records(8)), tmp_path / os.fsdecode(b"out\xff"))
    assert [one.name for one in tmp_path.iterdir()] == ["in"]


def test_an_output_within_its_corpus_is_not_read(house: Platform, tmp_path: Path) -> None:
    source = corpus(tmp_path / "in", records(8))
    done = house.gate(source, source / "out")
    assert done.manifest["counts"]["records"] == 8


def test_the_report_never_holds_content(house: Platform, tmp_path: Path) -> None:
    table = records().set_column(4, "text", pa.array(["SECRET WORDS"] * 40))
    house.gate(corpus(tmp_path / "in", table), tmp_path / "out")
    for path in (tmp_path / "out/denied").iterdir():
        assert b"SECRET" not in path.read_bytes()
        assert pq.read_schema(path).names == [
            "key", "row", "reason", "rule", "territory", "category", "subject", "position",
        ]  # fmt: skip
    manifest = (tmp_path / "out/manifest.json").read_text()
    assert "SECRET" not in manifest
    assert str(tmp_path) not in manifest


def test_every_record_is_in_one_place_and_in_order(house: Platform, tmp_path: Path) -> None:
    table = records(500)
    house.gate(corpus(tmp_path / "in", table, files=7, group=11), tmp_path / "out", threads=3, canaries=11)
    assert sorted(path.name for path in (tmp_path / "out/permitted").iterdir()) == [
        f"part-{n}.parquet" for n in range(7)
    ]
    reasons = denied(tmp_path / "out")
    assert permitted(tmp_path / "out").equals(table.filter(pa.array([n not in reasons for n in range(500)])))
    for number in range(7):
        rows = pq.read_table(tmp_path / f"out/denied/part-{number}.parquet").column("row").to_pylist()
        assert rows == sorted(set(rows))


class Permissive(DuckDBEngine):
    """An engine that answers for each record what it should for the first that is permitted."""

    def verdicts(self, question):  # type: ignore[no-untyped-def]  # as the engine's own
        from sayso.gate.verdicts import Codec

        codec = Codec(question.snapshot)
        batches = list(super().verdicts(question))
        numbers = [number for batch in batches for number in batch.column("number").to_pylist()]
        best = next(number for number in numbers if codec.read(number).outcome.permits)
        for batch in batches:
            place = batch.schema.get_field_index("number")
            yield batch.set_column(place, "number", pa.array([best] * len(batch), pa.uint32()))


@pytest.mark.parametrize("output", ["out", None])
def test_a_canary_that_passes_fails_a_dry_run_too(house: Platform, tmp_path: Path, output: str | None) -> None:
    source = corpus(tmp_path / "in", records())
    with pytest.raises(CanaryError, match="9 of 9"):
        house.gate(source, tmp_path / output if output else None, canaries=9, engine=Permissive())
    assert [one.name for one in tmp_path.iterdir()] == ["in"]


def test_canaries_need_a_record(house: Platform, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="this one is empty"):
        house.gate(corpus(tmp_path / "in", records().slice(0, 0), files=1), tmp_path / "out", canaries=1)
