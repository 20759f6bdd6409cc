"""Deciding one record at a time from a snapshot: a few look-ups, for a service that must answer at once.

It answers what the reference answers, and is held to it by the same generated worlds as the engines are. It takes
records with one subject that are not reserved, for uses that do not ask for the account.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import NamedTuple

from sayso.errors import UsageError
from sayso.plan.gate import UNKNOWN_PLACE
from sayso.plan.snapshot import Snapshot
from sayso.policy.facts import Id
from sayso.policy.verdict import Outcome
from sayso.territory import canonical, country

_UNREADABLE, _NO_SUBJECT, _RESERVED = Outcome.UNREADABLE, Outcome.NO_SUBJECT, Outcome.RESERVED


class Answer(NamedTuple):
    """A verdict and its evidence: the outcome, the rule's place in the version, the territory, the subject's index
    and the position of the event behind it; -1 and `None` for none.
    """

    outcome: int
    rule: int
    territory: str | None
    subject: int
    position: int | None

    @property
    def permit(self) -> bool:
        """Whether the record may be used."""
        return Outcome.NO_CHOICE <= self.outcome <= Outcome.GRANTED


_UNREAD = Answer(_UNREADABLE, -1, None, -1, None)
_NOBODY = Answer(_NO_SUBJECT, -1, None, -1, None)

Steps = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...] | None]


class Decider:
    """Answers for one use, as known at one position.

    Takes about 250 bytes a person. `erased` says where somebody whom the snapshot does not know was erased, if so.
    Raises UsageError for a use that asks for the record's account.
    """

    def __init__(self, snapshot: Snapshot, erased: Callable[[Id], int | None] | None = None) -> None:
        if snapshot.accounts is not None:
            raise UsageError("this use asks for the record's account; decide it by the ledger")
        numbers = snapshot.dimensions
        self._at, self._borders, self._size = numbers.at, numbers.borders, numbers.size
        self._categories, self._places = numbers.categories, numbers.places
        self._per_role = (len(numbers.borders) + 1) * numbers.categories * numbers.places
        self._unasked = frozenset(numbers.unasked)
        self._absent: Steps = ((), (numbers.absent * numbers.size,), None)
        self._buried, self._erased = (numbers.buried * numbers.size,), erased
        self._steps = _steps(snapshot)
        self._cells = {row["name"]: row["cell"] * numbers.places for row in snapshot.categories.to_pylist()}
        self._place: dict[str | None, int] = {row["code"]: row["place"] for row in snapshot.places.to_pylist()}
        self._rest: dict[str, int | None] = {row["code"]: row["rest"] for row in snapshot.places.to_pylist()}
        self._place[None] = 0
        rows = snapshot.results.to_pylist()
        self._results = [(r["outcome"], r["rule"], r["slot"], r["position"]) for r in rows]
        self._answers: list[int] = snapshot.answers.column("result").to_pylist()
        self._where: list[int] = snapshot.answers.column("territory").to_pylist()
        self._names = snapshot.territories

    def decide(self, subject: Id | None, category: str | None, collected_at: int | None,
               territory: str | None = None, role: str | None = None) -> Answer:  # fmt: skip
        """The verdict on a record with one subject, not reserved."""
        cell = self._cells.get(category) if category is not None else None
        place = self._place.get(territory)
        if place is None:
            place = unlisted_place(self._rest, territory)
        if cell is None or place is None or subject is None or collected_at is None or collected_at > self._at:
            return _UNREAD
        borders, classes, behind = self._steps.get(subject) or self._stranger(subject)
        if not borders:
            key = classes[0]
        elif len(borders) == 1:
            key = classes[collected_at >= borders[0]]
        else:
            key = classes[bisect_right(borders, collected_at)]
        key += cell + place
        if self._borders:
            key += bisect_right(self._borders, collected_at) * self._categories * self._places
        unasked = role is not None and role in self._unasked
        if unasked:
            key += self._per_role
        outcome, rule, slot, position = self._results[self._answers[key]]
        if unasked and outcome > _NO_SUBJECT:
            return _NOBODY
        if slot is not None and behind is not None:
            position = behind[slot]
        where = self._where[key]
        named = self._names[where] if where >= 0 else canonical(territory or "") if where == -1 else None
        return Answer(outcome, rule, named, 0 if outcome > _NO_SUBJECT else -1, position)

    def _stranger(self, subject: Id) -> Steps:
        """What is said of one whom the snapshot does not know: who was erased, or nobody."""
        position = None if self._erased is None else self._erased(subject)
        return self._absent if position is None else ((), self._buried, (position,))


def unlisted_place(rests: Mapping[str, int | None], territory: str | None) -> int | None:
    """The place of a territory that nothing names: the rest of its country, or unknown; `None` if malformed."""
    code = canonical(territory or "")
    if code is None:
        return None
    rest = rests.get(country(code)) if code != country(code) else None
    return UNKNOWN_PLACE if rest is None else rest


def _steps(snapshot: Snapshot) -> Mapping[Id, Steps]:
    """Everybody's step function, classes as the first keys of their answers. Equal ones are one object."""
    size = snapshot.dimensions.size
    shared: dict[Steps, Steps] = {}
    found: dict[Id, Steps] = {}
    for batch in snapshot.standing.to_batches(max_chunksize=1 << 16):
        columns = [batch.column(name).to_pylist() for name in batch.schema.names if name != "more"]
        for subject, c0, b1, c1, b2, c2, behind in zip(*columns, strict=True):
            borders = tuple(border for border in (b1, b2) if border is not None)
            classes = tuple(number * size for number in (c0, c1, c2)[: len(borders) + 1])
            steps = (borders, classes, None if behind is None else tuple(behind))
            found[subject] = shared.setdefault(steps, steps)
    several: dict[Id, list[tuple[int | None, int]]] = {}
    for row in snapshot.overflow.to_pylist():
        several.setdefault(row["subject"], []).append((row["start"], row["class"] * size))
    for subject, segments in several.items():
        borders = tuple(start for start, _ in segments if start is not None)
        found[subject] = (borders, tuple(number for _, number in segments), found[subject][2])
    return found
