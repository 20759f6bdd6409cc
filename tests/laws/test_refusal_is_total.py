"""Law 2, *refusal is total*: after a covering refusal by a rule's holder with no later covering grant of that
holder, that rule does not permit, unless it is an `always` rule that states why.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from sayso.consent.fold import Fact
from sayso.policy.facts import value_at
from sayso.policy.model import Holder
from sayso.policy.verdict import Outcome
from tests.laws.deciding import REFUSAL, Case, findings, law
from tests.strategies import fact


@law(subject=st.integers(1, 4), decision=st.sampled_from(["refusal", "withdrawal", "objection"]), late=st.booleans())
def test_refusal_is_total(case: Case, subject: int, decision: str, late: bool) -> None:
    world = case.world
    last = max([f.at for f in world.subjects.get(subject, []) if f.at <= world.use.at], default=world.use.at)
    recorded = world.use.at + 1 if late else last
    said = fact({**REFUSAL, "decision": decision}, world.next_position, recorded=recorded, effective=last)
    after = world.saying(subject, said)
    for record in case.records:
        whose = [index for index, one in enumerate(record.subjects or ()) if one.id == subject]
        for index in whose:
            found = findings(after, record)
            denied = {f.rule for f, _ in found if f.subject == index and f.outcome is Outcome.REFUSED}
            if any(f.subject == index and f.outcome is Outcome.ERASED for f, _ in found):
                continue  # section 9.11: nothing else is known of the erased, their refusal included, and nothing passes
            for one, rule in found:
                if one.subject == index and rule is not None and rule.holder is Holder.SUBJECT and one.outcome.permits:
                    assert rule.overrides_refusal or rule.index in denied, (record, one)


@law(organisation=st.integers(1, 2))
def test_refusal_of_an_organisation_is_total(case: Case, organisation: int) -> None:
    world = case.world
    said = fact({**REFUSAL, "by": "owner"}, world.next_position, recorded=world.use.at)
    of: list[Fact] = [*world.organisations[organisation], said]
    after = replace(world, organisations={**world.organisations, organisation: of})
    for record in case.records:
        account = after.known.account(record.account) if record.account is not None else None
        if account is None or record.collected_at is None:
            continue
        if organisation in (value_at(account.holders, at) for at in (world.use.at, record.collected_at)):
            found = findings(after, record)
            denied = {f.rule for f, _ in found if not f.outcome.permits}
            for _, rule in found:
                if rule is not None and rule.holder is Holder.ORGANISATION and not rule.overrides_refusal:
                    assert rule.index in denied, record
