"""One corpus, gated by one look at the ledger or by two: verdicts of many files at once, then each file by itself."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypeAlias, TypeVar

import pyarrow as pa

from sayso.errors import CanaryError, EngineError
from sayso.gate.counting import Cell, cells
from sayso.gate.engine import Engine, Part, Progress, Question
from sayso.gate.inputs import Input
from sayso.gate.job import Job
from sayso.gate.looks import Look, changed, merged, prepared, told, verdicts
from sayso.gate.output import Gated, Made, Piece, copy_file, count_file, hash_file
from sayso.gate.place import sync
from sayso.gate.report import Report
from sayso.gate.selecting import select_file
from sayso.gate.selection import KIND as SELECTION
from sayso.gate.verdicts import Codec, Verdicts, chunks, collect
from sayso.ledger.identity import IdType

Ask: TypeAlias = Callable[[int, int], Verdicts]
"""The verdicts of a range of files, canaries beside them."""
Found = TypeVar("Found")


class Gating:
    """The files of a corpus, the engine that decides them, and the directory that their outputs are written to.

    Where the engine answers for few records as fast as for many, each file is decided and written by itself, several at
    once; otherwise so many files are decided together as make a query, and then written, several at once.
    """

    def __init__(
        self, job: Job, engine: Engine, files: Sequence[Input], planted: Input | None, work: Path, progress: Progress,
        id_type: IdType,
    ) -> None:  # fmt: skip
        self.job, self.engine, self.files, self.planted, self.work = job, engine, files, planted, work
        self.progress, self.total = progress, sum(file.rows for file in files)
        self.done, self.id_type = 0, id_type
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def all(self, look: Look) -> list[Gated]:
        """Every file, by one look."""
        ask, most = self._asking(look)
        return list(self._each(most, ask, lambda index, at, found: self._made(index, at, found, look)))

    def again(self, first: Look, second: Look, gated: Sequence[Gated]) -> list[Gated]:
        """Every file by both looks: those are written again in which the second denies what the first let through."""
        self.done = 0
        (one, most), (other, least) = self._asking(first), self._asking(second)

        def settled(index: int, at: int, found: _Both) -> Gated:
            if not changed(found.before, found.after, at, at + self.files[index].rows):
                return gated[index]
            return self._made(index, at, found.merged, second)

        def both(start: int, stop: int) -> _Both:
            return _Both(one(start, stop), other(start, stop))

        return list(self._each(max(most, least), both, settled))

    def _asking(self, look: Look) -> tuple[Ask, int]:
        """How the verdicts of some files are asked for, and of how many records at once."""
        whole, rows = self._question(look, 0, len(self.files))
        most = self.engine.records_at_once(whole) if rows else 1
        ready = None
        if rows and most == 1:
            self.progress("deciding", 0, rows)
            ready = prepared(look, whole, self.engine)

        def ask(start: int, stop: int) -> Verdicts:
            question, rows = self._question(look, start, stop)
            if not rows:
                return collect((), 0, Codec(look.pinned.snapshot), look.ids)
            if ready is None:
                self.progress("deciding", 0, rows)
                found = verdicts(look, question, rows, self.engine)
            else:
                found = told(look, replace(question, snapshot=ready.snapshot), rows, self.engine)
            self._check_canaries(found, rows)
            return found

        return ask, most

    def _question(self, look: Look, start: int, stop: int) -> tuple[Question, int]:
        """The question about some files, the canaries after them, and how many records it is about."""
        asked = [*self.files[start:stop], *([] if self.planted is None else [self.planted])]
        parts, at = [], 0
        for file in asked:
            parts.append(Part(file.path, file.rows, at))
            at += file.rows
        reserving = look.view.context.policy.purposes.above(self.job.use.purpose)
        held = tuple(part for part in parts if part.rows)
        return Question(
            held, self.job.columns, self.files[0].schema, look.pinned.snapshot, reserving, look.stale, self.id_type,
            self.job.reports,
        ), at  # fmt: skip

    def _check_canaries(self, found: Verdicts, rows: int) -> None:
        """Raises CanaryError unless all canaries, which are last, are denied."""
        if self.planted is not None:
            passed = int(found.permitted(rows - self.planted.rows, rows).sum())
            if passed:
                raise CanaryError(f"{passed} of {self.planted.rows} planted records that must be denied were permitted")

    def _each(
        self, most: int, ask: Callable[[int, int], Found], make: Callable[[int, int, Found], Gated]
    ) -> Iterator[Gated]:
        """What is made of each file, in order, of what is found about it and the row of its first record in that.

        What is read is hashed, and what is written reaches the disk, while other files are made.
        """
        ranges = chunks([file.rows for file in self.files], most)
        with ThreadPoolExecutor(self.job.threads) as pool, ThreadPoolExecutor(1) as disk:
            pending: list[Future[Gated]] = []
            flushed: list[Future[None]] = []
            try:
                for start, stop in ranges:
                    if most == 1:
                        # A range of more than one file is of one that has records, and of empty ones.
                        pending += [pool.submit(self._one, ask, make, index) for index in range(start, stop)]
                        continue
                    found, at = ask(start, stop), 0
                    for index in range(start, stop):
                        pending.append(pool.submit(make, index, at, found))
                        at += self.files[index].rows
                    for made in pending:
                        yield self._flushing(made.result(), disk, flushed)
                    pending = []
                for made in pending:
                    yield self._flushing(made.result(), disk, flushed)
                for flushing in flushed:
                    flushing.result()
            except (OSError, pa.ArrowException) as error:
                told = getattr(error, "strerror", None) or type(error).__name__
                raise EngineError(f"could not read the corpus or write the output: {told}") from error
            finally:
                self._stopped.set()
                for made in pending:
                    made.cancel()
        self._stopped.clear()

    def _one(
        self, ask: Callable[[int, int], Found], make: Callable[[int, int, Found], Gated], index: int
    ) -> Gated:  # fmt: skip
        return make(index, 0, ask(index, index + 1))

    def _flushing(self, gated: Gated, disk: ThreadPoolExecutor, flushed: list[Future[None]]) -> Gated:
        flushed += [disk.submit(sync, self.work / written.path) for written in gated.written]
        return gated

    def _made(self, index: int, at: int, found: Verdicts, look: Look) -> Gated:
        """What is made of one file."""
        file = self.files[index]
        report = Report(look.rules, cache(found.codec.read), look.ids)
        piece = Piece(file, at, found, self.job.columns, self._tell, self._stopped)
        with ThreadPoolExecutor(1) as hashing:
            hashed = hashing.submit(hash_file, file.source, self._stopped)
            written, counts = self._write(piece, report)
            return Gated(file, hashed.result(), written, cells(counts, found.codec.read))

    def _write(self, piece: Piece, report: Report) -> Made:
        """What is made of one file: nothing, a copy, or a selection."""
        if self.job.output is None:
            return count_file(piece)
        if self.job.emit == SELECTION:
            return select_file(piece, report if self.job.reports else None, self.work)
        return copy_file(piece, report, self.work, several_threads=len(self.files) == 1)

    def _tell(self, records: int) -> None:
        with self._lock:
            self.done += records
            self.progress("writing", self.done, self.total)


class _Both:
    """The verdicts of two looks on some files."""

    def __init__(self, before: Verdicts, after: Verdicts) -> None:
        self.before, self.after = before, after
        self._lock = threading.Lock()
        self._merged: Verdicts | None = None

    @property
    def merged(self) -> Verdicts:
        """What both permit."""
        with self._lock:
            if self._merged is None:
                self._merged = merged(self.before, self.after)
            return self._merged


def summed(gated: Sequence[Gated]) -> Counter[Cell]:
    """The counts of all files."""
    found: Counter[Cell] = Counter()
    for one in gated:
        found.update(one.cells)
    return found
