"""The keys of a ledger: those that sign its log, and the secret by which the erased are known again.

The secret is kept apart from the ledger, so that nobody who has the ledger alone can tell who was erased.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from sayso.errors import KeyFileError
from sayso.ledger.identity import Id
from sayso.ledger.log.note import Signer, VerifierKey

SECRET_BYTES = 32
TAG = b"sayso:tombstone:1\n"
NOBODY = ""
"""An id that nobody can have: its tombstone tells whether a secret is the ledger's."""


@dataclass(frozen=True)
class Keys:
    """What a ledger is written and read with. A part that is not at hand is `None`; what needs it says so.

    `next` is a key that is about to take the place of `signer`.
    """

    signer: Signer | None = None
    secret: bytes | None = field(default=None, repr=False)
    next: Signer | None = None

    def signing(self) -> Signer:
        """The key that signs. Raises KeyFileError where there is none."""
        if self.signer is None:
            raise KeyFileError("the ledger's signing key is missing; nothing can be recorded without it")
        return self.signer

    @property
    def verifiers(self) -> tuple[VerifierKey, ...]:
        """The public keys of those at hand."""
        return tuple(one.verifier for one in (self.signer, self.next) if one is not None)

    def tombstone(self, subject: Id) -> bytes:
        """What is kept of somebody erased: 32 bytes that only the secret leads to. Raises KeyFileError without it."""
        if self.secret is None:
            raise KeyFileError("the ledger's erasure secret is missing; without it nobody can tell who was erased")
        return hmac.digest(self.secret, TAG + str(subject).encode(), "sha256")
