"""`sayso init` and `sayso ledger`: making a ledger, filling it, and reading it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from sayso.cli.context import Run
from sayso.errors import EventError, UsageError

ledgers = App(name="ledger", help="Fill a ledger with what happened, and read it.", help_format="markdown")


def init(*, id_type: Literal["int64", "string", "uuid"] = "int64", origin: str | None = None, context: Run) -> None:
    """Make a new, empty ledger at the path that `--ledger` names, and its keys beside it, or where `SAYSO_KEYS` says.

    For example:

    ```
    sayso init
    sayso init --ledger people.ledger --id-type uuid --origin example.com/people
    ```

    Parameters
    ----------
    id_type
        What the ids of people, accounts and organisations are. It is fixed for good.
    origin
        The name of the ledger's log, best the address at which it will be published, without `https://`. Also for good.
    """
    from sayso.api import init_ledger

    with init_ledger(context.path, id_type, origin=origin) as ledger:
        document = {"ledger": str(context.path), "id_type": id_type, "origin": ledger.log.origin}
    context.answer(document, f"made {context.path}, for ids of type {id_type}")
    context.note("next: sayso policy publish FILE, then sayso ledger import FILE")


@ledgers.command(name="import")
def import_(
    *files: Path,
    map_file: Annotated[Path | None, Parameter(name="--map")] = None,
    batch: int | None = None,
    from_line: int = 1,
    context: Run,
) -> None:
    """Append events from NDJSON and Parquet files, or from the tables that a map file names.

    All of it is imported or none, unless `--batch` is given. Every bad line is told of, with its number. The forms are
    in docs/ledger.md. For example:

    ```
    sayso ledger import events.ndjson
    sayso ledger import --map tables.yaml
    ```

    Parameters
    ----------
    files
        Files of events: `.ndjson`, `.jsonl`, `.parquet`.
    map_file
        A map file that says how to read member and toggle tables. An "off" becomes a refusal, a default "on" nothing.
    batch
        Commit every so many events, each batch whole by itself.
    from_line
        Begin the first file at this line, where an import in batches failed.
    """
    if (map_file is None) == (not files):
        raise UsageError("expected files of events, or `--map FILE`, and not both")
    with context.ledger() as ledger, context.progress() as tell:
        expected = None if map_file is not None else _lines(files)

        def progress(done: int) -> None:
            tell("importing", done, expected or done)

        if map_file is not None:
            made = ledger.import_map(map_file, batch=batch, progress=progress)
        else:
            made = ledger.import_events(files, batch=batch, from_line=from_line, progress=progress)
    document = {"events": made.events, "start": made.start, "stop": made.stop}
    context.answer(document, f"imported {made.events:,} event{'' if made.events == 1 else 's'}, at positions {made.start} to {made.stop - 1}"
                   if made.events else "imported nothing: there was nothing to import")  # fmt: skip


@ledgers.command
def append(event: Path, /, *, context: Run) -> None:
    """Append one event, a JSON document in a file or on standard input.

    For example:

    ```
    echo '{"kind": "notice.published", "notice": "ai-notice", "version": "1"}' | sayso ledger append -
    ```

    Parameters
    ----------
    event
        The file, or `-` for standard input.
    """
    document = context.read_json(event)
    if not isinstance(document, dict):
        raise EventError("expected an event, a JSON object with a `kind`")
    with context.ledger() as ledger:
        made = ledger.append(document)
    context.answer(recorded_json(made), f"recorded at position {made.position}")


@ledgers.command
def show(
    *,
    start: Annotated[int, Parameter(name="--from")] = 0,
    stop: Annotated[int | None, Parameter(name="--to")] = None,
    kind: str | None = None,
    context: Run,
) -> None:
    """Print the ledger's events, in order. They hold ids of people: mind where you send them.

    With `--json` each event is one line of JSON. For example:

    ```
    sayso ledger show --from 100 --to 120
    sayso ledger show --kind suspension.opened
    ```

    Parameters
    ----------
    start
        The first position; the first event of a ledger has position 0.
    stop
        The position before which to stop; the head if left out.
    kind
        Only events of this kind, such as `choice.recorded`.
    """
    if start < 0 or (stop is not None and stop < start):
        raise UsageError(f"expected positions from 0 on, the first before the last, got `{start}` and `{stop}`")
    with context.ledger() as ledger:
        found = (one for one in ledger.show(start, stop) if kind is None or one["kind"] == kind)
        if context.json:
            for one in found:
                context.emit(one)
            return
        for one in found:
            context.out.print(f"{one['position']:>8}  {one['recorded_at'][:19]}Z  {one['kind']:<20}  {_short(one)}")
        context.note(f"{ledger.head.size:,} events in {context.path}")


def recorded_json(made: Any) -> dict[str, Any]:
    """Where an event was recorded, as JSON."""
    from sayso import instant

    return {"position": made.position, "recorded_at": instant.format(made.recorded_at)}


def _lines(files: tuple[Path, ...]) -> int | None:
    """How many events there are in files, where that is quick to tell."""
    import pyarrow.parquet as pq

    total = 0
    for file in files:
        try:
            if file.suffix.lower() in (".parquet", ".pq"):
                total += pq.read_metadata(file).num_rows
            else:
                with file.open("rb") as lines:
                    total += sum(piece.count(b"\n") for piece in iter(lambda: lines.read(1 << 20), b""))
        except (OSError, ValueError):  # the import itself tells of it
            return None
    return total


def _short(one: dict[str, Any]) -> str:
    """What an event says, in a line."""
    if one.get("erased"):
        return "(erased)"
    said = []
    for name, value in one.items():
        if name == "document":
            said.append(f"{len(value['versions'])} versions")
        elif name not in ("position", "recorded_at", "kind", "v"):
            said.append(f"{name}={_text(value)}")
    return " ".join(said)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_text(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        shown = [_text(part) for part in value[:6]] + (["…"] if len(value) > 6 else [])
        return "[" + ", ".join(shown) + "]"
    return str(value)
