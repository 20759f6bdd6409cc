"""Gating from Python: a corpus of files or a table in memory, through the same gate."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict

from sayso import instant, wiring
from sayso.api import remote, sources
from sayso.api.expecting import expecting
from sayso.api.given import Instant, instant_of
from sayso.api.policies import PolicyLike, policy_of
from sayso.api.remote import Near
from sayso.api.sources import Gated
from sayso.canonical import digest_bytes
from sayso.errors import EngineError, UsageError
from sayso.gate import manifest as manifests
from sayso.gate.columns import Columns, columns_from_yaml
from sayso.gate.engine import Progress, silent
from sayso.gate.job import MEMORY, Job
from sayso.gate.objects import is_address
from sayso.gate.outcome import Outcome
from sayso.gate.run import run
from sayso.ledger import events as e
from sayso.policy.facts import Use
from sayso.policy.model import Policy

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
    release = at is None and position is None and policy is None
    if dataset is not None and (dry_run or not release):
        raise UsageError("only a release that is written can be recorded as a dataset; leave `dataset` out")
    if not 0 <= canaries <= MOST_CANARIES:
        raise UsageError(f"expected a number of canaries from 0 to {MOST_CANARIES:,}, got `{canaries}`")
    if emit not in ("copy", "selection"):
        raise UsageError(f"expected `copy` or `selection` to emit, got `{emit}`")
    mapped = columns if isinstance(columns, Columns) else columns_from_yaml(Path(columns))
    use = Use(purpose, recipient, parts.present() if at is None else instant_of(at))
    limit = MEMORY if memory is None else wiring.bytes_of(memory)
    paths = sources.paths_of(source)
    if paths is None and (resume or since is not None):
        raise UsageError("only a gate of files goes on, or takes files from one before; name paths")
    if paths is None and emit != "copy":
        raise UsageError("a selection is of files; write the table as Parquet and name that")
    if paths is not None and into is None and not dry_run:
        raise UsageError("expected a directory to write to; name one, or ask for a dry run")
    with remote.near(paths or (), None if dry_run else into, _earlier(since), resume=resume) as here, here.naming():
        asked = _Asked(emit, report, policy_of(policy), position, canaries, resume, here.since, limit)
        task = _Task(parts, use, release, mapped, asked, memory, threads, progress, here)
        output, permitted, denied = here.output, None, None
        if paths is None:
            made, permitted, denied = _table(task, source, output, dry_run=dry_run)
        else:
            made = task.run(here.inputs, output)
            if output is not None:
                permitted, denied = (here.told(one) for one in sources.directories(output, emit))
        here.publish()
    if dataset is not None and made.output is not None:
        parts.journal.append(_built(dataset, made.manifest, use))
    return Gated(permitted, denied, made.manifest, here.told(output))


def _table(task: _Task, source: Any, output: Path | None, *, dry_run: bool) -> tuple[Outcome, Any, Any]:
    staged = sources.staged_of(source)
    with tempfile.TemporaryDirectory(prefix="sayso-") as temporary:
        path = sources.stage(staged, task.columns, Path(temporary), whole=output is not None)
        made = task.run((str(path),), None if dry_run else output or Path(temporary) / "output")
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


class _Asked(NamedTuple):
    """What is asked beside the use."""

    emit: str
    report: bool
    policy: Policy | None
    position: int | None
    canaries: int
    resume: bool
    since: Path | None
    memory: int


class _Task:
    """One gate, but for the files that it reads and writes."""

    def __init__(
        self, parts: wiring.Parts, use: Use, release: bool, columns: Columns, asked: _Asked, memory: str | None,
        threads: int | None, progress: Progress, here: Near,
    ) -> None:  # fmt: skip
        self.parts, self.use, self.release, self.columns, self.asked = parts, use, release, columns, asked
        self.memory, self.threads, self.progress, self.here = memory, threads, progress, here

    def run(self, inputs: tuple[str, ...], output: Path | None) -> Outcome:
        """Runs the gate, its engine spilling to a directory of its own."""
        threads = self.threads or os.cpu_count() or 1
        job = Job(
            use=self.use, release=self.release, inputs=inputs, columns=self.columns, output=output, threads=threads,
            **self.asked._asdict(),
        )  # fmt: skip
        with tempfile.TemporaryDirectory(prefix="sayso-spill-") as spill:
            engine = wiring.engine(memory=self.memory, threads=self.threads, spill=Path(spill))
            return run(
                job, engine, self.parts.reader, now=self.parts.present, progress=self.progress, still=self.here.still
            )


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
