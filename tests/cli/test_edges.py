"""What a command line meets in the world: files of every wrong kind, streams that are closed or full, other encodings.

Never a traceback: an error that says what is wrong, and the exit code of `docs/cli.md`.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sayso.cli import exits
from sayso.cli.context import MOST_BYTES
from tests.cli.conftest import Sayso
from tests.unprivileged import anybody, read_only

ROOT = Path(__file__).parents[2]
USE = ("--purpose", "generative-ai", "--recipient", "platform")
RECORD = ("--subject", "1", "--category", "posts", "--collected-at", "2025-03-01T12:00:00Z")
DEEP = "[" * 100_000
BOMB = "a: &a [x, x]\n" + "".join(f"b{one}: &b{one} [*a, *a]\n" for one in range(9))
LARGE = "sayso: 1\n# " + "x" * (1 << 20)
FILES: dict[str, bytes] = {
    "binary": bytes(range(256)), "empty": b"", "nul": b"sayso: 1\0\n", "latin": b"title: \xe9\n",
    "deep": DEEP.encode(), "bomb": BOMB.encode(), "large": LARGE.encode(),
}  # fmt: skip


def run(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A command of a shell, in which `sayso` is the program itself; it exits as `sayso` does, also in a pipe."""
    ours = f'sayso() {{ "{sys.executable}" -m sayso "$@"; }}; {command}; exit ${{PIPESTATUS[0]}}'
    return subprocess.run(
        ["/bin/bash", "-c", ours], capture_output=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
    )  # fmt: skip


@pytest.mark.parametrize("kind", [*FILES, "none", "folder"])
def test_a_file_of_the_wrong_kind(filled: Sayso, tour: Path, kind: str) -> None:
    for ending in (".yaml", ".json", ".ndjson", ".parquet", ".csv"):
        place = tour / f"given{ending}"
        if kind == "folder":
            place.mkdir()
        elif kind != "none":
            place.write_bytes(FILES[kind])
    commands = [
        ["policy", "publish", "given.yaml"], ["policy", "diff", "policy.yaml", "given.yaml"],
        ["policy", "show", "given.yaml", *USE], ["decide", *USE, *RECORD, "--policy", "given.yaml"],
        ["ledger", "import", "--map", "given.yaml"], ["episode", "run", "given.yaml"],
        ["gate", "posts.ndjson", *USE, "--dry-run", "--columns", "given.yaml"],
        ["ledger", "append", "given.json"], ["decide", *USE, "given.json"], ["explain", *USE, "given.json"],
        ["ledger", "import", "given.parquet"],
    ]  # fmt: skip
    commands += [["ledger", "import", "given.ndjson"]] if kind != "empty" else []
    for command in commands:
        ran = filled(*command, "--json")
        assert (ran.code, ran.out) == (exits.INPUT, ""), command
        assert ran.error["problems"][0]["message"], command
        assert "given." in ran.error["problems"][0]["file"], command
    checked = filled("policy", "check", "given.yaml")
    assert checked.code == (exits.INPUT if kind in ("none", "folder") else exits.NO)
    assert filled("ledger", "show", "--from", "9").out.count("\n") == 1, "nothing was recorded"


def test_json_that_is_none(filled: Sayso, tour: Path) -> None:
    record = '{"subjects": [1], "category": "posts", "collected_at": "2025-03-01T12:00:00Z", "reserved": %s}'
    for value, message in (
        ("NaN", "a number in it is none, or too long"),
        ("9" * 10_000, "a number in it is none, or too long"),
        (DEEP, "it is nested too deep"),
        ("[] }{", "extra data"),
    ):
        assert message in filled("decide", *USE, record % value).err
        assert message in filled("decide", *USE, "-", stdin=record % value).err
    (tour / "large.json").write_bytes(b" " * (MOST_BYTES + 1))
    assert "expected at most 16 MiB, got more" in filled("decide", *USE, "large.json").err
    half = filled("decide", *USE, '{"subjects": ["\\ud800"], "category": "\\ud800"}', "--json")
    assert half.json["reason"] == "unreadable"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("none", "there is no ledger at"),
        ("folder", "there is no ledger at"),
        ("text", "it is not an SQLite file"),
        ("empty", "is an SQLite file, but no ledger"),
        ("database", "is an SQLite file, but no ledger"),
        ("newer", "which this version of sayso does not know; upgrade sayso"),
        ("cut", "is damaged; restore it from a backup"),
    ],
)
def test_a_ledger_that_is_none(filled: Sayso, tour: Path, made: str, message: str) -> None:
    place = tour / "other.ledger"
    whole = (tour / "sayso.ledger").read_bytes()
    match made:
        case "folder":
            place.mkdir()
        case "text":
            place.write_text("members: 40,000\n" * 100)
        case "empty":
            place.touch()
        case "cut":
            place.write_bytes(whole[:20_000])
        case "database" | "newer":
            place.write_bytes(whole if made == "newer" else b"")
            database = sqlite3.connect(place)
            database.execute(
                "UPDATE alembic_version SET version_num = '9999'" if made == "newer" else "CREATE TABLE members (id)"
            )
            database.commit()
            database.close()
    for command in (["ledger", "show"], ["decide", *USE, *RECORD], ["choose", "refusal", "--subject", "1"]):
        ran = filled("--ledger", "other.ledger", *command)
        assert (ran.code, ran.out) == (exits.STORE, "")
        assert message in ran.err


def test_a_ledger_that_another_process_holds(filled: Sayso, tour: Path) -> None:
    held = sqlite3.connect(tour / "sayso.ledger", isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    assert filled("ledger", "show", "--to", "1").code == 0, "who only reads does not wait"
    began = time.monotonic()
    ran = filled("choose", "refusal", "--subject", "1", "--json")
    assert time.monotonic() - began > 5
    assert (ran.code, ran.error["kind"]) == (exits.STORE, "StoreBusyError")
    held.execute("ROLLBACK")
    held.close()
    assert filled("choose", "refusal", "--subject", "1").code == 0


def test_a_ledger_that_may_not_be_written(filled: Sayso, tour: Path) -> None:
    assert filled("choose", "refusal", "--subject", "1").code == 0
    with read_only(tour) as closed, anybody():
        ran = filled("--ledger", str(closed / "sayso.ledger"), "choose", "refusal", "--subject", "1")
    assert (ran.code, "may not be written" in ran.err) == (exits.STORE, True)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["--help", "ledger show", "policy schema", "policy check policy.yaml"])
def test_a_reader_that_goes_away(filled: Sayso, command: str) -> None:
    ran = run(f"sayso {command} | true")
    assert (ran.returncode, ran.stderr) == (exits.CLOSED, b"")


@pytest.mark.slow
def test_streams_that_are_closed_or_full(filled: Sayso) -> None:
    yes, no = (" ".join(["decide", *USE, *RECORD[:1], one, *RECORD[2:]]) for one in ("1", "2"))
    assert run(f"sayso {yes} >&-").returncode == 0
    assert run(f"sayso {no} >&- 2>&- <&-").returncode == exits.NO
    for command in ("ledger show", "--json ledger show"):
        ran = run(f"sayso {command} > /dev/full")
        assert ran.returncode == exits.CLOSED
        assert b"No space left on device" in ran.stderr
        assert b"Traceback" not in ran.stderr


@pytest.mark.slow
def test_a_terminal_that_speaks_no_unicode(filled: Sayso, tour: Path) -> None:
    text = (tour / "policy.yaml").read_text("utf-8").replace("  profile:\n", "  profile: {title: Profil é 😀}\n")
    (tour / "titled.yaml").write_text(text, "utf-8")
    show = f"sayso policy show titled.yaml {' '.join(USE)}"
    plain = {"PYTHONIOENCODING": "latin-1"}
    page = run(f"{show} --format html", **plain)
    assert b"Profil &#233; &#128512;" in page.stdout
    assert json.loads(run(f"{show} --format json", **plain).stdout)["titles"] == {"profile": "Profil é 😀"}
    assert "Profil é 😀" in run(f"{show} --format html", PYTHONIOENCODING="utf-8").stdout.decode()
    assert run(show, **plain).returncode == 0
    assert b"+---" in run("sayso --help", **plain).stdout.replace(b"\n", b"")
    piped = """echo '{"subject": 1, "category": "pösts"}' | """
    record = subprocess.run(
        ["/bin/bash", "-c", f"{piped} {sys.executable} -m sayso decide {' '.join(USE)} -"], capture_output=True,
        timeout=60, check=False, env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "LC_ALL": "C", "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert (record.returncode, b"Traceback" in record.stderr) == (exits.NO, False)


@pytest.mark.slow
def test_bytes_that_are_no_text(filled: Sayso) -> None:
    for command, code in (
        ("policy check $'\\xff.yaml'", exits.INPUT), (f"decide {' '.join(USE)} --subject 1 --category $'\\xff'", exits.NO),
        ("choose refusal --subject 1 --source $'\\xff'", exits.INPUT),
    ):  # fmt: skip
        for option in ("", "--json "):
            ran = run(f"sayso {option}{command}")
            assert (ran.returncode, b"Traceback" in ran.stderr) == (code, False), ran.stderr
            if option:
                json.loads(ran.stdout or ran.stderr)


@pytest.mark.slow
def test_no_home_is_needed(filled: Sayso) -> None:
    ran = run(f"unset HOME; sayso gate posts.ndjson {' '.join(USE)} --columns corpus.yaml --dry-run")
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
def test_an_import_that_is_interrupted_keeps_nothing(filled: Sayso, tour: Path) -> None:
    lines = (json.dumps({"kind": "subject.registered", "subject": 1_000_000 + one}) for one in range(200_000))
    (tour / "many.ndjson").write_text("\n".join(lines))
    with subprocess.Popen(
        [sys.executable, "-m", "sayso", "ledger", "import", "many.ndjson"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    ) as running:  # fmt: skip
        journal = tour / "sayso.ledger-wal"
        until = time.monotonic() + 60
        while running.poll() is None and not journal.exists() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (exits.INTERRUPTED, b"", b"")
    assert filled("ledger", "show", "--from", "9").out.count("\n") == 1


@pytest.mark.slow
def test_a_log_is_kept_fresh_as_it_grows(filled: Sayso, tour: Path) -> None:
    def published() -> int:
        return int((tour / "public/checkpoint").read_text().split("\n")[1])

    with subprocess.Popen(
        [sys.executable, "-m", "sayso", "--json", "ledger", "export", "public", "--every", "0.1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    ) as running:  # fmt: skip
        assert running.stdout is not None
        before = json.loads(running.stdout.readline())["size"]
        assert published() == before
        for grown in (1, 2):
            assert filled("choose", "refusal", "--subject", "1").code == 0
            assert json.loads(running.stdout.readline()) | {"origin": ""} == {
                "size": before + grown, "added": 1, "origin": "",
            }  # fmt: skip
            assert published() == before + grown
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (exits.INTERRUPTED, "", "")
    assert filled("ledger", "export", "public", "--every", "0").code == exits.USAGE


@pytest.mark.parametrize("width", [1, 20, 40, 80, 200])
def test_a_terminal_of_any_width(filled: Sayso, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = filled("policy", "show", *USE)
    assert shown.code == 0
    assert "opt-out: notice ai-notice 2025-01, age 18" in shown.out
    for command in (["ledger", "show"], ["explain", *USE, *RECORD], ["--help"], ["policy", "diff", "--help"]):
        assert filled(*command).code == 0


def test_a_version_that_was_withdrawn_is_not_shown(filled: Sayso, tour: Path) -> None:
    later = "  - {id: later, announced: 2025-07-01T00:00:00Z, effective: 2100-01-01T00:00:00Z, rules: []}\n"
    (tour / "next.yaml").write_text((tour / "policy.yaml").read_text() + later)
    after = ("--at", "2100-06-01T00:00:00Z", "--json")
    assert filled("policy", "publish", "next.yaml").code == 0
    assert filled("policy", "show", *USE, *after).json["version"] == "later"
    assert filled("policy", "withdraw", "later", "--reason", "too much").code == 0
    shown = filled("policy", "show", *USE, *after).json
    assert (shown["version"], shown["withdrawn"]) == ("2025-01", ["later"])
    assert "withdrawn: later" in filled("policy", "show", *USE, *after[:2]).out
    assert "Versions withdrawn" in filled("policy", "show", *USE, *after[:2], "--format", "html").out
    alone = filled("policy", "show", "next.yaml", *USE, *after).json
    assert (alone["version"], alone["withdrawn"]) == ("later", [])
    beside = filled("policy", "show", "next.yaml", *USE, *after, "--ledger", "sayso.ledger").json
    assert beside["version"] == "2025-01"
