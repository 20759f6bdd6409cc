"""`sayso gate` and `verify`: permitted records out of a corpus, and whether an output is what its manifest says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

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
    emit: Literal["copy", "selection"] = "copy",
    report: bool = False,
    resume: bool = False,
    since: Flag = None,
    dry_run: bool = False,
    canaries: int = 0,
    dataset: str | None = None,
    memory: str | None = None,
    threads: int | None = None,
    context: Run,
) -> None:
    r"""Let through the records of a corpus that may be used, and say why the rest may not.

    Reads Parquet, NDJSON and CSV. Writes a directory with the permitted records, a report of the denied ones (never
    their content), and a manifest, which appears only when all of it is there. With `--emit selection` no record is
    written again, only which rows of each file are permitted. Without `--at`, `--position` and
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
        `copy` writes the permitted records again; `selection` writes for each file only which rows they are in.
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
    with context.ledger() as ledger, context.progress() as tell:
        made = ledger.gate(
            list(sources), purpose=purpose, recipient=recipient, columns=mapped, into=into, at=at, position=position,
            policy=policy, emit=emit, report=report, resume=resume, since=since, dry_run=dry_run, canaries=canaries, dataset=dataset, memory=memory, threads=threads,
            progress=tell,
        )  # fmt: skip
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
