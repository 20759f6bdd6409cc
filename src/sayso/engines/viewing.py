"""The gate as SQL text, for DuckDB and for Spark: the same expression that either engine runs, over a table of the user's.

It is total: whatever no case answers, and all that is asked from the snapshot's `valid_until` on, is denied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.sql.compilers import DuckDBCompiler, PySparkCompiler

from sayso.engines.duckdb_sql import DuckDB
from sayso.engines.joining import joined
from sayso.engines.reading import Dialect, corpus_schema, expressions, shape_of
from sayso.engines.spark_sql import Spark
from sayso.errors import CorpusError
from sayso.gate.engine import Question, View
from sayso.gate.verdicts import Codec
from sayso.plan.gate import NOWHERE, UNREADABLE, verdicts
from sayso.policy.verdict import Outcome
from sayso.territory.table import ALIASES

OWN = "sayso_"
"""Before the names that the SQL adds: no column of the table begins so."""
_SOURCE, _CORPUS = f"{OWN}source", f"{OWN}corpus"


@dataclass(frozen=True)
class _Engine:
    """What differs between the engines' texts."""

    name: str
    dialect: Dialect
    compiler: Callable[[], DuckDBCompiler | PySparkCompiler]
    now: str
    """The present instant, in microseconds."""
    number: str
    """A number for each row of a table."""
    setup: str
    """How a Parquet file (`{path}`) is given a name (`{name}`)."""


ENGINES = (
    _Engine(
        "duckdb", DuckDB(), DuckDBCompiler, "epoch_us(now())", "row_number() OVER ()",
        "CREATE OR REPLACE VIEW {name} AS FROM read_parquet('{path}');",
    ),
    _Engine(
        "spark", Spark(), PySparkCompiler, "unix_micros(current_timestamp())", "monotonically_increasing_id()",
        "CREATE OR REPLACE TEMPORARY VIEW {name} USING parquet OPTIONS (path '{path}');",
    ),
)  # fmt: skip


def view(question: Question, table: str, prefix: str, valid_until: int, rules: Mapping[int, str]) -> View:
    """The texts and tables of a gate (`gate.engine.Viewing`)."""
    taken = [name for name in question.schema.names if name.casefold().startswith(OWN)]
    if taken:
        raise CorpusError(f"expected no column that begins with `{OWN}`, got `{taken[0]}`; rename it")
    if not all(table.split(".")):
        raise CorpusError(f"expected the name of a table, such as `posts` or `members.posts`, got `{table}`")
    tables: dict[str, pa.Table] = {}

    def named(name: str, content: pa.Table) -> ir.Table:
        tables[name] = content
        return ibis.table(ibis.schema(content.schema), name=f"{prefix}{name}")

    told = _told(question, named, rules)
    texts = {}
    for engine in ENGINES:
        whole = _text(engine, question, table, valid_until, told)
        columns = ", ".join(engine.dialect.quoted(name) for name in question.schema.names)
        texts[f"verdicts.{engine.name}.sql"] = whole + "\n"
        # The verdict stands in a column of its own, so that no condition of a reader comes before it.
        texts[f"permitted.{engine.name}.sql"] = (
            f"SELECT {columns}\nFROM (\n{whole}\n) AS {OWN}verdicts\nWHERE {OWN}permitted\n"
        )
        made = [engine.setup.format(name=f"{prefix}{name}", path=f"snapshot/{name}.parquet") for name in tables]
        texts[f"snapshot.{engine.name}.sql"] = "\n".join(made) + "\n"
    return View(texts, tables)


def _told(question: Question, named: Callable[[str, pa.Table], ir.Table], rules: Mapping[int, str]) -> ir.Table:
    """Each record with its columns and what is said of it."""
    snapshot, shape = question.snapshot, replace(shape_of(question), stale=True)
    kept = [f"kept_{place}" for place in range(len(question.schema))]
    # Whatever type those have: none is computed with.
    schema = dict(corpus_schema(question).items()) | {"stale": "boolean"} | dict.fromkeys(kept, "string")
    carried = [*kept, *(["kept_written"] if shape.written else [])]
    if shape.written:
        schema["kept_written"] = "string"
    corpus = ibis.table(ibis.schema(schema), name=_CORPUS)
    told = verdicts(corpus, shape, joined(snapshot, named), snapshot.dimensions, carried=carried)
    outcomes = snapshot.results.column("outcome").to_pylist()
    permits = [number for number, permits in enumerate(Codec(snapshot).permits.tolist()) if permits]
    words = [(number, Outcome(outcome).word) for number, outcome in enumerate(outcomes) if outcome in set(Outcome)]
    named_rules = [
        (number, rules[rule])
        for number, rule in enumerate(snapshot.results.column("rule").to_pylist())
        if rule in rules
    ]
    territory = _cases(told.territory, list(enumerate(snapshot.territories)))
    if shape.written:
        canonical = ibis.coalesce(_cases(told.kept_written, list(ALIASES.items())), told.kept_written)
        territory = ibis.ifelse(told.territory == NOWHERE, canonical, territory)
    said = {
        "permitted": ibis.ifelse(told.result.isin(permits).fill_null(False), True, False),
        "outcome": _cases(told.result, words, outcomes and Outcome(outcomes[UNREADABLE]).word),
        "rule": _cases(told.result, named_rules),
        "territory": territory,
        "category": _cases(told.category, list(enumerate(snapshot.category_names))),
        "position": told.position,
    }
    columns = dict(zip(question.schema.names, (told[name] for name in kept), strict=True))
    return told.select(**columns, **{f"{OWN}{name}": value for name, value in said.items()})


def _cases(
    value: ir.Value, pairs: list[tuple[int, str]] | list[tuple[str, str]], otherwise: str | None = None
) -> ir.Value:
    """Words for numbers; another, or none, for every other number and for none."""
    end = ibis.null("string") if otherwise is None else ibis.literal(otherwise)
    return value.cases(*pairs, else_=end) if pairs else end


def _text(engine: _Engine, question: Question, table: str, valid_until: int, told: ir.Table) -> str:
    sql, shape = engine.dialect, shape_of(question)
    # Where a record has one subject its rows are never brought together again, and need no number.
    row = engine.number if shape.several else "0"
    selected = {"row": f"CAST({OWN}row AS BIGINT)", **expressions(question, sql)}
    selected["stale"] = f"CASE WHEN {engine.now} < {valid_until} THEN false ELSE true END"
    selected |= {f"kept_{place}": sql.quoted(name) for place, name in enumerate(question.schema.names)}
    if shape.written:
        selected["kept_written"] = selected["written"]
    fields = ",\n  ".join(f"{value} AS {sql.quoted(name)}" for name, value in selected.items())
    source = ".".join(sql.quoted(part) for part in table.split("."))
    compiler = engine.compiler()
    query = compiler.to_sqlglot(told).sql(dialect=compiler.dialect, pretty=True)
    return (
        f"WITH {_SOURCE} AS (SELECT {row} AS {OWN}row, * FROM {source}),\n"
        f"{_CORPUS} AS (SELECT\n  {fields}\nFROM {_SOURCE})\nSELECT * FROM (\n{query}\n) AS {OWN}told"
    )
