"""What a policy's form allows and its meaning does not, and what is allowed and worth a second look.

Here is what concerns a policy as a whole; what concerns one rule is `rule_check`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sayso import instant
from sayso.errors import Problem
from sayso.policy import document as written
from sayso.policy.model import Mode, Policy, Rule
from sayso.policy.rule_check import Doubt, doubts, errors
from sayso.policy.source import Path, Source, part_of
from sayso.policy.terms import Vocabulary


@dataclass
class Findings:
    """Problems, and warnings."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def check(document: written.Document, policy: Policy, source: Source) -> Findings:
    """What is wrong with a policy, beyond its form. Of what could not be read in full, nothing is said."""
    wrong = [*_versions(document), *_terms(policy), *_sign_ups(document), *_repeated(document)]
    doubtful: list[Doubt] = []
    for place, version in enumerate(document.versions):
        for number, rule in enumerate(version.rules):
            path: Path = ("versions", place, "rules", number)
            compiled = policy.versions[place].rules[number]
            wrong += errors(path, rule, compiled, policy)
            doubtful += doubts(path, rule, compiled, policy, policy.versions[place])
    if not any(part[:1] != ("versions",) for part in source.doubtful):
        wrong += _replaced(policy)
    doubtful += [*_unused(document), *_empty(document), *_spare(document)]
    return Findings(_told(wrong, source), _told(doubtful, source))


def _told(found: Iterable[Doubt], source: Source) -> list[Problem]:
    return [
        source.problem(one.path, one.message, one.remedy, key=one.key)
        for one in found
        if part_of(one.path) not in source.doubtful
    ]


def _versions(document: written.Document) -> Iterator[Doubt]:
    ids: set[str] = set()
    instants: dict[int, str] = {}
    for index, version in enumerate(document.versions):
        path: Path = ("versions", index)
        if version.id in ids:
            yield Doubt((*path, "id"), f"expected each version once, got `{version.id}` again", "give it another name")
        if version.effective in instants:
            yield Doubt(
                (*path, "effective"),
                f"expected no two versions effective from `{instant.format(version.effective)}`, got "
                f"`{instants[version.effective]}` and `{version.id}`",
                "no two may be in force at once: move one, or leave it out",
            )
        if version.announced > version.effective:
            yield Doubt(
                (*path, "announced"),
                f"expected a version to be announced by when it is effective, got "
                f"`{instant.format(version.announced)}`",
                "a version that reaches back would change what was decided",
            )
        if version.freshness < instant.DAY:
            yield Doubt((*path, "freshness"), "expected at least `1d`, got `0d`", "nothing could ever be released")
        rules: set[str] = set()
        for number, rule in enumerate(version.rules):
            if rule.id in rules:
                yield Doubt(
                    (*path, "rules", number, "id"), f"expected each rule once, got `{rule.id}` again",
                    "give it another name",
                )  # fmt: skip
            rules.add(rule.id)
        ids.add(version.id)
        instants[version.effective] = version.id


def _terms(policy: Policy) -> Iterator[Doubt]:
    """What `was` may not say: a name has one meaning, and what is still there keeps its own."""
    for kind, vocabulary in (
        ("purposes", policy.purposes),
        ("categories", policy.categories),
        ("recipients", policy.recipients),
    ):
        for name, term in vocabulary.terms.items():
            for old in term.was:
                if old in vocabulary and old not in _line(vocabulary, name):
                    yield Doubt(
                        (*_path_of(kind, vocabulary, name), "was"),
                        f"expected names that are no longer in use, got `{old}`, which is a term of `{kind}` still",
                        "a term may have been itself, or one above it",
                    )


def _line(vocabulary: Vocabulary, name: str) -> Iterator[str]:
    """A term and those above it."""
    step: str | None = name
    while step is not None:
        yield step
        step = vocabulary.terms[step].parent


def _path_of(kind: str, vocabulary: Vocabulary, name: str) -> Path:
    path: Path = ()
    for step in _line(vocabulary, name):
        path = ("children", step, *path) if vocabulary.terms[step].parent is not None else (kind, step, *path)
    return path


def _sign_ups(document: written.Document) -> Iterator[Doubt]:
    for index, version in enumerate(document.versions):
        for number, one in enumerate(version.sign_up):
            for name in one.attributes:
                if name in document.attributes and document.attributes[name].of == "account":
                    yield Doubt(
                        ("versions", index, "sign_up", number, "attributes", name),
                        f"expected an attribute of subjects, got `{name}`, which is of accounts",
                        "a notice is shown to a person; say who by residence or by the person's own attributes",
                    )


def _repeated(document: written.Document) -> Iterator[Doubt]:
    """Values of an attribute that are given twice."""
    for name, attribute in document.attributes.items():
        for index, value in enumerate(attribute.values):
            if value in attribute.values[:index]:
                yield Doubt(
                    ("attributes", name, "values", index), f"expected each value once, got `{value}` again",
                    "leave it out",
                )  # fmt: skip


def _replaced(policy: Policy) -> Iterator[Doubt]:
    """Rules that override refusals where an earlier version let people choose: no rule may escape a refusal so."""
    ordered = sorted(range(len(policy.versions)), key=lambda index: policy.versions[index].effective)
    for place, index in enumerate(ordered):
        for rule in policy.versions[index].rules:
            earlier = (old for before in ordered[:place] for old in policy.versions[before].rules)
            chosen = next(
                (old for old in earlier if old.mode in (Mode.OPT_IN, Mode.OPT_OUT) and _meet(old, rule)), None
            )
            if rule.overrides_refusal and chosen is not None:
                yield Doubt(
                    ("versions", index, "rules", rule.index, "overrides"),
                    f"expected no override where people could choose before, got one in the place of `{chosen.id}`",
                    "no rule may switch its basis to escape a refusal",
                )


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


def _unused(document: written.Document) -> Iterator[Doubt]:
    rules = [rule for version in document.versions for rule in version.rules]
    sign_ups = [one for version in document.versions for one in version.sign_up]
    where = [one.territories or [] for one in rules]
    where += [one.territories or [] for one in sign_ups]
    where += [one.territories or [] for one in document.signals.values()]
    places = [name for names in where for name in names]
    places += [name for group in document.groups.values() for name in (*group.include, *group.excluded)]
    attributes = {name for rule in rules for name in rule.audience.attributes}
    attributes |= {name for one in sign_ups for name in one.attributes}
    for kind, used, what in (
        ("notices", {*(rule.notice for rule in rules), *(one.notice for one in sign_ups)}, "notice"),
        ("groups", set(places), "group"),
        ("attributes", attributes, "attribute"),
    ):
        for name in getattr(document, kind):
            if name not in used:
                yield Doubt((kind, name), f"no rule asks for the {what} `{name}`", key=True)
    for name in document.controllers:
        if name not in {rule.controller for rule in rules}:
            yield Doubt(("controllers", name), f"no rule names the controller `{name}`", key=True)


def _empty(document: written.Document) -> Iterator[Doubt]:
    if not document.versions:
        yield Doubt(("versions",), "there is no version: everything is denied")
    for index, version in enumerate(document.versions):
        if not version.rules:
            yield Doubt(("versions", index, "rules"), f"version `{version.id}` has no rules: it denies everything")


def _spare(document: written.Document) -> Iterator[Doubt]:
    """Roles that are said to count, as one that is not named does; and versions that say what the document does."""
    for index, version in enumerate(document.versions):
        for name, role in (version.roles or {}).items():
            if name in document.roles and document.roles[name].counts == role.counts:
                yield Doubt(("versions", index, "roles", name), f"the document says the same of the role `{name}`")
