"""Law 1, *fails closed*: an empty policy, an empty ledger, or an unknown that the decision asks for denies."""

from __future__ import annotations

from dataclasses import replace

from sayso.policy.facts import Record, Subject
from sayso.policy.model import Policy
from sayso.policy.terms import Vocabulary
from sayso.policy.verdict import Outcome
from tests.laws.deciding import Case, findings, in_force, law, outcomes, with_rules
from tests.strategies import World

NOWHERE_KNOWN = ("subject.registered", "subject.moved")


@law()
def test_fails_closed(case: Case) -> None:
    world, records = case.world, case.records
    policy = world.policy
    for empty in (
        Policy("example", policy.digest, Vocabulary(), Vocabulary(), Vocabulary(), ()),
        replace(policy, versions=()),
        with_rules(policy, lambda version: ()),
    ):
        assert not any(outcome.permits for outcome in outcomes(world.deciding_by(empty), records))
    nobody = World(world.context, world.use)
    assert not any(outcome.permits for outcome in outcomes(nobody, records))
    permitted = [record for record, outcome in zip(records, case.outcomes, strict=True) if outcome.permits]
    for record in permitted:
        assert not any(outcome.permits for outcome in outcomes(world, unknowns(record)))
    stateless = {one: [f for f in said if f.kind not in NOWHERE_KNOWN] for one, said in world.subjects.items()}
    placed = [replace(f, payload={"kind": f.kind}) for said in world.subjects.values() for f in said[:1]]
    registered = dict(zip(world.subjects, ([one] for one in placed), strict=True))
    unplaced = {one: [*registered[one], *stateless[one]] for one in world.subjects}
    assert not any(outcome.permits for outcome in outcomes(replace(world, subjects=unplaced), permitted))


def unknowns(record: Record) -> list[Record]:
    """The record, each with something that cannot be read or is not known."""
    subjects = record.subjects or ()
    return [
        replace(record, subjects=None),
        replace(record, subjects=(Subject(None), *subjects)),
        replace(record, subjects=(*subjects, Subject(999))),
        replace(record, subjects=()),
        replace(record, subjects=(*subjects, Subject(None, "mentioned"))),
        replace(record, category=None),
        replace(record, category="nonsense"),
        replace(record, collected_at=None),
        replace(record, territory="nowhere"),
        replace(record, malformed=True),
    ]


@law()
def test_what_is_asked_and_unknown_is_denied(case: Case) -> None:
    """Nothing permits under a rule that asks for an attribute that is unknown, or for a holder that is not known."""
    without = replace(case.world, accounts={}, organisations={})
    said = {
        one: [replace(f, payload={k: v for k, v in f.payload.items() if k != "attributes"}) for f in facts]
        for one, facts in case.world.subjects.items()
    }
    version = in_force(case.world)
    for record in case.records:
        found = findings(replace(without, subjects=said), record)
        permitted = min((f.outcome for f, _ in found), default=Outcome.UNREADABLE).permits
        for _, rule in found:
            if rule is not None and permitted:
                asked = {case.world.policy.attributes[name] for name in rule.attributes}
                assert all(attribute.default is not None for attribute in asked)
                assert rule.holder.value == "subject"
    assert version is None or version in case.world.policy.versions
