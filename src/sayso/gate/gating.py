"""One corpus, gated by one look at the ledger or by two: verdicts of many files at once, then each file by itself."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pyarrow as pa

from sayso.errors import CanaryError, EngineError
from sayso.gate.counting import Cell, cells
from sayso.gate.engine import Engine, Part, Progress, Question
from sayso.gate.inputs import Input
from sayso.gate.job import Job
from sayso.gate.looks import Look, changed, merged, verdicts
from sayso.gate.output import Gated, Made, Piece, copy_file, count_file, hash_file
from sayso.gate.place import sync
from sayso.gate.report import Report
from sayso.gate.selecting import select_file
from sayso.gate.selection import KIND as SELECTION
from sayso.gate.verdicts import Codec, Verdicts, chunks, collect
from sayso.ledger.identity import IdType

RECORDS_A_QUERY = 20_000_000


class Gating:
    """The files of a corpus, the engine that decides them, and the directory that their outputs are written to."""

    def __init__(
        self, job: Job, engine: Engine, files: Sequence[Input], planted: Input | None, work: Path, progress: Progress,
        id_type: IdType,
    ) -> None:  # fmt: skip
        self.job, self.engine, self.files, self.planted, self.work = job, engine, files, planted, work
        self.progress, self.total = progress, sum(file.rows for file in files)
        self.done, self.id_type = 0, id_type
        self._lock = threading.Lock()

    def all(self, look: Look) -> list[Gated]:
        """Every file, by one look."""
        gated: list[Gated] = []
        for start, stop in chunks([file.rows for file in self.files], RECORDS_A_QUERY):
            found = self._verdicts(look, start, stop)
            gated += self._files(start, stop, found, look, range(start, stop))
        return gated

    def again(self, first: Look, second: Look, gated: Sequence[Gated]) -> list[Gated]:
        """Every file by both looks: those are written again in which the second denies what the first let through."""
        settled: list[Gated] = []
        self.done = 0
        for start, stop in chunks([file.rows for file in self.files], RECORDS_A_QUERY):
            before, after = self._verdicts(first, start, stop), self._verdicts(second, start, stop)
            both = merged(before, after)
            stale = [
                index for index, (at, until) in zip(range(start, stop), self._ranges(start, stop), strict=True)
                if changed(before, after, at, until)
            ]  # fmt: skip
            rewritten = dict(zip(stale, self._files(start, stop, both, second, stale), strict=True))
            settled += [rewritten.get(index, gated[index]) for index in range(start, stop)]
        return settled

    def _ranges(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The rows of each file of a chunk among the chunk's."""
        ends, at = [], 0
        for file in self.files[start:stop]:
            ends.append((at, at + file.rows))
            at += file.rows
        return ends

    def _verdicts(self, look: Look, start: int, stop: int) -> Verdicts:
        """The verdicts of a chunk; canaries go with each, and must be denied."""
        asked = [*self.files[start:stop], *([] if self.planted is None else [self.planted])]
        parts, at = [], 0
        for file in asked:
            parts.append(Part(file.path, file.rows, at))
            at += file.rows
        if not at:
            return collect((), 0, Codec(look.pinned.snapshot), look.ids)
        reserving = look.view.context.policy.purposes.above(self.job.use.purpose)
        question = Question(
            tuple(part for part in parts if part.rows), self.job.columns, asked[0].schema, look.pinned.snapshot,
            reserving, look.stale, self.id_type, self.job.reports,
        )  # fmt: skip
        self.progress("deciding", 0, at)
        found = verdicts(look, question, at, self.engine)
        if self.planted is not None:
            passed = int(found.permitted(at - self.planted.rows, at).sum())
            if passed:
                raise CanaryError(f"{passed} of {self.planted.rows} planted records that must be denied were permitted")
        return found

    def _files(
        self, start: int, stop: int, found: Verdicts, look: Look, which: Sequence[int] | range
    ) -> Iterator[Gated]:
        """Writes some files of a chunk, several at once, and gives them in order."""
        report = Report(look.rules, cache(found.codec.read), look.ids)
        stopped = threading.Event()
        firsts = dict(zip(range(start, stop), self._ranges(start, stop), strict=True))

        def one(index: int, hashed: Future[str]) -> Gated:
            file, (at, _) = self.files[index], firsts[index]
            written, counts = self._write(Piece(file, at, found, self.job.columns, self._tell, stopped), report)
            return Gated(file, hashed.result(), written, cells(counts, found.codec.read))

        # What is read is hashed, and what is written reaches the disk, while other files are made.
        threads = self.job.threads
        with ThreadPoolExecutor(threads) as pool, ThreadPoolExecutor(threads) as hashing, ThreadPoolExecutor(1) as disk:
            hashes = [hashing.submit(hash_file, self.files[index].source, stopped) for index in which]
            pending = [pool.submit(one, index, hashed) for index, hashed in zip(which, hashes, strict=True)]
            try:
                flushed = []
                for future in pending:
                    gated = future.result()
                    flushed += [disk.submit(sync, self.work / written.path) for written in gated.written]
                    yield gated
                for flushing in flushed:
                    flushing.result()
            except (OSError, pa.ArrowException) as error:
                told = getattr(error, "strerror", None) or type(error).__name__
                raise EngineError(f"could not read the corpus or write the output: {told}") from error
            finally:
                stopped.set()
                for hashed in hashes:
                    hashed.cancel()
                for future in pending:
                    future.cancel()

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


def summed(gated: Sequence[Gated]) -> Counter[Cell]:
    """The counts of all files."""
    found: Counter[Cell] = Counter()
    for one in gated:
        found.update(one.cells)
    return found
