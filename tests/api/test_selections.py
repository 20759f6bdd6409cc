"""Reading through a selection: the permitted records and no others, by every reader, or an error."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso import instant
from sayso.api import Ledger, Selection, open_selection, verify
from sayso.api.releases import open_release
from sayso.errors import KeyFileError, StaleError, UsageError, VerificationError
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.selection import decode, encode, mask_of
from tests.gate.platform import Platform, corpus, platform, records
from tests.searching import searched

USE: dict[str, Any] = {"purpose": "genai", "recipient": "platform"}
COUNT = 400


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture(scope="module")
def made(house: Platform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus in four files of several row groups, a copy and a selection of it."""
    folder = tmp_path_factory.mktemp("read")
    source, at = corpus(folder / "in", records(COUNT), files=4, group=30), house.now()
    for emit in ("copy", "selection"):
        house.gate(source, folder / emit, at=at, emit=emit)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    for name in ("in", "selection"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


class Clock:
    """A clock that is set, and may be pickled."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def clock(folder: Path) -> Clock:
    """A clock at the instant of the use."""
    return Clock(instant.parse(said(folder)["use"]["at"]))


def said(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "selection/manifest.json").read_text())


def opened(folder: Path, **more: Any) -> Selection:
    asked: dict[str, Any] = {"corpus": folder / "in", "now": clock(folder), **USE}
    return open_selection(folder / "selection", **asked | more)


def expected(folder: Path) -> pa.Table:
    """What the copy holds."""
    at = said(folder)["use"]["at"]
    return open_release(folder / "copy", at=at).to_table()


# ── every reader gives what the copy holds ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("check", ["open", "touch"])
@pytest.mark.parametrize("rows", [1, 7, 30, 10_000])
def test_batches(made: Path, check: str, rows: int) -> None:
    selection = opened(made, check=check)
    found = list(selection.batches(rows=rows))
    assert pa.Table.from_batches(found).equals(expected(made))
    assert max(batch.num_rows for batch in found) <= rows
    assert len(selection) == expected(made).num_rows == said(made)["counts"]["permitted"]
    assert selection.reader().read_all().equals(expected(made))
    assert pa.table(selection).equals(expected(made))


def test_some_columns_in_any_order(made: Path) -> None:
    some = opened(made).select(["text", "id"])
    assert some.reader().read_all().equals(expected(made).select(["text", "id"]))
    with pytest.raises(UsageError, match="no column `words`; it has `text`, `id`"):
        some.select(["words"])


def test_files_by_name(made: Path, tmp_path: Path) -> None:
    where = {f"part-{n}.parquet": made / "in" / f"part-{n}.parquet" for n in range(4)}
    assert opened(made, corpus=where).reader().read_all().equals(expected(made))
    where.pop("part-2.parquet")
    with pytest.raises(VerificationError, match=r"no file of the corpus is named for `part-2\.parquet`"):
        opened(made, corpus=where)


def test_duckdb(made: Path) -> None:
    with duckdb.connect() as connection:
        selection = opened(made)
        relation = selection.duckdb(connection)
        found = relation.select("id", "text", "tags").order("id").fetchall()
        assert found == [(row["id"], row["text"], row["tags"]) for row in expected(made).to_pylist()]
        assert relation.aggregate("count(*)").fetchall() == [(len(selection),)]
        connection.register("records", selection)
        pairs = connection.sql("SELECT author, count(*) FROM records a JOIN records b USING (id, author) GROUP BY 1")
        counts = expected(made).group_by("author").aggregate([([], "count_all")]).to_pylist()
        assert dict(pairs.fetchall()) == {row["author"]: row["count_all"] for row in counts}


def test_polars(made: Path) -> None:
    lazy, plain = opened(made).polars(), pl.DataFrame(pl.from_arrow(expected(made)))
    assert lazy.collect().equals(plain)
    some = lazy.filter(pl.col("author") == 5).select("text", "id").collect()
    assert some.equals(plain.filter(pl.col("author") == 5).select("text", "id"))
    assert lazy.head(17).collect().equals(plain.head(17))
    assert lazy.head(0).collect().equals(plain.head(0))
    assert lazy.filter(pl.col("author") == 5).head(3).collect().equals(plain.filter(pl.col("author") == 5).head(3))
    assert lazy.select(pl.len()).collect().item() == plain.height
    assert lazy.group_by("category").len().collect(engine="streaming").item(0, 1) == plain.height


def test_datasets(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets.distributed import split_dataset_by_node

    whole = opened(made).datasets()
    rows = expected(made).to_pylist()
    assert list(whole) == rows
    assert whole.num_shards == len(opened(made)._corpus.units)
    parts = [list(split_dataset_by_node(whole, rank=rank, world_size=3)) for rank in range(3)]
    assert sorted(row["id"] for part in parts for row in part) == [row["id"] for row in rows]
    assert all(parts)
    assert [row["text"] for row in whole.select_columns(["text"])] == [row["text"] for row in rows]


# ── shards and shuffling ─────────────────────────────────────────────────────────────────────────────────────────────


@searched(30)
@given(shards=st.integers(1, 60), seed=st.none() | st.integers(0, 2**40), epoch=st.integers(0, 3))
def test_each_record_is_in_one_shard(made: Path, shards: int, seed: int | None, epoch: int) -> None:
    selection = opened(made)
    parts = [
        [one for batch in selection.batches(shard=n, shards=shards, seed=seed, epoch=epoch)
         for one in batch.column("id").to_pylist()]
        for n in range(shards)
    ]  # fmt: skip
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    together = [one for part in parts for one in part]
    whole = [one for batch in selection.batches(seed=seed, epoch=epoch) for one in batch.column("id").to_pylist()]
    assert together == whole
    assert sorted(whole) == expected(made).column("id").to_pylist()


def test_an_order_is_that_of_its_seed_and_epoch(made: Path) -> None:
    def order(**more: Any) -> list[int]:
        return [one for batch in opened(made).batches(**more) for one in batch.column("id").to_pylist()]

    assert order(seed=1)[:3] == [246, 242, 255]
    orders = [order(), order(seed=1), order(seed=2), order(seed=1, epoch=1)]
    assert order(seed=1) == orders[1]
    assert len({tuple(one) for one in orders}) == 4
    assert len({tuple(sorted(one)) for one in orders}) == 1


def test_shards_that_cannot_be(made: Path) -> None:
    selection = opened(made)
    impossible: list[dict[str, Any]] = [
        {"shard": 2, "shards": 2}, {"shard": -1}, {"rows": 0}, {"seed": -1}, {"seed": 1, "epoch": -1}
    ]  # fmt: skip
    for more in impossible:
        with pytest.raises(UsageError, match="expected"):
            next(selection.batches(**more))
    for option in ({"check": "never"}, {"threads": 0}):
        with pytest.raises(UsageError, match="expected"):
            opened(made, **option)


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("use", [{"purpose": "ranking"}, {"recipient": "affiliate"}, {"purpose": "training"}])
def test_another_use(made: Path, use: dict[str, Any]) -> None:
    with pytest.raises(VerificationError, match="is for `genai` by `platform`, not for"):
        opened(made, **use)


def other(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(1), path)


def one_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


SPOILT: list[Callable[[Path], object]] = [
    Path.unlink, other, one_bit, lambda path: path.write_bytes(path.read_bytes()[:-1]), lambda path: path.write_bytes(b""),
    lambda path: shutil.copy(path.with_name("part-3.parquet"), path),
]  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize("check", ["open", "touch"])
def test_a_file_that_is_missing_or_another(place: Path, spoil: Callable[[Path], object], check: str) -> None:
    spoil(place / "in/part-1.parquet")
    with pytest.raises(VerificationError, match=r"part-1\.parquet"):
        list(opened(place, check=check).batches())


@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize("check", ["open", "touch"])
def test_a_file_that_changes_while_it_is_read(place: Path, spoil: Callable[[Path], object], check: str) -> None:
    """Neither what comes before nor what comes after is passed off as all there is."""
    batches = opened(place, check=check, threads=1).batches()
    next(batches)
    spoil(place / "in/part-2.parquet")
    with pytest.raises(VerificationError, match=r"part-2\.parquet"):
        list(batches)


def test_a_file_put_back_with_its_old_times_is_still_told(place: Path) -> None:
    selection, path = opened(place), place / "in/part-0.parquet"
    before = path.stat()
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    if path.stat().st_ino != before.st_ino:
        with pytest.raises(VerificationError, match="written again or removed"):
            list(selection.batches())


def test_a_stale_selection(made: Path) -> None:
    late = Clock(instant.parse(said(made)["valid_until"]))
    with pytest.raises(StaleError, match="was valid until"):
        opened(made, now=late)
    early = Clock(late.now - 1)
    selection = opened(made, now=early, threads=1)
    batches = selection.batches()
    next(batches)
    early.now += 1
    with pytest.raises(StaleError, match="was valid until"):
        list(batches)
    with pytest.raises(StaleError):
        next(selection.batches())
    with pytest.raises(StaleError):
        next(pickle.loads(pickle.dumps(selection)).batches())


def test_a_replay_is_not_read_through(house: Platform, place: Path) -> None:
    house.gate(place / "in", place / "replay", emit="selection", release=False)
    shutil.rmtree(place / "selection")
    (place / "replay").rename(place / "selection")
    with pytest.raises(VerificationError, match="a replay"):
        opened(place)


def test_a_copy_is_no_selection(made: Path) -> None:
    with pytest.raises(VerificationError, match="holds no selection; open it with `open_release`"):
        open_selection(made / "copy", corpus=made / "in", now=clock(made), **USE)


def test_a_signer_that_is_not_known(made: Path, house: Platform) -> None:
    ours = str(house.journal.keys.signing().verifier)
    theirs = ours.replace(ours[-2], "A" if ours[-2] != "A" else "B")
    assert len(opened(made, keys=[ours])) > 0
    with pytest.raises((VerificationError, KeyFileError)):
        opened(made, keys=[theirs])


def test_a_set_of_rows_that_was_changed(place: Path) -> None:
    """Before it is opened, and after."""
    selection = opened(place)
    path = place / "selection/selected/part-1.parquet.roaring"
    shutil.copy(place / "selection/selected/part-0.parquet.roaring", path)
    with pytest.raises(VerificationError, match=r"part-1\.parquet"):
        list(selection.batches())
    with pytest.raises(VerificationError, match="not what its manifest says"):
        opened(place)


def test_by_a_clock_that_was_set_back_nothing_is_opened(place: Path) -> None:
    late = clock(place)() - instant.DAY
    with pytest.raises(StaleError, match="the clock stands before"):
        open_selection(place / "selection", corpus=place / "in", now=lambda: late, **USE)


@pytest.mark.parametrize("change", [{"valid_until": None}, {"use": None}, {"inputs": [{}]}, {"outputs": []}])
def test_a_manifest_that_says_too_little(place: Path, change: dict[str, Any]) -> None:
    path, now = place / "selection/manifest.json", clock(place)
    path.write_text(json.dumps(said(place) | change))
    with pytest.raises(VerificationError):
        open_selection(place / "selection", corpus=place / "in", now=now, **USE)


@pytest.mark.parametrize("reader", ["duckdb", "polars", "datasets"])
def test_no_reader_passes_over_an_error(place: Path, reader: str) -> None:
    selection = opened(place, check="touch")
    (place / "in/part-3.parquet").unlink()
    read: dict[str, Callable[[], Any]] = {
        "duckdb": lambda: selection.duckdb(duckdb.connect()).fetchall(),
        "polars": lambda: selection.polars().collect(),
        "datasets": lambda: list(selection.datasets()),
    }
    with pytest.raises(Exception, match=r"part-3\.parquet"):
        read[reader]()


def test_it_reads_on_in_another_process(made: Path) -> None:
    again: Selection = pickle.loads(pickle.dumps(opened(made)))
    assert again.reader().read_all().equals(expected(made))


# ── from the ledger's side ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("report", [False, True])
def test_a_selection_is_replayed_by_the_reference(ledger: Ledger, posts: pa.Table, tour: Path, report: bool) -> None:
    pq.write_table(posts, tour / "posts.parquet")
    columns = Columns((SubjectColumn("author"),), "written_at", "kind", key="id")
    use: dict[str, Any] = {"purpose": "generative-ai", "recipient": "platform"}
    gated = ledger.gate(
        tour / "posts.parquet", columns=columns, into=tour / "out", emit="selection", report=report, resume=True, **use
    )
    assert gated.permitted == tour / "out/selected"
    assert gated.denied == (tour / "out/denied" if report else None)
    assert verify(tour / "out", inputs=tour, ledger=ledger, sample=100) == []
    since = ledger.gate(
        tour / "posts.parquet", columns=columns, into=tour / "more", emit="selection", report=report,
        since=tour / "out/manifest.json", memory="64MiB", **use,
    )  # fmt: skip
    assert since.manifest["outputs"] == gated.manifest["outputs"]
    path, said = tour / "out/selected/posts.parquet.roaring", json.loads((tour / "out/manifest.json").read_text())
    rows = said["inputs"][0]["records"]
    data, count = encode([~mask_of(decode(path.read_bytes(), rows), 0, rows)])
    path.write_bytes(data)
    assert count == gated.counts["denied"]
    with pytest.raises(VerificationError):
        open_selection(tour / "out", corpus=tour, now=ledger.parts.now, **use)


@pytest.mark.parametrize("more", [{"emit": "selection"}, {"resume": True}, {"since": "out"}, {"emit": "view"}])
def test_a_table_in_memory_has_no_files(ledger: Ledger, posts: pa.Table, more: dict[str, Any]) -> None:
    columns = Columns((SubjectColumn("author"),), "written_at", "kind", key="id")
    with pytest.raises(UsageError, match=r"file|emit"):
        ledger.gate(posts, columns=columns, purpose="generative-ai", recipient="platform", **more)
