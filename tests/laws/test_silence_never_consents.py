"""Law 3, *silence never consents*: with no choice events at all, no record passes an `opt-in` rule."""

from __future__ import annotations

from dataclasses import replace

from sayso.policy.model import Mode
from sayso.policy.verdict import Outcome
from tests.laws.deciding import Case, findings, law


@law()
def test_silence_never_consents(case: Case) -> None:
    world = case.world
    silent = replace(
        world,
        subjects={one: [f for f in said if f.kind != "choice.recorded"] for one, said in world.subjects.items()},
        organisations={
            one: [f for f in said if f.kind != "choice.recorded"] for one, said in world.organisations.items()
        },
    )
    for record in case.records:
        for found, rule in findings(silent, record):
            assert found.outcome not in (Outcome.GRANTED, Outcome.ORGANISATION)
            assert rule is None or rule.mode is not Mode.OPT_IN or not found.outcome.permits
