"""Copying a ledger from one store into another: the same entries, private parts and checkpoint, so the same tree.

What is derived (facts, tiles) is derived anew on the way, and the tree is compared with what the checkpoint signs.
"""

from __future__ import annotations

from itertools import islice

from sayso.errors import StoreError
from sayso.ledger.entry import unseal
from sayso.ledger.facts import facts
from sayso.ledger.log import checkpoint
from sayso.ledger.log.tiles import Edge
from sayso.ledger.store import Reading, Store, Tombstone

_AT_ONCE = 1000


def copy(source: Reading, target: Store) -> int:
    """Copies a ledger into an empty one of the same id type and origin, whole or not at all. Returns its size.

    Raises StoreError where the target is not empty, is of another log, or the source's events are not those that its
    checkpoint was signed for.
    """
    text = source.checkpoint()
    head = checkpoint.unverified(text)
    if head.origin != target.origin:
        raise StoreError(f"expected a ledger of log `{head.origin}` to copy into, got one of `{target.origin}`")
    edge = Edge()
    with target.writing() as writing:
        if writing.head().size:
            raise StoreError(f"expected an empty ledger to copy into, got one of `{writing.head().size}` events")
        entries = source.entries()
        while some := list(islice(entries, _AT_ONCE)):
            events = [(entry, None if entry.everyones else unseal(entry, target.id_type)) for entry in some]
            writing.append(
                some,
                [
                    fact
                    for entry, event in events
                    if event is not None
                    for fact in facts(event, entry.position, entry.recorded_at, target.id_type)
                ],
            )
            edge.extend([entry.leaf for entry in some])
            writing.grow(edge.changed(), text)
        if (edge.size, edge.peaks.root()) != (head.size, head.root):
            raise StoreError(
                f"ledger `{head.origin}` is damaged: its events are not those that its checkpoint was signed for; run "
                "`sayso fsck`"
            )
        writing.replace_tombstones(Tombstone(key, position) for key, position in source.tombstones().items())
    return head.size
