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
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sayso.plan.classes import Axes, Classes, Codes, axes
from sayso.plan.relevance import Relevance
from sayso.plan.results import Results, first, result_of
from sayso.plan.signature import Ints, Run, runs
from sayso.plan.symbols import Symbols
from sayso.policy.decide import find
from sayso.policy.facts import Id, Record, SubjectFacts
from sayso.policy.verdict import Outcome
from sayso.territory import ALIASES, country

Steps = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Border rows, the class of each segment between them, and the rows that verdicts may rest on."""
StepsOf = Callable[[Ints, Ints, Ints, SubjectFacts], Steps]
Persons = Callable[[Sequence[Id]], Mapping[Id, SubjectFacts]]


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
    nobody: int
    nobody_severity: int
    states: int = 1

    @property
    def size(self) -> int:
        """How many answers a class has."""
        return self.roles * (len(self.borders) + 1) * self.categories * self.places


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

    @property
    def tables(self) -> dict[str, pa.Table]:
        """Every table by its name."""
        names = ("standing", "overflow", "answers", "categories", "places", "results", "accounts", "accounts_overflow")
        return {name: table for name in names if (table := getattr(self, name)) is not None}


def build(
    relevance: Relevance, symbols: Symbols, histories: Iterable[pa.RecordBatch], persons: Persons, ids: pa.DataType
) -> Snapshot:
    """The snapshot of one use, from the sorted histories of all persons (`history.history`).

    `persons` gives the facts of some people; it is asked once for each signature.
    """
    classes = Classes(relevance, axes(relevance, symbols), symbols)
    standing, overflow, change = stand(classes.steps, relevance, symbols, histories, persons, ids)
    return Snapshot(
        dimensions(relevance, classes.axes, classes.results, classes.absent),
        standing,
        overflow,
        _answers(classes),
        categories(relevance, classes.axes),
        places(classes.axes),
        results(classes.results),
        tuple(classes.results.territories),
        relevance.categories,
        change,
    )


def stand(
    steps_of: StepsOf, relevance: Relevance, symbols: Symbols, histories: Iterable[pa.RecordBatch], persons: Persons,
    ids: pa.DataType,
) -> tuple[pa.Table, pa.Table, int | None]:  # fmt: skip
    """The tables `standing` and `overflow` of some parties, and when next time alone may change a verdict."""
    standing: list[pa.RecordBatch] = []
    overflow: list[pa.RecordBatch] = []
    change = relevance.next_change
    for run, steps in _stepped(steps_of, runs(histories, relevance, symbols), persons):
        standing.append(_standing(run, steps, ids))
        overflow += _overflow(run, steps, ids)
        change = _sooner(change, run, relevance)
    return (
        pa.Table.from_batches(standing, schema=standing_schema(ids)),
        pa.Table.from_batches(overflow, schema=overflow_schema(ids)),
        change,
    )


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


@dataclass(frozen=True)
class _Steps:
    """The step functions of a batch's signatures, and which each person has."""

    of: Ints
    borders: list[tuple[int, ...]]
    classes: list[tuple[int, ...]]
    slots: list[tuple[int, ...]]

    def border(self, number: int) -> Ints:
        return np.array([b[number] if number < len(b) else -1 for b in self.borders], np.int64)[self.of]

    def class_of(self, number: int) -> Ints:
        return np.array([c[number] if number < len(c) else -1 for c in self.classes], np.int64)[self.of]


def _stepped(steps_of: StepsOf, people: Iterable[Run], persons: Persons) -> Iterator[tuple[Run, _Steps]]:
    """Each batch with the step functions of its people; each signature is decided when it is first met."""
    known: dict[bytes, Steps] = {}
    for run in people:
        firsts, of = np.unique(run.first, return_inverse=True)
        words = [run.words_of(int(first)) for first in firsts]
        new = [index for index, some in enumerate(words) if some.tobytes() not in known]
        examples = [int(firsts[index]) for index in new]
        ids = [run.subjects[example].as_py() for example in examples]
        facts = persons(ids) if ids else {}
        for index, example, subject in zip(new, examples, ids, strict=True):
            rows = slice(int(run.starts[example]), int(run.starts[example + 1]))
            known[words[index].tobytes()] = steps_of(words[index], run.at[rows], run.position[rows], facts[subject])
        found = [known[some.tobytes()] for some in words]
        yield run, _Steps(of.astype(np.int64), [f[0] for f in found], [f[1] for f in found], [f[2] for f in found])


def _standing(run: Run, steps: _Steps, ids: pa.DataType) -> pa.RecordBatch:
    starts = run.starts[:-1]
    count = np.array([len(classes) for classes in steps.classes], np.int64)[steps.of]
    more = count > 3
    columns: list[pa.Array] = [run.subjects.cast(ids), pa.array(steps.class_of(0).astype(np.int32))]
    for number in (0, 1):
        row = steps.border(number)
        none = (row < 0) | more
        columns.append(pa.array(run.at[np.where(none, starts, starts + row)], mask=none))
        columns.append(pa.array(steps.class_of(number + 1).astype(np.int32), mask=none))
    columns.append(pa.array(more))
    columns.append(_behind(run, steps))
    return pa.RecordBatch.from_arrays(columns, schema=standing_schema(ids))


def _behind(run: Run, steps: _Steps) -> pa.Array:
    """For each person the positions that verdicts may rest on; null where there are none."""
    lengths = np.array([len(slots) for slots in steps.slots], np.int64)[steps.of]
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    width = max((len(slots) for slots in steps.slots), default=0)
    values = np.zeros(int(offsets[-1]), np.int64)
    for number in range(width):
        row = np.array([s[number] if number < len(s) else -1 for s in steps.slots], np.int64)[steps.of]
        has = row >= 0
        values[offsets[:-1][has] + number] = run.position[run.starts[:-1][has] + row[has]]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), mask=pa.array(lengths == 0))


def _overflow(run: Run, steps: _Steps, ids: pa.DataType) -> Iterator[pa.RecordBatch]:
    """The segments of those who have more than standing has room for, by person."""
    rows: dict[str, list[object]] = {"subject": [], "start": [], "until": [], "class": []}
    for person in np.flatnonzero(np.array([len(c) > 3 for c in steps.classes])[steps.of]).tolist():
        step = int(steps.of[person])
        first = int(run.starts[person])
        at: list[int | None] = [None, *(int(run.at[first + row]) for row in steps.borders[step]), None]
        for start, until, number in zip(at[:-1], at[1:], steps.classes[step], strict=True):
            for name, value in zip(rows, (run.subjects[person].as_py(), start, until, number), strict=True):
                rows[name].append(value)
    if rows["subject"]:
        yield pa.RecordBatch.from_pydict(rows, schema=overflow_schema(ids))


def _sooner(change: int | None, run: Run, relevance: Relevance) -> int | None:
    """The next instant at which time alone may change a verdict, given also these people's own facts."""
    for duration in relevance.durations:
        later = run.at[run.at > relevance.use.at - duration]
        if later.size:
            mark = int(later.min()) + duration
            change = mark if change is None else min(change, mark)
    return change


def dimensions(relevance: Relevance, axes: Axes, numbered: Results, absent: int, states: int = 1) -> Dimensions:
    """The numbers of a snapshot."""
    unasked = tuple(sorted(role for role, counts in relevance.version.roles.items() if not counts))
    nobody = Record((), relevance.categories[0] if relevance.categories else None, relevance.use.at)
    found = first(find(relevance.reduced, relevance.use, nobody, relevance.facts), counts=True)
    return Dimensions(
        relevance.use.at, axes.borders, len(axes.categories), len(axes.places), len(axes.roles), unasked, absent,
        numbered.number(result_of(found, {})), result_of(found, {}).outcome, states,
    )  # fmt: skip


def _answers(classes: Classes) -> pa.Table:
    numbers, territories = classes.table()
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
