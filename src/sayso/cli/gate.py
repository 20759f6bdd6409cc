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
    into: Flag = None,
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
    emit: Literal["copy", "selection", "view"] = "copy",
    report: bool = False,
    resume: bool = False,
    since: Flag = None,
    dry_run: bool = False,
    canaries: int = 0,
    dataset: str | None = None,
    memory: str | None = None,
    threads: int | None = None,
    engine: Literal["duckdb", "spark"] = "duckdb",
    master: Flag = None,
    into_table: Flag = None,
    table: Flag = None,
    context: Run,
) -> None:
    r"""Let through the records of a corpus that may be used, and say why the rest may not.

    Reads Parquet, NDJSON and CSV. Writes a directory with the permitted records, a report of the denied ones (never
    their content), and a manifest, which appears only when all of it is there. With `--emit selection` no record is
    written again, only which rows of each file are permitted; with `--emit view` none is even read. Without `--at`, `--position` and
    `--policy` it is a release; with any of them a replay, which is marked as one. For example:

    ```
    sayso gate corpus/ --purpose generative-ai --recipient platform --columns corpus.yaml --into release
    sayso gate 'corpus/*.parquet' --purpose generative-ai --recipient platform --dry-run \
        --subject author:author --subject mentions:mentioned --category-column kind --collected-at written_at
    ```

    Parameters
    ----------
    sources
        Files, globs and directories; also in a bucket, as `s3://BUCKET/KEY`.
    purpose
        What the data is to be used for.
    recipient
        Who is to use it.
    into
        The directory, or `s3://BUCKET/PREFIX`, to make; it must not be there yet.
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
    emit
        `copy` writes the permitted records again; `selection` writes for each file only which rows they are in; `view` writes
        the gate as SQL over a table whose columns are those of the sources.
    report
        Report the denied records beside a selection too; beside a copy they always are.
    resume
        Go on where a gate was that was asked the same and was killed, if one was.
    since
        An output made before, or its manifest: what cannot have changed since is taken from it.
    dry_run
        Only count; write nothing.
    canaries
        Plant so many records that must be denied, and fail if one passes.
    dataset
        Record in the ledger, under this name, what was built.
    memory
        How much may be taken to decide and to write, such as `1GiB`, beside the snapshot.
    threads
        How many threads to work with.
    engine
        What reads and copies the corpus.
    master
        Spark's master, such as `local[8]`, `local-cluster[2,1,1024]` or `spark://HOST:7077`; with `--engine spark`.
    into_table
        Make a table of the catalogue of the permitted records, beside `--into` for the rest; with `--engine spark`, whose
        sources may be `table:NAME` too.
    table
        The name of the table that a view is over, such as `members.posts`; with `--emit view`.
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
    asked: dict[str, Any] = {
        "purpose": purpose, "recipient": recipient, "columns": mapped, "into": into, "at": at, "position": position,
        "policy": policy,
    }  # fmt: skip
    counting: dict[str, Any] = {"dry_run": dry_run, "canaries": canaries}
    here: dict[str, Any] = {
        "report": report, "resume": resume, "since": since, "dataset": dataset, "memory": memory, "threads": threads,
    }  # fmt: skip
    only_here = [f"--{name}" for name, value in here.items() if value]
    if (table is not None) != (emit == "view"):
        raise UsageError("expected `--emit view` and `--table NAME` together")
    if engine != "spark" and (master is not None or into_table is not None):
        raise UsageError("`--master` and `--into-table` are for `--engine spark`")
    if table is not None:
        others = [*only_here, *[f"--{name.replace('_', '-')}" for name, value in counting.items() if value]]
        if into is None or engine != "duckdb" or others:
            given = f", got `{others[0]}`" if others else ""
            raise UsageError(f"expected `--emit view` with `--into DIRECTORY`, and no other way to write{given}")
        _publish(list(sources), table, asked, context)
    elif engine == "spark":
        if only_here or emit != "copy":
            given = only_here[0] if only_here else f"--emit {emit}"
            raise UsageError(f"`{given}` is not for Spark, whose settings are its own")
        with context.ledger() as ledger, context.progress() as tell, spark.session(master or "local[*]") as session:
            made: Gated[Any] = spark.gate(
                session, ledger, list(sources), into_table=into_table, progress=tell, **asked, **counting
            )  # fmt: skip
        _tell(made, context)
    else:
        with context.ledger() as ledger, context.progress() as tell:
            made = ledger.gate(
                list(sources),
                emit="selection" if emit == "selection" else "copy",
                progress=tell,
                **asked,
                **counting,
                **here,
            )
        _tell(made, context)


def _publish(sources: list[str], table: str, asked: dict[str, Any], context: Run) -> None:
    """Publishes the gate as a view over a table."""
    with context.ledger() as ledger:
        told = publish_view(ledger, sources, table=table, **asked)
    into = asked["into"]
    context.answer(told | {"output": str(into)}, f"the gate of `{table}` is valid until {told['valid_until']}")
    context.note(f"written to {into}; it holds ids of people, who are not erased there: keep it as the ledger")


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
