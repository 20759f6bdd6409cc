"""A change of keys: both sign it, it is in the log, and who knows one key learns of the later ones."""

from __future__ import annotations

import pytest

from sayso.errors import EventError, KeyFileError, VerificationError
from sayso.ledger import events as e
from sayso.ledger.keys import Keys
from sayso.ledger.log import checkpoint, note
from sayso.ledger.log.note import Signer
from sayso.ledger.rotation import check, rotation, trusted
from tests.ledger.conftest import Ledger, both_kinds
from tests.ledgers import KEYS, ORIGIN, SIGNER, journal_on

kind = both_kinds

NEW, NEWER = Signer(ORIGIN, b"\x05" * 32), Signer(ORIGIN, b"\x06" * 32)


def test_it_is_recorded_signed_by_both_and_by_the_new_key_from_then_on(ledger: Ledger) -> None:
    both = journal_on(ledger.store, now=ledger.clock, keys=Keys(SIGNER, KEYS.secret, NEW))
    both.append(rotation(SIGNER, NEW))
    for signer in (SIGNER, NEW):
        checkpoint.opened(ledger.store.checkpoint(), [signer.verifier], ORIGIN)
    later = journal_on(ledger.store, now=ledger.clock, keys=Keys(NEW, KEYS.secret))
    later.append(e.SubjectRegistered(subject=1))
    checkpoint.opened(ledger.store.checkpoint(), [NEW.verifier], ORIGIN)
    with pytest.raises(VerificationError):
        checkpoint.opened(ledger.store.checkpoint(), [SIGNER.verifier], ORIGIN)
    with pytest.raises(KeyFileError, match="not signed by the key at hand"):
        journal_on(ledger.store, now=ledger.clock).append(e.SubjectRegistered(subject=2))


def test_one_key_leads_to_the_later_ones_and_a_stranger_to_none() -> None:
    changes = [rotation(SIGNER, NEW), rotation(NEW, NEWER)]
    assert trusted([SIGNER.verifier], changes) == (SIGNER.verifier, NEW.verifier, NEWER.verifier)
    assert trusted([NEW.verifier], changes) == (NEW.verifier, NEWER.verifier)
    assert trusted([NEW.verifier, NEWER.verifier], changes) == (NEW.verifier, NEWER.verifier)
    stranger = Signer(ORIGIN, b"\x07" * 32).verifier
    assert trusted([stranger], changes) == (stranger,)


def forged(old: Signer, new: Signer, statement: note.Note) -> e.KeyRotated:
    return e.KeyRotated(old=str(old.verifier), new=str(new.verifier), statement=str(statement))


def test_a_change_that_both_keys_did_not_sign_is_none(ledger: Ledger) -> None:
    good = rotation(SIGNER, NEW)
    text = note.parse(good.statement).text
    other = Signer("example.com/other", b"\x05" * 32)
    for bad in (
        forged(SIGNER, NEW, note.sign(text, NEW)),
        forged(SIGNER, NEW, note.sign(text, SIGNER)),
        forged(SIGNER, NEWER, note.parse(good.statement)),
        forged(SIGNER, other, note.sign(text.replace(str(NEW.verifier), str(other.verifier)), SIGNER, other)),
        e.KeyRotated(old="x", new=good.new, statement=good.statement),
        e.KeyRotated(old=good.old, new=good.new, statement="x"),
    ):
        with pytest.raises(VerificationError):
            check(bad)
        with pytest.raises(EventError, match=r"key\.rotated"):
            ledger.journal.append(bad)


def test_a_key_is_changed_for_another_of_the_same_log() -> None:
    for new in (SIGNER, Signer("example.com/other", b"\x05" * 32)):
        with pytest.raises(KeyFileError, match="another key of the same log"):
            rotation(SIGNER, new)


def test_a_key_needs_a_name_that_a_note_can_have() -> None:
    for name, seed in (("", bytes(32)), ("a b", bytes(32)), ("a+b", bytes(32)), ("a", bytes(31))):
        with pytest.raises(KeyFileError, match="expected a key name"):
            Signer(name, seed)
