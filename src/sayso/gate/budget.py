"""How many files are gated at once: so many as fit into the memory that the user gives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow.parquet as pq

from sayso.gate.inputs import Input
from sayso.gate.job import COPY, Job

A_VERDICT = 32
"""Bytes of a record while it is decided: its number, its row, its territory and its part in a bitmap."""
COPIES = 3
"""So many times a row group is in memory while it is copied: as it was read, filtered, and as it is written."""
ANYWAY = 16 << 20
"""Bytes that each file takes, however small it is."""


class Budget:
    """Bytes of memory that are taken and given back. One file is always let in, however large it is."""

    def __init__(self, limit: int) -> None:
        self._limit, self._taken = limit, 0
        self._changed = threading.Condition()

    @contextmanager
    def taking(self, size: int) -> Iterator[None]:
        """Waits until there is room for so many bytes."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + size <= self._limit)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()


def needs(file: Input, job: Job) -> int:
    """About how many bytes a file takes while it is gated."""
    size = ANYWAY + A_VERDICT * file.rows
    if job.output is None or (job.emit != COPY and not job.reports):
        return size
    footer = pq.read_metadata(file.path)
    groups = (footer.row_group(number) for number in range(footer.num_row_groups))
    return size + COPIES * max((group.total_byte_size for group in groups), default=0)
