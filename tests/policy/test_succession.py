"""Which edition may follow another: what is effective stays as it was, and a term is never lost without saying so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso import instant
from sayso.policy import loads
from sayso.policy.model import Policy
from sayso.policy.succession import succession

PRESENT = instant.parse("2025-06-01T00:00:00Z")

EDITION = """
sayso: 1
platform: example
purposes:
  training: {children: {generative-ai: , ranking: }}
categories:
  content: {children: {posts: , comments: }}
  messages:
  health: {special: true}
recipients: {platform: , affiliate: }
attributes:
  plan: {of: account, values: [free, pro], default: free}
  kind: {values: [member, student]}
  spare: {values: [a, b]}
roles: {author: {counts: true}}
notices:
  banner:
    versions:
      "1":
        digest: sha256:1111111111111111111111111111111111111111111111111111111111111111
        declares: {purposes: [training], categories: [content], recipients: [platform]}
  letter:
    versions:
      "1":
        declares: {purposes: all, categories: [content], recipients: all}
versions:
  - id: past
    announced: 2024-12-01T00:00:00Z
    effective: 2025-01-01T00:00:00Z
    sign_up: [{notice: banner, version: "1", attributes: {kind: [member]}}]
    rules:
      - id: tell
        purposes: [generative-ai]
        categories: [content]
        recipients: [platform]
        audience: {attributes: {plan: [free]}}
        mode: opt-out
        notice: banner
        accepts: ["1"]
        covers: after-notice
        why: as it was
      - {id: no-messages, purposes: all, categories: [messages, health], recipients: all, mode: never}
  - id: planned
    announced: 2025-05-01T00:00:00Z
    effective: 2025-07-01T00:00:00Z
    rules:
      - {id: never, purposes: all, categories: all, recipients: all, mode: never}
"""


def edition(*changes: tuple[str, str]) -> Policy:
    """The edition with some of its text replaced, each by something that is there."""
    text = EDITION
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return loads(text)


def said(*changes: tuple[str, str], present: int = PRESENT) -> list[str]:
    """Why a changed edition may not follow."""
    return [one.message for one in succession(edition(), edition(*changes), present)]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([], id="nothing"),
        pytest.param([("categories: all", "categories: [content]")], id="a version that is not effective"),
        pytest.param([("2025-07-01", "2025-08-01")], id="when a version that is not effective will be"),
        pytest.param([("- id: planned", "- id: renamed")], id="the name of a version that is not effective"),
        pytest.param([("posts: ,", "articles: {was: [posts]},")], id="a term renamed"),
        pytest.param([("[content]", "[written]"), ("content: {children", "written: {was: [content], children")], id="a node renamed"),
        pytest.param(
            [("posts: ,", "posts: {children: {texts: {was: [posts]}, pictures: {was: [posts]}}},")], id="a term split",
        ),
        pytest.param(
            [("posts: , comments: ", "comments: "), ("  messages:", "  posts: {was: [posts]}\n  messages:"), ("[content]", "[content, posts]")],
            id="a term moved, and named where it was meant",
        ),
        pytest.param([("[platform]", "[owner]"), ("{platform: ,", "{owner: {was: [platform]},")], id="a recipient renamed"),
        pytest.param([("  messages:", "  messages:\n  polls:")], id="a term that nothing effective reaches"),
        pytest.param([("roles: {author: {counts: true}}", "roles: {author: {counts: true}, sender: {counts: true}}")], id="a role that counts"),
        pytest.param([("values: [a, b]", "values: [a, b], default: a")], id="an attribute that nothing asks for"),
        pytest.param([("values: [member, student]", "values: [member, student, guest]")], id="a further value"),
        pytest.param([("      \"1\":\n        declares: {purposes: all, categories: [content]", "      \"1\":\n        declares: {purposes: all, categories: all")], id="a notice that is not shown at sign-up"),
        pytest.param([("  letter:", "  leaflet:")], id="a notice that nothing asks for"),
        pytest.param([("  - id: planned", "  - id: more\n    announced: 2025-06-01T00:00:00Z\n    effective: 2025-06-01T00:00:00Z\n    rules: []\n  - id: planned")], id="a version that begins now"),
    ],
)  # fmt: skip
def test_what_may_follow(changes: list[tuple[str, str]]) -> None:
    assert said(*changes) == []


PAST = "version `past` has been effective since `2025-01-01T00:00:00Z` and"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param([("platform: example", "platform: other")], "expected an edition for platform `example`, got `other`", id="another platform"),
        pytest.param([("posts: ,", "")], "`posts` is gone from `categories`", id="a term dropped"),
        pytest.param([("posts: ,", "articles: ,")], "`posts` is gone from `categories`", id="a term renamed in silence"),
        pytest.param([("posts: , comments: ", "comments: "), ("  messages:", "  posts:\n  messages:"), ("[content]", "[content, posts]")], "`posts` was moved in `categories`", id="a term moved in silence"),
        pytest.param([("posts: ,", "posts: {children: {texts: }},")], "`posts` was split in `categories`", id="a term split in silence"),
        pytest.param([("posts: ,", "posts: , polls: ,")], f"{PAST} reaches `polls` of `categories` by rule `tell`, which it did not before", id="a term under an old scope"),
        pytest.param([("affiliate: ", "affiliate: , buyer: ")], f"{PAST} reaches `buyer` of `recipients` by rule `no-messages`, which it did not before", id="a recipient under `all`"),
        pytest.param([("  - {id: no-messages, purposes: all, categories: [messages, health]", "  - {id: no-messages, purposes: all, categories: [messages]")], f"{PAST} no longer reaches `health` of `categories` by rule `no-messages`", id="a term left out"),
        pytest.param([("  messages:\n", ""), ("posts: ,", "posts: {was: [messages]},"), ("[messages, health]", "[posts, health]")], f"{PAST} reaches `posts` of `categories` by rule `tell`, which it did not before", id="terms merged from inside and outside a scope"),
        pytest.param([("as it was", "as it is")], f"{PAST} has rule `tell` changed in this edition", id="a rule changed"),
        pytest.param([("- id: tell", "- id: told")], f"{PAST} is changed in this edition", id="a rule renamed"),
        pytest.param([("2024-12-01", "2024-12-02")], f"{PAST} is changed in this edition", id="when it was announced"),
        pytest.param([("{author: {counts: true}}", "{author: {counts: false}}")], f"{PAST} is changed in this edition", id="a role that no longer counts"),
        pytest.param([("attributes: {kind: [member]}", "attributes: {kind: [student]}")], f"{PAST} is changed in this edition", id="whom it told at sign-up"),
        pytest.param([("- id: past", "- id: was")], f"{PAST} is gone", id="a version gone"),
        pytest.param([("announced: 2025-05-01", "announced: 2025-01-02"), ("2025-07-01", "2025-02-01")], "version `planned` would be effective from `2025-02-01T00:00:00Z`, which is past", id="a version moved to the past"),
        pytest.param([("  - id: planned", "  - id: more\n    announced: 2025-02-01T00:00:00Z\n    effective: 2025-02-01T00:00:00Z\n    rules: []\n  - id: planned")], "version `more` would be effective from `2025-02-01T00:00:00Z`, which is past", id="a version in the past"),
        pytest.param([("sha256:1", "sha256:2")], "version `1` of the notice `banner` is of another text in this edition", id="another text"),
        pytest.param([("categories: [content], recipients: [platform]}", "categories: all, recipients: [platform]}")], "version `1` of the notice `banner`, shown at sign-up, declares something else in this edition", id="what people were told, widened"),
        pytest.param([("default: free", "default: pro")], "the attribute `plan`, which a version that is effective asks for, is changed in this edition", id="what is assumed"),
        pytest.param([("kind: {values", "kind: {default: member, values")], "the attribute `kind`, which a version that is effective asks for, is changed in this edition", id="who was told at sign-up, assumed"),
        pytest.param([("health: {special: true}", "health:")], "`health` of `categories` is no longer special", id="a category no longer special"),
        pytest.param([("health: {special: true}", "illness: {was: [health]}"), ("[messages, health]", "[messages, illness]")], "`illness` of `categories` is no longer special", id="a category renamed and no longer special"),
    ],
)  # fmt: skip
def test_what_may_not_follow(changes: list[tuple[str, str]], message: str) -> None:
    assert message in said(*changes)


def test_names_that_a_term_had_are_kept() -> None:
    first = edition(("posts: ,", "articles: {was: [posts]},"))
    second = edition(("posts: ,", "entries: {was: [articles]},"))
    third = edition(("posts: ,", "entries: {was: [articles, posts]},"))
    assert [one.message for one in succession(first, second, PRESENT)] == ["`was: posts` is gone from `categories`"]
    assert succession(first, third, PRESENT) == []


def test_before_anything_is_effective_everything_may_change_but_the_terms() -> None:
    early = instant.parse("2024-01-01T00:00:00Z")
    assert said(("as it was", "as it is"), ("default: free", "default: pro"), present=early) == []
    assert said(("posts: ,", ""), present=early) == ["`posts` is gone from `categories`"]


@given(st.permutations(["posts", "comments"]), st.sampled_from(["now", "later"]))
def test_renaming_every_leaf_changes_nothing_that_is_effective(order: Any, new: str) -> None:
    renamed = ", ".join(f"{new}-{name}: {{was: [{name}]}}" for name in order)
    assert said(("posts: , comments: ", renamed)) == []
