"""Attacks on the design, each by somebody with a name: with its defence in place it is told, and without it goes through.

So no attack here fails for another reason than the defence that it is aimed at.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sayso import wiring
from sayso.canonical import canonical_bytes
from sayso.consent import receipt, receipt_check
from sayso.errors import RollbackError, SaysoError, StoreError, VerificationError
from sayso.ledger import dsse, fsck, head
from sayso.ledger import events as e
from sayso.ledger.commitment import SALT_BYTES, commit
from sayso.ledger.entry import seal, split
from sayso.ledger.fsck import faults
from sayso.ledger.head import LogHead
from sayso.ledger.journal import Journal
from sayso.ledger.keys import Keys
from sayso.ledger.log import checkpoint, merkle
from sayso.ledger.log.checkpoint import Checkpoint
from sayso.ledger.log.merkle import leaf_hash, node_hash
from sayso.ledger.log.note import Signer
from sayso.ledger.log.tiles import Tree
from sayso.ledger.log.words import base64
from sayso.ledger.publishing import publish
from sayso.ledger.store import Reading
from sayso.policy import loads, normal
from tests.consent.receipts import TEXT, Made, made, payload, platform
from tests.ledger.conftest import T0, Ledger
from tests.ledger.tampering import Memory, copy_of, execute, swap
from tests.ledgers import KEYS, ORIGIN, SIGNER, journal_on

STRANGER = Signer(ORIGIN, b"\x09" * 32)


def goes_through(attack: Callable[[], object]) -> bool:
    try:
        attack()
    except SaysoError:
        return False
    return True


def registered(journal: Journal, *subjects: int) -> None:
    for subject in subjects:
        journal.append(e.SubjectRegistered(subject=subject))


# ── rewriting an event ───────────────────────────────────────────────────────────────────────────────────────────────


def rewrite(ledger: Ledger, signer: Signer) -> None:
    """Makes the event at position 1 say another subject, and all that hangs on it to fit, the checkpoint included."""
    forged = seal(split(e.SubjectRegistered(subject=9), T0), 1, T0, bytes(SALT_BYTES))
    (part,) = forged.parts
    execute(ledger.store, "UPDATE events SET public = ? WHERE position = 1", forged.public)
    execute(ledger.store, "UPDATE private SET salt = ?, body = ? WHERE position = 1", *part)
    execute(ledger.store, "UPDATE facts SET id = 9 WHERE id = 2")
    leaves = [entry.leaf for entry in ledger.store.entries()]
    execute(ledger.store, "UPDATE tiles SET hashes = ? WHERE level = 0", b"".join(leaves))
    signed = str(Checkpoint(ORIGIN, len(leaves), merkle.root(leaves)).signed(signer))
    execute(ledger.store, "UPDATE ledger SET value = ? WHERE name = 'checkpoint'", signed)


def test_an_event_rewritten_by_who_holds_the_file(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Defence: the checkpoint is signed by a key that is not in the file."""
    registered(ledger.journal, 1, 2, 3)
    rewrite(ledger, STRANGER)
    assert [fault.part for fault in faults(ledger.store, KEYS.verifiers)] == ["checkpoint"]
    assert not goes_through(lambda: registered(journal_on(ledger.store, now=ledger.clock), 4))
    monkeypatch.setattr(checkpoint, "opened", lambda text, *_: checkpoint.unverified(text))
    assert list(faults(ledger.store, KEYS.verifiers)) == []
    assert goes_through(lambda: registered(journal_on(ledger.store, now=ledger.clock), 4))


def test_an_event_rewritten_by_who_holds_the_key_too(ledger: Ledger, tmp_path: Path) -> None:
    """Defence: the checkpoints that others have seen, and the log that is published."""
    seen = Memory()
    registered(journal_on(ledger.store, now=ledger.clock, seen=seen), 1, 2, 3)
    kept = checkpoint.unverified(ledger.store.checkpoint())
    with ledger.store.reading() as reading:
        publish(reading, tmp_path / "public", KEYS.verifiers)
    rewrite(ledger, SIGNER)
    assert list(faults(ledger.store, KEYS.verifiers)) == [], "the file alone cannot tell"
    with ledger.store.reading() as reading:
        now = checkpoint.opened(reading.checkpoint(), KEYS.verifiers)
        with pytest.raises(RollbackError, match="is another than was seen"):
            head.check_not_older(reading, now, kept)
        with pytest.raises(RollbackError, match="is another than was seen"):
            publish(reading, tmp_path / "public", KEYS.verifiers)
    assert not goes_through(lambda: registered(journal_on(ledger.store, now=ledger.clock, seen=seen), 4))
    assert goes_through(lambda: registered(journal_on(ledger.store, now=ledger.clock), 4)), "by what was seen alone"
    size = kept.size + 1
    forged = Tree(ledger.store.tile, size).consistency(kept.size)
    with pytest.raises(VerificationError):
        merkle.verify_consistency(kept.size, size, kept.root, Tree(ledger.store.tile, size).root(), forged)


@pytest.mark.parametrize("hidden", ["position", "kind", "party", "tiles"])
def test_an_event_rewritten_in_part_is_found_though_nobody_looks_at_signatures(ledger: Ledger, hidden: str) -> None:
    """Defence: everything is derived once more from the entries."""
    registered(ledger.journal, 1, 2, 3)
    statement = {
        "position": "UPDATE private SET position = 7 WHERE position = 1",
        "kind": "UPDATE events SET kind = 'subject.moved' WHERE position = 1",
        "party": "UPDATE facts SET id = 9 WHERE id = 2",
        "tiles": "UPDATE tiles SET hashes = zeroblob(96)",
    }[hidden]
    execute(ledger.store, statement)
    assert list(faults(ledger.store, ()))


def test_a_policy_document_is_swapped(tmp_path: Path) -> None:
    """It lies beside the log, which holds its digest. Defence: who decides by it compares the two."""
    parts = platform(tmp_path / "ledger")
    looser = TEXT.replace("mode: never, controller", "mode: always, controller")
    document = canonical_bytes(normal(loads(looser)))
    execute(parts.store, "UPDATE events SET document = ? WHERE kind = 'policy.published'", document)  # type: ignore[arg-type]
    with closing(wiring.open_ledger(tmp_path / "ledger")) as found:
        with pytest.raises(StoreError, match="the policy document at position `0` is not the one that was published"):
            found.reader.view()
        with pytest.raises(StoreError, match="run `sayso fsck`"):
            found.reader.published()
        assert [(fault.part, fault.position) for fault in faults(found.store, ())] == [("event", 0)]
    parts.close()


# ── dropping the last hour, and replaying an old checkpoint ──────────────────────────────────────────────────────────


def test_the_last_hour_is_dropped(ledger: Ledger, tmp_path: Path) -> None:
    """An older copy is put back: whole, and signed by the key. Defence: what was seen is kept apart from it."""
    seen = Memory()
    journal = journal_on(ledger.store, now=ledger.clock, seen=seen)
    registered(journal, 1, 2)
    earlier = copy_of(ledger, "earlier.db")
    registered(journal, 3)
    with ledger.store.reading() as reading:
        publish(reading, tmp_path / "public", KEYS.verifiers)
    store = swap(ledger, earlier)
    assert list(faults(store, KEYS.verifiers)) == [], "the file alone cannot tell"
    with pytest.raises(RollbackError, match="was rolled back: it holds `2` events, and `3` were seen"):
        registered(journal_on(store, now=ledger.clock, seen=seen), 4)
    with store.reading() as reading, pytest.raises(RollbackError, match="was rolled back"):
        publish(reading, tmp_path / "public", KEYS.verifiers)
    assert goes_through(lambda: registered(journal_on(store, now=ledger.clock), 4))
    with store.reading() as reading, pytest.raises(RollbackError, match="is another than was seen"):
        publish(reading, tmp_path / "public", KEYS.verifiers)
    store.close()


def test_an_old_checkpoint_is_put_in_the_place_of_the_last(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the log goes on twice from it. Defence: a checkpoint is of as many events as the store holds."""
    registered(ledger.journal, 1)
    old = ledger.store.checkpoint()
    registered(ledger.journal, 2)
    execute(ledger.store, "UPDATE ledger SET value = ? WHERE name = 'checkpoint'", old)
    assert [fault.part for fault in faults(ledger.store, KEYS.verifiers)] == ["checkpoint"]
    assert not goes_through(lambda: registered(journal_on(ledger.store, now=ledger.clock), 3))

    def unsized(self: LogHead, reading: Reading) -> Checkpoint:
        return checkpoint.opened(reading.checkpoint(), self.keys.verifiers, self.origin)

    monkeypatch.setattr(LogHead, "opened", unsized)
    assert goes_through(lambda: registered(journal_on(ledger.store, now=ledger.clock), 3))


def test_an_old_checkpoint_is_shown_to_who_saw_a_newer_one(ledger: Ledger, tmp_path: Path) -> None:
    """By a web server that serves last year's files. Defence: who looks asks for a proof that goes on from what was seen."""
    registered(ledger.journal, 1, 2)
    with ledger.store.reading() as reading:
        publish(reading, tmp_path / "public", KEYS.verifiers)
    registered(ledger.journal, 3)
    seen = checkpoint.opened(ledger.store.checkpoint(), KEYS.verifiers, ORIGIN)
    shown = checkpoint.opened((tmp_path / "public/checkpoint").read_bytes(), KEYS.verifiers, ORIGIN)
    with pytest.raises(VerificationError, match="no tree of size `3` is the beginning of one of size `2`"):
        merkle.verify_consistency(seen.size, shown.size, seen.root, shown.root, [])
    merkle.verify_consistency(
        shown.size, seen.size, shown.root, seen.root, Tree(ledger.store.tile, 3).consistency(shown.size)
    )


# ── forging a receipt ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    found = made(tmp_path_factory.mktemp("attacks") / "ledger")
    yield found
    found.parts.close()


def as_refusal(said: dict[str, Any]) -> None:
    """Turns the receipt of a grant into that of a refusal by the same act."""
    body = json.loads(said["part"]["body"]) | {"decision": "refusal"}
    said["part"]["body"] = json.dumps(body, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    consent = said["record"]["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"]
    consent |= {"@type": ["dpv:ConsentRefused", "dpv:ExpressedConsent"], "dct:type": "refusal"}


def grant(house: Made) -> dict[str, Any]:
    return copy.deepcopy(payload(house.receipts["grant"]))


def test_a_receipt_forged_by_a_stranger(house: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another standing than the choice came to. Defence: the envelope's signature."""
    said = grant(house)
    said["standing"] = []
    stranger = Signer("example.com/members", b"\x09" * 32)
    for forged in (receipt.signed(said, []), receipt.signed(said, [stranger])):
        assert not goes_through(lambda forged=forged: receipt_check.verify(forged, house.keys))  # type: ignore[misc]
    monkeypatch.setattr(dsse, "_signed", lambda *_: True)
    assert goes_through(lambda: receipt_check.verify(forged, house.keys))


def test_a_receipt_forged_by_the_log_itself(house: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another choice than the log holds. Defence: the private part opens the commitment in the entry."""
    said = grant(house)
    as_refusal(said)
    forged = receipt.signed(said, [house.parts.journal.keys.signing()])
    assert not goes_through(lambda: receipt_check.verify(forged, house.keys))
    monkeypatch.setattr(receipt_check, "_opens", lambda *_: None)
    assert receipt_check.verify(forged, house.keys).choice["decision"] == "refusal"


def test_a_receipt_of_an_entry_that_the_log_does_not_hold(house: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a commitment that opens, in an entry made for it. Defence: the inclusion proof."""
    said = grant(house)
    as_refusal(said)
    entry, part = json.loads(said["entry"]), said["part"]
    part["salt"] = base64(bytes(SALT_BYTES))
    entry["root"] = base64(leaf_hash(commit(bytes(SALT_BYTES), part["body"].encode())))
    said["entry"] = json.dumps(entry, separators=(",", ":"), sort_keys=True)
    forged = receipt.signed(said, [house.parts.journal.keys.signing()])
    assert not goes_through(lambda: receipt_check.verify(forged, house.keys))
    monkeypatch.setattr("sayso.ledger.log.proof.verify_inclusion", lambda *_: None)
    assert receipt_check.verify(forged, house.keys).choice["decision"] == "refusal"


def test_a_receipt_by_a_checkpoint_that_nobody_signed(house: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree of one entry, made for it. Defence: the checkpoint's signature."""
    said = grant(house)
    as_refusal(said)
    entry, part = json.loads(said["entry"]), said["part"]
    part["salt"] = base64(bytes(SALT_BYTES))
    entry["root"] = base64(leaf_hash(commit(bytes(SALT_BYTES), part["body"].encode())))
    said["entry"] = json.dumps(entry, separators=(",", ":"), sort_keys=True)
    position = house.positions["grant"]
    left, root = bytes(32), leaf_hash(said["entry"].encode())
    path, at = [], position
    while at:
        if at & 1:
            path.append(left)
            root = node_hash(left, root)
        at >>= 1
    tree = Checkpoint("example.com/members", position + 1, root)
    stranger = Signer("example.com/members", b"\x09" * 32)
    lines = ["c2sp.org/tlog-proof@v1", f"index {position}", *map(base64, path), "", str(tree.signed(stranger))]
    said["proof"] = "\n".join(lines)
    forged = receipt.signed(said, [house.parts.journal.keys.signing()])
    with pytest.raises(VerificationError, match="no known key signed the note"):
        receipt_check.verify(forged, house.keys)
    monkeypatch.setattr(receipt_check, "_opened", lambda text, _: checkpoint.unverified(text))
    assert receipt_check.verify(forged, house.keys).choice["decision"] == "refusal"


# ── guessing a subject from a commitment ─────────────────────────────────────────────────────────────────────────────


def guessed(ledger: Ledger, position: int, salts: list[bytes]) -> int | None:
    """Who an event is about, by its public entry alone: the attacker knows everything that it says but whom, and tries
    every id with every salt that is known.
    """
    (entry,) = ledger.store.entries(position, position + 1)
    said = json.loads(entry.public)
    for subject in range(1000):
        (body,) = split(e.SubjectRegistered(subject=subject, territory="FR"), T0).bodies
        for salt in salts:
            if said["root"] == base64(leaf_hash(commit(salt, body))):
                return subject
    return None


KNOWN = [b"", bytes(SALT_BYTES), b"\xff" * SALT_BYTES]


def test_a_subject_is_not_guessed_from_a_commitment(ledger: Ledger) -> None:
    """Defence: a salt. Without it, who knows how many members there are learns which of them it is."""
    ledger.journal.append(e.SubjectRegistered(subject=711, territory="FR"))
    assert guessed(ledger, 0, KNOWN) is None
    unsalted = journal_on(ledger.store, now=ledger.clock, random_bytes=bytes)
    unsalted.append(e.SubjectRegistered(subject=712, territory="FR"))
    assert guessed(ledger, 1, KNOWN) == 712


def test_the_salt_of_one_event_opens_no_other_of_the_same_person(ledger: Ledger) -> None:
    """As a receipt that its holder gave away shows one. Defence: salts are of events and not of persons."""
    moved = e.SubjectMoved(subject=711, territory="FR")
    ledger.journal.append_many([e.SubjectRegistered(subject=711), moved, moved])
    held = [part for entry in ledger.store.entries() for part in entry.parts]
    salts = [part[0] for part in held]
    assert len(set(salts)) == 3
    assert len({part.commitment for part in held}) == 3, "two events that say the same do not look the same"
    assert not any(salt in entry.public for entry in ledger.store.entries() for salt in salts)
    stuck = journal_on(ledger.store, now=ledger.clock, random_bytes=lambda count: b"\x07" * count)
    stuck.append_many([moved, moved])
    _, _, _, one, other = ledger.store.entries()
    assert one.public == other.public, "which a salt for each person would make of them"


def test_nobody_is_guessed_from_what_an_erasure_leaves(ledger: Ledger) -> None:
    """By who has the whole file. Defences: the salt is destroyed, and the tombstone is keyed by a secret kept apart."""
    ledger.journal.append(e.SubjectRegistered(subject=711, territory="FR"))
    (part,) = next(ledger.store.entries()).parts
    ledger.journal.append(e.SubjectErased(subject=711))
    found = [column for table in ("private", "tombstones") for row in rows(ledger, table) for column in row]
    salts = [*KNOWN, *(one for one in found if isinstance(one, bytes))]
    assert guessed(ledger, 0, salts) is None
    assert guessed(ledger, 0, [*salts, part[0]]) == 711, "by the salt, were it left"
    tombstones = set(ledger.store.tombstones())

    def tried(secrets: list[bytes]) -> set[int]:
        return {n for n in range(1000) for secret in secrets if Keys(secret=secret).tombstone(n) in tombstones}

    assert tried(salts) == set()
    assert KEYS.secret is not None
    assert tried([KEYS.secret]) == {711}, "by the secret, were it there"


def rows(ledger: Ledger, table: str) -> list[tuple[Any, ...]]:
    with ledger.store._session() as driver:
        return driver.execute(f"SELECT * FROM {table}").fetchall()


def test_the_secret_is_in_no_file_of_the_ledger(ledger: Ledger) -> None:
    ledger.journal.append(e.SubjectRegistered(subject=1))
    ledger.journal.append(e.SubjectErased(subject=1))
    assert fsck.STORE not in {fault.part for fault in faults(ledger.store, KEYS.verifiers)}
    assert KEYS.secret is not None
    for path in ledger.store.path.parent.glob(f"{ledger.store.path.name}*"):
        data = path.read_bytes()
        assert KEYS.secret not in data
        assert SIGNER.text.rpartition("+")[2].encode() not in data
