"""Where a gate works until all of it is there: a hidden directory beside the output's place, moved there at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sayso.errors import CorpusError, EngineError


@contextmanager
def place(output: Path | None) -> Iterator[Path]:
    """A hidden directory to work in, gone again unless it became the output; without one, a temporary directory.

    What gates that were killed have left beside it is removed. Raises CorpusError if the place is taken, or cannot be
    written to.
    """
    if output is None:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)
        return
    check_free(output)
    work = output.parent / _hidden(output.name, os.getpid())
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        for left in _left(output):
            shutil.rmtree(left, ignore_errors=True)
        work.mkdir()
    except OSError as error:
        raise CorpusError(f"cannot write beside `{output.name}`: {error.strerror or type(error).__name__}") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def check_free(output: Path) -> None:
    """Raises CorpusError if there is something in the place of an output: a move would take that of an empty directory."""
    if os.path.lexists(output):
        raise CorpusError(f"the output `{output.name}` is there already; name another, or remove it")


def move(work: Path, output: Path) -> None:
    """Makes all that is in the hidden directory durable, and moves it to its place. Raises EngineError, CorpusError."""
    try:
        for path in [*work.rglob("*"), work]:
            sync(path)
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


def _hidden(name: str, process: int) -> str:
    return f".{name}.{process}.partial"


def _left(output: Path) -> Iterator[Path]:
    """The hidden directories of processes that run no longer."""
    for left in output.parent.glob(f".{output.name}.*.partial"):
        if not _alive(left):
            yield left


def _alive(work: Path) -> bool:
    """Whether the process that works in a hidden directory still runs."""
    number = work.name.split(".")[-2]
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
