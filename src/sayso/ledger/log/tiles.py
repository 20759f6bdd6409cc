"""The tree as tiles: their names, their growth at the right edge, and proofs read from them (C2SP tlog-tiles).

A tile of level `l` and index `n` holds up to 256 hashes: of the full subtrees of 256^l leaves from leaf n * 256^(l+1)
on. One of fewer than 256 is partial.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sayso.errors import VerificationError
from sayso.ledger.log import merkle
from sayso.ledger.log.merkle import HASH_BYTES, Peaks

HEIGHT = 8
WIDTH = 1 << HEIGHT
LONGEST_ENTRY = 0xFFFF
"""The most bytes that an entry may have, since a bundle says them in 16 bits."""


@dataclass(frozen=True, slots=True)
class Tile:
    """The name of a tile: its level, its index there, and how many hashes it holds."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is served, below the log's prefix."""
        return f"tile/{self.level}/{_indexed(self.index, self.width)}"


def bundle_path(index: int, width: int = WIDTH) -> str:
    """Where the bundle of the entries of a tile of level 0 is served, below the log's prefix."""
    return f"tile/entries/{_indexed(index, width)}"


def _indexed(index: int, width: int) -> str:
    thousands = []
    rest = index
    while rest >= 1000:
        rest, last = divmod(rest, 1000)
        thousands.append(f"{last:03}")
    thousands.append(f"{rest:03}")
    *leading, last_part = reversed(thousands)
    name = "/".join([*(f"x{one}" for one in leading), last_part])
    return name if width == WIDTH else f"{name}.p/{width}"


def tiles(size: int, level: int) -> Iterator[Tile]:
    """The tiles of one level of a tree, in order, the partial one last."""
    full, rest = divmod(size >> (HEIGHT * level), WIDTH)
    for index in range(full):
        yield Tile(level, index)
    if rest:
        yield Tile(level, full, rest)


def levels(size: int) -> int:
    """How many levels of tiles a tree has."""
    return -(-size.bit_length() // HEIGHT)


def bundle(entries: Iterable[bytes]) -> bytes:
    """Entries as a bundle: each with its length before it, in 16 bits, big-endian."""
    return b"".join([len(one).to_bytes(2, "big") + one for one in entries])


def unbundle(data: bytes) -> list[bytes]:
    """The entries of a bundle. Raises VerificationError for one that is cut off."""
    entries, at = [], 0
    while at < len(data):
        stop = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if stop > len(data) or at + 2 > len(data):
            raise VerificationError("a bundle of entries is cut off")
        entries.append(data[at + 2 : stop])
        at = stop
    return entries


class Read(Protocol):
    """Gives a tile's bytes: its hashes one after another. Raises VerificationError where there is none."""

    def __call__(self, tile: Tile) -> bytes: ...


class Tree:
    """A tree of one size, read from tiles as far as a question needs them; each is read once."""

    def __init__(self, read: Read, size: int) -> None:
        self.size = size
        self._read = read
        self._known: dict[tuple[int, int], list[bytes]] = {}

    def root(self) -> bytes:
        """The root."""
        return self.mth(0, self.size) if self.size else merkle.EMPTY

    def inclusion(self, index: int) -> list[bytes]:
        """The proof that a leaf is in the tree. Raises VerificationError for one that is not."""
        if not 0 <= index < self.size:
            raise VerificationError(f"no leaf `{index}` is in a tree of size `{self.size}`")
        return merkle.inclusion(index, self.size, self.mth)

    def consistency(self, old: int) -> list[bytes]:
        """The proof that a tree of size `old` is the beginning of this one. Raises VerificationError for a larger one."""
        if not 0 <= old <= self.size:
            raise VerificationError(f"no tree of size `{old}` is the beginning of one of size `{self.size}`")
        return merkle.consistency(old, self.size, self.mth)

    def mth(self, start: int, stop: int) -> bytes:
        """The hash over the leaves [start, stop), where `start` is a multiple of the power of two that holds them."""
        span = stop - start
        height = span.bit_length() - 1
        if span == 1 << height:
            level, within = divmod(height, HEIGHT)
            return self._within(level, start >> (HEIGHT * level), 1 << within)
        middle = start + merkle.split(span)
        return merkle.node_hash(self.mth(start, middle), self.mth(middle, stop))

    def _within(self, level: int, first: int, count: int) -> bytes:
        """The hash over `count` hashes of a tile's level; a power of two, from a multiple of it on."""
        index, at = divmod(first, WIDTH)
        hashes = self.tile(level, index)
        return hashes[at] if count == 1 else merkle.root(hashes[at : at + count])

    def tile(self, level: int, index: int) -> list[bytes]:
        """The hashes of a tile. Raises VerificationError where it does not hold as many as the tree has."""
        key = (level, index)
        if key not in self._known:
            width = min((self.size >> (HEIGHT * level)) - index * WIDTH, WIDTH)
            data = self._read(Tile(level, index, width))
            if len(data) != width * HASH_BYTES:
                raise VerificationError(f"expected `{width}` hashes in tile {level}/{index}, got {len(data)} bytes")
            self._known[key] = hashes_of(data)
        return self._known[key]


def hashes_of(data: bytes) -> list[bytes]:
    """The hashes that a tile's bytes hold."""
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


class Edge:
    """The right edge of a tree: its partial tiles and its peaks, which are all that must be known to let it grow."""

    def __init__(self, size: int = 0, read: Read | None = None) -> None:
        self._partial = [
            hashes_of(read(Tile(level, full, rest))) if rest and read is not None else []
            for level in range(levels(size))
            for full, rest in [divmod(size >> (HEIGHT * level), WIDTH)]
        ]
        self._changed: dict[tuple[int, int], bytes] = {}
        self._dirty: set[int] = set()
        self.peaks = Peaks(size, [one for level in reversed(self._partial) for one in _peaks(level)])

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self.peaks.size

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Adds leaf hashes."""
        partial, add = self._partial, self.peaks.add
        for leaf in leaves:
            for level, one in enumerate(add(leaf)[::HEIGHT]):
                if level == len(partial):
                    partial.append([])
                tile = partial[level]
                tile.append(one)
                self._dirty.add(level)
                if len(tile) == WIDTH:
                    index = (self.peaks.size >> (HEIGHT * (level + 1))) - 1
                    self._changed[level, index] = b"".join(tile)
                    tile.clear()

    def changed(self) -> dict[tuple[int, int], bytes]:
        """The bytes of each tile, by level and index, that grew since this was asked last."""
        self._changed |= {key: hashes for key, hashes in self.partial().items() if key[0] in self._dirty}
        changed, self._changed = self._changed, {}
        self._dirty.clear()
        return changed

    def partial(self) -> dict[tuple[int, int], bytes]:
        """The bytes of each tile that is not full, by level and index."""
        return {
            (level, self.size >> (HEIGHT * (level + 1))): b"".join(hashes)
            for level, hashes in enumerate(self._partial)
            if hashes
        }


def _peaks(hashes: Sequence[bytes]) -> list[bytes]:
    """The hashes of the full subtrees that some hashes of one level make, largest first."""
    peaks = Peaks()
    for one in hashes:
        peaks.add(one)
    return peaks.hashes
