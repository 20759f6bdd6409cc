"""Reading a corpus through a selection: the permitted records and no others, or an error.

What is checked, and when, is `spec/selection.md`, *Reading through one*.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyroaring import BitMap

from sayso import instant
from sayso.canonical import digest_bytes, digest_file
from sayso.errors import StaleError, VerificationError
from sayso.gate import manifest
from sayso.gate.inputs import State, state_of
from sayso.gate.selection import KIND, Rows, decode, within
from sayso.gate.verify import verify
from sayso.ledger.log.note import VerifierKey

BATCH = 32_768
"""So many rows of a file are read into one batch, unless said otherwise."""


class Unit(NamedTuple):
    """A row group of a file: the numbers of both, its first row, how many it has, and how many are permitted."""

    file: int
    group: int
    first: int
    rows: int
    permitted: int


class Order(Protocol):
    """An order other than that of the corpus."""

    def units(self, count: int) -> npt.NDArray[np.int64]:
        """The row groups, by number, in the order in which they are read."""

    def rows(self, unit: int, count: int) -> npt.NDArray[np.int64]:
        """The permitted records of a row group, by number, in the order in which they are given."""


class Share(NamedTuple):
    """A part of the records: that of this `number`, of so many as equal as can be."""

    number: int = 0
    of: int = 1


WHOLE = Share()


class _Held(NamedTuple):
    """What was read last beside the records: of which file, its footer and the set of its permitted rows."""

    file: int
    footer: pq.FileMetaData
    permitted: BitMap


@dataclass(frozen=True)
class Chosen:
    """One file of the corpus, as the manifest says that it is, and the set of its rows."""

    name: str
    path: Path
    size: int
    digest: str
    rows: int
    selection: Path
    selection_digest: str

    def check(self) -> State:
        """The state of the file, once it is known to be the one that was selected from.

        Raises VerificationError for a file that is missing or another.
        """
        try:
            before = state_of(self.path)
            found = digest_file(self.path) if before[2] == self.size else None
            after = state_of(self.path)
        except OSError as error:
            told = error.strerror or type(error).__name__
            raise VerificationError(f"cannot read the file `{self.name}` of the corpus: {told}") from error
        if found != self.digest or before != after:
            raise VerificationError(
                f"the file `{self.name}` of the corpus is not the one that was selected from; select from it again"
            )
        return before

    def permitted(self) -> BitMap:
        """The set of its permitted rows. Raises VerificationError if it is not the one of the manifest."""
        try:
            data = self.selection.read_bytes()
        except OSError as error:
            raise VerificationError(f"cannot read the selection of `{self.name}`: {type(error).__name__}") from error
        if digest_bytes(data) != self.selection_digest:
            raise VerificationError(f"the selection of `{self.name}` is not the one of the manifest")
        return decode(data, self.rows)


class Corpus:
    """A corpus read through a selection. It may be pickled, and goes on checking in another process."""

    def __init__(
        self, name: str, files: Sequence[Chosen], valid_until: int, now: Callable[[], int], states: Mapping[int, State]
    ) -> None:
        self.name, self.files, self.valid_until, self._now = name, tuple(files), valid_until, now
        self._states = dict(states)
        self._units: tuple[Unit, ...] | None = None
        self._last: _Held | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_last": None}

    @property
    def schema(self) -> pa.Schema:
        """The columns of the records. Raises VerificationError for a selection of no file."""
        if not self.files:
            raise VerificationError(f"the selection `{self.name}` is of no file at all")
        return _opened(self.files[0]).schema_arrow.remove_metadata()

    @property
    def permitted(self) -> int:
        """How many records there are."""
        return sum(unit.permitted for unit in self.units)

    @property
    def units(self) -> tuple[Unit, ...]:
        """Every row group, in order."""
        if self._units is None:
            self._units = tuple(unit for number in range(len(self.files)) for unit in self._of(number))
        return self._units

    def batches(
        self, columns: Sequence[str] | None = None, *, rows: int = BATCH, threads: int = 2, share: Share = WHOLE,
        order: Order | None = None, units: Sequence[int] | None = None,
    ) -> Iterator[pa.RecordBatch]:  # fmt: skip
        """The permitted records, of `rows` rows of a file or fewer at a time, in the order of the corpus.

        Of all shares together, each record is in one. `units` are those read, all unless given. As many row groups as
        there are `threads`, and one more, are in memory. Raises StaleError, VerificationError.
        """
        self.check_fresh()
        planned = self._planned(share, order, range(len(self.units)) if units is None else units)
        ahead: deque[Future[list[pa.RecordBatch]]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            try:
                for number, some in planned:
                    self._touch(self.units[number].file)
                    ahead.append(pool.submit(self._read, number, some, columns, rows, order))
                    if len(ahead) > threads:
                        yield from self._given(ahead.popleft())
                while ahead:
                    yield from self._given(ahead.popleft())
            finally:
                for waiting in ahead:
                    waiting.cancel()

    def check_fresh(self) -> None:
        """Raises StaleError from the selection's `valid_until` on."""
        if self._now() >= self.valid_until:
            until = instant.format(self.valid_until)
            raise StaleError(f"the selection `{self.name}` was valid until `{until}`; gate the corpus again")

    def _given(self, reading: Future[list[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        found = reading.result()
        self.check_fresh()
        yield from found

    def _of(self, number: int) -> Iterator[Unit]:
        """The row groups of one file."""
        held, first = self._held(number), 0
        for group in range(held.footer.num_row_groups):
            rows = held.footer.row_group(group).num_rows
            yield Unit(number, group, first, rows, len(within(held.permitted, first, first + rows)))
            first += rows

    def _held(self, number: int) -> _Held:
        """A file's footer and the set of its permitted rows, which are kept until another file's are asked for."""
        last = self._last
        if last is None or last.file != number:
            file = self.files[number]
            footer = _opened(file).metadata
            if footer.num_rows != file.rows:
                found = f"{footer.num_rows:,} records, not {file.rows:,}"
                raise VerificationError(f"the file `{file.name}` of the corpus has {found}; select from it again")
            last = self._last = _Held(number, footer, file.permitted())
        return last

    def _planned(self, share: Share, order: Order | None, units: Sequence[int]) -> Iterator[tuple[int, slice]]:
        """The row groups of a share in order, each with the part of its records that is in it."""
        placed = units if order is None else [units[place] for place in order.units(len(units)).tolist()]
        total = sum(self.units[number].permitted for number in placed)
        start, stop = (total * index // share.of for index in (share.number, share.number + 1))
        at = 0
        for number in placed:
            held = self.units[number].permitted
            low, high = max(start - at, 0), min(stop - at, held)
            if low < high:
                yield number, slice(low, high)
            at += held

    def _touch(self, number: int) -> None:
        """Checks a file before its first row is given, if it was not when the selection was opened."""
        self.check_fresh()
        if number not in self._states:
            self._states[number] = self.files[number].check()

    def _read(
        self, number: int, some: slice, columns: Sequence[str] | None, rows: int, order: Order | None
    ) -> list[pa.RecordBatch]:
        """The permitted records of a row group, or some of them."""
        unit = self.units[number]
        file = self.files[unit.file]
        self._unchanged(unit.file)
        held = self._held(unit.file)
        chosen = within(held.permitted, unit.first, unit.first + unit.rows)
        opened = _opened(file, held.footer)
        found: list[pa.RecordBatch]
        try:
            if order is not None:
                taken = chosen[order.rows(number, len(chosen))[some]]
                table = opened.read_row_group(unit.group, columns=columns, use_threads=False)
                found = table.take(pa.array(taken)).to_batches(max_chunksize=rows)
            else:
                read = opened.iter_batches(rows, row_groups=[unit.group], columns=columns, use_threads=False)
                found = list(_filtered(read, chosen[some]))
        except (pa.ArrowException, OSError) as error:
            told = f"cannot read the file `{file.name}` of the corpus ({type(error).__name__})"
            raise VerificationError(told) from error
        self._unchanged(unit.file)
        return found

    def _unchanged(self, number: int) -> None:
        """Raises VerificationError if a file is not the one that was checked."""
        file = self.files[number]
        try:
            same = state_of(file.path) == self._states[number]
        except OSError:
            same = False
        if not same:
            raise VerificationError(
                f"the file `{file.name}` of the corpus was written again or removed since it was checked; open it again"
            )


def _filtered(batches: Iterator[pa.RecordBatch], chosen: Rows) -> Iterator[pa.RecordBatch]:
    """The chosen rows of some batches, without the batches that have none."""
    at = 0
    for batch in batches:
        low, high = np.searchsorted(chosen, (at, at + batch.num_rows))
        if high - low == batch.num_rows:
            yield batch
        elif high > low:
            mask = np.zeros(batch.num_rows, np.bool_)
            mask[chosen[low:high] - np.uint32(at)] = True
            yield batch.filter(pa.array(mask))
        at += batch.num_rows


def _opened(file: Chosen, footer: pq.FileMetaData | None = None) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file.path, metadata=footer, memory_map=True, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise VerificationError(f"cannot read the file `{file.name}` of the corpus ({type(error).__name__})") from error


def open_corpus(
    directory: Path, place: Callable[[str], Path | None], purpose: str, recipient: str, known: Collection[VerifierKey],
    now: Callable[[], int], *, at_once: bool,
) -> Corpus:  # fmt: skip
    """A corpus to be read through the selection in a directory, for one use.

    `place` says where the file is that an input's name names. With `known` keys, one of them must have signed. The
    corpus is checked `at_once`, or each file before its first row is given. Raises VerificationError, StaleError.
    """
    said = manifest.read(directory)
    if said.get("kind") != "release":
        raise VerificationError(
            f"`{manifest.named(directory)}` is a replay, and nothing is trained on one; gate a release"
        )
    if said.get("emit") != KIND:
        raise VerificationError(f"`{manifest.named(directory)}` holds no selection; open it with `open_release`")
    found = verify(directory, None, known)
    if found:
        raise VerificationError(
            f"`{manifest.named(directory)}` is not what its manifest says: {found[0]}; gate it again"
        )
    try:
        return _corpus(directory, said, place, (purpose, recipient), now, at_once=at_once)
    except (KeyError, TypeError) as error:
        raise VerificationError(
            f"the manifest in `{manifest.named(directory)}` holds something in another form"
        ) from error


def _corpus(
    directory: Path, said: dict[str, Any], place: Callable[[str], Path | None], asked: tuple[str, str],
    now: Callable[[], int], *, at_once: bool,
) -> Corpus:  # fmt: skip
    use = said["use"]
    if (use["purpose"], use["recipient"]) != asked:
        made, other = (
            f"`{purpose}` by `{recipient}`" for purpose, recipient in ((use["purpose"], use["recipient"]), asked)
        )
        raise VerificationError(f"`{manifest.named(directory)}` is for {made}, not for {other}; gate for that")
    if not isinstance(said.get("valid_until"), str):
        raise VerificationError(
            f"the manifest in `{manifest.named(directory)}` does not say until when it is valid; gate it again"
        )
    sets = {one["input"]: one for one in said["outputs"] if one["kind"] == KIND}
    files = []
    for entry in said["inputs"]:
        path, one = place(entry["name"]), sets[entry["name"]]
        if path is None:
            raise VerificationError(f"no file of the corpus is named for `{entry['name']}`")
        files.append(
            Chosen(
                entry["name"], path, entry["bytes"], entry["sha256"], entry["records"], directory / one["path"],
                one["sha256"],
            )
        )  # fmt: skip
    corpus = Corpus(directory.name, files, instant.parse(said["valid_until"]), now, {})
    manifest.check_clock(said, now(), directory.name)
    corpus.check_fresh()
    if not at_once:
        return corpus
    with ThreadPoolExecutor() as pool:
        states = dict(enumerate(pool.map(Chosen.check, files)))
    return Corpus(directory.name, files, corpus.valid_until, now, states)
