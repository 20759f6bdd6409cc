"""What a gate is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sayso.gate.columns import Columns
from sayso.gate.snapshots import Pinned
from sayso.policy.facts import Use
from sayso.policy.model import Policy

COPY = "copy"
"""The permitted records are written again."""


MEMORY = 900 << 20
"""In bytes, unless said otherwise."""


@dataclass(frozen=True)
class Job:
    """What a gate is asked.

    A release decides at the present instant and the head of the ledger, with the policy last published; it has no
    `policy` and no `position`, and `use.at` is the instant at which it begins. Anything else is a replay. Without an
    `output` nothing is written and only the counts are found. `snapshot` is one that was kept, to be used instead of
    a fresh one. `threads` files are written at once. What is emitted is a `copy` or a `selection` (`emit`), of which
    a `report` of the denied records is made only where it is asked for. To `resume` is to go on where a gate was that
    was asked the same and was killed. Files in which nothing can have changed `since` an output was made are taken from
    it. So many files at once are written as fit into `memory`, in bytes.
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
    emit: str = COPY
    report: bool = False
    resume: bool = False
    since: Path | None = None
    memory: int = MEMORY

    @property
    def reports(self) -> bool:
        """Whether there is a report of the denied records."""
        return self.output is not None and (self.emit == COPY or self.report)
