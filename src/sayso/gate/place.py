"""Where a gate works until all of it is there: a hidden directory beside the output's place, moved there at the end."""

from __future__ import annotations

import fcntl
import glob
import itertools
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from sayso.errors import CorpusError, EngineError, Problem, VerificationError
from sayso.gate import attestation, manifest

SYNCING = 8
"""So many files are waited for at once, for a disk is quicker about several."""


@contextmanager
def place(output: Path | None, *, resume: bool = False) -> Iterator[Path]:
    """A hidden directory to work in, gone again unless it became the output; without one, a temporary directory.

    With `resume` it is what a gate has left there that was killed, if one was; else that is removed. Raises CorpusError
    if the place is taken, or cannot be written to.
    """
    if output is None:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)
        return
    if not encodable(output):
        raise CorpusError(Problem("expected a path in Unicode; name another output", file=str(output)))
    check_free(output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        work, held = _claimed(output, resume=resume)
    except OSError as error:
        raise CorpusError(f"cannot write beside `{output.name}`: {error.strerror or type(error).__name__}") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(held)


def _claimed(output: Path, *, resume: bool) -> tuple[Path, int]:
    """A directory of this gate's own, and the lock on it, which ends with the process. Of what others left one at most
    is kept.
    """
    parent = os.open(output.parent, os.O_RDONLY)
    try:
        fcntl.flock(parent, fcntl.LOCK_EX)  # so that none is seen between its making and its locking
        kept: tuple[Path, int] | None = None
        for left in sorted(output.parent.glob(f".{glob.escape(output.name)}.*.partial")):
            if not _own(left):
                continue
            held = _locked(left)
            if held is None:
                continue
            if resume and kept is None:
                kept = left, held
            else:
                shutil.rmtree(left, ignore_errors=True)
                os.close(held)
        if kept is None:
            work = _fresh(output)
            held = _locked(work)
            assert held is not None
            kept = work, held
        return kept
    finally:
        os.close(parent)


def _own(left: Path) -> bool:
    """Whether a gate of this user left it: no link is followed, and what somebody else made is not gone on with."""
    found = left.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _locked(directory: Path) -> int | None:
    """The lock on a directory; `None` if another gate works in it."""
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return None
    return held


def _fresh(output: Path) -> Path:
    """A new hidden directory. Numbers of processes come again, so there may be one of this one's."""
    for number in itertools.count():
        work = output.parent / f".{output.name}.{os.getpid()}{f'-{number}' if number else ''}.partial"
        try:
            work.mkdir()
        except FileExistsError:
            continue
        return work
    raise AssertionError


def check_free(output: Path) -> None:
    """Raises CorpusError if there is something in the place of an output: a move would take that of an empty directory.

    Or if the place is within another output, which would no longer be what its manifest says.
    """
    if os.path.lexists(output):
        raise CorpusError(f"the output `{manifest.named(output)}` is there already; name another, or remove it")
    for directory in (output.parent.resolve() / output.name).parents:
        if _is_output(directory):
            raise CorpusError(
                f"the output `{manifest.named(output)}` would be within the output `{manifest.named(directory)}`, which holds no files "
                "but its own; name a directory outside it"
            )


def _is_output(directory: Path) -> bool:
    """Whether a gate wrote a directory; a manifest of another kind is nothing to it."""
    if os.path.lexists(directory / attestation.FILE):
        return True
    try:
        manifest.read(directory)
    except VerificationError:
        return False
    return True


def encodable(path: Path) -> bool:
    """Whether a path is text; a name on the disk may be other bytes, which no engine and no database can be told."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        return False
    return True


def move(work: Path, output: Path) -> None:
    """Makes all that is in the hidden directory durable, and moves it to its place. Raises EngineError, CorpusError."""
    try:
        with ThreadPoolExecutor(SYNCING) as pool:
            list(pool.map(sync, [*work.rglob("*"), work]))
        check_free(output)
        work.rename(output)
        sync(output.parent)
    except OSError as error:
        raise EngineError(f"could not write the output: {error.strerror or type(error).__name__}") from error


def sync(path: Path) -> None:
    """Waits until a file or directory is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
