"""Running a gate: a policy, a ledger and a corpus in; permitted records, a report of the denied, and a manifest out.

Nothing is visible until all of it is there: the output is written beside its place, under a hidden name, and moved.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from sayso.consent.reader import Reader, View
from sayso.errors import CanaryError, CorpusError, EngineError
from sayso.gate import attestation, canaries, counting, manifest
from sayso.gate.attestation import attest
from sayso.gate.columns import Columns
from sayso.gate.engine import Engine, Part, Progress, Question, silent
from sayso.gate.inputs import Input, open_inputs
from sayso.gate.looks import Look, changed, merged, verdicts
from sayso.gate.output import Gated, Report, count_file, gate_file
from sayso.gate.snapshots import Pinned, make
from sayso.gate.verdicts import Codec, Verdicts, chunks, collect
from sayso.ledger.identity import IdType
from sayso.ledger.journal import Journal
from sayso.policy.facts import Use
from sayso.policy.model import Policy

RECORDS_A_QUERY = 20_000_000


@dataclass(frozen=True)
class Job:
    """What a gate is asked.

    A release decides at the present instant and the head of the ledger, with the policy last published; it has no
    `policy` and no `position`, and `use.at` is the instant at which it begins. Anything else is a replay. Without an
    `output` nothing is written and only the counts are found. `snapshot` is one that was kept, to be used instead of
    a fresh one. `threads` files are written at once.
    """

    use: Use
    release: bool
    inputs: tuple[str, ...]
    columns: Columns
    output: Path | None = None
    policy: Policy | None = None
    position: int | None = None
    snapshot: Pinned | None = None
    canaries: int = 0
    threads: int = 2


@dataclass(frozen=True)
class Outcome:
    """What a gate did: its manifest, and where the output is (`None` for a dry run)."""

    manifest: dict[str, Any]
    output: Path | None


def run(job: Job, engine: Engine, reader: Reader, *, now: Callable[[], int], progress: Progress = silent) -> Outcome:
    """Gates a corpus.

    Raises CorpusError for a corpus or an output place that cannot be used, StoreError, EngineError, and CanaryError
    if a planted record that must be denied was permitted; then nothing is left of the output.
    """
    if job.release and (job.policy is not None or job.position is not None):
        raise CorpusError("a release takes the policy last published and the head of the ledger; leave out both")
    if job.output is not None:
        reader.journal.keys.signing()
    with _place(job.output) as work:
        progress("snapshot", 0, 1)
        view = reader.view(job.policy, job.position if job.snapshot is None else job.snapshot.position)
        first = _look(job, view, reader, engine, now())
        progress("snapshot", 1, 1)
        files = open_inputs(job.inputs, job.columns, engine, work / "staged")
        planted = canaries.plant(files, job, first, work / "planted") if job.canaries else None
        gate = _Gate(job, engine, files, planted, work, progress, reader.journal.id_type)
        gated, counts = gate.all(first)
        second = None
        if job.release and job.output is not None:
            second = _second_look(job, first, reader, engine, now)
            if second is not None:
                gated, counts = gate.again(first, second, gated)
        told = _manifest(job, engine, view, first, second, gated, counts)
        if job.output is None:
            return Outcome(told, None)
        _publish(work, job.output, told, reader.journal)
        return Outcome(told, job.output)


class _Gate:
    """One corpus, gated by one look at the ledger or by two."""

    def __init__(
        self, job: Job, engine: Engine, files: Sequence[Input], planted: Input | None, work: Path, progress: Progress,
        id_type: IdType,
    ) -> None:  # fmt: skip
        self.job, self.engine, self.files, self.planted, self.work = job, engine, files, planted, work
        self.progress, self.total = progress, sum(file.rows for file in files)
        self.done, self.id_type = 0, id_type
        self._lock = threading.Lock()

    def all(self, look: Look) -> tuple[list[Gated], Counter[counting.Cell]]:
        """Every file, by one look."""
        gated: list[Gated] = []
        counts: Counter[counting.Cell] = Counter()
        for start, stop in chunks([file.rows for file in self.files], RECORDS_A_QUERY):
            found = self._verdicts(look, start, stop)
            for one in self._files(start, stop, found, look, range(start, stop)):
                gated.append(one)
                counts += counting.cells(one.counts, found.codec.read)
        return gated, counts

    def again(self, first: Look, second: Look, gated: Sequence[Gated]) -> tuple[list[Gated], Counter[counting.Cell]]:
        """Every file by both looks: those are written again in which the second denies what the first let through."""
        settled: list[Gated] = []
        counts: Counter[counting.Cell] = Counter()
        self.done = 0
        for start, stop in chunks([file.rows for file in self.files], RECORDS_A_QUERY):
            before, after = self._verdicts(first, start, stop), self._verdicts(second, start, stop)
            both = merged(before, after)
            stale = [
                index for index, (at, until) in zip(range(start, stop), self._ranges(start, stop), strict=True)
                if changed(before, after, at, until)
            ]  # fmt: skip
            rewritten = dict(zip(stale, self._files(start, stop, both, second, stale), strict=True))
            for index in range(start, stop):
                one = rewritten.get(index, gated[index])
                settled.append(one)
                codec = both.codec if index in rewritten else before.codec
                counts += counting.cells(one.counts, codec.read)
        return settled, counts

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
            reserving, look.stale, self.id_type,
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

        def one(index: int) -> Gated:
            file, (at, _) = self.files[index], firsts[index]
            if self.job.output is None:
                return count_file(file, at, found, self.job.columns, done=self._tell)
            return gate_file(
                file, at, found, report, self.job.columns, self.work,
                several_threads=len(self.files) == 1, done=self._tell, stopped=stopped,
            )  # fmt: skip

        # What is written reaches the disk while the next files are made.
        with ThreadPoolExecutor(self.job.threads) as pool, ThreadPoolExecutor(1) as disk:
            pending = [pool.submit(one, index) for index in which]
            try:
                flushed = []
                for future in pending:
                    gated = future.result()
                    written = (one for one in (gated.permitted, gated.denied) if one is not None)
                    flushed += [disk.submit(_sync, self.work / one.path) for one in written]
                    yield gated
                for flushing in flushed:
                    flushing.result()
            except (OSError, pa.ArrowException) as error:
                told = getattr(error, "strerror", None) or type(error).__name__
                raise EngineError(f"could not read the corpus or write the output: {told}") from error
            finally:
                stopped.set()
                for future in pending:
                    future.cancel()

    def _tell(self, records: int) -> None:
        with self._lock:
            self.done += records
            self.progress("writing", self.done, self.total)


def _publish(work: Path, output: Path, told: dict[str, Any], journal: Journal) -> None:
    """Writes and signs the manifest, makes all of it durable and moves it to its place.

    Raises EngineError; CorpusError if the place is taken.
    """
    data = manifest.encode(told)
    signed = attest(told, manifest.FILE, data, journal.store.checkpoint(), journal.keys.signing())
    try:
        (work / manifest.FILE).write_bytes(data)
        (work / attestation.FILE).write_bytes(signed)
        for staged in ("staged", "planted"):
            shutil.rmtree(work / staged, ignore_errors=True)
        _make_durable(work)
        if os.path.lexists(output):  # a move would take the place of an empty directory
            raise CorpusError(f"the output `{output.name}` is there already; name another, or remove it")
        work.rename(output)
        _sync(output.parent)
    except OSError as error:
        raise EngineError(f"could not write the output: {error.strerror or type(error).__name__}") from error


def _look(job: Job, view: View, reader: Reader, engine: Engine, present: int) -> Look:
    kept = job.snapshot
    if kept is not None and (kept.use.purpose, kept.use.recipient) != (job.use.purpose, job.use.recipient):
        raise CorpusError(
            f"the snapshot is of another use (`{kept.use.purpose}` by `{kept.use.recipient}`); make one of this"
        )
    pinned = kept or make(reader.journal.store, view, job.use, engine)
    stale = job.snapshot is not None and job.release and present >= pinned.valid_until
    return Look(view, pinned, stale)


def _second_look(job: Job, first: Look, reader: Reader, engine: Engine, now: Callable[[], int]) -> Look | None:
    """A second look at the ledger and the clock; `None` if neither can have changed a verdict since the first."""
    at = now()
    change = first.pinned.snapshot.next_change
    if reader.journal.head().size == first.view.size and (change is None or at < change):
        return None
    view = reader.view()
    return Look(view, make(reader.journal.store, view, replace(job.use, at=at), engine), stale=False)


def _manifest(
    job: Job, engine: Engine, view: View, first: Look, second: Look | None, gated: Sequence[Gated],
    counts: Counter[counting.Cell],
) -> dict[str, Any]:  # fmt: skip
    looks = [
        {
            "at": manifest.written(look.pinned.use.at),
            "position": look.pinned.position,
            "policy": look.pinned.policy,
            "version": look.pinned.version,
            "snapshot": look.pinned.digest,
        }
        for look in (first, second)
        if look is not None
    ]
    return {
        "form": manifest.FORM,
        "kind": "release" if job.release else "replay",
        "platform": view.context.policy.platform,
        "use": {
            "purpose": job.use.purpose, "recipient": job.use.recipient, "at": manifest.written(job.use.at),
        },
        "looks": looks,
        "valid_until": manifest.written((second or first).pinned.valid_until),
        "versions": dict(engine.versions),
        "columns": manifest.columns(job.columns),
        "inputs": manifest.inputs(gated),
        "outputs": manifest.outputs(gated),
        "counts": counting.totals(counts),
        "canaries": job.canaries,
    }  # fmt: skip


@contextmanager
def _place(output: Path | None) -> Iterator[Path]:
    """A hidden directory beside the output's place to work in. Gone again unless it became the output."""
    if output is not None and os.path.lexists(output):
        raise CorpusError(f"the output `{output.name}` is there already; name another, or remove it")
    if output is None:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)
        return
    parent, name = output.parent, output.name
    work = parent / f".{name}.{os.getpid()}.partial"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(f".{name}.*.partial"):
            if not _alive(left):
                shutil.rmtree(left, ignore_errors=True)
        work.mkdir()
    except OSError as error:
        raise CorpusError(f"cannot write beside `{name}`: {error.strerror or type(error).__name__}") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


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


def _make_durable(root: Path) -> None:
    for path in [*root.rglob("*"), root]:
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
