"""Gating by Spark: on a master, or in a job that has a session of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sayso import wiring
from sayso.api import remote, sources
from sayso.api.asking import job_of
from sayso.api.expecting import expecting
from sayso.api.gating import MOST_CANARIES
from sayso.api.given import Instant
from sayso.api.policies import PolicyLike
from sayso.api.sources import Gated
from sayso.errors import UsageError
from sayso.gate import distributed
from sayso.gate.columns import Columns
from sayso.gate.engine import Decided, Progress, silent
from sayso.gate.output import DENIED, PERMITTED

if TYPE_CHECKING:
    from sayso.api.ledger import Ledger

TABLE = "table:"
"""Before the name of a table of the catalogue, where a path may stand too."""


@contextmanager
def session(master: str, settings: Mapping[str, str] | None = None) -> Iterator[Any]:
    """A session on a master, such as `local[2]` or `spark://…`, stopped at the end of the block.

    `settings` are Spark's own, by name. Raises UsageError where Spark is not installed, EngineError.
    """
    started = wiring.spark_session(master, settings)
    try:
        yield started
    finally:
        started.stop()


@expecting
def gate(
    session: Any,
    ledger: Ledger,
    source: Any,
    *,
    purpose: str,
    recipient: str,
    columns: Columns | str | Path,
    into: str | Path | None = None,
    into_table: str | None = None,
    at: Instant | None = None,
    position: int | None = None,
    policy: PolicyLike | None = None,
    dry_run: bool = False,
    canaries: int = 0,
    progress: Progress = silent,
) -> Gated[Any]:
    """Gates records in a Spark session: a frame, a table of the catalogue (`table:NAME`), or Parquet files.

    `permitted` is a frame of the records let through, with the columns that they came with; `denied` one of the report
    (`spec/manifest.md`). Given a directory `into`, both are written there, with the manifest, and appear only when all
    of it is there; given `into_table` too, the permitted records become that table of the catalogue instead, which
    must not be there yet. Without either, the verdicts are those of now, and the frame of the permitted records fails
    from the manifest's `valid_until` on. A frame is held on the executors' disks first: each of its records is decided
    and copied as the same one. Without `at`, `position` and `policy` it is a release. Raises UsageError, CorpusError,
    StoreError, EngineError, CanaryError.
    """
    if into_table is not None and into is None:
        raise UsageError("expected a directory for the manifest and the report beside the table; name one (`into`)")
    if not 0 <= canaries <= MOST_CANARIES:
        raise UsageError(f"expected a number of canaries from 0 to {MOST_CANARIES:,}, got `{canaries}`")
    paths, held = _told(source)
    remote.check_here(*paths, into)
    if canaries and held is not None:
        raise UsageError("canaries are planted beside files; leave them out, or gate files")
    parts, output = ledger.parts, None if into is None or dry_run else Path(into)
    job = job_of(
        parts, purpose=purpose, recipient=recipient, columns=columns, at=at, position=position, policy=policy,
        inputs=paths, output=output, canaries=canaries,
    )  # fmt: skip
    cluster, corpus = wiring.spark_engine(session, held)
    saved: list[str] = []

    def save(decided: Decided, until: int) -> dict[str, Any]:
        assert into_table is not None
        if not session.catalog.tableExists(into_table):  # else `save` raises, and what is there stays
            saved.append(into_table)
        records = decided.save(into_table, until)
        return {"name": into_table, "kind": PERMITTED, "records": records}

    try:
        with distributed.run(
            job, cluster, wiring.engine(), parts.reader, now=parts.present, held=corpus,
            publish=save if into_table is not None and output is not None else None, progress=progress,
        ) as made:  # fmt: skip
            manifest = made.outcome.manifest
            if dry_run:
                return Gated(None, None, manifest, None)
            if output is None and any(one["form"] not in ("parquet", "table") for one in manifest["inputs"]):
                raise UsageError("a frame is of Parquet files; name a directory for what was NDJSON or CSV (`into`)")
            if output is None:
                frames = made.decided.frames(made.report, made.valid_until if job.release else None, made.records)
                made.check()  # what the frames hold was copied after the digests were taken
                return Gated(*frames, manifest, None)
    except BaseException:
        for name in saved:
            session.sql(f"DROP TABLE IF EXISTS {name}")
        raise
    read = session.read.option("recursiveFileLookup", "true")
    permitted = session.table(into_table) if into_table else read.parquet(str(output / PERMITTED))
    return Gated(permitted, read.parquet(str(output / DENIED)), manifest, output)


def _told(source: Any) -> tuple[tuple[str, ...], Any]:
    """The paths of a source; or what the engine is to hold."""
    paths = sources.paths_of(source)
    if paths is None:
        if type(source).__module__.partition(".")[0] != "pyspark":
            raise UsageError(f"expected a frame of Spark, the name of a table or paths, got {type(source).__name__}")
        return (), source
    tables = [path for path in paths if path.startswith(TABLE)]
    if tables and len(paths) > 1:
        raise UsageError("expected one table, or files; gate each table by itself")
    return ((), tables[0].removeprefix(TABLE)) if tables else (paths, None)
