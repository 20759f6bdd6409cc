"""The few words of generated worlds, and the instants, scopes, regions and windows that are made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import combinations
from typing import TypeVar

from hypothesis import strategies as st

from sayso import instant
from sayso.policy.model import Attribute
from sayso.policy.terms import ALWAYS, Scope, Term, Vocabulary, Window
from sayso.territory import Region

_T = TypeVar("_T")

START = instant.parse("2024-12-20T00:00:00Z")
DAYS = 30


def vocabulary(*terms: Term) -> Vocabulary:
    """A vocabulary of some terms."""
    return Vocabulary({term.name: term for term in terms})


PURPOSES = vocabulary(Term("training"), Term("genai", "training"), Term("ranking", "training"), Term("ads"))
CATEGORIES = vocabulary(
    Term("content"),
    Term("posts", "content", was=("articles",)),
    Term("comments", "content", was=("articles",)),
    Term("messages"),
    Term("health", special=True),
)
RECIPIENTS = vocabulary(Term("platform"), Term("affiliate"))
EARLIER_CATEGORIES = vocabulary(Term("content"), Term("articles", "content"), Term("messages"))
ATTRIBUTES = {
    "plan": Attribute("plan", ("free", "pro"), of_account=True, default="free"),
    "tier": Attribute("tier", ("a", "b"), of_account=True),
    "kind": Attribute("kind", ("member", "student")),
    "flag": Attribute("flag", ("on", "off"), default="off"),
}
PLACES = ("FR", "US", "US-CA", "DE", "GB")
ROLES = {"author": True, "mentioned": False}
NOTICES = (("n1", "v1"), ("n1", "v2"), ("n2", "v1"))
EVERYTHING_EVER = ALWAYS
EVERYTHING = Scope(PURPOSES.leaves, CATEGORIES.leaves, RECIPIENTS.leaves)


def now_and_then(one_in: int) -> st.SearchStrategy[bool]:
    """True once in so many times; the simplest draw is false."""
    return st.sampled_from([False] * (one_in - 1) + [True])


@st.composite
def mostly(draw: st.DrawFn, usual: _T, *others: st.SearchStrategy[_T], of: int = 4) -> _T:
    """A usual value, and one of some others once in so many times. (`one_of` takes what is given twice as one.)"""
    return draw(st.one_of(*others)) if draw(now_and_then(of)) else usual


@cache
def instants(low: int = 0, high: int = DAYS) -> st.SearchStrategy[int]:
    """Instants on a grid of days, now and then a microsecond beside it."""
    grid = [START + day * instant.DAY for day in range(low, high + 1)]
    return st.sampled_from([*grid, *grid, *grid, *(at - 1 for at in grid), *(at + 1 for at in grid)])


@cache
def some(values: Sequence[str]) -> st.SearchStrategy[frozenset[str]]:
    """A subset with at least one of them."""
    found = [frozenset(held) for size in range(len(values), 0, -1) for held in combinations(values, size)]
    return st.sampled_from(found)


def some_of(values: Iterable[str]) -> st.SearchStrategy[frozenset[str]]:
    """A subset of a set, with at least one of it."""
    return some(tuple(sorted(values)))


def regions(everywhere: int = 3) -> st.SearchStrategy[Region | None]:
    """Everywhere, so many times of one more; else a set of territories."""
    made = st.builds(_region, some(PLACES), now_and_then(3))
    return mostly(None, made, of=everywhere + 1)


def _region(codes: frozenset[str], excepts: bool) -> Region:
    return Region(codes, frozenset({"US-CA"}) - codes if excepts else frozenset())


def scopes() -> st.SearchStrategy[Scope]:
    """A scope over leaves, mostly over all of them."""
    narrow = st.builds(Scope, some_of(PURPOSES.leaves), some_of(CATEGORIES.leaves), some_of(RECIPIENTS.leaves))
    genai = st.builds(lambda c: Scope(frozenset({"genai"}), c, RECIPIENTS.leaves), some_of(CATEGORIES.leaves))
    return mostly(EVERYTHING, genai, narrow, of=2)


def windows() -> st.SearchStrategy[Window]:
    """An interval, each end of which may be open."""
    ends = mostly(None, instants(), of=2)
    return st.builds(Window, ends, ends)
