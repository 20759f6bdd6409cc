"""Snapshots are made anew from the events: kept ones, and those that manifests name; and none leads back to who was erased."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from sayso.engines.duckdb import DuckDBEngine
from sayso.gate import refolding, snapshots
from sayso.ledger import events as e
from sayso.ledger.identity import IdType
from sayso.policy import loads, normal
from sayso.policy.facts import Use
from tests.gate.platform import POLICY, Platform, corpus, platform, records


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Platform]:
    with platform(tmp_path, IdType.STRING) as made:
        yield made


def kept(house: Platform, directory: Path, purpose: str = "genai") -> Path:
    use = Use(purpose, "platform", house.now())
    pinned = snapshots.make(house.journal.store, house.reader.view(), use, DuckDBEngine(threads=1))
    snapshots.save(pinned, directory)
    return directory


def released(house: Platform, folder: Path) -> Path:
    read = corpus(folder / "in", records(authors=[f"member-{number % 11}" for number in range(40)]))
    house.gate(read, folder / "out")
    return folder / "out"


def told(house: Platform, directory: Path) -> list[str]:
    return [str(fault) for fault in refolding.faults(directory, house.reader, DuckDBEngine(threads=1))]


def test_those_that_the_events_make(house: Platform, tmp_path: Path) -> None:
    made, out = kept(house, tmp_path / "kept"), released(house, tmp_path)
    by_account = kept(house, tmp_path / "by account", "ranking")
    house.journal.append(e.ChoiceRecorded(subject="member-5", decision="objection", source="later"))
    for directory in (made, out, by_account):
        assert told(house, directory) == [], "each is made as of its own position"


def test_one_that_they_do_not_make(house: Platform, tmp_path: Path) -> None:
    made, out = kept(house, tmp_path / "kept"), released(house, tmp_path)
    pinned = snapshots.load(made)
    standing = pinned.snapshot.standing.slice(1)
    forged = replace(pinned.snapshot, standing=standing)
    pins = {
        "policy": pinned.policy, "version": pinned.version, "use": asdict(pinned.use),
        "position": pinned.position, "valid_until": pinned.valid_until,
    }  # fmt: skip
    digest = snapshots.digested(forged, pins)
    snapshots.save(replace(pinned, snapshot=forged, digest=digest), tmp_path / "forged")
    assert told(house, tmp_path / "forged") == ["snapshot at position 13: it is not the one that the events make"]
    said = json.loads((out / "manifest.json").read_text())
    said["looks"][0]["snapshot"] = "sha256:" + "0" * 64
    (out / "manifest.json").write_text(json.dumps(said))
    assert told(house, out) == ["snapshot at position 13: it is not the one that the events make"]
    said["looks"][0]["position"] = 99
    (out / "manifest.json").write_text(json.dumps(said))
    assert "99" in told(house, out)[0]
    said["looks"][0]["position"] = 0
    (out / "manifest.json").write_text(json.dumps(said))
    assert len(told(house, out)) == 1
    del said["looks"][0]["at"]
    (out / "manifest.json").write_text(json.dumps(said))
    assert told(house, out) == ["snapshot: the manifest in `out` holds something in another form"]
    (made / "standing.arrow").write_bytes(b"")
    assert "cannot be read" in told(house, made)[0]
    assert len(told(house, tmp_path / "nothing")) == 1


def test_one_of_another_policy(house: Platform, tmp_path: Path) -> None:
    made = kept(house, tmp_path / "kept")
    said = json.loads((made / "snapshot.json").read_text())
    later = loads(POLICY.replace("mode: never", "mode: never, why: because"))
    house.journal.append(e.PolicyPublished(platform=later.platform, digest=later.digest, document=normal(later)))
    replayed = kept(house, tmp_path / "replayed")
    pinned = snapshots.load(replayed)
    pins = {
        "policy": said["policy"], "version": pinned.version, "use": asdict(pinned.use),
        "position": pinned.position, "valid_until": pinned.valid_until,
    }  # fmt: skip
    digest = snapshots.digested(pinned.snapshot, pins)
    snapshots.save(replace(pinned, policy=said["policy"], digest=digest), tmp_path / "forged")
    assert told(house, tmp_path / "forged") == [
        "snapshot at position 14: it is of another policy than the one last published then"
    ]


def test_one_from_before_an_erasure_leads_back_and_one_from_after_does_not(house: Platform, tmp_path: Path) -> None:
    before, out = kept(house, tmp_path / "before"), released(house, tmp_path)
    house.journal.append(e.SubjectErased(subject="member-5"))
    assert told(house, before) == ["snapshot at position 13: somebody was erased since it was made; delete it"]
    assert told(house, out) == [], "a manifest holds nobody"
    after = kept(house, tmp_path / "after")
    assert told(house, after) == []

    def people(directory: Path) -> list[str]:
        found: list[str] = snapshots.load(directory).snapshot.standing.column("subject").to_pylist()
        return found

    assert ("member-5" in people(before), "member-5" in people(after)) == (True, False)
    assert not [path for path in after.iterdir() if b"member-5" in path.read_bytes()]
