"""How DuckDB reads a corpus's columns into what the plan asks for. What cannot be read becomes null, and so denies."""

from __future__ import annotations

import re
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.types as kinds

from sayso.errors import CorpusError, Problem
from sayso.gate.columns import Columns, SubjectColumn
from sayso.gate.engine import Question
from sayso.ledger.identity import LONGEST, IdType
from sayso.plan.gate import Shape

_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
PLAIN = rf"\d{{4}}-\d{{2}}-\d{{2}}([Tt ]{_CLOCK}(:[0-5]\d(\.\d{{1,6}})?)?)?"
ZONED = rf"\d{{4}}-\d{{2}}-\d{{2}}[Tt ]{_CLOCK}(:[0-5]\d(\.\d{{1,6}})?)?([Zz]|[+-]{_CLOCK})"
OF_IDS = r"[^\x00-\x1f\x7f]+"
"""What an id that is text consists of."""
OWN = ("file_row_number", "file_index")
"""What DuckDB itself tells of a file's rows. A column of such a name would be taken for it."""
WILDCARDS = "*?["
UNTOLD = re.compile(r"[\x00\ud800-\udfff]")


def literal(text: str) -> str:
    """A string as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def file_literal(path: Path) -> str:
    """A file's name as SQL writes it: that file and no other, whatever characters it has.

    Raises CorpusError for a name that DuckDB cannot be told.
    """
    name = str(path.absolute())
    wild = any(character in WILDCARDS for character in name)
    if (wild and "\\" in name) or UNTOLD.search(name):
        problem = "expected a path in Unicode, without backslashes beside `*`, `?` or `[`"
        raise CorpusError(Problem(problem, file=str(path), remedy="rename the file or the directory"))
    return literal("".join(f"[{character}]" if character in WILDCARDS else character for character in name))


def shape_of(question: Question) -> Shape:
    """What the corpus has, once read by `corpus_sql`."""
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
    """The columns of `corpus_sql`."""
    shape = shape_of(question)
    ids = "int64" if kinds.is_integer(question.snapshot.standing.schema.field("subject").type) else "string"
    columns = {"row": "int64", "category": "string", "collected": "int64"}
    columns |= {"subjects": f"array<struct<id: {ids}, role: string>>"} if shape.several else {"subject": ids}
    columns |= {"written": "string"} if shape.written else {}
    columns |= {"reserved": "boolean"} if shape.reserved else {}
    columns |= {"account": ids} if shape.malformed or shape.account else {}
    columns |= {"malformed": "boolean"} if shape.malformed else {}
    return ibis.schema(columns)


def corpus_sql(question: Question) -> str:
    """The query that reads every record of the parts, with the columns of `plan.gate.Shape`.

    Raises CorpusError for a column that is not there, or whose type cannot say what it should.
    """
    columns, schema = question.columns, question.schema
    check_names(columns, schema)
    ids = _ids(question)
    selected = {
        "row": "file_row_number",
        "category": _category(columns, schema),
        "collected": _collected(columns, schema.field(columns.collected_at).type),
    }
    if _several(columns, schema):
        selected["subjects"] = _subjects(columns, schema, ids)
    else:
        selected["subject"] = _id(quoted(columns.subjects[0].column), schema, columns.subjects[0].column, ids)
    if columns.territory is not None:
        kind = schema.field(columns.territory).type
        if not (_is_text(kind) or kinds.is_null(kind)):
            raise CorpusError(f"expected text in column `{columns.territory}` (territory), got `{kind}`")
        selected["written"] = f"{quoted(columns.territory)}::VARCHAR"
    if columns.reserved is not None:
        selected["reserved"] = _reserved(columns.reserved, schema.field(columns.reserved).type, question.reserving)
    if columns.account is not None:
        account = _id(quoted(columns.account), schema, columns.account, ids)
        selected["account"] = account
        selected["malformed"] = f"({quoted(columns.account)} IS NOT NULL AND {account} IS NULL)"
    elif question.snapshot.accounts is not None:
        selected["account"] = _no_id(ids)
    paths = ", ".join(file_literal(part.path) for part in question.parts)
    firsts = ", ".join(str(part.first) for part in question.parts)
    # A part's number among the files of the query; a list in a query is looked up faster than a name is joined.
    selected["row"] = f"[{firsts}][(file_index + 1)::BIGINT]::BIGINT + file_row_number"
    fields = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in selected.items())
    # What a directory is called (`author=1`) says nothing of what a record holds.
    return f"SELECT {fields} FROM read_parquet([{paths}], hive_partitioning = false, union_by_name = false)"  # quoted


def check_names(columns: Columns, schema: pa.Schema) -> None:
    """Raises CorpusError unless every name that is used names one column, to DuckDB too, which tells no case apart."""
    missing = [name for name in columns.used if name not in schema.names]
    problems = [Problem(f"the corpus has no column `{name}`; it has {_named(schema)}") for name in missing]
    folded = [name.casefold() for name in schema.names]
    for name, plain in zip(schema.names, folded, strict=True):
        if plain in OWN:
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


def _is_text(kind: pa.DataType) -> bool:
    if kinds.is_dictionary(kind):
        kind = kind.value_type
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind))


def _several(columns: Columns, schema: pa.Schema) -> bool:
    first = columns.subjects[0].column
    return columns.several or (first in schema.names and _is_list(schema.field(first).type))


def _ids(question: Question) -> IdType:
    if kinds.is_integer(question.snapshot.standing.schema.field("subject").type):
        return IdType.INT64
    return question.id_type or IdType.STRING


def _no_id(ids: IdType) -> str:
    return "NULL::BIGINT" if ids is IdType.INT64 else "NULL::VARCHAR"


def _id(expression: str, schema: pa.Schema, column: str, ids: IdType, kind: pa.DataType | None = None) -> str:
    """An id in the one form of the ledger's (`IdType.read`); null where it is not of that form."""
    found = schema.field(column).type if kind is None else kind
    if kinds.is_dictionary(found):
        found = found.value_type
    if kinds.is_null(found):
        return _no_id(ids)
    if ids is IdType.INT64 and kinds.is_integer(found):
        return f"TRY_CAST({expression} AS BIGINT)"
    uuid = isinstance(found, pa.UuidType) or (kinds.is_fixed_size_binary(found) and found.byte_width == 16)
    if ids is not IdType.INT64 and (uuid or (ids is IdType.UUID and _is_text(found))):
        return f"TRY_CAST({expression} AS UUID)::VARCHAR"
    if ids is IdType.STRING and _is_text(found):
        text = f"{expression}::VARCHAR"
        return f"CASE WHEN length({text}) <= {LONGEST} AND regexp_full_match({text}, {literal(OF_IDS)}) THEN {text} END"
    wanted = "integers" if ids is IdType.INT64 else "text or UUIDs"
    raise CorpusError(f"expected {wanted} in column `{column}`, as the ledger's ids are, got `{found}`")


def _category(columns: Columns, schema: pa.Schema) -> str:
    if columns.category is None:
        return f"{literal(columns.category_constant or '')}::VARCHAR"
    kind = schema.field(columns.category).type
    if not (_is_text(kind) or kinds.is_null(kind)):
        raise CorpusError(f"expected text in column `{columns.category}` (category), got `{kind}`")
    return f"{quoted(columns.category)}::VARCHAR"


def _collected(columns: Columns, kind: pa.DataType) -> str:
    """Microseconds since the epoch. A naive instant is read by the named time zone, or is an error."""
    name = quoted(columns.collected_at)
    if kinds.is_null(kind):
        return "NULL::BIGINT"
    if kinds.is_timestamp(kind) and kind.tz is not None:
        return _micros(_to_micros(name, kind, "TIMESTAMPTZ"))
    if kinds.is_timestamp(kind) or kinds.is_date(kind):
        if columns.time_zone is None:
            raise CorpusError(
                f"column `{columns.collected_at}` holds instants without a time zone (`{kind}`); "
                "name theirs with `--time-zone ZONE`, or `time_zone:` in the mapping"
            )
        return _micros(f"timezone({literal(columns.time_zone)}, {_to_micros(name, kind, 'TIMESTAMP')})")
    if _is_text(kind):
        text = f"{name}::VARCHAR"
        zoned = f"TRY_CAST(CASE WHEN {_matches(text, ZONED)} THEN upper({text}) END AS TIMESTAMPTZ)"
        if columns.time_zone is None:
            return _micros(zoned)
        plain = f"TRY_CAST(CASE WHEN {_matches(text, PLAIN)} THEN upper({text}) END AS TIMESTAMP)"
        return _micros(f"coalesce({zoned}, timezone({literal(columns.time_zone)}, {plain}))")
    raise CorpusError(f"expected instants in column `{columns.collected_at}`, got `{kind}`")


def _matches(text: str, pattern: str) -> str:
    """Whether a text is all of a pattern. No calendar of ours has a year 0."""
    return f"(regexp_full_match({text}, {literal(pattern)}) AND NOT starts_with({text}, '0000'))"


def _to_micros(name: str, kind: pa.DataType, wanted: str) -> str:
    """An instant to the microsecond, never later than it was: a cast alone would round."""
    if not kinds.is_timestamp(kind) or kind.unit != "ns":
        return f"{name}::{wanted}"
    rounded = f"{name}::{wanted}"
    later = f"TRY_CAST({rounded} AS {wanted}_NS) > {name}"
    return f"(CASE WHEN {later} THEN {rounded} - INTERVAL 1 MICROSECOND ELSE {rounded} END)"


def _micros(instant: str) -> str:
    return f"CASE WHEN isfinite({instant}) THEN epoch_us({instant}) END"


def _reserved(column: str, kind: pa.DataType, purposes: tuple[str, ...]) -> str:
    name = quoted(column)
    listed = "[" + ", ".join(literal(purpose) for purpose in purposes) + "]::VARCHAR[]"
    if kinds.is_boolean(kind):
        return f"coalesce({name}, false)"
    if kinds.is_null(kind):
        return "false"
    if _is_list(kind) and _is_text(kind.value_type):
        unread = f"list_count({name}) < len({name})"  # a null among purposes is one that could not be read
        return f"CASE WHEN {unread} THEN NULL ELSE coalesce(list_has_any({name}, {listed}), false) END"
    if _is_text(kind):
        return f"coalesce(list_contains({listed}, {name}::VARCHAR), false)"
    raise CorpusError(f"expected purposes (text, or a list of it) or booleans in column `{column}`, got `{kind}`")


def _subjects(columns: Columns, schema: pa.Schema, ids: IdType) -> str:
    """All subjects of a record as one list; null where a list itself could not be read."""
    lists = [_one_list(subject, schema, ids) for subject in columns.subjects]
    required = [
        f"{quoted(s.column)} IS NULL" for s in columns.subjects
        if not s.optional and _is_list(schema.field(s.column).type)
    ]  # fmt: skip
    joined = f"flatten([{', '.join(lists)}])"
    return f"CASE WHEN {' OR '.join(required)} THEN NULL ELSE {joined} END" if required else joined


def _one_list(subject: SubjectColumn, schema: pa.Schema, ids: IdType) -> str:
    name, kind = quoted(subject.column), schema.field(subject.column).type
    role = "NULL::VARCHAR" if subject.role is None else f"{literal(subject.role)}::VARCHAR"
    if not _is_list(kind):
        one = f"[{{'id': {_id(name, schema, subject.column, ids)}, 'role': {role}}}]"
        return f"CASE WHEN {name} IS NULL THEN [] ELSE {one} END" if subject.optional else one
    item, one = kind.value_type, _unlike(schema)
    if not kinds.is_struct(item):
        member = _id(one, schema, subject.column, ids, item)
        return f"coalesce(list_transform({name}, lambda {one}: {{'id': {member}, 'role': {role}}}), [])"
    names = [item.field(index).name for index in range(item.num_fields)]
    folded = [known.casefold() for known in names]
    if "id" not in names or folded.count("id") > 1 or folded.count("role") > 1:
        raise CorpusError(
            f"expected structs with one `id`, and perhaps one `role`, in column `{subject.column}`, got `{item}`"
        )
    member = _id(f"struct_extract({one}, 'id')", schema, subject.column, ids, item.field("id").type)
    own = f"coalesce(struct_extract({one}, 'role')::VARCHAR, {role})" if "role" in folded else role
    return f"coalesce(list_transform({name}, lambda {one}: {{'id': {member}, 'role': {own}}}), [])"


def _unlike(schema: pa.Schema) -> str:
    """A name for an item of a list that no column has, for a column's would be taken for it."""
    name = "item"
    while name in {known.casefold() for known in schema.names}:
        name += "_"
    return name
