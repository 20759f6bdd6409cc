"""Cutting sorted histories into segments of `collected_at` in which nothing that a use asks for changes, and giving
each a key that is the same wherever the reference cannot tell two apart.

A key takes ids and instants out of what is known: what a person said (choices and signals, in order), which notices
reached them, where they are and were, their attributes and ages then and now. People who are alike so share keys, and
a few thousand keys are decided for millions of people; the instants stay each person's own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import pyarrow as pa

from sayso.errors import EngineError
from sayso.plan.people import (
    NO_ROW,
    Bools,
    Ints,
    People,
    at_rows,
    bordering,
    counted,
    first_rows_alike,
    having,
    latest,
)
from sayso.plan.relevance import Relevance
from sayso.plan.spoken import Row, Spoken, mattering
from sayso.plan.symbols import NOTHING, TELLING, TIMELESS, Kind, Symbols
from sayso.plan.words import INSTANT_BITS, POSITION_BITS, SYMBOL_BITS, Words, tied, unpacked
from sayso.policy.facts import Delivery, Id, SubjectFacts
from sayso.policy.model import Mode

Persons = Callable[[Sequence[Id]], Mapping[Id, SubjectFacts]]
"""The facts of some people, for examples of a key to be decided."""

SAYING = (Kind.VOICE, Kind.SIGNAL_RECORDED)


@dataclass(frozen=True, slots=True)
class Key:
    """What a segment's key is made of, as numbers: of the person, and then of the segment.

    `first` and `last` are the periods between the borders of the use that the segment touches.
    """

    apart: int
    said: int
    told: int
    born: int
    age: int
    registered: int
    values: int
    place: int
    age_then: int
    values_then: int
    place_then: int
    said_before: int
    told_before: int
    first: int
    last: int

    @property
    def elsewhere(self) -> tuple[int, ...]:
        """What is asked for in a situation that is not of the person's own residence, within one period."""
        return (
            self.apart, self.said, self.told, self.born, self.age, self.age_then, self.values_then, self.said_before,
            self.told_before,
        )  # fmt: skip

    @property
    def at_home(self) -> tuple[int, ...]:
        """What is asked for in the person's own situations, within one period."""
        return (*self.elsewhere, self.registered, self.values, self.place, self.place_then)


@dataclass(frozen=True)
class Segments:
    """The segments of a batch's people, in order: `firsts[i]` to `firsts[i + 1]` are those of person i.

    `start` is the instant from which one lasts (the first of each person has none), to the start of the next. `key`
    is the number of its key, `now` and `then` the index in `Symbols.territories` of where the person is and was.
    `fresh` are keys that no batch had before, each with a segment that has it. `voices` and `tellings` are the
    positions behind what was said and told, in order, `voice_ends` and `telling_ends` where each person's end.
    """

    people: People
    firsts: Ints
    whose: Ints
    start: Ints
    key: Ints
    now: Ints
    then: Ints
    fresh: Mapping[int, int]
    voices: Ints
    voice_ends: Ints
    tellings: Ints
    telling_ends: Ints

    def bounds(self, segment: int) -> tuple[int | None, int | None]:
        """The instants between which a segment lies, half-open; `None` where it is open."""
        person = int(self.whose[segment])
        start = None if segment == self.firsts[person] else int(self.start[segment])
        return start, None if segment + 1 == self.firsts[person + 1] else int(self.start[segment + 1])

    def behind(self, person: int) -> dict[int, int]:
        """For each position that a verdict on a person may rest on, its slot (`slots`)."""
        said = self.voices[_start(self.voice_ends, person) : self.voice_ends[person]].tolist()
        told = self.tellings[_start(self.telling_ends, person) : self.telling_ends[person]].tolist()
        slots = {position: 2 * back + 1 for back, position in reversed(list(enumerate(reversed(told))))}
        return slots | {position: 2 * back for back, position in reversed(list(enumerate(reversed(said))))}

    def slots(self, needed: Ints) -> pa.Array:
        """For each person the positions in the first `needed` slots; null where none is needed.

        Slot 2k holds the k-th last that the person said, slot 2k + 1 the k-th last that was told; -1 where there is none.
        """
        offsets = np.concatenate(([0], np.cumsum(needed))).astype(np.int32)
        values = np.full(int(offsets[-1]), -1, np.int64)
        for slot in range(int(needed.max(initial=0))):
            who = np.flatnonzero(needed > slot)
            source, ends = (self.tellings, self.telling_ends) if slot % 2 else (self.voices, self.voice_ends)
            row = ends[who] - 1 - slot // 2
            has = row >= np.concatenate(([0], ends[:-1]))[who]
            values[offsets[who[has]] + slot] = source[row[has]]
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), mask=pa.array(needed == 0))

    @property
    def all_slots(self) -> Ints:
        """For each person how many slots hold everything."""
        said, told = np.diff(self.voice_ends, prepend=0), np.diff(self.telling_ends, prepend=0)
        slots: Ints = np.maximum(np.maximum(2 * said - 1, 2 * told), 0)
        return slots


def _start(ends: Ints, person: int) -> int:
    return int(ends[person - 1]) if person else 0


@dataclass(frozen=True, slots=True)
class _Mattering:
    """Of a sequence of what was said: a number for what matters of it, which rows those are, and which begin a run."""

    number: int
    matters: Bools
    begins: Bools


@dataclass
class Keys:
    """Keys by number, in the order in which they are first met.

    With `persons`, people whom the same notices reached are alike, whatever told them; without, only those of whom
    the same is known.
    """

    relevance: Relevance
    symbols: Symbols
    persons: Persons | None = None
    keys: list[Key] = field(default_factory=list)
    _numbers: dict[Key, int] = field(default_factory=dict)
    _said: dict[bytes, int] = field(default_factory=dict)
    _spoken: list[_Mattering] = field(default_factory=list)
    _left: dict[bytes, int] = field(default_factory=dict)
    _told: dict[bytes, int] = field(default_factory=dict)
    _reached: dict[Hashable, int] = field(default_factory=dict)
    _told_to: list[int] = field(default_factory=list)
    _apart: int = 0

    def __post_init__(self) -> None:
        relevance, at = self.relevance, self.relevance.use.at
        expiries = {rule.expires_after for rule in relevance.rules if rule.expires_after is not None}
        self._instants = np.array(relevance.instants, np.int64)
        self._choices = np.array(sorted({at + 1, *(at - expiry + 1 for expiry in expiries)}), np.int64)
        self._positions = np.array(relevance.positions, np.int64)
        self._editions = np.array([position + 1 for position in relevance.context.editions.positions], np.int64)
        self._border = self.symbols.flag("border")
        self._registers = self.symbols.flag("registers")
        self._alone = self.symbols.flag("alone")
        self._values = [self.symbols.values(index) for index in range(len(relevance.attributes))]
        self._place = _places(relevance, self.symbols)
        self._asks_told = any(rule.mode is Mode.OPT_OUT for rule in relevance.rules)
        for what, number, bits in (
            ("instants", len(relevance.instants) + 1, INSTANT_BITS),
            ("positions", len(relevance.positions) + 1, POSITION_BITS),
            ("symbols", len(self.symbols.meanings), SYMBOL_BITS),
        ):
            if number > 1 << bits:
                raise EngineError(
                    f"this use asks for {number} {what} to be told apart; sayso folds at most {1 << bits}"
                )

    def of(self, everyone: People) -> Segments:
        """The segments of some people."""
        at = self.relevance.use.at
        some = everyone.only((everyone.at <= at) | np.isin(self.symbols.kind[everyone.symbol], list(TIMELESS)))
        kind = self.symbols.kind[some.symbol]
        telling, said = np.isin(kind, list(TELLING)), np.isin(kind, SAYING)
        apart = self._set_apart(some, kind)
        spoken, matters, begins = self._saying(some, said, apart)
        border = self._border[some.symbol] & (some.at <= at) & begins
        rows, firsts = bordering(some, border)
        whose = np.repeat(np.arange(some.count), np.diff(firsts))
        ends = np.where(np.diff(some.starts) > 0, some.starts[1:] - 1, NO_ROW)[whose]
        territory = self._territory(some, kind)
        now, then = at_rows(territory, ends, NOTHING), at_rows(territory, rows, NOTHING)
        ages, values = counted(some, (kind == Kind.AGE) & (some.member == 0)), self._valued(some, kind)
        start = at_rows(some.at, rows, 0)
        columns = {
            "apart": apart[whose],
            "said": spoken[whose],
            "told": self._telling(some, telling, apart)[whose],
            "born": having(some, kind == Kind.BORN)[whose],
            "age": at_rows(ages, ends, 0),
            "registered": np.minimum(having(some, self._registers[some.symbol]), 1)[whose],
            "values": at_rows(values, ends, 0),
            "place": self._place[now],
            "age_then": at_rows(ages, rows, 0),
            "values_then": at_rows(values, rows, 0),
            "place_then": self._place[then],
            "said_before": at_rows(counted(some, border & (kind == Kind.VOICE)), rows, 0),
            "told_before": at_rows(counted(some, border & telling & self.relevance.after_notice), rows, 0),
        } | self._periods(start, rows, firsts)
        # Of people apart nothing but the order tells one segment from the next.
        nth = np.arange(len(whose)) - firsts[whose]
        columns["said_before"] = np.where(apart[whose] > 0, nth, columns["said_before"])
        key, fresh = self._number([columns[part.name] for part in fields(Key)])
        voices, voice_ends = _events(some, (kind == Kind.VOICE) & matters)
        tellings, telling_ends = _events(some, np.isin(kind, [Kind.STATE, Kind.DELIVERED]))
        return Segments(some, firsts, whose, start, key, now, then, fresh, voices, voice_ends, tellings, telling_ends)

    def _set_apart(self, some: People, kind: Ints) -> Ints:
        """A number of their own for people whose symbols do not say all that matters of them; 0 for the rest."""
        own, born = some.member == 0, kind == Kind.BORN
        odd = having(some, self._alone[some.symbol]) > 0
        odd |= (having(some, born & own) > 1) | (having(some, born & ~own) > 0)
        odd |= _crossed(some, (kind == Kind.STATE) & some.late, kind == Kind.STATE_RECORDED)
        numbers = np.where(odd, self._apart + np.cumsum(odd), 0)
        self._apart += int(odd.sum())
        return numbers

    def _territory(self, some: People, kind: Ints) -> Ints:
        """For each row where the person is known to be."""
        said = self.symbols.territory[some.symbol]
        return at_rows(said, latest(some, (kind == Kind.STATE) & (said != NOTHING)), NOTHING)

    def _valued(self, some: People, kind: Ints) -> Ints:
        """For each row a number for the values that the attributes have."""
        numbers = np.zeros(len(some.at), np.int64)
        for values in self._values:
            said = values[some.symbol]
            held = at_rows(said, latest(some, (kind == Kind.STATE) & (said != NOTHING)), NOTHING)
            numbers = numbers * (int(values.max(initial=0)) + 2) + held + 1
        return numbers

    def _saying(self, some: People, rows: Bools, apart: Ints) -> tuple[Ints, Bools, Bools]:
        """A number for what people said, as far as it matters; 0 for nothing, and for those apart. And which rows
        matter, and may be borders.
        """
        numbers = np.zeros(some.count, np.int64)
        matters, begins = np.ones(len(rows), np.bool_), np.ones(len(rows), np.bool_)
        words = Words(some, rows & (apart == 0)[some.whose], some.symbol, self._choices, self._editions)
        numbers[words.who] = words.numbered(self._said)
        if self.persons is None or not len(words.who):
            return numbers, matters, begins
        for body in list(self._said)[len(self._spoken) :]:
            self._spoken.append(self._mattering(np.frombuffer(body, np.int64)))
        sizes = np.array([0, *(len(spoken.matters) for spoken in self._spoken)], np.int64)
        starts = np.cumsum(sizes) - sizes
        index = np.flatnonzero(words.rows)
        nth = counted(some, words.rows)[index] - 1 + starts[numbers[some.whose[index]]]
        matters[index] = np.concatenate([spoken.matters for spoken in self._spoken])[nth]
        begins[index] = np.concatenate([spoken.begins for spoken in self._spoken])[nth]
        return np.array([0, *(spoken.number for spoken in self._spoken)], np.int64)[numbers], matters, begins

    def _mattering(self, words: Ints) -> _Mattering:
        """What matters of a sequence of words."""
        read = unpacked(words)
        groups = np.cumsum(1 - read["tie"])
        said = [self.symbols.meanings[symbol].said for symbol in read["symbol"].tolist()]
        numbers = (groups.tolist(), read["member"].tolist(), read["position"].tolist())
        rows = [
            Row(group, index, member, edition, one if isinstance(one, Spoken) else None)
            for index, (group, member, edition, one) in enumerate(zip(*numbers, said, strict=True))
        ]
        matters, begins = (np.array(one, np.bool_) for one in mattering(rows, runs=self.relevance.after_choice))
        # Of what is left, a tie is one with what is left before.
        left = tied(words[matters], np.diff(groups[matters], prepend=0) == 0)
        key = left.tobytes()
        return _Mattering(self._left.setdefault(key, len(self._left) + 1) if len(left) else 0, matters, begins)

    def _telling(self, some: People, rows: Bools, apart: Ints) -> Ints:
        """A number for what reached people; 0 where it is not asked."""
        numbers = np.zeros(some.count, np.int64)
        if not self._asks_told:
            return numbers
        alike = self.symbols.alike[some.symbol]
        words = Words(some, rows & (apart == 0)[some.whose], alike, self._instants, self._positions)
        known = len(self._told)
        numbers[words.who] = words.numbered(self._told)
        if self.persons is None or self.relevance.after_notice:
            return numbers
        first = {int(numbers[who]): int(who) for who in words.who[::-1]}
        fresh = sorted(number for number in first if number > known)
        people = self.persons([some.id(first[number]) for number in fresh])
        _, ends = telling = _events(some, np.isin(self.symbols.kind[some.symbol], [Kind.STATE, Kind.DELIVERED]))
        for number in fresh:
            who = first[number]
            own = telling[0][ends[who - 1] if who else 0 : ends[who]].tolist()
            self._told_to.append(self._reach(people[some.id(who)].voice.told, own))
        return np.array([0, *self._told_to], np.int64)[numbers]

    def _reach(self, told: Sequence[Delivery], own: Sequence[int]) -> int:
        """A number for the deliveries that may count, the earliest of each notice and declaration: what they are,
        when among what is the same for all, in what order, and which of a person's own events told them.
        """
        back = {position: len(own) - row for row, position in enumerate(own)}
        published = self.relevance.facts.published
        ordered = sorted((*told, *published), key=lambda one: (one.at, one.position or 0))
        counted = [
            d for d in ordered if (d.notice, d.version) in self.relevance.notices and d.at <= self.relevance.use.at
        ]
        seen: dict[Hashable, Hashable] = {}
        for delivery in counted:
            public = any(delivery is one for one in published)
            what = (delivery.notice, delivery.version, delivery.declares, public)
            when = int(np.searchsorted(self._instants, delivery.at, side="right"))
            whence = None if delivery.position is None else back.get(delivery.position)
            seen.setdefault(what, (when, whence, delivery.position if whence is None else None))
        return self._reached.setdefault(tuple(seen.items()), len(self._reached) + 1)

    def _periods(self, start: Ints, rows: Ints, firsts: Ints) -> dict[str, Ints]:
        """The first and last period that each segment touches."""
        borders = np.array(self.relevance.borders, np.int64)
        first = np.where(rows == NO_ROW, 0, np.searchsorted(borders, start, side="right"))
        last = np.full(len(start), len(borders), np.int64)
        goes_on = np.ones(len(start), np.bool_)
        goes_on[firsts[1:] - 1] = False
        index = np.flatnonzero(goes_on)
        last[index] = np.searchsorted(borders, start[index + 1] - 1, side="right")
        return {"first": first, "last": last}

    def _number(self, columns: list[Ints]) -> tuple[Ints, dict[int, int]]:
        """The number of each segment's key, and the new ones, each with a segment."""
        firsts, place = first_rows_alike(columns)
        found: list[int] = []
        fresh: dict[int, int] = {}
        for segment, *values in zip(firsts.tolist(), *(column[firsts].tolist() for column in columns), strict=True):
            key = Key(*values)
            number = self._numbers.setdefault(key, len(self.keys))
            if number == len(self.keys):
                self.keys.append(key)
                fresh[number] = segment
            found.append(number)
        return np.array(found, np.int64)[place], fresh


def _places(relevance: Relevance, symbols: Symbols) -> Ints:
    """For each territory that is said, a number that it shares with those alike; 0, and last, for none."""
    known: dict[object, int] = {}
    return np.array(
        [known.setdefault(relevance.place(code), len(known) + 1) for code in symbols.territories] + [0], np.int64
    )


def _events(some: People, rows: Bools) -> tuple[Ints, Ints]:
    """The positions of some rows, and where each person's end."""
    return some.position[rows], np.cumsum(having(some, rows))


def _crossed(some: People, late: Bools, recorded: Bools) -> Bools:
    """Of whom the instants at which states were recorded do not come in the order of the states."""
    states, state_ends = _events(some, late)
    marks, mark_ends = _events(some, recorded)
    whose = some.whose[recorded]
    nth = np.arange(len(marks)) - np.concatenate(([0], mark_ends))[whose]
    row = np.concatenate(([0], state_ends))[whose] + nth
    pairs = row < state_ends[whose]
    pairs[pairs] = states[row[pairs]] == marks[pairs]
    return np.bincount(whose[~pairs], minlength=some.count) > 0
