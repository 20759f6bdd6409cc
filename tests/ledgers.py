"""Keys and logs for ledgers that tests make by themselves. They are the same each time, and secret to nobody."""

from __future__ import annotations

import os
from collections.abc import Callable

from sayso.ledger.head import Seen
from sayso.ledger.journal import Journal, Peers
from sayso.ledger.keys import Keys
from sayso.ledger.log.checkpoint import Checkpoint
from sayso.ledger.log.note import Signer
from sayso.ledger.log.tiles import Edge
from sayso.ledger.store import Store
from sayso.ledger.writing import Judge
from sayso.stores.schema import Founding

ORIGIN = "example.com/test-ledger"
SIGNER = Signer(ORIGIN, b"\x01" * 32)
KEYS = Keys(SIGNER, b"\x02" * 32)


def founding(random_bytes: Callable[[int], bytes] = os.urandom, keys: Keys = KEYS) -> Founding:
    """What the log of a new ledger begins with."""

    def sign(edge: Edge) -> str:
        return str(Checkpoint(ORIGIN, edge.size, edge.peaks.root()).signed(keys.signing()))

    return Founding(ORIGIN, sign, keys.tombstone, random_bytes)


def journal_on(
    store: Store,
    *,
    now: Callable[[], int],
    random_bytes: Callable[[int], bytes] = os.urandom,
    judge: Judge | None = None,
    keys: Keys = KEYS,
    seen: Seen | None = None,
    peers: Peers | None = None,
) -> Journal:
    """A journal on a store of this log."""
    return Journal(store, keys=keys, now=now, random_bytes=random_bytes, judge=judge, seen=seen, peers=peers)
