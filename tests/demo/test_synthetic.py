"""What is made up is the same for the same seed, and is what the ledger and the gate can read."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from rich.console import Console

from sayso import instant
from sayso.api import Ledger, init_ledger, open_ledger, verify
from sayso.demo import events, saga, story
from sayso.demo.corpus import CATEGORIES, SCHEMA, Writer, write_corpus
from sayso.demo.population import MEMBERS, Habits, members
from sayso.demo.words import GRAMMARS
from sayso.errors import UsageError
from sayso.territory import canonical

COUNT = 10_000


def made(seed: int = 7, count: int = COUNT, **habits: float) -> pa.Table:
    return members(np.random.default_rng(seed), count, saga.WINDOW, Habits(**habits))


def written(people: pa.Table, count: int = COUNT, files: int = 3, seed: int = 8) -> pa.Table:
    return pa.concat_tables(Writer(np.random.default_rng(seed), people, saga.WINDOW).tables(count, files))


def micros(column: pa.ChunkedArray) -> NDArray[np.int64]:
    at: NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
    return at


def test_the_same_seed_makes_the_same() -> None:
    assert made().equals(made())
    assert not made().equals(made(seed=9))
    assert written(made()).equals(written(made()))


def test_every_territory_is_a_known_code() -> None:
    assert [canonical(code) for code in MEMBERS] == list(MEMBERS)


def test_members_have_distinct_ids_and_do_nothing_before_they_register() -> None:
    people = made(moved=0.5, refused=0.5)
    assert pc.count_distinct(people["id"]).as_py() == COUNT
    assert people["registered_at"].to_pylist() == sorted(people["registered_at"].to_pylist())
    assert micros(people["registered_at"]).min() >= saga.WINDOW.start
    for name in ("moved_at", "refused_at"):
        did = people.filter(people[name].is_valid())
        assert len(did) > COUNT / 3
        assert (micros(did[name]) >= micros(did["registered_at"])).all()
        assert micros(did[name]).max() < saga.WINDOW.until


def test_the_shares_are_those_asked_for() -> None:
    people = made(refused=0.05, minors=0.02)
    share = pc.mean(pc.equal(people["territory"], "US").cast(pa.float64())).as_py()
    assert share == pytest.approx(MEMBERS["US"] / sum(MEMBERS.values()), abs=0.02)
    assert people["refused_at"].null_count == pytest.approx(0.95 * COUNT, rel=0.01)
    ages = instant.year(saga.WINDOW.until) - people["birth_year"].drop_null().to_numpy()
    assert (ages < 18).mean() == pytest.approx(0.02, abs=0.005)
    assert ages.min() == 16
    heaped = micros(people.filter(people["refused_at"].is_valid())["refused_at"]) >= saga.WINDOW.told
    assert heaped.mean() > 0.6


def test_a_tenth_writes_four_fifths() -> None:
    busy = np.sort(made()["activity"].to_numpy())[::-1]
    assert busy[: COUNT // 10].sum() / busy.sum() == pytest.approx(0.8, abs=0.06)
    assert np.median(busy) == pytest.approx(2, rel=0.1)


def test_records_are_of_their_authors_time_and_place() -> None:
    people = made(moved=0.5)
    records = written(people)
    assert records.schema == SCHEMA
    assert records["record_id"].to_pylist() == list(range(COUNT))
    assert (np.diff(micros(records["collected_at"])) >= 0).all()
    assert micros(records["collected_at"]).max() < saga.WINDOW.until
    assert set(records["category"].unique().to_pylist()) == set(CATEGORIES)
    assert set(records["lang"].unique().to_pylist()) == set(GRAMMARS)
    assert 110 < pc.mean(pc.binary_length(records["text"])).as_py() < 130
    joined = records.join(people, "author", "id", right_suffix="_of_member")
    assert len(joined) == COUNT
    assert pc.all(pc.greater_equal(joined["collected_at"], joined["registered_at"])).as_py()
    moved = pc.fill_null(pc.greater_equal(joined["collected_at"], joined["moved_at"]), False)
    home = pc.if_else(moved, joined["moved_to"], joined["territory_of_member"])
    there = pc.equal(joined["territory"], home).drop_null()
    assert pc.mean(there.cast(pa.float64())).as_py() > 0.98


def test_files_are_of_equal_size(tmp_path: Path) -> None:
    people = made(count=500)
    paths = write_corpus(tmp_path / "corpus", Writer(np.random.default_rng(1), people, saga.WINDOW), 1_000, 7)
    assert {pq.read_metadata(path).num_rows for path in paths} == {142, 143}
    assert sum(pq.read_metadata(path).num_rows for path in paths) == 1_000


@pytest.mark.parametrize("fmt", ["ndjson", "parquet"])
def test_events_are_imported_as_they_were_made(tmp_path: Path, fmt: Literal["ndjson", "parquet"]) -> None:
    people = made(count=300, moved=0.3, refused=0.3)
    said = events.in_order(
        events.registrations(people, attested="made up"),
        events.moves(people),
        events.refusals(
            people, {"decision": "objection", "source": "settings", "scope": {"purposes": ["ai-training"]}}
        ),
    )
    paths = events.write_events(tmp_path / "events", said, saga.ANNOUNCEMENTS, fmt=fmt, rows=100)
    with init_ledger(tmp_path / "made.ledger") as ledger:
        ledger.publish(saga.POLICY)
        assert ledger.import_events(paths).events == len(said) + len(saga.ANNOUNCEMENTS)
        shown = list(ledger.show(1))
    at = [instant.parse(one["effective_at"]) for one in shown]
    assert at == sorted(at)
    by_id = {str(row["id"]): row for row in people.to_pylist()}
    for one in shown:
        if one["kind"] == "subject.registered":
            row = by_id.pop(one["subject"])
            assert (one.get("territory"), one.get("birth_year")) == (row["territory"], row["birth_year"])
            assert instant.parse(one["effective_at"]) == instant.from_datetime(row["registered_at"])
    assert not by_id
    kinds = [one["kind"] for one in shown]
    assert kinds.count("subject.moved") == _valid(people, "moved_at")
    assert kinds.count("choice.recorded") == _valid(people, "refused_at")


def _valid(people: pa.Table, name: str) -> int:
    return len(people) - people[name].null_count


@pytest.mark.slow
def test_the_story_is_told_and_leaves_what_can_be_verified(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    told = io.StringIO()
    story.tell(folder, Console(file=told, width=110), story.Size(members=600, records=6_000, files=2))
    text = told.getvalue()
    assert "FR" in text
    assert "`refused`" in text
    assert verify(folder / "release-2") == []
    manifests = {path.stem: json.loads(path.read_bytes())["counts"] for path in (folder / "replays").iterdir()}
    assert sorted(manifests) == [day for day, _ in saga.DATES]
    assert manifests["2024-09-17"]["permitted"] == 0
    share = {day: _share(counts, "GB") for day, counts in manifests.items()}
    assert share["2024-09-19"] > 0 == share["2024-10-15"] == share["2025-10-01"] < share["2025-11-04"]
    assert _share(manifests["2025-10-01"], "FR") == 0 < _share(manifests["2025-11-04"], "FR")
    after = json.loads((folder / "release-2" / "manifest.json").read_bytes())["counts"]
    assert _share(after, story.STOPPED) == 0
    with open_ledger(folder / "sayso.ledger") as ledger:
        _once_more(ledger)


def _share(counts: dict[str, Any], territory: str) -> int:
    return sum(row["permitted"] for row in counts["by_territory"] if row["territory"] == territory)


def _once_more(ledger: Ledger) -> None:
    kinds = [one["kind"] for one in ledger.show(ledger.head.size - 2)]
    assert kinds == ["choice.recorded", "suspension.opened"]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(UsageError, match="something else"):
        story.tell(tmp_path, Console(file=io.StringIO()))
    assert (tmp_path / "thesis.txt").exists()
