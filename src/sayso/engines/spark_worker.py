"""Deciding in the Python of a Spark executor: Arrow batches of what decides in, what is kept of their verdicts out.

Nothing here runs on the driver but by a test. An executor has this package, and of a ledger a snapshot alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import SparkFiles

from sayso.engines import flat, sharing
from sayso.engines.flat import numbers
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.verdicts import Codec, Denials, Packed, Verdicts, canonical_codes
from sayso.plan.direct import Direct, Ints
from sayso.plan.lookup import Lookup
from sayso.plan.several import Worst
from sayso.plan.snapshot import Snapshot
from sayso.policy.verdict import Outcome

COUNTED, WORD, DENIED = range(3)
"""What a row that is kept says: how many records have a verdict, which of 64 are permitted, or why one is denied."""
_SUBJECTS = Columns((SubjectColumn("subjects"),), category_constant="")
_NOTHING = np.empty(0, np.int64)
_NO_DENIALS = Denials(_NOTHING, pa.nulls(0), pa.nulls(0))
_SUFFIX = ".snapshot"
_MAPPED = 2
"""So many snapshots are kept open by a worker, and twice as many on the disk of its machine."""
_open: dict[str, Decider] = {}


class Decider:
    """All that answers for one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.direct, self.lookup, self.codec = Direct(snapshot), Lookup(snapshot), Codec(snapshot)
        outcomes = snapshot.results.column("outcome").to_numpy()
        self._about = (outcomes > int(Outcome.NO_SUBJECT)) & ~self.codec.permits

    def about_subject(self, numbers: Packed) -> Any:
        """Which of these verdicts deny a record for its subject."""
        return self._about[numbers // self.codec.width]


@dataclass(frozen=True)
class Shared:
    """A decider that was sent to every machine (a broadcast of `sharing.frozen`), under a name of its own."""

    name: str
    data: Any

    def decider(self) -> Decider:
        """The decider, over a file that all workers of this executor map."""
        found = _open.get(self.name)
        if found is None:
            found = _open[self.name] = self._mapped(Path(SparkFiles.getRootDirectory()))
            for name in list(_open)[:-_MAPPED]:
                del _open[name]
        return found

    def _mapped(self, folder: Path) -> Decider:
        path = folder / f"{self.name}{_SUFFIX}"
        if not path.exists():
            sharing.write(self.data.value, path)
            # Whoever has an older one open keeps it; whoever asks for it again writes it again.
            for old in sorted(folder.glob(f"*{_SUFFIX}"), key=lambda one: one.stat().st_mtime)[: -2 * _MAPPED]:
                old.unlink(missing_ok=True)
        made: Decider = sharing.mapped(path)
        return made


@dataclass(frozen=True)
class Asked:
    """Which columns a batch has: those of `reading.expressions`, beside `row`, `kept_first` and perhaps `kept_key`.

    Records have `several` subjects or one; roles that are `unasked` do not count.
    """

    several: bool
    written: bool
    malformed: bool
    unasked: tuple[str, ...]


def kept(shared: Shared, asked: Asked, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """What is kept of the verdicts on some records, as rows of `spark_verdicts.Kept`, together."""
    decider, counts = shared.decider(), Counter[tuple[int, str | None, int]]()
    nothing: pa.RecordBatch | None = None
    for batch in batches:
        said = _said(decider, asked, batch)
        denied = pa.array(np.flatnonzero(~said.permitted))
        word, bits = _words(batch.column("row").to_numpy()[said.permitted])
        of_denied = said.columns(batch).take(denied)
        words = {"row": pa.array(word), "value": pa.array(bits)}
        nothing = of_denied.slice(0, 0)
        yield _rows(WORD, len(word), nothing, words)
        yield _rows(DENIED, len(denied), nothing, dict(zip(of_denied.schema.names, of_denied.columns, strict=True)))
        _count(counts, decider.codec, said.number, batch, written=asked.written)
    if nothing is not None and counts:
        which, written, firsts = zip(*counts, strict=True)
        columns = {"number": pa.array(which, pa.int64()), "written": pa.array(written, pa.string())}
        columns |= {"first": pa.array(firsts, pa.int64()), "value": pa.array(counts.values(), pa.int64())}
        yield _rows(COUNTED, len(counts), nothing, columns)


def told(shared: Shared, asked: Asked, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same as a row for each record (`spark_verdicts.Kept.rows`)."""
    decider = shared.decider()
    for batch in batches:
        said = _said(decider, asked, batch)
        yield said.columns(batch).append_column("permitted", pa.array(said.permitted))


@dataclass(frozen=True, slots=True)
class _Said:
    """The verdicts of a batch: packed numbers, and what they rest on; nulls where that is nothing."""

    number: Packed
    permitted: npt.NDArray[np.bool_]
    written: pa.Array
    subject: pa.Array
    position: pa.Array

    def columns(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Each with the record that it is on."""
        columns = {
            "row": batch.column("row"), "number": pa.array(self.number.astype(np.int64)), "written": self.written,
            "first": batch.column("kept_first"), "subject": self.subject, "position": self.position,
        }  # fmt: skip
        if "kept_key" in batch.schema.names:
            columns["key"] = batch.column("kept_key")
        return pa.RecordBatch.from_pydict(columns)


def _said(decider: Decider, asked: Asked, batch: pa.RecordBatch) -> _Said:
    collected, unread = numbers(batch.column("collected"))
    unread = np.zeros(len(collected), np.bool_) if unread is None else unread
    if asked.malformed:
        unread = unread | batch.column("malformed").fill_null(True).to_numpy(zero_copy_only=False)
    categories = batch.column("category").dictionary_encode()
    territories = batch.column("written").dictionary_encode() if asked.written else None
    if asked.several:
        subjects, missing = flat.subjects(batch, _SUBJECTS, asked.unasked)
        worst = Worst(decider.direct, decider.lookup)
        parts = worst.numbered(0, subjects, collected, categories, territories, unread | missing, named=True)
        found = pa.Table.from_batches(list(parts)).combine_chunks().to_batches()[0]
    else:
        ids, no_id = numbers(batch.column("subject"))
        unread = unread if no_id is None else unread | no_id
        keyed = decider.direct.keyed(ids, collected, categories, territories, unread)
        found = decider.lookup.told(batch.column("row"), *keyed)
    number = found.column("number").to_numpy()
    permitted = decider.codec.permitted(number)
    return _Said(
        number, permitted, _written(decider.codec, number, territories),
        _whose(decider, asked, batch, found, number), _if(~permitted, found, "position", pa.int64()),
    )  # fmt: skip


def _whose(decider: Decider, asked: Asked, batch: pa.RecordBatch, found: pa.RecordBatch, number: Packed) -> pa.Array:
    """The subject that each denial is about."""
    about = decider.about_subject(number)
    if asked.several:
        return _if(about, found, "id", batch.column("subjects").type.value_type.field("id").type)
    return _if(about, batch, "subject", batch.column("subject").type)


def _if(asked: npt.NDArray[np.bool_], batch: pa.RecordBatch, name: str, kind: pa.DataType) -> pa.Array:
    """A column, if it is there, with nulls where it is not asked."""
    if name not in batch.schema.names:
        return pa.nulls(batch.num_rows, kind)
    return pc.if_else(pa.array(asked), batch.column(name), pa.scalar(None, kind))


def _written(codec: Codec, number: Packed, territories: pa.Array | None) -> pa.Array:
    """The territory written on a record, where the verdict is of it."""
    of_written = codec.of_written(number)
    if territories is None or not of_written.any():
        return pa.nulls(len(number), pa.string())
    codes, said = canonical_codes(territories)
    return pa.array(said, pa.string()).take(pa.array(np.where(of_written, codes, 0)))


def _words(rows: Ints) -> tuple[Ints, Ints]:
    """Some rows as bits, 64 to a word: the words, each once, and their bits."""
    word, bit = rows >> 6, np.uint64(1) << (rows & 63).astype(np.uint64)
    if (word[1:] < word[:-1]).any():
        order = np.argsort(word, kind="stable")
        word, bit = word[order], bit[order]
    firsts = np.flatnonzero(np.append(True, word[1:] != word[:-1])) if len(word) else _NOTHING
    bits = np.bitwise_or.reduceat(bit, firsts) if len(word) else bit
    return word[firsts], bits.view(np.int64)


def _count(
    counts: Counter[tuple[int, str | None, int]], codec: Codec, number: Packed, batch: pa.RecordBatch, *, written: bool
) -> None:
    """Adds how many records of each file (known by its first row) have each number."""
    first = batch.column("kept_first").to_numpy()
    starts = np.flatnonzero(np.append(True, first[1:] != first[:-1])).tolist() if len(first) else []
    verdicts = Verdicts(codec, number, _NO_DENIALS)
    for start, stop in zip(starts, [*starts[1:], len(first)], strict=True):
        territories = batch.column("written").slice(start, stop - start) if written else None
        for (which, said), many in verdicts.counts(start, stop, territories).items():
            counts[which, said, int(first[start])] += many


def _rows(kind: int, count: int, like: pa.RecordBatch, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    """Rows of one kind, with nulls in the columns that say nothing of it."""
    made = {"kind": pa.array(np.full(count, kind, np.int8)), "value": pa.nulls(count, pa.int64())}
    made |= {field.name: pa.nulls(count, field.type) for field in like.schema}
    return pa.RecordBatch.from_pydict(made | columns)


def version(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Of which version this package is, where this runs."""
    for _ in batches:
        yield pa.RecordBatch.from_pydict({"version": [metadata.version("sayso")]})
