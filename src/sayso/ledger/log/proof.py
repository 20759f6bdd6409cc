"""Proofs that an entry is in a log, to be kept and checked offline (C2SP tlog-proof).

```
c2sp.org/tlog-proof@v1
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=

example.com/fancylog
…
```
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from sayso.errors import VerificationError
from sayso.ledger.log import checkpoint
from sayso.ledger.log.checkpoint import Checkpoint
from sayso.ledger.log.merkle import HASH_BYTES, LARGEST, leaf_hash, verify_inclusion
from sayso.ledger.log.note import VerifierKey
from sayso.ledger.log.words import base64, from_base64

HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)
_MOST_HASHES = 63


@dataclass(frozen=True, slots=True)
class LogProof:
    """The index of an entry, the path from it to the root, and the checkpoint, a signed note, that states the root.

    `extra` is what else was written, and proves nothing.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    def __str__(self) -> str:
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64(self.extra)}")
        lines += [f"index {self.index}", *map(base64, self.path), "", self.checkpoint]
        return "\n".join(lines)

    def verify(self, entry: bytes, known: Collection[VerifierKey], origin: str | None = None) -> Checkpoint:
        """Checks that an entry is in the log, by a checkpoint that a known key signed; returns the checkpoint.

        Raises VerificationError.
        """
        head = checkpoint.opened(self.checkpoint, known, origin)
        self.leads_to(head, entry)
        return head

    def leads_to(self, head: Checkpoint, entry: bytes) -> None:
        """Checks that an entry is in the tree of a checkpoint that is trusted. Raises VerificationError."""
        verify_inclusion(leaf_hash(entry), self.index, head.size, self.path, head.root)


def parse(text: str) -> LogProof:
    """The proof that a text writes, nothing of it verified. Raises VerificationError."""
    before, between, note = text.partition("\n\n")
    lines = before.split("\n")
    if not between or lines.pop(0) != HEADER:
        raise VerificationError(f"expected a proof that begins with `{HEADER}`, and a checkpoint after an empty line")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = from_base64(lines.pop(0).removeprefix("extra "))
        if extra is None:
            raise VerificationError("expected the extra data of a proof in base64")
    found = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if found is None or int(found[1]) > LARGEST:
        raise VerificationError("expected a proof to say `index` and a number without zeros before it")
    path = tuple([one for one in map(from_base64, lines) if one is not None and len(one) == HASH_BYTES])
    if len(path) != len(lines) or len(path) > _MOST_HASHES:
        raise VerificationError(f"expected a proof of at most {_MOST_HASHES} hashes of {HASH_BYTES} bytes in base64")
    return LogProof(int(found[1]), path, note, extra)
