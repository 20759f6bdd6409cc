"""The command line, `sayso` (`docs/cli.md`). Thin: parse, call, print."""

from __future__ import annotations

from collections.abc import Sequence

from sayso.cli.exits import INTERRUPTED


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `sayso` with arguments, by default those of the process. Returns the exit code."""
    try:
        from sayso.cli.app import main as run

        return run(arguments)
    except KeyboardInterrupt:  # while the program was still being loaded, or was ending
        return INTERRUPTED
