"""Publishing a gate as a view: SQL over a table of the user's and the snapshot's tables, which lie beside it as Parquet.

Nothing is copied and nothing counted: whoever runs the SQL decides then, until the snapshot's `valid_until`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sayso.canonical import PREFIX, digest_file
from sayso.consent.reader import Reader
from sayso.errors import CorpusError, EngineError
from sayso.gate.engine import Engine, Question, View, Viewing
from sayso.gate.inputs import open_inputs
from sayso.gate.job import Job
from sayso.gate.looks import Look, asked, prepared
from sayso.gate.outcome import Outcome, look_of, second_look, stated
from sayso.gate.outcome import publish as put
from sayso.gate.place import place
from sayso.gate.snapshots import digested

SNAPSHOT = "snapshot"


def publish(
    job: Job, table: str, engine: Engine, viewing: Viewing, reader: Reader, *, now: Callable[[], int]
) -> Outcome:
    """Writes the gate of a table, whose columns are those of the job's inputs.

    Of the people whom the inputs name, those who were erased are denied as such, and of a use that asks for the
    account the combinations that they hold are answered; any other is denied. Raises as `run.run` does.
    """
    if job.output is None:
        raise CorpusError("expected a directory to write the view to")
    if job.canaries:
        raise CorpusError("canaries are planted among records, and a view has none; leave them out")
    reader.journal.keys.signing()
    with place(job.output) as work:
        log = reader.view(job.policy, job.position)
        look = look_of(job, log, reader, engine, now())
        _write(job, table, look, engine, viewing, reader, work)
        later = second_look(job, look, reader, engine, now) if job.release else None
        if later is not None:  # nothing was let through yet: what counts is what is known now
            look = later
            _write(job, table, look, engine, viewing, reader, work)
        told = stated(job, engine, look, None, outputs=_outputs(work)) | {"emit": "view", "table": table}
        put(work, job.output, told, reader.journal)
    return Outcome(told, job.output)


def _write(job: Job, table: str, look: Look, engine: Engine, viewing: Viewing, reader: Reader, work: Path) -> None:
    asked = prepared(look, _question(job, look, engine, reader, work), engine)
    # Tables of another snapshot, whose numbers mean something else, are not found by this name.
    mark = digested(asked.snapshot, {"snapshot": look.pinned.digest}).removeprefix(PREFIX)[:12]
    made = viewing(asked, table, f"sayso_{mark}_", look.pinned.valid_until, look.rules)
    try:
        _put(made, work)
    except (OSError, pa.ArrowException) as error:
        raise EngineError(f"could not write the output: {type(error).__name__}") from error


def _question(job: Job, look: Look, engine: Engine, reader: Reader, work: Path) -> Question:
    files = open_inputs(job.inputs, job.columns, engine, work / "staged")
    made, _ = asked(look, files, files[0].schema, job.columns, reader.journal.id_type)
    if not made.parts:
        raise CorpusError("expected an example of the table with records in it, got files that hold none")
    return made


def _put(made: View, work: Path) -> None:
    (work / SNAPSHOT).mkdir(exist_ok=True)
    for name, content in made.tables.items():
        pq.write_table(content, work / SNAPSHOT / f"{name}.parquet")
    for name, text in made.texts.items():
        (work / name).write_text(text, encoding="utf-8")


def _outputs(work: Path) -> list[dict[str, Any]]:
    """The texts, and the tables; of those that hold ids of people it is said."""
    tables = sorted((work / SNAPSHOT).glob("*.parquet"))
    told: list[dict[str, Any]] = [
        {"path": path.name, "kind": "view", "sha256": digest_file(path)} for path in sorted(work.glob("*.sql"))
    ]
    for path in tables:
        entry = {"path": f"{SNAPSHOT}/{path.name}", "kind": SNAPSHOT, "records": pq.read_metadata(path).num_rows}
        entry |= {"sha256": digest_file(path), "holds_ids": "subject" in pq.read_schema(path).names}
        told.append(entry)
    return told
