"""Checkpoints: signed notes that say how large a log is and which root its tree has (C2SP tlog-checkpoint).

```
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
```
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from sayso.errors import VerificationError
from sayso.ledger.log import note
from sayso.ledger.log.merkle import HASH_BYTES, LARGEST
from sayso.ledger.log.note import Note, Signer, VerifierKey
from sayso.ledger.log.words import base64, from_base64

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class Checkpoint(NamedTuple):
    """The head of a log: its origin, size and root. `rest` are the lines after them, each with its newline."""

    origin: str
    size: int
    root: bytes
    rest: str = ""

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64(self.root)}\n{self.rest}"

    def signed(self, *signers: Signer) -> Note:
        """The checkpoint as a note."""
        return note.sign(self.text, *signers)


def parse(text: str) -> Checkpoint:
    """The checkpoint that the text of a note writes. Raises VerificationError."""
    origin, size, encoded, rest = (text.split("\n", 3) + [""] * 3)[:4]
    lines = rest.split("\n")
    if not origin or text.count("\n") < 3 or lines.pop() or not all(lines):
        raise VerificationError("expected a checkpoint: lines with an origin, a size and a root, none of them empty")
    if not _SIZE.fullmatch(size) or int(size) > LARGEST:
        raise VerificationError("expected the size of a checkpoint in decimal digits, without zeros before it")
    root = from_base64(encoded)
    if root is None or len(root) != HASH_BYTES:
        raise VerificationError(f"expected the root of a checkpoint: {HASH_BYTES} bytes in base64")
    return Checkpoint(origin, int(size), root, rest)


def unverified(data: str) -> Checkpoint:
    """The checkpoint that a note says, whoever signed it. Raises VerificationError."""
    return parse(note.parse(data).text)


def opened(data: bytes | str, known: Collection[VerifierKey], origin: str | None = None) -> Checkpoint:
    """The checkpoint in a signed note, which a known key must have signed under the log's own name.

    `origin` is the log expected; without it, any of which a key is known. Raises VerificationError.
    """
    read = note.parse(data)
    found = parse(read.text)
    if origin is not None and found.origin != origin:
        raise VerificationError(f"expected a checkpoint of `{origin}`, got one of `{found.origin}`")
    if not any(key.name == found.origin for key in read.verify(known)):
        raise VerificationError("no known key of the log itself signed its checkpoint")
    return found
