"""Reading documents: YAML 1.2 and no more of it than is needed, places of everything, and no text that does harm."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sayso.errors import PolicyError
from sayso.policy import Report, examine, examine_file, load, loads, schema
from sayso.policy.document import Document
from sayso.policy.source import MOST_BYTES, MOST_DEPTH, read
from tests.policy.bad import FOLDER

GOOD = (FOLDER / "good.yaml").read_text("utf-8")


def said(text: str | bytes) -> list[str]:
    report = examine(text, "p.yaml")
    assert report.policy is None
    return [str(one) for one in report.errors]


# ── what YAML means here ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("directive", ["", "%YAML 1.1\n---\n", "%YAML 1.2\n---\n"])
def test_norway_is_a_country(directive: str) -> None:
    policy = loads(directive + GOOD.replace("[EEA, CH]", "[NO, CH]"))
    assert policy.groups["asked"].codes == {"NO", "CH"}


def test_only_the_core_schema_makes_anything_but_text() -> None:
    text = "a: [yes, on, 1_0, 0x1F, 0o7, 1.5, .inf, 2025-01-01, 12:30:45, =, <<, 'true', \"1\"]\nb: [~, null, , true, FALSE, -3]"
    data = read(text.replace(", ,", ", null,")).data
    assert all(isinstance(one, str) for one in data["a"])
    assert data["b"] == [None, None, None, True, False, -3]


def test_blocks_are_text() -> None:
    assert read("a: |\n  12\nb: >-\n  true\n").data == {"a": "12\n", "b": "true"}


def test_a_merge_key_is_a_key_like_any() -> None:
    assert any("unknown key `<<`" in one for one in said(GOOD + "<<: {title: x}\n"))


NO_POLICY = "p.yaml:1:1: expected a policy, a mapping with the keys `sayso`, `platform`, `purposes` and others, got"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "p.yaml:1:1: expected a YAML document, got nothing"),
        ("# only a comment\n", "p.yaml:1:1: expected a YAML document, got nothing"),
        ("~", "p.yaml:1:1: expected a YAML document, got nothing"),
        ("[]", f"{NO_POLICY} a list; is this the right file?"),
        ("policy", f"{NO_POLICY} a single value; is"),
        ("title: x\nplatform: y", f"{NO_POLICY} a mapping of other keys"),
        ("sayso: &x 1", "p.yaml:1:8: expected no anchor, got `&x`; write out what is meant"),
        ("sayso: 1\nb: *x", "p.yaml:2:4: expected no alias, got `*x`; write out what is meant"),
        ("&x a: 1\nsayso: 1", "p.yaml:1:1: expected no anchor, got `&x`; write out what is meant"),
        ("sayso: !!python/object:os.system x", "p.yaml:1:8: expected no tag, got `tag:yaml.org,2002:python/object:os.system`"),
        ("sayso: !secret x", "p.yaml:1:8: expected no tag, got `!secret`; put quotes around what is text"),
        ("? [a, b]\n: 1", "p.yaml:1:3: expected a word before `:`, got a list or mapping"),
        ("a: 1\n---\nb: 2", "p.yaml:2:1: expected one document, got a second after `---`"),
        ("sayso: 1\n\tb: 2", "p.yaml:2:1: expected YAML 1.2, got `b: 2`"),
        ("a: [1", "p.yaml:1:"),
        ("a: 'x", "p.yaml:1:"),
        ("a: \x00", "p.yaml:1:4: expected text, got the control character `U+0000`; take it out"),
        ("é: x\x07", "p.yaml:1:5: expected text, got the control character `U+0007`; take it out"),
        (b"a: 1\nb: \xff\xfe", "p.yaml:2:4: expected UTF-8 text, got the byte `0xff`; save the file as UTF-8"),
        (GOOD.encode("utf-16"), "p.yaml:1:1: expected UTF-8 text"),
        ("a: \ud800", "p.yaml:1:4: expected UTF-8 text"),
        ('platform: "\\ud800"', "p.yaml:1:11: expected characters of Unicode, got half of one"),
        ('a: "\\UFFFFFFFF"', "p.yaml:1:1: expected YAML 1.2, got what cannot be read (`OverflowError`)"),
        ('a: "\\U00110000"', "p.yaml:1:1: expected YAML 1.2, got what cannot be read (`ValueError`)"),
        ("sayso: 1\nsayso: 2", "p.yaml:2:1: expected each key once, got `sayso` again (first in line 1); leave one of them out"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_its_place(text: str | bytes, says: str) -> None:
    assert any(one.startswith(says) for one in said(text)), said(text)


@pytest.mark.parametrize(
    "text",
    [
        "Dear Anna Kowalska,\nyour data: a: b",
        "name,email\nAnna Kowalska,anna@example.com",
        '{"name": "Anna"}\n{"name": "Kowalska"}',
        '["Anna", "Kowalska"]',
        "Anna: 1\nKowalska: {title: Anna}",
        "title: Anna Kowalska",
        "platform: Anna\ntitel: Kowalska",
        'Anna: "Kowalska',
        "a: &Anna b",
        "a: *Kowalska",
        "a: !Anna b",
        "Anna: 1\nAnna: 2",
        'a: "Anna \\ud800"',
        "@Anna Kowalska",
    ],
)
def test_of_what_is_no_policy_at_all_nothing_is_repeated(text: str) -> None:
    lines = said(text)
    assert lines
    assert not any(name in line for line in lines for name in ("Anna", "Kowalska", "example.com")), lines
    assert all(line.startswith("p.yaml:") for line in lines)


def test_a_byte_order_mark_is_no_matter() -> None:
    assert loads(b"\xef\xbb\xbf" + GOOD.encode()) == loads(GOOD)
    assert loads("\ufeff" + GOOD) == loads(GOOD)


def test_line_ends_are_no_matter() -> None:
    assert loads(GOOD.replace("\n", "\r\n")) == loads(GOOD)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000, "{a: " * 5000, "- " * 5000, "".join(" " * i + "a:\n" for i in range(1000)), "? " * 5000,
        "purposes: " + "{a: {children: " * 500,
    ],
)  # fmt: skip
def test_depth_exhausts_nothing(text: str) -> None:
    assert any(f"at most {MOST_DEPTH} levels" in one or "YAML 1.2" in one or "a word" in one for one in said(text))


def test_size_exhausts_nothing() -> None:
    (one,) = said("#" * (MOST_BYTES + 1))
    assert one == "p.yaml:1:1: expected at most 1 MiB, got more; is this the right file?"


def test_numbers_of_any_length_are_only_numbers() -> None:
    assert any("got `999" in one for one in said(GOOD.replace("{age: 18}", "{age: " + "9" * 5000 + "}")))


def test_an_offending_text_is_shown_on_one_line_and_cut() -> None:
    problem = examine(GOOD.replace("platform: example", 'platform: "`x`\\n\\e[31m' + "y" * 99 + '"')).errors[0]
    assert "'x'··[31m" in problem.message
    assert "…" in problem.message
    assert problem.message.isprintable()


# ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_what_could_not_be_read_nothing_more_is_said() -> None:
    wrong = GOOD.replace("{values: [member, student]}", "{values: 5}").replace("v1: {declares", "v1: {declare")
    found = said(wrong)
    assert len(found) == 3, found
    assert any("expected a list" in one for one in found)
    assert any("unknown key `declare`; did you mean `declares`?" in one for one in found)
    assert any("expected a key `declares`" in one for one in found)


@pytest.mark.parametrize(
    ("old", "new", "others"),
    [
        ("    rules:\n      - id: safe", "    rules:\n      - 5\n      - id: safe", 0),
        ("  - id: second\n", "  - 5\n  - id: second\n", 0),
        ("      - {notice: banner, version: v1,", "      - {version: v1,", 0),
        ("versions:\n  - id: first", "versions: 5\nx:\n  - id: first", 1),
        ("purposes:\n  training: {children: {genai: , ranking: }}", "purposes: 5", 0),
        ("mentioned: {counts: false}", "mentioned: {}", 0),
        ("asked: {include: [EEA, CH], except: [LI]}", "asked: {except: [LI]}", 0),
        ("overrides: {ground: law, why: it must}", "overrides: {ground: law}", 0),
        ("        purposes: [ranking]\n", "", 0),
        ("announced: 2025-05-01T00:00:00Z", "announced: soon", 0),
        ("asked: {include: [EEA, CH], except: [LI]}", "asked: 5", 0),
        ("categories: [messages, health]", "categories: [5, 6]", 1),
        ("categories: [messages, health]", "categories: [[messages], {health: }]", 1),
        ("gpc: {purposes: all, categories: all, recipients: all,", "gpc: {", 2),
    ],
)
def test_one_mistake_of_form_is_one_problem_and_hides_none_of_meaning(old: str, new: str, others: int) -> None:
    assert GOOD.count(old) == 1
    assert len(said(GOOD.replace(old, new))) == 1 + others
    unknown = GOOD.replace(old, new).replace("territories: [US]", "territories: [USA]")
    whole = old.startswith("purposes:\n")
    assert sum("got `USA`" in one for one in said(unknown)) == (0 if whole else 1)


def test_what_cannot_be_mended_is_told_of_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sayso.policy.parse.ROUNDS", 1)
    assert len(said(GOOD.replace("mode: never", "mode: 5").replace("territories: [US]", "territories: [USA]"))) == 1


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        load(tmp_path / "none.yaml")
    with pytest.raises(PolicyError, match="cannot be read"):
        examine_file(tmp_path)


def test_problems_are_told_in_order_of_place() -> None:
    with pytest.raises(PolicyError) as caught:
        loads("zzz: 1\nsayso: 2\n", "p.yaml")
    lines = [problem.line for problem in caught.value.problems]
    assert lines == sorted(line or 0 for line in lines)
    assert len(lines) == 7


# ── whatever is written ──────────────────────────────────────────────────────────────────────────────────────────────

WORDS = sorted(set(re.findall(r"[\w-]+|[\[\]{}:,]", GOOD)))


def holds(report: Report) -> None:
    """Every problem has all that a person needs; and either a policy or an error comes of every text."""
    assert (report.policy is None) == bool(report.errors)
    for one in (*report.errors, *report.warnings):
        assert one.file == "p.yaml"
        assert one.line is not None
        assert one.column is not None
        assert one.message.isprintable()
        assert one.message[:1].islower()
    # What is offending is shown, but of what may be no policy.
    unshown = ("expected YAML 1.2", "expected no ", "expected each key once", "expected characters")
    told = [one.message for one in report.errors if "nothing" not in one.message]
    assert all("`" in one or one.startswith(unshown) for one in told)


@given(st.binary(max_size=200) | st.text(max_size=200))
@example("\x85")
@example("a: [\ufffe")
@example("%TAG ! x\n---\n")
@example("--- !<x> a")
def test_garbage_is_told_of(text: str | bytes) -> None:
    holds(examine(text, "p.yaml"))


@given(st.lists(st.sampled_from(WORDS), max_size=40), st.sampled_from([" ", "\n", "\n  ", ": ", ", "]))
def test_words_in_disorder_are_told_of(words: list[str], between: str) -> None:
    holds(examine(between.join(words), "p.yaml"))


@given(st.integers(0, 2**32))
def test_a_policy_with_something_put_out_of_place_is_told_of(seed: int) -> None:
    chance = random.Random(seed)
    text = GOOD
    for _ in range(chance.choice([1, 1, 2, 4])):
        at, word = (
            chance.randrange(len(text)),
            chance.choice([*WORDS, "", "5", "~", "true", "'", "é", "\t", "- ", "x: "]),
        )
        match chance.randrange(3):
            case 0:
                text = text[:at] + word + text[at + chance.choice([0, 1, 5, 40]) :]
            case 1:
                lines = text.splitlines(keepends=True)
                lines.insert(chance.randrange(len(lines)), lines.pop(chance.randrange(len(lines))))
                text = "".join(lines)
            case _:
                found = chance.choice(list(re.finditer(r"[\w-]+", text)))
                text = text[: found.start()] + word + text[found.end() :]
    holds(examine(text, "p.yaml"))


# ── for editors ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_schema_names_every_key_and_refuses_others() -> None:
    made = schema()
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert made["title"] == "sayso policy"
    assert set(made["properties"]) == {info.alias or name for name, info in Document.model_fields.items()}
    objects = [made, *made["$defs"].values()]
    assert all(one["additionalProperties"] is False for one in objects)
    assert all("description" in key for one in objects for key in one["properties"].values())
    rule = made["$defs"]["Rule"]["properties"]
    assert rule["except"]["type"] == "array"
    assert "opt-in" in str(rule["mode"])
    assert r"d$" in str(rule["notice_period"])
    assert made["$defs"]["Version"]["properties"]["effective"]["format"] == "date-time"
