"""The verdicts of some records, packed: one number for each, and what the denied ones rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sayso.errors import EngineError
from sayso.plan.gate import Packing
from sayso.plan.results import NO_OBJECTION
from sayso.plan.snapshot import Snapshot
from sayso.policy.verdict import Outcome
from sayso.territory import canonical

Packed = npt.NDArray[np.uint32]
Codes = npt.NDArray[np.int32]
Counts: TypeAlias = Counter[tuple[int, str | None]]
"""How many records have each packed number; with the territory written on them, where the verdict is of it."""
UNANSWERED = np.uint32(0xFFFFFFFF)
TALLIED = 1 << 21
"""Numbers below this are counted in an array as long as the greatest, sooner than by sorting them."""
WRITTEN = 1
"""Where the territory of the evidence is packed, the one that is written on the record; 0 is none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one packed number says. `territory` of `None` is none; `written` says that it is the one on the record."""

    outcome: Outcome
    rule: int
    territory: str | None
    written: bool
    category: str | None


class Codec:
    """Packs (result, territory, category) into one number, and reads it back."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._territories = ("", "", *snapshot.territories)
        self._categories = (None, *snapshot.category_names)
        self._outcomes = snapshot.results.column("outcome").to_pylist()
        self._rules = snapshot.results.column("rule").to_pylist()
        self.width = Packing.of(snapshot).width
        if self.width * len(self._outcomes) >= int(UNANSWERED):
            raise EngineError("this use has more distinct verdicts than the gate can pack; narrow its rules")
        self.permits = np.array([outcome != NO_OBJECTION and Outcome(outcome).permits for outcome in self._outcomes])
        # Dividing is what takes long: where there are few numbers, each has its answer.
        few = self.width * len(self.permits) <= TALLIED
        self._permits_number = np.repeat(self.permits, self.width) if few else None
        self._written_number = self._of_written(np.arange(self.width * len(self.permits))) if few else None
        self._answers: dict[int, Answer] = {}

    def permitted(self, packed: Packed) -> npt.NDArray[np.bool_]:
        """Which of these records are permitted."""
        held = self._permits_number
        mask: npt.NDArray[np.bool_] = self.permits[packed // self.width] if held is None else held[packed]
        return mask

    def of_written(self, packed: Packed) -> npt.NDArray[np.bool_]:
        """Which of these verdicts are of the territory written on the record."""
        held = self._written_number
        mask: npt.NDArray[np.bool_] = self._of_written(packed) if held is None else held[packed]
        return mask

    def _of_written(self, packed: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        mask: npt.NDArray[np.bool_] = packed // len(self._categories) % len(self._territories) == WRITTEN
        return mask

    def read(self, number: int) -> Answer:
        """What a number says."""
        held = self._answers.get(number)
        if held is None:
            rest, category = divmod(number, len(self._categories))
            result, territory = divmod(rest, len(self._territories))
            outcome = Outcome(self._outcomes[result])
            named = self._territories[territory] if territory >= 2 else None
            held = Answer(outcome, self._rules[result], named, territory == WRITTEN, self._categories[category])
            self._answers[number] = held
        return held


@dataclass(frozen=True)
class Denials:
    """What the denied records of a chunk rest on: rows in order, the subject and the event's position (or null)."""

    rows: npt.NDArray[np.int64]
    ids: pa.Array
    positions: pa.Array

    def within(self, first: int, until: int) -> Denials:
        """Those of rows in [first, until)."""
        start, stop = np.searchsorted(self.rows, (first, until))
        return Denials(self.rows[start:stop], self.ids[start:stop], self.positions[start:stop])


@dataclass(frozen=True)
class Written:
    """The territories written on the records of a chunk, as codes into a list of canonical ones; code 0 is for none."""

    codes: Codes
    said: list[str | None]

    def within(self, first: int, until: int) -> Written:
        """Those of rows in [first, until)."""
        return Written(self.codes[first:until], self.said)


@dataclass(frozen=True)
class Verdicts:
    """The verdicts of the records of a chunk, by row; and what is `written` on them, where the engine had it at hand."""

    codec: Codec
    packed: Packed
    denials: Denials
    written: Written | None = None

    def permitted(self, first: int, until: int) -> npt.NDArray[np.bool_]:
        """Which records in [first, until) are permitted."""
        return self.codec.permitted(self.packed[first:until])

    def any_of_written(self, first: int, until: int) -> bool:
        """Whether the verdict on any record in [first, until) is of the territory written on it."""
        numbers = np.array([number for number, _ in _counted(self.packed[first:until])], np.uint32)
        return bool(self.codec.of_written(numbers).any())

    def counts(self, first: int, until: int, territories: pa.Array | None = None) -> Counts:
        """How many records in [first, until) have each packed number; with the territory written on them, where the
        verdict is of it. If those are not at hand they are `territories`, one for each.
        """
        packed = self.packed[first:until]
        if not len(packed) or (self.written is None and territories is None):
            return _counted(packed)
        numbers, which = _ranked(packed)
        own = self.codec.of_written(np.array(numbers, np.uint32))
        if not own.any():
            return _counted(packed)
        held = Written(*canonical_codes(territories)) if self.written is None else self.written.within(first, until)
        said = held.said
        pairs = _counted(which * len(said) + held.codes * own[which])
        return Counter({(numbers[pair // len(said)], said[pair % len(said)]): n for (pair, _), n in pairs.items()})


def canonical_codes(territories: pa.Array) -> tuple[Codes, list[str | None]]:
    """Territories as codes into a list of canonical ones; code 0 is for none."""
    encoded = territories if pa.types.is_dictionary(territories.type) else territories.dictionary_encode()
    plain = [canonical(value or "") for value in encoded.dictionary.to_pylist()]
    said = list(dict.fromkeys([None, *plain]))
    code_of = np.array([*map({name: code for code, name in enumerate(said)}.__getitem__, plain), 0], np.int32)
    return code_of[encoded.indices.fill_null(len(plain)).to_numpy(zero_copy_only=False)], said


def _ranked(packed: Packed) -> tuple[list[int], npt.NDArray[np.int64]]:
    """The different numbers among some, and of each the place of its own among them."""
    if int(packed.max()) >= TALLIED:
        numbers, which = np.unique(packed, return_inverse=True)
        return numbers.tolist(), which.astype(np.int64)
    found = np.flatnonzero(np.bincount(packed))
    place = np.zeros(int(found[-1]) + 1, np.int64)
    place[found] = np.arange(len(found))
    return found.tolist(), place[packed]


def _counted(numbers: npt.NDArray[Any]) -> Counts:
    """How many rows have each number, and no territory beside."""
    if len(numbers) and int(numbers.max()) < TALLIED:
        tally = np.bincount(numbers)
        found = np.flatnonzero(tally)
        counts = tally[found]
    else:
        found, counts = np.unique(numbers, return_counts=True)
    return Counter({(number, None): count for number, count in zip(found.tolist(), counts.tolist(), strict=True)})


def collect(
    batches: Iterable[pa.RecordBatch], rows: int, codec: Codec, ids: pa.DataType, *, behind: bool = True
) -> Verdicts:
    """The verdicts of `rows` records, from an engine's batches in any order; `behind`, with what denials rest on.

    Raises EngineError unless each record has exactly one verdict.
    """
    packed = np.full(rows, UNANSWERED, np.uint32)
    codes, said, answered = np.zeros(0, np.int32), dict[str | None, int]({None: 0}), 0
    denied: list[tuple[npt.NDArray[np.int64], pa.Array, pa.Array]] = []
    for batch in batches:
        row = batch.column("row").to_numpy(zero_copy_only=False)
        numbers = batch.column("number").to_numpy(zero_copy_only=False)
        packed[row] = numbers
        answered += len(row)
        if "written" in batch.schema.names:
            codes = codes if len(codes) else np.zeros(rows, np.int32)
            own, names = canonical_codes(batch.column("written"))
            codes[row] = np.array([said.setdefault(name, len(said)) for name in names], np.int32)[own]
        if not behind:
            continue
        refused = np.flatnonzero(~codec.permitted(numbers))
        of = pa.array(refused)
        whose, position = (
            batch.column(name).cast(kind).take(of) if name in batch.schema.names else pa.nulls(len(of), kind)
            for name, kind in (("id", ids), ("position", pa.int64()))
        )
        denied.append((row[refused], whose, position))
    if answered != rows or (packed == UNANSWERED).any():
        raise EngineError(f"the engine gave {answered} verdicts for {rows} records, not one for each")
    return Verdicts(codec, packed, _in_order(denied, ids), Written(codes, list(said)) if len(codes) else None)


def _in_order(denied: list[tuple[npt.NDArray[np.int64], pa.Array, pa.Array]], ids: pa.DataType) -> Denials:
    rows = np.concatenate([one[0] for one in denied]) if denied else np.empty(0, np.int64)
    every_id = pa.chunked_array([one[1] for one in denied], ids)
    every_position = pa.chunked_array([one[2] for one in denied], pa.int64())
    order = np.argsort(rows, kind="stable")
    if (order[1:] < order[:-1]).any():
        taken = pa.array(order)
        return Denials(rows[order], _one(every_id.take(taken)), _one(every_position.take(taken)))
    return Denials(rows, _one(every_id), _one(every_position))


def _one(chunked: pa.ChunkedArray) -> pa.Array:
    return chunked.combine_chunks() if chunked.num_chunks != 1 else chunked.chunk(0)


def chunks(sizes: Iterable[int], most: int) -> Iterator[tuple[int, int]]:
    """Ranges of files [start, stop) of at most `most` records together, or of one file that alone has more."""
    start, stop, total = 0, 0, 0
    for stop, size in enumerate(sizes, start=1):
        if total and total + size > most:
            yield start, stop - 1
            start, total = stop - 1, 0
        total += size
    if start < stop:
        yield start, stop
