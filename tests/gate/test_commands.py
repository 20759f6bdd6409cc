"""`sayso gate` and `sayso verify` as `docs/gate.md` shows them: answers, exit codes, and no traceback whatever is given."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sayso import Columns, SubjectColumn, open_ledger
from sayso.cli import exits
from sayso.errors import SaysoError
from sayso.gate.columns import columns_from_yaml
from tests.cli import conftest as cli
from tests.cli.conftest import Sayso

filled, sayso, tour = cli.filled, cli.sayso, cli.tour

PAGE = (Path(__file__).parents[2] / "docs/gate.md").read_text("utf-8")
USE = ("--purpose", "generative-ai", "--recipient", "platform")
FLAGS = ("--subject", "author", "--category-column", "category", "--collected-at", "collected_at", "--key", "record_id")


@pytest.fixture
def corpus(tour: Path) -> Path:
    """The example's posts as the page's corpus: two files of Parquet."""
    rows = [json.loads(line) for line in (tour / "posts.ndjson").read_text("utf-8").splitlines()]
    names = {"id": "record_id", "kind": "category", "written_at": "collected_at"}
    table = pa.Table.from_pylist([{names.get(name, name): value for name, value in row.items()} for row in rows])
    (tour / "corpus").mkdir()
    for number, part in enumerate((table.slice(0, 5), table.slice(5))):
        pq.write_table(part, tour / "corpus" / f"part-{number}.parquet")
    return tour / "corpus"


def shown() -> list[str]:
    """Every command of the page, in its blocks and in its text."""
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line[2:] for line in lines if line.startswith("$ ")] + re.findall(r"`(sayso [^`]+)`", PAGE)


def test_every_command_of_the_page_runs(filled: Sayso, corpus: Path) -> None:
    commands = shown()
    assert len(commands) == 5
    for command in commands:
        ran = filled(*shlex.split(command)[1:])
        assert ran.code == exits.OK, (command, ran.err)
    out = corpus.parent / "out"
    assert sorted(one.name for one in out.iterdir()) == ["denied", "manifest.dsse.json", "manifest.json", "permitted"]


def test_the_mapping_of_the_page_is_one(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (tmp_path / "corpus.yaml").write_text(block, "utf-8")
    found = columns_from_yaml(tmp_path / "corpus.yaml")
    assert [subject.column for subject in found.subjects] == ["author", "recipients", "mentioned"]
    assert found.subjects[2].optional


def test_every_flag_of_the_page_is_one(sayso: Sayso) -> None:
    told = sayso("gate", "--help").out
    for flag in set(re.findall(r"--[a-z][a-z-]+", PAGE)) - {"--help"}:
        assert flag in told, flag


def test_answers_in_json(filled: Sayso, corpus: Path) -> None:
    ran = filled("gate", "corpus", *USE, *FLAGS, "--into", "out", "--canaries", "8", "--json")
    assert ran.code == exits.OK
    assert ran.json["output"] == "out"
    manifest = json.loads((corpus.parent / "out/manifest.json").read_text())
    assert {name: ran.json[name] for name in manifest} == manifest
    assert manifest["counts"]["records"] == 11
    verified = filled("verify", "out", "--inputs", "corpus", "--json")
    assert (verified.code, verified.json) == (exits.OK, {"ok": True, "signed": False, "differences": []})
    dry = filled("gate", "corpus/*.parquet", *USE, *FLAGS, "--dry-run", "--json")
    assert dry.json["counts"] == manifest["counts"]
    assert (dry.json["output"], dry.json["outputs"]) == (None, [])
    (corpus / "part-0.parquet").write_bytes(b"x")
    differs = filled("verify", "out", "--inputs", "corpus", "--json")
    assert differs.code == exits.NO
    assert [one["where"] for one in differs.json["differences"]] == ["input part-0.parquet"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["gate", "corpus", *USE, *FLAGS], exits.USAGE),
        (["gate", *USE, *FLAGS, "--dry-run"], exits.USAGE),
        (["gate", "corpus", *USE, *FLAGS, "--dry-run", "--columns", "corpus.yaml"], exits.USAGE),
        (["gate", "corpus", *USE, *FLAGS, "--dry-run", "--canaries", "-1"], exits.USAGE),
        (["gate", "corpus", *USE, *FLAGS, "--dry-run", "--position", "-1"], None),
        (["gate", "corpus", *USE, *FLAGS, "--dry-run", "--position", "99999"], None),
        (["gate", "corpus", *USE, *FLAGS, "--dry-run", "--at", "2025-01-01"], exits.INPUT),
        (["gate", "corpus", *USE, *FLAGS, "--dry-run", "--time-zone", "Europe"], exits.INPUT),
        (["gate", "corpus", *USE, *FLAGS, "--dry-run", "--category-constant", "posts"], exits.INPUT),
        (["gate", "corpus", *USE, *FLAGS, "--dry-run", "--territory", "none"], exits.INPUT),
        (["gate", "corpus", *USE, *FLAGS, "--dry-run", "--territory", "author"], exits.INPUT),
        (["gate", "corpus", *USE, *FLAGS, "--dry-run", "--reserved", "author"], exits.INPUT),
        (["gate", "corpus", *USE, *FLAGS, "--dry-run", "--policy", "none.yaml"], exits.INPUT),
        (["gate", "none", *USE, *FLAGS, "--dry-run"], exits.INPUT),
        (["gate", "a\0b", *USE, *FLAGS, "--dry-run"], exits.INPUT),
        (["gate", "policy.yaml", *USE, *FLAGS, "--dry-run"], exits.INPUT),
        (["gate", "corpus", *USE, *FLAGS, "--into", "corpus"], exits.INPUT),
        (["gate", "corpus", *USE, *FLAGS, "--into", "policy.yaml/out"], exits.INPUT),
        (["verify", "corpus"], exits.VERIFICATION),
        (["verify", "none"], exits.VERIFICATION),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_what_cannot_be_done_has_its_exit_code(
    filled: Sayso,
    corpus: Path,
    arguments: list[str],
    code: int | None,
    form: list[str],
) -> None:
    ran = filled(*arguments, *form)
    assert ran.code != exits.OK
    assert code is None or ran.code == code, ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""
    if form:
        assert ran.error["exit_code"] == ran.code


def test_unknown_terms_of_a_use_deny_everything(filled: Sayso, corpus: Path) -> None:
    for use in (
        ("--purpose", "none", "--recipient", "platform"),
        ("--purpose", "generative-ai", "--recipient", "none"),
    ):
        ran = filled("gate", "corpus", *use, *FLAGS, "--dry-run", "--json")
        assert ran.json["counts"]["by_reason"] == {"unreadable": 11}


def test_a_table_with_names_twice_is_told(filled: Sayso, corpus: Path) -> None:
    table = pq.read_table(corpus)
    columns = Columns((SubjectColumn("author"),), category="category", collected_at="collected_at")
    names: list[Any] = ["author" if name == "text" else name for name in table.column_names]
    with open_ledger("sayso.ledger") as ledger, pytest.raises(SaysoError, match="author"):
        ledger.gate(table.rename_columns(names), purpose="generative-ai", recipient="platform", columns=columns)
