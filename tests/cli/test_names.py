"""Names that are odd: of bytes that are no text, with a NUL, of the directory at hand, and of what is elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sayso.cli import exits
from tests.cli.conftest import Sayso

GATE = ("gate", "posts.ndjson", "--purpose", "generative-ai", "--recipient", "platform", "--columns", "corpus.yaml")


def test_a_backup_may_have_a_name_that_is_no_text(filled: Sayso, tour: Path) -> None:
    made = filled("ledger", "backup", "b\udcff.ledger")
    assert (made.code, made.err) == (exits.OK, "")
    shutil.copytree("sayso.ledger.keys", "b\udcff.ledger.keys")
    assert filled("--ledger", "b\udcff.ledger", "fsck").code == exits.OK
    assert not list(tour.glob("*.partial"))


@pytest.mark.parametrize(
    "given",
    [
        ["ledger", "backup", "a\0b"],
        ["ledger", "export", "a\0b"],
        ["ledger", "move", "a\0b"],
        ["ledger", "prove", "1", "--into", "a\0b"],
        ["ledger", "restore", "a\0b"],
        ["ledger", "import", "a\0b"],
        ["policy", "check", "a\0b"],
        ["--ledger", "a\0b", "ledger", "show"],
        [*GATE, "--into", "a\0b"],
        [*GATE, "--into", "out", "--since", "a\0b"],
        ["verify", "a\0b"],
    ],
)
def test_a_name_with_a_nul_is_no_traceback(filled: Sayso, given: list[str]) -> None:
    ran = filled(*given)
    assert ran.code in (exits.USAGE, exits.INPUT)
    assert ran.err.startswith("sayso: ")


def test_the_directory_at_hand_has_a_name(filled: Sayso) -> None:
    ran = filled(*GATE, "--into", ".")
    assert (ran.code, ran.err) == (exits.INPUT, "sayso: the output `.` is there already; name another, or remove it\n")


@pytest.mark.parametrize(
    "named", ["{tour}/theirs/manifest.json", "{tour}/theirs", "theirs/manifest.json", "{tour}/none"]
)
def test_of_a_manifest_that_is_not_ours_it_is_not_told_where_it_is(filled: Sayso, tour: Path, named: str) -> None:
    (tour / "theirs").mkdir()
    for manifest in (
        {"name": "an app", "inputs": ["/srv/secret"]},
        {"form": "sayso/manifest/1", "looks": "/srv/secret"},
    ):
        (tour / "theirs/manifest.json").write_text(json.dumps(manifest))
        ran = filled(*GATE, "--into", "out", "--since", named.format(tour=tour))
        assert ran.code == exits.INPUT
        assert str(tour) not in ran.err
        assert "/srv" not in ran.err
        assert "leave out `--since`" in ran.err
        assert "`theirs`" in ran.err or "`none`" in ran.err


def test_a_manifest_at_hand_may_be_taken_from(filled: Sayso, tour: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert filled(*GATE, "--into", "first").code == exits.OK
    monkeypatch.chdir(tour / "first")
    monkeypatch.setenv("SAYSO_LEDGER", str(tour / "sayso.ledger"))
    ran = filled(
        *GATE[:1], "../posts.ndjson", *GATE[2:-1], "../corpus.yaml", "--into", "../next", "--since", "manifest.json"
    )
    assert ran.code == exits.OK, ran.err
    (tour / "first/manifest.dsse.json").unlink()
    ran = filled(
        *GATE[:1], "../posts.ndjson", *GATE[2:-1], "../corpus.yaml", "--into", "../other", "--since", "manifest.json"
    )
    assert "the signed manifest in `first` cannot be read: No such file" in ran.err
