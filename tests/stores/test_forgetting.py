"""What every store must give up of who was erased, and what must be found of damage (`sayso.ledger.store`)."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

from sayso.ledger import events as e
from sayso.ledger.entry import Destroyed
from sayso.ledger.fsck import repair
from sayso.ledger.identity import IdType
from sayso.ledger.store import Store
from sayso.stores import sqlite
from tests.ledgers import KEYS, founding
from tests.stores.places import Place, PostgresPlace, SqlitePlace, journal_on, wrong

# ── forgetting ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_of_who_was_erased_is_left_in_any_file(place: Place, tmp_path: Path) -> None:
    marks = [b"ztracez-person", b"ztracez-value", b"ztracez-source", b"ztracez-evidence"]
    person, value, source, evidence = (mark.decode() for mark in marks)
    with closing(place.create(IdType.STRING)) as store:
        journal = journal_on(store)
        journal.append_many([e.SubjectRegistered(subject=f"other-{n}", territory="FR") for n in range(400)])
        journal.append(e.SubjectRegistered(subject=person, attributes={"plan": value}))
        journal.append(e.ChoiceRecorded(subject=person, decision="refusal", source=source))
        journal.append(e.SubjectBirthYear(subject=person, year=1990, corrected=True, evidence=evidence))
        journal.append(e.AgentMandated(subject="other-1", agent=person))
        journal.append(
            e.NoticeDelivered(notice="n", version="1", audience=e.Audience(subjects=("other-2", person, "other-3")))
        )
        assert any(mark in files_of(place) for mark in marks)
        journal.append(e.SubjectErased(subject=person))
        assert store.unscrubbed()
        assert store.scrub() == ()
        assert not store.unscrubbed()
        data = files_of(place)
        for mark in marks:
            assert mark not in data, f"`{mark.decode()}` is left in the files of the store"
        assert b"other-17" in data
        assert wrong(store) == []
        store.backup(tmp_path / "backup")
        assert not any(mark in (tmp_path / "backup").read_bytes() for mark in marks)
        assert len(store.facts_of(0, ["other-2"])) == 2
        entries = list(store.entries())
        assert all(isinstance(part, Destroyed) for position in (400, 401, 402) for part in entries[position].parts)
        assert [isinstance(part, Destroyed) for part in entries[404].parts] == [False, False, True, False]


def test_whoever_opens_a_ledger_is_told_that_it_holds_what_was_erased_until_it_is_scrubbed(
    place: Place, tmp_path: Path
) -> None:
    with closing(place.create()) as store:
        journal_on(store).append_many([e.SubjectRegistered(subject=n) for n in range(4)])
        assert not store.unscrubbed()
        journal_on(store).append(e.SubjectErased(subject=1))
    with closing(place.open()) as store, closing(place.open()) as other:
        assert store.unscrubbed()
        store.backup(tmp_path / "copy")  # it is written anew
        with closing(sqlite.open_ledger(tmp_path / "copy", founding)) as copied:
            assert (copied.unscrubbed(), wrong(copied)) == (False, [])
        assert store.scrub() == ()
        assert (store.unscrubbed(), other.unscrubbed()) == (False, False)
        journal_on(other).append(e.SubjectErased(subject=2))
        assert store.unscrubbed()
        assert wrong(store) == []


def test_an_erasure_while_a_file_is_scrubbed_is_scrubbed_another_time(tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path / "ledger.db")
    with closing(place.create()) as store, closing(place.open()) as other:
        journal_on(store).append_many([e.SubjectRegistered(subject=n) for n in range(4)])
        journal_on(store).append(e.SubjectErased(subject=1))
        assert isinstance(store, sqlite.SqliteStore)
        emptied = store._scrub

        def late() -> None:
            journal_on(other).append(e.SubjectErased(subject=2))
            emptied()

        store._scrub = late  # type: ignore[method-assign]
        assert store.scrub() == ()
        assert store.unscrubbed()


def files_of(place: Place) -> bytes:
    """All that lies on the disk of a store: tables, indexes, write-ahead log."""
    if isinstance(place, SqlitePlace):
        return b"".join(file.read_bytes() for file in place.path.parent.glob(f"{place.path.name}*"))
    assert isinstance(place, PostgresPlace)
    place.run("CHECKPOINT")
    return b"".join(file.read_bytes() for file in sorted(place.server.files.rglob("*")) if file.is_file())


def test_tombstones_are_found_by_their_keys(store: Store) -> None:
    journal = journal_on(store)
    journal.append_many([e.SubjectRegistered(subject=n) for n in range(5)])
    for n in (3, 1):
        journal.append(e.SubjectErased(subject=n))
    keys = {n: KEYS.tombstone(n) for n in range(5)}
    assert store.entombed() == 2
    assert store.tombstones() == {keys[3]: 5, keys[1]: 6}
    assert store.tombstones([keys[1], keys[2]]) == {keys[1]: 6}
    assert store.tombstones([]) == {}
    assert store.tombstones([keys[1], *(bytes([n % 256, n // 256]) * 16 for n in range(1200)), keys[3]]) == {
        keys[1]: 6, keys[3]: 5,
    }  # fmt: skip


# ── what is damaged is found, what is derived is made anew ───────────────────────────────────────────────────────────

DAMAGE = {
    "an event gone": ("DELETE FROM private WHERE position = 3; DELETE FROM events WHERE position = 3", "event at position 3"),
    "a private part gone": ("DELETE FROM private WHERE position = 4", "event at position 4"),
    "a commitment changed": ("UPDATE private SET commitment = body, body = NULL, salt = NULL WHERE position = 5", "event at position 5"),
    "an instant changed": ("UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 6", "event at position 6"),
    "another kind": ("UPDATE events SET kind = 'subject.moved' WHERE position = 7", "event at position 7"),
    "a tile gone": ("DELETE FROM tiles", "tiles at position 0"),
    "a fact gone": ("DELETE FROM facts WHERE row = 8 * 1048576", "facts at position 8"),
    "a fact of somebody else": ("UPDATE facts SET id = 1 WHERE row = 9 * 1048576", "facts at position 9"),
    "a payload miscounted": ("UPDATE payloads SET uses = uses + 1", "store: payload"),
    "another checkpoint": ("UPDATE ledger SET value = 'none' WHERE name = 'checkpoint'", "checkpoint: "),
    "a column more": ("ALTER TABLE events ADD COLUMN more TEXT", "store: the tables are not declared"),
    "a tombstone": ("DELETE FROM tombstones", "tombstones at position"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_where_it_begins(place: Place, damage: str) -> None:
    statements, expected = DAMAGE[damage]
    with closing(place.create()) as store:
        journal = journal_on(store)
        journal.append_many([e.SubjectRegistered(subject=n, territory="FR") for n in range(20)])
        journal.append(e.SubjectErased(subject=19))
    for statement in statements.split("; "):
        place.run(statement)
    with closing(place.open()) as store:
        assert re.search(f"^{expected}", "\n".join(wrong(store)), re.MULTILINE), wrong(store)


def test_what_is_derived_is_made_anew(place: Place) -> None:
    with closing(place.create()) as store:
        journal = journal_on(store)
        journal.append_many([e.SubjectRegistered(subject=n, territory="FR") for n in range(700)])
        journal.append(e.SubjectErased(subject=5))
        journal.append(e.ChoiceRecorded(subject=6, decision="refusal", source="x"))
        place.run("DELETE FROM tiles WHERE level = 0 AND place = 1")
        place.run("DELETE FROM facts WHERE row > 30 * 1048576")
        place.run("DELETE FROM tombstones")
        assert len(wrong(store)) >= 3
        repair(store)
        assert wrong(store) == []
        assert journal_on(store).append(e.SubjectMoved(subject=6, territory="DE")).position == 702
        assert wrong(store) == []
