"""The command line, `sayso` (`docs/cli.md`). Thin: parse, call, print."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `sayso` with arguments, by default those of the process. Returns the exit code."""
    from sayso.cli.app import main as run

    return run(arguments)
