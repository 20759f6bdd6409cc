"""What a choice is in the words of others: a consent record and receipt of ISO/IEC TS 27560, as W3C DPV writes them.

The fields are those of the guide *Consent Records and Receipts as per ISO/IEC TS 27560:2023 using DPV*; numbers such as
8.3.1 are its sections. What each is taken from is in `spec/receipt.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from sayso import instant
from sayso.consent.receipt_standing import Standings, reach
from sayso.consent.receipt_terms import PERSONAL_DATA, PROCESSING, PURPOSES, RECIPIENTS
from sayso.errors import InputError, Problem
from sayso.ledger.entry import split
from sayso.ledger.events import ChoiceRecorded
from sayso.ledger.events import Scope as Named
from sayso.policy.model import Controller, Mode, NoticeVersion, Policy, Rule
from sayso.policy.terms import Scope, Vocabulary

CONTEXT = {
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
    "loc": "https://w3id.org/dpv/loc#",
    "ai": "https://w3id.org/dpv/ai#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "dct": "http://purl.org/dc/terms/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "schema": "https://schema.org/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}
PROFILE = "https://w3id.org/dpv/schema/dpv-27560#"
STATES = {
    "grant": "dpv:ConsentGiven",
    "refusal": "dpv:ConsentRefused",
    "withdrawal": "dpv:ConsentWithdrawn",
    "objection": "dpv:ConsentRefused",
}
"""The state of consent after each decision. No state is that of an objection: see `OBJECTED`."""
OBJECTED = {
    "legitimate-interests": "dpv:LegitimateInterestObjected",
    "public-task": "dpv:PublicInterestObjected",
    "vital-interests": "dpv:VitalInterestObjected",
}
BASES = {
    "consent": "dpv:ExpressedConsent",
    "legitimate-interests": "dpv:LegitimateInterest",
    "contract": "dpv:Contract",
    "legal-obligation": "dpv:LegalObligation",
    "vital-interests": "dpv:VitalInterest",
    "public-task": "dpv:PublicInterest",
}
ACTORS = {"guardian": "dpv:GuardianOfDataSubject", "agent": "dpv:Agent", "owner": "dpv:Representative"}
LATER = "a later choice about the same"
"""The event that a choice stands until, where the policy lets it not expire."""

Node = dict[str, Any]
# Its bytes are those of RFC 8785 where every key is ASCII and there is no number, as in a scope.
_FAST = msgspec.json.Encoder(order="sorted")


def record(
    choice: ChoiceRecorded,
    *,
    origin: str,
    position: int,
    recorded_at: int,
    created_at: int,
    policy: Policy,
    standing: Standings,
    notice_digest: str | None = None,
) -> Node:
    """The receipt, as JSON-LD, of a person's choice, which is at a position of the log with this origin.

    Instants are in microseconds; `created_at` is when the receipt is made. `policy` is the one that was in force,
    `notice_digest` that of the notice as the log's entry has it.

    Raises InputError for the choice of an organisation, and naming everything that the policy document lacks.
    """
    draft = split(choice, recorded_at)
    notice = draft.public.get("notice")
    if notice is not None and notice_digest is not None:
        notice = {**notice, "digest": notice_digest}
    body = msgspec.json.decode(draft.bodies[0])
    return written(body, notice, origin, position, instant.format(created_at), policy, standing)


def written(
    body: Mapping[str, Any],
    notice: Mapping[str, str] | None,
    origin: str,
    position: int,
    created: str,
    policy: Policy,
    standing: Standings,
) -> Node:
    """The receipt of what a choice's private part and its entry's `notice` say (spec/ledger.md). Raises as `record`."""
    if "subject" not in body:
        raise InputError("expected the choice of a person, got an organisation's; it has no consent record")
    return _Receipt(body, notice, policy, standing).node(origin, position, created)


# ── what anyone can tell from the entry and its part ─────────────────────────────────────────────────────────────────


def identifier(origin: str, position: int) -> str:
    """What tells a record apart (8.1.2): the log, and the position of the choice in it."""
    return f"{origin}#{position}"


def said(body: Mapping[str, Any], origin: str, position: int) -> Node:
    """The part of a consent record that the choice's private part and place in the log say by themselves."""
    return {
        "dct:identifier": identifier(origin, position),
        "dct:created": body["recorded_at"],
        "dpv:hasDataSubject": {"@id": "_:subject", "@type": "dpv:DataSubject", "dct:identifier": body["subject"]},
        "dpv:hasScope": {"@type": "dpv:Scope", "rdf:value": _FAST.encode(body.get("scope", {})).decode()},
    }


def event(body: Mapping[str, Any]) -> Node:
    """The consent event (8.5), but for how long it holds, which is the policy's to say."""
    decision, act, by = body["decision"], body.get("act"), body.get("by")
    methods = [body["source"]] if act is None else [f"{act['what']} ({act['where']})", body["source"]]
    return {
        # A default, a silence or a pre-set toggle is stored as no choice: what is stored was expressed (8.5.1).
        "@type": [STATES[decision], "dpv:ExpressedConsent"],
        "dct:type": decision,
        "dpv:isIndicatedAtTime": body.get("effective_at", body["recorded_at"]),
        "dpv:isIndicatedBy": {"@id": "dpv:DataSubject"} if by is None else {"@type": ACTORS[by["role"]]},
        "dpv:hasIndicationMethod": methods,
    }


def told(notice: Mapping[str, str]) -> Node:
    """The notice that a choice was made under (8.2.1), as the entry names it."""
    digest = {"dpv:hasIdentifier": notice["digest"]} if "digest" in notice else {}
    return {"@type": "dpv:ConsentNotice", "dct:identifier": f"{notice['id']} {notice['version']}", **digest}


# ── what the policy adds ─────────────────────────────────────────────────────────────────────────────────────────────


class _Receipt:
    def __init__(
        self, body: Mapping[str, Any], notice: Mapping[str, str] | None, policy: Policy, standing: Standings
    ) -> None:
        self.body, self.notice, self.policy = body, notice, policy
        self.scope = reach(msgspec.convert(body.get("scope", {}), Named), policy)
        rules = next((one.rules for one in policy.versions if one.id == standing.version), ())
        # Where nothing is done with the data, a rule has no controller's processing to tell of.
        self.rules = [one for one in rules if one.id in standing.rules and one.mode not in (Mode.NEVER, Mode.DISPUTED)]
        self.missing = [
            f"`{kind}` that the choice names" for kind in ("purposes", "categories", "recipients")
            if not getattr(self.scope, kind)
        ]  # fmt: skip
        self.in_force = standing.version
        self.controllers = self._controllers()

    def node(self, origin: str, position: int, created: str) -> Node:
        consent = {
            "@type": "dpv:ConsentRecord",
            "dct:conformsTo": {"@id": f"{PROFILE}record"},
            **said(self.body, origin, position),
            "dpv:hasNotice": self._notices(),
            "dpv:hasProcess": self._processes(),
            "dpv:hasEntity": [self._entity(one) for one in self.controllers],
            "dpv:hasConsentStatus": {**event(self.body), "dpv:hasDuration": self._durations()},
        }
        if self.missing:
            raise InputError(
                [Problem(f"no receipt can be made: the policy has no {one}", remedy="add it to the policy document")
                 for one in dict.fromkeys(self.missing)]
            )  # fmt: skip
        return {
            "@context": CONTEXT,
            "@type": "dpv:ConsentReceipt",
            "dct:conformsTo": {"@id": f"{PROFILE}receipt"},
            "dpv:hasIdentifier": f"{identifier(origin, position)}/{created}",
            "dct:created": created,
            "dct:publisher": [self._ref(one) for one in self.controllers],
            "dpv:hasRecordOfActivity": consent,
        }

    def _controllers(self) -> list[Controller]:
        """The controllers of the rules that matched; of all there are, where none lets the data be used."""
        if not self.policy.controllers:
            self.missing.append("`controllers`")
            return []
        for rule in self.rules:
            if rule.controller not in self.policy.controllers:
                self.missing.append(f"`controller` in rule `{rule.id}` of version `{self.in_force}`")
        named = {rule.controller for rule in self.rules} or set(self.policy.controllers)
        return [one for name, one in self.policy.controllers.items() if name in named]

    def _ref(self, controller: Controller) -> Node:
        return {"@id": f"_:controller-{self.controllers.index(controller) + 1}"}

    def _entity(self, one: Controller) -> Node:
        """Who is controller (8.4)."""
        kind = "schema:url" if "://" in one.contact else "schema:email"
        page = {} if one.url is None else {"schema:url": one.url}
        return {
            **self._ref(one),
            "@type": "dpv:DataController",
            "dpv:hasName": one.name,
            "dpv:hasIdentifier": one.identifier,
            "schema:contactPoint": [
                {"@type": "schema:ContactPoint", kind: one.contact},
                {"@type": "schema:PostalAddress", "schema:streetAddress": one.address},
            ],
            **page,
        }

    def _notices(self) -> list[Node]:
        """The notice that the choice names; where it names none, those by which the rules that matched tell people.

        A refusal needs no notice. The field must be there all the same (8.2.1), and what then belongs to the choice
        is what people are told of the same processing: as privacy notices, for nobody says that it was read.
        """
        if self.notice is not None:
            known = self.policy.notices.get((self.notice["id"], self.notice["version"]))
            return [told(self.notice) | self._text(self.notice["id"], self.notice["version"], known)]
        under = {(rule.notice, version) for rule in self.rules for version in rule.accepts}
        found = [one for key, one in sorted(self.policy.notices.items()) if key in under] or [
            one for _, one in sorted(self.policy.notices.items()) if _meets(one.declares, self.scope)
        ]
        if not found:
            self.missing.append("`notices` that declare anything of what the choice is about")
        return [
            {"@type": "dpv:PrivacyNotice", "dct:identifier": f"{one.notice} {one.version}"}
            | ({} if one.digest is None else {"dpv:hasIdentifier": one.digest})
            | self._text(one.notice, one.version, one)
            for one in found
        ]

    def _text(self, notice: str, version: str, known: NoticeVersion | None) -> Node:
        """A notice's language (8.2.2), and where it can be read."""
        if known is None or known.language is None:
            self.missing.append(f"`language` of version `{version}` of the notice `{notice}`")
            return {}
        return {"dct:language": known.language} | ({} if known.url is None else {"schema:url": known.url})

    def _processes(self) -> list[Node]:
        """What is done with the data (8.3): one process for each way in which a rule lets it be used."""
        ways: dict[tuple[str | None, str | None, Scope], Scope] = {}
        for rule in self.rules:
            common = _shared(rule.scope, self.scope)
            ways.setdefault((rule.controller, _basis(rule), common), common)
        if not ways:
            return [self._process(self.scope, self.controllers, None)]
        return [
            self._process(scope, [one for one in self.controllers if one.name == name], basis)
            for (name, basis, _), scope in ways.items()
        ]

    def _process(self, scope: Scope, controllers: Sequence[Controller], basis: str | None) -> Node:
        policy = self.policy
        kinds = sorted({_term(policy.purposes, name, PROCESSING) or "" for name in scope.purposes} - {""})
        node: Node = {
            "@type": "dpv:Process",
            "dpv:hasPurpose": _nodes(policy.purposes, scope.purposes, "dpv:Purpose", PURPOSES),
            "dpv:hasPersonalData": _nodes(policy.categories, scope.categories, "dpv:PersonalData", PERSONAL_DATA),
            "dpv:hasRecipient": _nodes(policy.recipients, scope.recipients, "dpv:Recipient", RECIPIENTS),
            "dpv:hasDataController": [self._ref(one) for one in controllers],
            "dpv:hasStorageCondition": [
                {"@type": "dpv:StorageCondition", "dct:description": one.storage} for one in controllers
            ],
            "dpv:hasConsentControl": [
                {"@type": ["dpv:ProvideConsent", "dpv:WithdrawConsent"], "dpv:isExercisedAt": one.withdrawal}
                for one in controllers
            ],
            "dpv:hasJurisdiction": [_place(name) for name in _all(one.jurisdictions for one in controllers)],
            "dpv:hasRight": [{"@type": "dpv:DataSubjectRight", "dpv:isExercisedAt": one.rights} for one in controllers],
        }
        if kinds:
            node["dpv:hasProcessing"] = [{"@id": kind} for kind in kinds]
        if basis in BASES:
            node["dpv:hasLegalBasis"] = {"@id": BASES[basis]}
        if self.body["decision"] == "objection" and basis in OBJECTED:
            node["dpv:hasStatus"] = {"@id": OBJECTED[basis]}
        return node

    def _durations(self) -> list[Node]:
        """How long the choice stands (8.5.4): of a grant as its rules say, else until another takes its place."""
        ends = {rule.expires_after for rule in self.rules if rule.mode is Mode.OPT_IN}
        if self.body["decision"] != "grant" or not ends:
            ends = {None}
        return [
            {"@type": "dpv:UntilEventDuration", "rdf:value": LATER}
            if end is None
            else {"@type": "dpv:TemporalDuration", "rdf:value": f"P{end // instant.DAY}D"}
            for end in sorted(ends, key=lambda end: end or 0)
        ]


def _basis(rule: Rule) -> str | None:
    """The legal basis that a rule names; an opt-in rule that names none asks for consent."""
    return "consent" if rule.basis is None and rule.mode is Mode.OPT_IN else rule.basis


def _shared(one: Scope, other: Scope) -> Scope:
    return Scope(one.purposes & other.purposes, one.categories & other.categories, one.recipients & other.recipients)


def _meets(one: Scope, other: Scope) -> bool:
    common = _shared(one, other)
    return bool(common.purposes and common.categories and common.recipients)


def _nodes(vocabulary: Vocabulary, names: Iterable[str], kind: str, defined: frozenset[str]) -> list[Node]:
    """Terms of the policy, each below one that DPV defines: the nearest that the policy names, else the widest."""
    return [
        {
            "@type": "dpv:SpecialCategoryPersonalData" if vocabulary.terms[name].special else kind,
            "dct:identifier": name,
            "dct:title": vocabulary.terms[name].title or name,
            "skos:broader": {"@id": _term(vocabulary, name, defined) or kind},
        }
        for name in sorted(names)
    ]


def _term(vocabulary: Vocabulary, name: str, defined: frozenset[str]) -> str | None:
    """The defined term that a policy's term, or the nearest above it, names; `None` if none does."""
    step: str | None = name
    while step is not None:
        named = vocabulary.terms[step].dpv or ""
        for short in (named, *(f"{prefix}:{named.removeprefix(iri)}" for prefix, iri in CONTEXT.items())):
            if short in defined:
                return short
        step = vocabulary.terms[step].parent
    return None


def _place(name: str) -> Node:
    """A jurisdiction (8.3.9): a country, `EU` or `EEA` by its term, a part of a country by its code."""
    if (len(name) == 2 and name != "XK") or name == "EEA":
        return {"@id": f"loc:{name}"}
    return {"@type": "dpv:Location", "dct:identifier": name}


def _all(several: Iterable[Iterable[str]]) -> list[str]:
    return sorted({one for some in several for one in some})
