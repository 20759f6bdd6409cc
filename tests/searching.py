"""How long a property is searched for: by so many examples for everybody, and by many more in `make torture`."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

USUAL = 100
"""So many examples are drawn of a property that says nothing else."""
TIMES = 25
"""So many times as many are drawn by the profile of `make torture`."""


def searched(fewest: int, **others: Any) -> settings:
    """Settings of a property of the `fewest` examples, or as many times that as the profile at hand asks for.

    A plain `settings(max_examples=…)` would hold against the profile, and nothing would be searched for longer.
    """
    return settings(max_examples=fewest * settings().max_examples // USUAL, **others)
