"""What may be gated in Python, and how the same kind is given back: paths, and tables of Arrow, Ibis, pandas and Polars.

Of a table only the columns that decide are staged as a file; what is permitted is then picked from the table itself,
so that every other column, type and index stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sayso.errors import CorpusError, UsageError
from sayso.gate.columns import Columns
from sayso.gate.output import DENIED, PERMITTED
from sayso.gate.selection import FOLDER

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd
    import polars as pl

Source: TypeAlias = (
    "str | Path | Sequence[str | Path] | pa.Table | pa.RecordBatchReader | ir.Table | pd.DataFrame | pl.DataFrame | "
    "pl.LazyFrame"
)
T = TypeVar("T")
Mask: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]
TABLE = "table.parquet"


@dataclass(frozen=True)
class Gated(Generic[T]):
    """What a gate let through, and why not the rest.

    `permitted` is of the kind of the source: for paths, the directory of the permitted files, or of a selection's sets
    of rows. `denied` is the report of the denied records (`row`, `reason`, evidence), never their content; for paths,
    its directory; `None` for a selection without one. Both are `None` after a dry run. `manifest` is that of `spec/manifest.md`; `output` the directory that holds everything, if one
    was asked for.
    """

    permitted: T | None
    denied: Any
    manifest: dict[str, Any]
    output: str | Path | None

    @property
    def counts(self) -> dict[str, Any]:
        """The counts of the manifest: `records`, `permitted`, `denied`, `by_reason`, `by_ground` and more."""
        counts: dict[str, Any] = self.manifest["counts"]
        return counts


@dataclass(frozen=True)
class Staged:
    """A table in memory: its rows as Arrow, and how to pick some of them in its own kind."""

    table: Callable[[Sequence[str] | None], pa.Table]
    """The named columns (all without names), of those that there are."""
    pick: Callable[[Mask], Any]
    rows: int


def paths_of(source: Any) -> tuple[str, ...] | None:
    """The paths, globs and directories of a source; `None` if it is a table."""
    if isinstance(source, str | Path):
        return (str(source),)
    if isinstance(source, list | tuple):
        if not source or not all(isinstance(one, str | Path) for one in source):
            raise UsageError("expected a list of paths, globs or directories, not empty")
        return tuple(str(one) for one in source)
    return None


def staged_of(source: Any) -> Staged:
    """A table of any kind that is known. Raises UsageError for any other."""
    library = type(source).__module__.partition(".")[0]
    if isinstance(source, pa.RecordBatchReader):
        table = source.read_all()
        return Staged(_columns(table), lambda mask: _picked(table)(mask).to_reader(), table.num_rows)
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, pa.Table):
        return Staged(_columns(source), _picked(source), source.num_rows)
    match library:
        case "ibis":
            return _ibis(source)
        case "pandas":
            return _pandas(source)
        case "polars":
            return _polars(source)
    raise UsageError(
        "expected a path, a glob, a directory, a list of them, or a table of Arrow, Ibis, pandas or Polars, "
        f"got {type(source).__name__}"
    )


def _columns(table: pa.Table) -> Callable[[Sequence[str] | None], pa.Table]:
    def some(names: Sequence[str] | None) -> pa.Table:
        # By place: a name that there is twice is told of where all names are checked.
        return (
            table if names is None else table.select([at for at, one in enumerate(table.column_names) if one in names])
        )

    return some


def _picked(table: pa.Table) -> Callable[[Mask], pa.Table]:
    return lambda mask: table.filter(pa.array(mask))


def _ibis(source: Any) -> Staged:
    import ibis

    if not isinstance(source, ibis.expr.types.Table):
        raise UsageError(f"expected a table of Ibis, got {type(source).__name__}")
    table = source.to_pyarrow()
    return Staged(_columns(table), lambda mask: ibis.memtable(_picked(table)(mask)), table.num_rows)


def _pandas(source: Any) -> Staged:
    import pandas as pd

    if not isinstance(source, pd.DataFrame):
        raise UsageError(f"expected a frame of pandas, got {type(source).__name__}")

    def some(names: Sequence[str] | None) -> pa.Table:
        frame = source if names is None else source[[name for name in names if name in source.columns]]
        try:
            return pa.Table.from_pandas(frame, preserve_index=False)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise CorpusError(f"a column of the frame has no Arrow type ({type(error).__name__})") from error

    return Staged(some, lambda mask: source[mask], len(source))


def _polars(source: Any) -> Staged:
    import polars as pl

    lazy = isinstance(source, pl.LazyFrame)
    frame = source.collect() if lazy else source
    if not isinstance(frame, pl.DataFrame):
        raise UsageError(f"expected a frame of Polars, got {type(source).__name__}")

    def some(names: Sequence[str] | None) -> pa.Table:
        return (frame if names is None else frame.select([one for one in names if one in frame.columns])).to_arrow()

    def pick(mask: Mask) -> Any:
        found = frame.filter(pl.Series(mask))
        return found.lazy() if lazy else found

    return Staged(some, pick, frame.height)


def stage(table: Staged, columns: Columns, directory: Path, *, whole: bool) -> Path:
    """Writes what decides (or, for an output to keep, the `whole` table) as a file of a corpus."""
    path = directory / TABLE
    found = table.table(None if whole else columns.used)
    missing = [name for name in columns.used if name not in found.column_names]
    if missing:
        known = ", ".join(f"`{name}`" for name in table.table(None).column_names)
        raise CorpusError(f"the table has no column `{missing[0]}`; it has {known}")
    try:
        pq.write_table(found, path)
    except pa.ArrowException as error:
        raise CorpusError(f"a column of the table cannot be written as Parquet ({type(error).__name__})") from error
    return path


def denied_of(output: Path) -> pa.Table:
    """The report of the denied records of a staged table."""
    return pq.read_table(output / DENIED / TABLE)


def mask_of(denied: pa.Table, rows: int) -> Mask:
    """The rows that are permitted: all that the report does not name."""
    mask = np.ones(rows, np.bool_)
    mask[denied.column("row").to_numpy()] = False
    return mask


def directories(output: Path, emit: str) -> tuple[Path, Path | None]:
    """Where an output keeps the permitted records, or what rows they are in; and the report of the denied ones."""
    denied = output / DENIED
    return output / (PERMITTED if emit == "copy" else FOLDER), denied if denied.exists() else None
