"""How an engine reads a corpus's columns into what the plan asks for. What cannot be read becomes null, and so denies.

What a type may say is decided here, once; how an engine's SQL says it is a `Dialect`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import ibis
import pyarrow as pa
import pyarrow.types as kinds

from sayso.errors import CorpusError, Problem
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.engine import Question
from sayso.ledger.identity import IdType
from sayso.plan.gate import Shape

CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
PLAIN = rf"\d{{4}}-\d{{2}}-\d{{2}}([Tt ]{CLOCK}(:[0-5]\d(\.\d{{1,6}})?)?)?"
ZONED = rf"\d{{4}}-\d{{2}}-\d{{2}}[Tt ]{CLOCK}(:[0-5]\d(\.\d{{1,6}})?)?([Zz]|[+-]{CLOCK})"
EVERYTHING = ("true", "t", "yes", "y", "1", "all", "*")
"""Texts of one column that reserve a record from every purpose."""
OF_IDS = r"[^\x00-\x1f\x7f]+"
"""What an id that is text consists of."""


class Dialect(Protocol):
    """How an engine's SQL says what is asked of a column. Every method takes and gives SQL; none may fail on a value."""

    own: tuple[str, ...]
    """What the engine itself tells of a file's rows. A column of such a name would be taken for it."""

    def quoted(self, name: str) -> str:
        """A column's name."""

    def literal(self, text: str) -> str:
        """A string."""

    def nothing(self, ids: IdType) -> str:
        """No id."""

    def text(self, value: str) -> str:
        """Text, as the plan's type of it."""

    def number(self, value: str) -> str:
        """An integer of any type as one of 64 bits; null where it does not fit."""

    def uuid(self, value: str, *, raw: bool) -> str:
        """A UUID, written in any form or of 16 bytes (`raw`), as its 36 lowercase characters."""

    def string_id(self, value: str) -> str:
        """Text that may be an id (`OF_IDS`, not longer than `identity.LONGEST`); else null."""

    def micros(self, value: str, kind: pa.DataType, zone: str | None) -> str:
        """A timestamp or date as microseconds since the epoch, never later than it was; by the clocks of a zone, the
        later of two instants that they tell alike. There is a `zone` where the type has none.
        """

    def micros_of_text(self, value: str, zone: str | None) -> str:
        """The same of text (`ZONED`, and given a zone `PLAIN`)."""

    def listed(self, texts: Sequence[str]) -> str:
        """A list of strings."""

    def holds_null(self, values: str) -> str:
        """Whether a list holds a null."""

    def overlaps(self, values: str, listed: str) -> str:
        """Whether two lists have something in common."""

    def contains(self, listed: str, value: str) -> str:
        """Whether a list has a string."""

    def subject(self, id: str, role: str) -> str:  # noqa: A002
        """A struct of `id` and `role`."""

    def field(self, value: str, name: str) -> str:
        """A field of a struct."""

    def one(self, value: str) -> str:
        """A list of one."""

    def each(self, values: str, item: str, made: str) -> str:
        """A list of what is made of each `item` of a list; empty where that is null."""

    def flat(self, lists: Sequence[str]) -> str:
        """Lists as one."""


def shape_of(question: Question) -> Shape:
    """What the corpus has, once read by `expressions`."""
    columns = question.columns
    return Shape(
        several=_several(columns, question.schema),
        role=columns.subjects[0].role,
        written=columns.territory is not None,
        reserved=columns.reserved is not None,
        account=question.snapshot.accounts is not None,
        malformed=columns.account is not None,
    )


def corpus_schema(question: Question) -> ibis.Schema:
    """The columns of `expressions`, and `row`."""
    shape = shape_of(question)
    ids = "int64" if kinds.is_integer(question.snapshot.standing.schema.field("subject").type) else "string"
    columns = {"row": "int64", "category": "string", "collected": "int64"}
    columns |= {"subjects": f"array<struct<id: {ids}, role: string>>"} if shape.several else {"subject": ids}
    columns |= {"written": "string"} if shape.written else {}
    columns |= {"reserved": "boolean"} if shape.reserved else {}
    columns |= {"account": ids} if shape.malformed or shape.account else {}
    columns |= {"malformed": "boolean"} if shape.malformed else {}
    return ibis.schema(columns)


def expressions(question: Question, dialect: Dialect) -> dict[str, str]:
    """The columns of `plan.gate.Shape`, but for `row`, by name.

    Raises CorpusError for a column that is not there, or whose type cannot say what it should.
    """
    columns, schema = question.columns, question.schema
    check_names(columns, schema, dialect)
    reading = _Reading(columns, schema, ids_of(question), dialect)
    selected = {"category": reading.category(), "collected": reading.collected()}
    if _several(columns, schema):
        selected["subjects"] = reading.subjects()
    else:
        selected["subject"] = reading.id(dialect.quoted(columns.subjects[0].column), columns.subjects[0].column)
    if columns.territory is not None:
        kind = schema.field(columns.territory).type
        if not (is_text(kind) or kinds.is_null(kind)):
            raise CorpusError(f"expected text in column `{columns.territory}` (territory), got `{kind}`")
        selected["written"] = dialect.text(reading.column(columns.territory))
    if columns.reserved is not None:
        selected["reserved"] = reading.reserved(columns.reserved, question.reserving)
    if columns.account is not None:
        account = reading.id(dialect.quoted(columns.account), columns.account)
        selected["account"] = account
        selected["malformed"] = f"({reading.column(columns.account)} IS NOT NULL AND {account} IS NULL)"
    elif question.snapshot.accounts is not None:
        selected["account"] = dialect.nothing(reading.ids)
    return selected


def check_names(columns: Columns, schema: pa.Schema, dialect: Dialect) -> None:
    """Raises CorpusError unless every name that is used names one column, to engines too that tell no case apart."""
    missing = [name for name in columns.used if name not in schema.names]
    problems = [Problem(f"the corpus has no column `{name}`; it has {_named(schema)}") for name in missing]
    folded = [name.casefold() for name in schema.names]
    for name, plain in zip(schema.names, folded, strict=True):
        if plain in dialect.own:
            problems.append(
                Problem(f"expected no column `{name}`: the engine has one of that name", remedy="rename it")
            )
        elif folded.count(plain) > 1 and name != schema.names[folded.index(plain)]:
            message = (
                f"expected names that differ in more than case, got `{schema.names[folded.index(plain)]}`, `{name}`"
            )
            problems.append(Problem(message, remedy="rename or remove one of the columns"))
        elif schema.names.count(name) > 1:
            message = f"expected one column `{name}`, got {schema.names.count(name)}"
            if message not in [one.message for one in problems]:
                problems.append(Problem(message, remedy="rename or remove the others"))
        elif not name or "\0" in name:
            problems.append(Problem("expected a name for every column, got an empty one or one with a null character"))
    if problems:
        raise CorpusError(problems)


def _named(schema: pa.Schema) -> str:
    return ", ".join(f"`{name}`" for name in schema.names)


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is text."""
    if kinds.is_dictionary(kind):
        kind = kind.value_type
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind))


def holds_ids(kind: pa.DataType, ids: IdType) -> bool:
    """Whether a type may hold ids of a ledger's type."""
    return kinds.is_integer(kind) if ids is IdType.INT64 else is_text(kind) or _is_raw(kind)


def id_sql(value: str, kind: pa.DataType, ids: IdType, dialect: Dialect) -> str:
    """An id of such a type in the one form of the ledger's; null where it is not of that form."""
    if ids is IdType.INT64:
        return dialect.number(value)
    if ids is IdType.UUID or _is_raw(kind):
        return dialect.uuid(value, raw=_is_raw(kind))
    return dialect.string_id(value)


def _is_raw(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.UuidType) or bool(kinds.is_fixed_size_binary(kind) and kind.byte_width == 16)


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is a list."""
    return bool(kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind))


def _several(columns: Columns, schema: pa.Schema) -> bool:
    first = columns.subjects[0].column
    return columns.several or (first in schema.names and is_list(schema.field(first).type))


def ids_of(question: Question) -> IdType:
    """The type of the ids that a question's snapshot knows people by."""
    if kinds.is_integer(question.snapshot.standing.schema.field("subject").type):
        return IdType.INT64
    return question.id_type or IdType.STRING


class _Reading:
    """The columns of one corpus, in one dialect."""

    def __init__(self, columns: Columns, schema: pa.Schema, ids: IdType, dialect: Dialect) -> None:
        self._columns, self._schema, self.ids, self._sql = columns, schema, ids, dialect

    def column(self, name: str) -> str:
        """A column; one that is null throughout is not asked, for an engine may not know its type."""
        return "NULL" if kinds.is_null(self._schema.field(name).type) else self._sql.quoted(name)

    def id(self, expression: str, column: str, kind: pa.DataType | None = None) -> str:
        """An id in the one form of the ledger's (`IdType.read`); null where it is not of that form."""
        found, ids = self._schema.field(column).type if kind is None else kind, self.ids
        if kinds.is_dictionary(found):
            found = found.value_type
        if kinds.is_null(found):
            return self._sql.nothing(ids)
        if holds_ids(found, ids):
            return id_sql(expression, found, ids, self._sql)
        wanted = "integers" if ids is IdType.INT64 else "text or UUIDs"
        raise CorpusError(f"expected {wanted} in column `{column}`, as the ledger's ids are, got `{found}`")

    def category(self) -> str:
        """The category of each record, or the one of all."""
        name = self._columns.category
        if name is None:
            return self._sql.text(self._sql.literal(self._columns.category_constant or ""))
        kind = self._schema.field(name).type
        if not (is_text(kind) or kinds.is_null(kind)):
            raise CorpusError(f"expected text in column `{name}` (category), got `{kind}`")
        return self._sql.text(self.column(name))

    def collected(self) -> str:
        """Microseconds since the epoch. A naive instant is read by the named time zone, or is an error."""
        name, zone = self._columns.collected_at, self._columns.time_zone
        kind, value = self._schema.field(name).type, self._sql.quoted(self._columns.collected_at)
        if kinds.is_null(kind):
            return self._sql.nothing(IdType.INT64)
        if kinds.is_timestamp(kind) and kind.tz is not None:
            return self._sql.micros(value, kind, None)
        if kinds.is_timestamp(kind) or kinds.is_date(kind):
            if zone is None:
                raise CorpusError(
                    f"column `{name}` holds instants without a time zone (`{kind}`); "
                    "name theirs with `--time-zone ZONE`, or `time_zone:` in the mapping"
                )
            return self._sql.micros(value, kind, zone)
        if is_text(kind):
            return self._sql.micros_of_text(value, zone)
        raise CorpusError(f"expected instants in column `{name}`, got `{kind}`")

    def reserved(self, column: str, purposes: tuple[str, ...]) -> str:
        """Whether a record is reserved from the use."""
        name, kind = self._sql.quoted(column), self._schema.field(column).type
        if kinds.is_boolean(kind):
            return f"coalesce({name}, false)"
        if kinds.is_null(kind):
            return "false"
        listed = self._sql.listed(purposes)
        if is_list(kind) and is_text(kind.value_type):
            # A null among purposes is one that could not be read.
            overlaps = f"coalesce({self._sql.overlaps(name, listed)}, false)"
            return f"CASE WHEN {self._sql.holds_null(name)} THEN NULL ELSE {overlaps} END"
        if is_text(kind):
            # Where a boolean was written as text, as in a CSV file that says something else in one line.
            whole = ", ".join(map(self._sql.literal, EVERYTHING))
            said = self._sql.text(name)
            return f"(coalesce(lower(trim({said})) IN ({whole}), false) OR coalesce({self._sql.contains(listed, said)}, false))"
        raise CorpusError(f"expected purposes (text, or a list of it) or booleans in column `{column}`, got `{kind}`")

    def subjects(self) -> str:
        """All subjects of a record as one list; null where a list itself could not be read."""
        required = [
            f"{self._sql.quoted(s.column)} IS NULL" for s in self._columns.subjects
            if not s.optional and is_list(self._schema.field(s.column).type)
        ]  # fmt: skip
        joined = self._sql.flat([self._one_list(subject) for subject in self._columns.subjects])
        return f"CASE WHEN {' OR '.join(required)} THEN NULL ELSE {joined} END" if required else joined

    def _one_list(self, subject: SubjectColumn) -> str:
        sql, kind = self._sql, self._schema.field(subject.column).type
        name = self.column(subject.column)
        role = sql.text("NULL" if subject.role is None else sql.literal(subject.role))
        if not is_list(kind):
            one = sql.subject(self.id(name, subject.column), role)
            if subject.optional:  # who is not named is nobody
                return sql.each(f"CASE WHEN {name} IS NOT NULL THEN {sql.one('0')} END", _unlike(self._schema), one)
            return sql.one(one)
        item, one = kind.value_type, _unlike(self._schema)
        if not kinds.is_struct(item):
            return sql.each(name, one, sql.subject(self.id(one, subject.column, item), role))
        names = [item.field(index).name for index in range(item.num_fields)]
        folded = [known.casefold() for known in names]
        if "id" not in names or folded.count("id") > 1 or folded.count("role") > 1:
            raise CorpusError(
                f"expected structs with one `id`, and perhaps one `role`, in column `{subject.column}`, got `{item}`"
            )
        member = self.id(sql.field(one, "id"), subject.column, item.field("id").type)
        own = f"coalesce({sql.text(sql.field(one, names[folded.index('role')]))}, {role})" if "role" in folded else role
        return sql.each(name, one, sql.subject(member, own))


def _unlike(schema: pa.Schema) -> str:
    """A name for an item of a list that no column has, for a column's would be taken for it."""
    name = "item"
    while name in {known.casefold() for known in schema.names}:
        name += "_"
    return name
