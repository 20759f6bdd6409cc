"""What happened to the demo's platform, after LinkedIn's saga of 2024 and 2025: announcements, stops, and the dates to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sayso import instant
from sayso.demo.population import Window
from sayso.territory import region

POLICY = Path(__file__).parent / "policy.yaml"
PURPOSE = "generative-ai"
RECIPIENT = "platform"
EVIDENCE = "made for the demo"

WINDOW = Window(
    start=instant.parse("2023-11-03T00:00:00Z"),
    until=instant.parse("2025-11-03T00:00:00Z"),
    told=instant.parse("2025-09-18T00:00:00Z"),
    settled=instant.parse("2025-11-03T00:00:00Z"),
)
"""Two years of records; the members of the notice window are those told of the change of 2025."""

REFUSAL = {"decision": "objection", "source": "settings", "scope": {"purposes": ["ai-training"]}}

DATES: tuple[tuple[str, str], ...] = (
    ("2024-09-17", "the day before the first policy"),
    ("2024-09-19", "the policy is on the web"),
    ("2024-10-15", "the UK and Hong Kong were stopped"),
    ("2025-01-15", "Canada too"),
    ("2025-10-01", "Europe was told, with a month to object"),
    ("2025-11-04", "the change took effect"),
)
"""The days of the saga at whose first instant the corpus is gated, each with what had happened."""


def _stop(suspension: str, territory: str, at: str, authority: str, conditions: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": "suspension.opened",
        "suspension": suspension,
        "authority": authority,
        "reason": f"{authority} raised concerns",
        "scope": {"territories": [territory], "purposes": ["ai-training"]},
        "conditions": conditions,
        "effective_at": instant.parse(at),
    }


def _lift(suspension: str, evidence: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": "suspension.lifted",
        "suspension": suspension,
        "evidence": evidence,
        "effective_at": instant.parse("2025-11-03T00:00:00Z"),
        "attested": EVIDENCE,
    }


ANNOUNCEMENTS: tuple[dict[str, Any], ...] = (
    {
        "kind": "notice.published", "notice": "privacy-policy", "version": "2024-09-18",
        "effective_at": instant.parse("2024-09-18T00:00:00Z"), "attested": EVIDENCE,
    },
    _stop("ico", "GB", "2024-09-20T00:00:00Z", "ICO", {"opt-out": "a simpler opt-out", "window": "a longer window"}),
    _stop("pcpd", "HK", "2024-10-11T00:00:00Z", "PCPD", {"notice": "members are told"}),
    _stop("opc", "CA", "2024-12-10T00:00:00Z", "OPC", {"notice": "members are told"}),
    {
        "kind": "notice.delivered", "notice": "banner", "version": "2025-09-18",
        "audience": {"territories": sorted(region(["EEA", "CH", "GB", "CA", "HK"], at=WINDOW.told).codes)},
        "effective_at": WINDOW.told, "attested": EVIDENCE,
    },
    _lift("ico", {"opt-out": "ICO, statement updated 2025-09-23", "window": "ICO, statement updated 2025-09-23"}),
    _lift("pcpd", {"notice": "banner of 2025-09-18"}),
    _lift("opc", {"notice": "banner of 2025-09-18"}),
)  # fmt: skip
"""Sources: the demo's policy, and the episodes, where each is cited."""
