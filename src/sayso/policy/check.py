"""What a policy's form allows and its meaning does not, and what is allowed and worth a second look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sayso.errors import Problem
from sayso.policy import document as written
from sayso.policy.model import Mode, Policy, Rule
from sayso.policy.parse import Path, Source

CHOSEN = ("opt-in", "opt-out")


@dataclass
class Findings:
    """Problems, and warnings."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def check(document: written.Document, policy: Policy, source: Source) -> Findings:
    """What is wrong with a policy, beyond its form."""
    findings = Findings()
    findings.errors += _versions(document, source)
    for index, version in enumerate(document.versions):
        ids: set[str] = set()
        for number, rule in enumerate(version.rules):
            path: Path = ("versions", index, "rules", number)
            if rule.id in ids:
                findings.errors.append(source.problem((*path, "id"), f"the rule `{rule.id}` is there already"))
            ids.add(rule.id)
            compiled = policy.versions[index].rules[number]
            findings.errors += _rule(path, rule, compiled, policy, source)
            findings.warnings += _doubts(path, rule, compiled, policy, source)
    findings.errors += _replaced(policy, source)
    findings.warnings += _unused(document, source)
    return findings


def _versions(document: written.Document, source: Source) -> Iterator[Problem]:
    ids: set[str] = set()
    instants: set[int] = set()
    for index, version in enumerate(document.versions):
        path: Path = ("versions", index)
        if version.id in ids:
            yield source.problem((*path, "id"), f"the version `{version.id}` is there already")
        if version.effective in instants:
            yield source.problem((*path, "effective"), "another version is effective from the same instant")
        if version.announced > version.effective:
            yield source.problem((*path, "announced"), "expected a version to be announced by when it is effective")
        ids.add(version.id)
        instants.add(version.effective)


def _rule(path: Path, rule: written.Rule, compiled: Rule, policy: Policy, source: Source) -> Iterator[Problem]:
    """Errors in one rule."""

    def wrong(key: str, message: str, remedy: str | None = None) -> Problem:
        return source.problem((*path, key), message, remedy)

    chosen = rule.mode in CHOSEN
    if chosen and rule.covers is None:
        yield wrong("mode", f"expected an `{rule.mode}` rule to say what data it `covers`")
    if chosen and rule.covers == "all" and rule.covers_reason is None:
        yield wrong("covers", "expected `covers_reason`: why data from before is included")
    if chosen and (rule.notice is None or not rule.accepts):
        yield wrong("mode", f"expected an `{rule.mode}` rule to name a `notice` and the versions that it `accepts`")
    for key, value, modes in (
        ("covers", rule.covers, CHOSEN), ("notice", rule.notice, CHOSEN), ("accepts", rule.accepts or None, CHOSEN),
        ("notice_period", rule.notice_period or None, ("opt-out",)), ("expires_after", rule.expires_after, ("opt-in",)),
        ("told", None if rule.told == "delivered" else rule.told, ("opt-out",)),
        ("overrides", rule.overrides, ("always",)),
        ("holder", None if rule.holder == "subject" else rule.holder, (*CHOSEN, "always")),
    ):  # fmt: skip
        if value is not None and rule.mode not in modes:
            yield wrong(key, f"`{key}` says nothing in an `{rule.mode}` rule", "leave it out")
    if rule.covers == "after-choice" and rule.mode == "opt-out":
        yield wrong("covers", "`after-choice` is of opt-in rules", "say `after-notice`, or `all` with a reason")
    if rule.covers == "after-notice" and rule.mode == "opt-in":
        yield wrong("covers", "`after-notice` is of opt-out rules", "say `after-choice`, or `all` with a reason")
    if rule.mode == "disputed" and rule.why is None:
        yield wrong(
            "mode", "expected a `disputed` rule to say `why`: which sources contradict each other, or are silent"
        )
    if rule.basis == "consent" and rule.mode != "opt-in":
        yield wrong("basis", f"consent is no basis of an `{rule.mode}` rule: silence is not consent")
    if rule.basis == "consent" and rule.holder == "organisation":
        yield wrong("basis", "an organisation cannot consent for a person")
    for key, window in (("data", compiled.data), ("collected", compiled.collected)):
        if window.start is not None and window.until is not None and window.start >= window.until:
            yield wrong(key, "expected an interval that begins before it ends")
    band = compiled.band
    if band is not None and band.start is not None and band.until is not None and band.start >= band.until:
        yield source.problem((*path, "audience", "age"), "expected an age band that begins before it ends")
    if rule.mode == "opt-out" and compiled.notice is not None:
        told = [policy.notices[compiled.notice, v] for v in compiled.accepts if (compiled.notice, v) in policy.notices]
        scope = compiled.scope
        if told and not any(
            notice.declares.covers(purpose, category, recipient)
            for notice in told
            for purpose in scope.purposes
            for category in scope.categories
            for recipient in scope.recipients
        ):
            yield wrong("accepts", "no accepted version of the notice declares anything in the rule's scope")


def _doubts(path: Path, rule: written.Rule, compiled: Rule, policy: Policy, source: Source) -> Iterator[Problem]:
    """What is allowed, and may not be meant."""

    def doubt(key: str, message: str) -> Problem:
        return source.problem((*path, key), message)

    if rule.told == "published":
        yield doubt("told", "a text merely published counts as told; nobody is known to have read it")
    if rule.holder == "organisation":
        yield doubt("holder", "this rule does not hear the person whose data it is")
    if compiled.mode is Mode.OPT_OUT:
        special = sorted(c for c in compiled.scope.categories if policy.categories.terms[c].special)
        if special:
            yield doubt(
                "categories", f"special categories pass no opt-out rule: `{special[0]}` is denied `not-enabled`"
            )
    if not (compiled.scope.purposes and compiled.scope.categories and compiled.scope.recipients):
        yield doubt("categories", "this rule matches nothing: its scope is empty")
    if compiled.territories is not None and not compiled.territories.codes:
        yield doubt("territories", "this rule matches nowhere: its territories are empty at that instant")
    for version in sorted(compiled.accepts):
        told = policy.notices.get((compiled.notice or "", version))
        missing = sorted(compiled.scope.categories - told.declares.categories) if told else []
        if missing:
            yield doubt("accepts", f"version `{version}` of the notice does not declare `{missing[0]}`")


def _replaced(policy: Policy, source: Source) -> Iterator[Problem]:
    """Rules that override refusals where an earlier version let people choose: no rule may escape a refusal so."""
    ordered = sorted(range(len(policy.versions)), key=lambda index: policy.versions[index].effective)
    for place, index in enumerate(ordered):
        for rule in policy.versions[index].rules:
            if not rule.overrides_refusal:
                continue
            earlier = (old for before in ordered[:place] for old in policy.versions[before].rules)
            for old in earlier:
                if old.mode in (Mode.OPT_IN, Mode.OPT_OUT) and _meet(old, rule):
                    path = ("versions", index, "rules", rule.index, "overrides")
                    yield source.problem(
                        path,
                        f"this rule takes the place of `{old.id}`, under which people chose; it may not override them",
                    )
                    break


def _meet(one: Rule, other: Rule) -> bool:
    """Whether two rules have a cell in common."""
    scopes = (
        one.scope.purposes & other.scope.purposes
        and one.scope.categories & other.scope.categories
        and one.scope.recipients & other.scope.recipients
    )
    first, second = one.territories, other.territories
    if not scopes or first is None or second is None:
        return bool(scopes)
    return any(second.contains(code) for code in first.codes) or any(first.contains(code) for code in second.codes)


def _unused(document: written.Document, source: Source) -> Iterator[Problem]:
    used = {rule.notice for version in document.versions for rule in version.rules}
    used |= {one.notice for version in document.versions for one in version.sign_up}
    for notice in document.notices:
        if notice not in used:
            yield source.problem(("notices", notice), f"no rule asks for the notice `{notice}`", key=True)
