"""The rules of the house that a linter cannot see: where things are, what they read, how they speak, what is shipped."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from token import tok_name as token_name

import pytest
from hypothesis import settings

import sayso.errors
from tests.searching import TIMES, searched

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "sayso"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
MODULES = sorted(PACKAGE.rglob("*.py"))
OURS = sorted([*MODULES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])

CORE = {"errors", "canonical", "instant", "territory", "policy", "ledger", "consent", "plan"}
EDGE = {"__init__", "__main__", "api", "cli", "demo", "engines", "places", "stores", "web", "wiring"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room(path: Path) -> str:
    """The room of a module: the first part of its path inside the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


# ── modules ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", OURS, ids=name)
def test_a_module_has_at_most_400_lines_and_says_why_it_changes(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400, "split it by its reasons to change"
    if text:
        assert ast.get_docstring(tree(path)), "a module's docstring says its one reason to change"


def test_every_folder_of_modules_is_a_package() -> None:
    """Without its `__init__`, a folder would be left out of coverage and of the import contracts."""
    assert {name(path.parent) for path in MODULES if not (path.parent / "__init__.py").exists()} == set()


def test_names_say_what_is_meant() -> None:
    vague = {"util", "utils", "helper", "helpers", "manager", "common", "base", "misc"}
    found = [name(path) for path in OURS if vague & set(path.stem.lower().split("_"))]
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                words = {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+", node.name)}
                found += [f"{name(path)}:{node.lineno} {node.name}"] if vague & words else []
    assert found == []


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(TODO|FIXME|HACK|for now|NotImplementedError)\b")  # the rule has to name them
    found = [name(path) for path in OURS if path != Path(__file__) and later.search(path.read_text("utf-8"))]
    assert found == []


def test_the_reference_decision_can_be_read_in_one_sitting() -> None:
    """Its lines of code, without comments and docstrings: about 150 (spec/architecture.md)."""
    words = {"NAME", "OP", "NUMBER", "FSTRING_MIDDLE"}
    with (PACKAGE / "policy" / "decide.py").open("rb") as source:
        code = {token.start[0] for token in tokenize.tokenize(source.readline) if token_name[token.type] in words}
    assert len(code) <= 160


def test_real_parts_are_tested() -> None:
    mocks = re.compile(r"^\s*(from|import) (unittest\.mock|unittest import mock|pytest_mock|mock)\b", re.MULTILINE)
    assert [name(path) for path in OURS if mocks.search(path.read_text("utf-8"))] == []


def test_no_property_keeps_torture_from_searching_longer() -> None:
    """A number of examples is given through `searched`, but for what is torture already."""
    given = re.compile(r"(?<!@pytest\.mark\.torture\n)^.*\bsettings\([^)]*max_examples=\d", re.MULTILINE)
    assert [name(path) for path in OURS if given.search(path.read_text("utf-8"))] == []


def test_torture_searches_longer_and_everybody_by_the_number_that_is_given() -> None:
    usual = settings.get_current_profile_name()
    try:
        for profile, times in (("dev", 1), ("ci", 1), ("torture", TIMES)):
            settings.load_profile(profile)
            assert searched(40).max_examples == 40 * times
    finally:
        settings.load_profile(usual)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "--hypothesis-profile=torture -m 'torture or hypothesis'" in makefile


# ── what the core may read ───────────────────────────────────────────────────────────────────────────────────────────

OUTSIDE = re.compile(
    r"""time\.(?!struct_time).+ | datetime\.(datetime|date)\.(now|utcnow|today) | os\.(environ|getenv|urandom|getrandom|getcwd).*
    | random\..+ | secrets\..+ | numpy\.random\..+ | uuid\.uuid[14] | sys\.(argv|stdin) | pathlib\.Path\.(cwd|home)
    | (socket|platform|getpass|locale)\..+ | ibis\.(now|today|random|uuid)""",
    re.VERBOSE,
)


def outside(module: ast.Module) -> Iterator[str]:
    """Each clock, environment and random source that a module reads, by its full name and line."""
    known: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            known |= {
                alias.asname or alias.name.split(".")[0]: alias.name if alias.asname else alias.name.split(".")[0]
                for alias in node.names
            }
        elif isinstance(node, ast.ImportFrom) and node.module:
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(module):
        parts: list[str] = []
        inner: ast.AST = node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and inner.id in known:
            full = ".".join([known[inner.id], *reversed(parts)])
            if OUTSIDE.fullmatch(full):
                yield f"{full} in line {inner.lineno}"


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) not in EDGE], ids=name)
def test_no_clock_environment_or_chance_below_the_edge(path: Path) -> None:
    assert list(outside(tree(path))) == [], "pass it in; time is an argument"


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.time()",
        "from time import perf_counter as clock\nclock()",
        "from datetime import UTC, datetime\ndatetime.now(UTC)",
        "import datetime as dt\ndt.date.today()",
        "import os\nos.environ['HOME']",
        "from os import environ\nenviron.get('HOME')",
        "import secrets\nsecrets.token_bytes(16)",
        "import numpy as np\nnp.random.default_rng()",
        "from uuid import uuid4\nuuid4()",
        "import ibis\nibis.now()",
    ],
)
def test_that_rule_sees_what_it_forbids(text: str) -> None:
    assert list(outside(ast.parse(text)))


def test_that_rule_lets_dates_be_read() -> None:
    assert not list(outside(ast.parse("from datetime import datetime\ndatetime.fromisoformat('2024-09-18T00:00:00Z')")))


# ── import directions ────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_room_imports_through_the_front_door() -> None:
    """`sayso` re-exports the public names and so stands above every room."""
    rooms = {room(path) for path in MODULES}
    found = []
    for path in MODULES:
        if path != PACKAGE / "__init__.py":
            for node in ast.walk(tree(path)):
                if isinstance(node, ast.ImportFrom) and node.module == "sayso":
                    found += [f"{name(path)}:{node.lineno}" for alias in node.names if alias.name not in rooms]
                elif isinstance(node, ast.Import):
                    found += [f"{name(path)}:{node.lineno}" for alias in node.names if alias.name == "sayso"]
    assert found == []


def test_every_room_of_the_architecture_has_a_layer() -> None:
    page = (ROOT / "spec" / "architecture.md").read_text("utf-8")
    rooms = set(re.findall(r"^\| `(\w+)/?` \|", page, re.MULTILINE))
    contracts = {contract["id"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}
    layers = set(re.findall(r"\w+", " ".join(contracts["rooms"]["layers"])))
    assert CORE - {"instant"} <= rooms
    assert rooms <= layers


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("errors", "import sayso.canonical", "No arrow points up"),
        ("policy/terms", "import sayso.ledger.facts", "No arrow points up"),
        ("ledger/entry", "import sayso.policy.terms", "No arrow points up"),
        ("unplaced", "import re", "No arrow points up"),
        ("ledger/entry", "import sqlalchemy", "Only stores know a database"),
        ("plan/gate", "import duckdb", "Only engines"),
        ("gate/mirror", "import boto3", "Only places"),
        ("policy/terms", "from cyclopts import App", "Only the command line"),
        ("consent/fold", "import ibis", "Relational expressions"),
        ("policy/terms", "import pyarrow", "Meaning needs no tables"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, module: str, line: str, contract: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "sayso", ignore=shutil.ignore_patterns("__pycache__"))
    changed = tmp_path / "sayso" / f"{module}.py"
    before = changed.read_text("utf-8") if changed.exists() else ""
    changed.write_text(f"{before}\n{line}\n", "utf-8")
    tool = [
        sys.executable,
        "-c",
        "import sys; from importlinter.cli import lint_imports_command as run; sys.exit(run())",
    ]
    done = subprocess.run(
        [*tool, "--no-cache", "--no-logo", "--config", ROOT / "pyproject.toml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    broken = re.findall(r"^(.+) BROKEN", done.stdout, re.MULTILINE)
    assert any(text.startswith(contract) for text in broken), done.stdout + done.stderr


def test_every_branch_of_the_core_counts() -> None:
    report = PROJECT["tool"]["coverage"]
    assert report["run"]["branch"] is True
    assert report["report"]["fail_under"] == 100
    left_out = {
        name(path) for path in MODULES if any(fnmatch(name(path), pattern) for pattern in report["run"]["omit"])
    }
    assert [path for path in left_out if Path(path).parts[2].removesuffix(".py") in CORE] == []


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_error_tree_is_drawn_as_it_is() -> None:
    def drawn(kind: type[Exception], depth: int = 0) -> Iterator[tuple[int, str]]:
        yield depth, kind.__name__
        for child in kind.__subclasses__():
            if child.__module__ == "sayso.errors":
                yield from drawn(child, depth + 1)

    lines = re.findall(r"^([│├└─ ]*)(\w+Error)\b", inspect.getdoc(sayso.errors) or "", re.MULTILINE)
    assert [(len(lead) // 4, kind) for lead, kind in lines] == list(drawn(sayso.errors.SaysoError))


def test_every_error_of_ours_is_in_the_tree() -> None:
    found = []
    for path in MODULES:
        if path != PACKAGE / "errors.py":
            classes = (node for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef))
            found += [
                f"{name(path)}:{node.lineno} {node.name}"
                for node in classes
                if re.search(r"(Error|Exception|Warning)$", node.name)
            ]
    assert found == []


def test_messages_begin_in_lower_case() -> None:
    kinds = {kind for kind, value in vars(sayso.errors).items() if inspect.isclass(value)}
    found = []
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds and node.args:
                first = node.args[0].values[0] if isinstance(node.args[0], ast.JoinedStr) else node.args[0]
                text = first.value if isinstance(first, ast.Constant) else ""
                if isinstance(text, str) and re.match(r"[A-Z][a-z]", text):
                    found.append(f"{name(path)}:{node.lineno} {text[:40]}")
    assert found == []


# ── public names ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_public_names_exist_are_sorted_and_documented() -> None:
    front = importlib.import_module("sayso")
    names = list(front.__all__)
    assert names == sorted(set(names))
    for public in names:
        value = getattr(front, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"`{public}` has no docstring"
