"""The head of the log: what the journal continues from, and signs anew after every batch.

A log goes on only from a checkpoint that its own key signed, over the tree that the store holds, and never from an older
one than was seen before.
"""

from __future__ import annotations

from collections.abc import Sequence
from hmac import compare_digest
from typing import Protocol

from sayso.errors import KeyFileError, RollbackError, StoreError, VerificationError
from sayso.ledger.keys import NOBODY, Keys
from sayso.ledger.log import checkpoint
from sayso.ledger.log.checkpoint import Checkpoint
from sayso.ledger.log.merkle import EMPTY
from sayso.ledger.log.tiles import Edge, Tree
from sayso.ledger.store import Reading


class Seen(Protocol):
    """Where the newest checkpoint is remembered, apart from the ledger, so that an older ledger is recognised."""

    def last(self) -> str | None:
        """The checkpoint remembered; `None` if there is none yet."""

    def remember(self, checkpoint: str) -> None:
        """Remembers a checkpoint in the place of the last."""

    def bury(self, tombstones: Sequence[bytes]) -> None:
        """Remembers tombstones, durably, so that an older copy that is restored can be made to honour them."""


class Unseen:
    """Remembers nothing."""

    def last(self) -> None:
        """None."""

    def remember(self, checkpoint: str) -> None:
        """Forgets it."""

    def bury(self, tombstones: Sequence[bytes]) -> None:
        """Forgets them."""


class LogHead:
    """Keeps the right edge of the log's tree between batches of one journal, and signs its checkpoints."""

    def __init__(self, origin: str, keys: Keys, seen: Seen) -> None:
        self.origin = origin
        self.keys = keys
        self._seen = seen
        self._kept: tuple[str, Edge] | None = None

    def take(self, reading: Reading) -> Edge:
        """The right edge of the tree at the store's head; it is the caller's to extend until `keep`.

        Raises StoreError where checkpoint and tree do not agree, RollbackError where the store is older than was seen.
        """
        kept, self._kept = self._kept, None
        text = reading.checkpoint()
        if kept is not None and kept[0] == text:
            return kept[1]
        head = self.recognise(reading)
        try:
            edge = Edge(head.size, reading.tile)
        except VerificationError as error:
            raise _damaged(self.origin, str(error)) from error
        if edge.peaks.root() != head.root:
            raise _damaged(self.origin, "its tree is not that of its checkpoint")
        return edge

    def sign(self, edge: Edge) -> str:
        """The signed checkpoint of a tree; while the key changes, both sign it. Raises KeyFileError without a key."""
        signers = [self.keys.signing(), *([] if self.keys.next is None else [self.keys.next])]
        return str(Checkpoint(self.origin, edge.size, edge.peaks.root()).signed(*signers))

    def keep(self, text: str, edge: Edge) -> None:
        """Takes back the edge of a tree whose checkpoint is committed, and remembers that."""
        self._kept = (text, edge)
        self._seen.remember(text)

    def bury(self, tombstones: Sequence[bytes]) -> None:
        """Remembers who is erased, before the erasure is committed."""
        if tombstones:
            self._seen.bury(tombstones)

    def recognise(self, reading: Reading) -> Checkpoint:
        """The checkpoint of a store, which must go on from that seen last. Raises StoreError, RollbackError."""
        head = self.opened(reading)
        seen = self._seen.last()
        if seen is not None:
            check_not_older(reading, head, _remembered(seen))
        return head

    def opened(self, reading: Reading) -> Checkpoint:
        """The store's checkpoint, signed by a key at hand where there is one, and of the store's size."""
        text = reading.checkpoint()
        try:
            if self.keys.verifiers:
                head = checkpoint.opened(text, self.keys.verifiers, self.origin)
            else:
                head = checkpoint.unverified(text)
        except VerificationError as error:
            raise KeyFileError(
                f"the checkpoint of ledger `{self.origin}` was not signed by the key at hand ({error}); if the key was changed, "
                "open the ledger again"
            ) from error
        if self.keys.secret is not None and not compare_digest(self.keys.tombstone(NOBODY), reading.nobody()):
            raise KeyFileError(
                f"the erasure secret at hand is not that of ledger `{self.origin}`: nobody who was erased would be known again"
            )
        size = reading.head().size
        if head.size != size:
            raise _damaged(self.origin, f"it holds `{size}` events, its checkpoint says `{head.size}`")
        return head


def check_not_older(reading: Reading, head: Checkpoint, seen: Checkpoint) -> None:
    """Checks that a store, whose head is known, goes on from a checkpoint seen before. Raises RollbackError."""
    if seen.origin != head.origin:
        raise RollbackError(f"the checkpoint is of another log, `{seen.origin}`, and not of `{head.origin}`")
    if seen.size > head.size:
        raise RollbackError(
            f"ledger `{head.origin}` was rolled back: it holds `{head.size}` events, and `{seen.size}` were seen; "
            "restore a newer copy"
        )
    try:
        root = Tree(reading.tile, seen.size).root() if seen.size else EMPTY
    except VerificationError as error:
        raise StoreError(f"ledger `{head.origin}` is damaged: {error}; run `sayso fsck`") from error
    if root != seen.root:
        raise RollbackError(
            f"ledger `{head.origin}` is another than was seen: its first `{seen.size}` events differ from those that a "
            "checkpoint was signed for; find out which of the two was altered"
        )


def _remembered(text: str) -> Checkpoint:
    """The checkpoint that is remembered. Raises KeyFileError for what is none, as a power failure may leave it."""
    try:
        return checkpoint.unverified(text)
    except VerificationError as error:
        raise KeyFileError(
            "the checkpoint that the keys remember is none; hold the ledger against one that somebody else kept, with "
            "`sayso fsck --against`, and then remove the file `checkpoint` beside the keys"
        ) from error


def _damaged(origin: str, why: str) -> StoreError:
    return StoreError(f"ledger `{origin}` is damaged: {why}; run `sayso fsck`")
