"""A directory that one process at a time works in, however a process ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sayso.errors import CorpusError, Problem, SaysoError


@contextmanager
def alone(directory: Path, told: Callable[[], SaysoError] | None = None) -> Iterator[None]:
    """Holds a directory for one process at a time. Raises what is `told` of one that another holds, or waits for it."""
    while (held := _locked(directory, told)) is None:
        continue  # whoever held it before removed it
    try:
        yield
    finally:
        os.close(held)


def _locked(directory: Path, told: Callable[[], SaysoError] | None) -> int | None:
    """The lock on a directory that there is; `None` if it is gone by the time it is locked."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CorpusError(Problem(f"cannot be made: {error.strerror}", str(directory))) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | (fcntl.LOCK_NB if told else 0))
        if os.fstat(held).st_ino == directory.stat().st_ino:
            return held
    except FileNotFoundError:
        pass
    except BlockingIOError:
        os.close(held)
        assert told is not None
        raise told() from None
    os.close(held)
    return None
