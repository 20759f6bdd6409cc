"""What one rule says that it may not say, and what it says that may not be meant (semantics, sections 3 to 5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sayso import instant
from sayso.policy import document as written
from sayso.policy.model import Mode, NoticeVersion, Policy, Rule, Version
from sayso.policy.source import Path
from sayso.policy.terms import Window

CHOSEN = ("opt-in", "opt-out")
OPEN = (*CHOSEN, "always")


@dataclass(frozen=True, slots=True)
class Doubt:
    """A problem at a path of the document, at its value or at its key."""

    path: Path
    message: str
    remedy: str | None = None
    key: bool = False


def errors(path: Path, rule: written.Rule, compiled: Rule, policy: Policy) -> Iterator[Doubt]:
    """What is wrong with a rule."""
    for key, message, remedy in (*_chosen(rule), *_idle(rule), *_basis(rule), *_windows(rule, compiled)):
        yield Doubt((*path, *key.split(".")), message, remedy)
    told = _accepted(compiled, policy)
    if rule.mode == "opt-out" and told and not any(_declares(notice, compiled) for notice in told):
        yield Doubt(
            (*path, "accepts"),
            f"expected a version of `{rule.notice}` that declares something in the rule's scope, got "
            f"`{', '.join(rule.accepts)}`",
            "nobody told by it is told of this; widen `declares`, or accept another version",
        )


_Said = Iterator[tuple[str, str, str | None]]


def _chosen(rule: written.Rule) -> _Said:
    """What an opt-in or opt-out rule must say."""
    if rule.mode not in CHOSEN:
        return
    if rule.covers is None:
        yield "mode", f"expected an `{rule.mode}` rule to say what data it `covers`", "add `covers`"
    if rule.covers == "all" and rule.covers_reason is None:
        yield "covers", "expected `covers_reason` beside `all`", "say why data from before is included"
    if rule.notice is None or not rule.accepts:
        yield (
            "mode", f"expected an `{rule.mode}` rule to name a `notice` and the versions that it `accepts`",
            "add them",
        )  # fmt: skip
    if rule.covers == "after-choice" and rule.mode == "opt-out":
        yield "covers", "expected `after-notice` or `all` of an opt-out rule, got `after-choice`", None
    if rule.covers == "after-notice" and rule.mode == "opt-in":
        yield "covers", "expected `after-choice` or `all` of an opt-in rule, got `after-notice`", None


def _idle(rule: written.Rule) -> _Said:
    """Keys that say nothing in a rule of this mode."""
    asked: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
        ("covers", rule.covers, CHOSEN),
        ("notice", rule.notice, CHOSEN),
        ("accepts", rule.accepts or None, CHOSEN),
        ("notice_period", rule.notice_period or None, ("opt-out",)),
        ("expires_after", rule.expires_after, ("opt-in",)),
        ("told", None if rule.told == "delivered" else rule.told, ("opt-out",)),
        ("overrides", rule.overrides, ("always",)),
        ("holder", None if rule.holder == "subject" else rule.holder, OPEN),
    )
    for key, value, modes in asked:
        if value is not None and rule.mode not in modes:
            yield key, f"expected no `{key}` in an `{rule.mode}` rule, where it says nothing", "leave it out"
    if rule.covers_reason is not None and rule.covers != "all":
        yield "covers_reason", "expected `covers_reason` only beside `covers: all`", "leave it out"


def _basis(rule: written.Rule) -> _Said:
    """What a mode may not rest on."""
    if rule.mode == "disputed" and rule.why is None:
        yield (
            "mode", "expected a `disputed` rule to say `why`",
            "say which sources contradict each other, or are silent",
        )  # fmt: skip
    if rule.basis == "consent" and rule.mode != "opt-in":
        yield "basis", f"expected another basis of an `{rule.mode}` rule, got `consent`", "silence is not consent"
    if rule.basis == "consent" and rule.holder == "organisation":
        yield (
            "basis", "expected another basis where the organisation chooses, got `consent`",
            "an organisation cannot consent for a person",
        )  # fmt: skip
    if rule.min_age is not None and rule.min_age.otherwise and rule.holder == "organisation":
        yield (
            "min_age.or", "expected no `or` where the organisation chooses, got `guardian`",
            "a guardian acts for a person",
        )  # fmt: skip
    if rule.expires_after == 0:
        yield "expires_after", "expected at least `1d`, got `0d`", "no grant would ever stand"


def _windows(rule: written.Rule, compiled: Rule) -> _Said:
    """Intervals that hold nothing."""
    for key, window in (("data", compiled.data), ("collected", compiled.collected)):
        if _empty(window):
            ends = " to ".join(f"`{instant.format(end)}`" for end in (window.start, window.until) if end is not None)
            yield key, f"expected an interval that begins before it ends, got {ends}", None
    age = rule.audience.age
    if age is not None and age.start is not None and age.until is not None and age.start >= age.until:
        yield (
            "audience.age",
            f"expected an age band that begins before it ends, got `{age.start}` to `{age.until}`",
            None,
        )


def _empty(window: Window) -> bool:
    return window.start is not None and window.until is not None and window.start >= window.until


def _overlap(one: Window, other: Window) -> Window:
    """What lies in both."""
    starts = [start for start in (one.start, other.start) if start is not None]
    ends = [until for until in (one.until, other.until) if until is not None]
    return Window(max(starts, default=None), min(ends, default=None))


def _accepted(rule: Rule, policy: Policy) -> list[NoticeVersion]:
    return [
        policy.notices[rule.notice or "", version]
        for version in sorted(rule.accepts)
        if (rule.notice or "", version) in policy.notices
    ]


def _declares(notice: NoticeVersion, rule: Rule) -> bool:
    """Whether a notice declares anything of a rule's scope."""
    declared = notice.declares
    return bool(
        declared.purposes & rule.scope.purposes
        and declared.categories & rule.scope.categories
        and declared.recipients & rule.scope.recipients
    )


def doubts(path: Path, rule: written.Rule, compiled: Rule, policy: Policy, version: Version) -> Iterator[Doubt]:
    """What is allowed in a rule, and may not be meant."""
    for key, message in (*_hears(rule), *_reaches(rule, compiled, policy), *_never_matches(compiled, policy, version)):
        yield Doubt((*path, key), message)


def _hears(rule: written.Rule) -> Iterator[tuple[str, str]]:
    if rule.told == "published":
        yield "told", "a text merely published counts as told; nobody is known to have read it"
    if rule.holder == "organisation":
        yield "holder", "this rule does not hear the person whose data it is"
    if rule.min_age is not None and rule.min_age.age == 0:
        yield "min_age", "everybody whose age is known is at least 0 years old"


def _reaches(rule: written.Rule, compiled: Rule, policy: Policy) -> Iterator[tuple[str, str]]:
    """Where a rule and its notice, or the categories, do not fit."""
    special = sorted(name for name in compiled.scope.categories if policy.categories.terms[name].special)
    if special and compiled.mode is Mode.OPT_OUT:
        yield "categories", f"special categories pass no opt-out rule: `{special[0]}` is denied `not-enabled`"
    below = frozenset() if rule.categories == "all" else policy.categories.reach(rule.categories)
    for name in rule.excluded:
        if rule.categories != "all" and not policy.categories.below(name) & below:
            yield "except", f"`{name}` is not below what the rule names: leaving it out changes nothing"
    for notice in _accepted(compiled, policy):
        for kind in ("purposes", "categories", "recipients"):
            missing = sorted(getattr(compiled.scope, kind) - getattr(notice.declares, kind))
            if missing:
                yield "accepts", f"version `{notice.version}` of the notice does not declare `{missing[0]}`"


def _never_matches(rule: Rule, policy: Policy, version: Version) -> Iterator[tuple[str, str]]:
    """Why a rule can match, or let through, nothing at all."""
    if not (rule.scope.purposes and rule.scope.categories and rule.scope.recipients):
        yield "categories", "this rule matches nothing: its scope is empty"
    if rule.territories is not None and not rule.territories.codes:
        yield "territories", "this rule matches nowhere: its territories are empty when the version takes effect"
    later = [other.effective for other in policy.versions if other.effective > version.effective]
    ends = min(later, default=None)
    if rule.data.start is not None and ends is not None and rule.data.start >= ends:
        yield "data", f"this rule matches nothing: its version ends on `{instant.format(ends)}`, before its data begins"
    if rule.mode is not Mode.NEVER and _empty(_overlap(rule.data, rule.collected)) and not _empty(rule.data):
        yield "collected", "this rule lets nothing through: no data that it matches lies in `collected`"
