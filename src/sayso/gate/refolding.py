"""Whether what was folded from a ledger is what its events make: a kept snapshot, or those that a manifest names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sayso import instant
from sayso.consent.reader import Reader
from sayso.errors import InputError, SaysoError, VerificationError
from sayso.gate import manifest
from sayso.gate.engine import Engine
from sayso.gate.snapshots import META, load, make
from sayso.ledger.fsck import SNAPSHOT, Fault
from sayso.policy.facts import Use


class _Said(NamedTuple):
    """A snapshot by what it pins, and its digest."""

    position: int
    policy: str
    use: Use
    digest: str


def faults(directory: Path, reader: Reader, engine: Engine) -> Iterator[Fault]:
    """What is wrong with the snapshots that a directory holds, or that the manifest in it names: each is made anew.

    Once somebody was erased, what was before cannot be made again: a kept snapshot is a fault then, for it leads back to
    the person; a manifest holds nobody, and is let stand. Raises StoreError, EngineError.
    """
    kept = (directory / META).exists()
    try:
        several = _kept(directory) if kept else _named(directory)
    except SaysoError as error:
        yield Fault(SNAPSHOT, None, str(error))
        return
    store = reader.journal.store
    for said in several:
        if any(position >= said.position for position in store.tombstones().values()):
            if kept:
                yield Fault(SNAPSHOT, said.position, "somebody was erased since it was made; delete it")
            continue
        try:
            view = reader.view(position=said.position)
        except InputError as error:
            yield Fault(SNAPSHOT, said.position, str(error))
            continue
        if view.context.policy.digest != said.policy:
            yield Fault(SNAPSHOT, said.position, "it is of another policy than the one last published then")
        elif make(store, view, said.use, engine).digest != said.digest:
            yield Fault(SNAPSHOT, said.position, "it is not the one that the events make")


def _kept(directory: Path) -> list[_Said]:
    pinned = load(directory)
    return [_Said(pinned.position, pinned.policy, pinned.use, pinned.digest)]


def _named(directory: Path) -> list[_Said]:
    said = manifest.read(directory)
    try:
        return [
            _Said(
                look["position"], look["policy"],
                Use(said["use"]["purpose"], said["use"]["recipient"], instant.parse(look["at"])), look["snapshot"],
            )
            for look in said["looks"]
        ]  # fmt: skip
    except (LookupError, TypeError, AttributeError) as error:
        raise VerificationError(
            f"the manifest in `{manifest.named(directory)}` holds something in another form"
        ) from error
