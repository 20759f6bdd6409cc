"""What is shipped and told: documents that are complete, a lock that is whole, a wheel with every file."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "sayso"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "spec").rglob("*.md")])


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_and_commands_of_a_page_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [link for link in links if link and not (path.parent / link).exists()] == []
    rules = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^\$ )make ([a-z]+)", text, re.MULTILINE)) <= rules


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "design").glob("*.md")), ids=name)
def test_a_decision_record_says_what_was_rejected_and_why(path: Path) -> None:
    text = path.read_text("utf-8")
    number = re.fullmatch(r"(\d{4})-[a-z0-9-]+\.md", path.name)
    assert number, "its name is NNNN-title.md"
    assert text.startswith(f"# {number[1]}. ")
    assert len(list(path.parent.glob(f"{number[1]}-*.md"))) == 1
    for part in ("context", "options", "decision", "rejected"):
        assert re.search(rf"^(\*\*|#+ ){part}", text, re.MULTILINE | re.IGNORECASE), f"it has no `{part}`"


def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## \[Unreleased\]$", text, re.MULTILINE)
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_one_command_is_all_that_ci_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text("utf-8").splitlines()[-1] == "exec make test"


# ── what is shipped ──────────────────────────────────────────────────────────────────────────────────────────────────


def locked() -> list[Requirement]:
    text = (ROOT / "requirements" / "lock.txt").read_text("utf-8").replace("\\\n", "")
    return [Requirement(line.split(" --hash=")[0]) for line in text.splitlines() if not line.startswith("#")]


def test_the_lock_has_a_hash_for_every_pin_and_no_address() -> None:
    text = (ROOT / "requirements" / "lock.txt").read_text("utf-8")
    assert "://" not in text
    for line in text.replace("\\\n", "").splitlines():
        assert re.search(r"==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line


UNLOCKED = {"torch"}
"""Gigabytes, and installed only by `make torch` (docs/design/0063-reading-through-a-selection.md)."""


def test_the_lock_keeps_within_the_bounds() -> None:
    project = PROJECT["project"]
    asked = [*project["dependencies"], *PROJECT["dependency-groups"]["dev"], *PROJECT["build-system"]["requires"]]
    asked += [line for extra in project["optional-dependencies"].values() for line in extra]
    pins: dict[str, list[str]] = {}
    for pin in locked():
        pins.setdefault(canonicalize_name(pin.name), []).append(next(iter(pin.specifier)).version)
    for line in asked:
        wanted = Requirement(line)
        if wanted.name not in {"sayso", *UNLOCKED}:
            versions = pins.get(canonicalize_name(wanted.name), [])
            assert versions, f"`{line}` is not locked; run `make lock`"
            assert all(version in wanted.specifier for version in versions), f"`{line}` is locked at {versions}"


def test_a_library_that_is_imported_is_a_dependency() -> None:
    modules = {"adbc_driver_manager": "adbc-driver-sqlite", "ruamel": "ruamel-yaml", "ibis": "ibis-framework"}
    project = PROJECT["project"]
    asked = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    known = {canonicalize_name(Requirement(line).name) for line in asked}
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            imported: list[str] = []
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported = [node.module]
            for full in imported:
                top = full.split(".")[0]
                if top not in sys.stdlib_module_names and top != "sayso":
                    library = canonicalize_name(modules.get(top, top))
                    found += [f"{name(path)} {full}"] if library not in known else []
    assert found == []


def test_the_wheel_holds_the_whole_package(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = set(archive.namelist())
        entries = next(archive.read(item).decode() for item in shipped if item.endswith("entry_points.txt"))
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {str(path.relative_to(PACKAGE.parent)) for path in files} == {
        item for item in shipped if item.startswith("sayso/")
    }
    assert "sayso/py.typed" in shipped
    assert {item.rsplit("/")[-1] for item in shipped} >= {"LICENSE", "NOTICE", "METADATA"}
    assert "sayso = sayso.cli:main" in entries
