"""Publishing the log: tiles, entries and checkpoint as files that any web server can host (spec/ledger.md, *The log*).

Files are only ever added, the checkpoint last; so a reader meets a whole log at any moment. Nothing of the private parts is
among them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from sayso.canonical import PREFIX, digest_bytes
from sayso.errors import Problem, RollbackError, StoreError, VerificationError
from sayso.ledger.head import check_not_older
from sayso.ledger.log import checkpoint
from sayso.ledger.log.checkpoint import Checkpoint
from sayso.ledger.log.note import VerifierKey
from sayso.ledger.log.tiles import HEIGHT, WIDTH, Tile, bundle, bundle_path, levels, tiles
from sayso.ledger.store import Reading

CHECKPOINT, KEYS, DOCUMENTS, TILES = "checkpoint", "keys", "document", "tile"
_LONGEST = 1 << 20
"""More bytes than any checkpoint has."""


class Published(NamedTuple):
    """What a log holds that was published, and how many events it holds more than before."""

    size: int
    added: int


def publish(reading: Reading, directory: Path, keys: Iterable[VerifierKey]) -> Published:
    """Writes the log into a directory, or what is new of it.

    Raises RollbackError where the directory holds another log, or a longer one; StoreError where it cannot be written.
    """
    text = reading.checkpoint()
    head = checkpoint.unverified(text)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        before = _before(reading, directory, head)
        begun = before is None  # and not finished: what is there may be of anything
        before = before or 0
        for level in range(levels(head.size)):
            for tile in tiles(head.size, level):
                if _reaches(tile, before):
                    _write(directory / tile.path, reading.tile(tile), anew=begun)
                    _drop_partial(directory / Tile(tile.level, tile.index).path, tile.width)
        for tile in tiles(head.size, 0):
            if _reaches(tile, before):
                start = tile.index * WIDTH
                entries = list(reading.entries(start, start + tile.width))
                _write(
                    directory / bundle_path(tile.index, tile.width), bundle(one.public for one in entries), anew=begun
                )
                _drop_partial(directory / bundle_path(tile.index), tile.width)
        for entry in reading.globals(head.size):
            if entry.document is not None:
                name = digest_bytes(entry.document).removeprefix(PREFIX)
                _write(directory / DOCUMENTS / name, entry.document)
        _write(directory / KEYS, "".join(f"{key}\n" for key in keys).encode(), anew=True)
        _write(directory / CHECKPOINT, text.encode(), anew=True)
    except OSError as error:
        told = f"the log could not be published: {error.strerror or type(error).__name__}"
        raise StoreError(str(Problem(told, file=str(directory)))) from error
    return Published(head.size, head.size - before)


def _before(reading: Reading, directory: Path, head: Checkpoint) -> int | None:
    """The size of the log that is published there already, of which this one must be the continuation; `None` for none."""
    path = directory / CHECKPOINT
    if not path.exists():
        if any(one.name not in (TILES, DOCUMENTS, KEYS) for one in directory.iterdir()):
            raise StoreError(
                str(Problem("expected an empty directory, or one that holds this log", file=str(directory)))
            )
        return None
    try:
        if not path.is_file() or path.stat().st_size > _LONGEST:
            raise VerificationError("it is no file, or too long")
        seen = checkpoint.unverified(path.read_text("utf-8"))
    except (UnicodeDecodeError, VerificationError) as error:
        raise RollbackError(str(Problem("expected the checkpoint of this log", file=str(path)))) from error
    check_not_older(reading, head, seen)
    return seen.size


def _reaches(tile: Tile, size: int) -> bool:
    """Whether a tile holds anything that a log of this size does not."""
    return tile.index * WIDTH + tile.width > size >> (HEIGHT * tile.level)


def _write(path: Path, data: bytes, *, anew: bool = False) -> None:
    """Writes a file whole or not at all. One that is there holds the same already, unless it is to be written anew."""
    if path.exists() and not anew:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    number, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _drop_partial(path: Path, width: int) -> None:
    """Removes the partial tiles of one that is whole now."""
    if width == WIDTH:
        shutil.rmtree(path.with_name(path.name + ".p"), ignore_errors=True)
