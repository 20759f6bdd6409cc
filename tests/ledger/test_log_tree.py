"""The tree: a naive reference written from RFC 6962 agrees with ours, and an independent implementation reads what we write."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import PlainEd25519Signer, Vkey
from tlog_scales.writer import TilesWriter

from sayso.canonical import digest
from sayso.errors import RollbackError, StoreError, VerificationError
from sayso.ledger import events as e
from sayso.ledger.log import checkpoint, merkle
from sayso.ledger.log.tiles import HEIGHT, WIDTH, Edge, Tile, Tree, bundle, bundle_path, levels, tiles, unbundle
from sayso.ledger.publishing import publish
from tests.ledger.conftest import Ledger
from tests.ledgers import KEYS, ORIGIN, SIGNER
from tests.searching import searched

MOST = 10_000
LEAVES = [merkle.leaf_hash(b"%d" % number) for number in range(MOST)]


# ── RFC 6962, section 2.1, word by word ──────────────────────────────────────────────────────────────────────────────


def k(n: int) -> int:
    """The largest power of two smaller than n."""
    power = 1
    while power * 2 < n:
        power *= 2
    return power


def mth(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    half = k(len(hashes))
    return sha256(b"\x01" + mth(hashes[:half]) + mth(hashes[half:])).digest()


def path(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    half = k(len(hashes))
    if m < half:
        return [*path(m, hashes[:half]), mth(hashes[half:])]
    return [*path(m - half, hashes[half:]), mth(hashes[:half])]


def proof(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    return subproof(m, hashes, True)


def subproof(m: int, hashes: Sequence[bytes], whole: bool) -> list[bytes]:
    if m == len(hashes):
        return [] if whole else [mth(hashes)]
    half = k(len(hashes))
    if m <= half:
        return [*subproof(m, hashes[:half], whole), mth(hashes[half:])]
    return [*subproof(m - half, hashes[half:], False), mth(hashes[:half])]


# ── ours ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Shelf:
    """Tiles in memory, as a store holds them; counts which are read."""

    def __init__(self) -> None:
        self.held: dict[tuple[int, int], bytes] = {}
        self.read: list[Tile] = []

    def __call__(self, tile: Tile) -> bytes:
        self.read.append(tile)
        return self.held[tile.level, tile.index][: tile.width * merkle.HASH_BYTES]


def grown(sizes: Sequence[int], again: Sequence[bool]) -> Shelf:
    """Tiles of a tree that grew by steps, its edge read anew before some of them."""
    shelf = Shelf()
    edge = Edge(0, shelf)
    for size, anew in zip(sizes, again, strict=True):
        if anew:
            edge = Edge(edge.size, shelf)
        edge.extend(LEAVES[edge.size : size])
        shelf.held |= edge.changed()
        assert edge.peaks.root() == Tree(shelf, size).root()
    return shelf


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[int], list[bool], int]:
    sizes = sorted(draw(st.lists(st.integers(0, MOST), min_size=1, max_size=6)))
    again = draw(st.lists(st.booleans(), min_size=len(sizes), max_size=len(sizes)))
    return sizes, again, draw(st.integers(0, 2**32))


@searched(40)
@given(tree=trees())
def test_a_tree_is_the_one_of_rfc_6962(tree: tuple[list[int], list[bool], int]) -> None:
    sizes, again, seed = tree
    shelf, size, chance = grown(sizes, again), sizes[-1], random.Random(seed)
    hashes = LEAVES[:size]
    found = Tree(shelf, size)
    assert found.root() == merkle.root(hashes) == mth(hashes)
    named = {(tile.level, tile.index): tile.width for level in range(levels(size)) for tile in tiles(size, level)}
    assert {key: len(held) // 32 for key, held in shelf.held.items()} == named
    for _ in range(3 if size else 0):
        index, old = chance.randrange(size), chance.randint(1, size)
        inclusion, consistency = found.inclusion(index), found.consistency(old)
        assert inclusion == path(index, hashes)
        assert consistency == proof(old, hashes)
        merkle.verify_inclusion(hashes[index], index, size, inclusion, found.root())
        merkle.verify_consistency(old, size, mth(hashes[:old]), found.root(), consistency)


def test_a_proof_reads_no_more_tiles_than_it_needs() -> None:
    shelf = grown([MOST], [False])
    for index in range(0, MOST, 997):
        shelf.read.clear()
        Tree(shelf, MOST).inclusion(index)
        assert len(set(shelf.read)) == len(shelf.read)
        # Its own tile at each level, and the one at the right edge.
        assert len(shelf.read) <= 2 * levels(MOST)
        for tile in shelf.read:
            full = (MOST >> (HEIGHT * tile.level)) // WIDTH
            assert tile.index in (index >> (HEIGHT * (tile.level + 1)), full), tile


def test_what_is_not_there_is_not_proved() -> None:
    tree = Tree(grown([300], [False]), 300)
    for index in (-1, 300):
        with pytest.raises(VerificationError, match="no leaf"):
            tree.inclusion(index)
    for old in (-1, 301):
        with pytest.raises(VerificationError, match="no tree of size"):
            tree.consistency(old)
    assert Tree(Shelf(), 0).root() == merkle.EMPTY
    assert tree.consistency(0) == tree.consistency(300) == []


def test_a_tile_that_is_too_short_is_no_tile() -> None:
    shelf = grown([300], [False])
    shelf.held[0, 1] = shelf.held[0, 1][:-1]
    with pytest.raises(VerificationError, match="expected `44` hashes in tile 0/1"):
        Tree(shelf, 300).root()


def test_any_other_leaf_size_index_or_hash_is_refused() -> None:
    hashes = LEAVES[:23]
    root = mth(hashes)
    for index in range(23):
        good = path(index, hashes)
        merkle.verify_inclusion(hashes[index], index, 23, good, root)
        bad = [(index, 23, good[:-1]), (index, 23, [*good, root]), (index + 23, 23, good), (-1, 23, good)]
        bad += [(other, 23, good) for other in range(23) if other != index]
        bad += [(index, 23, [*good[:n], bytes(32), *good[n + 1 :]]) for n in range(len(good))]
        bad += [(index, 2**63, good), (index, 23, [good[0][:31], good[1] + b"\0", *good[2:]])]
        for at, size, given_path in bad:
            with pytest.raises(VerificationError):
                merkle.verify_inclusion(hashes[index], at, size, given_path, root)
    for old in range(1, 23):
        good = proof(old, hashes)
        for bad_path in ([], good[:-1], [*good, root], [bytes(32), *good[1:]], [one[:31] for one in good]):
            if bad_path != good:
                with pytest.raises(VerificationError):
                    merkle.verify_consistency(old, 23, mth(hashes[:old]), root, bad_path)
    with pytest.raises(VerificationError):
        merkle.verify_subtree(8, 16, 12, root, root, [])
    with pytest.raises(VerificationError, match="the consistency proof is empty"):
        merkle.verify_consistency(3, 23, mth(hashes[:3]), root, [])


def test_a_subtree_on_the_right_of_a_tree() -> None:
    hashes = LEAVES[:8]
    merkle.verify_subtree(4, 8, 8, mth(hashes[4:]), mth(hashes), [mth(hashes[:4])])
    with pytest.raises(VerificationError):
        merkle.verify_subtree(4, 8, 8, mth(hashes[:4]), mth(hashes), [mth(hashes[4:])])


def test_bundles_hold_entries() -> None:
    entries = [b"", b"x", b"y" * 65535]
    assert unbundle(bundle(entries)) == entries
    for cut in (1, 3, 4, 65539):
        with pytest.raises(VerificationError, match="cut off"):
            unbundle(bundle(entries)[:cut] if cut != 4 else bundle(entries)[:-1])
    assert unbundle(b"") == []


# ── published, and read by others ────────────────────────────────────────────────────────────────────────────────────


def fill(ledger: Ledger, size: int) -> None:
    start = ledger.store.head().size
    ledger.journal.append_many([e.SubjectRegistered(subject=number) for number in range(start, size)])


def published(ledger: Ledger, directory: Path) -> int:
    with ledger.store.reading() as reading:
        return publish(reading, directory, KEYS.verifiers).added


@pytest.mark.parametrize("sizes", [[1], [255, 256, 257], [300, 800], [65536 + 3]])
def test_an_independent_implementation_reads_our_log(ledger: Ledger, tmp_path: Path, sizes: list[int]) -> None:
    directory = tmp_path / "log"
    for size in sizes:
        fill(ledger, size)
        published(ledger, directory)
        reader = TilesReader(LocalBackend(directory))
        head = reader.get_checkpoint()
        head.verify(Vkey.from_string(str(SIGNER.verifier)))
        assert (head.origin, head.size) == (ORIGIN, size)
        assert reader.calculate_root_hash() == head.root_hash
        for index in {0, size // 2, size - 1}:
            entry = reader.get_entry(index)
            (ours,) = ledger.store.entries(index, index + 1)
            assert entry == ours.public
            theirs = reader.get_inclusion_proof(index, size)
            theirs.check(merkle.leaf_hash(entry), head.root_hash)
            assert list(theirs.node_hashes) == Tree(ledger.store.tile, size).inclusion(index)
            if index:
                old = Tree(ledger.store.tile, index).root()
                consistency = reader.get_consistency_proof(index, size)
                consistency.check(old, head.root_hash)
                assert list(consistency.node_hashes) == Tree(ledger.store.tile, size).consistency(index)


def test_we_read_the_log_of_an_independent_implementation(tmp_path: Path) -> None:
    tmp_path = tmp_path / "log"
    writer = TilesWriter.create(tmp_path, ORIGIN)
    entries = [b"%d" % number for number in range(600)]
    for entry in entries:
        writer.add_leaf(entry)
    signer = PlainEd25519Signer(ORIGIN, bytes([1]) * 32)
    writer.commit([signer])
    head = checkpoint.opened((tmp_path / "checkpoint").read_bytes(), KEYS.verifiers, ORIGIN)

    def read(tile: Tile) -> bytes:
        return (tmp_path / tile.path).read_bytes()

    tree = Tree(read, head.size)
    assert tree.root() == head.root == mth([merkle.leaf_hash(entry) for entry in entries])
    merkle.verify_inclusion(merkle.leaf_hash(entries[300]), 300, 600, tree.inclusion(300), head.root)
    assert unbundle((tmp_path / bundle_path(2, 88)).read_bytes()) == entries[512:]


def test_publishing_adds_and_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    directory = tmp_path / "log"
    fill(ledger, 300)
    assert published(ledger, directory) == 300
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert published(ledger, directory) == 0
    fill(ledger, 700)
    assert published(ledger, directory) == 400
    for path_then, content in before.items():
        changes = path_then.name in ("checkpoint", "keys") or ".p" in str(path_then)
        assert changes or path_then.read_bytes() == content
    assert not (directory / "tile/0/001.p").exists(), "the whole tile is there"
    assert (directory / "tile/0/002.p/188").is_file()
    assert not [path for path in directory.rglob("*") if path.name.startswith(".")]


def test_a_policy_is_published_with_its_document(ledger: Ledger, tmp_path: Path) -> None:
    document = {"notices": [{"notice": "n", "version": "1", "digest": "sha256:" + "0" * 64}, {"notice": "m"}]}
    ledger.journal.append(e.PolicyPublished(platform="p", digest=digest(document), document=document))
    ledger.journal.append(e.SubjectRegistered(subject=1))
    ledger.journal.append(
        e.ChoiceRecorded(subject=1, decision="refusal", source="x", notice=e.NoticeRef(id="n", version="1"))
    )
    tmp_path = tmp_path / "log"
    ledger.journal.append(e.NoticePublished(notice="n", version="1"))
    published(ledger, tmp_path)
    assert published(ledger, tmp_path) == 0
    name = digest(document).removeprefix("sha256:")
    assert json.loads((tmp_path / "document" / name).read_bytes()) == document
    *_, choice, _ = unbundle((tmp_path / bundle_path(0, 4)).read_bytes())
    assert json.loads(choice)["policy"] == digest(document)
    assert json.loads(choice)["notice"] == {"id": "n", "version": "1", "digest": "sha256:" + "0" * 64}


def test_publishing_never_goes_back(ledger: Ledger, tmp_path: Path) -> None:
    directory = tmp_path / "log"
    fill(ledger, 3)
    published(ledger, directory)
    (directory / "checkpoint").write_text(str(checkpoint.Checkpoint(ORIGIN, 4, bytes(32)).signed(SIGNER)))
    with pytest.raises(RollbackError, match="rolled back"):
        published(ledger, directory)
    (directory / "checkpoint").write_bytes(b"\xff")
    with pytest.raises(RollbackError, match="expected the checkpoint of this log"):
        published(ledger, directory)
    for odd in (lambda path: path.symlink_to("/dev/zero"), os.mkfifo, Path.mkdir):
        (directory / "checkpoint").unlink()
        odd(directory / "checkpoint")
        with pytest.raises(RollbackError, match="expected the checkpoint of this log"):
            published(ledger, directory)
    (directory / "checkpoint").rmdir()
    assert published(ledger, directory) == 3, "as one that was interrupted"
    (directory / "checkpoint").unlink()
    (directory / "index.html").write_text("")
    with pytest.raises(StoreError, match="expected an empty directory"):
        published(ledger, directory)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="could not be published"):
        published(ledger, tmp_path / "file")


def test_a_file_that_cannot_be_written_leaves_no_half_of_it(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ledger, 3)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(StoreError, match="No space left"):
            published(ledger, tmp_path / "log")
    assert not [path for path in (tmp_path / "log").rglob("*") if path.is_file()]
    assert published(ledger, tmp_path / "log") == 3
