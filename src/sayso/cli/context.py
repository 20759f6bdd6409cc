"""What every command is run with: the global options, the ledger that they name, and where answers go."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, TypeAlias

from cyclopts import Parameter
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from sayso.errors import InputError, Problem, SaysoError

if TYPE_CHECKING:
    from sayso.api import Ledger
    from sayso.wiring import Location


STDIN = Path("/dev/stdin")
"""What a command is given for `-`."""
MOST_BYTES = 16 << 20
"""The most that is read of a record or an event."""


@dataclass(frozen=True)
class Context:
    """The global options and the streams. With `json` an answer is one JSON document, and nothing else is printed."""

    where: str
    json: bool
    out: Console
    err: Console
    stdin: IO[str]
    named: bool = False
    """Whether the ledger was named, by `--ledger` or the environment, and is not merely the one that there may be."""

    @property
    def path(self) -> Location:
        """Where the ledger is."""
        from sayso.wiring import located  # slow to import, and help needs none

        return located(self.where)

    def ledger(self) -> Ledger:
        """The ledger that `--ledger` names, opened; use it in a `with` block."""
        from sayso.api import open_ledger

        opened = open_ledger(self.path)
        keys = opened.parts.keys
        if not keys.exist() and keys.last() is None:
            self.note(
                f"there are no keys in {keys.directory}: nothing tells whether this ledger is older than one that was "
                "seen, and nothing can be recorded in it; name their directory in SAYSO_KEYS"
            )
        return opened

    def unrecognised(self) -> Ledger:
        """The ledger that `--ledger` names, opened though it may be older than one that was seen, or damaged."""
        from sayso.api.ledger import open_unrecognised

        return open_unrecognised(self.path)

    def save(self, path: Path, text: str) -> None:
        """Writes a text to a file that is not there yet. Raises InputError."""
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except (OSError, ValueError) as error:  # the latter for a name that no file can have
            told = getattr(error, "strerror", None) or error
            raise InputError(Problem(f"cannot be written: {told}", file=str(path))) from error

    def answer(self, document: Any, *shown: RenderableType) -> None:
        """Prints an answer: as JSON if that was asked for, else as it is shown."""
        if self.json:
            self.emit(document)
            return
        for one in shown:
            self.out.print(one)

    def emit(self, document: Any) -> None:
        """Prints one JSON document on one line."""
        write_json(document, self.out)

    def write(self, text: str, *, escaped: str = "backslashreplace") -> None:
        """Prints a text as it is; a stream that is not UTF-8 gets ASCII, the rest `escaped`."""
        self.out.file.write(text if _speaks(self.out) else text.encode("ascii", escaped).decode("ascii"))

    def note(self, text: str) -> None:
        """A remark for people, on stderr; none with `--json`."""
        if not self.json:
            self.err.print(Text(text, style="dim"))

    def read(self, given: Path) -> str:
        """The text of a file, or of standard input for `-`. Raises InputError if it cannot be read, or is too large."""
        try:
            if given == STDIN:
                raw = getattr(self.stdin, "buffer", self.stdin).read(MOST_BYTES + 1)
            else:
                with given.open("rb") as file:
                    raw = file.read(MOST_BYTES + 1)
            text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        except (OSError, UnicodeDecodeError, ValueError) as error:
            reason = getattr(error, "strerror", None)
            if reason is None:
                reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            raise InputError(Problem(f"cannot be read: {reason}", file=str(given))) from error
        if len(raw) > MOST_BYTES:
            raise InputError(Problem(f"expected at most {MOST_BYTES >> 20} MiB, got more", file=str(given)))
        return text

    def read_json(self, given: Path) -> Any:
        """The JSON document in a file, or in standard input for `-`. Raises InputError with the place that is wrong."""
        return self.parse_json(self.read(given), str(given))

    def parse_json(self, text: str, file: str | None) -> Any:
        """The JSON document that a text writes. Raises InputError with the place that is wrong."""
        try:
            return json.loads(text, parse_constant=_no_number)
        except json.JSONDecodeError as error:
            problem = Problem(f"expected JSON: {error.msg.lower()}", file, error.lineno, error.colno)
            raise InputError(problem) from error
        except (ValueError, RecursionError) as error:
            reason = (
                "it is nested too deep" if isinstance(error, RecursionError) else "a number in it is none, or too long"
            )
            raise InputError(Problem(f"expected JSON that can be read: {reason}", file)) from error

    @contextmanager
    def progress(self) -> Iterator[Callable[[str, int, int], None]]:
        """A bar with rate and estimate, on a terminal only; takes the stage, and how many of how many are done."""
        if self.json or not self.err.is_terminal:
            yield lambda _stage, _done, _total: None
            return
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=self.err, transient=True) as bar:
            tasks: dict[str, TaskID] = {}

            def tell(stage: str, done: int, total: int) -> None:
                """A stage of which nothing is told but its beginning pulses until another one is told of."""
                if stage not in tasks:
                    tasks[stage] = bar.add_task(stage, total=None)
                for name, task in tasks.items():
                    if name != stage and bar.tasks[task].total is None:
                        bar.update(task, completed=1, total=1)
                if done:
                    bar.update(tasks[stage], completed=done, total=total)

            yield tell


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """The rate of late, or of all."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style="progress.data.speed")


Run: TypeAlias = Annotated[Context, Parameter(parse=False)]
"""A command's parameter for its context."""


def told(error: SaysoError, code: int, context: Context) -> None:
    """Prints an error on stderr, as people or programs read it."""
    if context.json:
        problems = error.problems if isinstance(error, InputError) else (Problem(str(error)),)
        document = {
            "error": {
                "kind": type(error).__name__,
                "exit_code": code,
                "problems": [problem_json(one) for one in problems],
            }
        }
        write_json(document, context.err)
        return
    for line in str(error).splitlines():
        context.err.print(Text.assemble(("sayso: ", "bold red"), line))


def write_json(document: Any, console: Console) -> None:
    """Prints one JSON document on one line; in ASCII where the stream is not UTF-8, or the text is no Unicode."""
    try:
        text = json.dumps(document, ensure_ascii=not _speaks(console))
        text.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair, from an argument or a file's name that is not UTF-8
        text = json.dumps(document)
    console.file.write(text + "\n")


def _speaks(console: Console) -> bool:
    """Whether a stream is UTF-8, or no stream of bytes at all."""
    return (getattr(console.file, "encoding", None) or "utf-8").lower().replace("_", "-") in ("utf-8", "utf8")


def _no_number(text: str) -> None:
    """`NaN` and infinities are no JSON, though Python reads them."""
    raise ValueError(text)


def problem_json(problem: Problem) -> dict[str, Any]:
    """A problem with its place and remedy, as JSON."""
    return {
        "message": problem.message,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "remedy": problem.remedy,
    }
