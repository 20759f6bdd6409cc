"""A ledger on PostgreSQL through the Python API: recorded, gated, moved, lost, restored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sayso
from sayso import Ledger
from sayso.api.keeping import restore
from sayso.errors import EventError, KeyFileError, RollbackError, StoreError
from sayso.stores.postgres_url import PostgresUrl
from tests.postgres import Server
from tests.tour import Clock, copied, filled

USE: dict[str, Any] = {"purpose": "generative-ai", "recipient": "platform", "columns": "corpus.yaml", "dry_run": True}


@pytest.fixture
def url(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PostgresUrl:
    monkeypatch.setenv("SAYSO_KEYS", str(tmp_path / "keys"))
    return server.schema()


@pytest.fixture
def ledger(url: PostgresUrl) -> Iterator[Ledger]:
    with sayso.init_ledger(url.whole, "string", origin="example.com/members") as made:
        for name in ("ann", "ben", "zoe"):
            made.append({"kind": "subject.registered", "subject": name, "attributes": {"mark": f"of-{name}"}})
        made.append({"kind": "subject.aliased", "subject": "ann", "other": "ben"})
        yield made


def test_what_is_moved_decides_and_gates_as_before(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tour = copied(tmp_path)
    monkeypatch.chdir(tour)
    url = server.schema()
    with filled(tour, Clock()) as ledger:
        before = ledger.gate("posts.ndjson", **USE).counts
        assert before["permitted"] > 0
        assert ledger.log.move(url.whole) == ledger.head.size
        seen = ledger.log.checkpoint
    monkeypatch.setenv("SAYSO_KEYS", str(tour / "sayso.ledger.keys"))
    with sayso.open_ledger(url.whole, now=Clock()) as moved:
        assert moved.log.checkpoint == seen
        assert moved.gate("posts.ndjson", **USE).counts == before
        assert moved.log.check() == []
        moved.choose("objection", subject=1, purposes="generative-ai", source="web form")
        assert moved.gate("posts.ndjson", **USE).counts != before
    with pytest.raises(RollbackError, match="was rolled back"):
        sayso.open_ledger(tour / "sayso.ledger")


def test_keys_are_in_the_directory_that_is_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAYSO_KEYS", raising=False)
    with pytest.raises(KeyFileError, match="name one by `SAYSO_KEYS`"):
        sayso.init_ledger(server.schema().whole)


def test_a_backup_is_restored_into_an_empty_schema(ledger: Ledger, server: Server, tmp_path: Path) -> None:
    ledger.log.backup(tmp_path / "copy")
    checkpoint = ledger.log.checkpoint
    with pytest.raises(StoreError, match="holds a ledger or other tables already"):
        restore(tmp_path / "copy", ledger.parts.store.url)  # type: ignore[attr-defined]
    other = server.schema()
    made = restore(tmp_path / "copy", other)
    assert (made.size, made.origin, made.erased) == (4, "example.com/members", 0)
    with sayso.open_ledger(other) as found:
        assert found.log.checkpoint == checkpoint
        assert found.log.check() == []
        found.append({"kind": "subject.registered", "subject": "later"})


def test_an_older_copy_is_a_rollback_here_too(ledger: Ledger, server: Server, tmp_path: Path) -> None:
    ledger.log.backup(tmp_path / "copy")
    ledger.append({"kind": "subject.registered", "subject": "later"})
    other = server.schema()
    with pytest.raises(RollbackError, match="was rolled back: it holds `4` events, and `5` were seen"):
        restore(tmp_path / "copy", other)
    with pytest.raises(StoreError, match="there is no ledger"):
        sayso.open_ledger(other)


def test_who_was_erased_since_is_erased_in_the_copy_again(ledger: Ledger, server: Server, tmp_path: Path) -> None:
    ledger.log.backup(tmp_path / "copy")
    ledger.erase("ann")
    assert ledger.unscrubbed
    assert ledger.scrub() == ()
    other = server.schema()
    made = restore(tmp_path / "copy", other, new_origin="example.com/members-2")
    assert (made.origin, made.erased) == ("example.com/members-2", 1)
    with sayso.open_ledger(other) as found:
        assert found.log.check() == []
        assert found.log.keys[-1].name == "example.com/members-2"
        for name in ("ann", "ben"):
            with pytest.raises(EventError, match="erased"):
                found.append({"kind": "subject.registered", "subject": name})


def test_keys_are_changed_while_another_process_has_it_open(ledger: Ledger, url: PostgresUrl) -> None:
    with sayso.open_ledger(url) as other:
        other.append({"kind": "subject.registered", "subject": "before"})
        ledger.log.rotate_key()
        ledger.append({"kind": "subject.registered", "subject": "after"})
        with pytest.raises(KeyFileError, match="key was changed, open the ledger again"):
            other.append({"kind": "subject.registered", "subject": "too late"})
    with sayso.open_ledger(url) as found:
        found.append({"kind": "subject.registered", "subject": "later"})
        assert found.log.check() == []
