"""Nothing that a ledger holds, or that is made of it afterwards, leads back to somebody who was erased."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sayso
from sayso import Ledger
from sayso.api.keeping import restore
from sayso.errors import EventError, KeyFileError
from sayso.ledger.keys import NOBODY

ANN, ANNA = "zq-ann-7f3d", "zq-anna-90b1"
MARKS = (ANN, ANNA, "zq-mark", "zq-act", "zq-where", "zq-source", "zq-browser", "zq-evidence")
DOCUMENTS: list[dict[str, Any]] = [
    *({"kind": "subject.registered", "subject": one, "territory": "FR", "attributes": {"plan": "zq-mark"}, "birth_year": 1971}
      for one in (ANN, ANNA)),
    {"kind": "subject.registered", "subject": "ben"},
    {"kind": "subject.aliased", "subject": ANN, "other": ANNA},
    {"kind": "subject.birth-year", "subject": ANN, "year": 1972, "corrected": True, "evidence": "zq-evidence"},
    {"kind": "guardian.registered", "subject": "ben", "guardian": ANN},
    {"kind": "choice.recorded", "subject": ANN, "decision": "grant", "source": "zq-source",
     "scope": {"purposes": ["genai"], "categories": ["posts"], "recipients": ["platform"]},
     "act": {"what": "zq-act", "where": "zq-where"}, "notice": {"id": "n", "version": "1"}},
    {"kind": "choice.recorded", "subject": "ben", "decision": "refusal", "source": "x", "by": {"role": "guardian", "id": ANN}},
    {"kind": "signal.seen", "subject": ANNA, "signal": "gpc", "channel": "zq-browser"},
    {"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"subjects": [ANN, "ben"]}},
]  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with sayso.init_ledger(tmp_path / "here" / "members.ledger", "string", origin="example.com/members") as made:
        made.parts.journal._judge = None  # what purposes and signals there are is nothing that this is about
        for document in DOCUMENTS:
            made.append(document)
        yield made


@pytest.fixture(autouse=True)
def here(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()


def traces(*places: Path) -> set[str]:
    """Which marks stand in files, as they are while the ledger is open."""
    files = [path for place in places for path in ([place] if place.is_file() else place.rglob("*")) if path.is_file()]
    assert files
    data = [path.read_bytes() for path in files]
    return {mark for mark in MARKS if any(mark.encode() in one for one in data)}


def test_nothing_in_the_store_its_write_ahead_files_and_the_keys(ledger: Ledger, tmp_path: Path) -> None:
    here = tmp_path / "here"
    assert {path.name for path in here.iterdir()} >= {"members.ledger", "members.ledger-wal", "members.ledger-shm"}
    assert traces(here) == set(MARKS)
    ledger.erase(ANNA)
    assert traces(here) == set()


def test_nothing_while_somebody_reads_an_older_view_and_then_lets_go(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.parts.store.reading() as reading:
        reading.head()
        ledger.erase(ANN)
        assert traces(tmp_path / "here"), "who reads an older view may go on"
        assert ledger.scrub(), "and that is told"
    assert ledger.scrub() == ()
    assert traces(tmp_path / "here") == set()


def test_nothing_in_what_is_made_afterwards(ledger: Ledger, tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    ledger.log.backup(before / "copy")
    ledger.log.export(before / "public")
    assert traces(before / "public") == set(), "what is public never holds anybody"
    assert traces(before / "copy") == set(MARKS)
    ledger.erase(ANN)
    after = tmp_path / "after"
    after.mkdir()
    ledger.log.backup(after / "copy")
    ledger.log.export(after / "public")
    ledger.log.export(before / "public")
    (after / "shown").write_text(json.dumps(list(ledger.show())))
    (after / "proof").write_text(str(ledger.log.prove(6)))
    (after / "entry").write_bytes(ledger.log.entry(6))
    (after / "facts").write_text(str([batch.to_pylist() for batch in ledger.parts.store.facts()]))
    assert traces(after, before / "public") == set()


def test_imports_and_restores_honour_the_tombstone(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "here" / "members.ledger"
    ledger.log.backup(tmp_path / "copy")
    ledger.erase(ANN)
    for one in (ANN, ANNA):
        (tmp_path / "again.ndjson").write_text(json.dumps({"kind": "subject.registered", "subject": one}))
        with pytest.raises(EventError, match="erased"):
            ledger.import_events(tmp_path / "again.ndjson")
    with pytest.raises(EventError, match="erased"):
        ledger.append(
            {"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"subjects": ["ben", ANN]}}
        )
    ledger.close()
    for file in path.parent.glob("members.ledger*"):
        if file.is_file():
            file.unlink()
    made = restore(tmp_path / "copy", path, new_origin="example.com/members-2")
    assert made.erased == 1
    assert traces(tmp_path / "here") == set()
    with sayso.open_ledger(path) as found:
        assert found.log.check() == []
        for one in (ANN, ANNA):
            with pytest.raises(EventError, match="erased"):
                found.append({"kind": "subject.registered", "subject": one})


def test_another_secret_is_told_before_anybody_comes_back(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another secret nobody who was erased would be known again."""
    path = tmp_path / "here" / "members.ledger"
    ledger.erase(ANN)
    ledger.close()
    (tmp_path / "here" / "members.ledger.keys" / "erasure.secret").write_text("ab" * 32)
    with pytest.raises(KeyFileError, match="the erasure secret at hand is not that of ledger"):
        sayso.open_ledger(path)
    with monkeypatch.context() as patched:
        patched.setattr("sayso.ledger.head.compare_digest", lambda *_: True)
        with sayso.open_ledger(path) as found:
            found.append({"kind": "subject.registered", "subject": ANN})


def test_the_tombstone_of_nobody_is_that_of_nobody(ledger: Ledger) -> None:
    """So it opens nothing: it is of an id that no ledger takes."""
    ledger.erase(ANN)
    assert ledger.parts.store.nobody() not in ledger.parts.store.tombstones()
    with pytest.raises(EventError):
        ledger.append({"kind": "subject.registered", "subject": NOBODY})
