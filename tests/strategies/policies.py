"""Generated policies: mostly one version, whose first rule mostly reaches everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import strategies as st

from sayso import instant
from sayso.policy.model import (
    Band,
    Covers,
    Holder,
    MinAge,
    Mode,
    NoticeVersion,
    Policy,
    Rule,
    SignalMap,
    SignUp,
    SituationMode,
    Told,
    Version,
)
from sayso.policy.terms import ALWAYS
from tests.strategies.terms import (
    ATTRIBUTES,
    CATEGORIES,
    EVERYTHING,
    NOTICES,
    PURPOSES,
    RECIPIENTS,
    ROLES,
    instants,
    mostly,
    now_and_then,
    regions,
    scopes,
    some,
    some_of,
    windows,
)

MODES = [*[Mode.OPT_IN, Mode.OPT_OUT, Mode.OPT_IN, Mode.OPT_OUT, Mode.ALWAYS] * 5, Mode.NEVER, Mode.DISPUTED]


def _attributes(names: list[str]) -> st.SearchStrategy[Mapping[str, frozenset[str]]]:
    return st.sampled_from(names).flatmap(lambda name: some_of(ATTRIBUTES[name].values).map(lambda held: {name: held}))


@st.composite
def rules(draw: st.DrawFn, index: int, *, accounts: bool) -> Rule:
    """A rule; without `accounts`, one that asks nothing of a record's account."""
    mode = draw(st.sampled_from(MODES))
    opt_in, opt_out = mode is Mode.OPT_IN, mode is Mode.OPT_OUT
    asks = opt_in or opt_out
    nothing: Mapping[str, frozenset[str]] = {}
    since = Covers.AFTER_CHOICE if opt_in else Covers.AFTER_NOTICE
    wide = index == 0 and not draw(now_and_then(4))
    rule = Rule(
        f"rule-{index}",
        index,
        EVERYTHING if wide else draw(scopes()),
        mode,
        holder=draw(st.sampled_from([Holder.SUBJECT] * 3 + [Holder.ORGANISATION])) if accounts else Holder.SUBJECT,
        notice=draw(st.sampled_from(["n1", "n1", "n1", "n2"])) if asks else None,
        accepts=draw(mostly(frozenset({"v1", "v2"}), some(("v1", "v2")))) if asks else frozenset(),
        told=draw(st.sampled_from(Told)) if opt_out else Told.DELIVERED,
        notice_period=draw(st.sampled_from([0, 0, 1, 5])) * instant.DAY if opt_out else 0,
        covers=draw(st.sampled_from([Covers.ALL, since])) if asks else Covers.ALL,
        collected=draw(mostly(ALWAYS, windows())),
        min_age=draw(mostly(None, st.builds(MinAge, st.sampled_from([13, 18]), st.booleans(), st.booleans()), of=5)),
        expires_after=draw(mostly(None, st.integers(1, 15).map(lambda days: days * instant.DAY), of=3))
        if opt_in
        else None,
        overrides_refusal=mode is Mode.ALWAYS and draw(st.booleans()),
    )
    if wide:
        return rule
    return replace(
        rule,
        territories=draw(regions(2)),
        attributes=draw(mostly(nothing, _attributes(sorted(ATTRIBUTES) if accounts else ["flag", "kind"]))),
        band=draw(mostly(None, st.builds(Band, st.sampled_from([None, 13, 18]), st.sampled_from([None, 18, 30])))),
        data=draw(mostly(ALWAYS, windows())),
    )


def audiences() -> st.SearchStrategy[dict[str, frozenset[str]]]:
    """The attributes that an audience asks for."""
    return mostly({}, some(("member", "student")).map(lambda values: {"kind": values}), of=3)


@st.composite
def policies(draw: st.DrawFn, *, accounts: bool = True, most_rules: int = 5) -> Policy:
    """A policy of one or two versions, rarely of none."""
    versions = []
    least = 0 if draw(now_and_then(20)) else 1
    for number, effective in enumerate(draw(st.lists(instants(-9, 11), min_size=least, max_size=2, unique=True))):
        count = draw(st.sampled_from([1, 1, 1, 2, 2, 2, *range(1, most_rules + 1), 0]))
        told = st.builds(SignUp, st.just("n1"), st.sampled_from(["v1", "v2"]), regions(1), audiences())
        versions.append(
            Version(
                f"version-{number}",
                effective - instant.DAY,
                effective,
                tuple(draw(rules(index, accounts=accounts)) for index in range(count)),
                draw(st.sampled_from([SituationMode.STRICTEST, SituationMode.STRICTEST, *SituationMode])),
                sign_ups=(draw(told),) if draw(st.booleans()) else (),
                roles=ROLES,
            )
        )
    declares = draw(st.tuples(*(scopes() for _ in NOTICES)))
    return Policy(
        "example", "sha256:" + "0" * 64, PURPOSES, CATEGORIES, RECIPIENTS, tuple(versions), ATTRIBUTES,
        {(n, v): NoticeVersion(n, v, d) for (n, v), d in zip(NOTICES, declares, strict=True)},
        {"gpc": SignalMap("gpc", draw(scopes()), draw(regions(2)))},
    )  # fmt: skip
