"""Publishing a gate as SQL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sayso import wiring
from sayso.api import remote, sources
from sayso.api.asking import job_of
from sayso.api.expecting import expecting
from sayso.api.given import Instant
from sayso.api.policies import PolicyLike
from sayso.errors import UsageError
from sayso.gate import views
from sayso.gate.columns import Columns
from sayso.gate.place import encodable

if TYPE_CHECKING:
    from sayso.api.ledger import Ledger


@expecting
def publish_view(
    ledger: Ledger,
    example: str | Path | Sequence[str | Path],
    *,
    table: str,
    into: str | Path,
    purpose: str,
    recipient: str,
    columns: Columns | str | Path,
    at: Instant | None = None,
    position: int | None = None,
    policy: PolicyLike | None = None,
) -> dict[str, Any]:
    """Writes the gate over a table as SQL for DuckDB and for Spark, and the manifest, which it gives (`docs/gate.md`).

    `example` are files with the columns of the table, best all of its records: people who were erased are told by
    them, and what a use that asks for the account is answered. Without `at`, `position` and `policy` it is a release.
    Raises UsageError, CorpusError, StoreError, EngineError.
    """
    paths = sources.paths_of(example)
    if paths is None:
        raise UsageError(f"expected files with the columns of the table, got {type(example).__name__}")
    remote.check_here(*paths, into)
    if not encodable(Path(table)):
        raise UsageError("expected the name of a table in Unicode, got half of a surrogate pair in it")
    parts = ledger.parts
    job = job_of(
        parts, inputs=paths, purpose=purpose, recipient=recipient, columns=columns, at=at, position=position,
        policy=policy, output=Path(into),
    )  # fmt: skip
    return views.publish(job, table, wiring.engine(), wiring.viewing(), parts.reader, now=parts.present).manifest
