"""The port to where bytes are that are not on this machine: buckets of objects, named `s3://bucket/key`.

Adapters are in `sayso.places`. There are no directories, and nothing is moved or written in part: an object is there whole, or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from sayso.errors import UsageError

SCHEME = "s3://"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]", re.ASCII)


class Address(NamedTuple):
    """Where an object is, or all below a prefix are."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}" if self.key else f"{SCHEME}{self.bucket}"

    @property
    def prefix(self) -> str:
        """What the keys of all below begin with."""
        return f"{self.key}/" if self.key else ""


def is_address(text: object) -> bool:
    """Whether a name is one of what is not on this machine.

    Raises UsageError for one that was made a path, which it is not.
    """
    name = str(text)
    if name.lower().startswith("s3:/") and not name.startswith(SCHEME):
        raise UsageError("expected a name in a bucket as text that begins with `s3://`; do not make it a path")
    return name.startswith(SCHEME)


def address_of(text: str) -> Address:
    """The address that a name names. Raises UsageError, which does not repeat it: it may hold what nobody should see."""
    bucket, _, key = text.removeprefix(SCHEME).partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(
            "expected `s3://BUCKET/KEY` and no credentials in it; give those as AWS_ACCESS_KEY_ID or in a profile"
        )
    return Address(bucket, key.rstrip("/"))


class Held(NamedTuple):
    """An object as it was seen: `tag` (its ETag) is another once it was written again.

    `version` is that of a bucket that keeps them, and may be `None` where a listing does not say.
    """

    key: str
    size: int
    tag: str
    version: str | None = None

    def same(self, other: Held | None) -> bool:
        """Whether what was seen later is what was seen then."""
        return other is not None and (self.size, self.tag) == (other.size, other.tag) and (
            self.version is None or self.version == other.version
        )  # fmt: skip


class Objects(Protocol):
    """Buckets. Every method may raise RemoteError; none tells anybody's credentials."""

    def below(self, address: Address) -> Iterator[Held]:
        """The objects whose keys begin with the address's prefix, in order."""

    def seen(self, address: Address) -> Held | None:
        """An object; `None` if there is none."""

    def fetch(self, bucket: str, held: Held, target: Path) -> Held:
        """Writes an object to a file. Raises CorpusError if it is not the one that was seen, or gone."""

    def read(self, address: Address) -> bytes | None:
        """The bytes of a small object; `None` if there is none."""

    def put(self, address: Address, source: Path) -> None:
        """Writes a file as an object; of one that fails, nothing is left."""

    def create(self, address: Address, data: bytes) -> bool:
        """Writes a small object, unless there is one: then `False`."""

    def remove(self, bucket: str, keys: Sequence[str]) -> None:
        """Removes objects, those that are there, in order."""

    def abandon(self, address: Address) -> None:
        """Removes what was written of objects below an address that never came to be."""
