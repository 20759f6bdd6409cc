"""What is not on this machine, brought near: objects as files before a gate or a reader needs them, outputs taken there after."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from sayso import wiring
from sayso.canonical import digest_bytes
from sayso.errors import CorpusError, UsageError, VerificationError
from sayso.gate import manifest
from sayso.gate.mirror import Mirror, alone
from sayso.gate.objects import Address, address_of, is_address
from sayso.gate.uploading import check_free, upload

THREADS = 8
"""So many objects at once go over the network, which waits more than it works."""


@dataclass(frozen=True)
class Near:
    """What a gate reads and writes, on this machine, and what is done about it where that is not its place."""

    inputs: tuple[str, ...]
    output: Path | None
    since: Path | None
    still: Callable[[], None]
    """Raises CorpusError if an input is not what it was."""
    publish: Callable[[], None]
    """Takes the output to its place."""
    naming: Callable[[], AbstractContextManager[None]]
    """Within it, what is told of files here is told of what they are of."""
    place: Address | None = None

    def told(self, path: Path | None) -> str | Path | None:
        """The place of what is below the output."""
        if self.place is None or path is None or self.output is None:
            return path
        below = path.relative_to(self.output).as_posix()
        return str(self.place if below == "." else Address(self.place.bucket, self.place.prefix + below))


def check_here(*names: object) -> None:
    """Raises UsageError for what is not on this machine, where everything must be."""
    if any(is_address(name) for name in names if name is not None):
        raise UsageError("views, and gates by Spark, read and write no names in buckets; name files and directories")


def _nothing() -> None:
    return None


@contextmanager
def near(inputs: Sequence[str], output: str | Path | None, since: str | Path | None, *, resume: bool) -> Iterator[Near]:
    """Brings near what a gate reads, and gives it a place to write to. Nothing is left of it, unless it is killed.

    Raises CorpusError, RemoteError.
    """
    if not any(is_address(one) for one in (*inputs, output, since) if one is not None):
        yield Near(tuple(inputs), _path(output), _path(since), _nothing, _nothing, nullcontext)
        return
    objects = wiring.objects()
    place = address_of(str(output)) if output is not None and is_address(output) else None
    if place is not None:
        check_free(place, objects, resume=resume)
    goal = repr(tuple(inputs)) if output is None else str(place or Path(output).absolute())
    scratch = _scratch("gates", goal)
    with alone(scratch, lambda: CorpusError(f"another gate is at work for `{goal}`; wait for it")):
        try:
            _clear(scratch, keep=resume)
            mirror = Mirror(scratch / "inputs", objects, THREADS)
            earlier = _path(since)
            if since is not None and is_address(since):
                earlier = Mirror(scratch / "since", objects, THREADS).folder(address_of(str(since)))
            local = None if place is None else scratch / "output" / place.key.rpartition("/")[2]
            there = _path(output) if local is None else local
            token = wiring.token()

            def publish() -> None:
                if place is not None and local is not None:
                    upload(local, place, objects, token, threads=THREADS, resume=resume)

            yield Near(
                tuple(mirror.patterns(inputs)), there, earlier, mirror.check, publish, mirror.naming, place
            )  # fmt: skip
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
            return fetch(mirror)


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
