"""The example of examples/tour, copied for a test, with its ledger filled."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sayso import instant
from sayso.api import Ledger, init_ledger

TOUR = Path(__file__).parent.parent / "examples" / "tour"
T0 = instant.parse("2025-06-01T00:00:00Z")


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: int = T0

    def __call__(self) -> int:
        return self.now


def copied(directory: Path) -> Path:
    """The example's files in a directory of the test's own."""
    return Path(shutil.copytree(TOUR, directory / "tour"))


def filled(tour: Path, clock: Clock) -> Ledger:
    """The example's ledger, recorded at the clock's instant."""
    ledger = init_ledger(tour / "sayso.ledger", now=clock)
    ledger.publish(tour / "policy.yaml")
    ledger.import_map(tour / "tables.yaml")
    ledger.import_events(tour / "events.ndjson")
    return ledger
