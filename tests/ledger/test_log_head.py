"""The log goes on only from what its key signed, over the tree that the store holds, and never from an older one.

Attacks on the design: an event rewritten, the last hour dropped, an old checkpoint put back. Each must be recognised.
"""

from __future__ import annotations

import pytest

from sayso.errors import KeyFileError, RollbackError, SaysoError, StoreError
from sayso.ledger import events as e
from sayso.ledger.entry import seal, split
from sayso.ledger.fsck import faults
from sayso.ledger.head import check_not_older
from sayso.ledger.journal import Journal
from sayso.ledger.keys import Keys
from sayso.ledger.log import checkpoint
from sayso.ledger.log.checkpoint import Checkpoint
from sayso.ledger.log.merkle import EMPTY
from sayso.ledger.log.note import Signer
from tests.ledger.conftest import T0, Ledger, Open
from tests.ledger.tampering import Memory, copy_of, execute, swap
from tests.ledgers import KEYS, ORIGIN, SIGNER, journal_on


def registered(journal: Journal, *subjects: int) -> None:
    for subject in subjects:
        journal.append(e.SubjectRegistered(subject=subject))


def test_every_batch_is_covered_by_a_checkpoint_of_its_own(ledger: Ledger) -> None:
    for size in range(1, 5):
        registered(ledger.journal, size)
        head = checkpoint.opened(ledger.store.checkpoint(), KEYS.verifiers, ORIGIN)
        assert head.size == size == ledger.store.head().size
    refused = ledger.store.checkpoint()
    with pytest.raises(SaysoError):
        registered(ledger.journal, 1)
    assert ledger.store.checkpoint() == refused


def test_without_a_key_nothing_is_recorded(ledger: Ledger) -> None:
    with pytest.raises(KeyFileError, match="signing key is missing"):
        registered(journal_on(ledger.store, now=ledger.clock, keys=Keys()), 1)
    assert ledger.store.head().size == 0


def test_another_key_does_not_go_on_with_the_log(ledger: Ledger) -> None:
    registered(ledger.journal, 1)
    stranger = Keys(Signer(ORIGIN, b"\x09" * 32), b"\x02" * 32)
    with pytest.raises(KeyFileError, match="not signed by the key at hand"):
        registered(journal_on(ledger.store, now=ledger.clock, keys=stranger), 2)


def test_another_erasure_secret_is_told(ledger: Ledger) -> None:
    registered(ledger.journal, 1)
    with pytest.raises(KeyFileError, match="the erasure secret at hand is not that of ledger"):
        registered(journal_on(ledger.store, now=ledger.clock, keys=Keys(SIGNER, b"\x03" * 32)), 2)
    registered(journal_on(ledger.store, now=ledger.clock, keys=Keys(SIGNER)), 2)


def test_the_last_hour_dropped_is_a_rollback(ledger: Ledger) -> None:
    seen = Memory()
    journal = journal_on(ledger.store, now=ledger.clock, seen=seen)
    registered(journal, 1, 2)
    copy = copy_of(ledger, "earlier.db")
    registered(journal, 3)
    store = swap(ledger, copy)
    with pytest.raises(RollbackError, match="was rolled back: it holds `2` events, and `3` were seen"):
        registered(journal_on(store, now=ledger.clock, seen=seen), 4)
    registered(journal_on(store, now=ledger.clock), 4)
    with pytest.raises(RollbackError, match="is another than was seen"):
        registered(journal_on(store, now=ledger.clock, seen=seen), 5)
    store.close()


def test_events_dropped_with_their_checkpoint_are_missed(ledger: Ledger) -> None:
    registered(ledger.journal, 1)
    old = ledger.store.checkpoint()
    registered(ledger.journal, 2)
    execute(ledger.store, "UPDATE ledger SET value = ? WHERE name = 'checkpoint'", old)
    with pytest.raises(StoreError, match="it holds `2` events, its checkpoint says `1`"):
        registered(journal_on(ledger.store, now=ledger.clock), 3)
    assert [fault.part for fault in faults(ledger.store, KEYS.verifiers)] == ["checkpoint"]


def test_an_event_rewritten_is_found(ledger: Ledger) -> None:
    """With its commitment, its root, its tile and its facts all made to fit: only the signature is not."""
    registered(ledger.journal, 1, 2, 3)
    forged = seal(split(e.SubjectRegistered(subject=9), T0), 1, T0, bytes(32))
    (part,) = forged.parts
    execute(ledger.store, "UPDATE events SET public = ? WHERE position = 1", forged.public)
    execute(ledger.store, "UPDATE private SET salt = ?, body = ? WHERE position = 1", *part)
    execute(ledger.store, "UPDATE facts SET id = 9 WHERE id = 2")
    assert {(fault.part, fault.position) for fault in faults(ledger.store, KEYS.verifiers)} == {
        ("tiles", 1),
        ("checkpoint", None),
    }
    hashes = b"".join(entry.leaf for entry in ledger.store.entries())
    execute(ledger.store, "UPDATE tiles SET hashes = ?", hashes)
    assert [fault.part for fault in faults(ledger.store, KEYS.verifiers)] == ["checkpoint"]
    with pytest.raises(StoreError, match="its tree is not that of its checkpoint"):
        registered(journal_on(ledger.store, now=ledger.clock), 4)


def test_tiles_that_are_gone_are_damage(ledger: Ledger) -> None:
    registered(ledger.journal, 1)
    execute(ledger.store, "DELETE FROM tiles")
    with pytest.raises(StoreError, match="is damaged: tile 0/0 holds fewer"):
        registered(journal_on(ledger.store, now=ledger.clock), 2)
    seen = Memory()
    seen.checkpoint = ledger.store.checkpoint()
    with pytest.raises(StoreError, match="is damaged"):
        registered(journal_on(ledger.store, now=ledger.clock, seen=seen), 2)


def test_a_checkpoint_that_is_remembered_and_is_none_says_what_to_do(ledger: Ledger) -> None:
    """As a power failure may leave it."""
    seen = Memory()
    seen.checkpoint = "\0" * 512
    with pytest.raises(KeyFileError, match="remove the file `checkpoint`"):
        registered(journal_on(ledger.store, now=ledger.clock, seen=seen), 1)


def test_a_checkpoint_of_another_log_is_no_reason_to_trust_this_one(ledger: Ledger) -> None:
    registered(ledger.journal, 1)
    head = checkpoint.unverified(ledger.store.checkpoint())
    other = Checkpoint("example.com/another", 1, head.root)
    with ledger.store.reading() as reading, pytest.raises(RollbackError, match="of another log"):
        check_not_older(reading, head, other)
    with ledger.store.reading() as reading:
        check_not_older(reading, head, Checkpoint(ORIGIN, 0, EMPTY))


def test_a_ledger_without_keys_is_read_all_the_same(ledger: Ledger) -> None:
    registered(ledger.journal, 1)
    blind = journal_on(ledger.store, now=ledger.clock, keys=Keys())
    with ledger.store.reading() as reading:
        assert blind.log.recognise(reading).size == 1


def test_two_journals_take_turns(ledger: Ledger) -> None:
    other = journal_on(ledger.store, now=ledger.clock)
    for number in range(10):
        registered(ledger.journal if number % 2 else other, number)
    assert list(faults(ledger.store, KEYS.verifiers)) == []


def test_who_is_erased_is_remembered_apart(ledger: Ledger) -> None:
    seen = Memory()
    journal = journal_on(ledger.store, now=ledger.clock, seen=seen)
    registered(journal, 1, 2)
    journal.append(e.SubjectErased(subject=2))
    assert seen.tombstones == [KEYS.tombstone(2)]


def test_while_the_key_changes_both_sign(ledger: Ledger) -> None:
    new = Signer(ORIGIN, b"\x05" * 32)
    both = journal_on(ledger.store, now=ledger.clock, keys=Keys(SIGNER, KEYS.secret, new))
    registered(both, 1)
    for signer in (SIGNER, new):
        assert checkpoint.opened(ledger.store.checkpoint(), (signer.verifier,), ORIGIN).size == 1


def test_an_empty_batch_signs_nothing(new_ledger: Open) -> None:
    ledger = new_ledger()
    before = ledger.store.checkpoint()
    with ledger.journal.writing():
        pass
    assert ledger.store.checkpoint() == before
