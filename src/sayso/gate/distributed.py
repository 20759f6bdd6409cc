"""Running a gate whose engine copies the corpus itself (`engine.Cluster`): as `run`, with files of the engine's making.

The snapshot is made where the ledger is, by an engine of this machine. A corpus is files, or a frame that the engine
holds; an output is a directory, and for its permitted records perhaps a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sayso.canonical import digest_file
from sayso.consent.reader import Reader
from sayso.errors import CanaryError, CorpusError, EngineError
from sayso.gate import canaries, counting
from sayso.gate.engine import Cluster, Decided, Engine, Part, Progress, silent
from sayso.gate.inputs import Input, open_inputs
from sayso.gate.job import Job
from sayso.gate.looks import Both, Look, asked, prepared
from sayso.gate.outcome import Outcome, look_of, second_look, stated
from sayso.gate.outcome import publish as put
from sayso.gate.output import DENIED, PERMITTED
from sayso.gate.place import place
from sayso.gate.verdicts import Answer, Codec
from sayso.territory.code import canonical

Counts = Counter[tuple[int, str | None]]


@dataclass(frozen=True)
class Held:
    """A corpus that the engine holds: its name in the manifest, its columns, and how many records it has."""

    name: str
    schema: pa.Schema
    records: int


@dataclass(frozen=True)
class Made:
    """What a gate of a cluster made, while the engine keeps it: its verdicts and what they say, and the outcome."""

    outcome: Outcome
    decided: Decided
    report: pa.Table
    valid_until: int
    records: int
    check: Callable[[], None]
    """Raises CorpusError for an input that was written again since it was first looked at."""


@contextmanager
def run(
    job: Job, cluster: Cluster, engine: Engine, reader: Reader, *, now: Callable[[], int], held: Held | None = None,
    publish: Callable[[Decided, int], dict[str, Any]] | None = None, progress: Progress = silent,
) -> Iterator[Made]:  # fmt: skip
    """Gates a corpus: the job's inputs, or what the cluster has `held`; its verdicts are kept until the end of the block.

    `engine` makes the snapshot. With `publish`, the permitted records become visible by it, at the very end, and
    not as files of the output; it says what the manifest's `tables` then say of them. Raises as `run.run` does.
    """
    with ExitStack() as until_end:
        with place(job.output) as work:
            progress("snapshot", 0, 1)
            view = reader.view(job.policy, job.position if job.snapshot is None else job.snapshot.position)
            first = look_of(job, view, reader, engine, now())
            progress("snapshot", 1, 1)
            gate = _Gate(job, cluster, reader, work, held, publish is None, progress, until_end)
            gate.decide(first)
            gate.write()
            second = None
            if job.release:
                second = second_look(job, first, reader, engine, now)
                if second is not None:
                    gate.decide_again(second)
            told = stated(
                job, cluster, first, second, inputs=gate.inputs(), outputs=gate.outputs(), counts=gate.cells
            )  # fmt: skip
            _check(told)
            if publish is not None:
                told["tables"] = [publish(gate.decided, gate.records)]
                _check(told)
                gate.check()  # the table is copied after the digests were taken
            outcome = Outcome(told, job.output)
            if job.output is not None:
                put(work, job.output, told, reader.journal)
        yield Made(outcome, gate.decided, gate.report, (second or first).pinned.valid_until, gate.records, gate.check)


class _Gate:
    """One corpus, gated by one look at the ledger or by two, and what was made of it."""

    def __init__(
        self, job: Job, cluster: Cluster, reader: Reader, work: Path, held: Held | None, files: bool,
        progress: Progress, until_end: ExitStack,
    ) -> None:  # fmt: skip
        self._job, self._cluster, self._work, self._held, self._files = job, cluster, work, held, files
        self._progress, self._until_end, self._id_type = progress, until_end, reader.journal.id_type
        self._inputs: list[Input] = [] if held else open_inputs(job.inputs, job.columns, cluster, work / "staged")
        if not held and not any(file.rows for file in self._inputs):
            raise CorpusError("expected records, got files that hold none; gate those without `--engine`")
        self.records = held.records if held else sum(file.rows for file in self._inputs)
        self._hashing = until_end.enter_context(ThreadPoolExecutor(2))
        self._digests: list[Future[str]] = []
        self._codec: Codec | Both
        self.decided: Decided
        self.report: pa.Table

    def decide(self, look: Look) -> None:
        """Decides every record by a look."""
        self._progress("deciding", 0, self.records)
        self.decided, self._codec = self._verdicts(look)
        self._tell(look)
        # Digests are made while the engine writes; a dry run has them too.
        self._digests = [self._hashing.submit(digest_file, file.source) for file in self._inputs]

    def decide_again(self, second: Look) -> None:
        """Decides by a second look too; what was written is written again if it let through what that denies."""
        first, codec = self.decided, self._codec
        later, later_codec = self._verdicts(second)
        if not first.revoked(later):
            return
        both = Both(codec, later_codec)
        self.decided, self._codec = first.merged(later, both.base), both
        if self._job.canaries and self.decided.permitted(self.records):
            raise CanaryError("planted records that must be denied were permitted by two looks together")
        if self.decided.revoked(first) or self.decided.revoked(later):
            raise EngineError("the engine permitted by two looks together what one of them denies")
        self._tell(second)
        self.write()

    def write(self) -> None:
        """Writes the report, and the permitted records if they are to be files; anew, if they are there."""
        if self._job.output is None:
            return
        self._progress("writing", 0, self.records)
        for name in (PERMITTED, DENIED):
            _remove(self._work / name)
        self.decided.write(self._work, self.report, self.records, permitted=self._files)
        for name in (PERMITTED, DENIED):
            _tidy(self._work / name)
        self._progress("writing", self.records, self.records)

    def _verdicts(self, look: Look) -> tuple[Decided, Codec]:
        schema = self._held.schema if self._held else self._inputs[0].schema
        question, at = asked(look, self._inputs, schema, self._job.columns, self._id_type)
        if self._job.canaries and self._inputs:
            planted = canaries.plant(self._inputs, self._job, look, self._work / "planted")
            more = Part(planted.path, planted.rows, at, planted.name)
            question = replace(question, parts=(*question.parts, more))
        question = prepared(look, question, self._cluster)
        decided = self._until_end.enter_context(self._cluster.deciding(question))
        passed = decided.permitted(at) if self._job.canaries else 0
        if passed:
            raise CanaryError(f"{passed} of {self._job.canaries} planted records that must be denied were permitted")
        return decided, Codec(question.snapshot)

    def _tell(self, look: Look) -> None:
        """What the verdicts say: counts by cell, and a row of the report for each kind of denial."""
        counts = self.decided.counts(self.records)
        if counts.total() != self.records:
            raise EngineError(f"the engine gave {counts.total()} verdicts for {self.records} records, not one for each")
        self.cells: Counter[counting.Cell] = Counter()
        for (number, written), count in counts.items():
            answer = self._codec.read(number)
            self.cells[answer.outcome.word, answer.category, _territory(answer, written)] += count
        self.report = _report(counts, self._codec, look.rules)

    def check(self) -> None:
        """Raises CorpusError for a file that was written again since it was first looked at."""
        for file in self._inputs:
            file.check()

    def inputs(self) -> list[dict[str, Any]]:
        """What was read. Raises CorpusError for a file that was written again meanwhile."""
        if self._held:
            # A frame has no bytes to be known by (spec/manifest.md, *Tables*).
            return [{"name": self._held.name, "form": "table", "records": self._held.records}]
        told = []
        for file, digest in zip(self._inputs, self._digests, strict=True):
            found = digest.result()
            file.check()
            told.append(
                {
                    "name": file.name, "form": file.form, "bytes": file.source.stat().st_size, "records": file.rows,
                    "sha256": found,
                }
            )  # fmt: skip
        return told

    def outputs(self) -> list[dict[str, Any]]:
        """What was written, of no input alone."""
        paths = [path for kind in (PERMITTED, DENIED) for path in sorted((self._work / kind).glob("*.parquet"))]
        digests = [self._hashing.submit(digest_file, path) for path in paths]
        return [
            {
                "path": path.relative_to(self._work).as_posix(), "kind": path.parent.name,
                "records": pq.read_metadata(path).num_rows, "sha256": digest.result(),
            }
            for path, digest in zip(paths, digests, strict=True)
        ]  # fmt: skip


def _territory(answer: Answer, written: str | None) -> str | None:
    return canonical(written or "") if answer.written else answer.territory


def _report(counts: Counts, codec: Codec, rules: dict[int, str]) -> pa.Table:
    """A row for each kind of denial (`engine.REPORT`)."""
    denials = [(number, written, codec.read(number)) for number, written in counts]
    denials = [one for one in denials if not one[2].outcome.permits]
    texts = {
        "written": [written for _, written, _ in denials],
        "reason": [answer.outcome.word for *_, answer in denials],
        "rule": [rules.get(answer.rule) for *_, answer in denials],
        "territory": [_territory(answer, written) for _, written, answer in denials],
        "category": [answer.category for *_, answer in denials],
    }
    columns = {name: pa.array(values, pa.string()) for name, values in texts.items()}
    return pa.table({"number": pa.array([number for number, *_ in denials], pa.int64()), **columns})


def _check(told: dict[str, Any]) -> None:
    """Raises EngineError unless what was written is what was decided."""
    for kind in (PERMITTED, DENIED):
        made = [*told["outputs"], *told.get("tables", ())]
        written = [one["records"] for one in made if one["kind"] == kind]
        if written and sum(written) != told["counts"][kind]:
            raise EngineError(f"the engine wrote {sum(written)} {kind} records of {told['counts'][kind]}")


def _remove(folder: Path) -> None:
    for path in folder.glob("*"):
        path.unlink()
    if folder.exists():
        folder.rmdir()


def _tidy(folder: Path) -> None:
    """Leaves nothing but the files with records, under names that say no more than their order."""
    written = sorted(path for path in folder.glob("*.parquet") if not path.name.startswith("."))
    for path in folder.glob("*"):
        if path not in written:
            path.unlink()
    for number, path in enumerate(written):
        path.rename(folder / f"part-{number:05}.parquet")
