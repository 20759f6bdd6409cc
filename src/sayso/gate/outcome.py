"""What every gate does before and after its records: it looks at ledger and clock, states what came of it, and publishes."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sayso.consent.reader import Reader, View
from sayso.errors import CorpusError, EngineError
from sayso.gate import attestation, counting, manifest
from sayso.gate.attestation import attest
from sayso.gate.engine import Engine
from sayso.gate.job import Job
from sayso.gate.looks import Look
from sayso.gate.place import move
from sayso.gate.snapshots import make
from sayso.ledger.journal import Journal


@dataclass(frozen=True)
class Outcome:
    """What a gate did: its manifest, and where the output is (`None` for a dry run)."""

    manifest: dict[str, Any]
    output: Path | None


def look_of(job: Job, view: View, reader: Reader, engine: Engine, present: int) -> Look:
    """The first look: by the snapshot that was kept, or a fresh one. Raises CorpusError for one of another use."""
    kept = job.snapshot
    if kept is not None and (kept.use.purpose, kept.use.recipient) != (job.use.purpose, job.use.recipient):
        raise CorpusError(
            f"the snapshot is of another use (`{kept.use.purpose}` by `{kept.use.recipient}`); make one of this"
        )
    pinned = kept or make(reader.journal.store, view, job.use, engine)
    stale = job.snapshot is not None and job.release and present >= pinned.valid_until
    return Look(view, pinned, stale)


def second_look(job: Job, first: Look, reader: Reader, engine: Engine, now: Callable[[], int]) -> Look | None:
    """A second look at the ledger and the clock; `None` if neither can have changed a verdict since the first."""
    at = now()
    change = first.pinned.snapshot.next_change
    if reader.journal.head().size == first.view.size and (change is None or at < change):
        return None
    view = reader.view()
    return Look(view, make(reader.journal.store, view, replace(job.use, at=at), engine), stale=False)


def stated(
    job: Job, engine: Engine, first: Look, second: Look | None, *, inputs: Sequence[dict[str, Any]] = (),
    outputs: Sequence[dict[str, Any]] = (), counts: Counter[counting.Cell] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The manifest of what was seen, read, written and counted."""
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
        "emit": job.emit,
        "platform": first.view.context.policy.platform,
        "use": {
            "purpose": job.use.purpose, "recipient": job.use.recipient, "at": manifest.written(job.use.at),
        },
        "looks": looks,
        "valid_until": manifest.written((second or first).pinned.valid_until),
        "versions": dict(engine.versions),
        "columns": manifest.columns(job.columns),
        "inputs": list(inputs),
        "outputs": list(outputs),
        "counts": counting.totals(counts or Counter()),
        "canaries": job.canaries,
    }  # fmt: skip


def publish(work: Path, output: Path, told: dict[str, Any], journal: Journal) -> None:
    """Writes and signs the manifest, makes all of it durable and moves it to its place.

    Raises EngineError; CorpusError if the place is taken.
    """
    data = manifest.encode(told)
    signed = attest(told, manifest.FILE, data, journal.store.checkpoint(), journal.keys.signing())
    try:
        (work / manifest.FILE).write_bytes(data)
        (work / attestation.FILE).write_bytes(signed)
    except OSError as error:
        raise EngineError(f"could not write the output: {error.strerror or type(error).__name__}") from error
    for staged in ("staged", "planted"):
        shutil.rmtree(work / staged, ignore_errors=True)
    move(work, output)
