"""The files of a corpus: found by name, glob or directory, and read as Parquet whatever they were."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds

from sayso.errors import CorpusError, Problem
from sayso.gate.columns import Columns
from sayso.gate.engine import Engine

FORMS = {
    ".parquet": "parquet", ".pq": "parquet", ".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv",
}  # fmt: skip

State: TypeAlias = tuple[int, int, int, int]
"""Of which file there is something: its device and number, size, and when it was last written."""


@dataclass(frozen=True, slots=True)
class Input:
    """One file of a corpus: as it was given (`source`), and as Parquet (`path`; the same, if it was).

    `state` tells whether the file was written again since.
    """

    source: Path
    name: str
    form: str
    path: Path
    rows: int
    schema: pa.Schema
    state: State | None = None

    def check(self) -> None:
        """Raises CorpusError if the file is not the one that was opened: its verdicts would be another's."""
        try:
            same = self.state is None or state_of(self.source) == self.state
        except OSError:
            same = False
        if not same:
            problem = Problem("expected a file that nobody writes while the gate reads it", file=str(self.source))
            raise CorpusError(problem)


def find(patterns: Sequence[str]) -> list[tuple[Path, str]]:
    """The files that paths, globs and directories name, in order of name, each with its name in the output.

    Raises CorpusError for one that names nothing, and for a file of a form that is not known.
    """
    found: dict[Path, str] = {}
    problems: list[Problem] = []
    for pattern in patterns:
        path = Path(pattern)
        if not pattern:
            files, root = [], path
        elif path.is_dir():
            files = sorted(one for one in path.rglob("*") if _suffix(one) in FORMS and _visible(one, path))
            root = path
        elif path.is_file():
            files, root = [path], path.parent
        else:
            # A pattern may be absolute, which `Path.glob` does not take.
            files = sorted(Path(one) for one in glob.glob(pattern, recursive=True) if Path(one).is_file())  # noqa: PTH207
            root = _fixed(pattern)
        if not files:
            problems.append(Problem(f"expected a file, a directory or a glob that matches something, got `{pattern}`"))
        for file in files:
            if _suffix(file) not in FORMS:
                known = ", ".join(f"`{suffix}`" for suffix in FORMS)
                problems.append(Problem(f"cannot tell the form of this file; known are {known}", file=str(file)))
            found.setdefault(file.resolve(), _below(file, root))
    if problems:
        raise CorpusError(problems)
    names = list(found.values())
    if _collide(names):
        names = [f"{index:05}-{name}" for index, name in enumerate(names)]
    return list(zip(found, names, strict=True))


def output_name(name: str) -> str:
    """What an input of this name is called in the output, where all is Parquet."""
    return name if FORMS.get(_suffix(Path(name))) == "parquet" else f"{name}.parquet"


def _collide(names: Sequence[str]) -> bool:
    """Whether two of these would be one file in the output, or one of them a directory of another's."""
    written = [output_name(name).casefold() for name in names]
    above = {parent.as_posix() for name in written for parent in PurePosixPath(name).parents}
    return len(set(written)) < len(written) or not above.isdisjoint(written)


def _below(file: Path, root: Path) -> str:
    """A file's name below a directory, without the steps up that a glob may write."""
    return PurePosixPath(*(part for part in file.relative_to(root).parts if part != "..")).as_posix()


def _suffix(file: Path) -> str:
    return file.suffix.lower()


def state_of(file: Path) -> State:
    """The state of a file. Raises OSError."""
    found = file.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def open_inputs(patterns: Sequence[str], columns: Columns, engine: Engine, staging: Path) -> list[Input]:
    """Every file of a corpus as Parquet of one schema, in order; NDJSON and CSV are staged.

    Raises CorpusError naming the file that cannot be read, or whose columns are not those of the first.
    """
    inputs: list[Input] = []
    problems: list[Problem] = []
    for number, (source, name) in enumerate(find(patterns)):
        form = FORMS[_suffix(source)]
        path, state = source, state_of(source)
        if form != "parquet" and not state[2]:
            problems.append(
                Problem(
                    "expected records, got an empty file, which names no columns", str(source), remedy="leave it out"
                )
            )
            continue
        if form != "parquet":
            staging.mkdir(parents=True, exist_ok=True)
            path = staging / f"{number:05}.parquet"
            engine.to_parquet(source, form, path, columns)
        try:
            file = pq.ParquetFile(path)
            rows, schema = file.metadata.num_rows, file.schema_arrow.remove_metadata()
        except (pa.ArrowException, OSError) as error:
            problems.append(
                Problem(f"expected a {form} file that can be read ({type(error).__name__})", file=str(source))
            )
            continue
        inputs.append(Input(source, name, form, path, rows, schema, state))
        viewed = [field.name for field in schema if _is_view(field.type)]
        differs = _difference(inputs[0].schema, schema)
        if viewed:
            remedy = "write the file with plain `string`, `binary` or `list`"
            problems.append(Problem(f"expected no view in column `{viewed[0]}`", str(source), remedy=remedy))
        elif differs:
            problems.append(Problem(f"{differs}, as in `{inputs[0].name}`", file=str(source)))
    for name in columns.used if inputs else ():
        names = inputs[0].schema.names
        if name not in names:
            known = ", ".join(f"`{name}`" for name in names)
            problems.append(Problem(f"the corpus has no column `{name}`; it has {known}"))
        elif names.count(name) > 1:
            problems.append(
                Problem(f"expected one column `{name}`, got {names.count(name)}", remedy="rename the others")
            )
    if problems:
        raise CorpusError(problems)
    return inputs


def _is_view(kind: pa.DataType) -> bool:
    """Whether a type is, or holds, one of Arrow's views, which cannot be filtered."""
    if kinds.is_string_view(kind) or kinds.is_binary_view(kind) or kinds.is_list_view(kind):
        return True
    if kinds.is_dictionary(kind):
        return _is_view(kind.value_type)
    return kinds.is_large_list_view(kind) or any(_is_view(kind.field(place).type) for place in range(kind.num_fields))


def _difference(first: pa.Schema, other: pa.Schema) -> str | None:
    """What one file's columns have that the first's do not, or `None`."""
    if first.equals(other):
        return None
    for one in (first, other):
        twice = [name for name in one.names if one.names.count(name) > 1]
        if twice:
            return f"expected one column `{twice[0]}`, got {one.names.count(twice[0])}"
    for field in first:
        if field.name not in other.names:
            return f"expected a column `{field.name}`"
        if other.field(field.name).type != field.type:
            return f"expected `{field.type}` in column `{field.name}`, got `{other.field(field.name).type}`"
    more = [name for name in other.names if name not in first.names]
    return f"expected no column `{more[0]}`" if more else None


def _visible(file: Path, root: Path) -> bool:
    return file.is_file() and not any(part.startswith((".", "_")) for part in file.relative_to(root).parts)


def _fixed(pattern: str) -> Path:
    """The part of a glob before the first wildcard, as the directory that names are relative to."""
    parts = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts) if parts else Path()
