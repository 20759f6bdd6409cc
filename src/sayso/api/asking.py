"""What a gate is asked, as callers say it: the same of files and of tables, and of a view over one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sayso import wiring
from sayso.api.given import Instant, instant_of
from sayso.api.policies import PolicyLike, policy_of
from sayso.gate.columns import Columns, columns_from_yaml
from sayso.gate.job import Job
from sayso.policy.facts import Use


def job_of(
    parts: wiring.Parts,
    *,
    purpose: str,
    recipient: str,
    columns: Columns | str | Path,
    at: Instant | None,
    position: int | None,
    policy: PolicyLike | None,
    inputs: tuple[str, ...] = (),
    **others: Any,
) -> Job:
    """The job of a gate; `others` are further fields of `Job`. Without `at`, `position` and `policy` it is a release.

    Raises CorpusError for a mapping of columns that cannot be read, PolicyError, InstantError.
    """
    mapped = columns if isinstance(columns, Columns) else columns_from_yaml(Path(columns))
    use = Use(purpose, recipient, parts.present() if at is None else instant_of(at))
    return Job(
        use=use,
        release=at is None and position is None and policy is None,
        inputs=inputs,
        columns=mapped,
        policy=policy_of(policy),
        position=position,
        **others,
    )
