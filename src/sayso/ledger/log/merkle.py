"""The Merkle tree hash of RFC 6962, section 2.1, with SHA-256, and the proofs of RFC 9162, section 2.1.

A hash is 32 bytes. What does not prove what it should raises VerificationError; nothing else is an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from hmac import compare_digest

from sayso.errors import VerificationError

HASH_BYTES = 32
EMPTY = sha256(b"").digest()
"""The root of the empty tree."""
LARGEST = 2**63 - 1
"""The greatest size a tree may have, so that every implementation can count it."""

Mth = Callable[[int, int], bytes]
"""The Merkle tree hash over the leaves [start, stop) of a tree."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def root(hashes: Iterable[bytes]) -> bytes:
    """The root over some leaf hashes, or over the hashes of equally large full subtrees."""
    tree = Peaks()
    for one in hashes:
        tree.add(one)
    return tree.root()


class Peaks:
    """The full subtrees that a tree is made of, largest first: all that must be known of it to let it grow."""

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)

    def add(self, leaf: bytes) -> list[bytes]:
        """Adds a leaf's hash. Returns the hashes of the full subtrees that end with it, the leaf first."""
        ended, place, one = [leaf], self.size, leaf
        while place & 1:
            one = sha256(b"\x01" + self.hashes.pop() + one).digest()
            ended.append(one)
            place >>= 1
        self.hashes.append(one)
        self.size += 1
        return ended

    def root(self) -> bytes:
        """The root of the whole tree."""
        if not self.hashes:
            return EMPTY
        *others, one = self.hashes
        for left in reversed(others):
            one = node_hash(left, one)
        return one


def split(size: int) -> int:
    """The largest power of two smaller than a size of two or more."""
    return 1 << (size - 1).bit_length() - 1


def inclusion(index: int, size: int, mth: Mth) -> list[bytes]:
    """The path from a leaf to the root of a tree (RFC 6962, section 2.1.1), lowest first."""
    path: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + split(stop - start)
        if index < middle:
            path.append(mth(middle, stop))
            stop = middle
        else:
            path.append(mth(start, middle))
            start = middle
    return path[::-1]


def consistency(old: int, size: int, mth: Mth) -> list[bytes]:
    """What shows that a tree of size `old` is the beginning of one (RFC 6962, section 2.1.2)."""
    if old in (0, size):
        return []
    path: list[bytes] = []
    start, stop, whole = 0, size, True
    while stop != old:
        middle = start + split(stop - start)
        if old <= middle:
            path.append(mth(middle, stop))
            stop = middle
        else:
            path.append(mth(start, middle))
            start, whole = middle, False
    if not whole:
        path.append(mth(start, stop))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> None:
    """Checks that a leaf's hash is at an index of the tree with this size and root (RFC 9162, section 2.1.3.2).

    Raises VerificationError.
    """
    if not 0 <= index < size <= LARGEST:
        raise VerificationError(f"no leaf `{index}` is in a tree of size `{size}`")
    _hashes(leaf, expected, *path)
    at, last, found = index, size - 1, leaf
    for one in path:
        if last == 0:
            raise VerificationError("the inclusion proof is longer than the tree is high")
        if at & 1 or at == last:
            found = sha256(b"\x01" + one + found).digest()
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            found = sha256(b"\x01" + found + one).digest()
        at >>= 1
        last >>= 1
    if last or not compare_digest(found, expected):
        raise VerificationError("the inclusion proof does not lead to the root of the tree")


def verify_consistency(old: int, size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Checks that one tree is the beginning of another (RFC 9162, section 2.1.4.2).

    Raises VerificationError; also where the first is empty and the second is not: that is no statement about either.
    """
    if not 0 <= old <= size <= LARGEST or old == 0 < size:
        raise VerificationError(f"no tree of size `{old}` is the beginning of one of size `{size}`")
    if old == size and not compare_digest(old_root, new_root):
        raise VerificationError("two trees of one size have different roots")
    verify_subtree(0, old, size, old_root, new_root, path)


def verify_subtree(start: int, stop: int, size: int, part: bytes, whole: bytes, path: Sequence[bytes]) -> None:
    """Checks that the leaves [start, stop) of a tree are those of a subtree (IETF PLANTS, Merkle Tree Certificates,
    section 4.4); with `start` 0 it is RFC 9162's proof of consistency.

    Raises VerificationError.
    """
    check_subtree(start, stop)
    if not stop <= size <= LARGEST:
        raise VerificationError(f"the subtree up to `{stop}` is no part of a tree of size `{size}`")
    if start == stop:
        if path or not compare_digest(part, EMPTY):
            raise VerificationError("expected the empty tree's root, and an empty proof")
        return
    if path:
        _hashes(part, whole, *path)
    first, second, last = start, stop - 1, size - 1
    while first != second and (second & 1 or second == last):
        first, second, last = first >> 1, second >> 1, last >> 1
    left = list(path)
    if first == second:
        found = reached = part
    elif left:
        found = reached = left.pop(0)
    else:
        raise VerificationError("the consistency proof is empty")
    for one in left:
        if last == 0:
            raise VerificationError("the consistency proof is longer than the tree is high")
        if second & 1 or second == last:
            if first < second:
                found = node_hash(one, found)
            reached = node_hash(one, reached)
            while not second & 1:
                first, second, last = first >> 1, second >> 1, last >> 1
        else:
            reached = node_hash(reached, one)
        first, second, last = first >> 1, second >> 1, last >> 1
    if last or not compare_digest(found, part) or not compare_digest(reached, whole):
        raise VerificationError("the consistency proof does not lead from one root to the other")


def check_subtree(start: int, stop: int) -> None:
    """Checks that [start, stop) is a subtree: that it begins at a multiple of the power of two that holds it.

    Raises VerificationError.
    """
    if start == stop:
        return
    if not 0 <= start < stop <= LARGEST or start & ((1 << (stop - start - 1).bit_length()) - 1):
        raise VerificationError(f"the leaves from `{start}` to `{stop}` are no subtree")


def _hashes(*given: bytes) -> None:
    # Two hashes of other lengths could join to the same bytes as two right ones.
    if set(map(len, given)) != {HASH_BYTES}:
        raise VerificationError(f"expected hashes of {HASH_BYTES} bytes")
