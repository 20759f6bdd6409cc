"""sayso decides which records may be used to train AI. Anything unknown, unreadable or failing denies.

The names below are all that is public (`docs/api.md`). Each is imported when it is first used, so that a program that
only decides does not wait for an engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sayso.api import (
        Gated,
        Ledger,
        Published,
        Selection,
        check_policy,
        init_ledger,
        load_policy,
        open_ledger,
        open_release,
        open_selection,
        verify,
        verify_receipt,
    )
    from sayso.api.keeping import restore
    from sayso.consent.receipt_check import Verified
    from sayso.errors import (
        CanaryError,
        CorpusError,
        EngineError,
        EpisodeError,
        EventError,
        InputError,
        InstantError,
        KeyFileError,
        PolicyError,
        Problem,
        RollbackError,
        SaysoError,
        StaleError,
        StoreBusyError,
        StoreError,
        TerritoryError,
        UsageError,
        VerificationError,
    )
    from sayso.gate.columns import Columns, SubjectColumn
    from sayso.gate.verify import Difference
    from sayso.policy.explain import Explanation
    from sayso.policy.facts import Record, Subject
    from sayso.policy.model import Policy
    from sayso.policy.verdict import Evidence, Outcome, Verdict

__all__ = [
    "CanaryError",
    "Columns",
    "CorpusError",
    "Difference",
    "EngineError",
    "EpisodeError",
    "EventError",
    "Evidence",
    "Explanation",
    "Gated",
    "InputError",
    "InstantError",
    "KeyFileError",
    "Ledger",
    "Outcome",
    "Policy",
    "PolicyError",
    "Problem",
    "Published",
    "Record",
    "RollbackError",
    "SaysoError",
    "Selection",
    "StaleError",
    "StoreBusyError",
    "StoreError",
    "Subject",
    "SubjectColumn",
    "TerritoryError",
    "UsageError",
    "Verdict",
    "VerificationError",
    "Verified",
    "check_policy",
    "init_ledger",
    "load_policy",
    "open_ledger",
    "open_release",
    "open_selection",
    "restore",
    "verify",
    "verify_receipt",
]

_ELSEWHERE = {
    "Columns": "gate.columns",
    "Difference": "gate.verify",
    "Evidence": "policy.verdict",
    "Explanation": "policy.explain",
    "Gated": "api",
    "Ledger": "api",
    "Outcome": "policy.verdict",
    "Policy": "policy.model",
    "Published": "api",
    "Record": "policy.facts",
    "Selection": "api",
    "Subject": "policy.facts",
    "SubjectColumn": "gate.columns",
    "Verdict": "policy.verdict",
    "Verified": "consent.receipt_check",
    "check_policy": "api",
    "init_ledger": "api",
    "load_policy": "api",
    "open_ledger": "api",
    "open_release": "api",
    "open_selection": "api",
    "restore": "api.keeping",
    "verify": "api",
    "verify_receipt": "api",
}
"""Where the names are that are not in `sayso.errors`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module `sayso` has no attribute `{name}`")
    return getattr(import_module(f"sayso.{_ELSEWHERE.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
