"""An object whose arrays lie in a file that every worker of a machine maps, so that they are in memory once.

The file is a pickle whose buffers are out of band (PEP 574), each at a multiple of ALIGNED.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import pickle
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ALIGNED = 64
_LENGTH = struct.Struct("<Q")


def frozen(value: Any) -> bytes:
    """An object, to be read by `mapped`."""
    buffers: list[pickle.PickleBuffer] = []
    parts: list[Any] = [pickle.dumps(value, protocol=5, buffer_callback=buffers.append)]
    parts += [buffer.raw() for buffer in buffers]
    made = [_LENGTH.pack(one) for one in (len(parts), *map(len, parts))]
    at = _LENGTH.size * len(made)
    for part in parts:
        made += [b"\0" * (-at % ALIGNED), part]
        at += -at % ALIGNED + len(part)
    return b"".join(made)


def mapped(path: Path) -> Any:
    """What was frozen into a file, over its pages; its arrays are read only. Only for files that this program made."""
    with path.open("rb") as file:
        held = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    (count,) = _LENGTH.unpack_from(held)
    at, parts = _LENGTH.size * (count + 1), []
    for number in range(count):
        (length,) = _LENGTH.unpack_from(held, _LENGTH.size * (number + 1))
        at += -at % ALIGNED
        parts.append(held[at : at + length])
        at += length
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301  what the driver made, as every task is


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Waits until no other process of this machine is in the block with that file."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write(data: bytes, path: Path) -> None:
    """Writes a file that appears whole, whoever else writes the same."""
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
