"""`sayso ledger export`, `prove`, `checkpoint`, `backup`, `restore`, `move` and `scrub`: the ledger as a log, and its copies."""

from __future__ import annotations

import time
from pathlib import Path

from sayso.cli import exits
from sayso.cli.context import Run
from sayso.cli.ledger import ledgers
from sayso.errors import UsageError

__all__ = ["ledgers"]


@ledgers.command
def export(directory: Path, /, *, every: float | None = None, context: Run) -> None:
    """Publish the log: tiles, entries, checkpoint and keys as files that any web server can host.

    No private part is among them. A directory that holds an earlier state is brought up to date. For example:

    ```
    sayso ledger export public/
    sayso ledger export public/ --every 60
    ```

    Parameters
    ----------
    directory
        The directory to write to.
    every
        Go on until interrupted, and look for new events every so many seconds.
    """
    if every is not None and every <= 0:
        raise UsageError("expected a number of seconds greater than 0 for `--every`")
    with context.ledger() as ledger:
        while True:
            made = ledger.log.export(directory)
            document = {"size": made.size, "added": made.added, "origin": ledger.log.origin}
            if made.added or every is None:
                context.answer(document, f"published {made.size:,} events in {directory}, {made.added:,} of them new")
            if every is None:
                return
            time.sleep(every)


@ledgers.command
def checkpoint(*, against: Path | None = None, context: Run) -> None:
    """Print the signed checkpoint at the head.

    For example:

    ```
    sayso ledger checkpoint
    sayso ledger checkpoint --against checkpoint-of-last-year
    ```

    Parameters
    ----------
    against
        A checkpoint seen before: then it is an error if the ledger does not go on from it.
    """
    with context.ledger() as ledger:
        if against is not None:
            old = ledger.log.check_against(context.read(against))
            context.note(f"the ledger goes on from the checkpoint of {old.size:,} events")
        text = ledger.log.checkpoint
    if context.json:
        context.emit({"checkpoint": text})
    else:
        context.write(text, escaped="replace")


@ledgers.command
def prove(position: int, /, *, into: Path | None = None, context: Run) -> None:
    """Print the proof that the event at a position is in the log (C2SP tlog-proof).

    For example:

    ```
    sayso ledger prove 4
    sayso ledger prove 4 --into choice.tlog-proof
    ```

    Parameters
    ----------
    position
        The position of the event.
    into
        The file to write, instead of printing.
    """
    with context.ledger() as ledger:
        if not 0 <= position < ledger.head.size:
            raise UsageError(f"expected the position of one of `{ledger.head.size}` events, got `{position}`")
        proof, entry = str(ledger.log.prove(position)), ledger.log.entry(position).decode()
    if into is not None:
        context.save(into, proof)
        context.answer({"proof": str(into), "entry": entry}, f"wrote {into}, which proves the entry {entry}")
    elif context.json:
        context.emit({"proof": proof, "entry": entry})
    else:
        context.write(proof, escaped="replace")


@ledgers.command
def backup(file: Path, /, *, context: Run) -> None:
    """Copy the whole ledger, as of one moment, while others go on writing. The copy holds people's data.

    It is a ledger in a file, wherever this one is. The keys are not in it: keep them apart. For example:

    ```
    sayso ledger backup members.2026-11-23.ledger
    ```

    Parameters
    ----------
    file
        The file to make; it must not be there yet.
    """
    with context.ledger() as ledger:
        ledger.log.backup(file)
        context.answer({"backup": str(file), "size": ledger.head.size}, f"copied {context.path} to {file}")


@ledgers.command
def restore(copy: Path, /, *, new_origin: str | None = None, against: tuple[Path, ...] = (), context: Run) -> None:
    """Put a copy in the place of a ledger that is lost; who was erased since is erased in it again.

    A copy that is older than a checkpoint seen since is refused: the log would contradict itself. For example:

    ```
    sayso --ledger members.ledger ledger restore members.2026-11-23.ledger
    sayso --ledger members.ledger ledger restore members.2026-11-23.ledger --against public/checkpoint
    sayso --ledger members.ledger ledger restore members.2026-11-23.ledger --new-origin example.com/members-2
    ```

    Parameters
    ----------
    copy
        The copy.
    new_origin
        Where no newer copy is left: go on as another log, of this name and with a key of its own.
    against
        A checkpoint that somebody kept, beside the one that the keys remember; may be given again.
    """
    from sayso.api.keeping import restore as put_back

    made = put_back(copy, context.path, new_origin=new_origin, against=[context.read(one) for one in against])
    document = {"size": made.size, "origin": made.origin, "erased": made.erased}
    context.answer(document, f"restored {context.path}: {made.size:,} events of log {made.origin}")
    if made.erased:
        context.note(f"{made.erased} people who were erased since were erased in it again")


@ledgers.command
def move(target: str, /, *, context: Run) -> None:
    """Copy the ledger into a new one, in a file or on PostgreSQL: the same log, with the same tree and checkpoint.

    The keys stay where they are; `SAYSO_KEYS` names their directory. Go on with the copy alone: once it is written to, this
    one is refused as older than what was seen. For example:

    ```
    SAYSO_KEYS=members.keys sayso --ledger members.ledger ledger move postgresql://sayso@db.example.com/members
    ```

    Parameters
    ----------
    target
        The path at which nothing is, or the URL of a schema that holds no tables.
    """
    from sayso.wiring import located

    with context.ledger() as ledger:
        size = ledger.log.move(target)
        document = {"ledger": f"{located(target)}", "size": size, "origin": ledger.log.origin}
        context.answer(document, f"copied {size:,} events of log {ledger.log.origin} to {located(target)}")
        context.note("go on with the copy alone, by the same keys")


@ledgers.command
def scrub(*, context: Run) -> int:
    """Make the store's files give up what was erased. Exits with 1 if they could not give up all of it.

    `sayso erase` does this by itself, unless told otherwise. The file, or the tables on PostgreSQL, are written
    anew, which holds the ledger up. For example:

    ```
    sayso ledger scrub
    ```
    """
    with context.ledger() as ledger:
        left = ledger.scrub()
    context.answer({"left": list(left)}, *[f"not reached: {one}" for one in left], *([] if left else ["all is gone"]))
    return exits.NO if left else exits.OK
