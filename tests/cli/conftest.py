"""The command line in this process, in a directory of the test's own."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sayso.cli import main
from tests.tour import copied


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The error on stderr, as JSON."""
        return json.loads(self.err)["error"]


Sayso = Callable[..., Ran]


@pytest.fixture
def tour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = copied(tmp_path)
    monkeypatch.chdir(directory)
    monkeypatch.delenv("SAYSO_LEDGER", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    return directory


@pytest.fixture
def sayso(tour: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Sayso:
    def run(*arguments: str, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = main(arguments)
        found = capsys.readouterr()
        return Ran(code, found.out, found.err)

    return run


@pytest.fixture
def filled(sayso: Sayso) -> Sayso:
    """The same, with the example's ledger."""
    for arguments in (
        ["init"], ["policy", "publish", "policy.yaml"], ["ledger", "import", "--map", "tables.yaml"],
        ["ledger", "import", "events.ndjson"],
    ):  # fmt: skip
        assert sayso(*arguments).code == 0
    return sayso
