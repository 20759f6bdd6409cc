"""What a check says of policies that are wrong in one way each: where, what was expected, and nothing else."""

from __future__ import annotations

import re

import pytest

from sayso.errors import Problem
from sayso.policy import examine, examine_file
from tests.policy.bad import ERRORS, FOLDER, WARNINGS, Case, text

ALONGSIDE = {
    # One mistake that is two: a name of no term is also a term that is gone, an organisation is also not the person.
    "name-taken", "name-of-accents", "group-named-as-territory", "group-named-as-group", "unknown-purpose",
    "list-for-mapping", "exception-of-nothing",
}  # fmt: skip


def points_at(written: str, problem: Problem) -> str:
    assert problem.line is not None
    assert problem.column is not None
    return written.splitlines()[problem.line - 1][problem.column - 1 :]


def test_the_files_are_those_that_the_cases_write() -> None:
    assert {path.stem for path in (FOLDER / "bad").iterdir()} == set(ERRORS) | set(WARNINGS), (
        "run `python -m tests.policy.bad`"
    )
    for name, case in (ERRORS | WARNINGS).items():
        assert (FOLDER / "bad" / f"{name}.yaml").read_text("utf-8") == text(case), name


def test_the_good_one_is_good() -> None:
    report = examine_file(FOLDER / "good.yaml")
    assert report.errors == ()
    assert report.warnings == ()
    assert report.policy is not None


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_says_where_it_is_and_what_was_expected(name: str) -> None:
    case = ERRORS[name]
    path = FOLDER / "bad" / f"{name}.yaml"
    report = examine_file(path)
    assert report.policy is None
    found = [one for one in report.errors if case.says in str(one)]
    assert len(found) == 1, [str(one) for one in report.errors]
    assert points_at(text(case), found[0]).startswith(case.at), str(found[0])
    assert str(found[0]).startswith(f"{path}:{found[0].line}:{found[0].column}: ")
    assert name in ALONGSIDE or len(report.errors) == 1, [str(one) for one in report.errors]


@pytest.mark.parametrize("name", WARNINGS)
def test_a_warning_leaves_the_policy_as_it_is(name: str) -> None:
    case = WARNINGS[name]
    report = examine_file(FOLDER / "bad" / f"{name}.yaml")
    assert report.policy is not None, [str(one) for one in report.errors]
    found = [one for one in report.warnings if case.says in str(one)]
    assert len(found) == 1, [str(one) for one in report.warnings]
    assert points_at(text(case), found[0]).startswith(case.at)


FIRST_OF_TWO = """
versions:
  - {id: first, announced: 2025-01-01T00:00:00Z, effective: 2025-02-01T00:00:00Z, rules: [{id: r, purposes: all, categories: all, recipients: all, mode: opt-in, notice: n, accepts: [v], covers: after-choice, territories: [FR]}]}
"""


@pytest.mark.parametrize(("places", "wrong"), [("[FR]", True), ("[EU]", True), ("[US]", False), (None, True)])
def test_an_override_is_refused_only_where_people_could_choose(places: str | None, wrong: bool) -> None:
    start = (
        "sayso: 1\nplatform: p\npurposes: {a: }\ncategories: {b: }\nrecipients: {c: }\n"
        "notices: {n: {versions: {v: {declares: {purposes: all, categories: all, recipients: all}}}}}"
    )
    where = f", territories: {places}" if places else ""
    rule = f"{{id: s, purposes: all, categories: all, recipients: all, mode: always, overrides: {{ground: law, why: x}}{where}}}"
    later = (
        "  - {id: second, announced: 2025-01-01T00:00:00Z, effective: 2025-03-01T00:00:00Z, rules: [" + rule + "]}\n"
    )
    report = examine(start + FIRST_OF_TWO + later)
    assert bool(report.errors) == wrong


def test_a_policy_without_versions_is_one_that_denies_and_says_so() -> None:
    report = examine("sayso: 1\nplatform: p\npurposes: {a: }\ncategories: {b: }\nrecipients: {c: }\nversions: []")
    assert report.policy is not None
    assert ["everything is denied" in str(one) for one in report.warnings] == [True]


def test_every_error_is_told_at_once() -> None:
    names = ("unknown-key", "unknown-territory", "value-twice", "unknown-purpose", "number-as-name")
    written = (FOLDER / "good.yaml").read_text("utf-8")
    cases: list[Case] = [ERRORS[name] for name in names]
    for case in cases:
        written = written.replace(case.old, case.new, 1)
    said = [str(one) for one in examine(written, "p.yaml").errors]
    for case in cases:
        assert any(case.says in one for one in said), (case, said)
    assert len(said) == len(cases), said


def test_the_page_names_every_warning() -> None:
    page = (FOLDER.parents[2] / "docs" / "policy.md").read_text("utf-8")
    table = page.partition("| warning |")[2].partition("\n\n")[0]
    said = (
        "merely published", "does not hear the person", "special categories pass no opt-out rule", "does not declare",
        "this rule matches nothing, or nowhere", "lets nothing through", "leaving it out changes nothing",
        "at least 0 years old", "no rule asks for the notice, group or attribute", "says the same of the role",
        "has no rules", "there is no version",
    )  # fmt: skip
    assert [one for one in said if one not in table] == []
    for one in re.findall(r"^policy\.yaml:.*$", page, re.MULTILINE):
        assert re.fullmatch(r"policy\.yaml:\d+:\d+: [a-z].*`.*`.*", one)
