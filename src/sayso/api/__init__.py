"""The Python API: a ledger to open, policies to load, records to decide and corpora to gate (`docs/api.md`)."""

from sayso.api.ledger import Ledger, init_ledger, open_ledger
from sayso.api.policies import check_policy, load_policy
from sayso.api.recording import Published
from sayso.api.releases import open_release, verify, verify_receipt
from sayso.api.selections import Selection, open_selection
from sayso.api.sources import Gated

__all__ = [
    "Gated",
    "Ledger",
    "Published",
    "Selection",
    "check_policy",
    "init_ledger",
    "load_policy",
    "open_ledger",
    "open_release",
    "open_selection",
    "verify",
    "verify_receipt",
]
