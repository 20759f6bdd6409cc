"""The ways in which `sayso gate` can write beside a copy, and what does not go together."""

from __future__ import annotations

from pathlib import Path

import pytest

from sayso.cli import exits
from tests.cli.conftest import Sayso

USE = ["--purpose", "generative-ai", "--recipient", "platform", "--columns", "corpus.yaml"]


def test_a_view_is_written_and_checked(filled: Sayso, tour: Path) -> None:
    ran = filled("gate", "posts.ndjson", *USE, "--emit", "view", "--table", "members.posts", "--into", "view", "--json")
    assert ran.code == 0
    assert (ran.json["emit"], ran.json["table"], ran.json["output"]) == ("view", "members.posts", "view")
    assert '"members"."posts"' in (tour / "view" / "permitted.duckdb.sql").read_text()
    assert filled("verify", "view").code == 0
    (tour / "view" / "snapshot" / "standing.parquet").unlink()
    assert filled("verify", "view").code in (exits.NO, exits.VERIFICATION)
    told = filled("gate", "posts.ndjson", *USE, "--emit", "view", "--table", "posts", "--into", "other")
    assert "ids of people" in told.err


@pytest.mark.parametrize(
    "flags",
    [
        ["--emit", "view", "--into", "out"],
        ["--emit", "view", "--table", "t", "--dry-run"],
        ["--emit", "view", "--table", "t", "--into", "out", "--engine", "spark"],
        ["--emit", "view", "--table", "t", "--into", "out", "--canaries", "4"],
        ["--table", "t", "--into", "out"],
        ["--master", "local[1]", "--into", "out"],
        ["--into-table", "t", "--into", "out"],
        ["--engine", "spark", "--into", "out", "--memory", "1GiB"],
        ["--engine", "spark", "--into", "out", "--threads", "2"],
        ["--engine", "spark", "--into", "out", "--dataset", "d"],
    ],
)
def test_what_does_not_go_together_is_told(filled: Sayso, tour: Path, flags: list[str]) -> None:
    ran = filled("gate", "posts.ndjson", *USE, *flags, "--json")
    assert ran.code == exits.USAGE
    assert not (tour / "out").exists()
