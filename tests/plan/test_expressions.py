"""What generated worlds do not show of a plan: shapes of corpora, stale snapshots, limits, and batches of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.errors import EngineError
from sayso.plan import accounts
from sayso.plan.classes import OnePerson
from sayso.plan.decider import Decider
from sayso.plan.gate import Shape, strangers, verdicts
from sayso.plan.lookup import Lookup
from sayso.plan.people import MEMBER_BITS, first_rows_alike, people
from sayso.plan.relevance import NO_VERSION, Relevance
from sayso.plan.segments import Keys
from sayso.plan.symbols import Kind, Meaning, Symbols
from sayso.policy.decide import decide
from sayso.policy.facts import SILENT, Record, Subject
from sayso.policy.model import Mode, Rule, Version
from sayso.policy.verdict import Outcome
from sayso.territory import Region
from tests import strategies
from tests.compare import corpus, snapshot, tables
from tests.searching import searched
from tests.strategies import START, World, fact

SCHEMA = pa.schema(
    [
        *((name, pa.int64()) for name in ("subject", "at", "position", "symbol", "member")),
        ("late", pa.bool_()),
    ]
)
SYMBOLS = Symbols(
    pa.table({}),
    (
        Meaning(Kind.VOICE, "no"),
        Meaning(Kind.VOICE, ("gpc", 0)),
        Meaning(Kind.VOICE, ("gpc", 7), alone=True),
        Meaning(Kind.BORN, None),
        Meaning(Kind.AGE, 18, border=True),
    ),
    {},
    frozenset(),
)
REFUSAL, SIGNAL, MANY, BIRTH, AGE = range(5)


@pytest.fixture(scope="module")
def duckdb() -> Any:
    return ibis.duckdb.connect(threads=1)


def world(*rules: Rule, roles: dict[str, bool] | None = None) -> World:
    """A world in which people 1 and 2 of France are registered."""
    version = Version("v", START, START, rules, roles=roles or {})
    policy = replace(NOBODYS.policy, versions=(version,))
    registered = {"kind": "subject.registered", "territory": "FR"}
    return World(
        strategies.Context(strategies.Editions((), policy)),
        strategies.Use("genai", "platform", START + 10),
        {who: [fact(registered, who, recorded=START)] for who in (1, 2)},
    )


NOBODYS = World(
    strategies.Context(
        strategies.Editions(
            (),
            strategies.Policy(
                "example", "sha256:0", strategies.PURPOSES, strategies.CATEGORIES, strategies.RECIPIENTS, ()
            ),
        )
    ),
    strategies.Use("genai", "platform", START + 10),
)
ALWAYS = Rule("always", 0, strategies.EVERYTHING, Mode.ALWAYS)
POSTS = [Record((Subject(who),), "posts", START + 5) for who in (1, 2, 3)]


def gated(duckdb: Any, asked: World, read: pa.Table, shape: Shape, **how: Any) -> list[str]:
    """The outcomes, in order of row."""
    made = snapshot(duckdb, asked)
    found = duckdb.to_pyarrow(verdicts(ibis.memtable(read), shape, tables(made), made.dimensions, **how)).to_pylist()
    results = made.results.to_pylist()
    return [Outcome(results[row["result"]]["outcome"]).word for row in sorted(found, key=lambda row: row["row"])]


@pytest.mark.parametrize("roles", [{}, {"mentioned": False}])
def test_a_corpus_may_have_nothing_but_what_is_asked(duckdb: Any, roles: dict[str, bool]) -> None:
    asked = world(ALWAYS, roles=roles)
    several = corpus(POSTS, asked).select(["row", "category", "collected", "subjects"])
    lone = several.drop_columns(["subjects"]).append_column("subject", pa.array([1, 2, 3], pa.int64()))
    expected = ["no-choice", "no-choice", "unknown-subject"]
    assert gated(duckdb, asked, several, Shape(several=True)) == expected
    assert gated(duckdb, asked, lone, Shape()) == expected


def test_a_snapshot_too_old_denies_whatever_can_be_read(duckdb: Any) -> None:
    asked = world(ALWAYS)
    records = [*POSTS, Record((Subject(1),), None, START), Record((), "posts", START)]
    known = asked.known
    expected = [decide(asked.policy, asked.use, record, known, stale=True).outcome.word for record in records]
    assert expected == ["stale", "stale", "stale", "unreadable", "stale"]
    several = corpus(records, asked).select(["row", "category", "collected", "subjects"])
    assert gated(duckdb, asked, several, Shape(several=True), stale=True) == expected


def test_a_reservation_or_a_flag_that_cannot_be_read_denies(duckdb: Any) -> None:
    asked = world(ALWAYS)
    read = corpus(POSTS[:2], asked).select(["row", "category", "collected", "subjects"])
    unread = pa.array([None, False], pa.bool_())
    for column, shape in (
        ("reserved", Shape(several=True, reserved=True)),
        ("malformed", Shape(several=True, malformed=True)),
    ):
        assert gated(duckdb, asked, read.append_column(column, unread), shape) == ["unreadable", "no-choice"]


def test_nobody_is_known_and_no_version_is_in_force(duckdb: Any) -> None:
    read = corpus(POSTS, NOBODYS).select(["row", "category", "collected", "subjects"])
    assert gated(duckdb, NOBODYS, read, Shape(several=True)) == ["no-policy"] * 3
    relevance = Relevance(NOBODYS.context, NOBODYS.known, NOBODYS.use)
    assert relevance.version is NO_VERSION
    assert relevance.rules == ()


def test_one_person_has_no_account_and_no_organisation() -> None:
    lone = OnePerson(NOBODYS.known, None)
    assert (lone.subject(0), lone.account(1), lone.organisation(1)) == (None, None, SILENT)


def test_ids_of_accounts_and_organisations_are_told_apart() -> None:
    assert accounts.marked(pa.array([1, 2]), accounts.ACCOUNT).to_pylist() == ["a:1", "a:2"]


# ── people and keys ──────────────────────────────────────────────────────────────────────────────────────────────────


def batches(rows: list[tuple[int, ...]], *sizes: int) -> Iterator[pa.RecordBatch]:
    """Rows cut into batches of some sizes, the last of what is left."""
    start = 0
    for size in (*sizes, len(rows)):
        some = rows[start : start + size]
        start += size
        yield pa.RecordBatch.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in some], SCHEMA)


@searched(50)
@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=8),
    sizes=st.lists(st.integers(0, 6), max_size=12),
    symbols=st.lists(st.integers(0, 3), min_size=40, max_size=40),
)
def test_people_are_the_same_however_their_history_is_cut(
    lengths: list[int], sizes: list[int], symbols: list[int]
) -> None:
    rows: list[tuple[int, ...]] = []
    for subject, length in enumerate(lengths):
        rows += [
            (subject, START + number, len(rows) + number, symbols[len(rows)], 0, False) for number in range(length)
        ]

    def told(*cut: int) -> list[tuple[int, list[int], list[int]]]:
        return [
            (run.id(one), run.symbol[rows].tolist(), run.at[rows].tolist())
            for run in people(batches(rows, *cut))
            for one in range(run.count)
            for rows in [slice(run.starts[one], run.starts[one + 1])]
        ]

    assert told(*sizes) == told()
    assert [subject for subject, _, _ in told(*sizes)] == list(range(len(lengths)))


def test_rows_are_alike_in_every_column_however_large_its_numbers() -> None:
    wide = np.array([1 << 40, 7, 1 << 40, 7, 1 << 40], np.int64)
    other = np.array([5, 1 << 41, 5, 1 << 41, 6], np.int64)
    firsts, place = first_rows_alike([wide, other, np.zeros(5, np.int64)])
    assert firsts.tolist() == [0, 1, 4]
    assert place.tolist() == [0, 1, 0, 1, 2]


def keyed(said: list[tuple[int, int]]) -> list[int]:
    """The key of the only segment of each person who said something."""
    keys = Keys(Relevance(NOBODYS.context, NOBODYS.known, NOBODYS.use), SYMBOLS)
    rows: list[tuple[int, ...]] = [(subject, START, subject, symbol, 0, False) for subject, symbol in said]
    return [key for run in people(batches(rows)) for key in keys.of(run).key.tolist()]


def test_people_of_the_same_words_are_alike_and_those_set_apart_are_not() -> None:
    said = [(0, REFUSAL), (1, REFUSAL), (2, SIGNAL), (3, MANY), (4, MANY), (5, REFUSAL)]
    assert keyed(said) == [0, 0, 1, 2, 3, 0]
    assert keyed([(0, BIRTH), (1, BIRTH), (1, BIRTH)]) == [0, 1]


@pytest.mark.parametrize("several", [False, True])
def test_strangers_are_those_whom_the_snapshot_does_not_know(duckdb: Any, several: bool) -> None:
    asked = world(ALWAYS)
    records = [
        *POSTS,
        *POSTS,
        Record((Subject(None),), "posts", START),
        Record((Subject(9), Subject(1)), "posts", START),
    ]
    read = corpus(records if several else records[:-1], asked)
    if not several:
        lone = pa.array([one.subjects[0].id if one.subjects else None for one in records[:-1]], pa.int64())
        read = read.drop_columns(["subjects"]).append_column("subject", lone)
    found = strangers(ibis.memtable(read), Shape(several=several), tables(snapshot(duckdb, asked)))
    assert sorted(duckdb.to_pyarrow(found).column("id").to_pylist()) == ([3, 9] if several else [3])


def test_a_use_that_asks_for_the_account_has_no_answers_to_look_up(duckdb: Any) -> None:
    made = snapshot(duckdb, world(ALWAYS))
    with pytest.raises(EngineError, match="one for each key"):
        Lookup(replace(made, answers=made.answers.slice(1)))


def test_of_people_apart_every_segment_has_its_own_key() -> None:
    told = [(1, START + 1, 2, AGE, 1, False), (1, START + 2, 3, AGE, 1, False)]
    rows: list[tuple[int, ...]] = [(1, START, 1, BIRTH, 1, False), *told]
    (run,) = people(batches(rows))
    keys = Keys(Relevance(NOBODYS.context, NOBODYS.known, NOBODYS.use), SYMBOLS).of(run).key.tolist()
    assert keys == [0, 1, 2]


def test_of_whom_nothing_is_known_yet_has_one_segment() -> None:
    later = NOBODYS.use.at + 1
    rows: list[tuple[int, ...]] = [(1, later, 1, REFUSAL, 0, False)]
    (run,) = people(batches(rows))
    found = Keys(Relevance(NOBODYS.context, NOBODYS.known, NOBODYS.use), SYMBOLS).of(run)
    assert (found.key.tolist(), found.bounds(0), found.behind(0)) == ([0], (None, None), {})


def test_a_person_of_many_steps_is_looked_up_in_the_overflow(duckdb: Any) -> None:
    asked = world(replace(ALWAYS, territories=Region(frozenset({"FR"}))))
    for number, code in enumerate(["US", "FR", "US", "FR"], start=1):
        moved = {"kind": "subject.moved", "territory": code}
        asked = asked.saying(1, fact(moved, 10 + number, recorded=START + number))
    made = snapshot(duckdb, asked)
    assert made.overflow.num_rows == 6
    decider, known = Decider(made), asked.known
    for instant in range(START - 1, START + 8):
        expected = decide(asked.policy, asked.use, Record((Subject(1),), "posts", instant), known)
        assert decider.decide(1, "posts", instant).outcome == expected.outcome
    assert not decider.decide(1, "posts", START + 3).permit
    assert decider.decide(1, "posts", START + 4).permit


def test_more_than_can_be_told_apart_is_an_error() -> None:
    with pytest.raises(EngineError, match="aliases"):
        list(people(batches([(1, START, 1, 1, 1 << MEMBER_BITS, False)])))
    crowded = replace(
        NOBODYS.context, editions=strategies.Editions([(n, NOBODYS.policy) for n in range(0, 4000, 2)], NOBODYS.policy)
    )
    with pytest.raises(EngineError, match="positions"):
        Keys(Relevance(crowded, NOBODYS.known, NOBODYS.use), SYMBOLS)
