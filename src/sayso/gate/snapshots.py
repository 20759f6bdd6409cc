"""Making a snapshot from a ledger for one use, naming it by its content, and keeping it."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sayso import instant
from sayso.canonical import PREFIX, canonical_bytes
from sayso.consent.fold import fold_subject
from sayso.consent.reader import View
from sayso.errors import StaleError
from sayso.gate.engine import Engine
from sayso.ledger.facts import Party
from sayso.ledger.identity import IdType
from sayso.ledger.store import Store
from sayso.plan import accounts
from sayso.plan.history import FACTS, told_once
from sayso.plan.relevance import Relevance
from sayso.plan.snapshot import Dimensions, Snapshot, build
from sayso.plan.symbols import symbols
from sayso.policy.facts import Id, SubjectFacts, Use

FACT_COLUMNS = ("position", "id", "at", "recorded_at", "code", "other")
META = "snapshot.json"
DIGESTED_ROWS = 1 << 16
"""So many rows at a time are digested, however a table lies in memory."""


@dataclass(frozen=True)
class Pinned:
    """A snapshot with what it pins: policy, use and position; and until when it may be used."""

    snapshot: Snapshot
    use: Use
    policy: str
    version: str | None
    position: int
    valid_until: int
    digest: str


def make(store: Store, view: View, use: Use, engine: Engine) -> Pinned:
    """The snapshot of a use, as known at the view's position. Raises StoreError, EngineError."""
    relevance = Relevance(view.context, view.known, use)
    table = symbols(view.payloads, relevance)
    ids = pa.int64() if store.id_type is IdType.INT64 else pa.string()

    def people() -> Iterator[pa.RecordBatch]:
        return engine.histories(_facts(store, view, table.signals, ids), table.table, _kin(view, ids))

    if relevance.asks_account:
        of_accounts = accounts.account_symbols(view.payloads, relevance)

        def held() -> Iterator[pa.RecordBatch]:
            facts, kin = _account_facts(store, view), accounts.kin(_holdings(store, view))
            return engine.histories(facts, of_accounts.table, kin)

        made = accounts.build(relevance, (table, people), (of_accounts, held), ids)
    else:
        made = build(relevance, table, people(), lambda some: _people(view, some), ids)
    version = view.context.policy.in_force(use.at, view.context.withdrawn)
    freshness = version.freshness if version else instant.DAY
    until = min(end for end in (use.at + freshness, relevance.scheduled) if end is not None)
    pins: dict[str, Any] = {
        "policy": view.context.policy.digest,
        "version": version.id if version else None,
        "use": asdict(use),
        "position": view.size,
        "valid_until": until,
    }
    return Pinned(made, use, pins["policy"], pins["version"], view.size, until, digested(made, pins))


def nobodys(view: View, use: Use, ids: pa.DataType) -> Snapshot:
    """The snapshot of a use in which nobody is known: for reading a corpus, not for deciding."""
    relevance = Relevance(view.context, view.known, use)
    made = build(relevance, symbols({}, relevance), (), lambda _: {}, ids)
    return replace(made, accounts=made.standing) if relevance.asks_account else made


def _people(view: View, ids: Sequence[Id]) -> Mapping[Id, SubjectFacts]:
    """What is known of some people. Those of whom no alias is known are read together."""
    alone = [one for one in ids if one not in view.kin]
    facts = view.known.subjects(alone) if alone else {}
    found = {one: fold_subject(facts[one], {}, view.context) for one in alone}
    return found | {one: view.known.subject(one) or SubjectFacts() for one in ids if one in view.kin}


def _facts(store: Store, view: View, signals: Mapping[int, int], ids: pa.DataType) -> pa.RecordBatchReader:
    """The facts of all persons below the view's position."""
    types = {name: ids if name in ("id", "other") else pa.int64() for name in FACT_COLUMNS}
    schema = pa.schema([(name, types[name]) for name in FACT_COLUMNS if signals or name != "other"])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in store.facts(view.size, columns=("party", *schema.names)):
            people = batch.filter(pc.equal(batch.column("party"), int(Party.SUBJECT)))
            yield pa.RecordBatch.from_arrays(
                [people.column(field.name).cast(field.type) for field in schema], schema=schema
            )

    return told_once(batches(), signals, ids)


ACCOUNT_FACTS = pa.schema([(name, pa.string() if name == "id" else pa.int64()) for name in FACTS if name != "nth"])


def _account_facts(store: Store, view: View) -> pa.RecordBatchReader:
    """The facts of all accounts and organisations below the view's position, ids marked."""

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in store.facts(view.size, columns=("party", *ACCOUNT_FACTS.names)):
            for party, mark in ((Party.ACCOUNT, accounts.ACCOUNT), (Party.ORGANISATION, accounts.ORGANISATION)):
                some = batch.filter(pc.equal(batch.column("party"), int(party)))
                columns = {name: some.column(name) for name in ACCOUNT_FACTS.names}
                columns["id"] = accounts.marked(columns["id"], mark)
                yield pa.RecordBatch.from_arrays(
                    [columns[field.name].cast(field.type) for field in ACCOUNT_FACTS], schema=ACCOUNT_FACTS
                )

    return told_once(batches(), {}, pa.string())


def _holdings(store: Store, view: View) -> Iterator[tuple[Any, Any]]:
    """Every account with each organisation that it ever had."""
    for batch in store.facts(view.size, columns=("party", "id", "other")):
        of_accounts = batch.filter(pc.equal(batch.column("party"), int(Party.ACCOUNT)))
        for account, organisation in zip(
            of_accounts.column("id").to_pylist(), of_accounts.column("other").to_pylist(), strict=True
        ):
            if organisation is not None:
                yield account, organisation


def _kin(view: View, ids: pa.DataType) -> pa.Table:
    """Who hears whose facts: for each person with aliases, the person first."""
    heard: list[Sequence[Any]] = []
    for subject, group in view.kin.items():
        ordered = (subject, *(other for other in group if other != subject))
        heard += [(other, subject, member) for member, other in enumerate(ordered)]
    columns = list(zip(*heard, strict=True)) or [(), (), ()]
    return pa.table(
        [pa.array(columns[0], ids), pa.array(columns[1], ids), pa.array(columns[2], pa.int64())],
        names=["id", "subject", "member"],
    )


def digested(snapshot: Snapshot, pins: dict[str, Any]) -> str:
    """SHA-256 over the pins and every table's Arrow stream."""
    whole = hashlib.sha256()
    stated = {"dimensions": _dimensions(snapshot.dimensions), "next_change": snapshot.next_change}
    whole.update(canonical_bytes(_exact(pins | stated)))
    whole.update(canonical_bytes([list(snapshot.territories), list(snapshot.category_names)]))

    class Sink:
        closed = False

        def write(self, data: Any) -> int:
            whole.update(data)
            return len(data)

        def flush(self) -> None:
            """Nothing is held back."""

        def close(self) -> None:
            """Nothing is open."""

    for name in sorted(snapshot.tables):
        table = snapshot.tables[name]
        with pa.ipc.new_stream(pa.PythonFile(Sink(), mode="w"), table.schema) as stream:
            for start in range(0, table.num_rows, DIGESTED_ROWS):
                # Joined with nothing, so that all of it is copied: what Arrow writes of a part of longer texts is filled
                # up with the texts that follow.
                part = table.slice(start, DIGESTED_ROWS)
                stream.write_table(pa.concat_tables([part, part.slice(0, 0)]).combine_chunks())
                snapshot.let_go()
    return PREFIX + whole.hexdigest()


def _exact(value: Any) -> Any:
    """The same with numbers as text: an instant may be greater than what JSON's numbers hold exactly."""
    match value:
        case dict():
            return {name: _exact(one) for name, one in value.items()}
        case list():
            return [_exact(one) for one in value]
        case int():
            return str(value)
        case _:
            return value


def _dimensions(dimensions: Dimensions) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(dimensions).items()}


def with_tables(pinned: Pinned, **tables: pa.Table) -> Pinned:
    """The same with other tables, and so another digest."""
    made = replace(pinned.snapshot, **tables)
    pins = {
        "policy": pinned.policy, "version": pinned.version, "use": asdict(pinned.use), "position": pinned.position,
        "valid_until": pinned.valid_until,
    }  # fmt: skip
    return replace(pinned, snapshot=made, digest=digested(made, pins))


def save(pinned: Pinned, directory: Path) -> None:
    """Keeps a snapshot in a new directory, one Arrow file a table. It holds ids: guard it as the ledger."""
    directory.mkdir(parents=True)
    for name, table in pinned.snapshot.tables.items():
        with pa.ipc.new_file(directory / f"{name}.arrow", table.schema) as file:
            file.write_table(table)
    about = {
        "use": asdict(pinned.use), "policy": pinned.policy, "version": pinned.version, "position": pinned.position,
        "valid_until": pinned.valid_until, "digest": pinned.digest,
        "dimensions": _dimensions(pinned.snapshot.dimensions), "territories": list(pinned.snapshot.territories),
        "categories": list(pinned.snapshot.category_names), "next_change": pinned.snapshot.next_change,
    }  # fmt: skip
    (directory / META).write_text(json.dumps(about, indent=2, sort_keys=True) + "\n", "utf-8")


def load(directory: Path) -> Pinned:
    """A snapshot that was kept. Raises StaleError if it cannot be read, or its content is not what its digest names."""
    try:
        return _loaded(directory)
    except (OSError, ValueError, TypeError, LookupError, pa.ArrowException) as error:
        told = f"the snapshot in `{directory.name}` cannot be read ({type(error).__name__}); make it again"
        raise StaleError(told) from error


def _loaded(directory: Path) -> Pinned:
    about = json.loads((directory / META).read_text("utf-8"))
    pins = {name: about[name] for name in ("policy", "version", "use", "position", "valid_until")}
    snapshot = _opened(directory, about)
    if digested(snapshot, pins) != about["digest"]:
        raise StaleError(f"the snapshot in `{directory.name}` is not what its digest names; make it again")
    return Pinned(
        snapshot, Use(**about["use"]), about["policy"], about["version"], about["position"], about["valid_until"],
        about["digest"],
    )  # fmt: skip


def _opened(directory: Path, about: Mapping[str, Any]) -> Snapshot:
    """A snapshot's tables, mapped into memory."""
    maps = {path.stem: _mapped(path) for path in directory.glob("*.arrow")}
    tables = {name: pa.ipc.open_file(pa.py_buffer(held)).read_all() for name, held in maps.items()}

    def let_go() -> None:
        for held in maps.values():
            held.madvise(mmap.MADV_DONTNEED)

    sized: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in about["dimensions"].items()
    }
    return Snapshot(
        Dimensions(**sized), tables["standing"], tables["overflow"], tables["answers"], tables["categories"],
        tables["places"], tables["results"], tuple(about["territories"]), tuple(about["categories"]),
        about["next_change"], tables.get("accounts"), tables.get("accounts_overflow"), let_go,
    )  # fmt: skip


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
