"""An output in a bucket: claimed, written file by file, and there once its manifest is (spec/manifest.md, *In a bucket*).

Nothing can be moved there, so the manifest, from which every reader starts, is written last, and only if there is none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import msgspec

from sayso.errors import CorpusError, EngineError, RemoteError
from sayso.gate import attestation, manifest
from sayso.gate.objects import Address, Objects

FORM = "sayso/upload/1"
LAST = (attestation.FILE, manifest.FILE)
"""What is written last, in this order."""


class Claim(msgspec.Struct, forbid_unknown_fields=True):
    """What whoever writes an output leaves beside its place while it does: a random `token`, and the files that it writes."""

    form: str
    token: str
    files: list[str]


def claim_of(address: Address) -> Address:
    """Where the claim on an output's place is: beside it, hidden. Raises CorpusError for a bucket as a whole."""
    if not address.key:
        raise CorpusError(f"expected a prefix in the bucket to write to, as in `{address}/release`, got `{address}`")
    path = PurePosixPath(address.key)
    return Address(address.bucket, str(path.with_name(f".{path.name}.partial")))


def check_free(address: Address, objects: Objects, *, resume: bool) -> None:
    """Raises CorpusError if there is something in the place of an output.

    With `resume`, what a gate has left there that was killed is nothing.
    """
    claim = _claimed(claim_of(address), objects)
    if claim is not None and not resume:
        raise CorpusError(
            f"a gate writes to `{address}`, or was killed while it did; wait for it, or take its place with `--resume`"
        )
    left = set() if claim is None else {address.prefix + name for name in claim.files if name not in LAST}
    left |= set() if claim is None else {address.prefix + attestation.FILE}
    taken = objects.seen(address) is not None
    if taken or any(one.key not in left for one in objects.below(address)):
        raise CorpusError(f"the output `{address}` is there already; name another, or remove it")
    _check_outside(address, objects)


def _check_outside(address: Address, objects: Objects) -> None:
    """Raises CorpusError if a place is within another output, which would no longer be what its manifest says."""
    parts = address.key.split("/")
    for depth in range(len(parts)):
        other = Address(address.bucket, "/".join(parts[:depth]))
        said = None
        # Whoever may not look above a place may write there all the same; and what is no JSON is no gate's.
        with contextlib.suppress(RemoteError, msgspec.DecodeError):
            said = msgspec.json.decode(objects.read(_at(other, manifest.FILE)) or b"null")
        if isinstance(said, dict) and said.get("form") == manifest.FORM:
            raise CorpusError(
                f"the output `{address}` would be within the output `{other}`, which holds no files but its own; "
                "name a place outside it"
            )


def upload(output: Path, address: Address, objects: Objects, token: str, *, threads: int, resume: bool) -> None:
    """Writes an output to its place, of which nothing is left if it fails.

    Raises CorpusError if the place is taken, RemoteError, EngineError.
    """
    check_free(address, objects, resume=resume)
    beside = claim_of(address)
    files = sorted(path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file())
    if resume:
        _clear(address, beside, objects)
    data = msgspec.json.encode(Claim(FORM, token, files))
    if not _created(beside, data, objects):
        raise CorpusError(f"another gate writes to `{address}`; name another place")
    try:
        if next(iter(objects.below(address)), None) is not None:
            raise CorpusError(f"the output `{address}` is there already; name another, or remove it")
        _put(output, [name for name in files if name not in LAST], address, objects, threads)
        if objects.read(beside) != data:
            raise RemoteError(f"another gate took the place of this one at `{address}`; nothing was let through")
        objects.put(_at(address, attestation.FILE), output / attestation.FILE)
        if not _created(_at(address, manifest.FILE), (output / manifest.FILE).read_bytes(), objects):
            raise RemoteError(f"another gate took the place of this one at `{address}`; nothing was let through")
    except OSError as error:
        _withdraw(address, beside, data, objects)
        raise EngineError(f"could not read the output again: {error.strerror or type(error).__name__}") from error
    except BaseException:
        _withdraw(address, beside, data, objects)
        raise
    with contextlib.suppress(RemoteError):  # the output is whole; a claim beside it does no harm
        objects.remove(beside.bucket, [beside.key])


def _put(output: Path, names: Sequence[str], address: Address, objects: Objects, threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        putting = [pool.submit(objects.put, _at(address, name), output / name) for name in names]
        try:
            for one in putting:
                one.result()
        finally:
            for one in putting:
                one.cancel()


def _withdraw(address: Address, beside: Address, data: bytes, objects: Objects) -> None:
    """Removes what was written, unless the place is another's by now. What cannot be removed is left under the claim."""
    with contextlib.suppress(RemoteError):
        if objects.read(beside) == data:
            _clear(address, beside, objects)


def _clear(address: Address, beside: Address, objects: Objects) -> None:
    """Removes what was written under a claim, the manifest first and the claim last."""
    claim = _claimed(beside, objects)
    if claim is None:
        return
    names = [*reversed(LAST), *(name for name in claim.files if name not in LAST)]
    objects.remove(address.bucket, [address.prefix + name for name in names])
    objects.abandon(address)
    objects.remove(beside.bucket, [beside.key])


def _claimed(beside: Address, objects: Objects) -> Claim | None:
    """The claim on a place, if there is one. Raises CorpusError for what is none."""
    data = objects.read(beside)
    if data is None:
        return None
    try:
        claim = msgspec.json.decode(data, type=Claim)
    except msgspec.DecodeError:
        claim = None
    if claim is None or claim.form != FORM:
        raise CorpusError(f"expected what a gate leaves while it writes (`{FORM}`) at `{beside}`; remove it")
    return claim


def _created(address: Address, data: bytes, objects: Objects) -> bool:
    """Whether an object that was not there is there now. A request that is sent again may meet what it wrote itself."""
    return objects.create(address, data) or objects.read(address) == data


def _at(address: Address, name: str) -> Address:
    return Address(address.bucket, address.prefix + name)
