"""From an entry of an episode's `events` to the events of the ledger that it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sayso import instant
from sayso.episode import format as f
from sayso.ledger import events as e
from sayso.ledger.document import read
from sayso.ledger.identity import IdType
from sayso.policy.document import Part
from sayso.policy.model import Policy
from sayso.policy.normal import normal
from sayso.territory import Region, region


def events_of(
    one: f.Happening, policies: Mapping[str, Policy], groups: Mapping[str, Region], defaults: f.Person, ids: IdType
) -> list[e.Event]:
    """The events that an entry stands for, in order. `groups` are those of the policy last published.

    Raises EventError for what is no event, TerritoryError for a place that is not known.
    """
    when: dict[str, Any] = {}
    if one.effective_at is not None:
        when["effective_at"] = instant.format(one.effective_at)
    if one.attested is not None:
        when["attested"] = one.attested
    at = one.at if one.effective_at is None else one.effective_at
    return [read({**when, **document}, ids) for document in _documents(one, policies, groups, defaults, at)]


def _documents(
    one: f.Happening, policies: Mapping[str, Policy], groups: Mapping[str, Region], defaults: f.Person, at: int
) -> Iterator[dict[str, Any]]:
    if one.publish is not None:
        policy = policies[one.publish]
        yield {
            "kind": "policy.published", "platform": policy.platform, "digest": policy.digest,
            "document": normal(policy),
        }  # fmt: skip
    if one.withdraw is not None:
        yield {"kind": "version.withdrawn", **_given(one.withdraw)}
    for subject, said in (one.register_ or {}).items():
        known = {"territory": said} if isinstance(said, str) else said.model_dump(exclude_unset=True)
        held = {name: value for name, value in (_given(defaults) | known).items() if value is not None}
        yield {"kind": "subject.registered", "subject": subject, **held}
    if one.announce is not None:
        yield {"kind": "notice.published", **_given(one.announce)}
    if one.deliver is not None:
        audience = _given(one.deliver.to) | _places(one.deliver.to.territories, groups, at)
        yield {
            "kind": "notice.delivered", "notice": one.deliver.notice, "version": one.deliver.version,
            "audience": audience,
        }  # fmt: skip
    if one.suspend is not None:
        yield _stop(one.suspend, groups, at)
    if one.lift is not None:
        yield {"kind": "suspension.lifted", "suspension": one.lift.id, "evidence": one.lift.evidence}
    if one.choose is not None:
        yield _choice(one.choose)
    if one.event is not None:
        yield one.event


def _given(part: Part) -> dict[str, Any]:
    """What a part says, as the ledger writes it."""
    said: dict[str, Any] = part.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
    return said


def _places(named: Sequence[str] | None, groups: Mapping[str, Region], at: int) -> dict[str, Any]:
    return {} if named is None else {"territories": sorted(region(named, at=at, named=groups).codes)}


def _reach(one: f.Reach) -> dict[str, Any]:
    told = {"purposes": one.purposes, "categories": one.categories, "recipients": one.recipients}
    return {**({"except": one.excluded} if one.excluded else {}), **{k: v for k, v in told.items() if v is not None}}


def _stop(one: f.Stop, groups: Mapping[str, Region], at: int) -> dict[str, Any]:
    scope = _reach(one) | _places(one.territories, groups, at)
    if one.data is not None:
        ends = {"from": one.data.start, "until": one.data.until}
        scope["data"] = {name: instant.format(end) for name, end in ends.items() if end is not None}
    return {
        "kind": "suspension.opened", "suspension": one.id, "authority": one.authority, "reason": one.reason,
        "scope": scope, "conditions": one.conditions,
    }  # fmt: skip


def _choice(one: f.Choose) -> dict[str, Any]:
    told = {"subject": one.subject, "organisation": one.organisation}
    parts: dict[str, Any] = {}
    if one.notice is not None:
        parts["notice"] = {"id": one.notice.notice, "version": one.notice.version}
    if one.act is not None:
        parts["act"] = _given(one.act)
    if one.by is not None:
        parts["by"] = _given(one.by)
    whose = {name: value for name, value in told.items() if value is not None}
    scope = _reach(one)
    return {
        "kind": "choice.recorded", "decision": one.decision, "source": one.through, **whose, **parts,
        **({"scope": scope} if scope else {}),
    }  # fmt: skip
