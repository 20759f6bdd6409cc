"""Every command and every line of Python in README.md and the pages of docs runs, and does what they show.

In a `console` block a line after `$` is a command, continued after a backslash; what follows must be in its output,
`…` standing for anything. A command exits with 0, or as `# exits with N` says.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from sayso.cli import exits
from sayso.cli.app import app
from tests.cli.conftest import Sayso
from tests.postgres import Server

ROOT = Path(__file__).parents[2]
MAKE = re.compile(r"make (\w+)")


class Shown(NamedTuple):
    """A command of a page, its exit code and what it is shown to print."""

    command: str
    code: int
    lines: list[str]


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def commands(text: str) -> list[Shown]:
    found: list[Shown] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                command, _, remark = line[2:].partition(" # ")
                code = re.fullmatch(r"exits with (\d+)", remark.strip())
                found.append(Shown(command.strip(), int(code[1]) if code else 0, []))
            elif line.strip():
                found[-1].lines.append(line.strip())
    return found


def expected(line: str) -> re.Pattern[str]:
    """What a shown line stands for: any amount of space, and anything for `…`."""
    words = [r".*".join(re.escape(part) for part in word.split("…")) for word in line.split()]
    return re.compile(r"\s+".join(words))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["README.md", "docs/cli.md", "docs/episodes.md", "docs/ledger.md", "docs/policy.md", "docs/proofs.md"]
)
def test_every_command_does_what_the_page_shows(name: str, sayso: Sayso, tour: Path) -> None:
    shown = commands(page(name))
    assert len(shown) > 1
    for command, code, lines in shown:
        if MAKE.fullmatch(command):
            assert f"\n{command.split()[1]}:" in page("Makefile")
            continue
        if command == "cd examples/tour":
            continue
        plain = command.startswith("sayso ") and not re.search(r" [|>] ", command)
        if plain:
            made = sayso(*shlex.split(command)[1:])
            found, exited = made.out + made.err, made.code
        else:
            ours = f'sayso() {{ "{sys.executable}" -m sayso "$@"; }}; {command}'
            ran = subprocess.run(
                ["/bin/bash", "-c", ours], capture_output=True, text=True, timeout=120, check=False,
                env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            )  # fmt: skip
            found, exited = ran.stdout + ran.stderr, ran.returncode
        assert exited == code, f"{command}\n{found}"
        for line in lines:
            assert expected(line).search(found), f"{command}\n{line}\n{found}"


@pytest.mark.slow
def test_every_command_of_the_page_on_postgresql_does_what_it_shows(server: Server, tour: Path) -> None:
    """In one shell, on a real server: `psql` is the one that came with it, and nothing is installed."""
    text = page("docs/postgres.md").replace("$ pip install", "$ true")
    script = ["set -u", f'sayso() {{ "{sys.executable}" -m sayso "$@"; }}', f'psql() {{ "{server.psql}" "$@"; }}']
    shown = commands(text)
    for number, one in enumerate(shown):
        script += [f"echo '== {number}'", one.command, 'echo "== exited with $?"']
    given = {"PYTHONPATH": str(ROOT / "src"), "DATABASE_URL": server.uri}
    ran = subprocess.run(
        ["/bin/bash", "-c", "\n".join(script)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        check=False, env={**os.environ, **given}, cwd=tour,
    )  # fmt: skip
    parts = re.split(r"^== \d+\n", ran.stdout, flags=re.MULTILINE)[1:]
    assert len(parts) == len(shown)
    for one, found in zip(shown, parts, strict=True):
        if one.code == 0 or "scrub" not in one.command:  # the server of the tests gives everything up
            assert f"== exited with {one.code}" in found, f"{one.command}\n{found}"
            for line in one.lines:
                assert expected(line).search(found), f"{one.command}\n{line}\n{found}"
        else:
            assert "all is gone" in found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["README.md", "docs/api.md", "docs/selections.md"])
def test_every_line_of_python_prints_what_the_page_shows(name: str, filled: Sayso, tour: Path) -> None:
    if name == "README.md":
        assert filled("choose", "objection", "--subject", "1", "--purpose", "generative-ai").code == 0
    blocks = re.findall(r"^```python\n(.*?)^```", page(name), re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks:
            exec(block, names)
    shown = [line.partition("  # ")[2] for block in blocks for line in block.splitlines() if "print(" in line]
    assert printed.getvalue().splitlines() == shown


def _help() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_help", ROOT / "docs" / "help.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["README.md", "docs/cli.md"])
def test_the_help_that_a_page_shows_is_that_of_the_commands(name: str) -> None:
    assert _help().written(page(name)) == page(name), "run `python docs/help.py`"


def test_the_page_shows_every_command() -> None:
    def all_commands() -> list[str]:
        found = []
        for name, command in app.resolved_commands().items():
            inner = [one for one in command.resolved_commands() if not one.startswith("-")]
            found += [f"{name} {one}" for one in inner]
            found += [name] if not inner or command.default_command is not None else []
        return [one for one in found if not one.startswith("-")]

    shown = re.findall(r"<!-- help:([a-z -]+) -->", page("docs/cli.md"))
    assert sorted(shown) == sorted(all_commands())


def test_the_page_says_every_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \|", page("docs/cli.md"), re.MULTILINE)
    codes = [value for name, value in vars(exits).items() if name.isupper()]
    assert sorted(map(int, rows)) == sorted(codes)
