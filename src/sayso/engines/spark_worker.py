"""Deciding in the Python of a Spark executor: batches of what decides in, what is kept of their verdicts out.

An executor has this package, and of a ledger nothing but a snapshot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds
from pyspark import SparkFiles

from sayso.engines import direct, sharing
from sayso.engines.forms import Forms
from sayso.gate.engine import Part
from sayso.gate.verdicts import Codec, Denials, Packed, Verdicts, Written, canonical_codes
from sayso.plan.direct import Direct
from sayso.plan.index import Codes, Ints
from sayso.plan.lookup import Lookup
from sayso.plan.several import Worst
from sayso.plan.snapshot import Snapshot
from sayso.policy.verdict import Outcome

COUNTED, WORD, DENIED = range(3)
"""What a row that is kept says: how many records have a verdict, which are permitted, or why some are denied."""
KEPT = pa.schema(
    [
        ("row", pa.int64()),
        ("value", pa.int64()),
        ("number", pa.int64()),
        ("written", pa.string()),
        ("data", pa.binary()),
    ]
)
"""The columns that are kept, beside the `kind`. COUNTED: how many records (`value`) of the file whose first record is `row`
have a packed `number`, with the territory `written` on them where it is of that. WORD: `data` is a batch of words, from
number `row` to number `value`. DENIED: `data` is a batch of denied records.
"""
WORD_OF, BITS = "sayso word", "sayso bits"
"""The columns of words: the number of a word, which is that of each of its 64 records without the last six bits, and
which of them are permitted.
"""
_NOTHING = np.empty(0, np.int64)
_NO_DENIALS = Denials(_NOTHING, pa.nulls(0), pa.nulls(0))
_PREFIX, _SUFFIX = "sayso-", ".snapshot"
TALLIED_AT_ONCE = 1 << 20
_MAPPED = 2
"""So many snapshots are kept open by a worker, and twice as many on the disk of its machine."""
_open: dict[str, Decider] = {}


class Decider:
    """All that answers for one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.worst, self.codec = Worst(Direct(snapshot), Lookup(snapshot)), Codec(snapshot)
        self.ids = snapshot.standing.schema.field("subject").type
        outcomes = snapshot.results.column("outcome").to_numpy()
        self._about = (outcomes > int(Outcome.NO_SUBJECT)) & ~self.codec.permits

    @property
    def fits(self) -> bool:
        """Whether everybody can be found by place."""
        return self.worst.direct.fits

    def about_subject(self, numbers: Packed) -> npt.NDArray[np.bool_]:
        """Which of these verdicts deny a record for its subject."""
        about: npt.NDArray[np.bool_] = self._about[numbers // self.codec.width]
        return about


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
        path = folder / f"{_PREFIX}{self.name}{_SUFFIX}"
        with sharing.alone(folder / "sayso.lock"):  # of the many that begin at once, one writes it
            if not path.exists():
                sharing.write(self.data.value, path)
                # Whoever has an older one open keeps it; whoever asks for it again writes it again.
                for old in sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}"), key=lambda one: one.stat().st_mtime)[
                    : -2 * _MAPPED
                ]:
                    old.unlink(missing_ok=True)
            made: Decider = sharing.mapped(path)
        return made


@dataclass(frozen=True)
class Task:
    """Some row groups of a file, to be read where they are decided; `key` is the type that the records' key has in Spark."""

    part: Part
    groups: tuple[int, ...]
    key: pa.DataType | None


@dataclass(frozen=True, slots=True)
class _Records:
    """Some records: their numbers, that of the first record of the file of each, their keys, and what decides."""

    row: pa.Array
    first: pa.Array
    key: pa.Array | None
    columns: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class _Said:
    """The verdicts on some records: packed, whether they permit, and the subject and event that denials rest on."""

    number: Packed
    permitted: npt.NDArray[np.bool_]
    subject: pa.Array
    position: pa.Array


def kept(shared: Shared, reader: direct.Reader, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """What is kept (`spark_verdicts.Kept`) of the verdicts on records that Spark has read."""
    return _kept(shared.decider(), reader, map(_as_read, batches))


def kept_of(
    shared: Shared, reader: direct.Reader, tasks: Sequence[Task], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The same of those tasks whose numbers the batches hold, read here."""
    numbers = [number for batch in batches for number in batch.column(0).to_pylist()]
    return _kept(shared.decider(), reader, (records for number in numbers for records in _read(tasks[number], reader)))


def told(shared: Shared, reader: direct.Reader, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """A row for each record that Spark has read (`spark_verdicts.Kept.rows`)."""
    decider = shared.decider()
    with Forms(reader.ids) as forms:
        for records in map(_as_read, batches):
            said = _said(decider, reader, records, forms)
            every = np.arange(len(said.number))
            rows = _rows(decider.codec, reader, records, said, every)
            yield rows.append_column("permitted", pa.array(said.permitted))


def unpacked(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows of the kept `data`."""
    for batch in batches:
        for data in batch.column("data"):
            yield from pa.ipc.open_stream(data.as_buffer())


def version(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Of which version this package is, where this runs."""
    for _ in batches:
        yield pa.RecordBatch.from_pydict({"version": [metadata.version("sayso")]})


def _as_read(batch: pa.RecordBatch) -> _Records:
    key = batch.column("kept_key") if "kept_key" in batch.schema.names else None
    return _Records(batch.column("row"), batch.column("kept_first"), key, batch)


def _read(task: Task, reader: direct.Reader) -> Iterator[_Records]:
    columns = reader.columns
    for first, batch in direct.read(task.part, columns, columns.used, task.groups):
        rows = np.arange(first, first + batch.num_rows)
        key = None if columns.key is None else batch.column(columns.key).cast(task.key)
        yield _Records(pa.array(rows), pa.array(np.full(len(rows), task.part.first)), key, batch)


def _kept(decider: Decider, reader: direct.Reader, every: Iterable[_Records]) -> Iterator[pa.RecordBatch]:
    tally = _Tally(decider.codec)
    with Forms(reader.ids) as forms:
        for records in every:
            said = _said(decider, reader, records, forms)
            word, bits = words(records.row.to_numpy()[said.permitted])
            if len(word):
                held = pa.RecordBatch.from_pydict({WORD_OF: pa.array(word), BITS: pa.array(bits)})
                ends = {"row": pa.array(word[:1]), "value": pa.array(word[-1:])}
                yield _of_kind(WORD, ends | {"data": pa.array([packed(held)], pa.binary())})
            denied = np.flatnonzero(~said.permitted)
            if len(denied):
                data = packed(_rows(decider.codec, reader, records, said, denied))
                yield _of_kind(DENIED, {"data": pa.array([data], pa.binary())})
            tally.add(said.number, _territories(reader, records), records.first.to_numpy())
    counts = tally.counts()
    if counts:
        numbers, written, firsts = zip(*counts, strict=True)
        columns = {"number": pa.array(numbers, pa.int64()), "written": pa.array(written, pa.string())}
        columns |= {"row": pa.array(firsts, pa.int64()), "value": pa.array(counts.values(), pa.int64())}
        yield _of_kind(COUNTED, columns)


def _said(decider: Decider, reader: direct.Reader, records: _Records, forms: Forms) -> _Said:
    found = pa.Table.from_batches(list(reader.numbered(0, records.columns, decider.worst, forms))).combine_chunks()
    number, ids = found.column("number").to_numpy(), decider.ids

    def column(name: str, kind: pa.DataType) -> pa.Array:
        there = name in found.column_names
        return found.column(name).combine_chunks().cast(kind) if there else pa.nulls(len(number), kind)

    if reader.several:
        subject = column("id", ids)
    else:
        about = pa.array(decider.about_subject(number))
        some = records.columns.column(reader.columns.subjects[0].column).filter(about)
        own = some if kinds.is_integer(some.type) else forms(some)
        subject = pc.replace_with_mask(pa.nulls(len(number), ids), about, own.cast(ids))
    return _Said(number, decider.codec.permitted(number), subject, column("position", pa.int64()))


def _rows(codec: Codec, reader: direct.Reader, records: _Records, said: _Said, asked: Ints) -> pa.RecordBatch:
    """Some of the records, each with its verdict."""
    taken, number = pa.array(asked), said.number[asked]
    written = pa.nulls(len(asked), pa.string())
    if reader.columns.territory is not None and codec.of_written(number).any():
        codes, known = canonical_codes(records.columns.column(reader.columns.territory).take(taken))
        written = pa.array(known, pa.string()).take(pa.array(np.where(codec.of_written(number), codes, 0)))
    permitted = pa.array(said.permitted[asked])
    columns = {
        "row": records.row.take(taken), "number": pa.array(number.astype(np.int64)), "written": written,
        "first": records.first.take(taken), "subject": said.subject.take(taken),
        "position": pc.if_else(permitted, pa.scalar(None, pa.int64()), said.position.take(taken)),
    }  # fmt: skip
    if records.key is not None:
        columns["key"] = records.key.take(taken)
    return pa.RecordBatch.from_pydict(columns)


def words(rows: Ints) -> tuple[Ints, Ints]:
    """Some rows as bits, 64 to a word: the words, each once, and their bits."""
    word, bit = rows >> 6, np.uint64(1) << (rows & 63).astype(np.uint64)
    if (word[1:] < word[:-1]).any():
        order = np.argsort(word, kind="stable")
        word, bit = word[order], bit[order]
    if not len(word):
        return word, bit.view(np.int64)
    firsts = np.flatnonzero(np.append(True, word[1:] != word[:-1]))
    return word[firsts], np.bitwise_or.reduceat(bit, firsts).view(np.int64)


def _territories(reader: direct.Reader, records: _Records) -> pa.Array | None:
    name = reader.columns.territory
    return None if name is None else records.columns.column(name)


class _Tally:
    """How many records of each file have each number, counted many at a time: one batch alone has thousands of numbers."""

    def __init__(self, codec: Codec) -> None:
        self._codec, self._first, self._held = codec, 0, 0
        self._numbers: list[Packed] = []
        self._codes: list[Codes] = []
        self._said: dict[str | None, int] = {None: 0}
        self._counts = Counter[tuple[int, str | None, int]]()

    def add(self, number: Packed, territories: pa.Array | None, first: Ints) -> None:
        """Adds some records, each of the file whose `first` record has that number."""
        codes = np.zeros(len(number), np.int32)
        if territories is not None:
            own, names = canonical_codes(territories)
            codes = np.array([self._said.setdefault(name, len(self._said)) for name in names], np.int32)[own]
        starts = np.flatnonzero(first[1:] != first[:-1]) + 1
        for start, stop in zip([0, *starts], [*starts, len(first)], strict=True):
            if start < stop and (first[start] != self._first or self._held > TALLIED_AT_ONCE):
                self._count()
                self._first = int(first[start])
            self._numbers.append(number[start:stop])
            self._codes.append(codes[start:stop])
            self._held += stop - start

    def counts(self) -> Counter[tuple[int, str | None, int]]:
        """By number, the territory written on the record where the verdict is of it, and the first record of its file."""
        self._count()
        return self._counts

    def _count(self) -> None:
        if self._held:
            written = Written(np.concatenate(self._codes), list(self._said))
            verdicts = Verdicts(self._codec, np.concatenate(self._numbers), _NO_DENIALS, written)
            for (number, on_record), many in verdicts.counts(0, self._held).items():
                self._counts[number, on_record, self._first] += many
        self._numbers, self._codes, self._held = [], [], 0


def _of_kind(kind: int, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    """Rows of one kind, with nulls in the columns that say nothing of it."""
    count = len(next(iter(columns.values())))
    made = {"kind": pa.array(np.full(count, kind, np.int8))}
    made |= {field.name: pa.nulls(count, field.type) for field in KEPT}
    return pa.RecordBatch.from_pydict(made | columns)


def packed(batch: pa.RecordBatch) -> bytes:
    """Rows as one value, for Spark would take each of them in hand."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
        stream.write_batch(batch)
    held: bytes = sink.getvalue().to_pybytes()
    return held
