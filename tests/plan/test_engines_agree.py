"""Law 7, *engines agree*: the gate on DuckDB says what the reference says, of generated worlds."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any
from uuid import UUID

import ibis
import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.policy.facts import Record
from sayso.policy.verdict import Outcome
from tests import strategies
from tests.compare import by_arrays, by_direct, by_gate, by_lookup, by_number, by_reference
from tests.searching import searched
from tests.strategies import World

RECORDS = 4000


@pytest.fixture(scope="module")
def duckdb() -> Any:
    return ibis.duckdb.connect(threads=1)


def agree(duckdb: Any, world: World, records: list[Record], *, several: bool = True) -> None:
    gate = by_gate(duckdb, world, records, several=several)
    for record, said, expected in zip(records, gate, by_reference(world, records), strict=True):
        assert said == expected, record


@searched(25)
@given(world=strategies.worlds(accounts=False), seed=st.integers(0, 2**32))
def test_engines_agree(duckdb: Any, world: World, seed: int) -> None:
    agree(duckdb, world, strategies.many_records(world, seed, RECORDS))


@searched(12)
@given(
    world=strategies.worlds(accounts=False),
    seed=st.integers(0, 2**32),
    role=st.sampled_from(["author", "mentioned", None]),
)
def test_engines_agree_about_records_of_one_subject(duckdb: Any, world: World, seed: int, role: str | None) -> None:
    records = strategies.many_records(world, seed, RECORDS, several=False)
    held = [replace(r, subjects=tuple(replace(s, role=role) for s in r.subjects or ())) for r in records]
    agree(duckdb, world, held, several=False)


@searched(12)
@given(world=strategies.worlds(accounts=False), seed=st.integers(0, 2**32))
def test_answers_looked_up_are_those_that_are_joined(duckdb: Any, world: World, seed: int) -> None:
    records = strategies.many_records(world, seed, RECORDS, several=False)
    plain = [
        replace(r, subjects=tuple(replace(s, role=None) for s in r.subjects or ()), reserved=frozenset())
        for r in records
        if r.subjects
    ]
    for record, said, expected in zip(plain, by_lookup(duckdb, world, plain), by_reference(world, plain), strict=True):
        assert said == expected, record


def apart(spread: int) -> Any:
    """Ids multiplied, so that they lie apart."""
    return lambda one: None if one is None else (one * spread + 2**63) % 2**64 - 2**63


ALIKE = [
    "é", "e\u0301", "É", "e", "ﬁ", "fi", "ß", "ss", "İ", "i", "I", "ı", " i", "i ", "i\u200b", "😀", "\U0010ffff",
    "x" * 8, "x" * 16, "x" * 200, "x" * 199 + "y", "😀" * 200, "0", "-0", "00", "null", "'", "\\", "%",
]  # fmt: skip
"""Texts that somebody may take for each other."""
NO_IDS = itertools.cycle([None, "", "nul\0", "\0", "x" * 257, "é" * 257, "x" * 5000, "a\nb", "a\n", "\x7f", "\t"])


def texts(one: Any) -> Any:
    """An id that is text; and one of many things that are no id."""
    if one is None:
        return next(NO_IDS)
    number, which = divmod(one, len(ALIKE))
    return ALIKE[which] + (str(number) if number else "")


def uuids(one: Any) -> Any:
    """The same that differ in a bit or two, or in the last of their digits."""
    return next(NO_IDS) if one is None else str(UUID(int=one % 2**128))


def by_length(some: Any) -> Any:
    """A hash that says nothing of a text but its length."""
    return pc.binary_length(some.fill_null("")).to_numpy()


def by_nothing(some: Any) -> Any:
    """A hash that says nothing."""
    return np.zeros(len(some), np.int64)


NAMING = st.sampled_from([texts, uuids])
HASHES = st.sampled_from([None, by_length, by_nothing])


@searched(15)
@given(world=strategies.worlds(accounts=False), seed=st.integers(0, 2**32), naming=NAMING, hashed=HASHES)
def test_texts_found_by_their_hash_are_held_against_themselves(
    duckdb: Any, world: World, seed: int, naming: Any, hashed: Any
) -> None:
    records = [replace(r, reserved=frozenset()) for r in strategies.many_records(world, seed, RECORDS, several=False)]
    plain = [replace(r, subjects=tuple(replace(s, role=None) for s in r.subjects)) for r in records if r.subjects]
    found = by_direct(duckdb, world, plain, naming, hashed)
    for record, said, expected in zip(plain, found, by_reference(world, plain), strict=True):
        assert said == expected, record


@searched(12)
@given(
    world=strategies.worlds(accounts=False),
    seed=st.integers(0, 2**32),
    spread=st.sampled_from([1, 3, 1_000_003, 0x9E3779B97F4A7C15, -7_046_029_254_386_353_131]),
)
def test_answers_found_by_place_are_those_that_are_joined(duckdb: Any, world: World, seed: int, spread: int) -> None:
    records = strategies.many_records(world, seed, RECORDS, several=False)
    plain = [
        replace(r, subjects=tuple(replace(s, role=None) for s in r.subjects or ()), reserved=frozenset())
        for r in records
        if r.subjects
    ]
    found = by_direct(duckdb, world, plain, apart(spread))
    for record, said, expected in zip(plain, found, by_reference(world, plain), strict=True):
        assert said == expected, record


@searched(15)
@given(
    world=strategies.worlds(accounts=False),
    seed=st.integers(0, 2**32),
    by_role=st.booleans(),
    longest=st.sampled_from([4, 300]),
    most=st.sampled_from([1, 50, 1 << 16]),
    called=st.sampled_from([(by_number, None), (by_number, None), (texts, None), (uuids, by_nothing)]),
)
def test_subjects_of_a_list_asked_by_arrays_say_what_the_reference_says(
    duckdb: Any, world: World, seed: int, by_role: bool, longest: int, most: int, called: tuple[Any, Any]
) -> None:
    records = [
        replace(r, reserved=frozenset()) for r in strategies.many_records(world, seed, RECORDS // 2, longest=longest)
    ]
    if by_role:
        records = [_in_columns(record) for record in records]
    found = by_arrays(duckdb, world, records, by_role=by_role, most=most, naming=called[0], hashed=called[1])
    for record, said, expected in zip(records, found, by_reference(world, records), strict=True):
        assert (*said[:3], *said[4:]) == (*expected[:3], *expected[4:]), record
        # Whom a permit is by is not carried out of the engine.
        assert said[3] == (None if Outcome(outcomes[said[0]]).permits else expected[3]), record


outcomes = {one.word: one for one in Outcome}


def _in_columns(record: Record) -> Record:
    """A record whose subjects lie in columns of roles: one author at most, then those without a role, then mentioned."""
    if record.subjects is None:
        return record
    held = {role: [one for one in record.subjects if one.role == role] for role in ("author", None, "mentioned")}
    known = [one for one in held["author"] if one.id is not None]
    return replace(record, subjects=(*known[:1], *held[None], *held["mentioned"]))


@searched(12)
@given(world=strategies.worlds(), seed=st.integers(0, 2**32), several=st.booleans())
def test_engines_agree_about_accounts(duckdb: Any, world: World, seed: int, several: bool) -> None:
    agree(duckdb, world, strategies.many_records(world, seed, RECORDS // 4, several=several), several=several)


@pytest.mark.torture
@settings(max_examples=1000)
@given(world=strategies.worlds(), seed=st.integers(0, 2**32))
def test_engines_agree_for_long(duckdb: Any, world: World, seed: int) -> None:
    agree(duckdb, world, strategies.many_records(world, seed, RECORDS))
