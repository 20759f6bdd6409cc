"""Law 7, *engines agree*: the gate on DuckDB says what the reference says, of generated worlds."""

from __future__ import annotations

import ibis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import strategies
from tests.compare import by_gate, by_reference

RECORDS = 600


@pytest.fixture(scope="module")
def duckdb():
    return ibis.duckdb.connect(threads=1)


@given(world=strategies.worlds(accounts=False), seed=st.integers(0, 2**32), several=st.booleans())
def test_the_gate_says_what_the_reference_says(duckdb, world, seed, several):
    records = strategies.many_records(world, seed, RECORDS, several=several)
    gate = by_gate(duckdb, world, records, several=several)
    for record, said, expected in zip(records, gate, by_reference(world, records), strict=True):
        assert said == expected, record
