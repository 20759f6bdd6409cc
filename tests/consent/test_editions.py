"""What a scope reaches today that was written under an edition of before (semantics, section 1, *Vocabulary*)."""

from __future__ import annotations

from dataclasses import replace

from sayso.consent.editions import Editions, WrittenScope
from sayso.policy.model import Policy, SignalMap
from sayso.policy.terms import Scope, Term
from tests.strategies import CATEGORIES, EVERYTHING, PURPOSES, RECIPIENTS, vocabulary

NOW = Policy("example", "sha256:0", PURPOSES, CATEGORIES, RECIPIENTS, ())
FLAT = vocabulary(Term("content"), Term("articles", "content"), Term("messages"))
BEFORE = replace(NOW, categories=FLAT)
NOTHING = Scope(frozenset(), frozenset(), frozenset())
BOTH = Editions([(10, BEFORE), (20, NOW)], NOW)


def scope(*categories: str, **more: tuple[str, ...] | None) -> WrittenScope:
    return WrittenScope(**({"purposes": ("training",), "categories": categories, "recipients": ("platform",)} | more))  # type: ignore[arg-type]


def test_a_position_lies_under_the_last_edition_before_it() -> None:
    assert [BOTH.at(position) for position in (9, 10, 11, 20, 21)] == [None, None, BEFORE, BEFORE, NOW]
    assert BOTH.positions == (10, 20)
    assert BOTH.all == (BEFORE, NOW, NOW)


def test_a_ledger_without_editions_is_read_by_the_deciding_policy() -> None:
    assert Editions((), NOW).at(0) is NOW
    assert Editions((), NOW).granted(scope("content"), 0).categories == {"posts", "comments"}


def test_a_grant_reaches_only_the_leaves_of_its_edition() -> None:
    assert BOTH.granted(scope("content"), 15).categories == {"articles"}
    assert BOTH.granted(scope("content"), 25).categories == {"posts", "comments"}
    assert BOTH.granted(scope("articles"), 25).categories == frozenset()
    assert BOTH.granted(scope("content", excluded=("posts",)), 25).categories == {"comments"}


def test_a_grant_where_no_edition_was_in_force_reaches_nothing() -> None:
    assert BOTH.granted(scope("content"), 5) == NOTHING


def test_a_grant_names_purposes_categories_and_recipients() -> None:
    assert BOTH.granted(scope("content", purposes=None), 25) == NOTHING
    assert BOTH.granted(scope("content", recipients=None), 25) == NOTHING
    assert BOTH.granted(WrittenScope(("training",), None, (), ("platform",)), 25) == NOTHING


def test_a_refusal_follows_was_and_reaches_what_is_later_put_under_its_scope() -> None:
    assert BOTH.refused(scope("articles"), 15).categories == {"posts", "comments"}
    assert BOTH.refused(scope("content"), 15).categories == {"posts", "comments"}
    assert BOTH.refused(scope("articles"), 25).categories == {"posts", "comments"}
    assert BOTH.refused(scope("articles"), 5).categories == {"posts", "comments"}
    assert BOTH.refused(scope("nonsense"), 15).categories == frozenset()
    grown = replace(NOW, categories=vocabulary(*CATEGORIES.terms.values(), Term("stories", "content")))
    assert Editions([(10, NOW)], grown).refused(scope("content"), 15).categories == {"posts", "comments", "stories"}


def test_what_was_reached_once_stays_reached_when_it_is_moved() -> None:
    moved = replace(
        NOW, categories=vocabulary(Term("content"), Term("posts"), Term("comments", "content"), Term("messages"))
    )
    assert Editions([(10, NOW)], moved).refused(scope("content"), 15).categories == {"posts", "comments"}
    assert Editions([(10, NOW)], moved).granted(scope("content"), 15).categories == {"posts", "comments"}


def test_a_refusal_that_names_nothing_reaches_everything() -> None:
    assert BOTH.refused(WrittenScope(), 15) == EVERYTHING
    assert BOTH.refused(scope("content", recipients=None), 15).recipients == {"platform", "affiliate"}
    assert BOTH.refused(WrittenScope(excluded=("articles",)), 25).categories == {"messages", "health"}


def test_an_exception_holds_only_for_what_it_named() -> None:
    """What an edition once reached stays refused, though a later one would have excepted it."""
    assert BOTH.refused(scope("content", excluded=("posts",)), 25).categories == {"comments"}
    assert BOTH.refused(scope("content", excluded=("posts",)), 15).categories == {"posts", "comments"}


def test_a_signal_refuses_by_the_map_of_each_edition_since() -> None:
    articles = SignalMap("gpc", Scope(frozenset({"genai"}), frozenset({"articles"}), frozenset({"platform"})))
    messages = SignalMap("gpc", Scope(frozenset({"genai"}), frozenset({"messages"}), frozenset({"platform"})))
    older, newer = replace(BEFORE, signals={"gpc": articles}), replace(NOW, signals={"gpc": messages})
    editions = Editions([(10, older), (20, newer)], newer)
    assert [one.scope.categories for one in editions.signals("gpc", 15)] == [{"posts", "comments"}, {"messages"}]
    assert [one.scope.categories for one in editions.signals("gpc", 25)] == [{"messages"}]
    assert editions.signals("dnt", 15) == ()
    silent = Editions([(10, older), (20, NOW)], NOW)
    assert [one.scope.categories for one in silent.signals("gpc", 15)] == [{"posts", "comments"}]
