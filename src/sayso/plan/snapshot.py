"""The snapshot of one use: everything the gate needs of policy and ledger, as tables.

Tables, with the columns that an engine joins by:

- `standing`: one row for each person known: `subject`; `c0`, the class of data collected before `b1`; `c1`, from `b1`
  and before `b2`; `c2`, from then; `more`, whether `overflow` is asked instead; `behind`, the positions of the events
  that a verdict may rest on. Where `b1` or `b2` is null there is no such border.
- `overflow`: disjoint (`subject`, `start`, `until`, `class`), half-open, a null end is open.
- `answers`: (`key`, `result`, `territory`, `severity`, `slot`, `of_account`,
  `position`, `about`), where `key` is the class times the number of answers a class has,
  plus the place of the answer on the axes (role, period, category, written territory).
- `categories`: (`name`, `cell`, `number`), what a record's category may be; `places`: (`code`, `place`, `rest`), where `rest` is
  the place of a part of a country that nothing names.
- `results`: (`outcome`, `rule`, `situation`, `slot`, `of_account`, `position`), by number; `territories`: their codes, by number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import pyarrow as pa

from sayso.plan.classes import Axes, Classes, Codes, axes
from sayso.plan.people import Ints, People, first_rows_alike, people
from sayso.plan.relevance import Relevance
from sayso.plan.results import Results, first, result_of
from sayso.plan.segments import Keys, Persons, Segments
from sayso.plan.symbols import NOTHING, Symbols
from sayso.policy.decide import find
from sayso.policy.facts import Id, Record
from sayso.policy.verdict import Outcome
from sayso.territory import ALIASES, country

INLINE = 3
"""So many steps of a person lie in one row of `standing`."""


@dataclass(frozen=True)
class Dimensions:
    """The numbers that the gate's expression is written with. `states` is how many an account can be in."""

    at: int
    borders: tuple[int, ...]
    categories: int
    places: int
    roles: int
    unasked: tuple[str, ...]
    absent: int
    buried: int
    nobody: int
    nobody_severity: int
    states: int = 1

    @property
    def size(self) -> int:
        """How many answers a class has."""
        return self.roles * (len(self.borders) + 1) * self.categories * self.places


def _nothing() -> None:
    """Tables that are in memory stay there."""


@dataclass(frozen=True)
class Snapshot:
    """A snapshot's tables (see the module) and dimensions."""

    dimensions: Dimensions
    standing: pa.Table
    overflow: pa.Table
    answers: pa.Table
    categories: pa.Table
    places: pa.Table
    results: pa.Table
    territories: tuple[str, ...]
    category_names: tuple[str, ...]
    next_change: int | None
    accounts: pa.Table | None = None
    accounts_overflow: pa.Table | None = None
    let_go: Callable[[], None] = field(default=_nothing, compare=False)
    """Gives back the memory of what was read of tables that are mapped from files; it can be read again."""

    @property
    def tables(self) -> dict[str, pa.Table]:
        """Every table by its name."""
        names = ("standing", "overflow", "answers", "categories", "places", "results", "accounts", "accounts_overflow")
        return {name: table for name in names if (table := getattr(self, name)) is not None}


def build(
    relevance: Relevance, symbols: Symbols, histories: Iterable[pa.RecordBatch], persons: Persons, ids: pa.DataType
) -> Snapshot:
    """The snapshot of one use, from the sorted histories of all persons (`history.history`).

    `persons` gives the facts of some people; it is asked for an example of each key.
    """
    keys = Keys(relevance, symbols, persons)
    classes = Classes(relevance, axes(relevance, symbols), keys, persons)
    standing, overflow, change, used = stand(classes, keys, relevance, histories, ids)
    return Snapshot(
        dimensions(relevance, classes.axes, classes.results, 0, used.index(classes.buried)),
        standing,
        overflow,
        _answers(classes, used),
        categories(relevance, classes.axes),
        places(classes.axes),
        results(classes.results),
        tuple(classes.results.territories),
        relevance.categories,
        change,
    )


def with_buried(snapshot: Snapshot, buried: Mapping[Id, int]) -> Snapshot:
    """The snapshot with people who were erased, and where: none of those is in one, for nothing leads to them."""
    if not buried:
        return snapshot
    held = snapshot.standing
    ids, positions = list(buried), list(buried.values())
    columns = {
        "subject": pa.array(ids, held.schema.field("subject").type),
        "c0": pa.array([snapshot.dimensions.buried] * len(ids), pa.int32()),
        "more": pa.array([False] * len(ids)),
        "behind": pa.array([[one] for one in positions], pa.list_(pa.int64())),
    }
    rows = [columns.get(field.name, pa.nulls(len(ids), field.type)) for field in held.schema]
    return replace(snapshot, standing=pa.concat_tables([held, pa.table(rows, schema=held.schema)]))


class Steps(Protocol):
    """What the segments of people are numbered with."""

    @property
    def buried(self) -> int:
        """The number of those who were erased."""

    def of(self, segments: Segments) -> Ints:
        """The number of each segment."""

    def join(self, one: int, other: int) -> int:
        """The number that stands for two in a row; NOTHING where there is none."""

    def slots(self, numbers: Ints, segments: Segments, kept: Ints) -> Ints:
        """How many slots of their person the numbers of the segments kept ask for."""


def stand(
    steps: Steps, keys: Keys, relevance: Relevance, histories: Iterable[pa.RecordBatch], ids: pa.DataType
) -> tuple[pa.Table, pa.Table, int | None, list[int]]:
    """The tables `standing` and `overflow` of some parties, when next time alone may change a verdict, and the numbers
    that the steps' own have, 0 first.
    """
    standing: list[pa.RecordBatch] = []
    overflow: list[pa.RecordBatch] = []
    change = relevance.next_change
    used: dict[int, int] = {0: 0}
    used.setdefault(steps.buried, len(used))
    for everyone in people(histories):
        change = _sooner(change, everyone, relevance)
        segments = keys.of(everyone)
        kept, numbers = _merged(segments, steps)
        first_used, place = first_rows_alike([numbers])
        final = np.array([used.setdefault(number, len(used)) for number in numbers[first_used].tolist()], np.int64)
        run = _Run(segments, kept, final[place])
        needed = np.maximum.reduceat(steps.slots(numbers, segments, kept), run.firsts[:-1])
        standing.append(run.standing(needed, ids))
        overflow += run.overflow(ids)
    return (
        pa.Table.from_batches(standing, schema=standing_schema(ids)),
        pa.Table.from_batches(overflow, schema=overflow_schema(ids)),
        change,
        list(used),
    )


def _merged(segments: Segments, steps: Steps) -> tuple[Ints, Ints]:
    """Neighbouring segments made one where one number says both: those that are left, and their numbers."""
    numbers = steps.of(segments)
    firsts, lengths = segments.firsts[:-1], np.diff(segments.firsts)
    head, current = firsts.copy(), numbers[firsts]
    keeps = np.zeros(len(numbers), np.bool_)
    keeps[firsts] = True
    for nth in range(1, int(lengths.max(initial=0))):
        who = np.flatnonzero(lengths > nth)
        segment = firsts[who] + nth
        before, after = current[who], numbers[segment]
        pairs, place = first_rows_alike([before, after])
        joined = np.array(
            [one if one == other else steps.join(one, other)
             for one, other in zip(before[pairs].tolist(), after[pairs].tolist(), strict=True)], np.int64,
        )[place]  # fmt: skip
        begins = joined == NOTHING
        keeps[segment[begins]] = True
        head[who[begins]] = segment[begins]
        current[who] = np.where(begins, after, joined)
        numbers[head[who]] = current[who]
    kept = np.flatnonzero(keeps)
    return kept, numbers[kept]


@dataclass(frozen=True)
class _Run:
    """The step functions of a batch's people: the segments that begin a step, and their final numbers."""

    segments: Segments
    kept: Ints
    numbers: Ints

    @property
    def firsts(self) -> Ints:
        """Where each person's steps begin, and at last where they end."""
        counts = np.bincount(self.segments.whose[self.kept], minlength=self.segments.people.count)
        return np.concatenate(([0], np.cumsum(counts)))

    def standing(self, needed: Ints, ids: pa.DataType) -> pa.RecordBatch:
        """The rows of `standing`."""
        firsts = self.firsts
        starts, counts = self.segments.start[self.kept], np.diff(firsts)
        more = counts > INLINE
        columns = [self.segments.people.subjects.cast(ids), pa.array(self.numbers[firsts[:-1]].astype(np.int32))]
        for nth in range(1, INLINE):
            none = (counts <= nth) | more
            row = np.where(none, 0, firsts[:-1] + nth)
            columns.append(pa.array(starts[row], mask=none))
            columns.append(pa.array(self.numbers[row].astype(np.int32), mask=none))
        columns += [pa.array(more), self.segments.slots(needed)]
        return pa.RecordBatch.from_arrays(columns, schema=standing_schema(ids))

    def overflow(self, ids: pa.DataType) -> Iterator[pa.RecordBatch]:
        """The steps of those who have more than standing has room for, by person."""
        firsts = self.firsts
        whose = self.segments.whose[self.kept]
        rows = np.flatnonzero((np.diff(firsts) > INLINE)[whose])
        if not len(rows):
            return
        starts = self.segments.start[self.kept]
        opens, closes = firsts[whose[rows]] == rows, firsts[whose[rows] + 1] == rows + 1
        until = starts[np.where(closes, 0, rows + 1)]
        columns = [
            self.segments.people.subjects.take(pa.array(whose[rows])).cast(ids),
            pa.array(starts[rows], mask=opens),
            pa.array(until, mask=closes),
            pa.array(self.numbers[rows].astype(np.int32)),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=overflow_schema(ids))


def _sooner(change: int | None, everyone: People, relevance: Relevance) -> int | None:
    """The next instant at which time alone may change a verdict, given also these people's own facts."""
    for duration in relevance.durations:
        later = everyone.at[everyone.at > relevance.use.at - duration]
        if later.size:
            mark = int(later.min()) + duration
            change = mark if change is None else min(change, mark)
    return change


def standing_schema(ids: pa.DataType) -> pa.Schema:
    """The columns of `standing`."""
    return pa.schema(
        [
            ("subject", ids), ("c0", pa.int32()), ("b1", pa.int64()), ("c1", pa.int32()), ("b2", pa.int64()),
            ("c2", pa.int32()), ("more", pa.bool_()), ("behind", pa.list_(pa.int64())),
        ]
    )  # fmt: skip


def overflow_schema(ids: pa.DataType) -> pa.Schema:
    """The columns of `overflow`."""
    return pa.schema([("subject", ids), ("start", pa.int64()), ("until", pa.int64()), ("class", pa.int32())])


def dimensions(
    relevance: Relevance, axes: Axes, numbered: Results, absent: int, buried: int, states: int = 1
) -> Dimensions:
    """The numbers of a snapshot."""
    unasked = tuple(sorted(role for role, counts in relevance.version.roles.items() if not counts))
    nobody = Record((), relevance.categories[0] if relevance.categories else None, relevance.use.at)
    found = first(find(relevance.reduced, relevance.use, nobody, relevance.facts), counts=True)
    return Dimensions(
        relevance.use.at, axes.borders, len(axes.categories), len(axes.places), len(axes.roles), unasked, absent,
        buried, numbered.number(result_of(found, {})), result_of(found, {}).outcome, states,
    )  # fmt: skip


def _answers(classes: Classes, used: Sequence[int]) -> pa.Table:
    numbers, territories = classes.table(used)
    return answers(
        classes.results, np.arange(numbers.size, dtype=np.int64), np.maximum(numbers.reshape(-1), 0),
        territories.reshape(-1),
    )  # fmt: skip


def answers(numbered: Results, keys: Ints, numbers: Codes, territories: Codes) -> pa.Table:
    """The table `answers`: what some keys are answered."""
    known = list(numbered.numbers)
    of = pa.array(numbers)
    denials = [result.outcome < Outcome.NO_CHOICE for result in known]
    slots = [result.slot if denied else None for result, denied in zip(known, denials, strict=True)]
    positions = [result.position if denied else None for result, denied in zip(known, denials, strict=True)]
    about = [0 if result.outcome > Outcome.NO_SUBJECT else -1 for result in known]
    return pa.table(
        {
            "key": keys,
            "result": numbers,
            "territory": territories,
            "severity": np.array([result.outcome for result in known], np.int8)[numbers],
            "slot": pa.array(slots, pa.int32()).take(of),
            "of_account": pa.array([result.of_account for result in known], pa.bool_()).take(of),
            "position": pa.array(positions, pa.int64()).take(of),
            "about": pa.array(about, pa.int32()).take(of),
        }
    )


def categories(relevance: Relevance, axes: Axes) -> pa.Table:
    """The table `categories`."""
    names = relevance.categories
    cells = [axes.category_of[name] for name in names]
    return pa.table(
        [pa.array(names, pa.string()), pa.array(cells, pa.int32()), pa.array(range(len(names)), pa.int32())],
        names=["name", "cell", "number"],
    )


def places(axes: Axes) -> pa.Table:
    """The table `places`."""
    place_of, rest_of = dict(axes.place_of), axes.rest_of
    for alias, code in ALIASES.items():
        place_of[alias] = place_of.get(code, rest_of[country(code)])
    ordered = sorted(place_of)
    columns = [[place_of[code] for code in ordered], [rest_of.get(code) for code in ordered]]
    return pa.table(
        [pa.array(ordered, pa.string()), *(pa.array(column, pa.int32()) for column in columns)],
        names=["code", "place", "rest"],
    )


def results(numbered: Results) -> pa.Table:
    """The table `results`."""
    rows = list(numbered.numbers)
    return pa.table(
        {
            "outcome": pa.array([row.outcome for row in rows], pa.int8()),
            "rule": pa.array([row.rule for row in rows], pa.int32()),
            "situation": pa.array([row.situation for row in rows], pa.int8()),
            "slot": pa.array([row.slot for row in rows], pa.int32()),
            "of_account": pa.array([row.of_account for row in rows], pa.bool_()),
            "position": pa.array([row.position for row in rows], pa.int64()),
        }
    )
