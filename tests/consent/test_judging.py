"""What the policy last published has an event refused for, through the journal of a real ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sayso import instant, policy, wiring
from sayso.canonical import digest
from sayso.errors import EventError
from sayso.ledger.document import read
from sayso.ledger.events import PolicyPublished
from sayso.ledger.identity import IdType
from tests.tour import Clock

POLICY = """
sayso: 1
platform: example
purposes:
  ai-training: {children: {generative-ai: , ranking: }}
categories:
  posts: {was: [status-updates]}
  comments:
recipients: {platform: , affiliate: }
attributes:
  kind: {values: [member, student]}
  plan: {of: account, values: [free, pro]}
notices:
  ai-notice:
    versions:
      "1": {declares: {purposes: all, categories: all, recipients: all}}
signals:
  gpc: {purposes: [ai-training], categories: all, recipients: all}
versions:
  - id: first
    announced: 2025-01-01T00:00:00Z
    effective: 2025-02-01T00:00:00Z
    rules: []
"""


@dataclass
class Written:
    """A ledger to append documents to."""

    parts: wiring.Parts

    def refused(self, kind: str, **fields: Any) -> str:
        with pytest.raises(EventError) as caught:
            self.add(kind, **fields)
        return str(caught.value)

    def add(self, kind: str, **fields: Any) -> None:
        self.parts.journal.append(read({"kind": kind, **fields}, IdType.INT64))

    def publish(self, text: str = POLICY) -> None:
        edition = policy.loads(text)
        document = policy.normal(edition)
        self.parts.journal.append(PolicyPublished(platform=edition.platform, digest=edition.digest, document=document))


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Written]:
    parts = wiring.create(tmp_path / "ledger", IdType.INT64, now=Clock())
    yield Written(parts)
    parts.close()


@pytest.fixture
def ledger(empty: Written) -> Written:
    empty.publish()
    empty.add("subject.registered", subject=1)
    return empty


CHOICE = {"subject": 1, "decision": "refusal", "source": "test"}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("choice.recorded", CHOICE),
        ("choice.recorded", CHOICE | {"scope": {"purposes": ["generative-ai"]}}),
        ("signal.seen", {"subject": 1, "signal": "gpc", "channel": "browser"}),
        ("notice.published", {"notice": "ai-notice", "version": "1"}),
        ("notice.delivered", {"notice": "ai-notice", "version": "1", "audience": {}}),
        ("suspension.opened", {"suspension": "s", "authority": "a", "reason": "r", "scope": {"purposes": ["x"]}}),
    ],
)
def test_what_names_terms_comes_after_a_policy(empty: Written, kind: str, fields: dict[str, Any]) -> None:
    empty.add("subject.registered", subject=1, attributes={"anything": "goes"})
    assert "publish the policy first" in empty.refused(kind, **fields)


def test_a_stop_of_everything_needs_no_policy(empty: Written) -> None:
    empty.add("suspension.opened", suspension="s", authority="a", reason="r", scope={"territories": ["FR"]})
    assert "`QQ`" in empty.refused(
        "suspension.opened", suspension="t", authority="a", reason="r", scope={"territories": ["QQ"]}
    )


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("choice.recorded", CHOICE | {"scope": {"purposes": ["generativ-ai"]}}, "did you mean `generative-ai`?"),
        ("choice.recorded", CHOICE | {"scope": {"categories": ["posts"], "except": ["zzz"]}}, "category `zzz`"),
        ("choice.recorded", CHOICE | {"scope": {"recipients": ["platfrom"]}}, "did you mean `platform`?"),
        ("choice.recorded", CHOICE | {"notice": {"id": "ai-notice", "version": "7"}}, "version of notice `ai-notice` `7`"),
        ("signal.seen", {"subject": 1, "signal": "gps", "channel": "c"}, "unknown signal `gps`; did you mean `gpc`?"),
        ("notice.published", {"notice": "ainotice", "version": "1"}, "unknown notice `ainotice`"),
        ("notice.delivered", {"notice": "ai-notice", "version": "2", "audience": {}}, "the policy has `1`"),
        (
            "notice.delivered",
            {"notice": "ai-notice", "version": "1", "audience": {"attributes": {"kind": ["pupil"]}}},
            "unknown value of attribute `kind` `pupil`",
        ),
        (
            "notice.delivered",
            {"notice": "ai-notice", "version": "1", "audience": {"territories": ["QQ"]}},
            "`QQ`",
        ),
        (
            "suspension.opened",
            {"suspension": "s", "authority": "a", "reason": "r", "scope": {"categories": ["pots"]}},
            "did you mean `posts`?",
        ),
        ("subject.attributes-changed", {"subject": 1, "attributes": {"height": "1.80"}}, "unknown attribute `height`"),
        ("subject.attributes-changed", {"subject": 1, "attributes": {"plan": "pro"}}, "is of an account"),
        ("account.attributes-changed", {"account": 9, "attributes": {"kind": "member"}}, "is of a subject"),
    ],
)  # fmt: skip
def test_unknown_terms_are_refused_by_name(ledger: Written, kind: str, fields: dict[str, Any], expected: str) -> None:
    assert expected in ledger.refused(kind, **fields)


def test_known_terms_are_admitted(ledger: Written) -> None:
    ledger.add(
        "choice.recorded", **CHOICE, scope={"purposes": ["ai-training"]}, notice={"id": "ai-notice", "version": "1"}
    )
    ledger.add("signal.seen", subject=1, signal="gpc", channel="browser")
    ledger.add("notice.published", notice="ai-notice", version="1")
    audience = {"territories": ["FR"], "attributes": {"kind": ["student"]}}
    ledger.add("notice.delivered", notice="ai-notice", version="1", audience=audience)
    ledger.add("suspension.opened", suspension="s", authority="a", reason="r", scope={"categories": ["posts"]},
               effective_at="2025-05-01T00:00:00Z")  # fmt: skip
    ledger.add("subject.attributes-changed", subject=1, attributes={"kind": "student"})
    ledger.add("account.attributes-changed", account=9, attributes={"plan": "pro"})
    ledger.add("subject.moved", subject=1, territory="FR")


def test_what_restricts_may_use_a_name_of_before_and_a_grant_may_not(ledger: Written) -> None:
    scope = {"purposes": ["generative-ai"], "categories": ["status-updates"], "recipients": ["platform"]}
    ledger.add("choice.recorded", **CHOICE, scope=scope)
    grant = {"subject": 1, "decision": "grant", "source": "s", "act": {"what": "w", "where": "x"},
             "notice": {"id": "ai-notice", "version": "1"}}  # fmt: skip
    assert "unknown category `status-updates`" in ledger.refused("choice.recorded", **grant, scope=scope)


def test_an_edition_must_be_one_that_may_follow(ledger: Written) -> None:
    with pytest.raises(EventError, match="`affiliate` is gone from `recipients`"):
        ledger.publish(POLICY.replace(", affiliate: ", ""))
    with pytest.raises(EventError, match="version `first` has been effective"):
        ledger.publish(POLICY.replace("id: first", "id: changed"))
    ledger.publish(
        POLICY + "  - {id: second, announced: 2025-07-01T00:00:00Z, effective: 2025-08-01T00:00:00Z, rules: []}"
    )


def test_a_document_that_is_no_policy_is_refused(ledger: Written) -> None:
    document = {"platform": "example"}
    found = ledger.refused("policy.published", platform="example", digest=digest(document), document=document)
    assert "no normalised policy" in found or "form" in found


def test_a_document_of_another_platform_is_refused(empty: Written) -> None:
    edition = policy.loads(POLICY)
    found = empty.refused("policy.published", platform="other", digest=edition.digest, document=policy.normal(edition))
    assert "expected platform `example`" in found


def test_what_the_policy_has_none_of_is_said_so(empty: Written) -> None:
    empty.publish(POLICY.replace("signals:\n  gpc: {purposes: [ai-training], categories: all, recipients: all}\n", ""))
    empty.add("subject.registered", subject=1)
    assert "the policy has none" in empty.refused("signal.seen", subject=1, signal="gpc", channel="c")
    assert instant.format(empty.parts.journal.head().recorded_at) == "2025-06-01T00:00:00Z"
