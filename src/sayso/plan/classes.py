"""What each kind of person means for one use: every signature decided once, by the reference.

The result is a step function of `collected_at` for each signature: borders, which are facts of the person, and
between them classes. A class says what the verdict is for each category, period, written territory and role.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sayso.plan.relevance import Relevance
from sayso.plan.results import Results, first, result_of
from sayso.plan.signature import SYMBOL_SHIFT, Ints
from sayso.plan.symbols import Symbols
from sayso.policy.decide import find
from sayso.policy.facts import AccountFacts, Delivery, Facts, Id, Record, Subject, SubjectFacts, Suspension, Voice
from sayso.policy.situation import NOW, THEN, WRITTEN
from sayso.policy.verdict import Finding
from sayso.territory import country

Codes = npt.NDArray[np.int32]
UNREACHED = -1
AS_WRITTEN = -1
NOWHERE = -2
UNKNOWN_PLACE = "ZZ"


@dataclass(frozen=True)
class Axes:
    """What a class is asked for, and the index of each answer: role, period, category, written territory."""

    roles: tuple[bool, ...]
    borders: tuple[int, ...]
    categories: tuple[str, ...]
    category_of: Mapping[str, int]
    places: tuple[str | None, ...]
    place_of: Mapping[str, int]
    rest_of: Mapping[str, int]

    @property
    def per_period(self) -> int:
        """How many answers lie within one role and period."""
        return len(self.categories) * len(self.places)


def axes(relevance: Relevance, symbols: Symbols) -> Axes:
    """The axes for one use.

    Place 0 is that of a record on which no territory is written, 1 that of an unknown one. A country stands for
    every part of it that something names; a part that nothing names is only itself, of the rest (`rest_of`).
    """
    alike = relevance.alike(symbols.scopes)
    categories = tuple(dict.fromkeys(alike.values()))
    places: dict[object, int] = {None: 0, (): 1}
    examples: list[str | None] = [None, UNKNOWN_PLACE]

    def numbered(code: str) -> int:
        mark = relevance.place(code)
        if mark not in places:
            places[mark] = len(examples)
            examples.append(code)
        return places[mark]

    named = relevance.territories
    place_of = {code: numbered(code) for code in named}
    rest_of = {code: numbered(_unnamed(code, named)) for code in named if country(code) == code}
    return Axes(
        roles=(True, False) if not all(relevance.version.roles.values()) else (True,),
        borders=relevance.borders,
        categories=categories,
        category_of={name: categories.index(first) for name, first in alike.items()},
        places=tuple(examples),
        place_of=place_of,
        rest_of=rest_of,
    )


def _unnamed(country_code: str, named: Collection[str]) -> str:
    """A subdivision of a country that nothing names."""
    return next(code for number in range(1000) if (code := f"{country_code}-{number:03}") not in named)


@dataclass(frozen=True)
class OnePerson:
    """The facts of a world in which one person lives, whose id is 0."""

    everyone: Facts
    who: SubjectFacts | None

    @property
    def suspensions(self) -> tuple[Suspension, ...]:
        return self.everyone.suspensions

    @property
    def published(self) -> tuple[Delivery, ...]:
        return self.everyone.published

    @property
    def withdrawn(self) -> frozenset[str]:
        return self.everyone.withdrawn

    def subject(self, subject: Id) -> SubjectFacts | None:
        return self.who

    def account(self, account: Id) -> AccountFacts | None:
        return None

    def organisation(self, organisation: Id) -> Voice:
        return Voice()


@dataclass(frozen=True)
class Shape:
    """The step function of one kind of person: `borders` are indices of their rows, `answers` one array a segment."""

    borders: tuple[int, ...]
    answers: tuple[Codes, ...]
    slots: tuple[int, ...]


@dataclass
class Classes:
    """Classes and results in the order in which they are first met.

    A class is two arrays over the axes: results, and the territory of the evidence.
    """

    relevance: Relevance
    axes: Axes
    symbols: Symbols
    results: Results = field(default_factory=Results)
    classes: dict[bytes, int] = field(default_factory=dict)
    _answers: list[tuple[Codes, Codes]] = field(default_factory=list)
    _shapes: dict[bytes, Shape] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for code in self.relevance.territories:
            self.results.territory(code)
        self.absent = self._class(self._decide(None, None, None, {}, []), None, None)

    def steps(
        self, words: Ints, at: Ints, position: Ints, who: SubjectFacts
    ) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """For the people of a signature: border rows, the class of each segment, and the rows behind the verdicts.

        `words`, `at` and `position` are those of one of them, `who`.
        """
        key = self._collapsed(words)
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = self._shape(at, position, who)
        now = _held(who, self.relevance.use.at)
        starts = (None, *(int(at[border]) for border in shape.borders))
        thens = [None if start is None else _held(who, start) for start in starts]
        merged: list[tuple[int | None, Codes, str | None]] = []
        for border, answers, then in zip((None, *shape.borders), shape.answers, thens, strict=True):
            if merged:
                before = merged[-1]
                joined = _join(before[1], answers)
                if joined is not None and (before[2] == then or not self._names_then(joined)):
                    merged[-1] = (before[0], joined, before[2])
                    continue
            merged.append((border, answers, then))
        classes = tuple(self._class(answers, now, then) for _, answers, then in merged)
        return tuple(border for border, _, _ in merged if border is not None), classes, shape.slots

    def table(self) -> tuple[Codes, Codes]:
        """Every class's results and territories, one row a class."""
        return np.stack([results for results, _ in self._answers]), np.stack([where for _, where in self._answers])

    def _collapsed(self, words: Ints) -> bytes:
        """The words with territories of one place not told apart."""
        if (words < 0).any():
            return words.tobytes()
        places = np.array(self.symbols.places, np.int64)
        rest = words & ((1 << SYMBOL_SHIFT) - 1)
        collapsed: bytes = (places[words >> SYMBOL_SHIFT] << SYMBOL_SHIFT | rest).tobytes()
        return collapsed

    def _shape(self, at: Ints, position: Ints, who: SubjectFacts) -> Shape:
        borders: list[int] = []
        for row, instant in enumerate(at.tolist()):
            if instant <= self.relevance.use.at and (not borders or at[borders[-1]] != instant):
                borders.append(row)
        rows: dict[int, int] = {}
        for row, number in enumerate(position.tolist()):
            rows.setdefault(number, row)
        slots: list[int] = []
        ends = [None, *(int(at[border]) for border in borders), None]
        answers = tuple(self._decide(who, start, end, rows, slots) for start, end in pairwise(ends))
        return Shape(tuple(borders), answers, tuple(slots))

    def _decide(
        self, who: SubjectFacts | None, start: int | None, end: int | None, rows: Mapping[int, int], slots: list[int]
    ) -> Codes:
        """The answers for data collected in one segment; UNREACHED where no instant of a period lies in it."""
        axes, use = self.axes, self.relevance.use
        facts = OnePerson(self.relevance.facts, who)
        answers = np.full((len(axes.roles), len(axes.borders) + 1, axes.per_period), UNREACHED, np.int32)
        periods = zip((None, *axes.borders), (*axes.borders, None), strict=True)
        for period, (since, until) in enumerate(periods):
            instant = _within(start, end, since, until, use.at)
            if instant is None:
                continue
            for role, counts in enumerate(axes.roles):
                named = None if counts else self._unasked_role
                cells = ((category, place) for category in axes.categories for place in axes.places)
                for index, (category, place) in enumerate(cells):
                    record = Record((Subject(0, named),), category, instant, place)
                    found = first(find(self.relevance.reduced, use, record, facts), counts=counts)
                    answers[role, period, index] = self._number(found, rows, slots)
        return answers.reshape(-1)

    @property
    def _unasked_role(self) -> str:
        return next(role for role, counts in self.relevance.version.roles.items() if not counts)

    def _number(self, found: Finding | None, rows: Mapping[int, int], slots: list[int]) -> int:
        """The number of what was found; the rows that are behind it are kept in slots."""
        for position in found.positions[:1] if found else ():
            if position in rows and rows[position] not in slots:
                slots.append(rows[position])
        kept = {position: (slots.index(row), False) for position, row in rows.items() if row in slots}
        return self.results.number(result_of(found, kept))

    def _names_then(self, answers: Codes) -> bool:
        ids = [number for result, number in self.results.numbers.items() if result.situation == THEN]
        return bool(np.isin(answers, ids).any())

    def _class(self, answers: Codes, now: str | None, then: str | None) -> int:
        """The number of the class that gives these answers with these territories."""
        situations = np.array([result.situation for result in self.results.numbers], np.int32)
        reached = np.maximum(answers, 0)
        where = np.full(len(answers), NOWHERE, np.int32)
        where[situations[reached] == WRITTEN] = AS_WRITTEN
        for situation, territory in ((NOW, now), (THEN, then)):
            number = NOWHERE if territory is None else self.results.territory(territory)
            where[situations[reached] == situation] = number
        where[answers == UNREACHED] = NOWHERE
        key = answers.tobytes() + where.tobytes()
        if key not in self.classes:
            self.classes[key] = len(self.classes)
            self._answers.append((answers, where))
        return self.classes[key]


def _held(who: SubjectFacts, at: int) -> str | None:
    held = [territory for since, territory in who.residences if since <= at]
    return held[-1] if held else None


def _join(first: Codes, second: Codes) -> Codes | None:
    """Two segments' answers as one, if nowhere both are reached and differ."""
    differ = (first != second) & (first != UNREACHED) & (second != UNREACHED)
    return None if differ.any() else np.where(first == UNREACHED, second, first)


def _within(start: int | None, end: int | None, since: int | None, until: int | None, at: int) -> int | None:
    """An instant by `at` in both of two half-open intervals; `None` if there is none."""
    lowest = [bound for bound in (start, since) if bound is not None]
    highest = min([bound - 1 for bound in (end, until) if bound is not None] + [at])
    if not lowest:
        return highest
    return max(lowest) if max(lowest) <= highest else None
