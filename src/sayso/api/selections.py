"""Reading a corpus through a selection, where training happens: as Arrow, and for DuckDB, Polars, `datasets` and PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from sayso import wiring
from sayso.api import remote
from sayso.api.expecting import expecting, telling
from sayso.api.keeping import known_keys
from sayso.api.shuffling import Shuffled
from sayso.errors import UsageError
from sayso.gate import through
from sayso.gate.through import WHOLE, Corpus, Share
from sayso.ledger.log.note import VerifierKey

if TYPE_CHECKING:
    import datasets
    import polars as pl
    import torch.utils.data

Corpora = str | Path | Mapping[str, str | Path]


@expecting
def open_selection(
    directory: str | Path,
    *,
    corpus: Corpora,
    purpose: str,
    recipient: str,
    keys: Sequence[str | VerifierKey] = (),
    check: Literal["open", "touch"] = "open",
    threads: int = 2,
    now: Callable[[], int] = wiring.present,
) -> Selection:
    """The permitted records of a corpus, read through a selection of a release.

    `corpus` is the directory of the files that were gated, or each file by its name in the manifest. They are read for
    this `purpose` and `recipient` alone. With `keys`, verifier keys or files of them, one of them must have signed.
    `check` says when each file of the corpus is digested: all of them now (`open`), or each in each process before its
    first record is given (`touch`). As many row groups as `threads`, and one more, are in memory.

    Raises VerificationError if it is a replay or no selection, is not what was signed, is for another use, or is of
    another corpus; StaleError from its `valid_until` on. Reading raises the same.
    """
    if check not in ("open", "touch"):
        raise UsageError(f"expected the corpus to be checked at `open` or at `touch`, got `{check}`")
    if threads < 1:
        raise UsageError(f"expected at least one thread, got `{threads}`")
    root = remote.kept_output(directory)
    opened = through.open_corpus(
        root, _placed(corpus, root), purpose, recipient, known_keys(keys), telling(now), at_once=check == "open"
    )
    return Selection(opened, threads)


def _placed(corpus: Corpora, output: Path) -> Callable[[str], Path | None]:
    if isinstance(corpus, Mapping):
        named = {name: remote.kept_file(path) for name, path in corpus.items()}
        return named.get
    root = remote.kept_corpus(corpus, output)
    return lambda name: root / name


class Selection:
    """The permitted records of a corpus, in its order, with all of its columns unless some are named.

    It may be pickled: what reads it in another process checks again. As an Arrow stream (`__arrow_c_stream__`) it goes
    wherever one is taken, as often as one likes.
    """

    def __init__(self, corpus: Corpus, threads: int, columns: Sequence[str] | None = None) -> None:
        self._corpus, self._threads = corpus, threads
        self._columns = None if columns is None else list(columns)

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        schema = self._corpus.schema
        return schema if self._columns is None else pa.schema([schema.field(name) for name in self._columns])

    def __len__(self) -> int:
        """The number of permitted records."""
        return self._corpus.permitted

    def select(self, columns: Sequence[str]) -> Selection:
        """The same records with some of their columns; the others are not read. Raises UsageError for one not there."""
        known = self.schema.names
        for name in columns:
            if name not in known:
                raise UsageError(f"the corpus has no column `{name}`; it has {', '.join(f'`{one}`' for one in known)}")
        return Selection(self._corpus, self._threads, columns)

    def batches(
        self, *, rows: int = through.BATCH, shard: int = 0, shards: int = 1, seed: int | None = None, epoch: int = 0
    ) -> Iterator[pa.RecordBatch]:
        """Arrow record batches of at most so many `rows`.

        Of `shards` readers each record goes to one, and their numbers of records differ by one at most. With a `seed`
        they are shuffled, otherwise in each `epoch`: row groups among each other, and the records within each.
        """
        if not 0 <= shard < shards or rows < 1:
            raise UsageError(f"expected a shard below `{shards}` and rows, got `{shard}` and `{rows}`")
        if (seed is not None and seed < 0) or epoch < 0:
            raise UsageError(f"expected a seed and an epoch that are not negative, got `{seed}` and `{epoch}`")
        order = None if seed is None else Shuffled(seed, epoch)
        share = WHOLE if shards == 1 else Share(shard, shards)
        schema = self.schema
        for batch in self._corpus.batches(self._columns, rows=rows, threads=self._threads, share=share, order=order):
            yield _as(batch, schema)

    def reader(self) -> pa.RecordBatchReader:
        """All records as one stream."""
        return pa.RecordBatchReader.from_batches(self.schema, self.batches())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.reader().__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def duckdb(self, connection: Any) -> Any:
        """A relation of a `DuckDBPyConnection`. It is read anew by each query, which fails where reading does.

        `connection.register("records", selection)` gives it a name for SQL.
        """
        return connection.from_arrow(self)

    def polars(self) -> pl.LazyFrame:
        """A lazy frame, of which only the columns that are asked for are read. Needs `sayso[polars]`."""
        import polars as pl
        from polars.io.plugins import register_io_source

        def read(
            columns: list[str] | None, predicate: pl.Expr | None, count: int | None, rows: int | None
        ) -> Iterator[pl.DataFrame]:
            # Without any column a frame would have no rows to count.
            chosen = self if columns is None else self.select(columns or self.schema.names[:1])
            left = count
            for batch in chosen.batches(rows=rows or through.BATCH):
                frame = pl.DataFrame(pl.from_arrow(batch))
                frame = frame if left is None else frame.head(left)
                left = None if left is None else left - frame.height
                yield frame if predicate is None else frame.filter(predicate)
                if left == 0:
                    return

        empty = pl.DataFrame(pl.from_arrow(self.schema.empty_table()))
        return register_io_source(read, schema=empty.schema)

    def datasets(self) -> datasets.IterableDataset:
        """An `IterableDataset` of Hugging Face's `datasets`, its shards the row groups. Needs `sayso[datasets]`."""
        import datasets

        # A list among the arguments is what `datasets` divides among its readers.
        units = list(range(len(self._corpus.units)))
        return datasets.IterableDataset.from_generator(
            self._examples, features=datasets.Features.from_arrow_schema(self.schema), gen_kwargs={"units": units}
        )

    def _examples(self, units: Sequence[int]) -> Iterator[dict[str, Any]]:
        schema = self.schema
        for batch in self._corpus.batches(self._columns, threads=self._threads, units=units):
            yield from _as(batch, schema).to_pylist()

    def torch(
        self, *, seed: int | None = None, rows: int | None = None, rank: int | None = None, ranks: int | None = None
    ) -> torch.utils.data.IterableDataset[Any]:
        """An `IterableDataset` of PyTorch, divided among all workers of all ranks. Needs `sayso[torch]`.

        It gives records as dicts; with `rows`, Arrow record batches of at most so many. With a `seed` they are
        shuffled, otherwise in each epoch: call `set_epoch` before each. `rank` of `ranks` is asked of
        `torch.distributed` where it is initialised, unless given.
        """
        from sayso.api.pytorch import dataset

        if (rank is None) is not (ranks is None):
            raise UsageError("expected both `rank` and `ranks`, or neither")
        len(self)  # Row groups are counted once, before there are workers.
        read = partial(self.batches, **({} if rows is None else {"rows": rows}), seed=seed)
        return dataset(read, rank, ranks, as_records=rows is None)


def _as(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch with the columns in the order asked for, and nothing but them."""
    return pa.RecordBatch.from_arrays([batch.column(name) for name in schema.names], schema=schema)
