"""What of all that a person said can still matter: a sequence of choices and signals without what it makes moot.

A choice that a later refusal covers is moot; so is a grant that a later one repeats, but for where a run of grants
begins. What is left says the same to every rule (`policy.choices`), with fewer sequences to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Spoken(NamedTuple):
    """A choice's meaning: the categories it reaches by the edition in force (`None`: not this use), and a grant's terms."""

    cells: tuple[frozenset[str] | None, ...]
    refusal: bool
    under: tuple[str, ...] | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One thing said: by which alias, under which edition, at the `group`-th of the instants at which anything was.

    `choice` is `None` for anything else, such as a signal.
    """

    group: int
    index: int
    member: int
    edition: int
    choice: Spoken | None

    @property
    def reach(self) -> frozenset[str]:
        """The categories that a choice reaches."""
        return (self.choice.cells[self.edition] if self.choice else None) or frozenset()

    @property
    def order(self) -> tuple[int, bool, int]:
        """Of equal instants a refusal comes after a grant, then the greater position."""
        return (self.group, self.choice is not None and self.choice.refusal, self.index)


def mattering(rows: Sequence[Row], *, runs: bool) -> tuple[list[bool], list[bool]]:
    """Which rows matter, and which of them may begin a run of grants. `runs` says whether a rule asks for runs."""
    matters, begins = [], []
    for row in rows:
        if row.choice is None:
            matters.append(True)
            begins.append(False)
            continue
        others = [one for one in rows if one.member == row.member and one.choice is not None and one is not row]
        later = [one for one in others if one.order > row.order and one.reach >= row.reach]
        moot = not row.reach or any(one.choice is not None and one.choice.refusal for one in later)
        repeated = any(_alike(one, row) for one in later)
        first = runs and not moot and not row.choice.refusal and not _runs_on(row, others, rows)
        matters.append(not moot and (first or not repeated))
        begins.append(first)
    return matters, begins


def _alike(one: Row, other: Row) -> bool:
    """Whether two are grants on the same terms."""
    if one.choice is None or other.choice is None or one.choice.refusal or other.choice.refusal:
        return False
    return one.choice[2:] == other.choice[2:]


def _runs_on(row: Row, others: Sequence[Row], rows: Sequence[Row]) -> bool:
    """Whether a grant goes on what an earlier one of the same terms began, with nothing between that breaks a run."""
    before = [one for one in others if one.order < row.order and _alike(one, row) and one.reach >= row.reach]
    breaks = [
        one.group for one in rows if one.member == row.member and (one.choice is None or one.choice.refusal)
    ]  # fmt: skip
    return any(not any(one.group <= at <= row.group for at in breaks) for one in before)
