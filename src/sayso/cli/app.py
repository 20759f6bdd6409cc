"""The command line as a whole: its commands, the global options, and how errors become exit codes."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Group, Parameter
from rich.console import Console

from sayso.cli import exits
from sayso.cli.choices import choose, lift, suspend
from sayso.cli.context import STDIN, Context, told
from sayso.cli.decisions import decide, explain
from sayso.cli.episodes import episodes
from sayso.cli.gate import gate
from sayso.cli.keeping import erase, fsck, keys, receipt
from sayso.cli.ledger import init
from sayso.cli.log import ledgers
from sayso.cli.policy import policies
from sayso.cli.stories import demo
from sayso.cli.verifying import verify
from sayso.errors import EngineError, InputError, Problem, SaysoError, UsageError

LEDGER = "sayso.ledger"
"""Where the ledger is if nobody says it."""
_LEAST_WIDTH = 20


def _shown(value: Any) -> str | None:
    """A default as help shows it: none where leaving out an option means that nothing is said."""
    return None if value in (None, False, ()) else str(getattr(value, "value", value))


app = App(
    name="sayso",
    help="""Decides which records may be used to train AI, from a policy as code, a ledger of choices and a corpus.

Anything unknown, unreadable or failing denies. A first look: `sayso demo`. A first ledger: `sayso init`, then
`sayso policy publish FILE`, then `sayso ledger import FILE`, then `sayso gate`.
""",
    help_format="markdown",
    version=lambda: version("sayso"),
    default_parameter=Parameter(negative=(), show_default=_shown),
)
app.meta.group_parameters = Group("Global options", sort_key=100)

_ASKING = Group("Ask", sort_key=2)
_RECORDING = Group("Record", sort_key=1)
_TRYING = Group("Try", sort_key=3)
for _command, _group in (
    (init, _RECORDING), (policies, _RECORDING), (ledgers, _RECORDING), (choose, _RECORDING), (suspend, _RECORDING),
    (lift, _RECORDING), (erase, _RECORDING), (receipt, _RECORDING), (keys, _RECORDING), (fsck, _RECORDING), (decide, _ASKING), (explain, _ASKING), (gate, _ASKING), (verify, _ASKING),
    (episodes, _TRYING), (demo, _TRYING),
):  # fmt: skip
    if isinstance(_command, App):
        _command.group = (_group,)
        app.command(_command)
    else:
        app.command(_command, group=_group)
app.register_install_completion_command(add_to_startup=False)


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    ledger: Annotated[str, Parameter(env_var="SAYSO_LEDGER")] = LEDGER,
    json: bool = False,
) -> int:
    """Parses the global options, then runs the command.

    Parameters
    ----------
    ledger
        The file of the ledger, or a URL such as `postgresql://user@host/database`.
    json
        Answer in JSON on stdout, and tell errors in JSON on stderr.
    """
    context = _context(ledger, json=json, named=ledger is not LEDGER)
    try:
        command, bound, ignored = app.parse_args(_with_stdin(tokens), exit_on_error=False, print_error=False)
        extra: dict[str, Any] = {"context": context} if "context" in ignored else {}
        return command(*bound.args, **bound.kwargs, **extra) or exits.OK
    except CycloptsError as error:
        return _failed(_usage(error), context)
    except SaysoError as error:
        return _failed(error, context)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `sayso` with arguments, by default those of the process. Returns the exit code; no error leaves it."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    _prepare_streams()
    try:
        code = app.meta(given, console=_Console(), exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        return _failed(_usage(error), _context("", json="--json" in given))
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        return _unwritten()
    except OSError as error:
        problem = Problem(f"cannot be read or written: {error.strerror}", error.filename or "standard output")
        code = exits.INPUT if error.filename else _unwritten()
        told(InputError(problem), code, _context("", json="--json" in given))
        return code
    except MemoryError:
        return _failed(EngineError("out of memory; ask for less at once"), _context("", json="--json" in given))
    return int(code or exits.OK)


def _prepare_streams() -> None:
    """Makes every stream one that can be written to, whatever the process was started with."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed; else the next file to be opened would take its place, and be written to
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper) and name != "stdin":
            stream.reconfigure(errors="backslashreplace")  # what a terminal cannot show is no reason to fail


def _unwritten() -> int:
    """After output that could not be written: what is left of it goes nowhere, or Python complains at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exits.CLOSED


def _with_stdin(tokens: Sequence[str]) -> list[str]:
    """The tokens with standard input named for each `-` that is an argument by itself, and no option's value."""
    before = ("", *tokens)
    return [
        str(STDIN) if one == "-" and not last.startswith("--") else one
        for last, one in zip(before, tokens, strict=False)
    ]


def _usage(error: CycloptsError) -> UsageError:
    text = str(error)
    return UsageError(f"{text[:1].lower()}{text[1:]} See `sayso --help`.")


def _failed(error: SaysoError, context: Context) -> int:
    code = exits.code_of(error)
    told(error, code, context)
    return code


class _Console(Console):
    """A console that tells when its reader went away, where rich would end the process with 1, and is never so narrow
    that panels of help have no room for a letter: they would be laid out for ever.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.width = max(self.width, _LEAST_WIDTH)

    def on_broken_pipe(self) -> None:
        """Raises BrokenPipeError."""
        raise BrokenPipeError


def _context(ledger: str, *, json: bool, named: bool = False) -> Context:
    def console(file: Any) -> Console:
        return _Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=True)

    return Context(ledger, json, console(sys.stdout), console(sys.stderr), sys.stdin, named)
