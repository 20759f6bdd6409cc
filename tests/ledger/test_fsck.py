"""fsck: every fault is found and placed, and repair makes anew what is derived and nothing else."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest

from sayso.errors import SaysoError, StoreError
from sayso.ledger import events as e
from sayso.ledger.fsck import Fault, faults, repair
from sayso.ledger.identity import IdType
from sayso.ledger.keys import Keys
from sayso.ledger.log.note import Signer
from sayso.policy import loads, normal
from sayso.stores.sqlite import SqliteStore, open_ledger
from tests.ledger.conftest import T0, Ledger, Open
from tests.ledger.tampering import Memory
from tests.ledgers import KEYS, ORIGIN, founding, journal_on

TOUR = Path(__file__).parents[2] / "examples/tour/policy.yaml"


@pytest.fixture
def filled(new_ledger: Open) -> Ledger:
    """A policy, three hundred people, a list that a notice reached, and one person erased."""
    ledger = new_ledger(IdType.STRING)
    policy = loads(TOUR.read_text("utf-8"))
    ledger.journal.append(e.PolicyPublished(platform=policy.platform, digest=policy.digest, document=normal(policy)))
    ledger.journal.append_many([e.SubjectRegistered(subject=f"person {n}", territory="FR") for n in range(300)])
    reached = e.Audience(subjects=("person 1", "person 2", "person 3"))
    ledger.journal.append(e.NoticeDelivered(notice="ai-notice", version="2025-01", audience=reached))
    ledger.clock.now = T0 + 3600_000_000
    ledger.journal.append(e.SubjectErased(subject="person 2"))
    return ledger


def execute(store: SqliteStore, statement: str, *values: object) -> None:
    driver = sqlite3.connect(store.path)
    with driver:
        driver.execute(statement, values)
    driver.close()


def found(ledger: Ledger) -> list[Fault]:
    return list(faults(ledger.store, KEYS.verifiers))


def test_a_whole_ledger_has_no_fault(filled: Ledger) -> None:
    assert found(filled) == []
    assert list(faults(filled.store, ())) == []


TAMPERINGS = [
    ("UPDATE events SET public = CAST(replace(public, 'registered', 'registerex') AS BLOB) WHERE position = 7", 7),
    ("UPDATE events SET public = CAST(replace(public, '{', '{ ') AS BLOB) WHERE position = 7", 7),
    ("UPDATE events SET public = CAST('[]' AS BLOB) WHERE position = 7", 7),
    ("UPDATE events SET public = CAST('{' AS BLOB) WHERE position = 7", 7),
    ("UPDATE events SET kind = 'subject.moved' WHERE position = 7", 7),
    ("UPDATE events SET kind = 'nothing' WHERE position = 7", 7),
    ("UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 7", 7),
    ("UPDATE events SET recorded_at = recorded_at - 1 WHERE position = 7", 7),
    ("UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 0", 0),
    ("UPDATE events SET recorded_at = recorded_at + 86400000000 WHERE position = 3", 3),
    ("UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 3", 3),
    ("UPDATE events SET everyones = 1 WHERE position = 7", 7),
    ("UPDATE events SET everyones = 0 WHERE position = 0", 0),
    ("UPDATE events SET document = NULL WHERE position = 0", 0),
    ("UPDATE events SET document = CAST('{}' AS BLOB) WHERE position = 0", 0),
    ("DELETE FROM private WHERE position = 7", 7),
    ("UPDATE private SET salt = zeroblob(32) WHERE position = 7", 7),
    ("UPDATE private SET salt = zeroblob(31) WHERE position = 7", 7),
    ("UPDATE private SET body = CAST(replace(body, 'FR', 'DE') AS BLOB) WHERE position = 7", 7),
    ("UPDATE private SET commitment = zeroblob(32) WHERE position = 3", 3),
    ("INSERT INTO private VALUES (7, 1, zeroblob(32), CAST('{}' AS BLOB), NULL)", 7),
    ("INSERT INTO private VALUES (0, 0, zeroblob(32), CAST('{}' AS BLOB), NULL)", 0),
    (f"UPDATE events SET public = CAST('{'[' * 20_000}' AS BLOB) WHERE position = 7", 7),
    (f"UPDATE private SET body = CAST('{'[' * 20_000}' AS BLOB) WHERE position = 7", 7),
    ("UPDATE events SET recorded_at = -9223372036854775808 WHERE position = 7", 7),
    ("UPDATE events SET position = 9223372036854775807 WHERE position = 302", None),
    ("UPDATE events SET position = 4000000000 WHERE position = 7", 7),
    ("UPDATE events SET position = -7 WHERE position = 302", None),
    ("UPDATE private SET part = 9 WHERE position = 301 AND part = 3", None),
    ("UPDATE events SET position = 5000 WHERE position = 302", 302),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "position"), TAMPERINGS)
def test_an_event_that_was_tampered_with(filled: Ledger, statement: str, position: int | None) -> None:
    execute(filled.store, statement)
    told = found(filled)
    if position is not None:
        assert ("event", position) in {(fault.part, fault.position) for fault in told}, told
    assert position is not None or not told or told[0].part in ("event", "facts", "store")


DERIVED = [
    ("UPDATE tiles SET hashes = zeroblob(8192) WHERE level = 0 AND place = 0", ("tiles", 0)),
    ("UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND place = 1", ("tiles", 256)),
    ("DELETE FROM tiles WHERE level = 1", ("tiles", 0)),
    ("UPDATE tiles SET hashes = CAST(hashes || zeroblob(32) AS BLOB) WHERE level = 1", ("tiles", 303)),
    ("INSERT INTO tiles VALUES (3, 0, zeroblob(32))", ("tiles", 303)),
    ("INSERT INTO tiles VALUES (-1, -1, zeroblob(32))", ("tiles", 303)),
    ("INSERT INTO tiles VALUES (9223372036854775807, 9223372036854775807, zeroblob(32))", ("tiles", 303)),
    ("DELETE FROM facts WHERE row = 7 * 1048576", ("facts", 7)),
    ("UPDATE facts SET at = at + 1 WHERE row = 7 * 1048576", ("facts", 7)),
    ("DELETE FROM tombstones", ("tombstones", 302)),
    ("INSERT INTO tombstones VALUES (zeroblob(32), 5)", ("tombstones", 5)),
    ("UPDATE payloads SET uses = uses + 1", ("store", None)),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "expected"), DERIVED)
def test_what_is_derived_is_compared_and_made_anew(
    filled: Ledger, statement: str, expected: tuple[str, int | None]
) -> None:
    before = list(filled.store.entries())
    execute(filled.store, statement)
    assert expected in {(fault.part, fault.position) for fault in found(filled)}
    repair(filled.store)
    assert found(filled) == []
    assert list(filled.store.entries()) == before


def test_an_event_is_not_repaired(filled: Ledger) -> None:
    execute(filled.store, "UPDATE private SET body = CAST(replace(body, 'FR', 'DE') AS BLOB) WHERE position = 7")
    repair(filled.store)
    assert ("event", 7) in {(fault.part, fault.position) for fault in found(filled)}


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE ledger SET value = 'example.com/other' WHERE name = 'origin'", "got one of"),
        ("UPDATE ledger SET value = replace(value, char(10) || '303', char(10) || '304') WHERE name = 'checkpoint'",
         "is not that of this text"),
        ("UPDATE ledger SET value = '' WHERE name = 'checkpoint'", "expected a signed note"),
    ],
)  # fmt: skip
def test_a_checkpoint_that_was_tampered_with(filled: Ledger, statement: str, told: str) -> None:
    execute(filled.store, statement)
    store = open_ledger(filled.store.path, founding)
    (fault,) = faults(store, KEYS.verifiers)
    assert fault.part == "checkpoint"
    assert told in str(fault)
    assert store.origin == ORIGIN or [one.part for one in faults(store, ())] == ["checkpoint"]
    store.close()


def test_a_checkpoint_signed_by_a_stranger(filled: Ledger) -> None:
    stranger = Signer(ORIGIN, b"\x07" * 32).verifier
    assert [fault.part for fault in faults(filled.store, (stranger,))] == ["checkpoint"]


def test_a_checkpoint_of_fewer_events_than_there_are(filled: Ledger) -> None:
    signed = filled.store.checkpoint()
    filled.journal.append(e.SubjectRegistered(subject="later"))
    execute(filled.store, "UPDATE ledger SET value = ? WHERE name = 'checkpoint'", signed)
    (fault,) = found(filled)
    assert fault == Fault("checkpoint", 303, "it is of `303` events, the store holds `304`")


@pytest.mark.parametrize(("position", "column"), [(7, "public"), (0, "document"), (0, "public")])
def test_an_event_that_cannot_be_read_is_told_of_by_whoever_reads_it(
    filled: Ledger, position: int, column: str
) -> None:
    for value in (b"[" * 20_000, b"", b"null", b'["kind"]', b"\xff"):
        execute(filled.store, f"UPDATE events SET {column} = ? WHERE position = {position}", value)
        with pytest.raises(StoreError, match=f"position `{position}` cannot be read"):
            list(journal_on(filled.store, now=filled.clock).read())
        assert ("event", position) in {(fault.part, fault.position) for fault in found(filled)}


def test_a_ledger_that_lost_its_checkpoint(filled: Ledger) -> None:
    execute(filled.store, "DELETE FROM ledger WHERE name = 'checkpoint'")
    assert [fault.part for fault in found(filled)] == ["checkpoint"]


def test_events_that_cannot_be_read_leave_nothing_to_derive(filled: Ledger) -> None:
    execute(filled.store, 'UPDATE private SET body = CAST(\'{"tombstone":"x"}\' AS BLOB) WHERE position = 302')
    assert ("tombstones", None) in {(fault.part, fault.position) for fault in found(filled)}
    execute(filled.store, "UPDATE private SET body = CAST('[]' AS BLOB) WHERE position = 7")
    assert ("facts", None) in {(fault.part, fault.position) for fault in found(filled)}


def dump(path: Path) -> list[str] | None:
    """All that a ledger file says, but for which code comes next; `None` where it cannot be read."""
    driver = sqlite3.connect(path)
    try:
        return [line for line in driver.iterdump() if '"sqlite_sequence"' not in line]
    except (sqlite3.Error, UnicodeDecodeError, ValueError):
        return None
    finally:
        driver.close()


@pytest.fixture
def small(new_ledger: Open) -> Ledger:
    """A few events of every sort, in as few pages as there are tables."""
    ledger = new_ledger(IdType.STRING)
    policy = loads(TOUR.read_text("utf-8"))
    ledger.journal.append(e.PolicyPublished(platform=policy.platform, digest=policy.digest, document=normal(policy)))
    ledger.journal.append_many([e.SubjectRegistered(subject=f"person {n}", territory="FR") for n in range(8)])
    reached = e.Audience(subjects=("person 1", "person 2", "person 3"))
    ledger.journal.append(e.NoticeDelivered(notice="ai-notice", version="2025-01", audience=reached))
    ledger.journal.append(e.SubjectErased(subject="person 2"))
    return ledger


def unnoticed(path: Path, places: Iterable[int], spoiled: Path | None = None, seen: Memory | None = None) -> list[int]:
    """Of bits of a file, by number, those that may flip and nobody is told, though the ledger says something else then.

    The file is the ledger at the path, or one beside it.
    """
    file = spoiled or path
    held = {one: one.read_bytes() for one in path.parent.glob(f"{path.name}*") if one.is_file()}
    before = dump(path)
    missed = []
    for place in places:
        for one in path.parent.glob(f"{path.name}*"):
            one.unlink()
        for one, data in held.items():
            one.write_bytes(data)
        flipped = bytearray(held[file])
        flipped[place // 8] ^= 1 << place % 8
        file.write_bytes(flipped)
        if not _noticed(path, seen) and dump(path) != before:
            missed.append(place)
    return missed


def _noticed(path: Path, seen: Memory | None = None) -> bool:
    """Whether whoever opens or checks a ledger is told; any other error than ours is a fault of ours."""
    try:
        store = open_ledger(path, founding)
    except SaysoError:
        return True
    try:
        with store.reading() as reading:
            journal_on(store, now=lambda: T0, seen=seen).log.recognise(reading)
        return bool(list(faults(store, KEYS.verifiers)))
    except SaysoError:
        return True
    finally:
        store.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(3), None])
def test_a_bit_flipped_anywhere_is_found(small: Ledger, tmp_path: Path, seed: int | None) -> None:
    """Anywhere in the file: it is refused or found, or nothing that the file says is any different."""
    (tmp_path / "copy").mkdir()
    path = tmp_path / "copy" / "copy.db"
    small.store.backup(path)
    chosen = random.randrange(2**32) if seed is None else seed
    bits = random.Random(chosen).sample(range(path.stat().st_size * 8), 400)
    assert unnoticed(path, bits) == [], f"seed {chosen}"


@pytest.mark.torture
def test_every_byte_may_flip_a_bit(small: Ledger, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    path = tmp_path / "copy" / "copy.db"
    small.store.backup(path)
    chance = random.Random()
    assert unnoticed(path, [place * 8 + chance.randrange(8) for place in range(path.stat().st_size)]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["-wal", "-shm"])
def test_a_bit_flipped_in_what_is_not_in_the_file_yet(small: Ledger, tmp_path: Path, name: str) -> None:
    """After a power failure: SQLite leaves out what follows a frame that is spoiled, and so what was acknowledged. The
    keys remember the checkpoint that covered it.
    """
    seen = Memory()
    journal = journal_on(small.store, now=small.clock, seen=seen)
    for number in range(20, 25):
        journal.append(e.SubjectRegistered(subject=f"person {number}"))
    (tmp_path / "copy").mkdir()
    path = tmp_path / "copy" / "copy.db"
    for beside in ("", "-wal", "-shm"):
        shutil.copyfile(f"{small.store.path}{beside}", f"{path}{beside}")
    file = path.with_name(path.name + name)
    size, chosen = file.stat().st_size, random.randrange(2**32)
    assert size > 1000
    bits = random.Random(chosen).sample(range(size * 8), 150)
    assert unnoticed(path, bits, file, seen) == [], f"seed {chosen}"


def test_keys_show_no_secret() -> None:
    assert "2" * 8 not in repr(KEYS)
    assert repr(Keys(KEYS.signer)).count("example.com") == 1
