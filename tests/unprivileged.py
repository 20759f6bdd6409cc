"""Acting as somebody who may not write everywhere, where the tests run as root."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65_534


@contextmanager
def anybody() -> Iterator[None]:
    """Not root: what is another's and closed to others cannot be written."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(own)


@contextmanager
def read_only(directory: Path) -> Iterator[Path]:
    """A copy of a directory that anybody may read and nobody but root may write, where anybody can reach it."""
    root = Path(tempfile.mkdtemp())
    copy = root / "copy"
    shutil.copytree(directory, copy)
    for path in [*copy.rglob("*"), copy, root]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield copy
    finally:
        for path in (root, copy, *copy.rglob("*")):
            path.chmod(0o755)
        shutil.rmtree(root)
