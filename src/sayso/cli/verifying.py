"""`sayso verify`: what a platform gave out, checked by whoever was given it, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.text import Text

from sayso import instant
from sayso.cli import exits
from sayso.cli.context import Run
from sayso.errors import InputError, UsageError, VerificationError

verify = App(name="verify", help_format="markdown")


@verify.default
def output(
    directory: str,
    /,
    *,
    inputs: Annotated[str | None, Parameter(show_default=False)] = None,
    key: tuple[str, ...] = (),
    replay: int | None = None,
    context: Run,
) -> int:
    """Check what a gate wrote: every file, every count, and that a key signed it. Exits with 1 if anything differs.

    Without `--key` nobody vouches for the manifest, only that the files are those of it. For example:

    ```
    sayso verify release --key log.vkeys
    sayso verify release --key log.vkeys --inputs corpus/ --ledger members.ledger --replay 1000
    ```

    Parameters
    ----------
    directory
        What `sayso gate` wrote; it may be in a bucket, as `s3://BUCKET/PREFIX`.
    inputs
        The directory of the corpus, to check its files too.
    key
        A verifier key, or a file with one a line; may be given again.
    replay
        Decide so many records, chosen at random, once more by the ledger that `--ledger` names; needs `--inputs`.
    """
    from sayso.api import verify as differences

    if replay is not None and (replay < 1 or inputs is None):
        raise UsageError("expected a number of records for `--replay`, and `--inputs` beside it")
    if replay is None:
        found = differences(directory, inputs, keys=key)
    else:
        with context.ledger() as ledger:
            found = differences(directory, inputs, keys=key, ledger=ledger, sample=replay)
    document = {
        "ok": not found,
        "signed": bool(key) or replay is not None,
        "differences": [{"where": one.where, "said": one.said, "found": one.found} for one in found],
    }
    lines = [Text.assemble(("differs: ", "bold red"), str(one)) for one in found]
    context.answer(document, *lines, *([] if found else [f"{directory} is what its manifest says"]))
    if not document["signed"]:
        context.note("who signed it was not checked: give the log's public key with --key")
    return exits.NO if found else exits.OK


@verify.command
def proof(file: Path, entry: Path, /, *, key: tuple[str, ...], context: Run) -> int:
    """Check that an entry is in a log, by a proof and the log's public key. Exits with 1 if it is not proved.

    For example:

    ```
    sayso verify proof choice.tlog-proof entry.json --key log.vkeys
    ```

    Parameters
    ----------
    file
        The proof (C2SP tlog-proof), as `sayso ledger prove` writes it.
    entry
        The entry, byte by byte; or `-` for standard input.
    key
        A verifier key, or a file with one a line; may be given again.
    """
    from sayso.api.keeping import parse_keys
    from sayso.ledger.log import proof as proofs

    known = parse_keys(key)
    read, proved = proofs.parse(_given(file, context)), _given(entry, context).removesuffix("\n").encode()
    try:
        head = read.verify(proved, known)
    except VerificationError as error:
        context.answer({"ok": False, "told": str(error)}, Text.assemble(("not proved: ", "bold red"), str(error)))
        return exits.NO
    document: dict[str, Any] = {"ok": True, "origin": head.origin, "position": read.index, "size": head.size}
    context.answer(document, f"the entry is at position {read.index} of {head.origin}, which held {head.size:,} events")
    return exits.OK


@verify.command
def receipt(file: Path, /, *, key: tuple[str, ...], policy: Path | None = None, context: Run) -> int:
    """Check a receipt by the log's public key: the signature, the proof, and that it says what was chosen.

    Exits with 1 if it proves nothing. For example:

    ```
    sayso verify receipt receipt.json --key log.vkeys
    sayso verify receipt receipt.json --key log.vkeys --policy policy.yaml
    ```

    Parameters
    ----------
    file
        The receipt, as `sayso receipt` writes it; or `-` for standard input.
    key
        A verifier key, or a file with one a line; may be given again.
    policy
        The policy that it names: then what it adds to the choice is checked too.
    """
    from sayso.api import verify_receipt
    from sayso.consent.receipt import PAYLOAD_TYPE
    from sayso.ledger import dsse

    given = _given(file, context)
    dsse.unverified(given, PAYLOAD_TYPE)  # what is no receipt at all is no answer to whether one proves something
    try:
        found = verify_receipt(given, keys=key, policy=policy)
    except VerificationError as error:
        context.answer({"ok": False, "told": str(error)}, Text.assemble(("not proved: ", "bold red"), str(error)))
        return exits.NO
    at = instant.format(found.recorded_at)
    decision = found.choice["decision"]
    document: dict[str, Any] = {
        "ok": True, "origin": found.checkpoint.origin, "position": found.position, "recorded_at": at,
        "decision": decision, "policy": found.policy, "notice": found.notice,
    }  # fmt: skip
    context.answer(
        document, f"the {decision} was recorded at {at}, at position {found.position} of {found.checkpoint.origin}"
    )
    return exits.OK


def _given(file: Path, context: Run) -> str:
    """What is to be verified. Raises VerificationError if it cannot be read, as where there is no manifest."""
    try:
        return context.read(file)
    except InputError as error:
        raise VerificationError(str(error)) from error
