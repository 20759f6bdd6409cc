"""A gate from end to end: what comes out, in which form, and that nothing else does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from sayso import instant
from sayso.engines.duckdb import DuckDBEngine
from sayso.errors import CanaryError, CorpusError, EngineError, StaleError
from sayso.gate import snapshots
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.verify import verify
from sayso.ledger import events as e
from sayso.ledger.identity import IdType
from sayso.plan.gate import Packing
from sayso.policy.facts import Use
from tests.gate.platform import COLLECTED, corpus, denied, named, permitted, platform, records


def expected(table: pa.Table) -> dict[int, str]:
    """The reason of every record that must be denied."""
    reasons = {}
    for row in table.to_pylist():
        if row["author"] == 10:
            reasons[row["id"]] = "unknown-subject"
        elif row["category"] == "messages":
            reasons[row["id"]] = "not-enabled"
        elif row["author"] == 3:
            reasons[row["id"]] = "refused"
    return reasons


def test_only_permitted_records_come_out_and_every_other_has_a_reason(tmp_path: Path) -> None:
    table = records()
    with platform(tmp_path) as made:
        done = made.gate(corpus(tmp_path / "in", table), tmp_path / "out", canaries=9)
    reasons = expected(table)
    assert denied(tmp_path / "out") == reasons
    assert permitted(tmp_path / "out").equals(table.filter(pa.array([i not in reasons for i in range(40)])))
    assert pq.read_schema(tmp_path / "out/permitted/part-0.parquet").equals(table.schema)
    counts = done.manifest["counts"]
    assert (counts["records"], counts["denied"]) == (40, len(reasons))
    assert counts["by_reason"]["not-enabled"] == sum(reason == "not-enabled" for reason in reasons.values())
    assert done.manifest["kind"] == "release"
    assert len(done.manifest["looks"]) == 1
    assert verify(tmp_path / "out", tmp_path / "in") == []
    assert sorted(path.name for path in tmp_path.iterdir() if "ledger" not in path.name) == ["in", "out"]


def test_the_report_names_the_event_behind_a_refusal(tmp_path: Path) -> None:
    with platform(tmp_path) as made:
        made.gate(corpus(tmp_path / "in", records()), tmp_path / "out")
        head = made.journal.head().size
    rows = pq.read_table(tmp_path / "out/denied/part-0.parquet").to_pylist()
    refused = next(row for row in rows if row["reason"] == "refused")
    assert (refused["subject"], refused["rule"], refused["territory"], refused["position"]) == (
        3,
        "open",
        "FR",
        head - 1,
    )
    assert "text" not in rows[0]


def test_the_verdicts_do_not_depend_on_the_layout(tmp_path: Path) -> None:
    table = records(60)
    with platform(tmp_path) as made:
        made.gate(corpus(tmp_path / "one", table, files=1, group=60), tmp_path / "a")
        made.gate(corpus(tmp_path / "many", table, files=5, group=3), tmp_path / "b")
    assert permitted(tmp_path / "a").equals(permitted(tmp_path / "b").combine_chunks())
    assert denied(tmp_path / "a") == denied(tmp_path / "b")


def test_a_dry_run_counts_the_same_and_writes_nothing(tmp_path: Path) -> None:
    with platform(tmp_path) as made:
        source = corpus(tmp_path / "in", records())
        wet = made.gate(source, tmp_path / "out")
        before = sorted(tmp_path.rglob("*"))
        dry = made.gate(source, None)
        assert sorted(tmp_path.rglob("*")) == before
    assert dry.output is None
    assert dry.manifest["counts"] == wet.manifest["counts"]
    assert dry.manifest["outputs"] == []


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_ndjson_and_csv_become_parquet(tmp_path: Path, form: str) -> None:
    table = records().drop_columns(["tags"])
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / f"records.{form}"
    if form == "csv":
        pacsv.write_csv(table, path)
    else:
        rows = table.to_pylist()
        path.write_text("".join(json.dumps(r | {"collected_at": r["collected_at"].isoformat()}) + "\n" for r in rows))
    with platform(tmp_path) as made:
        made.gate(path, tmp_path / "out")
    assert denied(tmp_path / "out") == expected(table)
    out = pq.read_table(tmp_path / "out/permitted" / f"records.{form}.parquet")
    assert out.column("text").to_pylist() == [f"words {i}" for i in range(40) if i not in expected(table)]
    assert verify(tmp_path / "out", tmp_path / "in") == []


@pytest.mark.parametrize("id_type", [IdType.STRING, IdType.UUID])
def test_ids_are_text_and_uuids_too(tmp_path: Path, id_type: IdType) -> None:
    table = records(authors=[named(number % 11, id_type) for number in range(40)])
    with platform(tmp_path, id_type) as made:
        made.gate(corpus(tmp_path / "in", table), tmp_path / "out", canaries=4)
    assert denied(tmp_path / "out") == expected(records())


def test_several_subjects_must_all_permit_unless_their_role_does_not_count(tmp_path: Path) -> None:
    table = pa.table(
        {
            "author": [1, 1, 3, 1, 1, None, 1],
            "about": pa.array(
                [
                    [{"id": 5, "role": "author"}], [{"id": 3, "role": "author"}], [], [{"id": 99, "role": "mentioned"}],
                    [{"id": 3, "role": "mentioned"}], [], [{"id": 99, "role": "author"}],
                ],
                pa.list_(pa.struct([("id", pa.int64()), ("role", pa.string())])),
            ),
            "collected_at": pa.array([COLLECTED] * 7, pa.timestamp("us", "UTC")),
        }
    )  # fmt: skip
    columns = Columns((SubjectColumn("author", "author"), SubjectColumn("about")), category_constant="posts")
    with platform(tmp_path) as made:
        made.gate(corpus(tmp_path / "in", table, files=1), tmp_path / "out", columns)
    assert denied(tmp_path / "out") == {
        1: "refused", 2: "refused", 4: "refused", 5: "unreadable", 6: "unknown-subject",
    }  # fmt: skip


def test_a_use_that_asks_for_the_account(tmp_path: Path) -> None:
    table = records(8).append_column("account", pa.array([1, 1, 2, None, 2, 1, 1, 2]))
    columns = Columns((SubjectColumn("author"),), category="category", account="account", key="id")
    with platform(tmp_path) as made:
        made.journal.append(
            e.AccountAttributesChanged(account=2, attributes={"plan": "pro"}, effective_at=COLLECTED - 1)
        )
        made.gate(corpus(tmp_path / "in", table), tmp_path / "out", columns, purpose="ranking")
    assert denied(tmp_path / "out") == {2: "no-rule", 3: "refused", 4: "no-rule", 7: "no-rule"}


def test_naive_instants_need_a_time_zone(tmp_path: Path) -> None:
    table = records(4).set_column(3, "collected_at", pa.array([COLLECTED] * 4, pa.timestamp("us")))
    with platform(tmp_path) as made:
        source = corpus(tmp_path / "in", table)
        with pytest.raises(CorpusError, match="time zone"):
            made.gate(source, tmp_path / "out")
        zoned = Columns((SubjectColumn("author"),), category="category", key="id", time_zone="Europe/Paris")
        assert made.gate(source, tmp_path / "out", zoned).manifest["counts"]["by_reason"] == {
            "not-enabled": 1,
            "refused": 1,
        }


def test_nulls_and_odd_values_are_denied_as_unreadable(tmp_path: Path) -> None:
    later = instant.parse("2030-01-01T00:00:00Z")
    table = pa.table(
        {
            "id": range(6),
            "author": [None, 1, 1, 1, 1, 1],
            "category": ["posts", None, "poſts", "content", "posts", "posts"],
            "collected_at": pa.array([COLLECTED] * 4 + [None, later], pa.timestamp("us", "UTC")),
        }
    )
    with platform(tmp_path) as made:
        made.gate(corpus(tmp_path / "in", table), tmp_path / "out")
    assert denied(tmp_path / "out") == dict.fromkeys(range(6), "unreadable")


def test_an_empty_corpus_gives_an_empty_output(tmp_path: Path) -> None:
    with platform(tmp_path) as made:
        done = made.gate(corpus(tmp_path / "in", records().slice(0, 0), files=1), tmp_path / "out")
    assert done.manifest["counts"]["records"] == 0
    assert permitted(tmp_path / "out").schema.equals(records().schema)
    assert verify(tmp_path / "out") == []


def test_a_release_sees_what_was_recorded_while_it_worked(tmp_path: Path) -> None:
    """A person who objects while the gate writes is not in what it lets through."""
    table = records(60)
    with platform(tmp_path) as made:

        def object_meanwhile(stage: str, done: int, _total: int) -> None:
            if stage == "writing" and done and made.journal.head().size == size:
                made.journal.append(e.ChoiceRecorded(subject=5, decision="objection", source="setting"))

        size = made.journal.head().size
        done = made.gate(corpus(tmp_path / "in", table), tmp_path / "out", progress=object_meanwhile)
    assert len(done.manifest["looks"]) == 2
    assert done.manifest["looks"][1]["position"] == size + 1
    assert 5 not in permitted(tmp_path / "out").column("author").to_pylist()
    refused = {key for key, reason in denied(tmp_path / "out").items() if reason == "refused"}
    assert refused == {i for i in range(60) if i % 11 in (3, 5) and i % 4}
    assert verify(tmp_path / "out", tmp_path / "in") == []


def test_time_alone_is_a_change_too(tmp_path: Path) -> None:
    """A suspension that begins while the gate works stops what it would have let through."""
    with platform(tmp_path) as made:
        made.journal.append(
            e.SuspensionOpened(
                suspension="s", authority="us", reason="a bug", effective_at=made.clock[0] + 2 * instant.SECOND + 1
            )
        )
        done = made.gate(corpus(tmp_path / "in", records()), tmp_path / "out")
    assert len(done.manifest["looks"]) == 2
    assert done.manifest["counts"]["permitted"] == 0
    assert set(denied(tmp_path / "out").values()) == {"suspended", "unknown-subject"}


def test_a_replay_is_marked_and_gives_the_same_for_ever(tmp_path: Path) -> None:
    with platform(tmp_path) as made:
        source, at, size = corpus(tmp_path / "in", records()), made.now(), made.journal.head().size
        first = made.gate(source, tmp_path / "a", release=False, at=at, position=size)
        made.journal.append(e.ChoiceRecorded(subject=1, decision="refusal", source="setting"))
        second = made.gate(source, tmp_path / "b", release=False, at=at, position=size)
    assert first.manifest["kind"] == "replay"
    assert first.manifest == second.manifest


def test_a_kept_snapshot_goes_stale(tmp_path: Path) -> None:
    with platform(tmp_path) as made:
        source, engine = corpus(tmp_path / "in", records()), DuckDBEngine(threads=1)
        use = Use("genai", "platform", made.now())
        pinned = snapshots.make(made.journal.store, made.reader.view(), use, engine)
        snapshots.save(pinned, tmp_path / "snapshot")
        kept = snapshots.load(tmp_path / "snapshot")
        assert kept.digest == pinned.digest
        fresh = made.gate(source, tmp_path / "fresh", snapshot=kept, at=use.at)
        made.clock[0] = kept.valid_until
        stale = made.gate(source, tmp_path / "stale", snapshot=kept, at=use.at)
    assert fresh.manifest["counts"]["permitted"] > 0
    assert stale.manifest["counts"]["by_reason"] == {"stale": 40}


@pytest.mark.parametrize("purpose", ["genai", "ranking"])
def test_a_kept_snapshot_is_the_one_that_was_made_or_none(tmp_path: Path, purpose: str) -> None:
    kept = tmp_path / "snapshot"
    with platform(tmp_path) as made:
        use = Use(purpose, "platform", made.now())
        pinned = snapshots.make(made.journal.store, made.reader.view(), use, DuckDBEngine(threads=1))
    snapshots.save(pinned, kept)
    loaded = snapshots.load(kept)
    assert loaded.snapshot.dimensions == pinned.snapshot.dimensions
    assert {name: table.num_rows for name, table in loaded.snapshot.tables.items()} == {
        name: table.num_rows for name, table in pinned.snapshot.tables.items()
    }
    loaded.snapshot.let_go()  # what was read is read again
    assert all(loaded.snapshot.tables[name].equals(table) for name, table in pinned.snapshot.tables.items())
    about = json.loads((kept / snapshots.META).read_text())
    changes: list[dict[str, Any]] = [
        {"next_change": 1}, {"valid_until": about["valid_until"] + 1}, {"position": 0}, {"policy": "sha256:0"},
        {"territories": ["FR"]}, {"use": {}}, {"dimensions": {}},
    ]  # fmt: skip
    for changed in changes:
        (kept / snapshots.META).write_text(json.dumps(about | changed))
        with pytest.raises(StaleError, match="make it again"):
            snapshots.load(kept)
    (kept / snapshots.META).write_text("[")
    with pytest.raises(StaleError, match="cannot be read"):
        snapshots.load(kept)
    (kept / snapshots.META).write_text(json.dumps(about))
    (kept / "answers.arrow").write_bytes(b"")
    with pytest.raises(StaleError, match="cannot be read"):
        snapshots.load(kept)


def test_the_same_snapshot_has_the_same_digest(tmp_path: Path) -> None:
    with platform(tmp_path) as made:
        use = Use("genai", "platform", made.now())
        digests = {
            snapshots.make(made.journal.store, made.reader.view(), use, DuckDBEngine(threads=threads)).digest
            for threads in (1, 2, 2)
        }
    assert len(digests) == 1


def test_a_snapshot_of_ids_that_are_text_has_one_digest_however_it_lies_in_memory(tmp_path: Path) -> None:
    """Of more people than are digested at a time, with ids of lengths that leave room to fill up."""
    count = snapshots.DIGESTED_ROWS * 2 + 5
    with platform(tmp_path, IdType.STRING) as made:
        use = Use("genai", "platform", made.now())
        pinned = snapshots.make(made.journal.store, made.reader.view(), use, DuckDBEngine(threads=1))
    columns = {
        "subject": pa.array([f"member-{n}" for n in range(count)]), "c0": pa.array([0] * count, pa.int32()),
        "more": pa.array([False] * count),
    }  # fmt: skip
    schema = pinned.snapshot.standing.schema
    table = pa.table([columns.get(field.name, pa.nulls(count, field.type)) for field in schema], schema)
    lying = [table, *(pa.Table.from_batches(table.to_batches(max_chunksize=size)) for size in (10_007, 100_000))]
    assert len({snapshots.with_tables(pinned, standing=one).digest for one in lying}) == 1


class Broken(DuckDBEngine):
    """An engine that lets everything through."""

    def verdicts(self, question):  # type: ignore[no-untyped-def]  # as the engine's own
        for batch in super().verdicts(question):
            best = question.snapshot.results.column("outcome").to_pylist().index(24)
            number = best * Packing.of(question.snapshot).width
            place = batch.schema.get_field_index("number")
            yield batch.set_column(place, "number", pa.array([number] * len(batch), pa.uint32()))


def test_a_canary_that_passes_stops_the_gate(tmp_path: Path) -> None:
    with platform(tmp_path) as made:
        with pytest.raises(CanaryError, match="4 of 4 planted"):
            made.gate(corpus(tmp_path / "in", records()), tmp_path / "out", canaries=4, engine=Broken())
        assert not (tmp_path / "out").exists()


class Forgetful(DuckDBEngine):
    """An engine that loses a record."""

    def verdicts(self, question):  # type: ignore[no-untyped-def]  # as the engine's own
        for batch in super().verdicts(question):
            yield batch.slice(1)


def test_an_engine_that_loses_a_record_stops_the_gate(tmp_path: Path) -> None:
    with platform(tmp_path) as made:
        with pytest.raises(EngineError, match="not one for each"):
            made.gate(corpus(tmp_path / "in", records()), tmp_path / "out", engine=Forgetful())
        assert not (tmp_path / "out").exists()


GATE = """
import sys
from pathlib import Path
from tests.gate.platform import *
folder = Path(sys.argv[1])
store = sqlite.open_ledger(folder / "ledger.sayso", founding)
made = Platform(journal_on(store, now=lambda: START, random_bytes=lambda n: b"1" * n), [START])
print("ready", flush=True)
made.gate(folder / "in", folder / "out")
print("done", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("wait", [0.1, 0.6])
def test_a_gate_that_is_killed_leaves_nothing_to_be_taken_for_an_output(tmp_path: Path, wait: float) -> None:
    with platform(tmp_path):
        corpus(tmp_path / "in", records(20_000), files=4, group=1000)
    with subprocess.Popen([sys.executable, "-c", GATE, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(wait)
        os.kill(process.pid, signal.SIGKILL)
        done = process.stdout.read() == "done\n"
    assert (tmp_path / "out").exists() is done or verify(tmp_path / "out") == []
    if not done and not (tmp_path / "out").exists():
        finished = subprocess.run(
            [sys.executable, "-c", GATE, str(tmp_path)], check=True, capture_output=True, text=True
        )
        assert finished.stdout == "ready\ndone\n"
    assert verify(tmp_path / "out", tmp_path / "in") == []
    assert not list(tmp_path.glob(".out*"))
