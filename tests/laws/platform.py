"""A small platform for laws that need a real ledger: its policy, events that may happen to its people, and posts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st

from sayso import instant, policy, wiring
from sayso.errors import EventError
from sayso.ledger.document import read
from sayso.ledger.events import PolicyPublished
from sayso.ledger.identity import IdType
from sayso.policy.facts import Record, Subject, Use
from tests.tour import Clock

POLICY = """
sayso: 1
platform: example
purposes:
  training: {children: {genai: , ranking: }}
categories:
  content: {children: {posts: , comments: }}
  messages:
recipients: {platform: , affiliate: }
attributes:
  kind: {values: [member, student], default: member}
  plan: {of: account, values: [free, pro], default: free}
roles: {author: {counts: true}, mentioned: {counts: false}}
notices:
  n:
    versions:
      "1": {declares: {purposes: all, categories: all, recipients: all}}
signals:
  gpc: {purposes: [training], categories: all, recipients: all}
versions:
  - id: first
    announced: 2024-12-01T00:00:00Z
    effective: 2025-01-01T00:00:00Z
    rules:
      - {id: asked, purposes: [genai], categories: all, recipients: all, territories: [EU], mode: opt-in, notice: n,
         accepts: ["1"], covers: all, covers_reason: a test, controller: Example, basis: consent}
      - {id: told, purposes: [genai], categories: [content], recipients: all, territories: [GB, US], mode: opt-out,
         notice: n, accepts: ["1"], notice_period: 2d, covers: all, covers_reason: a test, controller: Example,
         basis: legitimate-interests}
      - {id: never-of-students, purposes: [genai], categories: all, recipients: all, audience: {attributes: {kind: [student]}},
         mode: never, controller: Example, basis: none}
"""
START = instant.parse("2025-06-01T00:00:00Z")
PEOPLE, ACCOUNTS = 4, 2
PLACES = ["FR", "DE", "GB", "US", "US-CA"]
SCOPE = {"purposes": ["genai"], "categories": ["content"], "recipients": ["platform"]}
GRANT = {"kind": "choice.recorded", "decision": "grant", "source": "s", "scope": SCOPE,
         "act": {"what": "pressed", "where": "settings"}, "notice": {"id": "n", "version": "1"}}  # fmt: skip
REFUSAL = {"kind": "choice.recorded", "decision": "refusal", "source": "s", "scope": {"categories": ["posts"]}}
TOLD = {"kind": "notice.delivered", "notice": "n", "version": "1"}
STOP = {
    "kind": "suspension.opened",
    "authority": "a",
    "reason": "r",
    "conditions": {"b": "when b"},
    "scope": {"territories": ["GB"]},
}
OF_A_SUBJECT: list[dict[str, Any]] = [
    {"kind": "subject.moved", "territory": "GB"},
    {"kind": "subject.moved", "territory": "FR", "effective_at": "2025-05-01T00:00:00Z", "attested": "papers"},
    {"kind": "subject.attributes-changed", "attributes": {"kind": "student"}},
    {"kind": "subject.birth-year", "year": 1990},
    {"kind": "subject.erased"},
    {"kind": "signal.seen", "signal": "gpc", "channel": "browser"},
    GRANT, GRANT, REFUSAL,
    REFUSAL | {"effective_at": "2025-05-20T00:00:00Z"},
]  # fmt: skip
OF_ALL: list[dict[str, Any]] = [
    TOLD | {"audience": {"subjects": [1, 2]}},
    TOLD | {"audience": {"territories": ["GB"]}},
    {"kind": "notice.published", "notice": "n", "version": "1"},
    {"kind": "subject.aliased", "subject": 1, "other": 3},
    {"kind": "version.withdrawn", "version": "first", "reason": "r"},
    STOP | {"suspension": "a"},
    STOP | {"suspension": "b", "effective_at": "2025-05-20T00:00:00Z"},
    {"kind": "suspension.lifted", "suspension": "a", "evidence": {"b": "done"}},
]
EVENTS = st.sampled_from(
    [*OF_ALL, *({**said, "subject": who} for said in OF_A_SUBJECT for who in range(1, PEOPLE + 1))]
)


def platform(path: Path, clock: Clock) -> wiring.Parts:
    """A ledger with the policy published and three people registered."""
    parts = wiring.create(path, IdType.INT64, now=clock)
    edition = policy.loads(POLICY)
    document = policy.normal(edition)
    parts.journal.append(PolicyPublished(platform=edition.platform, digest=edition.digest, document=document))
    for who, territory in ((1, "FR"), (2, "GB"), (3, "US")):
        happens(parts, {"kind": "subject.registered", "subject": who, "territory": territory,
                        "effective_at": "2025-01-02T00:00:00Z"})  # fmt: skip
    return parts


def happens(parts: wiring.Parts, document: dict[str, Any]) -> bool:
    """Appends an event; whether it was admitted."""
    event = read(document, IdType.INT64)
    try:
        parts.journal.append(event)
    except EventError:
        return False
    return True


def posts(seed: int, count: int, last: int) -> list[Record]:
    """Records about the people, some of them about nobody known or by nobody that counts."""
    random = Random(seed)
    return [
        Record(
            tuple(
                Subject(random.randint(1, PEOPLE), role)
                for role in random.choice([["author"]] * 6 + [["author", "mentioned"], ["mentioned"]])
            ),
            random.choice(["posts", "comments", "messages"]),
            random.randint(last - 200 * instant.DAY, last),
            random.choice([None, None, *PLACES]),
        )
        for _ in range(count)
    ]


def uses(at: Sequence[int]) -> list[Use]:
    """A use at each of some instants."""
    return [Use("genai", "platform", one) for one in at]
