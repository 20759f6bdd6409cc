"""Comparing policies by example: which way a cell changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sayso import instant
from sayso.policy import loads
from sayso.policy.diff import CHANGED, LOOSENED, TIGHTENED, diff
from sayso.policy.model import Attribute, NoticeVersion, Policy, SignalMap, SignUp, SituationMode
from sayso.policy.terms import Scope, Term, Vocabulary
from sayso.territory import Region

AT = instant.parse("2026-01-01T00:00:00Z")
DAY = instant.DAY


BASE = """
sayso: 1
platform: example
purposes: {training: {children: {genai: , ranking: }}, ads: }
categories: {posts: , messages: , health: {special: true}}
recipients: {platform: , affiliate: }
attributes: {plan: {of: account, values: [free, pro], default: free}}
notices: {n: {versions: {v1: {declares: {purposes: all, categories: all, recipients: all}}, v2: {declares: {purposes: all, categories: [posts], recipients: all}}}}}
versions:
  - id: one
    announced: 2025-01-01T00:00:00Z
    effective: 2025-02-01T00:00:00Z
    rules:
"""
SCOPE = "purposes: [genai], categories: [posts], recipients: [platform]"
OPT_OUT = f"{{id: r, {SCOPE}, mode: opt-out, notice: n, accepts: [v1], covers: after-notice, notice_period: 30d}}"
OPT_IN = f"{{id: r, {SCOPE}, mode: opt-in, notice: n, accepts: [v1], covers: after-choice, expires_after: 90d}}"
ALWAYS = f"{{id: r, {SCOPE}, mode: always}}"
NEVER = f"{{id: r, {SCOPE}, mode: never}}"


def policy(*rules: str, extra: str = "") -> Policy:
    lines = "".join(f"      - {rule}\n" for rule in rules)
    return loads(BASE + (lines or "      []\n") + extra)


def directions(before: Policy, after: Policy) -> set[str]:
    return {change.direction for change in diff(before, after, AT, AT)}


@pytest.mark.parametrize(
    ("looser", "tighter"),
    [
        ([ALWAYS], [OPT_OUT]),
        ([ALWAYS], [OPT_IN]),
        ([OPT_OUT], [OPT_IN]),
        ([OPT_IN], [NEVER]),
        ([OPT_IN], []),
        ([OPT_OUT], [OPT_OUT, NEVER.replace("id: r", "id: s")]),
        ([OPT_OUT], [OPT_OUT, OPT_IN.replace("id: r", "id: s")]),
        ([OPT_IN], [OPT_IN, OPT_OUT.replace("id: r", "id: s")]),
        ([OPT_OUT], [OPT_OUT.replace("30d", "60d")]),
        ([OPT_OUT.replace("[v1]", "[v1, v2]")], [OPT_OUT]),
        ([OPT_OUT.replace("}", ", told: published}")], [OPT_OUT]),
        ([OPT_OUT.replace("after-notice", "all, covers_reason: because")], [OPT_OUT]),
        ([OPT_IN], [OPT_IN.replace("90d", "30d")]),
        ([OPT_IN.replace(", expires_after: 90d", "")], [OPT_IN]),
        ([ALWAYS], [ALWAYS.replace("}", ", min_age: {age: 18}}")]),
        ([ALWAYS.replace("}", ", min_age: {age: 16, at: use}}")], [ALWAYS.replace("}", ", min_age: {age: 16}}")]),
        ([ALWAYS.replace("}", ", min_age: {age: 16, or: guardian}}")], [ALWAYS.replace("}", ", min_age: {age: 16}}")]),
        ([ALWAYS], [ALWAYS.replace("}", ", collected: {from: 2025-01-01T00:00:00Z}}")]),
        ([ALWAYS.replace("}", ", overrides: {ground: law, why: it must}}")], [ALWAYS]),
        ([ALWAYS], [ALWAYS.replace("}", ", audience: {attributes: {plan: [pro]}}}")]),
        ([ALWAYS.replace("categories: [posts]", "categories: all")], [ALWAYS]),
        ([ALWAYS], [ALWAYS, NEVER.replace("id: r", "id: s").replace("}", ", audience: {attributes: {plan: [pro]}}}")]),
    ],
)  # fmt: skip
def test_one_way_tightens_and_the_other_loosens(looser: list[str], tighter: list[str]) -> None:
    assert directions(policy(*looser), policy(*tighter)) == {TIGHTENED}
    assert directions(policy(*tighter), policy(*looser)) == {LOOSENED}


PRO = ALWAYS.replace("}", ", audience: {attributes: {plan: [pro]}}}")
FREE = PRO.replace("pro", "free").replace("id: r", "id: s")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([PRO], [FREE]),
        ([OPT_OUT], [OPT_OUT.replace("[v1]", "[v2]")]),
        ([OPT_OUT], [OPT_OUT.replace("}", ", holder: organisation}")]),
        ([OPT_IN.replace("after-choice", "all, covers_reason: because")], [OPT_OUT]),
        ([ALWAYS], [ALWAYS.replace("}", ", min_age: {age: 16, or: guardian}}")]),
        (
            [ALWAYS.replace("}", ", collected: {from: 2025-01-01T00:00:00Z}}")],
            [ALWAYS.replace("}", ", collected: {until: 2025-01-01T00:00:00Z}}")],
        ),
    ],
)
def test_what_is_stricter_in_one_way_and_laxer_in_another_is_changed(before: list[str], after: list[str]) -> None:
    assert directions(policy(*before), policy(*after)) == {CHANGED}


def test_a_rule_for_people_who_had_none_loosens_though_there_are_more_rules() -> None:
    assert directions(policy(PRO), policy(PRO, FREE)) == {LOOSENED}


def test_names_comments_order_and_what_nobody_may_pass_change_nothing() -> None:
    assert diff(policy(PRO, FREE), policy(FREE, PRO.replace("id: r", "id: x, why: because")), AT, AT) == ()
    assert diff(policy(NEVER), policy(), AT, AT) == ()
    disputed = NEVER.replace("never", "disputed, why: because")
    assert diff(policy(NEVER, ALWAYS.replace("id: r", "id: s")), policy(disputed), AT, AT) == ()


def test_territories_are_those_that_differ_subdivisions_and_groups_too() -> None:
    american = OPT_IN.replace("}", ", territories: [US, EEA]}")
    with_state = NEVER.replace("}", ", territories: [US-CA]}").replace("id: r", "id: s")
    (change,) = diff(policy(american), policy(american, with_state), AT, AT)
    assert (change.direction, change.territories) == (TIGHTENED, ("US-CA",))
    assert "90 days" in change.before
    assert "never" in change.after
    (change,) = diff(policy(american), policy(american.replace("EEA", "EU")), AT, AT)
    assert (change.direction, change.territories, change.after) == (TIGHTENED, ("IS", "LI", "NO"), "no-rule")
    assert change.to_json()["territories"] == ["IS", "LI", "NO"]


def test_each_is_taken_at_its_own_instant() -> None:
    one = policy(OPT_OUT)
    (change,) = diff(one, one, one.versions[0].effective - 1, AT)
    assert (change.direction, change.before) == (LOOSENED, "no-rule")
    assert diff(one, one, 0, 1) == ()


def test_what_decides_beside_the_rules_is_compared_too() -> None:
    before = policy(OPT_OUT, PRO.replace("id: r", "id: s"))
    version = before.versions[0]

    def after(**changes: Any) -> Policy:
        return replace(before, versions=(replace(version, **changes),))

    current = SituationMode.CURRENT
    assert directions(before, after(situation=current)) == {LOOSENED}
    assert directions(after(situation=current), before) == {TIGHTENED}
    assert directions(after(situation=current), after(situation=SituationMode.COLLECTION)) == {CHANGED}
    assert directions(before, after(freshness=7 * DAY)) == {LOOSENED}
    assert directions(before, after(roles={"mentioned": False})) == {CHANGED}
    assert directions(before, after(sign_ups=(SignUp("n", "v1", None, {"kind": frozenset({"a"})}),))) == {CHANGED}
    assert directions(before, after(sign_ups=(SignUp("other", "v1", Region(frozenset({"FR"}))),))) == set()
    scope = Scope(frozenset({"genai"}), frozenset({"posts"}), frozenset({"platform"}))
    signal = replace(before, signals={"gpc": SignalMap("gpc", scope, Region(frozenset({"FR"})))})
    (change,) = diff(signal, before, AT, AT)
    assert (change.direction, change.territories) == (LOOSENED, ("FR",))
    assert "refused by gpc" in change.before
    unknown = replace(before, attributes={"plan": Attribute("plan", ("free", "pro"), of_account=True)})
    assert directions(before, unknown) == {CHANGED}
    assert any("assumed plan as free" in change.before for change in diff(before, unknown, AT, AT))
    special = replace(before, categories=Vocabulary({**before.categories.terms, "posts": Term("posts", special=True)}))
    assert directions(before, special) == {TIGHTENED}
    flat = replace(before, purposes=Vocabulary({**before.purposes.terms, "genai": Term("genai")}))
    assert directions(before, flat) == {LOOSENED}
    narrow = Scope(frozenset({"ads"}), frozenset({"posts"}), frozenset({"platform"}))
    told = replace(before, notices={**before.notices, ("n", "v1"): NoticeVersion("n", "v1", narrow)})
    assert directions(before, told) == {TIGHTENED}
