"""A process that appends beside others of its host, and says what it was told of each event: to be killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from sayso.errors import StoreError
from sayso.ledger import events as e
from sayso.stores.peers import Peers
from tests.ledgers import journal_on
from tests.stores.places import opened


def share(location: str, path: str, name: str, count: int) -> None:
    """Appends events that are told apart by `attested`; prints each, and its position or `lost`."""
    peers = Peers(Path(path), 30, lambda: time.sleep(50e-6))
    journal = journal_on(opened(location), now=lambda: time.time_ns() // 1000, peers=peers)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for number in range(count):
        told = f"{name}-{number}"
        try:
            said = str(journal.append(e.SubjectMoved(subject=1, territory="FR", attested=told)).position)
        except StoreError as error:
            if "look whether" not in str(error):
                raise
            said = "lost"
        sys.stdout.write(f"{told} {said}\n")
        sys.stdout.flush()
    peers.close()


if __name__ == "__main__":
    share(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
