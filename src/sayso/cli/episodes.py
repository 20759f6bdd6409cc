"""`sayso episode`: answering the questions of an episode by the reference and by the gate."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App
from rich.table import Table
from rich.text import Text

from sayso.cli import exits
from sayso.cli.context import Run

episodes = App(
    name="episode", help="Tell what happened to a platform, and check what was permitted when.", help_format="markdown"
)


@episodes.command
def run(file: str, /, *, context: Run) -> int:
    """Answer each question of an episode by the reference and by the gate.

    Exits with 1 if they differ from each other or from what is expected. For example:

    ```
    sayso episode run linkedin
    sayso --json episode run my.episode.yaml
    ```

    Parameters
    ----------
    file
        The episode, YAML; or the name of one that is shipped: `linkedin` or `meta`.
    """
    from sayso import wiring
    from sayso.episode.run import run_episode
    from sayso.episode.sagas import SAGAS

    path = SAGAS.get(file, Path(file))
    report = run_episode(
        path, engine=wiring.engine(), open_ledger=lambda place, ids, now: wiring.create(place, ids, now=now)
    )
    table = Table("", "question", "expected", "reference", "gate", box=None)
    for one in report.answered:
        mark = Text("ok", style="green") if one.passed else Text("FAILED", style="bold red")
        said = (one.question.outcome, one.reference.outcome, one.gate.outcome)
        table.add_row(mark, f"{one.question.line}: {one.question.ask}", *(outcome.word for outcome in said))
    count = f"{len(report.answered) - len(report.failed)} of {len(report.answered)} questions answered as expected"
    context.answer(report.to_json(), Text(report.title), table, Text(count))
    return exits.OK if report.passed else exits.NO
