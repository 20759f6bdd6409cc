"""Selecting from a file: the set of its permitted rows is written, and no record is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from sayso.canonical import digest_bytes
from sayso.errors import CorpusError, Problem
from sayso.gate.inputs import Input
from sayso.gate.output import Made, Piece, Written, counted, reporting
from sayso.gate.report import Report, column
from sayso.gate.selection import AT_ONCE, FOLDER, KIND, SUFFIX, Mask, check_size, encode
from sayso.gate.verdicts import Counts


def check_selectable(file: Input) -> None:
    """Raises CorpusError for a file that rows cannot be selected from: one that is no Parquet, or too long."""
    if file.form != "parquet":
        problem = f"expected Parquet to select from, got {file.form}, whose rows have no fixed place"
        raise CorpusError(Problem(problem, file=str(file.source), remedy="use `--emit copy`, or convert it first"))
    check_size(file.rows, file.source)


def select_file(piece: Piece, report: Report | None, root: Path) -> Made:
    """Writes the permitted rows of one file below `root`; with a `report`, that of its denied records too."""
    reported: tuple[Written, ...] = ()
    if report is None:
        counts = counted(piece)
    else:
        denied, counts = _report(piece, report, root)
        reported = (denied,)
    data, rows = encode(_masks(piece))
    name = f"{FOLDER}/{piece.file.name}{SUFFIX}"
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    piece.done(piece.file.rows)
    return (Written(name, KIND, digest_bytes(data), rows), *reported), counts


def _masks(piece: Piece) -> Iterator[Mask]:
    for start in range(0, piece.file.rows, AT_ONCE):
        yield piece.permitted(start, min(start + AT_ONCE, piece.file.rows))


def _report(piece: Piece, report: Report, root: Path) -> tuple[Written, Counts]:
    """Writes the report of a file's denied records, of which only the columns that it asks for are read."""
    file, columns = piece.file, piece.columns
    asked = [columns.key, columns.territory, *(subject.column for subject in columns.subjects)]
    names = [name for name in dict.fromkeys(asked) if name is not None]
    source = pq.ParquetFile(file.path, memory_map=True, pre_buffer=False)
    counts: Counts = Counter()
    rows = denied = 0
    with reporting(root, file.name, file, columns, report) as log:
        for group in range(source.num_row_groups):
            if piece.stopped.is_set():
                break
            table = source.read_row_group(group, columns=names, use_threads=False)
            mask, at = piece.permitted(rows, rows + table.num_rows), piece.first + rows
            log.write(table, mask, at, rows, piece.verdicts)
            counts.update(piece.verdicts.counts(at, at + table.num_rows, column(table, columns.territory)))
            denied += int((~mask).sum())
            rows += table.num_rows
    return log.written(denied), counts
