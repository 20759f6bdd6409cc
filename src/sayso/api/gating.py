"""Gating from Python: a corpus of files or a table in memory, through the same gate."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypedDict

from sayso import instant, wiring
from sayso.api import remote, sources
from sayso.api.asking import job_of
from sayso.api.expecting import expecting
from sayso.api.given import Instant
from sayso.api.policies import PolicyLike
from sayso.api.sources import Gated
from sayso.canonical import digest_bytes
from sayso.errors import EngineError, UsageError
from sayso.gate import manifest as manifests
from sayso.gate import run as running
from sayso.gate.columns import Columns
from sayso.gate.engine import Progress, silent
from sayso.gate.job import MEMORY, Job
from sayso.gate.objects import is_address
from sayso.gate.outcome import Outcome
from sayso.ledger import events as e
from sayso.policy.facts import Use

MOST_CANARIES = 1_000_000
"""So many records at most are planted: they go with every twenty million records that are decided."""


class GateOptions(TypedDict, total=False):
    """What `Ledger.gate` may be told beside the source, the use and the columns."""

    into: str | Path | None
    """The directory or `s3://` prefix to write to; it must not be there yet. Paths need one, tables may do without."""
    at: Instant | None
    """Another instant than the present one: a replay."""
    position: int | None
    """An older size of the ledger than its head: a replay."""
    policy: PolicyLike | None
    """Another policy than the one last published: a replay."""
    emit: Literal["copy", "selection"]
    """What is written of paths: the permitted records again, or for each file the set of its permitted rows."""
    report: bool
    """Whether a selection has a report of the denied records, which a copy always has."""
    resume: bool
    """Whether to go on where a gate was that was asked the same and was killed, if one was."""
    since: str | Path | None
    """An output made before, or its manifest: files in which no verdict can have changed are taken from it."""
    dry_run: bool
    """Whether only the counts are found, and nothing is written."""
    canaries: int
    """How many records to plant that must be denied."""
    dataset: str | None
    """A name under which to record in the ledger what was built. Not for a replay, nor for a dry run."""
    memory: str | None
    """How much may be taken to decide and to write, such as `1GiB`; beside it there are the snapshot and libraries."""
    threads: int | None
    """How many threads to work with."""
    progress: Progress
    """Told of the stage, how many records of it are done, and how many there are."""


@expecting
def gate(
    parts: wiring.Parts,
    source: Any,
    *,
    purpose: str,
    recipient: str,
    columns: Columns | str | Path,
    into: str | Path | None = None,
    at: Instant | None = None,
    position: int | None = None,
    policy: PolicyLike | None = None,
    emit: Literal["copy", "selection"] = "copy",
    report: bool = False,
    resume: bool = False,
    since: str | Path | None = None,
    dry_run: bool = False,
    canaries: int = 0,
    dataset: str | None = None,
    memory: str | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> Gated[Any]:
    """Gates a source; see `Ledger.gate`."""
    paths = sources.paths_of(source)
    written = not dry_run and (into is not None or paths is None)
    if dataset is not None and (dry_run or not (at is None and position is None and policy is None)):
        raise UsageError("only a release that is written can be recorded as a dataset; leave `dataset` out")
    if not 0 <= canaries <= MOST_CANARIES:
        raise UsageError(f"expected a number of canaries from 0 to {MOST_CANARIES:,}, got `{canaries}`")
    if emit not in ("copy", "selection"):
        raise UsageError(f"expected `copy` or `selection` to emit, got `{emit}`")
    if paths is None and (resume or since is not None):
        raise UsageError("only a gate of files goes on, or takes files from one before; name paths")
    if paths is None and emit != "copy":
        raise UsageError("a selection is of files; write the table as Parquet and name that")
    if not dry_run and not written:
        raise UsageError("expected a directory to write to; name one, or ask for a dry run")
    job = job_of(
        parts, purpose=purpose, recipient=recipient, columns=columns, at=at, position=position, policy=policy,
        emit=emit, report=report, canaries=canaries, resume=resume, threads=threads or os.cpu_count() or 1,
        memory=MEMORY if memory is None else wiring.bytes_of(memory),
    )  # fmt: skip
    with remote.near(paths or (), None if dry_run else into, _earlier(since), resume=resume) as here, here.naming():
        job = replace(job, inputs=here.inputs, output=here.output, since=here.since)

        def run(asked: Job) -> Outcome:
            """Its engine spills to a directory of its own."""
            with tempfile.TemporaryDirectory(prefix="sayso-spill-") as spill:
                engine = wiring.engine(memory=memory, threads=threads, spill=Path(spill))
                return running.run(asked, engine, parts.reader, now=parts.present, progress=progress, still=here.still)

        permitted, denied = None, None
        if paths is None:
            made, permitted, denied = _table(job, source, run, told=written)
        else:
            made = run(job)
            if job.output is not None:
                permitted, denied = (here.told(one) for one in sources.directories(job.output, emit))
        here.publish()
    if dataset is not None and made.output is not None:
        parts.journal.append(_built(dataset, made.manifest, job.use))
    return Gated(permitted, denied, made.manifest, here.told(job.output))


def _table(job: Job, source: Any, run: Callable[[Job], Outcome], *, told: bool) -> tuple[Outcome, Any, Any]:
    """Gates a table in memory as a file of its own, and picks the rows that are let through, unless only counts are told."""
    staged = sources.staged_of(source)
    with tempfile.TemporaryDirectory(prefix="sayso-") as temporary:
        path = sources.stage(staged, job.columns, Path(temporary), whole=job.output is not None)
        output = (job.output or Path(temporary) / "output") if told else None
        made = run(replace(job, inputs=(str(path),), output=output))
        if made.output is None:
            return made, None, None
        denied = sources.denied_of(made.output)
    mask = sources.mask_of(denied, staged.rows)
    if int(mask.sum()) != made.manifest["counts"]["permitted"]:
        raise EngineError("the report of the denied records does not hold each of them; nothing was let through")
    return made, staged.pick(mask), denied


def _earlier(since: str | Path | None) -> str | Path | None:
    """The directory of an output, which may be named by its manifest."""
    if since is None:
        return None
    if is_address(since):
        return str(since).removesuffix(f"/{manifests.FILE}")
    path = Path(since)
    return path.absolute().parent if path.name == manifests.FILE else path


def _built(dataset: str, manifest: dict[str, Any], use: Use) -> e.DatasetBuilt:
    look = manifest["looks"][-1]
    at = instant.parse(manifest["use"]["at"])
    return e.DatasetBuilt(
        dataset=dataset,
        manifest=digest_bytes(manifests.encode(manifest)),
        use=e.UseRef(purpose=use.purpose, recipient=use.recipient, at=at),
        policy=look["policy"],
        position=look["position"],
    )
