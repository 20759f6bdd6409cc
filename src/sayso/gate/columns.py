"""Which columns of a corpus say what: by flags, or by a small `corpus.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from sayso.errors import CorpusError, Problem
from sayso.policy.loading import contents
from sayso.policy.source import Path as Place
from sayso.policy.source import Source, read, shown

NO_ZONES = ("localtime", "Factory", "posixrules")
"""What the time zone database lists, but is another zone on another machine, or none."""


@dataclass(frozen=True, slots=True)
class SubjectColumn:
    """A column of one subject or of a list of them, and the role that they have in the record.

    The items of a list may be ids or structs of `id` and `role`. A null in an `optional` column is nobody; in any
    other it is a subject that could not be read.
    """

    column: str
    role: str | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        given: tuple[object, ...] = (self.column, "" if self.role is None else self.role)
        for one in given:
            if not isinstance(one, str):
                raise CorpusError(f"expected text for the column and the role of a subject, got {type(one).__name__}")


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
        given: Any = self.subjects
        listed = tuple(given) if isinstance(given, tuple | list) else (given,)
        for one in listed:
            if not isinstance(one, SubjectColumn):
                raise CorpusError(f"expected `subjects` to be a tuple of `SubjectColumn`s, got {type(one).__name__}")
        object.__setattr__(self, "subjects", listed)
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if not isinstance(value, str) and (value is not None or field.default is not None):
                raise CorpusError(f"expected text for `{field.name}` of `Columns`, got {type(value).__name__}")
        if not self.subjects:
            raise CorpusError("expected at least one column of subjects; name it with `--subject COLUMN[:ROLE]`")
        if (self.category is None) == (self.category_constant is None):
            raise CorpusError("expected either a column of categories or one category for all; give one of the two")
        if self.time_zone is not None:
            if self.time_zone not in available_timezones() or self.time_zone in NO_ZONES:
                raise CorpusError(f"expected a time zone such as `Europe/Dublin`, got `{shown(self.time_zone)}`")

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
        source = read(contents(path), str(path))
    except (OSError, ValueError) as error:
        raise CorpusError(Problem(f"cannot be read: {getattr(error, 'strerror', None) or error}", str(path))) from error
    if source.problems:
        raise CorpusError(source.problems)
    loaded = source.data
    if not isinstance(loaded, dict):
        raise CorpusError(source.problem((), "expected a mapping of what each column says"))
    problems: list[Problem] = []
    plain = {field.name for field in fields(Columns)} - {"subjects"}
    given: dict[str, str] = {}
    for name, value in loaded.items():
        if name in plain and isinstance(value, str):
            given[name] = value
        elif name in plain:
            message = f"expected the name of a column for `{name}`, got `{shown(value)}`"
            problems.append(source.problem((name,), message, "put quotes around a name that looks like a number"))
        elif name != "subjects":
            expected = ", ".join(f"`{known}`" for known in ("subjects", *sorted(plain)))
            problems.append(
                source.problem((name,), f"unknown key `{shown(name)}`", f"known keys are {expected}", key=True)
            )
    listed = loaded.get("subjects")
    if not isinstance(listed, str | dict | list):
        problems.append(source.problem(("subjects",), "expected `subjects`: a column, or a list of columns with roles"))
        listed = []
    subjects = [
        _subject(item, source, ("subjects", place) if isinstance(listed, list) else ("subjects",), problems)
        for place, item in enumerate(listed if isinstance(listed, list) else [listed])
    ]
    if problems:
        raise CorpusError(problems)
    try:
        return Columns(tuple(subjects), **given)
    except CorpusError as error:
        raise CorpusError([replace(problem, file=str(path)) for problem in error.problems]) from None


def _subject(item: object, source: Source, place: Place, problems: list[Problem]) -> SubjectColumn:
    match item:
        case str():
            return SubjectColumn(item)
        case {"column": str(column), **rest} if rest.keys() <= {"role", "optional"}:
            role, optional = rest.get("role"), rest.get("optional", False)
            if (role is None or isinstance(role, str)) and isinstance(optional, bool):
                return SubjectColumn(column, role, optional)
    message = f"expected a column, or `column`, `role` and `optional`, got `{shown(item)}`"
    problems.append(source.problem(place, message))
    return SubjectColumn("")
