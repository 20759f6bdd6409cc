"""Writes the commands' help into the pages that show it: `python docs/help.py`. A test says when that is due."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sayso.cli.app import app

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "cli.md")
WIDTH = 100
_SHOWN = re.compile(r"<!-- help:(?P<command>[a-z -]*) -->\n.*?<!-- end -->", re.DOTALL)


def helped(command: Sequence[str]) -> str:
    """The help of a command, as a terminal shows it."""
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, force_terminal=False, color_system=None, legacy_windows=False)
    app.meta([*command, "--help"], console=console, exit_on_error=False, result_action="return_value")
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).strip()


def written(page: str) -> str:
    """A page with the help that it shows brought up to date."""
    return _SHOWN.sub(
        lambda shown: (
            f"<!-- help:{shown['command']} -->\n```text\n{helped(shown['command'].split())}\n```\n<!-- end -->"
        ),
        page,
    )


def main() -> None:
    """Brings every page up to date."""
    for page in PAGES:
        before = page.read_text("utf-8")
        after = written(before)
        if after != before:
            page.write_text(after, "utf-8")
            sys.stdout.write(f"updated {page.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
