"""A policy as a matrix: who meets what, in words, as JSON and as a page that trusts nothing it is given."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso import instant
from sayso.errors import PolicyError
from sayso.policy import load
from sayso.policy.matrix import MODES, Cell, Matrix, Row, matrix, territories
from sayso.policy.model import Policy
from sayso.policy.terms import Term, Vocabulary
from tests.searching import searched
from tests.strategies import START, policies

POLICY = load(Path(__file__).with_name("many_kinds.yaml"))
AT = instant.parse("2025-06-01T00:00:00Z")


def at(when: int = AT, withdrawn: tuple[str, ...] = ()) -> Matrix:
    return matrix(POLICY, when, "generative-ai", "platform", withdrawn)


def row(name: str) -> dict[str, Cell]:
    (found,) = (one for one in at().rows if one.name == name)
    return dict(zip(at().categories, found.cells, strict=True))


def test_territories_that_meet_the_same_are_one_row_with_a_name() -> None:
    assert [one.name for one in at().rows] == ["nobody-yet", "islands", "asked", "everywhere else"]
    every = sorted(place for one in at().rows for place in one.territories)
    assert tuple(every) == territories(POLICY)
    assert "US-CA" in every
    assert "US" in every


def test_a_cell_says_mode_notice_and_what_is_asked() -> None:
    assert row("asked")["posts"] == Cell(
        "opt-in", ("ask", "minors"), ("dialog 1",),
        ("age 16 or guardian", "after-choice", "renewed every 365 days", "never for ages under 13"),
    )  # fmt: skip
    assert row("everywhere else")["posts"] == Cell(
        "opt-out", ("tell", "minors"), ("banner 1 or 2",),
        ("30 days after notice", "collected from 2020-01-01T00:00:00Z", "told by publication", "never for ages under 13"),
    )  # fmt: skip


def test_a_cell_of_rules_for_some_only_varies_if_one_may_permit() -> None:
    assert row("everywhere else")["assistant"] == Cell(
        "varies", ("free", "business", "minors"), ("banner 1",),
        (
            "opt-out for data until 2025-01-01T00:00:00Z, plan free, ages from 18: after-notice",
            "opt-out for plan business or team: chosen by the organisation",
            "never for ages under 13",
        ),
    )  # fmt: skip
    assert row("nobody-yet")["posts"] == Cell("never", ("minors",), (), ("never for ages under 13",))


def test_what_no_opt_out_lets_through_is_not_called_opt_out() -> None:
    assert row("everywhere else")["health"] == Cell(
        "never", ("health",), ("banner 1 or 2",),
        ("after-notice", "the notice does not declare it", "a special category passes no opt-out"),
    )  # fmt: skip
    assert row("everywhere else")["spam"] == Cell("always", ("spam",), (), ("whatever was refused",))
    assert row("nobody-yet")["spam"] == Cell("no-rule")
    assert row("asked")["drafts"] == Cell("disputed", ("drafts",))


def test_a_version_that_is_withdrawn_or_not_yet_in_force_is_not_shown() -> None:
    assert at().version == "second"
    assert at(withdrawn=("second",)).version == "first"
    assert at(withdrawn=("second",)).rows[0].name == "everywhere"
    named = replace(POLICY, versions=(replace(POLICY.versions[0], rules=POLICY.versions[1].rules[:1]),), groups={})
    assert [one.name for one in matrix(named, AT, "generative-ai", "platform").rows] == ["EEA CH GB", "everywhere else"]
    before = at(instant.parse("2020-01-01T00:00:00Z"))
    assert before.version is None
    assert {cell for one in before.rows for cell in one.cells} == {Cell("no-rule")}


def test_codes_are_listed_where_no_group_has_them() -> None:
    rules = POLICY.versions[1].rules
    kept = [replace(rule, territories=None if rule.id == "drafts" else rule.territories) for rule in rules]
    only = [rule for rule in kept if rule.id in ("drafts", "islands")]
    version = replace(POLICY.versions[1], rules=tuple(only))
    found = matrix(replace(POLICY, versions=(version,), groups={}), AT, "generative-ai", "platform")
    assert [one.name for one in found.rows] == ["AG AI AW BB and 7 more", "everywhere else"]


@pytest.mark.parametrize(
    ("purpose", "recipient", "message"),
    [
        ("training", "platform", "expected a purpose that has no narrower ones (`generative-ai`, `ranking`), got `training`"),
        ("generative-ai", "nobody", "expected a recipient (`affiliate`, `platform`), got `nobody`"),
    ],
)  # fmt: skip
def test_what_is_no_leaf_and_who_is_unknown_are_refused(purpose: str, recipient: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        matrix(POLICY, AT, purpose, recipient)
    assert caught.value.problems[0].message == message


def test_the_json_form_holds_all_of_it() -> None:
    form = at().to_json()
    assert json.loads(json.dumps(form)) == form
    assert (form["version"], form["at"]) == ("second", "2025-06-01T00:00:00Z")
    assert form["titles"] == {"posts": "What members post <b>publicly</b>"}
    for one, written in zip(at().rows, form["rows"], strict=True):
        assert written["territories"] == list(one.territories)
        for category, cell, shown in zip(at().categories, one.cells, written["cells"], strict=True):
            assert shown == {
                "category": category, "mode": cell.mode, "rules": list(cell.rules), "notices": list(cell.notices),
                "asks": list(cell.asks),
            }  # fmt: skip


class Page(HTMLParser):
    """The tags and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_can_be_read_without_sight_styles_or_network() -> None:
    page = Page(at().to_html())
    assert ("html", {"lang": "en"}) in page.tags
    scopes = [given["scope"] for tag, given in page.tags if tag == "th"]
    lists = {"legend": (2, len(MODES)), "asked": (5, len(at().numbered)), "territories": (2, len(at().rows))}
    assert scopes.count("col") == len(at().categories) + 1 + sum(columns for columns, _ in lists.values())
    assert scopes.count("row") == len(at().rows) + sum(rows for _, rows in lists.values())
    assert "caption" in [tag for tag, _ in page.tags]
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert not any(name == "src" or name.startswith("on") for _, given in page.tags for name in given)
    places = {f"#{given['id']}" for _, given in page.tags if "id" in given}
    assert {given["href"] for _, given in page.tags if "href" in given} <= places
    assert "What members post <b>publicly</b>" in page.text
    assert "b" not in [tag for tag, _ in page.tags]


def test_the_page_says_what_it_is_of() -> None:
    page = Page(at(withdrawn=("first",)).to_html())
    for said in (POLICY.digest, "generative-ai, by platform", "2025-06-01T00:00:00Z", "second", *MODES, "first"):
        assert said in page.text
    assert at(withdrawn=("first", "of another edition")).withdrawn == ("first",)
    for cell, number in at().numbered.items():
        assert all(ask in page.text for ask in cell.asks)
        assert ("tr", {"id": f"asked-{number}"}) in page.tags
    none = Page(at(instant.parse("2020-01-01T00:00:00Z")).to_html())
    assert "none: nothing is permitted" in none.text
    assert "no rule speaks of this use" in none.text


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_mode_can_be_read_by_its_contrast() -> None:
    """At least 7 to 1 (WCAG 2.2, 1.4.6), and no mode is told apart by its colour alone."""
    page = at().to_html()
    for mode in MODES:
        found = re.search(rf"^\.{mode} {{ background: (#\w+); color: (#\w+);", page, re.MULTILINE)
        assert found, mode
        light, dark = (
            luminance(one if len(one) == 7 else "#" + "".join(2 * part for part in one[1:])) for one in found.groups()
        )
        assert (light + 0.05) / (dark + 0.05) >= 7, mode


HOSTILE = st.text(st.sampled_from("<>&\"'/=- \nascriptonblurimgsvg{}%"), min_size=1, max_size=30)


@searched(50)
@given(HOSTILE)
def test_whatever_a_policy_says_the_page_has_the_same_tags(text: str) -> None:
    def page(words: str) -> Page:
        cell = Cell("never", (words,), (words,), (words,))
        return Page(
            Matrix(words, words, words, words, AT, (words,), (Row(words, (words,), (cell,)),), {words: words}).to_html()
        )

    harmless = [(tag, set(given)) for tag, given in page("x").tags]
    assert [(tag, set(given)) for tag, given in page(text).tags] == harmless


@searched(25)
@given(policies())
def test_every_territory_is_in_one_row_of_any_policy(policy: Policy) -> None:
    for purpose in sorted(policy.purposes.leaves):
        found = matrix(policy, START, purpose, "platform")
        assert sorted(place for one in found.rows for place in one.territories) == list(territories(policy))
        assert len({one.cells for one in found.rows}) == len(found.rows)
        assert len({one.name for one in found.rows}) == len(found.rows)
        assert found.version == (version.id if (version := policy.in_force(START)) else None)


def test_a_category_without_a_title_goes_by_its_name() -> None:
    plain = replace(POLICY, categories=Vocabulary({"posts": Term("posts")}))
    assert '<th scope="col">posts</th>' in matrix(plain, AT, "ranking", "platform").to_html()
