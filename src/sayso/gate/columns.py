"""Which columns of a corpus say what: by flags, or by a small `corpus.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sayso.errors import CorpusError, Problem


@dataclass(frozen=True, slots=True)
class SubjectColumn:
    """A column of one subject or of a list of them, and the role that they have in the record.

    The items of a list may be ids or structs of `id` and `role`. A null in an `optional` column is nobody; in any
    other it is a subject that could not be read.
    """

    column: str
    role: str | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns say what. `category` is a column, or `category_constant` the category of every record.

    `key` names the records in the denied-records report; without it they go by file and row. `time_zone` is that of
    a `collected_at` without one; such a column without it is an error.
    """

    subjects: tuple[SubjectColumn, ...]
    collected_at: str = "collected_at"
    category: str | None = None
    category_constant: str | None = None
    territory: str | None = None
    account: str | None = None
    reserved: str | None = None
    key: str | None = None
    time_zone: str | None = None

    def __post_init__(self) -> None:
        if not self.subjects:
            raise CorpusError("expected at least one column of subjects; name it with `--subject COLUMN[:ROLE]`")
        if (self.category is None) == (self.category_constant is None):
            raise CorpusError("expected either a column of categories or one category for all; give one of the two")
        if self.time_zone is not None:
            try:
                ZoneInfo(self.time_zone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise CorpusError(f"expected a time zone such as `Europe/Dublin`, got `{self.time_zone}`") from error

    @property
    def used(self) -> tuple[str, ...]:
        """Every column that is read to decide."""
        named = (self.collected_at, self.category, self.territory, self.account, self.reserved, self.key)
        return tuple(dict.fromkeys([s.column for s in self.subjects] + [name for name in named if name is not None]))

    @property
    def several(self) -> bool:
        """Whether more than one column names subjects."""
        return len(self.subjects) > 1 or self.subjects[0].optional


def columns_from_yaml(path: Path) -> Columns:
    """The mapping that a `corpus.yaml` writes (`docs/gate.md`).

    Raises CorpusError naming the file, and every key that is not known or not of the form expected.
    """
    try:
        loaded = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (YAMLError, UnicodeDecodeError, OSError) as error:
        raise CorpusError(Problem(f"expected a YAML file that can be read: {error}", file=str(path))) from error
    if not isinstance(loaded, dict):
        raise CorpusError(Problem("expected a mapping of what each column says", file=str(path)))
    problems: list[Problem] = []
    plain = {field.name for field in fields(Columns)} - {"subjects"}
    given: dict[str, str] = {}
    for name, value in loaded.items():
        if name in plain and isinstance(value, str):
            given[name] = value
        elif name in plain:
            problems.append(Problem(f"expected the name of a column for `{name}`, got `{value}`", file=str(path)))
        elif name != "subjects":
            expected = ", ".join(f"`{known}`" for known in ("subjects", *sorted(plain)))
            problems.append(Problem(f"unknown key `{name}`", file=str(path), remedy=f"known keys are {expected}"))
    subjects = tuple(_subject(item, path, problems) for item in _listed(loaded.get("subjects"), path, problems))
    if problems:
        raise CorpusError(problems)
    return Columns(subjects, **given)


def _listed(value: object, path: Path, problems: list[Problem]) -> list[object]:
    if isinstance(value, list):
        return value
    if isinstance(value, str | dict):
        return [value]
    problems.append(Problem("expected `subjects`: a column, or a list of columns with roles", file=str(path)))
    return []


def _subject(item: object, path: Path, problems: list[Problem]) -> SubjectColumn:
    match item:
        case str():
            return SubjectColumn(item)
        case {"column": str(column), **rest} if rest.keys() <= {"role", "optional"}:
            role, optional = rest.get("role"), rest.get("optional", False)
            if (role is None or isinstance(role, str)) and isinstance(optional, bool):
                return SubjectColumn(column, role, optional)
    problems.append(Problem(f"expected a column, or `column`, `role` and `optional`, got `{item}`", file=str(path)))
    return SubjectColumn("")
