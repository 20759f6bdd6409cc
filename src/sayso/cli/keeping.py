"""`sayso keys`, `fsck` and `erase`: keeping a ledger whole, and forgetting whom it must."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.text import Text

from sayso.cli import exits
from sayso.cli.context import Run

_UNREACHED = (
    "backups, receipts, kept and published snapshots, reports of denied records and exports made before: delete those",
)

keys = App(name="keys", help="Show and change the keys that sign the log.", help_format="markdown")


@keys.command
def show(*, context: Run) -> None:
    """Print the log's public keys, the newest last: what others need to check it.

    For example:

    ```
    sayso keys show
    ```
    """
    with context.ledger() as ledger:
        held = [str(key) for key in ledger.log.keys]
        context.answer({"origin": ledger.log.origin, "keys": held}, *held)


@keys.command
def rotate(*, context: Run) -> None:
    """Change the key that signs the log; the old and the new one both sign that it changed.

    The old one is destroyed. For example:

    ```
    sayso keys rotate
    ```
    """
    with context.ledger() as ledger:
        made = ledger.log.rotate_key()
        context.answer({"key": str(made)}, f"the log is now signed by {made}")
        context.note("publish it: sayso ledger export DIR")


def fsck(*, repair: bool = False, against: Path | None = None, snapshot: tuple[Path, ...] = (), context: Run) -> int:
    """Recompute the whole ledger from its events, and say what does not agree, from which position on.

    Looks at positions, hashes, commitments, tiles, signatures, facts, references and the store's own pages. Exits with 1
    if anything is wrong. For example:

    ```
    sayso fsck
    sayso fsck --against checkpoint-of-last-year
    sayso fsck --snapshot release
    ```

    Parameters
    ----------
    repair
        Make anew what is derived (tiles, facts, tombstones). Events, private parts and checkpoints are never touched.
    against
        A checkpoint seen before, from which the ledger must go on.
    snapshot
        A kept snapshot, or an output whose manifest names those that it was gated by: made anew and compared; may be given
        again.
    """
    with context.unrecognised() as ledger:
        if repair:
            ledger.log.repair()
        found = ledger.log.check(None if against is None else context.read(against), snapshot)
        document = {
            "ok": not found,
            "size": ledger.head.size,
            "faults": [{"part": one.part, "position": one.position, "told": one.told} for one in found],
        }
        if ledger.unscrubbed:
            context.note("what was erased is not gone from the store's files yet; run: sayso ledger scrub")
    lines = [Text.assemble(("wrong: ", "bold red"), str(one)) for one in found]
    context.answer(document, *lines, *([] if found else [f"{context.path} is whole: {document['size']} events"]))
    return exits.NO if found else exits.OK


def receipt(position: int, /, *, into: Path | None = None, context: Run) -> None:
    """Make the receipt of a choice, for the member to keep and check offline years later.

    It is a consent record after ISO/IEC TS 27560 in the terms of W3C DPV, with the proof that the choice is in the log.
    For example:

    ```
    sayso receipt 10 --into receipt.json
    ```

    Parameters
    ----------
    position
        The position of the choice.
    into
        The file to write, instead of printing.
    """
    with context.ledger() as ledger:
        made = ledger.receipt(position).decode()
    if into is None:
        context.write(made + "\n")
    else:
        context.save(into, made + "\n")
        context.answer(
            {"receipt": str(into)}, f"wrote {into}; check it with: sayso verify receipt {into} --key log.vkeys"
        )


def erase(subject: str, /, *, scrub: Annotated[bool, Parameter(negative="--no-scrub")] = True, context: Run) -> None:
    """Destroy what the ledger holds of a person, under every alias, and record that this was done.

    It cannot be undone. Proofs made before still verify. For example:

    ```
    sayso erase 4711
    ```

    Parameters
    ----------
    subject
        The person's id.
    scrub
        Whether the store's files give up at once what was erased. That holds the ledger up; after several
        erasures run `sayso ledger scrub` once instead.
    """
    with context.ledger() as ledger:
        made = ledger.erase(subject)
        left = ledger.scrub() if scrub else ("the store's own files, until `sayso ledger scrub`",)
        unreached = [*left, *_UNREACHED]
        context.answer(
            {"position": made.position, "unreached": unreached}, f"erased; recorded at position {made.position}"
        )
        context.note(f"not reached: {'; '.join(unreached)}")
