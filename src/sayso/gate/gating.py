"""One corpus, gated by one look at the ledger or by two: verdicts of many files at once, then each file by itself."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypeAlias, TypeVar

import pyarrow as pa

from sayso.errors import CanaryError, EngineError
from sayso.gate.budget import Budget, needs
from sayso.gate.counting import Cell, cells
from sayso.gate.engine import Engine, Progress, Question
from sayso.gate.inputs import Input
from sayso.gate.job import Job
from sayso.gate.looks import Look, alike, asked, changed, merged, prepared, told, verdicts
from sayso.gate.output import Gated, Made, Piece, copy_file, count_file, counted, hash_file
from sayso.gate.place import sync
from sayso.gate.report import Report
from sayso.gate.selecting import select_file
from sayso.gate.selection import KIND as SELECTION
from sayso.gate.verdicts import Codec, Verdicts, chunks, collect
from sayso.ledger.identity import IdType

Ask: TypeAlias = Callable[[Sequence[int]], Verdicts]
"""The verdicts of some files, by number, canaries beside them."""
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
        self._budget = Budget(job.memory)

    def all(self, look: Look, already: Mapping[int, Gated], log: Callable[[Gated], None]) -> list[Gated]:
        """Every file, by one look, but for those that are done `already`. The `log` is told once one is on the disk."""
        left = [index for index in range(len(self.files)) if index not in already]
        for gated in already.values():
            self._tell(gated.input.rows)
        ask, most = self._asking(look, left)
        made = self._each(left, most, ask, lambda index, at, found: self._made(index, at, found, look), log)
        found = dict(already) | dict(zip(left, made, strict=True))
        return [found[index] for index in range(len(self.files))]

    def again(self, first: Look, second: Look, gated: Sequence[Gated]) -> list[Gated]:
        """Every file by both looks: those are written again in which the second denies what the first let through."""
        self.done = 0
        every = range(len(self.files))
        (one, most), (other, least) = self._asking(first, every), self._asking(second, every)

        def settled(index: int, at: int, found: _Both) -> Gated:
            if not changed(found.before, found.after, at, at + self.files[index].rows):
                return gated[index]
            return self._made(index, at, found.merged, second)

        def both(which: Sequence[int]) -> _Both:
            return _Both(one(which), other(which))

        return list(self._each(every, max(most, least), both, settled, lambda _: None))

    def same(self, earlier: Sequence[Look], look: Look, which: Sequence[int]) -> dict[int, Counter[Cell]]:
        """Those of some files of which one look says, of every record, just what earlier looks said; with their counts."""
        asks = [self._asking(one, which) for one in (*earlier, look)]
        most = max(most for _, most in asks)
        since = earlier[0].pinned.position

        def found(span: tuple[int, int]) -> dict[int, Counter[Cell]]:
            some, at = which[slice(*span)], 0
            counts: dict[int, Counter[Cell]] = {}
            *before, now = (ask(some) for ask, _ in asks)
            for index in some:
                until = at + self.files[index].rows
                held = before[0]
                if len(before) > 1 and changed(before[0], before[1], at, until):
                    held = merged(before[0], before[1])
                if alike(held, now, at, until, since):
                    piece = Piece(self.files[index], at, now, self.job.columns, lambda _: None, self._stopped)
                    counts[index] = cells(counted(piece), now.codec.read)
                at = until
            return counts

        with ThreadPoolExecutor(self.job.threads if most == 1 else 1) as pool:
            spans = chunks([self.files[index].rows for index in which], most)
            return {index: counts for part in pool.map(found, spans) for index, counts in part.items()}

    def _asking(self, look: Look, which: Sequence[int]) -> tuple[Ask, int]:
        """How the verdicts of some files are asked for, and of how many records at once."""
        whole, rows = self._question(look, which)
        most = self.engine.records_at_once(whole) if rows else 1
        ready: tuple[Question, Codec] | None = None
        if rows and most == 1:
            self.progress("deciding", 0, rows)
            question = prepared(look, whole, self.engine)
            ready = question, Codec(question.snapshot)

        def ask(some: Sequence[int]) -> Verdicts:
            question, rows = self._question(look, some)
            if not rows:
                return collect((), 0, Codec(look.pinned.snapshot), look.ids)
            if ready is None:
                self.progress("deciding", 0, rows)
                found = verdicts(look, question, rows, self.engine)
            else:
                found = told(look, replace(question, snapshot=ready[0].snapshot), rows, self.engine, ready[1])
            self._check_canaries(found, rows)
            return found

        return ask, most

    def _question(self, look: Look, which: Sequence[int]) -> tuple[Question, int]:
        """The question about some files, the canaries after them, and how many records it is about."""
        some = [*(self.files[index] for index in which), *([] if self.planted is None else [self.planted])]
        behind = self.job.reports or self.job.since is not None
        return asked(look, some, self.files[0].schema, self.job.columns, self.id_type, behind=behind)

    def _check_canaries(self, found: Verdicts, rows: int) -> None:
        """Raises CanaryError unless all canaries, which are last, are denied."""
        if self.planted is not None:
            passed = int(found.permitted(rows - self.planted.rows, rows).sum())
            if passed:
                raise CanaryError(f"{passed} of {self.planted.rows} planted records that must be denied were permitted")

    def _each(
        self, which: Sequence[int], most: int, ask: Callable[[Sequence[int]], Found],
        make: Callable[[int, int, Found], Gated], log: Callable[[Gated], None],
    ) -> Iterator[Gated]:  # fmt: skip
        """What is made of each file, in order, of what is found about it and the row of its first record in that.

        What is read is hashed, and what is written reaches the disk, while other files are made.
        """
        with ThreadPoolExecutor(self.job.threads) as pool, ThreadPoolExecutor(1) as disk:
            pending: list[Future[Gated]] = []
            flushed: list[Future[None]] = []
            try:
                for start, stop in chunks([self.files[index].rows for index in which], most):
                    some = which[start:stop]
                    if most == 1:
                        # A range of more than one file is of one that has records, and of empty ones.
                        pending += [pool.submit(self._one, ask, make, index) for index in some]
                        continue
                    found, at = ask(some), 0
                    for index in some:
                        pending.append(pool.submit(self._within, make, index, at, found))
                        at += self.files[index].rows
                    for made in pending:
                        yield self._flushing(made.result(), disk, flushed, log)
                    pending = []
                for made in pending:
                    yield self._flushing(made.result(), disk, flushed, log)
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
        self, ask: Callable[[Sequence[int]], Found], make: Callable[[int, int, Found], Gated], index: int
    ) -> Gated:  # fmt: skip
        with self._budget.taking(needs(self.files[index], self.job)):
            return make(index, 0, ask((index,)))

    def _within(self, make: Callable[[int, int, Found], Gated], index: int, at: int, found: Found) -> Gated:
        with self._budget.taking(needs(self.files[index], self.job)):
            return make(index, at, found)

    def _flushing(
        self, gated: Gated, disk: ThreadPoolExecutor, flushed: list[Future[None]], log: Callable[[Gated], None]
    ) -> Gated:
        def flush() -> None:
            for written in gated.written:
                sync(self.work / written.path)
            if not self._stopped.is_set():
                log(gated)

        flushed.append(disk.submit(flush))
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
