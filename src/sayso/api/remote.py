"""What is not on this machine, brought near: objects as files before a gate or a reader needs them, outputs taken there after."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from sayso import instant, wiring
from sayso.canonical import digest_bytes
from sayso.errors import CorpusError, RemoteError, UsageError, VerificationError
from sayso.gate import manifest
from sayso.gate.alone import alone
from sayso.gate.mirror import Mirror
from sayso.gate.objects import Address, Objects, address_of, is_address
from sayso.gate.uploading import check_free, upload

KEPT_DAYS = 30
"""So long a release, a selection or a corpus of a bucket is kept on this machine after it was opened last."""
THREADS = 8
"""So many objects at once go over the network, which waits more than it works."""


@dataclass(frozen=True)
class Near:
    """What a gate reads and writes, on this machine; `mirror` holds what is not there, `upload` takes the output away."""

    inputs: tuple[str, ...]
    output: Path | None
    since: Path | None
    mirror: Mirror | None = None
    upload: Upload | None = None

    def still(self) -> None:
        """Raises CorpusError if an input is not what it was."""
        if self.mirror is not None:
            self.mirror.check()

    def publish(self) -> None:
        """Takes the output to its place. Raises as `uploading.upload`."""
        if self.upload is not None and self.output is not None:
            self.upload(self.output)

    def naming(self) -> AbstractContextManager[None]:
        """Within it, what is told of files here is told of what they are of."""
        return nullcontext() if self.mirror is None else self.mirror.naming()

    def told(self, path: Path | None) -> str | Path | None:
        """The place of what is below the output."""
        if self.upload is None or path is None or self.output is None:
            return path
        place, below = self.upload.place, path.relative_to(self.output).as_posix()
        return str(place if below == "." else Address(place.bucket, place.prefix + below))


@dataclass(frozen=True)
class Upload:
    """What takes an output to its place in a bucket, by a `token` that tells this gate from all others."""

    place: Address
    objects: Objects
    token: str
    resume: bool

    def __call__(self, output: Path) -> None:
        """Writes an output there, whole or not at all."""
        upload(output, self.place, self.objects, self.token, threads=THREADS, resume=self.resume)


def check_here(*names: object) -> None:
    """Raises UsageError for what is not on this machine, where everything must be."""
    if any(is_address(name) for name in names if name is not None):
        raise UsageError("views, and gates by Spark, read and write no names in buckets; name files and directories")


@contextmanager
def near(inputs: Sequence[str], output: str | Path | None, since: str | Path | None, *, resume: bool) -> Iterator[Near]:
    """Brings near what a gate reads, and gives it a place to write to. Nothing is left of it, unless it is killed.

    Raises CorpusError, RemoteError.
    """
    if not any(is_address(one) for one in (*inputs, output, since) if one is not None):
        yield Near(tuple(inputs), _path(output), _path(since))
        return
    objects = wiring.objects()
    taking = None
    if output is not None and is_address(output):
        taking = Upload(address_of(str(output)), objects, wiring.token(), resume)
        check_free(taking.place, objects, resume=resume)
    goal = repr(tuple(inputs)) if output is None else str(taking.place if taking else Path(output).absolute())
    scratch = _scratch("gates", goal)
    with alone(scratch, lambda: CorpusError(f"another gate is at work for `{goal}`; wait for it")):
        try:
            _clear(scratch, keep=resume)
            mirror = Mirror(scratch / "inputs", objects, THREADS)
            earlier = _path(since)
            if since is not None and is_address(since):
                earlier = Mirror(scratch / "since", objects, THREADS).folder(address_of(str(since)))
            there = _path(output)
            if taking is not None:
                there = scratch / "output" / taking.place.key.rpartition("/")[2]
            yield Near(tuple(mirror.patterns(inputs)), there, earlier, mirror, taking)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _clear(scratch: Path, *, keep: bool) -> None:
    """Removes what a gate left that was killed. To `keep` what was fetched and done is not to keep what was finished."""
    for path in scratch.iterdir():
        if not keep:
            shutil.rmtree(path)
        elif path.name == "output":
            for done in path.iterdir():
                if not done.name.startswith("."):
                    shutil.rmtree(done)


@contextmanager
def output_of(directory: str | Path, inputs: str | Path | None) -> Iterator[tuple[Path, Path | None]]:
    """An output, and the directory of its inputs, while they are looked at.

    Raises VerificationError if there is no manifest, RemoteError.
    """
    if not is_address(directory) and (inputs is None or not is_address(inputs)):
        yield Path(directory), _path(inputs)
        return
    parent = wiring.scratch()
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="look-", dir=parent) as scratch:
        mirror = Mirror(Path(scratch), wiring.objects(), THREADS)
        with mirror.naming():
            root = _output(directory, mirror)
            yield root, _corpus(inputs, root, mirror)


def kept_output(directory: str | Path) -> Path:
    """An output as a directory that stays: fetched, if it is not here as it is there. Raises as `output_of`."""
    return Path(directory) if not is_address(directory) else _kept(str(directory), lambda one: _output(directory, one))


def kept_corpus(corpus: str | Path, output: Path) -> Path:
    """The files of the corpus that an output is of, as a directory that stays."""

    def fetched(mirror: Mirror) -> Path:
        found = _corpus(corpus, output, mirror)
        assert found is not None
        return found

    return Path(corpus) if not is_address(corpus) else _kept(str(corpus), fetched)


def kept_file(file: str | Path) -> Path:
    """A file of a corpus, as one that stays."""
    if not is_address(file):
        return Path(file)
    address = address_of(str(file))
    above, _, name = address.key.rpartition("/")
    return _kept(str(file), lambda mirror: mirror.files(Address(address.bucket, above), [name]) / name)


def _kept(name: str, fetch: Callable[[Mirror], Path]) -> Path:
    scratch = _scratch("kept", name)
    with alone(scratch):
        mirror = Mirror(scratch, wiring.objects(), THREADS)
        with mirror.naming():
            found = fetch(mirror)
        at = wiring.present() / instant.SECOND
        os.utime(scratch, (at, at))
    _forget(scratch.parent)
    return found


def _forget(kept: Path) -> None:
    """Removes what nobody opened for so long that it is not to be counted on; what is being fetched stays."""
    oldest = wiring.present() / instant.SECOND - KEPT_DAYS * 86_400
    for path in kept.iterdir():
        # Another process may be at it, or have removed it.
        with suppress(OSError, CorpusError, RemoteError):
            if path.stat().st_mtime < oldest:
                with alone(path, lambda: RemoteError("it is being fetched")):
                    shutil.rmtree(path)


def _output(directory: str | Path, mirror: Mirror) -> Path:
    if not is_address(directory):
        return Path(directory)
    address = address_of(str(directory))
    if mirror.objects.seen(Address(address.bucket, address.prefix + manifest.FILE)) is None:
        raise VerificationError(f"`{address}` has no manifest: nothing was let through, or it is not finished")
    return mirror.folder(address)


def _corpus(inputs: str | Path | None, output: Path, mirror: Mirror) -> Path | None:
    if inputs is None or not is_address(inputs):
        return _path(inputs)
    names = [str(one["name"]) for one in manifest.read(output).get("inputs", ())]
    return mirror.files(address_of(str(inputs)), names)


def _path(name: str | Path | None) -> Path | None:
    return None if name is None else Path(name)


def _scratch(kind: str, name: str) -> Path:
    return wiring.scratch() / kind / digest_bytes(name.encode())[-32:]
