"""Running a gate: a policy, a ledger and a corpus in; permitted records, a report of the denied, and a manifest out.

Nothing is visible until all of it is there: the output is written beside its place, under a hidden name, and moved.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sayso.consent.reader import Reader
from sayso.errors import CorpusError
from sayso.gate import canaries, manifest, resuming, since
from sayso.gate.engine import Engine, Progress, silent
from sayso.gate.gating import Gating, summed
from sayso.gate.inputs import Input, open_inputs
from sayso.gate.job import Job
from sayso.gate.looks import Look
from sayso.gate.outcome import Outcome, look_of, publish, second_look, stated
from sayso.gate.output import Gated
from sayso.gate.place import place
from sayso.gate.selecting import check_selectable
from sayso.gate.selection import KIND as SELECTION


def run(
    job: Job, engine: Engine, reader: Reader, *, now: Callable[[], int], progress: Progress = silent,
    still: Callable[[], None] = lambda: None,
) -> Outcome:  # fmt: skip
    """Gates a corpus. Before anything is let through, `still` raises CorpusError if the files are of what is no more.

    Raises CorpusError for a corpus or an output place that cannot be used, StoreError, EngineError, and CanaryError
    if a planted record that must be denied was permitted; then nothing is left of the output.
    """
    if job.release and (job.policy is not None or job.position is not None):
        raise CorpusError("a release takes the policy last published and the head of the ledger; leave out both")
    if job.output is not None:
        reader.journal.keys.signing()
    with place(job.output, resume=job.resume) as work:
        files = open_inputs(job.inputs, job.columns, engine, work / "staged")
        if job.emit == SELECTION:
            for file in files:
                check_selectable(file)
        progress("snapshot", 0, 1)
        job, first, already = _begun(job, files, reader, engine, now, work)
        progress("snapshot", 1, 1)
        planted = canaries.plant(files, job, first, work / "planted") if job.canaries else None
        gate = Gating(job, engine, files, planted, work, progress, reader.journal.id_type)
        if job.since is not None and job.output is not None:
            already |= since.taken(job, job.since, gate, first, reader, engine, already)
        log = None
        if job.output is not None:
            log = resuming.Log(work, resuming.asked(job, files, engine.versions), first.pinned, already)
        gated = gate.all(first, already, (lambda _: None) if log is None else log.add)
        second = None
        if job.release and job.output is not None:
            second = second_look(job, first, reader, engine, now)
            if second is not None:
                gated = gate.again(first, second, gated)
        told = stated(
            job, engine, first, second, inputs=manifest.inputs(gated), outputs=manifest.outputs(gated),
            counts=summed(gated),
        )  # fmt: skip
        still()
        if job.output is None or log is None:
            return Outcome(told, None)
        log.close()
        publish(work, job.output, told, reader.journal)
        return Outcome(told, job.output)


def _begun(
    job: Job, files: Sequence[Input], reader: Reader, engine: Engine, now: Callable[[], int], work: Path
) -> tuple[Job, Look, dict[int, Gated]]:
    """The first look, and what is done already: those of a gate that was killed, where it was asked the same."""
    if job.resume:
        found = _resumed(job, files, reader, engine, now, work)
        if found is not None:
            return found
        _clear(work)
    view = reader.view(job.policy, job.position if job.snapshot is None else job.snapshot.position)
    return job, look_of(job, view, reader, engine, now()), {}


def _resumed(
    job: Job, files: Sequence[Input], reader: Reader, engine: Engine, now: Callable[[], int], work: Path
) -> tuple[Job, Look, dict[int, Gated]] | None:
    """What a gate that was killed saw, and has done; `None` if it was asked something else, or what it saw is no more."""
    begun = resuming.begun(work)
    if begun is None or begun.asked != resuming.asked(job, files, engine.versions):
        return None
    if begun.position > reader.journal.head().size:
        return None
    use = replace(job.use, at=begun.at) if job.release else job.use
    same = replace(job, use=use)
    look = look_of(same, reader.view(job.policy, begun.position), reader, engine, now())
    if look.pinned.digest != begun.snapshot or (job.release and now() >= look.pinned.valid_until):
        return None
    return same, look, resuming.done(work, files)


def _clear(work: Path) -> None:
    """Removes what a gate left that was asked something else, but for what this one has staged."""
    for path in work.iterdir():
        if path.is_dir() and path.name != "staged":
            shutil.rmtree(path)
        elif not path.is_dir():
            path.unlink()
