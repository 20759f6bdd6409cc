"""`sayso verify` tells what proves nothing (1) from what cannot be read (8), whatever it is; and who decides without keys hears of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sayso.cli import exits
from tests.cli.conftest import Sayso

KEY = ("--key", "sayso.ledger.keys/log.vkeys")
DECIDE = (
    "decide", "--purpose", "generative-ai", "--recipient", "platform", "--subject", "1", "--category", "posts",
    "--collected-at", "2025-03-01T12:00:00Z",
)  # fmt: skip


@pytest.mark.parametrize("given", ["none", "folder", "binary", "other"])
def test_what_cannot_be_read_has_one_exit_code(filled: Sayso, tour: Path, given: str) -> None:
    (tour / "folder").mkdir()
    (tour / "binary").write_bytes(b"\xff\xfe")
    (tour / "other").write_text('{"a": 1}')
    for asked in (
        ["verify", given],
        ["verify", "receipt", given, *KEY],
        ["verify", "proof", given, "posts.ndjson", *KEY],
    ):
        ran = filled(*asked, "--json")
        assert (ran.code, ran.out) == (exits.VERIFICATION, ""), asked
        assert ran.error["kind"] == "VerificationError"


def test_what_can_be_read_and_proves_nothing_has_another(filled: Sayso, tour: Path) -> None:
    assert filled("choose", "objection", "--subject", "1", "--source", "form").code == exits.OK
    assert filled("receipt", "10", "--into", "receipt.json").code == exits.OK
    assert filled("ledger", "prove", "1", "--into", "a.tlog-proof").code == exits.OK
    assert filled("verify", "receipt", "receipt.json", *KEY).code == exits.OK
    text = (tour / "receipt.json").read_text()
    (tour / "receipt.json").write_text(text.replace('"sig":"', '"sig":"AAAA'))
    ran = filled("verify", "receipt", "receipt.json", *KEY)
    assert (ran.code, ran.out[:10]) == (exits.NO, "not proved")
    ran = filled("verify", "proof", "a.tlog-proof", "posts.ndjson", *KEY)
    assert (ran.code, ran.out[:10]) == (exits.NO, "not proved")
    assert filled("verify", "proof", "a.tlog-proof", "none", *KEY).code == exits.VERIFICATION


def test_who_decides_without_any_keys_hears_of_it_once(filled: Sayso, tour: Path) -> None:
    assert filled(*DECIDE).err == ""
    shutil.move("sayso.ledger.keys", "kept")
    ran = filled(*DECIDE)
    assert (ran.code, ran.out.splitlines()[0]) == (exits.OK, "permitted: not-objected")
    assert ran.err.count("there are no keys in sayso.ledger.keys") == 1
    assert "older than one that was seen" in ran.err
    told = filled(*DECIDE, "--json")
    assert (told.code, told.err) == (exits.OK, "")


def test_a_directory_of_keys_elsewhere_is_no_want_of_keys(
    filled: Sayso, tour: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.move("sayso.ledger.keys", "kept")
    monkeypatch.setenv("SAYSO_KEYS", "kept")
    assert filled(*DECIDE).err == ""
