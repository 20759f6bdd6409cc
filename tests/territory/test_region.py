"""Sets of territories: what a list includes and another excludes is what the Region holds, code by code."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.errors import Problem, TerritoryError
from sayso.instant import parse
from sayso.territory import KNOWN, Region, canonical, groups, members, not_known, region, to_json

NOW = parse("2026-11-23T12:00:00Z")

# Few countries and parts, so that they meet; one part that no list names stands for all the others.
WHOLE = ("US", "FR", "DE", "NO")
PARTS = ("US-CA", "US-TX", "FR-2A", "FR-2B", "DE-BY")
UNNAMED = ("US-ZZ", "FR-99", "DE-1", "NO-03", "GB-SCT")
EVERY = (*sorted(KNOWN), *PARTS, *UNNAMED)

regions = st.builds(
    Region, st.frozensets(st.sampled_from(WHOLE + PARTS), max_size=4), st.frozensets(st.sampled_from(PARTS), max_size=3)
)
OURS = ("ours", "theirs", "a-list")
named = st.fixed_dictionaries(dict.fromkeys(OURS, regions))
names = st.lists(st.sampled_from((*WHOLE, *PARTS, "UK", "FR-974", *OURS, *groups())), max_size=5)
instants = st.sampled_from(["1970-01-01T00:00:00Z", "2020-06-01T00:00:00Z", "2026-01-01T00:00:00Z"]).map(parse)


def held(name: str, code: str, at: int, given: dict[str, Region]) -> bool:
    """Whether a name stands for a territory, said plainly."""
    if name in given:
        return given[name].contains(code)
    if name in groups():
        return code[:2] in members(name, at)
    return code == canonical(name) or code[:2] == canonical(name)


@given(names, names, named, instants)
def test_a_region_holds_what_is_included_and_not_excluded(
    include: list[str], exclude: list[str], given: dict[str, Region], at: int
) -> None:
    found = region(include, exclude, at=at, named=given)
    for code in EVERY:
        expected = any(held(name, code, at, given) for name in include) and not any(
            held(name, code, at, given) for name in exclude
        )
        assert found.contains(code) == expected, code


@given(regions, regions)
def test_equal_sets_are_equal_regions(one: Region, other: Region) -> None:
    given = {"one": one, "other": other}
    left = region(["one"], at=NOW, named=given)
    right = region(["other"], at=NOW, named=given)
    assert (left == right) == all(one.contains(code) == other.contains(code) for code in EVERY)
    assert left != right or hash(left) == hash(right)


@given(regions, regions)
def test_a_normal_region_names_only_what_tells_it_apart(one: Region, other: Region) -> None:
    found = region(["one"], ["other"], at=NOW, named={"one": one, "other": other})
    assert region(["found"], at=NOW, named={"found": found}) == found
    assert all(len(code) == 2 or code[:2] not in found.codes for code in found.codes)
    assert all(len(code) > 2 and code[:2] in found.codes for code in found.excepted)
    assert not found.codes & found.excepted


@given(names, named, st.data())
def test_order_and_repetition_change_nothing(include: list[str], given: dict[str, Region], data: st.DataObject) -> None:
    again = data.draw(st.permutations([*include, *include[:2]]))
    assert region(again, ["US-CA", "US-CA"], at=NOW, named=given) == region(include, ["US-CA"], at=NOW, named=given)


def test_an_excluded_subdivision_leaves_the_rest() -> None:
    found = region(["US"], ["US-CA"], at=NOW)
    assert found == Region(frozenset({"US"}), frozenset({"US-CA"}))
    assert found.contains("US")
    assert found.contains("US-TX")
    assert not found.contains("US-CA")


def test_an_excluded_country_takes_its_subdivisions_along() -> None:
    assert region(["US-CA", "FR"], ["US"], at=NOW) == Region(frozenset({"FR"}))


def test_excluding_a_group_that_excepts_a_subdivision_leaves_it_included() -> None:
    most = region(["US"], ["US-CA"], at=NOW)
    assert region(["US", "FR"], ["most"], at=NOW, named={"most": most}) == Region(frozenset({"FR", "US-CA"}))


def test_a_subdivision_that_one_excepts_and_another_holds_is_held() -> None:
    most = region(["US"], ["US-CA"], at=NOW)
    assert region(["most", "US-CA"], at=NOW, named={"most": most}) == Region(frozenset({"US"}))


def test_some_subdivisions_do_not_make_a_country() -> None:
    found = region(["US-CA", "US-TX"], at=NOW)
    assert found == Region(frozenset({"US-CA", "US-TX"}))
    assert not found.contains("US")
    assert not found.contains("US-NY")


def test_overseas_codes_are_told_from_their_country() -> None:
    assert region(["FR-974", "UK", "CN-HK"], at=NOW) == Region(frozenset({"RE", "GB", "HK"}))
    assert not region(["FR"], at=NOW).contains("RE")
    assert not region(["EEA"], ["FR-974"], at=NOW).contains("RE")


def test_nothing_included_holds_nothing() -> None:
    assert region([], ["world"], at=NOW) == region(["world"], ["world"], at=NOW) == Region(frozenset())


def test_iterators_will_do() -> None:
    assert region(iter(["world"]), iter(["EEA"]), at=NOW).codes == KNOWN - members("EEA", NOW)


def test_a_region_cannot_be_changed_and_is_a_key() -> None:
    found = region(["FR"], at=NOW)
    with pytest.raises(FrozenInstanceError):
        found.codes = KNOWN  # type: ignore[misc]
    assert {found: 1}[Region(frozenset({"FR"}))] == 1
    assert not hasattr(found, "__dict__")


def test_its_written_form_is_sorted() -> None:
    found = region(["US", "FR", "DE"], ["US-TX", "US-CA"], at=NOW)
    assert to_json(found) == {"codes": ["DE", "FR", "US"], "excepted": ["US-CA", "US-TX"]}


# ── what is wrong with a name ────────────────────────────────────────────────────────────────────────────────────────


def test_every_unknown_name_is_told_once() -> None:
    with pytest.raises(TerritoryError) as raised:
        region(["EEA", "EEEA", "fr", "Atlantis"], ["us-ca", "fr"], at=NOW, named={"mainland": region(["FR"], at=NOW)})
    asked = "expected a territory such as `DE` or `US-CA`, or a group, got"
    assert [str(problem) for problem in raised.value.problems] == [
        f"{asked} `EEEA`; did you mean `EEA`?",
        f"{asked} `fr`; did you mean `FR`?",
        f"{asked} `Atlantis`; groups are `EEA`, `EFTA`, `EU`, `GDPR`, `world`, `mainland`",
        f"{asked} `us-ca`; did you mean `US-CA`?",
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("World", "world"), ("gdpr", "GDPR"), (" EU", "EU"), ("uk", "UK"), ("EU27", "EU"), ("mainlnd", "mainland")],
)
def test_a_near_miss_is_guessed(written: str, meant: str) -> None:
    assert not_known(written, ["mainland"]).remedy == f"did you mean `{meant}`?"


@pytest.mark.parametrize("name", ["ZZ", "AN", "FRA", "XI", ""])
def test_a_code_is_not_guessed_at(name: str) -> None:
    problem = not_known(name)
    assert isinstance(problem, Problem)
    assert problem.remedy == "groups are `EEA`, `EFTA`, `EU`, `GDPR`, `world`"


@pytest.mark.parametrize("name", ["EEA", "world", "FR", "UK", "US-CA"])
def test_a_name_of_ones_own_may_hide_nothing(name: str) -> None:
    with pytest.raises(TerritoryError, match=f"got `{name}`, which already means one; give it another name"):
        region(["DE"], at=NOW, named={name: region(["DE"], at=NOW)})
