"""The examples of docs/ledger.md and spec/ledger.md run, and the specification names every kind and field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sayso.api import Ledger
from sayso.ledger.document import read
from sayso.ledger.events import KINDS
from sayso.ledger.identity import IdType
from sayso.ledger.mapfile import read_map

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/ledger.md").read_text(encoding="utf-8")
SPECIFICATION = (ROOT / "spec/ledger.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_examples_of_the_guide_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text((ROOT / "examples/tour/policy.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    Path("events.ndjson").write_text('{"kind":"subject.registered","subject":1}\n')
    Path("members.csv").write_text("member_id,joined,country,born\n2,2020-01-01,UK,1980\n")
    Path("settings.csv").write_text("member_id,genai_training,changed_at\n2,0,2025-01-01\n2,1,2024-01-01\n")
    Path("tables.yaml").write_text(blocks(GUIDE, "yaml")[0])
    printed: list[Any] = []
    names: dict[str, Any] = {"print": printed.append}
    for block in blocks(GUIDE, "python"):
        exec(block, names)
    assert printed == [2, 37, 1]
    ledger: Ledger = names["ledger"]
    assert ledger.head.size == 7
    ledger.close()


def test_the_events_of_the_guide_and_the_specification_read() -> None:
    examples = blocks(GUIDE, "json") + blocks(SPECIFICATION, "json")[:2]
    assert len(examples) == 3
    for example in examples:
        read(json.loads(example), IdType.INT64)


@pytest.mark.parametrize("text", [SPECIFICATION, GUIDE], ids=["specification", "guide"])
def test_the_maps_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "map.yaml").write_text(blocks(text, "yaml")[0], encoding="utf-8")
    assert read_map(tmp_path / "map.yaml").toggles


def test_the_specification_names_every_kind_and_field() -> None:
    table = SPECIFICATION.partition("| kind | fields |")[2].partition("\n\n")[0]
    rows = {
        name: row for row in table.splitlines() for name in re.findall(r"`([a-z]+\.[a-z-]+)`", row.partition(" | ")[0])
    }
    assert list(rows) == list(KINDS)
    common = {"v", "effective_at", "attested"}
    for kind, cls in KINDS.items():
        for field in msgspec.structs.fields(cls):
            mark = (
                "?" if not field.required and field.name not in {"subject", "organisation", "guardian", "agent"} else ""
            )
            assert field.name in common or f"`{field.encode_name}{mark}`" in rows[kind], (kind, field.name)
