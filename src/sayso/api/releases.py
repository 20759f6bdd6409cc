"""Reading what a gate wrote: verifying it, and opening a release for training."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from sayso import instant, wiring
from sayso.api import remote
from sayso.api.expecting import expecting
from sayso.api.given import Instant, instant_of
from sayso.api.keeping import known_keys
from sayso.api.policies import PolicyLike, policy_of
from sayso.consent import receipt_check
from sayso.consent.receipt_check import Verified
from sayso.errors import StaleError, UsageError, VerificationError
from sayso.gate import manifest
from sayso.gate.job import COPY
from sayso.gate.output import PERMITTED
from sayso.gate.replaying import replay
from sayso.gate.verify import Difference
from sayso.gate.verify import verify as _verify
from sayso.ledger.log.note import VerifierKey

if TYPE_CHECKING:
    import pyarrow.dataset as ds

    from sayso.api.ledger import Ledger


@expecting
def verify(
    directory: str | Path,
    inputs: str | Path | None = None,
    *,
    keys: Sequence[str | VerifierKey] = (),
    ledger: Ledger | None = None,
    sample: int = 1000,
) -> list[Difference]:
    """Everything in which an output directory differs from its manifest; nothing if they agree.

    Given the directory of the `inputs`, these too. With `keys`, verifier keys or files of them, that one of them signed
    it; without, nobody vouches for the manifest. With a `ledger` and the inputs, that the ledger goes on from the
    checkpoint signed, and that the reference decides a random `sample` of the records as the output says. Raises
    VerificationError if there is no manifest to verify by, KeyFileError for what is no key.
    """
    known = known_keys(keys)
    if ledger is not None:
        known = list(ledger.log.trusted(known or ledger.log.keys))
        if inputs is None:
            raise UsageError("expected the directory of the inputs too: verdicts are replayed from the corpus")
    with remote.output_of(directory, inputs) as (root, corpus):
        found = _verify(root, corpus, known)
        if ledger is not None and corpus is not None and not found:
            with tempfile.TemporaryDirectory(prefix="sayso-") as scratch:
                engine = wiring.engine(spill=Path(scratch))
                found = replay(root, corpus, ledger.parts.reader, engine, _chosen, sample, Path(scratch))
    return found


@expecting
def verify_receipt(
    receipt: bytes | str, *, keys: Sequence[str | VerifierKey], policy: PolicyLike | None = None
) -> Verified:
    """What a receipt proves, by the log's verifier keys (or files of them), offline.

    With the `policy` that it names, also that its record is what that policy makes of the choice. Raises
    VerificationError where it proves nothing, KeyFileError for what is no key.
    """
    return receipt_check.verify(receipt, known_keys(keys), policy_of(policy))


def _chosen(total: int, count: int) -> list[int]:
    return SystemRandom().sample(range(total), count)


@expecting
def open_release(directory: str | Path, *, at: Instant | None = None) -> ds.Dataset:
    """The permitted records of a release as an Arrow dataset, for what trains on them.

    Raises VerificationError if it is a replay, which nothing may be trained on, or if its files are not those of its
    manifest; StaleError from its `valid_until` on (semantics, section 1, *Freshness*). `at` is the present instant
    unless given.
    """
    import pyarrow.dataset as ds

    root = remote.kept_output(directory)
    said: dict[str, Any] = manifest.read(root)
    if said.get("kind") != "release":
        raise VerificationError(f"`{manifest.named(root)}` is a replay, and nothing is trained on one; gate a release")
    if said.get("emit") != COPY:
        raise VerificationError(f"`{manifest.named(root)}` holds no copy of the records; open it with `open_selection`")
    found = verify(root)
    if found:
        raise VerificationError(f"`{manifest.named(root)}` is not what its manifest says: {found[0]}; gate it again")
    if not isinstance(said.get("valid_until"), str):
        raise VerificationError(
            f"the manifest in `{manifest.named(root)}` does not say until when it is valid; gate it again"
        )
    until = instant.parse(said["valid_until"])
    present = wiring.present() if at is None else instant_of(at)
    manifest.check_clock(said, present, root.name)
    if present >= until:
        raise StaleError(f"the release `{manifest.named(root)}` was valid until `{said['valid_until']}`; gate it again")
    # Each by name: a dataset of a directory leaves out files whose names begin with `_` or `.`.
    files = [str(root / entry["path"]) for entry in said["outputs"] if entry["kind"] == PERMITTED]
    return ds.dataset(files, format="parquet")
