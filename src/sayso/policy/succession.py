"""Whether an edition of a policy may follow another (semantics, sections 1 and 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sayso import instant
from sayso.errors import Problem
from sayso.policy.model import Policy, Version
from sayso.policy.terms import Scope, Vocabulary

_KINDS = ("purposes", "categories", "recipients")
_NOWHERE = Scope(frozenset(), frozenset(), frozenset())
_LEAVE = "leave it as it was, and write what is new as a version of its own"


def succession(before: Policy, after: Policy, present: int) -> list[Problem]:
    """Why an edition may not follow another at an instant (microseconds); nothing if it may.

    A version that is effective by then must be as it was. Terms may be renamed, moved and split with `was` at what
    they became, and what is effective is then compared by what came of them.
    """
    problems: list[Problem] = []
    if before.platform != after.platform:
        problems.append(Problem(f"expected an edition for platform `{before.platform}`, got `{after.platform}`"))
    for kind in _KINDS:
        problems += _terms(kind, getattr(before, kind), getattr(after, kind))
    if not problems:
        # Until every term has a successor, whatever else differs may come of that.
        problems += _Following(before, after, present).problems()
    return problems


def _terms(kind: str, before: Vocabulary, after: Vocabulary) -> Iterator[Problem]:
    """Terms that are no longer what they were, and do not say so."""
    said = {name for term in after.terms.values() for name in term.was}
    for name, term in before.terms.items():
        kept = after.terms.get(name)
        if kept is None and name not in said:
            yield Problem(
                f"`{name}` is gone from `{kind}`", remedy=f"say `was: [{name}]` at what took its place, or keep it"
            )
        elif kept is not None and not _same_place(term.parent, kept.parent, after) and name not in kept.was:
            yield Problem(f"`{name}` was moved in `{kind}`", remedy=f"say `was: [{name}]` at it")
        elif kept is not None and (name in before.leaves) != (name in after.leaves) and name not in said:
            yield Problem(f"`{name}` was split in `{kind}`", remedy=f"say `was: [{name}]` at each part")
        lost = sorted(set(term.was) - said)
        if lost:
            yield Problem(f"`was: {lost[0]}` is gone from `{kind}`", remedy="keep every name that a term had")


def _same_place(old: str | None, new: str | None, after: Vocabulary) -> bool:
    """Whether a term lies below what it lay below, which may have another name since."""
    return old == new or (new is not None and old in after.terms[new].was)


@dataclass(frozen=True)
class _Following:
    """An edition whose terms follow on those of the edition before it."""

    before: Policy
    after: Policy
    present: int

    @property
    def effective(self) -> list[Version]:
        """The versions that may not change."""
        return [version for version in self.before.versions if version.effective <= self.present]

    def problems(self) -> Iterator[Problem]:
        """What of the edition before may not be as it is in this one."""
        kept = {version.id: version for version in self.after.versions}
        for version in self.effective:
            if version.id in kept:
                yield from self._version(version, kept.pop(version.id))
            else:
                since = instant.format(version.effective)
                yield Problem(f"version `{version.id}` has been effective since `{since}` and is gone", remedy=_LEAVE)
        for version in kept.values():
            if version.effective < self.present:
                since = instant.format(version.effective)
                yield Problem(
                    f"version `{version.id}` would be effective from `{since}`, which is past",
                    remedy="let it begin later",
                )
        yield from self._texts()
        yield from self._shown()
        yield from self._attributes()
        yield from self._special()

    def _version(self, old: Version, new: Version) -> Iterator[Problem]:
        """What differs in a version that is effective."""
        name = f"version `{old.id}` has been effective since `{instant.format(old.effective)}` and"
        if self._frame(old) != self._frame(new):
            yield Problem(f"{name} is changed in this edition", remedy=_LEAVE)
            return
        for rule, now in zip(old.rules, new.rules, strict=True):
            if replace(rule, scope=_NOWHERE) != replace(now, scope=_NOWHERE):
                yield Problem(f"{name} has rule `{rule.id}` changed in this edition", remedy=_LEAVE)
            for kind, lost, gained in self._reach(rule.scope, now.scope):
                if gained:
                    yield Problem(
                        f"{name} reaches `{gained[0]}` of `{kind}` by rule `{rule.id}`, which it did not before",
                        remedy=f"name there what is meant, without `{gained[0]}`"
                        + (", or leave it out with `except`" if kind == "categories" else ""),
                    )
                if lost:
                    yield Problem(
                        f"{name} no longer reaches `{lost[0]}` of `{kind}` by rule `{rule.id}`",
                        remedy=_LEAVE,
                    )

    @staticmethod
    def _frame(version: Version) -> tuple[object, ...]:
        """A version without what its rules say. A role that counts is as one that is not named."""
        uncounted = {role for role, counts in version.roles.items() if not counts}
        rules = [rule.id for rule in version.rules]
        return (
            version.announced, version.effective, version.situation, version.freshness, version.sign_ups, uncounted, rules,
        )  # fmt: skip

    def _reach(self, old: Scope, new: Scope) -> Iterator[tuple[str, list[str], list[str]]]:
        """By kind, what a scope no longer reaches of what came of it, and what it reaches beside that."""
        for kind in _KINDS:
            today: Vocabulary = getattr(self.after, kind)
            reached: frozenset[str] = getattr(old, kind)
            outside = getattr(self.before, kind).leaves - reached
            meant = frozenset[str]().union(*(today.resolve(name) for name in reached))
            left = frozenset[str]().union(*(today.resolve(name) for name in outside))
            now: frozenset[str] = getattr(new, kind)
            # What came of terms inside and outside alike cannot be as both were.
            yield kind, sorted(meant - now), sorted((now - meant) | (now & left))

    def _texts(self) -> Iterator[Problem]:
        """Texts of notices that are other texts now."""
        for named, text in sorted(self.before.notices.items()):
            now = self.after.notices.get(named)
            if now is not None and text.digest is not None and now.digest != text.digest:
                yield Problem(
                    f"version `{named[1]}` of the notice `{named[0]}` is of another text in this edition",
                    remedy="give the new text a version of its own",
                )

    def _shown(self) -> Iterator[Problem]:
        """Notices shown at sign-up by what is effective: what they declare is read from the last edition."""
        for named in sorted({(one.notice, one.version) for version in self.effective for one in version.sign_ups}):
            old, new = self.before.notices[named], self.after.notices.get(named)
            if new is not None and any(lost or gained for _, lost, gained in self._reach(old.declares, new.declares)):
                yield Problem(
                    f"version `{named[1]}` of the notice `{named[0]}`, shown at sign-up, declares something else in this edition",
                    remedy="give what it declares now a version of its own",
                )

    def _attributes(self) -> Iterator[Problem]:
        """Attributes that what is effective asks for."""
        rules = {name for version in self.effective for rule in version.rules for name in rule.attributes}
        sign_ups = {name for version in self.effective for one in version.sign_ups for name in one.attributes}
        for name in sorted(rules | sign_ups):
            old, new = self.before.attributes[name], self.after.attributes.get(name)
            if new is not None and (old.of_account, old.default) != (new.of_account, new.default):
                yield Problem(
                    f"the attribute `{name}`, which a version that is effective asks for, is changed in this edition",
                    remedy="declare another beside it",
                )

    def _special(self) -> Iterator[Problem]:
        """Categories that would pass where they could not."""
        for name in sorted(self.before.categories.leaves):
            if self.before.categories.terms[name].special:
                for leaf in self.after.categories.resolve(name):
                    if not self.after.categories.terms[leaf].special:
                        yield Problem(
                            f"`{leaf}` of `categories` is no longer special", remedy="say `special: true` at it"
                        )
