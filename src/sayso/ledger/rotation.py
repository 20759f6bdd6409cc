"""A change of the log's key: a statement that the old key and the new one both sign, kept in the log itself.

Who knows one key of a log learns of every later one by these statements, and of no key that the one before did not name.
"""

from __future__ import annotations

from collections.abc import Iterable

from sayso.errors import KeyFileError, VerificationError
from sayso.ledger.events import KeyRotated
from sayso.ledger.log import note
from sayso.ledger.log.note import Signer, VerifierKey

HEADER = "sayso key rotation"


def rotation(old: Signer, new: Signer) -> KeyRotated:
    """The event of a change of keys. Raises KeyFileError for keys of two logs, or for one key."""
    if old.verifier.name != new.verifier.name or old.verifier == new.verifier:
        raise KeyFileError("expected another key of the same log")
    statement = note.sign(_text(old.verifier, new.verifier), old, new)
    return KeyRotated(old=str(old.verifier), new=str(new.verifier), statement=str(statement))


def check(event: KeyRotated) -> tuple[VerifierKey, VerifierKey]:
    """The old and the new key of a change that both of them signed. Raises VerificationError."""
    try:
        old, new = VerifierKey.parse(event.old), VerifierKey.parse(event.new)
    except KeyFileError as error:
        raise VerificationError(f"the keys of a rotation cannot be read: {error}") from error
    statement = note.parse(event.statement)
    if statement.text != _text(old, new) or old.name != new.name:
        raise VerificationError("the statement of a rotation is not about its keys")
    if len(statement.verify((old, new))) != 2:
        raise VerificationError("the statement of a rotation needs the signatures of both keys")
    return old, new


def trusted(known: Iterable[VerifierKey], events: Iterable[KeyRotated]) -> tuple[VerifierKey, ...]:
    """The keys known, and those that changes in order of time lead to from them. Raises VerificationError."""
    keys = list(known)
    for event in events:
        old, new = check(event)
        if old in keys and new not in keys:
            keys.append(new)
    return tuple(keys)


def _text(old: VerifierKey, new: VerifierKey) -> str:
    return f"{HEADER}\n{old.name}\n{old}\n{new}\n"
