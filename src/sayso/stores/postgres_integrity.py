"""What can be wrong with a ledger's tables on PostgreSQL beside what they say: pages, declarations, references, counts."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from psycopg import errors

from sayso.ledger.identity import IdType
from sayso.stores import tables

_COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
    " WHERE table_schema = current_schema()"
)
_KEYS = (
    "SELECT c.conrelid::regclass::text, c.contype::text, pg_get_constraintdef(c.oid) FROM pg_constraint c"
    " JOIN pg_namespace n ON n.oid = c.connamespace WHERE n.nspname = current_schema() AND c.contype IN ('p', 'f')"
    " AND c.convalidated"
)
_ORPHANS = (
    ("private", "SELECT 1 FROM private LEFT JOIN events USING (position) WHERE events.kind IS NULL LIMIT 1"),
    ("tombstones", "SELECT 1 FROM tombstones LEFT JOIN events USING (position) WHERE events.kind IS NULL LIMIT 1"),
    ("facts", "SELECT 1 FROM facts LEFT JOIN payloads USING (code) WHERE payloads.uses IS NULL LIMIT 1"),
)
_MISCOUNTED = (
    "SELECT code FROM payloads LEFT JOIN (SELECT code, count(*) AS used FROM facts GROUP BY code) counted USING (code)"
    " WHERE uses <> coalesce(used, 0) LIMIT 3"
)
_TWICE = "SELECT 1 FROM payloads GROUP BY body HAVING count(*) > 1 LIMIT 1"
_AMCHECK = "SELECT quote_ident(extnamespace::regnamespace::text) FROM pg_extension WHERE extname = 'amcheck'"
_INDEXES = (
    "SELECT i.indexrelid::regclass::text, i.indexrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " JOIN pg_am a ON a.oid = c.relam JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = current_schema() AND a.amname = 'btree' ORDER BY 1"
)


def faults(connection: sa.Connection, id_type: IdType) -> Iterator[str]:
    """Everything that is wrong, within the transaction that is open. Raises what the driver raises for damaged pages."""
    rows = connection.exec_driver_sql
    names = {table for table, *_ in rows(_COLUMNS)} & tables.metadata.tables.keys()
    if names != tables.metadata.tables.keys() or _columns(connection) != _columns_of_today(id_type):
        yield "the tables are not declared as they should be"
        return
    if _keys(connection) != _keys_of_today():
        yield "the keys of the tables are not declared as they should be"
    for table, query in _ORPHANS:
        if rows(query).first():
            yield f"a row of `{table}` refers to none"
    if rows(_TWICE).first():
        yield "a payload has two codes"
    for (code,) in rows(_MISCOUNTED):
        yield f"payload `{code}` is counted otherwise than the facts use it"
    yield from _damaged_indexes(connection)


def _damaged_indexes(connection: sa.Connection) -> Iterator[str]:
    """Indexes that do not hold what their tables do, where the extension `amcheck` is there and lets this user look."""
    where = connection.exec_driver_sql(_AMCHECK).scalar()
    if where is None:
        return
    for name, number in connection.exec_driver_sql(_INDEXES).all():
        connection.exec_driver_sql("SAVEPOINT looked")
        try:
            connection.exec_driver_sql(f"SELECT {where}.bt_index_check(%s::oid::regclass, true)", (number,))
        except sa.exc.DBAPIError as error:
            connection.exec_driver_sql("ROLLBACK TO looked")
            if isinstance(error.orig, errors.InsufficientPrivilege):
                return
            yield f"PostgreSQL says of index `{name}`: {type(error.orig).__name__}"


def _columns(connection: sa.Connection) -> set[tuple[str, str, str, bool]]:
    return {
        (table, column, kind, nullable == "YES")
        for table, column, kind, nullable in connection.exec_driver_sql(_COLUMNS)
        if table in tables.metadata.tables
    }


def _columns_of_today(id_type: IdType) -> set[tuple[str, str, str, bool]]:
    dialect = sa.create_mock_engine("postgresql+psycopg://", lambda *_: None).dialect
    found = set()
    for table in tables.metadata.tables.values():
        for column in table.columns:
            kind = tables.ids(id_type) if isinstance(column.type, tables.AnyValue) else column.type
            name = kind.compile(dialect).partition(" ")[0].lower()
            found.add((table.name, column.name, name, bool(column.nullable)))
    return found


def _keys(connection: sa.Connection) -> set[tuple[str, str, str]]:
    found = connection.exec_driver_sql(_KEYS)
    return {
        (table.rpartition(".")[2], kind, " ".join(said.replace('"', "").split()))
        for table, kind, said in found
        if table.rpartition(".")[2] in tables.metadata.tables
    }


def _keys_of_today() -> set[tuple[str, str, str]]:
    found = set()
    for table in tables.metadata.tables.values():
        found.add((table.name, "p", f"PRIMARY KEY ({', '.join(column.name for column in table.primary_key)})"))
        for key in table.foreign_keys:
            other = key.column
            found.add((table.name, "f", f"FOREIGN KEY ({key.parent.name}) REFERENCES {other.table.name}({other.name})"))
    return found
