"""Law 6, *replays hold*: the same (policy digest, ledger position, use, record) gives the same verdict for ever,
unless a subject was erased since.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from sayso import instant
from sayso.policy.decide import decide
from sayso.policy.facts import Record
from sayso.policy.verdict import Outcome, Verdict
from sayso.wiring import Parts
from tests.laws.platform import EVENTS, GRANT, START, happens, platform, posts, uses
from tests.searching import searched
from tests.tour import Clock

ERASED = {"kind": "subject.erased", "subject": 1}
SINCE = (Outcome.ERASED, Outcome.UNREADABLE, Outcome.NO_POLICY, Outcome.NO_SUBJECT, Outcome.UNKNOWN_SUBJECT)
"""What a verdict may be once one of its subjects was erased: `erased`, or what comes before it."""


@searched(25)
@given(events=st.lists(EVENTS, min_size=1, max_size=8), seed=st.integers(0, 2**32), days=st.integers(0, 3))
@example(events=[{**GRANT, "subject": 1}, ERASED], seed=1, days=1)
@example(events=[{"kind": "subject.aliased", "subject": 1, "other": 3}, ERASED], seed=2, days=1)
def test_replays_hold(events: list[dict[str, Any]], seed: int, days: int) -> None:
    with TemporaryDirectory() as directory:
        clock = Clock(START)
        parts = platform(Path(directory) / "ledger", clock)
        records = posts(seed, 30, START)
        seen = {size(parts): verdicts(parts, records, size(parts))}
        for event in events:
            clock.now += days * instant.DAY
            if happens(parts, event):
                seen[size(parts)] = verdicts(parts, records, size(parts))
        for position, before in seen.items():
            known = parts.reader.known(None, position)
            for was, now, record in zip(before, verdicts(parts, records, position), [*records, *records], strict=True):
                subjects = [known.subject(one.id) for one in record.subjects or () if one.id is not None]
                if any(one is not None and one.erased is not None for one in subjects):
                    assert now.outcome in SINCE, (position, record)
                else:
                    assert now == was, (position, record)
        parts.close()


def size(parts: Parts) -> int:
    return parts.journal.head().size


def verdicts(parts: Parts, records: list[Record], position: int) -> list[Verdict]:
    """The verdicts as known at a position, at two instants of use."""
    view = parts.reader.view(None, position)
    policy = view.context.policy
    return [decide(policy, use, r, view.known) for use in uses((START, START + 5 * instant.DAY)) for r in records]
