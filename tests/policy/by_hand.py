"""Policies, facts and records written by hand: one person in France who wrote a post, and what a test changes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sayso import instant
from sayso.policy.decide import decide, find
from sayso.policy.facts import (
    AccountFacts,
    By,
    Choice,
    Delivery,
    Id,
    Record,
    Signal,
    Subject,
    SubjectFacts,
    Suspension,
    Use,
    Voice,
)
from sayso.policy.model import Attribute, Covers, MinAge, Mode, Policy, Rule, Version
from sayso.policy.terms import Scope, Term, Vocabulary
from sayso.policy.verdict import Verdict
from sayso.territory import Region

DAY = instant.DAY
NOW = instant.parse("2025-06-01T00:00:00Z")
THEN = NOW - 100 * DAY
LONG_AGO = NOW - 1000 * DAY
USE = Use("genai", "platform", NOW)
FRANCE, CALIFORNIA = Region(frozenset({"FR"})), Region(frozenset({"US-CA"}))


def vocabulary(*terms: Term) -> Vocabulary:
    """A vocabulary of some terms."""
    return Vocabulary({term.name: term for term in terms})


PURPOSES = vocabulary(Term("training"), Term("genai", "training"), Term("ads"))
CATEGORIES = vocabulary(
    Term("content"),
    Term("posts", "content", was=("articles",)),
    Term("comments", "content", was=("articles",)),
    Term("messages", was=("dms",)),
    Term("health", special=True),
)
RECIPIENTS = vocabulary(Term("platform"), Term("affiliate"))
ALL = Scope(PURPOSES.leaves, CATEGORIES.leaves, RECIPIENTS.leaves)
ATTRIBUTES = {
    "kind": Attribute("kind", ("member", "student")),
    "flag": Attribute("flag", ("on", "off"), default="off"),
    "plan": Attribute("plan", ("free", "pro"), of_account=True),
}


def rule(mode: Mode, name: str = "rule", **said: Any) -> Rule:
    """A rule over everything; an opt-in or opt-out rule accepts version `v1` of notice `n`."""
    asks = mode in (Mode.OPT_IN, Mode.OPT_OUT)
    usual: dict[str, Any] = {"scope": ALL} | ({"notice": "n", "accepts": frozenset({"v1"})} if asks else {})
    return Rule(name, 0, mode=mode, **(usual | said))


OPT_IN, OPT_OUT, ALWAYS = rule(Mode.OPT_IN), rule(Mode.OPT_OUT), rule(Mode.ALWAYS)


def policy(*rules: Rule, **said: Any) -> Policy:
    """A policy with one version, long in force."""
    numbered = tuple(replace(one, index=index) for index, one in enumerate(rules))
    usual: dict[str, Any] = {"roles": {"mentioned": False}}
    version = Version("v", LONG_AGO, LONG_AGO, numbered, **(usual | said))
    return Policy("example", "sha256:0", PURPOSES, CATEGORIES, RECIPIENTS, (version,), ATTRIBUTES)


@dataclass(frozen=True)
class Ledger:
    """What a ledger says: person 1 is `who`."""

    people: Mapping[Any, SubjectFacts] = field(default_factory=dict)
    accounts: Mapping[Any, AccountFacts] = field(default_factory=dict)
    organisations: Mapping[Any, Voice] = field(default_factory=dict)
    suspensions: tuple[Suspension, ...] = ()
    published: tuple[Delivery, ...] = ()
    withdrawn: frozenset[str] = frozenset()

    def subject(self, subject: Id) -> SubjectFacts | None:
        return self.people.get(subject)

    def account(self, account: Id) -> AccountFacts | None:
        return self.accounts.get(account)

    def organisation(self, organisation: Id) -> Voice:
        return self.organisations.get(organisation, Voice())


def person(*said: Choice | Signal | Delivery, **known: Any) -> SubjectFacts:
    """Somebody of France, who said and was told some things."""
    usual: dict[str, Any] = {"registered": LONG_AGO, "residences": ((LONG_AGO, "FR"),), "voice": voice(*said)}
    return SubjectFacts(**(usual | known))


def voice(*said: Choice | Signal | Delivery) -> Voice:
    """What a holder said and was told."""
    return Voice(
        tuple(one for one in said if isinstance(one, Choice)),
        tuple(one for one in said if isinstance(one, Signal)),
        tuple(one for one in said if isinstance(one, Delivery)),
    )


def grant(at: int = THEN, **said: Any) -> Choice:
    """A grant of everything under the notice."""
    usual: dict[str, Any] = {"scope": ALL, "position": 10, "notice": ("n", "v1")}
    return Choice(refusal=False, at=at, **(usual | said))


def refusal(at: int = THEN, **said: Any) -> Choice:
    """A refusal of everything."""
    usual: dict[str, Any] = {"scope": ALL, "position": 11}
    return Choice(refusal=True, at=at, **(usual | said))


def signal(at: int = THEN, **said: Any) -> Signal:
    """A signal against everything, everywhere."""
    usual: dict[str, Any] = {"scope": ALL, "territories": None, "first_recorded": at, "position": 12}
    return Signal(at=at, **(usual | said))


def told(at: int = THEN, **said: Any) -> Delivery:
    """A delivery of the notice."""
    usual: dict[str, Any] = {"notice": "n", "version": "v1", "declares": ALL, "position": 13}
    return Delivery(at=at, **(usual | said))


def stop(**said: Any) -> Suspension:
    """A suspension of everything."""
    usual: dict[str, Any] = {"id": "s", "scope": ALL, "territories": None, "opened": THEN, "position": 14}
    return Suspension(**(usual | said))


POST = Record((Subject(1),), "posts", THEN)


def verdict(asked: Policy | Rule, who: SubjectFacts | Ledger, record: Record = POST, use: Use = USE) -> Verdict:
    """The verdict on the record about person 1."""
    held = who if isinstance(who, Ledger) else Ledger({1: who})
    return decide(asked if isinstance(asked, Policy) else policy(asked), use, record, held)


def said(asked: Policy | Rule, who: SubjectFacts | Ledger, record: Record = POST, use: Use = USE) -> str:
    """The reason or ground."""
    return verdict(asked, who, record, use).outcome.word


def everything(asked: Policy | Rule, who: SubjectFacts | Ledger, record: Record = POST) -> set[str]:
    """Everything found."""
    held = who if isinstance(who, Ledger) else Ledger({1: who})
    found = find(asked if isinstance(asked, Policy) else policy(asked), USE, record, held)
    return {one.outcome.word for one in found}


GUARDIAN, AGENT = By.GUARDIAN, By.AGENT
ADULT = MinAge(18)
AFTER_CHOICE, AFTER_NOTICE = Covers.AFTER_CHOICE, Covers.AFTER_NOTICE
