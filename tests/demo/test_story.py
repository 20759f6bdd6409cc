"""What the demo prints at its end can be tried as it is printed, and its numbers add up."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from sayso.demo import story
from sayso.errors import UsageError

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_command_that_it_ends_with_works(tmp_path: Path) -> None:
    told = io.StringIO()
    folder = tmp_path / "a demo [bold]"
    story.tell(folder, Console(file=told, width=110), story.Size(members=600, records=6_000, files=2))
    text = told.getvalue()
    commands = [line.strip() for line in text.splitlines() if line.startswith("  sayso ")]
    assert len(commands) == 7
    for command in commands:
        ran = subprocess.run(
            ["/bin/bash", "-c", f'sayso() {{ "{sys.executable}" -m sayso "$@"; }}; {command}'],
            capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )  # fmt: skip
        assert ran.returncode == 0, f"{command}\n{ran.stderr}"
    assert (folder / "release-3" / "manifest.json").exists()
    assert (folder / "policy.html").read_text("utf-8").startswith("<!doctype html>")
    _adds_up(text)


def _adds_up(text: str) -> None:
    """What was permitted and is no more is denied: the changes by ground and reason cancel each other out."""
    by_outcome = text.partition("By ground or reason")[2].partition("Each denied record")[0]
    changes = re.findall(r"│ +([+-][\d,]+|=) │$", by_outcome, re.MULTILINE)
    assert len(changes) > 4
    assert sum(int(change.replace(",", "")) for change in changes if change != "=") == 0


@pytest.mark.parametrize(
    "size",
    [story.Size(members=0), story.Size(members=-1), story.Size(records=0), story.Size(seed=-1), story.Size(files=0)],
)
def test_a_platform_of_nobody_is_refused(tmp_path: Path, size: story.Size) -> None:
    with pytest.raises(UsageError, match="or there is nothing to tell"):
        story.tell(tmp_path / "demo", Console(file=io.StringIO()), size)
    assert not (tmp_path / "demo").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="cannot be made a folder: Not a directory"):
            story.tell(folder, Console(file=io.StringIO()))
