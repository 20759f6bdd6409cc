"""The normalised form of a policy, which its digest is of and the ledger keeps, and the policy from it.

Scopes are expanded to leaves, groups to territories, sets are sorted and defaults written out: so formatting,
comments and the order of keys and sets change nothing, and a later table of territories changes no published policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sayso.canonical import digest
from sayso.policy.model import (
    Attribute,
    Band,
    Controller,
    Covers,
    Holder,
    MinAge,
    Mode,
    NoticeVersion,
    Policy,
    Rule,
    SignalMap,
    SignUp,
    SituationMode,
    Told,
    Version,
)  # fmt: skip
from sayso.policy.terms import Scope, Term, Vocabulary, Window
from sayso.territory import Region, to_json

FORM = "sayso/policy/1"


def normal(policy: Policy) -> dict[str, Any]:
    """The normalised document: JSON of objects, lists, strings, integers and booleans."""
    # What came later is left out where it is not said, so that no digest of an earlier policy changes.
    controllers = {
        name: {**asdict(one), "jurisdictions": sorted(one.jurisdictions)} for name, one in policy.controllers.items()
    }
    return {
        "form": FORM,
        "platform": policy.platform,
        "purposes": _vocabulary(policy.purposes),
        "categories": _vocabulary(policy.categories),
        "recipients": _vocabulary(policy.recipients),
        "attributes": {
            name: {"values": sorted(one.values), "account": one.of_account, "default": one.default}
            for name, one in policy.attributes.items()
        },
        "notices": [
            {"notice": n.notice, "version": n.version, "declares": _scope(n.declares), "digest": n.digest, "url": n.url}
            | ({} if n.language is None else {"language": n.language})
            for _, n in sorted(policy.notices.items())
        ],
        "signals": {
            name: {"scope": _scope(one.scope), "territories": _region(one.territories)}
            for name, one in policy.signals.items()
        },
        "groups": {name: to_json(group) for name, group in policy.groups.items()},
        "versions": [_version(version) for version in sorted(policy.versions, key=lambda one: one.effective)],
    } | ({"controllers": controllers} if controllers else {})


def digest_of(policy: Policy) -> str:
    """The digest of a policy: SHA-256 over the RFC 8785 bytes of its normalised document."""
    return digest(normal(policy))


def from_normal(document: Mapping[str, Any]) -> Policy:
    """The policy that a normalised document is of. Raises KeyError, TypeError or ValueError if it is of none."""
    if document["form"] != FORM:
        raise ValueError(f"expected a document of form `{FORM}`")
    return Policy(
        platform=document["platform"],
        digest=digest(document),
        purposes=_terms(document["purposes"]),
        categories=_terms(document["categories"]),
        recipients=_terms(document["recipients"]),
        versions=tuple(_read_version(version) for version in document["versions"]),
        attributes={
            name: Attribute(name, tuple(one["values"]), one["account"], one["default"])
            for name, one in document["attributes"].items()
        },
        notices={
            (n["notice"], n["version"]): NoticeVersion(
                n["notice"], n["version"], _read_scope(n["declares"]), n["digest"], n["url"], n.get("language")
            )
            for n in document["notices"]
        },
        signals={
            name: SignalMap(name, _read_scope(one["scope"]), _read_region(one["territories"]))
            for name, one in document["signals"].items()
        },
        groups={
            name: Region(frozenset(g["codes"]), frozenset(g["excepted"])) for name, g in document["groups"].items()
        },
        controllers={
            name: Controller(**{**one, "jurisdictions": tuple(one["jurisdictions"])})
            for name, one in document.get("controllers", {}).items()
        },
    )


def _vocabulary(vocabulary: Vocabulary) -> dict[str, Any]:
    return {name: {**asdict(term), "was": sorted(term.was)} for name, term in vocabulary.terms.items()}


def _terms(document: Mapping[str, Any]) -> Vocabulary:
    return Vocabulary({name: Term(**{**term, "was": tuple(term["was"])}) for name, term in sorted(document.items())})


def _scope(scope: Scope) -> dict[str, list[str]]:
    return {
        "purposes": sorted(scope.purposes), "categories": sorted(scope.categories),
        "recipients": sorted(scope.recipients),
    }  # fmt: skip


def _read_scope(document: Mapping[str, Any]) -> Scope:
    return Scope(*(frozenset(document[name]) for name in ("purposes", "categories", "recipients")))


def _region(region: Region | None) -> dict[str, list[str]] | None:
    return None if region is None else to_json(region)


def _read_region(document: Mapping[str, Any] | None) -> Region | None:
    return None if document is None else Region(frozenset(document["codes"]), frozenset(document["excepted"]))


def _window(window: Window) -> dict[str, int | None]:
    return {"from": window.start, "until": window.until}


def _attributes(attributes: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    return {name: sorted(values) for name, values in attributes.items()}


def _read_attributes(document: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    return {name: frozenset(values) for name, values in document.items()}


def _version(version: Version) -> dict[str, Any]:
    return {
        "id": version.id,
        "announced": version.announced,
        "effective": version.effective,
        "situation": version.situation.value,
        "freshness": version.freshness,
        "roles": dict(version.roles),
        "sign_ups": [
            {
                "notice": s.notice, "version": s.version, "territories": _region(s.territories),
                "attributes": _attributes(s.attributes),
            }
            for s in version.sign_ups
        ],
        "rules": [_rule(rule) for rule in version.rules],
    }  # fmt: skip


def _read_version(document: Mapping[str, Any]) -> Version:
    return Version(
        document["id"],
        document["announced"],
        document["effective"],
        tuple(_read_rule(index, rule) for index, rule in enumerate(document["rules"])),
        SituationMode(document["situation"]),
        document["freshness"],
        tuple(
            SignUp(s["notice"], s["version"], _read_region(s["territories"]), _read_attributes(s["attributes"]))
            for s in document["sign_ups"]
        ),
        dict(document["roles"]),
    )


_PLAIN = ("id", "notice", "notice_period", "expires_after", "overrides_refusal", "controller", "basis", "why", "source")


def _rule(rule: Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in _PLAIN} | {
        "scope": _scope(rule.scope),
        "mode": rule.mode.value,
        "territories": _region(rule.territories),
        "attributes": _attributes(rule.attributes),
        "band": None if rule.band is None else {"from": rule.band.start, "until": rule.band.until},
        "data": _window(rule.data),
        "holder": rule.holder.value,
        "accepts": sorted(rule.accepts),
        "told": rule.told.value,
        "covers": rule.covers.value,
        "covers_reason": rule.covers_reason,
        "collected": _window(rule.collected),
        "min_age": None
        if rule.min_age is None
        else {"age": rule.min_age.age, "use": rule.min_age.at_use_only, "guardian": rule.min_age.or_guardian},
    }


def _read_rule(index: int, document: Mapping[str, Any]) -> Rule:
    band, least = document["band"], document["min_age"]
    return Rule(
        index=index,
        scope=_read_scope(document["scope"]),
        mode=Mode(document["mode"]),
        territories=_read_region(document["territories"]),
        attributes=_read_attributes(document["attributes"]),
        band=None if band is None else Band(band["from"], band["until"]),
        data=Window(document["data"]["from"], document["data"]["until"]),
        holder=Holder(document["holder"]),
        accepts=frozenset(document["accepts"]),
        told=Told(document["told"]),
        covers=Covers(document["covers"]),
        covers_reason=document["covers_reason"],
        collected=Window(document["collected"]["from"], document["collected"]["until"]),
        min_age=None if least is None else MinAge(least["age"], least["use"], least["guardian"]),
        **{name: document[name] for name in _PLAIN},
    )
