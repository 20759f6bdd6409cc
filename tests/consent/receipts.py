"""A ledger with people who chose in every way, and the receipts of what they chose."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sayso import instant, policy, wiring
from sayso.consent import receipt
from sayso.ledger.document import read
from sayso.ledger.events import PolicyPublished
from sayso.ledger.identity import IdType
from sayso.ledger.log import checkpoint
from sayso.ledger.log.note import VerifierKey
from sayso.ledger.log.proof import LogProof
from sayso.ledger.log.tiles import Tree
from sayso.policy.model import Policy
from tests.tour import Clock

START = instant.parse("2025-06-01T10:00:00Z")
LATER = START + 3 * instant.DAY

TEXT = """
sayso: 1
platform: example
purposes:
  training: {dpv: "https://w3id.org/dpv/ai#ModelTraining", title: Training, children: {genai: {title: Generative AI}, ranking: {dpv: "dpv:ServicePersonalisation"}}}
categories:
  content: {dpv: "https://w3id.org/dpv/pd#SocialMediaCommunication", children: {posts: , comments: {dpv: made-up}}}
  health: {special: true}
recipients: {platform: , affiliate: {title: Example Group, dpv: dpv:ThirdParty}}
controllers:
  Example Ireland Ltd:
    identifier: https://example.org/ireland
    address: 1 Example Quay, Dublin 2
    contact: privacy@example.org
    url: https://example.org
    jurisdictions: [IE, EEA]
    rights: https://example.org/rights
    withdrawal: https://example.org/settings
    storage: in the EEA, for two years
  Example Inc.:
    identifier: "1234567"
    address: 1 Example Avenue, Dover
    contact: https://example.org/contact
    jurisdictions: [US-DE, XK, GB]
    rights: https://example.org/rights
    withdrawal: in the settings
    storage: in the United States
notices:
  asks:
    versions:
      "1": {url: "https://example.org/asks", language: en, digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            declares: {purposes: all, categories: all, recipients: all}}
  tells:
    versions:
      "1": {language: en-GB, declares: {purposes: [genai], categories: [content], recipients: [platform]}}
versions:
  - id: first
    announced: 2024-12-01T00:00:00Z
    effective: 2025-01-01T00:00:00Z
    rules:
      - {id: ask, purposes: [genai], categories: [content, health], recipients: [platform], territories: [EEA], mode: opt-in,
         notice: asks, accepts: ["1"], covers: all, covers_reason: a test, expires_after: 730d,
         controller: Example Ireland Ltd, basis: consent}
      - {id: tell, purposes: [genai], categories: [content], recipients: [platform], territories: [GB], mode: opt-out,
         notice: tells, accepts: ["1"], covers: all, covers_reason: a test, controller: Example Inc.,
         basis: legitimate-interests}
      - {id: never, purposes: [ranking], categories: all, recipients: all, mode: never, controller: Example Inc.}
"""

SCOPE = {"purposes": ["genai"], "categories": ["content"], "recipients": ["platform"]}
GRANT = {
    "kind": "choice.recorded", "decision": "grant", "source": "settings", "scope": SCOPE, "subject": "4711",
    "act": {"what": "switched the toggle on", "where": "settings page"}, "notice": {"id": "asks", "version": "1"},
}  # fmt: skip
CHOICES: dict[str, dict[str, Any]] = {
    "grant": GRANT,
    "grant of long ago": GRANT | {"effective_at": "2025-05-01T09:00:00Z", "attested": "a log of the app"},
    "grant by a guardian": GRANT | {"subject": "4712", "by": {"role": "guardian", "id": "4711"}},
    "grant of a special category": GRANT | {"scope": SCOPE | {"categories": ["content", "health"], "except": ["posts"]}},
    "refusal of everything": {k: GRANT[k] for k in ("kind", "subject")} | {"decision": "refusal", "source": "a letter"},
    "withdrawal": {k: v for k, v in GRANT.items() if k != "act"} | {"decision": "withdrawal"},
    "objection": {"kind": "choice.recorded", "decision": "objection", "source": "form", "subject": "4713", "scope": SCOPE},
    "refusal where nothing is done": {"kind": "choice.recorded", "decision": "refusal", "source": "form",
                                      "subject": "4714", "scope": {"purposes": ["ranking"]}},
    "refusal by an organisation": {"kind": "choice.recorded", "decision": "refusal", "source": "form", "scope": SCOPE,
                                   "organisation": "acme", "by": {"role": "owner", "id": "4711"}},
}  # fmt: skip


class Made(NamedTuple):
    """A ledger's keys, the policy in it, and a receipt of each choice, all of them by one checkpoint."""

    keys: tuple[VerifierKey, ...]
    policy: Policy
    positions: dict[str, int]
    receipts: dict[str, bytes]
    parts: wiring.Parts


def prove(parts: wiring.Parts, position: int) -> LogProof:
    """The proof of an entry, by the checkpoint at the head."""
    with parts.store.reading() as reading:
        text = reading.checkpoint()
        tree = Tree(reading.tile, checkpoint.unverified(text).size)
        return LogProof(position, tuple(tree.inclusion(position)), text)


def issue(parts: wiring.Parts, position: int) -> bytes:
    """The receipt of the choice at a position."""
    (entry,) = parts.store.entries(position, position + 1)
    view = parts.reader.view(None, position + 1)
    return receipt.issue(
        entry, prove(parts, position), view=view, id_type=IdType.STRING, created_at=LATER,
        signers=[parts.journal.keys.signing()],
    )  # fmt: skip


def say(parts: wiring.Parts, document: dict[str, Any]) -> int:
    """Appends an event; its position."""
    return parts.journal.append(read(document, IdType.STRING)).position


def platform(path: Path, text: str = TEXT) -> wiring.Parts:
    """A ledger with a policy published, and people registered in France, Great Britain and where nobody knows."""
    clock = Clock()
    clock.now = START
    parts = wiring.create(path, IdType.STRING, origin="example.com/members", now=clock)
    edition = policy.loads(text)
    document = policy.normal(edition)
    parts.journal.append(PolicyPublished(platform=edition.platform, digest=edition.digest, document=document))
    say(parts, {"kind": "notice.published", "notice": "asks", "version": "1", "digest": "sha256:" + "9f" * 32})
    for who, where in (
        ("4711", {"territory": "FR"}),
        ("4712", {"territory": "FR"}),
        ("4713", {"territory": "GB"}),
        ("4714", {}),
    ):
        say(parts, {"kind": "subject.registered", "subject": who, "effective_at": "2025-01-02T00:00:00Z", **where})
    say(parts, {"kind": "guardian.registered", "subject": "4712", "guardian": "4711"})
    say(parts, {"kind": "organisation.owners", "organisation": "acme", "owners": ["4711"]})
    say(parts, {"kind": "notice.delivered", "notice": "tells", "version": "1", "audience": {"subjects": ["4713"]}})
    return parts


def made(path: Path) -> Made:
    """The ledger, with every choice and its receipt."""
    parts = platform(path)
    positions = {name: say(parts, choice) for name, choice in CHOICES.items()}
    edition = parts.reader.published()
    assert edition is not None
    receipts = {name: issue(parts, position) for name, position in positions.items()}
    return Made(tuple(parts.journal.keys.verifiers), edition, positions, receipts, parts)


def payload(envelope: bytes) -> dict[str, Any]:
    """What an envelope holds."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.decode(envelope, type=_Envelope).payload)
    return found


class _Envelope(msgspec.Struct):
    payload: bytes
