"""The table against the world: CLDR's members and codes, the dates that matter, the page that prints it."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sayso import instant
from sayso.errors import TerritoryError
from sayso.instant import parse
from sayso.territory import ALIASES, KNOWN, OUTSIDE, ROWS, WORLD, canonical, groups, is_known, members
from sayso.territory.table import ISO_3166_1
from tests.territory.page import PAGE, generated, with_tables

CLDR = Path(__file__).parents[3] / "shared" / "vectors" / "cldr" / "territoryContainment.json"
NOW = parse("2026-11-23T12:00:00Z")

_TWENTY_SEVEN = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
EU27 = frozenset(_TWENTY_SEVEN.split())
INSIDE = frozenset({"AX", "GF", "GP", "MF", "MQ", "RE", "YT"})


@pytest.fixture(scope="module")
def cldr() -> dict[str, Any]:
    """CLDR's containment of territories by number or name of the container."""
    assert CLDR.exists(), "the CLDR vectors belong in ../shared/vectors/cldr, beside the project's folder"
    return json.loads(CLDR.read_text("utf-8"))["supplemental"]["territoryContainment"]


# ── against CLDR ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_members_of_the_eu_are_those_of_cldr_and_the_outermost_regions(cldr: dict[str, Any]) -> None:
    theirs = frozenset(cldr["EU"]["_contains"])
    assert theirs == EU27
    assert members("EU", NOW) & theirs == theirs
    assert members("EU", NOW) - theirs == INSIDE


def test_the_known_codes_are_those_of_cldr(cldr: dict[str, Any]) -> None:
    """But for Antarctica, which CLDR keeps in "outlying Oceania", and four reserved codes that are no ISO members."""
    regions = (entry["_contains"] for number, entry in cldr.items() if number.isdigit())
    theirs = {code for codes in regions for code in codes if re.fullmatch("[A-Z]{2}", code)}
    assert theirs - KNOWN == {"CQ", "EA", "IC", "QO"}
    assert KNOWN - theirs == {"AQ"}
    assert "AQ" in cldr["QO"]["_contains"]


def test_every_member_of_the_united_nations_is_known(cldr: dict[str, Any]) -> None:
    assert frozenset(cldr["UN"]["_contains"]) < KNOWN


# ── the table in itself ──────────────────────────────────────────────────────────────────────────────────────────────


def test_there_are_249_assigned_codes_and_kosovo() -> None:
    assert len(ISO_3166_1) == 249
    assert {"XK"} == KNOWN - ISO_3166_1


def test_rows_are_of_known_territories_and_do_not_overlap() -> None:
    assert {row.code for row in ROWS} <= KNOWN
    spans: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in ROWS:
        spans.setdefault((row.group, row.code), []).append((row.since, row.until or "9999"))
    for span in spans.values():
        assert all(since < until for since, until in span)
        assert all(before[1] <= after[0] for before, after in pairwise(sorted(span)))


def test_no_group_has_the_name_of_a_territory() -> None:
    assert [group for group in groups() if canonical(group) in KNOWN] == []


def test_an_alias_leads_to_a_canonical_code() -> None:
    for alias, code in ALIASES.items():
        assert canonical(alias) == code
        assert is_known(code)
        assert not is_known(alias)
        assert code not in ALIASES
        assert alias not in KNOWN


# ── groups at an instant ─────────────────────────────────────────────────────────────────────────────────────────────


def test_groups_are_named() -> None:
    assert groups() == ("EEA", "EFTA", "EU", "GDPR", "world")


def test_the_world_is_every_known_territory_at_any_instant() -> None:
    assert members(WORLD, instant.EARLIEST) == members(WORLD, instant.LATEST) == KNOWN


def test_there_is_no_other_group() -> None:
    with pytest.raises(TerritoryError, match="got `EAA`; did you mean `EEA`"):
        members("EAA", NOW)


@pytest.mark.parametrize(
    ("group", "code", "first", "last"),
    [
        ("EU", "GB", "1973-01-01T00:00:00Z", "2020-01-31T22:59:59.999999Z"),
        ("EU", "GI", "1973-01-01T00:00:00Z", "2020-01-31T22:59:59.999999Z"),
        ("EU", "GR", "1981-01-01T00:00:00Z", None),
        ("EU", "AT", "1995-01-01T00:00:00Z", None),
        ("EU", "MT", "2004-05-01T00:00:00Z", None),
        ("EU", "RO", "2007-01-01T00:00:00Z", None),
        ("EU", "HR", "2013-07-01T00:00:00Z", None),
        ("EU", "YT", "2014-01-01T00:00:00Z", None),
        ("EU", "RE", "1958-01-01T00:00:00Z", None),
        ("EU", "BL", "1958-01-01T00:00:00Z", "2011-12-31T23:59:59.999999Z"),
        ("EEA", "GB", "1994-01-01T00:00:00Z", "2020-01-31T22:59:59.999999Z"),
        ("EEA", "AT", "1994-01-01T00:00:00Z", None),
        ("EEA", "LI", "1995-05-01T00:00:00Z", None),
        ("EEA", "BG", "2007-08-01T00:00:00Z", None),
        ("EEA", "HR", "2014-04-12T00:00:00Z", None),
        ("EFTA", "FI", "1986-01-01T00:00:00Z", "1994-12-31T23:59:59.999999Z"),
        ("EFTA", "CH", "1960-05-03T00:00:00Z", None),
        ("GDPR", "FR", "2018-05-25T00:00:00Z", None),
        ("GDPR", "AX", "2018-05-25T00:00:00Z", None),
        ("GDPR", "NO", "2018-07-20T00:00:00Z", None),
        ("GDPR", "IS", "2018-07-20T00:00:00Z", None),
        ("GDPR", "LI", "2018-07-20T00:00:00Z", None),
        ("GDPR", "GB", "2018-05-25T00:00:00Z", "2020-12-31T22:59:59.999999Z"),
        ("GDPR", "GI", "2018-05-25T00:00:00Z", "2020-12-31T22:59:59.999999Z"),
    ],
)
def test_membership_is_half_open(group: str, code: str, first: str, last: str | None) -> None:
    assert code in members(group, parse(first))
    assert code not in members(group, parse(first) - 1)
    end = instant.LATEST if last is None else parse(last)
    assert code in members(group, end)
    assert last is None or code not in members(group, end + 1)


def test_the_eea_is_the_eu_and_three_states() -> None:
    assert members("EEA", NOW) == members("EU", NOW) | {"IS", "LI", "NO"}
    assert members("GDPR", NOW) == members("EEA", NOW)
    assert members("EFTA", NOW) == {"CH", "IS", "LI", "NO"}


def test_the_transition_tells_membership_from_the_law() -> None:
    summer = parse("2020-06-30T00:00:00Z")
    assert members("GDPR", summer) - members("EEA", summer) == {"GB", "GI"}
    assert members("EEA", summer) <= members("GDPR", summer)


def test_nothing_applies_before_it_was_agreed() -> None:
    assert members("GDPR", parse("2018-05-24T23:59:59Z")) == frozenset()
    assert members("EEA", parse("1993-12-31T00:00:00Z")) == frozenset()
    assert members("EU", instant.EARLIEST) == frozenset()


@pytest.mark.parametrize("edge", OUTSIDE, ids=lambda edge: edge.code)
def test_what_is_taken_for_a_member_is_none(edge: Any) -> None:
    assert edge.code in KNOWN
    assert [group for group in ("EU", "EEA", "GDPR") if edge.code in members(group, NOW)] == []


def test_the_edges_that_are_asked_about_are_listed() -> None:
    asked = "AD AW BL BQ CH CW FO GB GG GI GL IM JE MC NC PF PM SJ SM SX TF VA WF XK"
    assert " ".join(edge.code for edge in OUTSIDE) == asked


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_prints_the_table_as_it_is() -> None:
    text = PAGE.read_text("utf-8")
    assert with_tables(text) == text, "write it anew: python -m tests.territory.page"


def test_the_page_prints_all_of_it() -> None:
    lines = generated().splitlines()
    assert sum(line.startswith("| ") for line in lines) == len(ROWS) + len(OUTSIDE) + len(ALIASES) + 2 * (
        len(groups()) + 1
    )
    above = PAGE.read_text("utf-8").split("## How to read")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", above, re.MULTILINE)) == set(groups())
