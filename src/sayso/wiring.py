"""The composition root: settings in, real parts out. The command line, the Python API and the demo are all built here."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from sayso.consent.judging import Judge
from sayso.consent.reader import Reader
from sayso.errors import KeyFileError, Problem, StoreError, UsageError
from sayso.ledger.identity import IdType
from sayso.ledger.journal import Journal
from sayso.ledger.keys import Keys
from sayso.ledger.log.checkpoint import Checkpoint
from sayso.ledger.log.tiles import Edge
from sayso.ledger.moving import copy
from sayso.ledger.store import Store
from sayso.policy.normal import from_normal
from sayso.policy.succession import succession
from sayso.stores import sqlite
from sayso.stores.keyfiles import KeyFiles
from sayso.stores.peers import Peers
from sayso.stores.postgres_url import SCHEMES, PostgresUrl
from sayso.stores.schema import Founding

if TYPE_CHECKING:
    from sayso.gate.distributed import Held
    from sayso.gate.engine import Cluster, Engine, Viewing
    from sayso.gate.objects import Objects

Clock = Callable[[], int]
Location: TypeAlias = Path | PostgresUrl
"""Where a ledger is: a file of SQLite's, or a schema of a PostgreSQL database."""
_MOST_THREADS = 1024
PATIENCE = 0.0002
"""For how many seconds an append waits for those of other threads: about as long as a durable commit takes."""
_MEMORY = re.compile(r"([1-9]\d{0,8}(?:\.\d+)?) ?([KMGT]i?)?B", re.ASCII)


def present() -> int:
    """The present instant, in microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


@dataclass(frozen=True)
class Parts:
    """A ledger's store, with what appends to it and reads it for decisions. Every part has the same clock."""

    store: Store
    journal: Journal
    reader: Reader
    keys: KeyFiles
    now: Clock
    peers: Peers | None = None

    def close(self) -> None:
        """Closes the ledger."""
        if self.peers is not None:
            self.peers.close()
        self.store.close()
        self.keys.close()


def located(where: str | Location) -> Location:
    """Where a ledger is, as it was written: a path, or a URL such as `postgresql://user@host/database`."""
    if isinstance(where, str):
        return PostgresUrl(where) if where.startswith(SCHEMES) else Path(where)
    return where


def key_files(where: Location, environment: Mapping[str, str] = os.environ) -> KeyFiles:
    """Where the keys of a ledger are: in the directory that `SAYSO_KEYS` names, or beside the ledger's file.

    Raises KeyFileError for a ledger that has no file, where `SAYSO_KEYS` names none.
    """
    named = environment.get("SAYSO_KEYS")
    if named:
        return KeyFiles(Path(named), environment)
    if isinstance(where, PostgresUrl):
        raise KeyFileError("a ledger on PostgreSQL has no directory beside it for its keys; name one by `SAYSO_KEYS`")
    return KeyFiles(where.with_name(where.name + ".keys"), environment)


def create(
    where: Location, id_type: IdType, *, origin: str | None = None, keys: KeyFiles | None = None, now: Clock = present
) -> Parts:
    """The parts over a new, empty ledger, and its keys. `origin` is the name of its log; by default one is made up.

    Raises StoreError where there is one already, or none can be made; KeyFileError.
    """
    files = keys or key_files(where)
    name = origin or _origin(where, files)
    if isinstance(where, Path) and where.exists() and where.stat().st_size:
        raise StoreError(f"`{where}` holds a ledger or other data already; give another path, or open it")
    if files.last() is not None:
        problem = "these are the keys of a ledger that was here; a new log needs keys of its own"
        raise KeyFileError(Problem(problem, str(files.directory), remedy="restore that ledger, or move the keys away"))
    made = files.make(name, os.urandom)
    return parts(_new_store(where, id_type, founding(name, made)), files, made, now=now)


def _new_store(where: Location, id_type: IdType, begun: Founding) -> Store:
    made: Store = (sqlite if isinstance(where, Path) else _postgres()).create(where, id_type, begun)
    return made


def _postgres() -> ModuleType:
    """The store on PostgreSQL. Raises UsageError where its driver is not installed."""
    try:
        from sayso.stores import postgres
    except ImportError as error:
        raise UsageError("a ledger on PostgreSQL needs its driver; run `pip install 'sayso[postgres]'`") from error
    return postgres


def copied(source: Parts, target: Location) -> Store:
    """A copy of a ledger, as of one moment, in a new store of the same log: the same tree and checkpoint.

    Raises StoreError where there is a ledger already; KeyFileError without the log's key.
    """
    signing = Keys(source.journal.keys.signing(), source.journal.keys.secret)
    made = _new_store(target, source.store.id_type, founding(source.journal.log.origin, signing))
    try:
        with source.store.reading() as reading:
            copy(reading, made)
    except BaseException:
        made.close()
        raise
    return made


def open_ledger(
    where: Location, *, keys: KeyFiles | None = None, now: Clock = present, wait: float = sqlite.WAIT_SECONDS
) -> Parts:
    """The parts over a ledger; `wait` is how many seconds a writer waits for its turn.

    Raises StoreError if there is none, or none that can be read; KeyFileError; RollbackError if it is older than one
    that was seen.
    """
    opened = open_unrecognised(where, keys or key_files(where), now=now, wait=wait)
    try:
        with opened.store.reading() as reading:
            opened.journal.log.recognise(reading)
    except BaseException:
        opened.close()
        raise
    return opened


def open_unrecognised(
    where: Location, files: KeyFiles, *, now: Clock = present, wait: float = sqlite.WAIT_SECONDS
) -> Parts:
    """As `open_ledger`, of a ledger that may be older than one that was seen: to look what it is."""

    def found_log() -> Founding:
        name = _origin(where, files)
        return founding(name, files.make(name, os.urandom))

    opening = (sqlite if isinstance(where, Path) else _postgres()).open_ledger
    store: Store = opening(where, found_log, wait=wait)
    try:
        return parts(store, files, files.load(), now=now)
    except BaseException:
        store.close()
        raise


def parts(store: Store, files: KeyFiles, keys: Keys, *, origin: str | None = None, now: Clock = present) -> Parts:
    """The parts over a store: a journal that judges by the policy last published, and a reader.

    `origin` is the log's name where the store was opened under another.
    """
    judge = Judge(from_normal, succession, now)
    peers = _peers(store, files, keys)
    journal = Journal(
        store,
        keys=keys,
        now=now,
        random_bytes=os.urandom,
        judge=judge,
        seen=files,
        origin=origin,
        patience=PATIENCE,
        peers=peers,
    )
    return Parts(store, journal, Reader(journal, from_normal), files, now, peers)


def _peers(store: Store, files: KeyFiles, keys: Keys) -> Peers | None:
    """Where the processes of this host that append to one ledger, with one key, find each other; only on PostgreSQL."""
    place: str | None = getattr(store, "place", None)
    if place is None or keys.signer is None:
        return None
    name = sha256(f"{keys.signer.verifier}\n{place}".encode()).hexdigest()[:16]
    return Peers(files.directory / f"appends-{name}.sock", 3 * sqlite.WAIT_SECONDS, lambda: time.sleep(50e-6))


def founding(origin: str, keys: Keys) -> Founding:
    """What a new log of a name begins with."""

    def sign(edge: Edge) -> str:
        return str(Checkpoint(origin, edge.size, edge.peaks.root()).signed(keys.signing()))

    return Founding(origin, sign, keys.tombstone, os.urandom)


def _origin(where: Location, files: KeyFiles) -> str:
    """The name of a log that is given none: that of the key at hand, or the file's with something that makes it unique."""
    signer = files.load().signer
    if signer is not None:
        return signer.verifier.name
    stem = re.sub(r"[^A-Za-z0-9._-]", "-", where.stem if isinstance(where, Path) else "") or "ledger"
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


def viewing() -> Viewing:
    """What writes a gate as SQL."""
    from sayso.engines.viewing import view

    return view


def spark_session(master: str, settings: Mapping[str, str] | None = None) -> Any:
    """A session of Spark's on a master, such as `local[2]` or `spark://…`; the one who starts it stops it.

    Raises UsageError without PySpark, EngineError.
    """
    return _spark("spark_session").start(master, settings)


def spark_engine(session: Any, source: Any = None) -> tuple[Cluster, Held | None]:
    """The engine over a session, and what it holds where the `source` is no files but a frame, or the name of a table."""
    from sayso.gate.distributed import Held

    spark, sources = _spark("spark"), _spark("spark_sources")
    if source is None:
        return spark.SparkEngine(session), None
    held, schema, records = sources.opened(session, source)
    return spark.SparkEngine(session, source=held), Held(
        f"table:{source}" if isinstance(source, str) else "frame", schema, records
    )


def _spark(module: str) -> Any:
    try:
        return import_module(f"sayso.engines.{module}")
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in ("pyspark", "py4j"):
            raise UsageError("expected Spark to be installed; do so with `pip install 'sayso[spark]'`") from error
        raise


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
