"""The normalised form: the same for every way to write one policy, another for another; and the policy again from it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.canonical import canonical_bytes, digest
from sayso.policy import digest_of, from_normal, loads, normal
from sayso.policy.model import Policy
from sayso.policy.source import read
from tests.policy.bad import FOLDER
from tests.searching import searched
from tests.strategies import policies

GOOD = (FOLDER / "good.yaml").read_text("utf-8")
POLICY = loads(GOOD)
SETS = {"include", "except", "values", "was", "territories", "purposes", "categories", "recipients", "accepts"}


def shuffled(value: Any, chance: random.Random, key: str = "") -> Any:
    """The same document with mappings, sets and the timeline in another order."""
    if isinstance(value, dict):
        items = [(name, shuffled(one, chance, name)) for name, one in value.items()]
        chance.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        found = [shuffled(one, chance) for one in value]
        if key in SETS or key in ("plan", "kind", "versions"):
            chance.shuffle(found)
        return found
    return value


@searched(30)
@given(st.integers(0, 2**32))
def test_formatting_comments_and_orders_change_nothing(seed: int) -> None:
    chance = random.Random(seed)
    data = shuffled(read(GOOD).data, chance)
    text = json.dumps(data, indent=chance.choice([None, 1, 4]), ensure_ascii=chance.random() < 0.5)
    other = loads(f"# {seed}\n{text}\n# end")
    assert other == POLICY
    assert other.digest == POLICY.digest


def test_names_for_the_same_set_change_nothing() -> None:
    assert loads(GOOD.replace("categories: [messages, health]", "categories: all\n        except: [content]")) == POLICY
    assert loads(GOOD.replace("[EEA, CH], except: [LI]", "[EU, CH, NO, IS]")) == POLICY
    assert loads(GOOD.replace("2025-02-01T00:00:00Z", "2025-02-01T01:00:00+01:00")) == POLICY
    assert loads(GOOD.replace("2025-02-01T00:00:00Z", "'2025-02-01T00:00:00.000000Z'")) == POLICY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[EEA, CH]", "[EEA]"), ("365d", "366d"), ("{age: 18}", "{age: 18, at: use}"), ("special: true", "special: false"),
        ("default: free", "default: pro"), ("counts: false", "counts: true"), ("id: tell", "id: told"),
        ("why: it must", "why: it should"), ("mode: never", "mode: disputed\n        why: x"), ("platform: example", "platform: other"),
        ("territories: [US]", "territories: [US, CA]"), ("id: first", "id: first\n    situation: current"),
        ("id: first", "id: first\n    freshness: 2d"), ("v1: {declares", "v1: {url: x, declares"),
        ("genai: ,", "genai: {was: [old]},"), ("genai: ,", "genai: {dpv: x},"),
        ("v1: {declares", "v1: {language: en, declares"), ("contact: privacy@", "contact: office@"),
    ],
)  # fmt: skip
def test_another_meaning_is_another_digest(old: str, new: str) -> None:
    assert loads(GOOD.replace(old, new, 1)).digest != POLICY.digest


def test_the_digest_is_that_of_the_canonical_bytes() -> None:
    assert POLICY.digest == digest(normal(POLICY)) == digest_of(POLICY)
    assert POLICY.digest.startswith("sha256:")


EARLIER = """
sayso: 1
platform: example
purposes: {training: }
categories: {posts: }
recipients: {platform: }
notices: {n: {versions: {"1": {url: "https://example.org/n", declares: {purposes: all, categories: all, recipients: all}}}}}
versions:
  - id: first
    announced: 2025-01-01T00:00:00Z
    effective: 2025-02-01T00:00:00Z
    rules:
      - {id: ask, purposes: all, categories: all, recipients: all, mode: opt-in, notice: n, accepts: ["1"],
         covers: after-choice, controller: Example Ltd, basis: consent}
"""


def test_a_policy_without_the_keys_that_came_later_keeps_the_digest_that_it_had() -> None:
    assert loads(EARLIER).digest == "sha256:167478c8ea4f37333490e040d3549b4b7979825b1afd3b1a8a1cd3afc352a8dd"


def again(policy: Policy) -> Policy:
    """What comes of a policy that is written down and read."""
    return from_normal(json.loads(canonical_bytes(normal(policy))))


def test_a_policy_comes_back_from_its_normalised_form() -> None:
    assert again(POLICY) == POLICY


@given(policies())
def test_every_policy_comes_back_from_its_normalised_form(policy: Policy) -> None:
    first = again(policy)
    assert first.digest == digest_of(policy)
    assert again(first) == first
    assert {one.id: one for one in first.versions} == {one.id: one for one in policy.versions}
    assert (first.purposes, first.categories, first.recipients) == (
        policy.purposes,
        policy.categories,
        policy.recipients,
    )
    assert (first.notices, first.signals, first.groups) == (policy.notices, policy.signals, policy.groups)


def test_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a document of form `sayso/policy/1`"):
        from_normal({**normal(POLICY), "form": "sayso/policy/2"})
