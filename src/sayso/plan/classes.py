"""What each kind of segment means for one use: every key decided once, by the reference.

A class says what the verdict is for each role, period, category and written territory. People's step functions of
`collected_at` go from class to class.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sayso.plan.people import Ints, first_rows_alike
from sayso.plan.relevance import Relevance
from sayso.plan.results import NO_OBJECTION, Results, first, result_of
from sayso.plan.segments import Key, Keys, Persons, Segments
from sayso.plan.symbols import NOTHING, Symbols
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
class Decision:
    """What a key is answered: results by number, over the axes, and the situations that they name."""

    results: Codes
    situations: Codes
    slots: int
    """How many of a person's slots are asked for."""

    def names(self, situation: int) -> bool:
        """Whether a result names the territory of a situation."""
        return bool((self.situations == situation).any())


Least = tuple[tuple[int, ...], int]
"""The order of a finding, and the number of its result."""


@dataclass
class Classes:
    """Decisions and classes in the order in which they are first met.

    A class is a decision and the territories of its evidence. Class 0 is that of somebody who is not known.
    """

    relevance: Relevance
    axes: Axes
    keys: Keys
    persons: Persons
    results: Results = field(default_factory=Results)
    _decisions: list[Decision] = field(default_factory=list)
    _decided: dict[bytes, int] = field(default_factory=dict)
    _of_key: list[int] = field(default_factory=list)
    _classes: dict[tuple[int, int, int], int] = field(default_factory=dict)
    buried: int = 0
    """The class of those who were erased, whose one slot is the position of that."""
    _answers: list[tuple[Codes, Codes]] = field(default_factory=list)
    _slots: list[int] = field(default_factory=list)
    _numbers: dict[bytes, int] = field(default_factory=dict)
    _joined: dict[tuple[int, int], int] = field(default_factory=dict)
    _home: dict[Hashable, list[Least]] = field(default_factory=dict)
    _away: dict[Hashable, list[tuple[Least | None, ...]]] = field(default_factory=dict)
    _rows: dict[Hashable, Codes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for code in self.relevance.territories:
            self.results.territory(code)
        nobody = self._decide(None, None, None, None, {})
        self._class(nobody, NOTHING, NOTHING)
        erased = self._decide(None, SubjectFacts(erased=NOTHING), None, None, {NOTHING: 0})
        self.buried = self._class(erased, NOTHING, NOTHING)

    def of(self, segments: Segments) -> Ints:
        """The class of each segment."""
        self._decide_fresh(segments)
        decisions = np.array(self._of_key, np.int64)[segments.key]
        names_now, names_then = (
            np.array([decision.names(situation) for decision in self._decisions], np.bool_) for situation in (NOW, THEN)
        )
        now = np.where(names_now[decisions], segments.now + 1, 0)
        then = np.where(names_then[decisions], segments.then + 1, 0)
        firsts, place = first_rows_alike([decisions, now, then])
        triples = zip(decisions[firsts].tolist(), (now[firsts] - 1).tolist(), (then[firsts] - 1).tolist(), strict=True)
        return np.array([self._class(*triple) for triple in triples], np.int64)[place]

    def join(self, one: int, other: int) -> int:
        """The class that says what two say of neighbouring segments; NOTHING where they differ."""
        pair = (one, other)
        if pair not in self._joined:
            (first, first_where), (second, second_where) = self._answers[one], self._answers[other]
            both = (first != UNREACHED) & (second != UNREACHED)
            if (both & ((first != second) | (first_where != second_where))).any():
                self._joined[pair] = NOTHING
            else:
                lacks = first == UNREACHED
                answers = np.where(lacks, second, first), np.where(lacks, second_where, first_where)
                self._joined[pair] = self._numbered(*answers, max(self._slots[one], self._slots[other]))
        return self._joined[pair]

    def slots(self, classes: Ints, _segments: Segments, _kept: Ints) -> Ints:
        """How many slots the classes of some segments ask for."""
        return np.array(self._slots, np.int64)[classes]

    def table(self, classes: Collection[int]) -> tuple[Codes, Codes]:
        """The results and territories of some classes, one row a class."""
        return (
            np.stack([self._answers[number][0] for number in classes]),
            np.stack([self._answers[number][1] for number in classes]),
        )

    def _decide_fresh(self, segments: Segments) -> None:
        """Decides every key that is new, by one of those who have it."""
        who = {number: segments.people.id(int(segments.whose[index])) for number, index in segments.fresh.items()}
        people = self.persons(list(dict.fromkeys(who.values()))) if who else {}
        for number, index in segments.fresh.items():
            behind = segments.behind(int(segments.whose[index]))
            decided = self._decide(
                self.keys.keys[number], people[who[number]], *segments.bounds(index), behind
            )  # fmt: skip
            self._of_key.append(decided)

    def _decide(
        self, key: Key | None, who: SubjectFacts | None, start: int | None, end: int | None, slots: Mapping[int, int]
    ) -> int:
        """The number of what data collected in a segment is answered; UNREACHED where a period does not touch it."""
        axes, at = self.axes, self.relevance.use.at
        facts = OnePerson(self.relevance.facts, who)
        answers = np.full((len(axes.roles), len(axes.borders) + 1, axes.per_period), UNREACHED, np.int32)
        for period, (since, until) in enumerate(zip((None, *axes.borders), (*axes.borders, None), strict=True)):
            instant = _within(start, end, since, until, at)
            if instant is not None:
                for role, counts in enumerate(axes.roles):
                    asked = _Asked(self, facts, instant, counts, slots)
                    marks = (period, role)
                    home = _kept(self._home, None if key is None else (*key.at_home, *marks), asked.at_home)
                    away = _kept(self._away, None if key is None else (*key.elsewhere, *marks), asked.elsewhere)
                    rows = [self._row(*pair) for pair in zip(home, away, strict=True)]
                    answers[role, period] = np.concatenate(rows) if rows else np.empty(0, np.int32)
        flat = answers.reshape(-1)
        number = self._decided.setdefault(flat.tobytes(), len(self._decisions))
        if number == len(self._decisions):
            self._decisions.append(self._decision(flat))
        return number

    def _row(self, home: Least, away: tuple[Least | None, ...]) -> Codes:
        """The results for one category by place: what is found at home, and where the record was written."""

        def made() -> Codes:
            least = [home, *(home if one is None else min(home, one) for one in away)]
            return np.array([number for _, number in least], np.int32)

        return _kept(self._rows, (home, away), made)

    def _decision(self, answers: Codes) -> Decision:
        results = list(self.results.numbers)
        reached = answers != UNREACHED
        used = {int(number): results[int(number)] for number in np.unique(answers[reached])}
        situations = np.array([result.situation for result in results], np.int32)[np.maximum(answers, 0)]
        situations[~reached] = -1
        return Decision(answers, situations, max((r.slot + 1 for r in used.values() if r.slot is not None), default=0))

    def _class(self, decision: int, now: int, then: int) -> int:
        """The number of the class of a decision about somebody who is and was at these of the territories said."""
        triple = (decision, now, then)
        if triple not in self._classes:
            decided, said = self._decisions[decision], self.keys.symbols.territories
            where = np.full(len(decided.results), NOWHERE, np.int32)
            where[decided.situations == WRITTEN] = AS_WRITTEN
            for situation, territory in ((NOW, now), (THEN, then)):
                number = NOWHERE if territory == NOTHING else self.results.territory(said[territory])
                where[decided.situations == situation] = number
            self._classes[triple] = self._numbered(decided.results, where, decided.slots)
        return self._classes[triple]

    def _numbered(self, answers: Codes, where: Codes, slots: int) -> int:
        key = answers.tobytes() + where.tobytes()
        number = self._numbers.setdefault(key, len(self._answers))
        if number == len(self._answers):
            self._answers.append((answers, where))
            self._slots.append(slots)
        return number


_T = TypeVar("_T")


def _kept(known: dict[Hashable, _T], key: Hashable | None, made: Callable[[], _T]) -> _T:
    """What is known of a key, made if it is not; nothing is kept of none."""
    if key is None:
        return made()
    if key not in known:
        known[key] = made()
    return known[key]


@dataclass(frozen=True)
class _Asked:
    """What the reference finds of one person's data, collected at an instant, in a role that counts or does not.

    A written territory only adds a situation, so what is found there is found apart from what is found at home.
    """

    classes: Classes
    facts: OnePerson
    instant: int
    counts: bool
    slots: Mapping[int, int]

    def at_home(self) -> list[Least]:
        """By category, the least of what is found of records with no territory written."""
        return [self._least(self._found(self.facts, category, None)) for category in self.classes.axes.categories]

    def elsewhere(self) -> list[tuple[Least | None, ...]]:
        """By category, for each place but the first, the least of what is found where the record was written."""
        homeless = replace(self.facts, who=self.facts.who and replace(self.facts.who, residences=()))
        return [
            tuple(self._written(homeless, category, place) for place in self.classes.axes.places[1:])
            for category in self.classes.axes.categories
        ]

    def _written(self, homeless: OnePerson, category: str, place: str | None) -> Least | None:
        found = [one for one in self._found(homeless, category, place) if one.situation == WRITTEN]
        return self._least(found) if found else None

    def _found(self, facts: OnePerson, category: str, place: str | None) -> Iterable[Finding]:
        relevance = self.classes.relevance
        role = None if self.counts else self._unasked
        record = Record((Subject(0, role),), category, self.instant, place)
        return find(relevance.reduced, relevance.use, record, facts)

    def _least(self, found: Iterable[Finding]) -> Least:
        least = first(found, counts=self.counts)
        number = self.classes.results.number(result_of(least, {p: (slot, False) for p, slot in self.slots.items()}))
        return ((NO_OBJECTION,), number) if least is None else (least.order, number)

    @property
    def _unasked(self) -> str:
        return next(role for role, counts in self.classes.relevance.version.roles.items() if not counts)


def _within(start: int | None, end: int | None, since: int | None, until: int | None, at: int) -> int | None:
    """An instant by `at` in both of two half-open intervals; `None` if there is none."""
    lowest = [bound for bound in (start, since) if bound is not None]
    highest = min([bound - 1 for bound in (end, until) if bound is not None] + [at])
    if not lowest:
        return highest
    return max(lowest) if max(lowest) <= highest else None
