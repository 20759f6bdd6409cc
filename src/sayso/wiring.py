"""The composition root: settings in, real parts out. The command line, the Python API and the demo are all built here."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sayso.consent.judging import Judge
from sayso.consent.reader import Reader
from sayso.errors import KeyFileError, Problem, StoreError, UsageError
from sayso.ledger.identity import IdType
from sayso.ledger.journal import Journal
from sayso.ledger.keys import Keys
from sayso.ledger.log.checkpoint import Checkpoint
from sayso.ledger.log.tiles import Edge
from sayso.policy.normal import from_normal
from sayso.policy.succession import succession
from sayso.stores import sqlite
from sayso.stores.keyfiles import KeyFiles
from sayso.stores.schema import Founding
from sayso.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from sayso.gate.engine import Engine
    from sayso.gate.objects import Objects

Clock = Callable[[], int]
_MOST_THREADS = 1024
_MEMORY = re.compile(r"([1-9]\d{0,8}(?:\.\d+)?) ?([KMGT]i?)?B", re.ASCII)


def _pause() -> None:
    """Lets other threads run for an instant: a tenth of what a durable commit takes."""
    time.sleep(50e-6)


def present() -> int:
    """The present instant, in microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


@dataclass(frozen=True)
class Parts:
    """A ledger's store, with what appends to it and reads it for decisions. Every part has the same clock."""

    store: SqliteStore
    journal: Journal
    reader: Reader
    keys: KeyFiles
    now: Clock

    def close(self) -> None:
        """Closes the ledger."""
        self.store.close()
        self.keys.close()


def key_files(path: Path, environment: Mapping[str, str] = os.environ) -> KeyFiles:
    """Where the keys of the ledger at a path are: in the directory that `SAYSO_KEYS` names, or beside the ledger."""
    named = environment.get("SAYSO_KEYS")
    return KeyFiles(Path(named) if named else path.with_name(path.name + ".keys"), environment)


def create(
    path: Path, id_type: IdType, *, origin: str | None = None, keys: KeyFiles | None = None, now: Clock = present
) -> Parts:
    """The parts over a new, empty ledger, and its keys. `origin` is the name of its log; by default one is made up.

    Raises StoreError where there is one already, or none can be made; KeyFileError.
    """
    files = keys or key_files(path)
    name = origin or _origin(path, files)
    if path.exists() and path.stat().st_size:
        raise StoreError(f"`{path}` holds a ledger or other data already; give another path, or open it")
    if files.last() is not None:
        problem = "these are the keys of a ledger that was here; a new log needs keys of its own"
        raise KeyFileError(Problem(problem, str(files.directory), remedy="restore that ledger, or move the keys away"))
    made = files.make(name, os.urandom)
    return parts(sqlite.create(path, id_type, _founding(name, made)), files, made, now=now)


def open_ledger(
    path: Path, *, keys: KeyFiles | None = None, now: Clock = present, wait: float = sqlite.WAIT_SECONDS
) -> Parts:
    """The parts over the ledger in a file; `wait` is how many seconds a writer waits for its turn.

    Raises StoreError if there is none, or none that can be read; KeyFileError; RollbackError if it is older than one
    that was seen.
    """
    opened = open_unrecognised(path, keys or key_files(path), now=now, wait=wait)
    try:
        with opened.store.reading() as reading:
            opened.journal.log.recognise(reading)
    except BaseException:
        opened.close()
        raise
    return opened


def open_unrecognised(path: Path, files: KeyFiles, *, now: Clock = present, wait: float = sqlite.WAIT_SECONDS) -> Parts:
    """As `open_ledger`, of a ledger that may be older than one that was seen: to look what it is."""

    def found_log() -> Founding:
        name = _origin(path, files)
        return _founding(name, files.make(name, os.urandom))

    store = sqlite.open_ledger(path, found_log, wait=wait)
    try:
        return parts(store, files, files.load(), now=now)
    except BaseException:
        store.close()
        raise


def parts(store: SqliteStore, files: KeyFiles, keys: Keys, *, origin: str | None = None, now: Clock = present) -> Parts:
    """The parts over a store: a journal that judges by the policy last published, and a reader.

    `origin` is the log's name where the store was opened under another.
    """
    judge = Judge(from_normal, succession, now)
    journal = Journal(
        store, keys=keys, now=now, random_bytes=os.urandom, judge=judge, seen=files, origin=origin, pause=_pause
    )
    return Parts(store, journal, Reader(journal, from_normal), files, now)


def _founding(origin: str, keys: Keys) -> Founding:
    def sign(edge: Edge) -> str:
        return str(Checkpoint(origin, edge.size, edge.peaks.root()).signed(keys.signing()))

    return Founding(origin, sign, keys.tombstone, os.urandom)


def _origin(path: Path, files: KeyFiles) -> str:
    """The name of a log that is given none: that of the key at hand, or the file's with something that makes it unique."""
    signer = files.load().signer
    if signer is not None:
        return signer.verifier.name
    stem = re.sub(r"[^A-Za-z0-9._-]", "-", path.stem) or "ledger"
    return f"sayso.invalid/{stem}-{os.urandom(6).hex()}"


def bytes_of(memory: str) -> int:
    """A limit of memory such as `1GiB` in bytes. Raises UsageError for one that cannot be."""
    found = _MEMORY.fullmatch(memory)
    if found is None:
        raise UsageError(f"expected a limit of memory such as `1GiB` or `800MB`, got `{memory}`")
    scale = found[2] or ""
    unit = (1024 if scale.endswith("i") else 1000) ** " KMGT".index(scale[:1] or " ")
    return int(float(found[1]) * unit)


def engine(*, memory: str | None = None, threads: int | None = None, spill: Path | None = None) -> Engine:
    """The gate's engine. `memory` is a limit such as `1GiB`; `spill` where it puts what does not fit.

    Raises UsageError for a limit that cannot be.
    """
    if memory is not None:
        bytes_of(memory)
    if threads is not None and not 1 <= threads <= _MOST_THREADS:
        raise UsageError(f"expected from 1 to {_MOST_THREADS} threads, got `{threads}`")
    from sayso.engines import duckdb  # slow to import, and a decision needs none

    limit = duckdb.DEFAULT_MEMORY if memory is None else memory
    return duckdb.DuckDBEngine(memory_limit=limit, threads=threads, temp_directory=spill)


def objects() -> Objects:
    """Buckets of objects, found and signed for by the environment. Raises UsageError without the library, RemoteError."""
    try:
        from sayso.places.s3 import S3Objects
    except ModuleNotFoundError as error:
        raise UsageError("names in buckets need a library: `pip install 'sayso[s3]'`") from error
    return S3Objects()


def scratch(environment: Mapping[str, str] = os.environ) -> Path:
    """Where files are kept of what is not on this machine: `SAYSO_SCRATCH`, or a directory of the user's cache."""
    named = environment.get("SAYSO_SCRATCH")
    cache = environment.get("XDG_CACHE_HOME")
    return Path(named) if named else (Path(cache) if cache else Path.home() / ".cache") / "sayso"


def token() -> str:
    """What tells one gate from all others."""
    return os.urandom(16).hex()
