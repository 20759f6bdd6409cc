"""Vocabularies: what names reach, what is above them, and what became of names of before."""

from __future__ import annotations

import pytest

from sayso.policy.terms import ALWAYS, Term, Window
from tests.policy.by_hand import CATEGORIES, PURPOSES, vocabulary


def test_a_scope_reaches_the_leaves_below_its_names_but_not_those_excepted() -> None:
    assert CATEGORIES.leaves == {"posts", "comments", "messages", "health"}
    assert CATEGORIES.reach(["content"]) == {"posts", "comments"}
    assert CATEGORIES.reach(["content", "messages"], ["posts"]) == {"comments", "messages"}
    assert CATEGORIES.reach(None, ["content"]) == {"messages", "health"}
    assert CATEGORIES.reach(None) == CATEGORIES.leaves
    assert CATEGORIES.reach([]) == CATEGORIES.reach(["nonsense"]) == frozenset()
    assert "content" in CATEGORIES
    assert "articles" not in CATEGORIES


def test_above_a_term_are_its_ancestors_and_what_they_were_called() -> None:
    assert PURPOSES.above("genai") == ("genai", "training")
    assert CATEGORIES.above("posts") == ("posts", "articles", "content")
    assert PURPOSES.above("nonsense") == ()
    broken = vocabulary(Term("leaf", "gone"))
    assert broken.above("leaf") == ("leaf",)


def test_a_name_of_before_stands_for_all_that_came_of_it() -> None:
    assert CATEGORIES.resolve("posts") == ("posts",)
    assert CATEGORIES.resolve("articles") == ("comments", "posts")
    assert CATEGORIES.resolve("dms") == ("messages",)
    assert CATEGORIES.resolve("content") == CATEGORIES.resolve("nonsense") == ()
    moved = vocabulary(Term("media", was=("content",)), Term("images", "media"), Term("videos", "media"))
    assert moved.resolve("content") == ("images", "videos")


@pytest.mark.parametrize(
    ("window", "held"),
    [
        (ALWAYS, [True, True, True, True]),
        (Window(1), [False, True, True, True]),
        (Window(None, 2), [True, True, False, False]),
        (Window(1, 2), [False, True, False, False]),
        (Window(2, 1), [False, False, False, False]),
    ],
)
def test_a_window_is_half_open(window: Window, held: list[bool]) -> None:
    assert [window.holds(at) for at in range(4)] == held
