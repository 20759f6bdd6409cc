"""Which objects a name, a prefix or a glob names: those that it would name of files, in the same order."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from sayso.gate.inputs import FORMS
from sayso.gate.objects import Address, Held, Objects


def named(address: Address, pattern: str, objects: Objects) -> list[Held]:
    """The objects that a pattern, which has this address, names. Raises RemoteError."""
    if address.key and not pattern.endswith("/"):
        one = objects.seen(address)
        if one is not None:
            return [one]
    found = [one for one in below(address, objects) if _read(one.key.removeprefix(address.prefix))]
    if found or not glob.has_magic(address.key):
        return found
    parts = PurePosixPath(address.key).parts
    fixed = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    some = below(Address(address.bucket, "/".join(parts[:fixed])), objects)
    return [one for one in some if _matches(one.key.split("/"), parts)]


def below(address: Address, objects: Objects) -> Iterator[Held]:
    """Objects below an address; those that only stand for directories are none."""
    return (one for one in objects.below(address) if not one.key.endswith("/"))


def _read(name: str) -> bool:
    """Whether a directory's file of this name would be read."""
    path = PurePosixPath(name)
    return path.suffix.lower() in FORMS and not any(part.startswith((".", "_")) for part in path.parts)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a key is matched by a glob as a file's path is (`glob.glob`, `recursive`)."""
    if not pattern or not parts:
        return not parts and all(one == "**" for one in pattern)
    hidden = parts[0].startswith(".")
    if pattern[0] == "**":
        return _matches(parts, pattern[1:]) or (not hidden and _matches(parts[1:], pattern))
    if hidden and not pattern[0].startswith("."):
        return False
    return fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])
