"""The benchmarks' corpus with other subjects: lists of them, ids that are text, one author of a tenth of all records.

Each is made once from the corpus, file by file, and kept beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import data
from sayso.api import init_ledger, load_policy, open_ledger
from sayso.gate import snapshots

Change = Callable[[pa.Table, np.random.Generator], pa.Table]
NEAR = 2000
"""Those to whom a record went wrote within so many records of it: they were there by then."""
_MIXER = 0x9E3779B97F4A7C15F39CC0605CEDC835


def lists(corpus: Path, length: int, records: int | None = None) -> Path:
    """With a column `recipients`: the author, and others up to `length`; of the first so many records of a file."""

    def change(table: pa.Table, random: np.random.Generator) -> pa.Table:
        table = table.slice(0, records)
        authors, count = table.column("author").to_numpy(), table.num_rows
        near = np.arange(count)[:, None] + random.integers(-NEAR, NEAR, (count, length))
        near[:, 0] = np.arange(count)
        held = pa.array(authors[near.clip(0, count - 1)].reshape(-1))
        offsets = pa.array(np.arange(0, count * length + 1, length, dtype=np.int32))
        return table.append_column("recipients", pa.ListArray.from_arrays(offsets, held))

    return _made(corpus, f"lists-{length}" + (f"-{records}" if records else ""), change, 1 if records else None)


def spread(corpus: Path, scale: data.Scale, *, skewed: bool) -> Path:
    """With authors drawn evenly from those registered by then; `skewed`, with one of them for a tenth of all records."""
    people = data.people(scale)
    ids, since = people["id"].to_numpy(), people["registered_at"].cast(pa.int64()).to_numpy()

    def change(table: pa.Table, random: np.random.Generator) -> pa.Table:
        here = np.searchsorted(since, table.column("collected_at").cast(pa.int64()).to_numpy(), side="right")
        authors = ids[(random.random(table.num_rows) * here).astype(np.int64)]
        tenth = random.random(table.num_rows) < 0.1
        if skewed:
            authors[tenth] = ids[0]
        return _with_authors(table, pa.array(authors))

    return _made(corpus, "skewed" if skewed else "even", change)


def named(corpus: Path, kind: str) -> Path:
    """With ids that are strings or UUIDs, as text."""
    return _made(corpus, kind, lambda table, _: _with_authors(table, _names(table.column("author"), kind)))


def ledger(folder: Path, kind: str) -> Path:
    """A ledger of such ids in which nobody is: what everybody did is in the snapshot (`snapshot`)."""

    def make(into: Path) -> None:
        with init_ledger(into / "bench.ledger", kind) as made:
            made.publish(load_policy(data.POLICY))

    return data.kept(folder / f"ledger-{kind}-form{data.FORM}", make) / "bench.ledger"


def snapshot(kept: Path, of: Path, kind: str) -> Path:
    """A snapshot with everybody under an id that is text, for a ledger of such ids."""
    path = kept.with_name(f"{kept.name}-{kind}")
    if not path.exists():
        pinned = snapshots.load(kept)
        with open_ledger(of) as opened:
            size = opened.parts.journal.head().size

        def renamed(table: pa.Table) -> pa.Table:
            return table.set_column(0, "subject", _names(table.column("subject"), kind))

        held = pinned.snapshot
        tables = {"standing": renamed(held.standing), "overflow": renamed(held.overflow)}
        snapshots.save(snapshots.with_tables(replace(pinned, position=size), **tables), path)
    return path


def _made(corpus: Path, name: str, change: Change, files: int | None = None) -> Path:
    def make(into: Path) -> None:
        for number, path in enumerate(sorted(corpus.glob("*.parquet"))[:files]):
            random = np.random.default_rng([1, number])
            pq.write_table(change(pq.read_table(path), random), into / path.name, row_group_size=122_880)

    return data.kept(corpus.with_name(f"{corpus.name}-{name}"), make)


def _with_authors(table: pa.Table, authors: Any) -> pa.Table:
    return table.set_column(table.schema.get_field_index("author"), "author", authors)


def _names(ids: pa.ChunkedArray, kind: str) -> pa.Array:
    encoded = ids.combine_chunks().dictionary_encode()
    if kind == "string":
        names = pc.binary_join_element_wise("member:", encoded.dictionary.cast(pa.string()), "")
    else:
        names = pa.array([str(UUID(int=one * _MIXER % (1 << 128))) for one in encoded.dictionary.to_pylist()])
    return names.take(encoded.indices)
