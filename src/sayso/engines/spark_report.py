"""The report of denied records as executors' Python writes it, from what they kept (`spark_worker`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark import TaskContext

from sayso.engines.spark_worker import unpacked

Places: TypeAlias = Mapping[tuple[int, str | None], int]
_WORDS = ["reason", "rule", "territory", "category"]
_ROWS_A_GROUP = 1 << 18


@dataclass(frozen=True)
class Reporting:
    """How the report of denied records is written, into a `folder`: `said` is what `engine.REPORT` says of each kind of
    denial, `files` which `input` begins at which `first` row. Rows from `until` on are none of the corpus.
    """

    folder: Path
    said: pa.Table
    files: pa.Table
    until: int | None


def report(how: Reporting, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Writes the denied records of the kept `data` as a file, and says its name; null where there are none.

    Each attempt has a file of its own: what one that was given up still writes is none of the report.
    """
    context, writer = TaskContext.get(), None
    assert context is not None
    name = f"{context.partitionId():09}-{context.taskAttemptId()}.parquet"
    places = {
        pair: place
        for place, pair in enumerate(
            zip(*(how.said.column(of).to_pylist() for of in ("number", "written")), strict=True)
        )
    }
    try:
        for some in _together(unpacked(batches)):
            table = _reported(how, places, some)
            writer = writer or pq.ParquetWriter(how.folder / name, table.schema, use_dictionary=["input", *_WORDS])
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
    yield pa.RecordBatch.from_pydict({"name": pa.array([None if writer is None else name], pa.string())})


def _together(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches as larger tables, each of which will be a row group."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(one.num_rows for one in held) >= _ROWS_A_GROUP:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _reported(how: Reporting, places: Places, denied: pa.Table) -> pa.Table:
    if how.until is not None:
        denied = denied.filter(pc.less(denied.column("row"), how.until))
    said = _kinds(places, denied.column("number"), denied.column("written"))
    inputs = pc.index_in(denied.column("first"), how.files.column("first"))
    columns = {"key": denied.column("key")} if "key" in denied.column_names else {}
    columns |= {
        "input": how.files.column("input").take(inputs),
        "row": pc.subtract(denied.column("row"), denied.column("first")),
        **{word: how.said.column(word).take(said) for word in _WORDS},
        "subject": denied.column("subject"), "position": denied.column("position"),
    }  # fmt: skip
    return pa.table(columns)


def _kinds(places: Places, number: pa.ChunkedArray, written: pa.ChunkedArray) -> pa.Array:
    """Which row of what is said each denial is told by: that of its number and of the territory written on the record."""
    encoded = written.combine_chunks().dictionary_encode()
    texts = [*encoded.dictionary.to_pylist(), None]
    code = encoded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)
    pairs, which = np.unique(number.to_numpy() * len(texts) + code, return_inverse=True)
    found = [places[pair // len(texts), texts[pair % len(texts)]] for pair in pairs.tolist()]
    return pa.array(np.array(found, np.int64)[which])
