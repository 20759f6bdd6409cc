"""The set of a file's permitted rows, as a selection keeps it: a Roaring bitmap in its portable form.

The form is `spec/selection.md`. Rows count from 0 in the order of the file.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from sayso.errors import CorpusError, Problem, VerificationError

KIND = "selection"
"""Of a manifest: what was emitted, and the kind of its files."""
FOLDER, SUFFIX = "selected", ".roaring"
MOST_ROWS = 1 << 32
"""A Roaring bitmap holds numbers of 32 bits."""
AT_ONCE = 1 << 22
"""So many rows at most are unpacked at once."""

Mask: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = npt.NDArray[np.uint32]


def check_size(rows: int, source: Path) -> None:
    """Raises CorpusError for a file whose rows cannot all be numbered."""
    if rows > MOST_ROWS:
        problem = f"expected at most {MOST_ROWS:,} records in a file to select from, got {rows:,}"
        raise CorpusError(Problem(problem, file=str(source), remedy="split the file"))


def encode(masks: Iterable[Mask]) -> tuple[bytes, int]:
    """The permitted rows of a file, given as masks of its rows in order: a bitmap's bytes, and how many there are."""
    found, at = BitMap(), 0
    for mask in masks:
        for start in range(0, len(mask), AT_ONCE):
            rows = np.flatnonzero(mask[start : start + AT_ONCE]) + (at + start)
            held = array("I")
            held.frombytes(rows.astype(np.uint32).tobytes())
            found |= BitMap(held)
        at += len(mask)
    found.run_optimize()
    return found.serialize(), len(found)


def decode(data: bytes, rows: int) -> BitMap:
    """The permitted rows of a file that has so many.

    Raises VerificationError for what is not, to the last byte, a bitmap of such rows in the portable form.
    """
    try:
        found = BitMap.deserialize(data) if data else None
    except ValueError:
        found = None
    if found is None or found.serialize() != data:
        raise VerificationError("expected a Roaring bitmap in its portable form")
    if len(found) and found.max() >= rows:
        raise VerificationError(f"expected rows of a file that has {rows:,}, got row {found.max():,}")
    return found


def within(found: BitMap, start: int, stop: int) -> Rows:
    """The permitted rows in [start, stop), counted from `start`."""
    some: Any = (found & BitMap(range(start, stop))).to_array() if stop > start else array("I")
    return np.frombuffer(some, np.uint32) - np.uint32(start)


def mask_of(found: BitMap, start: int, stop: int) -> Mask:
    """Which rows in [start, stop) are permitted."""
    mask = np.zeros(stop - start, np.bool_)
    mask[within(found, start, stop)] = True
    return mask
