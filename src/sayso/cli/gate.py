"""`sayso gate` and `verify`: permitted records out of a corpus, and whether an output is what its manifest says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from sayso.api import Gated, spark
from sayso.api.views import publish_view
from sayso.cli.context import Run
from sayso.errors import UsageError
from sayso.gate.columns import Columns, SubjectColumn

Flag = Annotated[str | None, Parameter(show_default=False)]


def gate(
    *sources: str,
    purpose: str,
    recipient: str,
    into: Path | None = None,
    columns: Path | None = None,
    subject: tuple[str, ...] = (),
    collected_at: Flag = None,
    category_column: Flag = None,
    category_constant: Flag = None,
    territory: Flag = None,
    account: Flag = None,
    reserved: Flag = None,
    key: Flag = None,
    time_zone: Flag = None,
    at: Flag = None,
    position: int | None = None,
    policy: Path | None = None,
    dry_run: bool = False,
    canaries: int = 0,
    dataset: str | None = None,
    memory: str | None = None,
    threads: int | None = None,
    engine: Literal["duckdb", "spark"] = "duckdb",
    master: Flag = None,
    into_table: Flag = None,
    emit: Literal["copy", "view"] = "copy",
    table: Flag = None,
    context: Run,
) -> None:
    r"""Let through the records of a corpus that may be used, and say why the rest may not.

    Reads Parquet, NDJSON and CSV. Writes a directory with the permitted records, a report of the denied ones (never
    their content), and a manifest, which appears only when all of it is there. Without `--at`, `--position` and
    `--policy` it is a release; with any of them a replay, which is marked as one. For example:

    ```
    sayso gate corpus/ --purpose generative-ai --recipient platform --columns corpus.yaml --into release
    sayso gate 'corpus/*.parquet' --purpose generative-ai --recipient platform --dry-run \
        --subject author:author --subject mentions:mentioned --category-column kind --collected-at written_at
    ```

    Parameters
    ----------
    sources
        Files, globs and directories.
    purpose
        What the data is to be used for.
    recipient
        Who is to use it.
    into
        The directory to make; it must not be there yet.
    columns
        A `corpus.yaml` that says which columns say what; instead of the flags below.
    subject
        A column of a person, or of a list of them, as `COLUMN` or `COLUMN:ROLE`; may be given again.
    collected_at
        The column of when each record was collected; `collected_at` if left out.
    category_column
        The column of categories.
    category_constant
        Or the category of every record.
    territory
        The column of where each was collected.
    account
        The column of accounts.
    reserved
        The column of purposes that a record is reserved from.
    key
        The column that names records in the report of the denied; else they go by file and row.
    time_zone
        The time zone of instants that have none, such as `Europe/Dublin`.
    at
        Another instant than the present one.
    position
        An older size of the ledger than all of it.
    policy
        A policy document instead of the policy last published.
    dry_run
        Only count; write nothing.
    canaries
        Plant so many records that must be denied, and fail if one passes.
    dataset
        Record in the ledger, under this name, what was built.
    memory
        The engine's limit, such as `1GiB`.
    threads
        How many threads to work with.
    engine
        What reads and copies the corpus.
    master
        Spark's master, such as `local[8]`, `local-cluster[2,1,1024]` or `spark://HOST:7077`; with `--engine spark`.
    into_table
        Make a table of the catalogue of the permitted records, beside `--into` for the rest; with `--engine spark`, whose
        sources may be `table:NAME` too.
    emit
        A copy of the permitted records; or a view, as SQL over a table whose columns are those of the sources.
    table
        The name of that table, such as `members.posts`; with `--emit view`.
    """
    if not sources:
        raise UsageError("expected the files of a corpus: names, globs or directories")
    if into is None and not dry_run:
        raise UsageError("expected `--into DIRECTORY` to write to, or `--dry-run`")
    flags = {
        "collected_at": collected_at, "category": category_column, "category_constant": category_constant, "territory": territory,
        "account": account, "reserved": reserved, "key": key, "time_zone": time_zone,
    }  # fmt: skip
    named = {name: value for name, value in flags.items() if value is not None}
    if columns is not None and (named or subject):
        raise UsageError("expected `--columns FILE` or flags that name columns, not both")
    mapped = columns or Columns(tuple(_subject(one) for one in subject), **named)
    if emit == "view":
        if table is None or into is None or engine != "duckdb" or dry_run or canaries or dataset is not None:
            raise UsageError("`--emit view` needs `--table NAME` and `--into DIRECTORY`, and no other way to write")
        with context.ledger() as ledger:
            told = publish_view(
                ledger, list(sources), table=table, into=into, purpose=purpose, recipient=recipient, columns=mapped,
                at=at, position=position, policy=policy,
            )  # fmt: skip
        context.answer(told | {"output": str(into)}, f"the gate of `{table}` is valid until {told['valid_until']}")
        context.note(f"written to {into}; it holds ids of people, who are not erased there: keep it as the ledger")
        return
    if table is not None:
        raise UsageError("`--table` is for `--emit view`")
    if engine == "spark":
        if memory is not None or threads is not None or dataset is not None:
            raise UsageError("`--memory`, `--threads` and `--dataset` are not for Spark; its settings are its own")
        with context.ledger() as ledger, context.progress() as tell, spark.session(master or "local[*]") as session:
            made = spark.gate(
                session, ledger, list(sources), purpose=purpose, recipient=recipient, columns=mapped, into=into,
                into_table=into_table, at=at, position=position, policy=policy, dry_run=dry_run, canaries=canaries,
                progress=tell,
            )  # fmt: skip
        _tell(made, context)
        return
    if master is not None or into_table is not None:
        raise UsageError("`--master` and `--into-table` are for `--engine spark`")
    with context.ledger() as ledger, context.progress() as tell:
        made = ledger.gate(
            list(sources), purpose=purpose, recipient=recipient, columns=mapped, into=into, at=at, position=position,
            policy=policy, dry_run=dry_run, canaries=canaries, dataset=dataset, memory=memory, threads=threads,
            progress=tell,
        )  # fmt: skip
    _tell(made, context)


def _tell(made: Gated[Any], context: Run) -> None:
    document = made.manifest | {"output": None if made.output is None else str(made.output)}
    context.answer(document, *_shown(made.manifest))
    if made.output is not None:
        context.note(f"written to {made.output}; check it again with: sayso verify {made.output}")


def _subject(text: str) -> SubjectColumn:
    """`COLUMN`, or `COLUMN:ROLE`."""
    column, colon, role = text.partition(":")
    return SubjectColumn(column, role if colon else None)


def _shown(manifest: dict[str, Any]) -> tuple[Text, Table]:
    """A manifest's counts, for people."""
    counts, use = manifest["counts"], manifest["use"]
    title = Text.assemble(
        (manifest["kind"], "bold"),
        f" for {use['purpose']} by {use['recipient']} at {use['at']}, "
        f"ledger at {manifest['looks'][-1]['position']}: ",
        (f"{counts['permitted']:,} permitted", "green"), ", ", (f"{counts['denied']:,} denied", "red"),
        f" of {counts['records']:,}",
    )  # fmt: skip
    table = Table("", "why", "records", "share", box=None, pad_edge=False)
    for side, style, found in (("permitted", "green", counts["by_ground"]), ("denied", "red", counts["by_reason"])):
        for word, count in sorted(found.items(), key=lambda item: -item[1]):
            table.add_row(Text(side, style), word, f"{count:,}", f"{count / max(counts['records'], 1):.1%}")
    return title, table
