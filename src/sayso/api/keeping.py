"""Keeping a ledger: publishing its log, checking it, copying it, restoring a copy, changing its key."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sayso import wiring
from sayso.api.expecting import expecting, telling
from sayso.errors import KeyFileError, RollbackError, StoreError, VerificationError
from sayso.ledger import events as e
from sayso.ledger import fsck
from sayso.ledger.facts import Party
from sayso.ledger.fsck import Fault
from sayso.ledger.head import check_not_older
from sayso.ledger.keys import Keys
from sayso.ledger.log import checkpoint
from sayso.ledger.log.checkpoint import Checkpoint
from sayso.ledger.log.merkle import EMPTY
from sayso.ledger.log.note import SEED_BYTES, Signer, VerifierKey
from sayso.ledger.log.proof import LogProof
from sayso.ledger.log.tiles import Tree
from sayso.ledger.publishing import Published, publish
from sayso.ledger.rotation import rotation, trusted
from sayso.stores.keyfiles import KeyFiles


class Log:
    """The transparency log that a ledger is: what others check it by (`docs/proofs.md`)."""

    def __init__(self, parts: wiring.Parts) -> None:
        self._parts = parts

    @property
    def origin(self) -> str:
        """The log's name."""
        return self._parts.store.origin

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """Every public key that the log had, the oldest first; the last one signs."""
        return self._parts.keys.public() or self._parts.journal.keys.verifiers

    @property
    def checkpoint(self) -> str:
        """The signed checkpoint at the head."""
        return self._parts.store.checkpoint()

    @expecting
    def prove(self, position: int) -> LogProof:
        """The proof that the event at a position is in the log, by the checkpoint at the head.

        Its text is a `.tlog-proof`. Raises VerificationError for a position that there is not.
        """
        with self._parts.store.reading() as reading:
            text = reading.checkpoint()
            path = Tree(reading.tile, checkpoint.unverified(text).size).inclusion(position)
            return LogProof(position, tuple(path), text)

    @expecting
    def prove_consistency(self, seen: str) -> list[bytes]:
        """The proof (RFC 6962, section 2.1.2) that the log goes on from a checkpoint seen before.

        Raises RollbackError where it does not, VerificationError for what is no checkpoint.
        """
        old = self.check_against(seen)
        with self._parts.store.reading() as reading:
            return Tree(reading.tile, reading.head().size).consistency(old.size)

    @expecting
    def entry(self, position: int) -> bytes:
        """The entry at a position: the bytes of which the log's leaf is the hash."""
        (found,) = self._parts.store.entries(position, position + 1)
        return found.public

    @expecting
    def export(self, directory: str | Path) -> Published:
        """Writes the log into a directory that any web server can host, or what is new of it.

        Raises RollbackError where another log, or a longer one, is published there; StoreError.
        """
        with self._parts.store.reading() as reading:
            return publish(reading, Path(directory), self.keys)

    @expecting
    def backup(self, path: str | Path) -> None:
        """Writes a copy of the whole ledger, as of one moment, while others go on writing. It holds private parts.

        The copy is a ledger in a file, wherever this one is. Raises StoreError.
        """
        self._parts.store.backup(Path(path))

    @expecting
    def move(self, where: str | wiring.Location) -> int:
        """Copies the ledger into a new one in a file, or at a URL of PostgreSQL; returns its size.

        It has the same log, keys, tree and checkpoint. Go on with one of the two alone: whichever is written to, the
        other is older than what was seen, and is refused. Raises StoreError, KeyFileError.
        """
        with closing(wiring.copied(self._parts, wiring.located(where))) as made:
            return made.head().size

    @expecting
    def check(self, seen: str | None = None, snapshots: Iterable[str | Path] = ()) -> list[Fault]:
        """What does not agree in the whole ledger, or with checkpoints seen before (`fsck`).

        `snapshots` are directories of kept snapshots, or of outputs whose manifests name some: each is made anew from the
        events. Raises StoreError, EngineError.
        """
        found = list(fsck.faults(self._parts.store, self.keys))
        found += [fault for one in snapshots for fault in self._refolded(Path(one))]
        for text in (seen, self._parts.keys.last()):
            if text is not None:
                try:
                    self.check_against(text)
                except (VerificationError, StoreError) as error:
                    found.append(Fault(fsck.CHECKPOINT, None, str(error)))
        return found

    def _refolded(self, directory: Path) -> list[Fault]:
        from sayso.gate import refolding  # an engine is slow to import

        with tempfile.TemporaryDirectory(prefix="sayso-") as scratch:
            return list(refolding.faults(directory, self._parts.reader, wiring.engine(spill=Path(scratch))))

    @expecting
    def check_against(self, seen: str) -> Checkpoint:
        """Checks that the log goes on from a checkpoint seen before; returns it.

        Raises RollbackError where it does not; VerificationError for what is no checkpoint, or one that no key of this log
        signed.
        """
        old = _seen(seen, self.keys)
        with self._parts.store.reading() as reading:
            check_not_older(reading, checkpoint.unverified(reading.checkpoint()), old)
        return old

    def repair(self) -> None:
        """Makes what is derived (tiles, facts, tombstones) anew from the events. Raises StoreError."""
        fsck.repair(self._parts.store)

    def rotate_key(self) -> VerifierKey:
        """Changes the signing key: makes one, records a statement by both, and destroys the old one.

        One that was interrupted is brought to its end. Raises KeyFileError without a key, or where it comes from the
        environment and cannot be replaced here.
        """
        files, keys = self._parts.keys, self._parts.journal.keys
        old = keys.signing()
        if files.from_environment:
            raise KeyFileError("the signing key comes from the environment; put it into a directory to change it")
        new = keys.next
        if new is None:
            new = Signer(old.verifier.name, os.urandom(SEED_BYTES))
            files.propose(new)
        if str(new.verifier) not in [change.new for change in self._changes()]:
            both = Keys(old, keys.secret, new)
            wiring.parts(self._parts.store, files, both, now=self._parts.now).journal.append(rotation(old, new))
        files.promote(new)
        self._parts.journal.use(Keys(new, keys.secret))
        return new.verifier

    def trusted(self, known: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
        """The keys known, and those to which the log's changes of keys lead from them. Raises VerificationError."""
        return trusted(known, self._changes())

    def _changes(self) -> list[e.KeyRotated]:
        return [one.event for one in self._parts.journal.globals() if isinstance(one.event, e.KeyRotated)]


def _seen(text: str, keys: Sequence[VerifierKey]) -> Checkpoint:
    """A checkpoint that somebody kept; where keys of its log are known, signed by one. Raises VerificationError."""
    found = checkpoint.unverified(text)
    return checkpoint.opened(text, keys) if any(key.name == found.origin for key in keys) else found


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restored ledger holds, and how many people were erased anew because the copy was from before."""

    size: int
    origin: str
    erased: int


@expecting
def restore(
    copy: str | Path, where: str | wiring.Location, *, new_origin: str | None = None, against: Iterable[str] = (),
    now: wiring.Clock = wiring.present,
) -> Restored:  # fmt: skip
    """Puts a copy in the place of a ledger that is lost, and has it honour every erasure since.

    `where` is a path at which nothing is, or a URL of PostgreSQL that leads to a schema without tables. A copy that is
    older than a checkpoint seen since, by its keys or one of those that somebody kept (`against`), is refused: the log
    would say two things. With `new_origin` it becomes a log of that name, with a key of its own. Raises RollbackError,
    StoreError, KeyFileError, VerificationError for what is no checkpoint of the log.
    """
    copy, place, now = Path(copy), wiring.located(where), telling(now)
    if isinstance(place, Path) and place.exists():
        raise StoreError(f"`{place}` is there; move it away before a copy takes its place")
    if not copy.is_file():
        raise StoreError(f"there is no copy at `{copy}`")
    files = wiring.key_files(place)
    try:
        with _beside(place) as folder:
            partial = folder / "restored"
            shutil.copyfile(copy, partial)
            with closing(wiring.open_unrecognised(partial, files, now=now)) as parts:
                try:
                    with parts.store.reading() as reading:
                        head = parts.journal.log.recognise(reading)
                        for text in against:
                            check_not_older(reading, head, _seen(text, files.public()))
                except RollbackError:
                    if new_origin is None:
                        raise
                    parts = _as_another(parts, files, new_origin)
                erased = _erase_again(parts, files.buried())
                restored = Restored(parts.store.head().size, parts.journal.log.origin, erased)
                if not isinstance(place, Path):
                    wiring.copied(parts, place).close()
            if isinstance(place, Path):
                partial.replace(place)
    except OSError as error:
        raise StoreError(f"the copy could not be restored: {error.strerror or type(error).__name__}") from error
    return restored


@contextmanager
def _beside(place: wiring.Location) -> Iterator[Path]:
    """A folder for a ledger in the making, on the disk on which it will be; gone afterwards, with what is left in it."""
    parent = place.parent if isinstance(place, Path) else None
    with tempfile.TemporaryDirectory(prefix=".sayso-", dir=parent) as folder:
        yield Path(folder)


def _as_another(parts: wiring.Parts, files: KeyFiles, origin: str) -> wiring.Parts:
    """The same events as a log of another name, with another key."""
    files.retire()
    keys = files.make(origin, os.urandom)
    with parts.store.writing() as transaction:
        size = transaction.head().size
        root = Tree(transaction.tile, size).root() if size else EMPTY
        transaction.rename(origin, str(Checkpoint(origin, size, root).signed(keys.signing())))
    return wiring.parts(parts.store, files, keys, now=parts.now, origin=origin)


def _erase_again(parts: wiring.Parts, buried: frozenset[bytes]) -> int:
    """Erases those of whom a tombstone is kept apart, and whom the copy still knows."""
    missing = buried - parts.store.tombstones().keys()
    if not missing:
        return 0
    found = []
    for batch in parts.store.facts(columns=("party", "id")):
        for party, one in zip(batch.column("party").to_pylist(), batch.column("id").to_pylist(), strict=True):
            if party == Party.SUBJECT and parts.journal.keys.tombstone(one) in missing:
                found.append(one)
    count = 0
    for one in dict.fromkeys(found):
        if parts.journal.keys.tombstone(one) not in parts.store.tombstones([parts.journal.keys.tombstone(one)]):
            parts.journal.append(e.SubjectErased(subject=one))
            count += 1
    return count


def parse_keys(texts: Sequence[str]) -> tuple[VerifierKey, ...]:
    """Verifier keys, each written out, or a file with one a line. Raises KeyFileError."""
    keys: list[VerifierKey] = []
    for text in texts:
        path = Path(text)
        try:
            lines = path.read_text("utf-8").splitlines() if "+" not in path.name and path.is_file() else [text]
        except (OSError, UnicodeDecodeError) as error:
            raise KeyFileError(f"`{text}` cannot be read as a file of verifier keys") from error
        keys += [VerifierKey.parse(line) for line in lines if line.strip()]
    return tuple(dict.fromkeys(keys))


def known_keys(keys: Sequence[str | VerifierKey]) -> list[VerifierKey]:
    """Verifier keys, some of them given as `parse_keys` takes them. Raises KeyFileError."""
    texts = [one for one in keys if isinstance(one, str)]
    return [*(one for one in keys if isinstance(one, VerifierKey)), *parse_keys(texts)]
