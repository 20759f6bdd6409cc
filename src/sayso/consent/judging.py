"""Judging events by the policy last published: whether the terms, notices and places that they name are its own.

What the ledger cannot know by itself (spec/ledger.md, *What is refused*, last paragraph) is refused here, so that a
misspelt refusal is told of when it is made and not when it fails to be heard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from sayso.errors import Problem, TerritoryError
from sayso.ledger import events as e
from sayso.policy.model import Policy
from sayso.territory import region

Compile = Callable[[Mapping[str, Any]], Policy]
Succession = Callable[[Policy, Policy, int], Sequence[Problem]]

_FIRST = "publish the policy first, with `sayso policy publish FILE`"


class Judge:
    """What a journal's `judge` asks. It knows editions by their digest, and compiles each once.

    `compile_policy` turns a normalised document into the policy; `succession` says why an edition may not follow
    another at an instant; `now` gives the present one.
    """

    def __init__(self, compile_policy: Compile, succession: Succession, now: Callable[[], int]) -> None:
        self._compile = compile_policy
        self._succession = succession
        self._now = now
        self._editions: dict[str, Policy] = {}
        self._choice = lru_cache(maxsize=4096)(self._choice_of)

    def __call__(self, event: e.Event, published: e.PolicyPublished | None) -> Sequence[Problem]:
        """Everything for which the policy last published has an event refused; empty if nothing."""
        policy = None if published is None else self._edition(published)
        match event:
            case e.ChoiceRecorded():
                digest = "" if published is None else published.digest
                found: Iterable[Problem] = self._choice(digest, event.decision == "grant", event.scope, event.notice)
            case e.SignalSeen():
                found = _signal(event, policy)
            case e.NoticePublished():
                found = _notice(event.notice, event.version, policy)
            case e.NoticeDelivered():
                found = (*_notice(event.notice, event.version, policy), *self._audience(event, policy))
            case e.SuspensionOpened():
                found = self._suspension(event, policy)
            case e.SubjectRegistered() | e.SubjectAttributesChanged():
                found = () if policy is None else _values(event.attributes, policy, of_account=False)
            case e.AccountAttributesChanged():
                found = () if policy is None else _values(event.attributes, policy, of_account=True)
            case e.PolicyPublished():
                found = self._follows(event, policy)
            case _:
                return ()
        return [Problem(f"{event.kind}: {one.message}", remedy=one.remedy) for one in found]

    def _edition(self, published: e.PolicyPublished) -> Policy:
        policy = self._editions.get(published.digest)
        if policy is None:
            policy = self._editions[published.digest] = self._compile(published.document)
        return policy

    def _choice_of(self, digest: str, grants: bool, scope: e.Scope, notice: e.NoticeRef | None) -> tuple[Problem, ...]:
        """Depends on nothing but the edition and what is named, so that a million alike are judged once."""
        policy = self._editions.get(digest)
        if policy is None:
            return (Problem("no policy is published, so nothing says what it is about", remedy=_FIRST),)
        named = () if notice is None else _notice(notice.id, notice.version, policy)
        return (*_scope(scope, policy, was=not grants), *named)

    def _audience(self, event: e.NoticeDelivered, policy: Policy | None) -> Iterator[Problem]:
        yield from self._territories(event, event.audience.territories)
        if policy is not None:
            for name, values in (event.audience.attributes or {}).items():
                yield from _attribute(name, values, policy, of_account=False)

    def _suspension(self, event: e.SuspensionOpened, policy: Policy | None) -> Iterator[Problem]:
        scope = event.scope
        yield from self._territories(event, scope.territories)
        named = e.Scope(
            purposes=scope.purposes, categories=scope.categories, excluded=scope.excluded, recipients=scope.recipients
        )
        if policy is not None:
            yield from _scope(named, policy, was=True)
        elif named != e.Scope():
            yield Problem("no policy is published, so nothing says what it stops", remedy=_FIRST)

    def _territories(self, event: e.Event, named: Sequence[str] | None) -> tuple[Problem, ...]:
        try:
            region(named or (), at=self._now() if event.effective_at is None else event.effective_at)
        except TerritoryError as error:
            return error.problems
        return ()

    def _follows(self, event: e.PolicyPublished, before: Policy | None) -> Iterable[Problem]:
        try:
            policy = self._edition(event)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return (
                Problem(
                    f"`document` is no normalised policy ({type(error).__name__})",
                    remedy="publish the file with `sayso policy publish FILE`",
                ),
            )
        if policy.platform != event.platform:
            return (Problem(f"expected platform `{policy.platform}`, as the document says, got `{event.platform}`"),)
        return () if before is None else self._succession(before, policy, self._now())


def _scope(scope: e.Scope, policy: Policy, *, was: bool) -> Iterator[Problem]:
    """The names of a scope that are no terms. What restricts may use the name that a term had in an earlier edition."""
    for what, names, vocabulary in (
        ("purpose", scope.purposes or (), policy.purposes),
        ("category", (*(scope.categories or ()), *scope.excluded), policy.categories),
        ("recipient", scope.recipients or (), policy.recipients),
    ):
        for name in names:
            if name not in vocabulary and not (was and vocabulary.renamed(name)):
                yield _unknown(what, name, vocabulary.terms)


def _notice(notice: str, version: str, policy: Policy | None) -> Iterator[Problem]:
    if policy is None:
        yield Problem("no policy is published, so nothing says what the notice declares", remedy=_FIRST)
        return
    versions = [known for name, known in policy.notices if name == notice]
    if not versions:
        yield _unknown("notice", notice, {name for name, _ in policy.notices})
    elif version not in versions:
        yield _unknown(f"version of notice `{notice}`", version, versions)


def _signal(event: e.SignalSeen, policy: Policy | None) -> Iterator[Problem]:
    if policy is None:
        yield Problem("no policy is published, so nothing says what the signal refuses", remedy=_FIRST)
    elif event.signal not in policy.signals:
        yield _unknown("signal", event.signal, policy.signals)


def _values(attributes: Mapping[str, str], policy: Policy, *, of_account: bool) -> Iterator[Problem]:
    for name, value in attributes.items():
        yield from _attribute(name, (value,), policy, of_account=of_account)


def _attribute(name: str, values: Sequence[str], policy: Policy, *, of_account: bool) -> Iterator[Problem]:
    declared = policy.attributes.get(name)
    if declared is None:
        yield _unknown("attribute", name, policy.attributes)
    elif declared.of_account is not of_account:
        whose, kind = ("a subject", "subject") if of_account else ("an account", "account")
        yield Problem(f"attribute `{name}` is of {whose}", remedy=f"record `{kind}.attributes-changed`")
    else:
        for value in values:
            if value not in declared.values:
                yield _unknown(f"value of attribute `{name}`", value, declared.values)


def _unknown(what: str, name: str, known: Iterable[str]) -> Problem:
    """A name that the policy does not have, with the one that may have been meant."""
    ordered = sorted(known)
    close = get_close_matches(name, ordered, n=1)
    some = ", ".join(f"`{one}`" for one in ordered[:8]) + (" and others" if len(ordered) > 8 else "")
    remedy = f"did you mean `{close[0]}`?" if close else f"the policy has {some}" if some else "the policy has none"
    return Problem(f"unknown {what} `{name}`", remedy=remedy)
