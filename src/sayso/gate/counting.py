"""Counts of a gate: by verdict, reason or ground, category and territory; and that they reconcile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sayso.gate.verdicts import Answer
from sayso.policy.verdict import Outcome

Cell = tuple[str, str | None, str | None]
"""An outcome's word, a category and the territory of the evidence; `None` is the bucket for none."""


def cells(counts: Mapping[tuple[int, str | None], int], read: Callable[[int], Answer]) -> Counter[Cell]:
    """Counts by packed verdict as counts by cell."""
    found: Counter[Cell] = Counter()
    for (number, written), count in counts.items():
        answer = read(number)
        territory = written if answer.written else answer.territory
        found[answer.outcome.word, answer.category, territory] += count
    return found


def totals(found: Mapping[Cell, int]) -> dict[str, Any]:
    """The counts of a manifest (`spec/manifest.md`, *Counts*)."""
    grounds = {outcome.word for outcome in Outcome if outcome.permits}

    def by(index: int) -> list[dict[str, Any]]:
        name = ("outcome", "category", "territory")[index]
        values = sorted({cell[index] for cell in found}, key=lambda value: (value is None, value or ""))
        return [
            {
                name: value,
                "permitted": sum(n for cell, n in found.items() if cell[index] == value and cell[0] in grounds),
                "denied": sum(n for cell, n in found.items() if cell[index] == value and cell[0] not in grounds),
            }
            for value in values
        ]

    def words(permitting: bool) -> dict[str, int]:
        order = [outcome.word for outcome in Outcome if outcome.permits is permitting]
        sums = {word: sum(n for cell, n in found.items() if cell[0] == word) for word in order}
        return {word: count for word, count in sums.items() if count}

    reasons, by_ground = words(False), words(True)
    return {
        "records": sum(found.values()),
        "permitted": sum(by_ground.values()),
        "denied": sum(reasons.values()),
        "by_reason": reasons,
        "by_ground": by_ground,
        "by_category": by(1),
        "by_territory": by(2),
        "cells": [
            {"outcome": outcome, "category": category, "territory": territory, "records": count}
            for (outcome, category, territory), count in sorted(
                found.items(), key=lambda item: tuple((part is None, part or "") for part in item[0])
            )
        ],
    }


def differences(counts: Mapping[str, Any]) -> Iterable[str]:
    """What does not reconcile in the counts of a manifest: in = permitted + denied, in total, by each way, by cell."""
    records, permitted, denied = (counts[name] for name in ("records", "permitted", "denied"))
    if records != permitted + denied:
        yield f"`records` is {records}, but permitted and denied are {permitted + denied}"
    for name, total in (("by_reason", denied), ("by_ground", permitted)):
        if sum(counts[name].values()) != total:
            yield f"`{name}` sums to {sum(counts[name].values())}, not {total}"
    for name in ("by_category", "by_territory"):
        for side, total in (("permitted", permitted), ("denied", denied)):
            found = sum(row[side] for row in counts[name])
            if found != total:
                yield f"`{name}` sums to {found} {side}, not {total}"
    if sum(cell["records"] for cell in counts["cells"]) != records:
        yield f"`cells` sum to {sum(cell['records'] for cell in counts['cells'])}, not {records}"
    told: Counter[Cell] = Counter()
    for cell in counts["cells"]:
        told[cell["outcome"], cell["category"], cell["territory"]] += cell["records"]
    for name, value in totals(told).items():
        if counts[name] != value:
            yield f"`{name}` is not what `cells` say"
