"""The page on buckets: each of its commands does what it shows, and so does its Python; and no run of any tells a secret."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sayso.api import Ledger
from tests.cli.test_docs import ROOT, commands, expected, page
from tests.places.buckets import Bucket
from tests.places.server import KEY, SECRET, Server


@pytest.fixture
def lake(server: Server, environment: dict[str, str], corpus: Path) -> Bucket:
    made = Bucket("lake", server.client())
    made.client.create_bucket(Bucket="lake")
    made.put_tree("corpus", corpus)
    return made


@pytest.mark.slow
def test_the_page_on_buckets_does_what_it_shows(
    ledger: Ledger, tour: Path, lake: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.close()
    monkeypatch.chdir(tour)
    text = page("docs/remote.md")
    for command, code, lines in commands(text):
        ran = subprocess.run(
            ["/bin/bash", "-c", f'sayso() {{ "{sys.executable}" -m sayso "$@"; }}; {command}'],
            capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "200"},
        )  # fmt: skip
        found = ran.stdout + ran.stderr
        assert ran.returncode == code, f"{command}\n{found}"
        for line in lines:
            assert expected(line).search(found), f"{command}\n{line}\n{found}"
        assert not any(secret in found for secret in (KEY, SECRET))
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks:
            exec(block, {})
    shown = [line.partition("  # ")[2] for block in blocks for line in block.splitlines() if "print(" in line]
    assert printed.getvalue().splitlines() == shown
    for key in lake.listed():
        if key.endswith(".json"):
            assert not any(secret.encode() in lake.read(key) for secret in (KEY, SECRET, "lake", "s3:"))


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"AWS_SECRET_ACCESS_KEY": "wrong-but-secret"}, 9), ({"AWS_ACCESS_KEY_ID": "unknown-but-secret"}, 9),
     ({"AWS_ENDPOINT_URL": "http://who:secret@127.0.0.1:9"}, 9)],
    ids=["secret", "key", "network"],
)  # fmt: skip
def test_what_is_refused_has_its_exit_code_and_tells_no_secret(
    ledger: Ledger, tour: Path, bucket: Bucket, changed: dict[str, str], code: int
) -> None:
    ledger.close()
    command = [sys.executable, "-m", "sayso", "--json", "gate", bucket.at("corpus"), "--dry-run", "--columns", "corpus.yaml",
               "--purpose", "generative-ai", "--recipient", "platform"]  # fmt: skip
    ran = subprocess.run(
        command, cwd=tour, env={**os.environ, **changed}, capture_output=True, text=True, timeout=120, check=False
    )
    assert (ran.returncode, ran.stdout) == (code, "")
    assert '"kind": "RemoteError"' in ran.stderr
    assert bucket.at("corpus") in ran.stderr
    assert not any(secret in ran.stderr for secret in (KEY, SECRET, "secret"))
