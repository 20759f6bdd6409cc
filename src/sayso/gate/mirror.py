"""Objects as files on this machine: `s3://bucket/key` is at `objects/bucket/key`, whole, and the one that was seen.

Everything that reads a corpus or an output reads files, several times over; so each object comes over once, and what is
told of its file is told of the object. Files are kept with what they are of, so that who goes on need not fetch them again.
"""

from __future__ import annotations

import glob
import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

from sayso.errors import CorpusError, InputError, Problem, RemoteError, SaysoError
from sayso.gate.inputs import state_of
from sayso.gate.objects import SCHEME, Address, Held, Objects, address_of, is_address
from sayso.gate.patterns import below, named
from sayso.gate.place import sync

FOLDER, INDEX = "objects", "fetched.ndjson"
SPARED = 64 << 20
"""Bytes that are left free on the disk."""
LONGEST = 255
"""Bytes of a file's name."""


class Mirror:
    """A directory of this machine in which objects are files."""

    def __init__(self, root: Path, objects: Objects, threads: int) -> None:
        self.root, self.objects, self.threads = root.resolve(), objects, threads
        self._pinned: dict[Address, Held] = {}
        self._index: dict[str, tuple[Held, tuple[int, ...]]] = {}
        self._lock = threading.Lock()
        if glob.has_magic(str(self.root)):
            raise CorpusError(Problem("expected a directory without `*`, `?` and `[` in its name", str(self.root)))
        try:
            (self.root / FOLDER).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise CorpusError(Problem(f"cannot be made: {error.strerror}", str(self.root))) from error
        self._read_index()

    def path(self, address: Address) -> Path:
        """Where an object, or all below an address, is. Raises CorpusError for a key that no file can have."""
        parts = address.key.split("/") if address.key else []
        if any(part in ("", ".", "..") or "\0" in part or len(part.encode()) > LONGEST for part in parts):
            raise CorpusError(Problem("expected a key that can be a file's path below a directory", file=str(address)))
        return self.root.joinpath(FOLDER, address.bucket, *parts)

    def patterns(self, patterns: Sequence[str]) -> list[str]:
        """Names, prefixes and globs of objects as paths and globs of files, which are there by then.

        Of a prefix those files are fetched that a directory would be read of. What `check` checks are these. Raises
        CorpusError for one that names nothing, RemoteError.
        """
        wanted: dict[Address, Held] = {}
        local: list[str] = []
        problems: list[Problem] = []
        for pattern in patterns:
            if not is_address(pattern):
                local.append(pattern)
                continue
            address = address_of(pattern)
            found = named(address, pattern, self.objects)
            local.append(str(self.path(address)))
            if not found:
                problem = f"expected an object, a prefix or a glob that matches something, got `{address}`"
                problems.append(Problem(problem))
            wanted |= {Address(address.bucket, one.key): one for one in found}
        if problems:
            raise CorpusError(problems)
        self._pinned |= self._fetched(wanted)
        self._only(self.root / FOLDER, wanted)
        return local

    def folder(self, address: Address) -> Path:
        """A directory of everything below an address."""
        every = {Address(address.bucket, one.key): one for one in below(address, self.objects)}
        self._fetched(every)
        path = self.path(address)
        path.mkdir(parents=True, exist_ok=True)
        self._only(path, every)
        return path

    def files(self, address: Address, names: Sequence[str]) -> Path:
        """A directory of those objects below an address that have these names, where there are such."""
        every = [Address(address.bucket, address.prefix + name) for name in names]
        with ThreadPoolExecutor(self.threads) as pool:
            seen = dict(zip(every, pool.map(self.objects.seen, every), strict=True))
        self._fetched({one: held for one, held in seen.items() if held is not None})
        for one, held in seen.items():
            if held is None:
                self.path(one).unlink(missing_ok=True)
        return self.path(address)

    def check(self) -> None:
        """Raises CorpusError if an object that `patterns` fetched is not the one that it was, or is gone."""

        def same(item: tuple[Address, Held]) -> bool:
            return item[1].same(self.objects.seen(item[0]))

        with ThreadPoolExecutor(self.threads) as pool:
            for address, held in zip(self._pinned, pool.map(same, self._pinned.items()), strict=True):
                if not held:
                    problem = "expected an object that nobody writes or removes while the gate reads it"
                    raise CorpusError(Problem(problem, file=str(address)))

    @contextmanager
    def naming(self) -> Iterator[None]:
        """What is told of a file is told of its object."""
        try:
            yield
        except InputError as error:
            said = [
                replace(one, message=self._told(one.message), file=one.file and self._told(one.file))
                for one in error.problems
            ]
            raise type(error)(said) from error
        except SaysoError as error:
            raise type(error)(self._told(str(error))) from error

    def _told(self, text: str) -> str:
        return text.replace(f"{self.root / FOLDER}{os.sep}", SCHEME)

    def _fetched(self, wanted: Mapping[Address, Held]) -> dict[Address, Held]:
        """Objects that are files by then, as they were seen when they were fetched."""
        places = {address: self.path(address) for address in wanted}
        with ThreadPoolExecutor(self.threads) as pool:
            kept = dict(zip(wanted, pool.map(self._kept, places.items(), wanted.values()), strict=True))
            missing = {address: held for address, held in wanted.items() if kept[address] is None}
            self._check_room(sum(held.size for held in missing.values()))
            fetching = [pool.submit(self._fetch, places[address], address, held) for address, held in missing.items()]
            try:
                found = dict(zip(missing, [one.result() for one in fetching], strict=True))
            finally:
                for one in fetching:
                    one.cancel()
        return {address: kept[address] or found[address] for address in wanted}

    def _only(self, directory: Path, wanted: Mapping[Address, Held]) -> None:
        """Removes files of objects that are gone since, which nobody may take for objects."""
        places = {self.path(address) for address in wanted}
        for path in directory.rglob("*"):
            if not path.is_dir() and path not in places:
                path.unlink()

    def _kept(self, placed: tuple[Address, Path], held: Held) -> Held | None:
        """What is there already, if it is of this object as it is now."""
        address, path = placed
        known = self._index.get(str(address))
        try:
            there = known is not None and known[1] == tuple(state_of(path))
        except OSError:
            there = False
        if known is None or not there or not known[0]._replace(version=None).same(held):
            return None
        if known[0].version is not None and not known[0].same(self.objects.seen(address)):
            return None
        return known[0]

    def _fetch(self, path: Path, address: Address, held: Held) -> Held:
        part = self.root / f"{threading.get_ident()}.part"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            found = self.objects.fetch(address.bucket, held, part)
            sync(part)  # so that no index tells of bytes that a machine lost when it went down
            part.replace(path)
            state = state_of(path)
        except OSError as error:
            told = error.strerror or type(error).__name__
            raise RemoteError(f"cannot keep `{address}` in `{self.root}`: {told}") from error
        finally:
            part.unlink(missing_ok=True)
        with self._lock, (self.root / INDEX).open("ab") as file:
            file.write(msgspec.json.encode([str(address), found, state]) + b"\n")
        self._index[str(address)] = found, state
        return found

    def _read_index(self) -> None:
        try:
            lines = (self.root / INDEX).read_bytes().split(b"\n")[:-1]
        except OSError:
            return
        for line in lines:
            try:
                name, held, state = msgspec.json.decode(line, type=tuple[str, Held, tuple[int, ...]])
            except msgspec.DecodeError:
                continue
            self._index[name] = held, state

    def _check_room(self, size: int) -> None:
        free = shutil.disk_usage(self.root).free - SPARED
        if size > free:
            problem = f"expected room for {size:,} bytes of objects, found {max(free, 0):,}"
            remedy = "name a directory of a larger disk in SAYSO_SCRATCH, or gate fewer files at a time"
            raise CorpusError(Problem(problem, str(self.root), remedy=remedy))
