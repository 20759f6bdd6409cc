"""Every command, in this process: what it answers, in words and in JSON, and the exit code."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from sayso.cli import exits
from sayso.cli.context import Context
from sayso.cli.exits import code_of
from sayso.errors import (
    CanaryError,
    EngineError,
    PolicyError,
    SaysoError,
    StaleError,
    StoreBusyError,
    UsageError,
    VerificationError,
)
from tests.cli.conftest import Sayso

USE = ("--purpose", "generative-ai", "--recipient", "platform")
RECORD = ("--category", "posts", "--collected-at", "2025-03-01T12:00:00Z")


def test_init_makes_a_ledger_once(sayso: Sayso, tour: Path) -> None:
    made = sayso("init", "--id-type", "uuid", "--ledger", "people.ledger", "--json")
    assert made.json["origin"].startswith("sayso.invalid/people-")
    assert made.json == {"ledger": "people.ledger", "id_type": "uuid", "origin": made.json["origin"]}
    assert made.err == ""
    again = sayso("init", "--ledger", "people.ledger")
    assert (again.code, again.out) == (exits.STORE, "")
    assert again.err.startswith("sayso: `people.ledger` holds a ledger")


def test_the_ledger_may_be_named_by_the_environment(sayso: Sayso, tour: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAYSO_LEDGER", "elsewhere.ledger")
    assert sayso("init").code == 0
    assert (tour / "elsewhere.ledger").exists()


def test_policy_check(sayso: Sayso, tour: Path) -> None:
    good = sayso("policy", "check", "policy.yaml", "--json")
    assert (good.code, good.json["ok"], good.json["errors"]) == (0, True, [])
    (tour / "bad.yaml").write_text((tour / "policy.yaml").read_text().replace("mode: never", "mode: nevr"))
    bad = sayso("policy", "check", "bad.yaml")
    assert bad.code == exits.NO
    assert "bad.yaml:" in bad.out
    assert "`nevr`" in bad.out
    assert sayso("policy", "check", "bad.yaml", "--json").json["errors"][0]["line"] > 1
    assert sayso("policy", "check", "none.yaml").code == exits.INPUT
    sayso("init")
    published = sayso("policy", "publish", "bad.yaml", "--json")
    assert (published.code, published.error["kind"]) == (exits.INPUT, "PolicyError")


def test_policy_diff(sayso: Sayso, tour: Path) -> None:
    text = (tour / "policy.yaml").read_text()
    (tour / "looser.yaml").write_text(text.replace("[EEA, GB]", "[EEA, GB, JP]"))
    same = sayso("policy", "diff", "policy.yaml", "policy.yaml", "--fail-on-loosened")
    assert (same.code, same.out) == (0, "no difference in what anybody meets\n")
    looser = sayso("policy", "diff", "policy.yaml", "looser.yaml", "--fail-on-loosened", "--json")
    assert looser.code == exits.NO
    assert {(one["direction"], tuple(one["territories"])) for one in looser.json["changes"]} == {("loosened", ("JP",))}
    tighter = sayso("policy", "diff", "looser.yaml", "policy.yaml", "--fail-on-loosened")
    assert tighter.code == 0
    assert "tightened" in tighter.out
    before = ("--before-at", "2025-01-01T00:00:00Z")
    assert sayso("policy", "diff", "policy.yaml", "policy.yaml", *before, "--fail-on-loosened").code == exits.NO
    assert sayso("policy", "diff", "policy.yaml", "looser.yaml", "--at", "2025-01-01").code == exits.INPUT


def test_policy_show(filled: Sayso) -> None:
    shown = filled("policy", "show", *USE)
    assert "opt-out" in shown.out
    assert "ai-notice 2025-01" in shown.out
    named = filled("policy", "show", "policy.yaml", *USE, "--at", "2025-03-01T00:00:00Z", "--format", "json")
    assert (named.json["version"], named.json["at"]) == ("2025-01", "2025-03-01T00:00:00Z")
    assert filled("policy", "show", "policy.yaml", *USE, "--format", "html").out.startswith("<!")
    assert filled("policy", "show", "--purpose", "x", "--recipient", "platform").code == exits.INPUT
    assert filled("policy", "schema", "--json").json["title"] == "sayso policy"


def test_policy_show_without_a_policy(sayso: Sayso) -> None:
    sayso("init")
    assert sayso("policy", "show", *USE).code == exits.USAGE


def test_policy_withdraw(filled: Sayso, tour: Path) -> None:
    assert filled("policy", "withdraw", "2025-01", "--reason", "late").code == exits.INPUT
    later = "  - {id: later, announced: 2025-07-01T00:00:00Z, effective: 2100-01-01T00:00:00Z, rules: []}\n"
    (tour / "next.yaml").write_text((tour / "policy.yaml").read_text() + later)
    assert filled("policy", "publish", "next.yaml", "--json").json["new"] is True
    assert filled("policy", "publish", "next.yaml", "--json").json["new"] is False
    assert filled("policy", "withdraw", "later", "--reason", "too much", "--json").json["position"] == 11


def test_ledger_import_and_show(filled: Sayso, tour: Path) -> None:
    (tour / "more.ndjson").write_text('{"kind": "subject.registered", "subject": 8}\n{"kind": "subject.moved"}\n')
    bad = filled("ledger", "import", "more.ndjson", "--json")
    assert bad.code == exits.INPUT
    assert (bad.error["problems"][0]["file"], bad.error["problems"][0]["line"]) == ("more.ndjson", 2)
    (tour / "more.ndjson").write_text('{"kind": "subject.registered", "subject": 8}\n')
    assert filled("ledger", "import", "more.ndjson", "--json").json == {"events": 1, "start": 10, "stop": 11}
    assert "nothing to import" in filled("ledger", "import", "more.ndjson", "--from-line", "2").out
    assert filled("ledger", "import").code == exits.USAGE
    assert filled("ledger", "import", "more.ndjson", "--map", "tables.yaml").code == exits.USAGE
    assert filled("ledger", "import", "none.parquet").code == exits.INPUT
    lines = filled("ledger", "show", "--from", "9", "--json").out.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["choice.recorded", "subject.registered"]
    assert filled("ledger", "show", "--kind", "choice.recorded").out.count("\n") == 2
    assert filled("ledger", "show", "--from", "5", "--to", "2").code == exits.USAGE


def test_ledger_append(filled: Sayso) -> None:
    event = '{"kind": "subject.erased", "subject": 4}'
    assert filled("ledger", "append", "-", stdin=event).code == 0
    assert "(erased)" in filled("ledger", "show").out
    assert filled("ledger", "append", "-", stdin="{").code == exits.INPUT
    assert filled("ledger", "append", "-", stdin="[]").code == exits.INPUT
    assert filled("ledger", "append", "none.json").code == exits.INPUT


def test_a_choice_is_heard(filled: Sayso) -> None:
    ask = ("decide", *USE, "--subject", "1", *RECORD)
    before = filled(*ask)
    assert (before.code, before.out.splitlines()[0]) == (0, "permitted: not-objected")
    assert filled("choose", "objection", "--subject", "1", "--purpose", "ai-training").code == 0
    after = filled(*ask, "--json")
    assert (after.code, after.json["reason"], after.json["evidence"]["positions"]) == (exits.NO, "refused", [10])
    grant = ("--category", "posts", "--purpose", "generative-ai", "--recipient", "platform", "--notice", "ai-notice",
             "--notice-version", "2025-01", "--act", "said yes", "--where", "at the desk")  # fmt: skip
    assert filled("choose", "grant", "--subject", "1", *grant).code == 0
    assert filled(*ask, "--json").json["ground"] == "granted"
    assert filled(*ask, "--position", "10", "--json").json["ground"] == "not-objected"


@pytest.mark.parametrize(
    "arguments",
    [
        ["choose", "maybe", "--subject", "1"],
        ["choose", "grant", "--subject", "1", "--act", "clicked"],
        ["choose", "grant", "--subject", "1", "--notice", "ai-notice"],
        ["choose", "refusal", "--subject", "1", "--by", "guardian"],
        ["choose", "refusal", "--subject", "1", "--by", "friend:2"],
        ["suspend", "s", "--authority", "a", "--reason", "r", "--condition", "dpia"],
        ["lift", "s", "--evidence", "a=1", "--evidence", "a=2"],
        ["decide", *USE],
        ["decide", "-", *USE, "--subject", "1"],
        ["decide", "--colour", *USE],
        ["decide", "--purpose", "generative-ai"],
        ["gate", *USE, "--dry-run", "--columns", "corpus.yaml"],
        ["gate", "posts.ndjson", *USE, "--columns", "corpus.yaml"],
        ["gate", "posts.ndjson", *USE, "--dry-run", "--columns", "corpus.yaml", "--key", "id"],
        ["gate", "posts.ndjson", *USE, "--dry-run", "--columns", "corpus.yaml", "--dataset", "d"],
        ["gate", "posts.ndjson", *USE, "--dry-run", "--columns", "corpus.yaml", "--memory", "much"],
        ["gate", "posts.ndjson", *USE, "--dry-run", "--columns", "corpus.yaml", "--threads", "0"],
        ["gate", "posts.ndjson", *USE, "--dry-run", "--columns", "corpus.yaml", "--threads", "99999999999"],
        ["gate", "posts.ndjson", *USE, "--dry-run", "--columns", "corpus.yaml", "--canaries", "-1"],
        ["ledger", "import", "events.ndjson", "--batch", "0"],
        ["polcy"],
        ["policy", "chek"],
        ["init", "--id-type", "float"],
        ["--ledgr", "x", "init"],
    ],
)
def test_a_command_that_cannot_be_understood(filled: Sayso, arguments: list[str]) -> None:
    ran = filled(*arguments, "--json")
    assert (ran.code, ran.out) == (exits.USAGE, "")
    assert (ran.error["kind"], ran.error["exit_code"]) == ("UsageError", exits.USAGE)
    assert ran.error["problems"][0]["message"][0].islower() or ran.error["problems"][0]["message"][0] == "`"


def test_a_suspension(filled: Sayso) -> None:
    opened = filled("suspend", "s", "--authority", "a", "--reason", "r", "--territory", "EEA", "--except", "comments",
                    "--data-until", "2026-01-01T00:00:00Z", "--condition", "dpia=an assessment")  # fmt: skip
    assert opened.code == 0
    ask = ("decide", *USE, "--subject", "1", *RECORD, "--json")
    assert filled(*ask).json["reason"] == "suspended"
    assert filled("lift", "s").code == exits.INPUT
    assert filled("lift", "s", "--evidence", "dpia=number 7").code == 0
    assert filled(*ask).json["permit"] is True


def test_a_record_from_standard_input_or_a_file(filled: Sayso, tour: Path) -> None:
    record = '{"subjects": [{"id": 1, "role": "author"}], "category": "posts", "collected_at": "2025-03-01T12:00:00Z"}'
    assert filled("decide", "-", *USE, stdin=record).code == 0
    assert filled("decide", record, *USE).code == 0
    assert filled("explain", "{", *USE).code == exits.INPUT
    (tour / "record.json").write_text(record)
    assert filled("decide", "record.json", *USE, "--policy", "policy.yaml", "--json").json["permit"] is True
    (tour / "record.json").write_bytes(b"\xff")
    assert filled("decide", "record.json", *USE).code == exits.INPUT
    assert filled("decide", "-", *USE, stdin=record.replace("12:00:00Z", "12:00:00")).code == exits.INPUT


def test_what_may_have_been_meant_is_said(filled: Sayso) -> None:
    ran = filled("decide", "--purpose", "generativ-ai", "--recipient", "platform", "--subject", "1", *RECORD)
    assert ran.code == exits.NO
    assert "unreadable" in ran.out
    assert "did you mean `generative-ai`?" in ran.err
    wide = filled("decide", *USE, "--subject", "1", "--category", "content", "--collected-at", "2025-03-01T12:00:00Z")
    assert "did you mean `comments` or `posts`?" in wide.err


def test_explain(filled: Sayso) -> None:
    ran = filled("explain", *USE, "--subject", "1", "--subject", "2", *RECORD)
    assert ran.code == 0
    assert ran.out.startswith("denied: refused")
    assert "told-and-may-object" in ran.out
    found = filled("explain", *USE, "--subject", "1", *RECORD, "--policy", "policy.yaml", "--json").json
    assert found["ground"] == "not-objected"


def test_gate_and_verify(filled: Sayso, tour: Path) -> None:
    flags = ("--subject", "author:author", "--category-column", "kind", "--collected-at", "written_at", "--key", "id")
    ran = filled("gate", "posts.ndjson", *USE, *flags, "--into", "out", "--canaries", "4", "--dataset", "first")
    assert ran.code == 0, ran.err
    assert "2 permitted" in ran.out
    assert "collected-too-early" in ran.out
    assert "sayso verify out" in ran.err
    assert filled("verify", "out", "--inputs", ".").out == "out is what its manifest says\n"
    replay = filled("gate", "posts.ndjson", *USE, "--columns", "corpus.yaml", "--dry-run", "--position", "8", "--json")
    assert (replay.json["kind"], replay.json["output"]) == ("replay", None)
    assert filled("gate", "none", *USE, "--columns", "corpus.yaml", "--dry-run").code == exits.INPUT
    one = next((tour / "out" / "permitted").iterdir())
    one.write_bytes(one.read_bytes() + b"more")
    differs = filled("verify", "out", "--json")
    assert (differs.code, differs.json["ok"]) == (exits.NO, False)
    assert "permitted/posts" in filled("verify", "out").out
    assert filled("verify", "nowhere", "--json").error["exit_code"] == exits.VERIFICATION


def test_a_list_of_ids_names_no_person_in_an_error(filled: Sayso, tour: Path) -> None:
    (tour / "more.ndjson").write_text('{"kind": "subject.moved", "subject": 987654321, "territory": "FR"}\n')
    assert "987654321" not in filled("ledger", "import", "more.ndjson").err
    assert "987654321" not in filled("choose", "refusal", "--subject", "987654321").err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), exits.USAGE),
        (PolicyError("x"), exits.INPUT),
        (StoreBusyError("x"), exits.STORE),
        (EngineError("x"), exits.ENGINE),
        (StaleError("x"), exits.STALE),
        (CanaryError("x"), exits.CANARY),
        (VerificationError("x"), exits.VERIFICATION),
        (SaysoError("x"), exits.INPUT),
    ],
)
def test_every_error_has_its_code(error: SaysoError, code: int) -> None:
    assert code_of(error) == code


def test_help_teaches(sayso: Sayso) -> None:
    assert "Let through the records" in sayso("--help").out
    for command in ("init", "choose", "suspend", "lift", "decide", "explain", "gate", "verify", "policy diff"):
        ran = sayso(*command.split(), "--help")
        assert (ran.code, f"sayso {command}" in ran.out.partition("For example")[2]) == (0, True), command
    assert sayso("--version").out.strip()


def test_the_program_itself(tour: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sayso", *arguments], capture_output=True, text=True, timeout=120, check=False
        )

    assert run("init").stdout == "made sayso.ledger, for ids of type int64\n"
    failed = run("policy", "publish", "none.yaml", "--json")
    assert (failed.returncode, json.loads(failed.stderr)["error"]["kind"]) == (exits.INPUT, "PolicyError")
    assert run("ledger", "nothing").returncode == exits.USAGE


def test_a_reader_that_goes_away_is_no_failure_of_ours(filled: Sayso, tour: Path) -> None:
    made = subprocess.run(
        f"{sys.executable} -m sayso policy schema | true; exit ${{PIPESTATUS[0]}}", shell=True,
        executable="/bin/bash", capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert made.returncode in (0, exits.CLOSED)
    assert made.stderr == ""


def test_completion_is_installed(sayso: Sayso, tour: Path) -> None:
    assert sayso("--install-completion", "--shell", "bash", "--output", "sayso.bash").code == 0
    done = subprocess.run(["/bin/bash", "-n", "sayso.bash"], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_progress_of_a_gate_is_shown_on_a_terminal_only() -> None:
    def shown(*, terminal: bool, as_json: bool = False) -> str:
        err = io.StringIO()
        consoles = Console(file=io.StringIO()), Console(file=err, force_terminal=terminal, width=120)
        context = Context("x", as_json, *consoles, io.StringIO())
        with context.progress() as tell:
            tell("deciding", 0, 20)
            for done in range(1, 21):
                tell("writing", done, 20)
        return err.getvalue()

    assert "writing" in shown(terminal=True)
    assert "20/20" in shown(terminal=True)
    assert shown(terminal=False) == ""
    assert shown(terminal=True, as_json=True) == ""
