"""Reading the columns that decide with Arrow, a file at a time, for answers that are found by place (`plan.direct`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds

from sayso.engines import flat
from sayso.engines.flat import numbers
from sayso.engines.forms import Forms
from sayso.engines.reading import Dialect, check_names, ids_of, shape_of
from sayso.errors import EngineError
from sayso.gate.columns import Columns
from sayso.gate.engine import Part, Question
from sayso.ledger.identity import IdType
from sayso.plan.direct import Direct
from sayso.plan.gate import ABSENT, plain
from sayso.plan.lookup import Lookup
from sayso.plan.several import Worst

ROWS_A_BATCH = 65_536
SUBJECTS_A_BATCH = 1 << 19
"""So many values of a list are read at a time, on average; a file whose records all have hundreds is read in small batches."""
INFINITE = -np.iinfo(np.int64).max
"""An instant that is none, as DuckDB reads it; its opposite is after every use."""


def suits(question: Question, dialect: Dialect) -> bool:
    """Whether subjects are ids or lists of them, and no other column needs conversion; nothing but them is asked."""
    columns, schema = question.columns, question.schema
    if question.stale or columns.account is not None or columns.reserved is not None:
        return False
    if question.snapshot.accounts is not None or any(name not in schema.names for name in columns.used):
        return False
    check_names(columns, schema, dialect)
    collected = schema.field(columns.collected_at).type
    texts = [schema.field(name).type for name in (columns.category, columns.territory) if name is not None]
    return (
        flat.suits(columns, schema, question.snapshot.dimensions.unasked, ids_of(question))
        and kinds.is_timestamp(collected)
        and collected.unit == "us"
        and collected.tz is not None
        and all(kinds.is_string(kind) or kinds.is_large_string(kind) for kind in texts)
    )


@dataclass(frozen=True)
class Reader:
    """How the columns of a corpus are read, to be decided a batch at a time: little, for it may be sent elsewhere.

    Records have `several` subjects, or `one` that counts, or one that does not.
    """

    columns: Columns
    ids: IdType
    unasked: tuple[str, ...]
    several: bool
    one: bool

    @classmethod
    def of(cls, question: Question) -> Reader:
        """That of a question's columns."""
        dimensions, shape = question.snapshot.dimensions, shape_of(question)
        return cls(question.columns, ids_of(question), dimensions.unasked, shape.several, plain(shape, dimensions))

    def numbered(self, first: int, batch: pa.RecordBatch, worst: Worst, forms: Forms) -> Iterator[pa.RecordBatch]:
        """The verdicts of `plan.gate.numbered` on the records of a batch, in order; `first` is the number of the first."""
        columns, direct, find = self.columns, worst.direct, partial(worst.direct.people.of, read=forms)
        collected, no_instant = numbers(batch.column(columns.collected_at))
        categories = columns.category_constant or ""
        if columns.category is not None:
            categories = _encoded(batch.column(columns.category))
        territories = None if columns.territory is None else _encoded(batch.column(columns.territory))
        unread = _or(collected == INFINITE, no_instant)
        if self.one:
            person = find(batch.column(columns.subjects[0].column)).person
            key, category = direct.keyed(person, collected, categories, territories, unread)
            yield worst.lookup.told(pa.array(np.arange(first, first + len(person))), key, category, person)
            return
        subjects, missing = flat.subjects(batch, columns, self.unasked, find)
        yield from worst.numbered(
            first, subjects, collected, categories, territories, unread | missing, named=self.several
        )


def numbered(question: Question, direct: Direct, lookup: Lookup) -> Iterator[pa.RecordBatch]:
    """The verdicts of `plan.gate.numbered` for the records of some files."""
    reader, worst = Reader.of(question), Worst(direct, lookup)
    with Forms(reader.ids) as forms:
        for first, batch in _batches(question):
            yield from reader.numbered(first, batch, worst, forms)


def strangers(question: Question, direct: Direct) -> Iterator[pa.RecordBatch]:
    """The `id` of each subject of the corpus whom the snapshot does not know; some more than once."""
    names = list(dict.fromkeys(subject.column for subject in question.columns.subjects))
    with Forms(ids_of(question)) as forms:
        find = partial(direct.people.of, read=forms)
        for _, batch in _batches(question, names):
            found = flat.subjects(batch, question.columns, (), find)[0].found
            unknown = found.ids.filter(pa.array(found.person == ABSENT))
            yield pa.RecordBatch.from_pydict({"id": unknown.unique()})


def _batches(question: Question, names: list[str] | None = None) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The batches of all files, each with the number of its first row."""
    for part in question.parts:
        yield from read(part, question.columns, names)


def read(
    part: Part, columns: Columns, names: Sequence[str] | None = None, groups: Sequence[int] | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The batches of a file, or of some of its row groups one after another, each with the number of its first row.

    Of the columns `names`, or those that decide.
    """
    asked = [
        *(subject.column for subject in columns.subjects),
        columns.collected_at,
        columns.category,
        columns.territory,
    ]
    used = list(names or dict.fromkeys(name for name in asked if name is not None))
    texts = [name for name in (columns.category, columns.territory) if name is not None]
    try:
        file = pq.ParquetFile(part.path, read_dictionary=texts, memory_map=True, pre_buffer=False)
        footer = file.metadata
        first = part.first + sum(footer.row_group(group).num_rows for group in range(groups[0] if groups else 0))
        for batch in file.iter_batches(_rows(footer, used), row_groups=groups, columns=used, use_threads=False):
            yield first, batch
            first += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise EngineError(f"could not read the corpus: {type(error).__name__}") from error


def _rows(footer: pq.FileMetaData, used: list[str]) -> int:
    """How many records to read at a time, by how many values the longest of the columns has for each."""
    most = 1
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        for one in map(group.column, range(group.num_columns)):
            if any(one.path_in_schema.startswith(f"{name}.") for name in used):
                most = max(most, one.num_values // max(group.num_rows, 1))
    return max(1, min(ROWS_A_BATCH, SUBJECTS_A_BATCH // most))


def _or(one: Any, other: Any) -> Any:
    return one if other is None else one | other


def _encoded(column: pa.Array) -> pa.Array:
    return column if kinds.is_dictionary(column.type) else column.dictionary_encode()
