"""People with several steps, found by place or by the hash of their ids: as a plain reading of their steps says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.plan.direct import Direct
from sayso.plan.index import Table
from sayso.plan.snapshot import Dimensions, Snapshot, overflow_schema, standing_schema

INT64 = st.integers(-(2**63), 2**63 - 1)
INT32 = pa.int32()
Steps = dict[int, list[tuple[int, int]]]
"""The steps of each person: when each begins, the first anywhere, and its class."""


def held(steps: Steps, borders: tuple[int, ...] = ()) -> Snapshot:
    """A snapshot of people with such steps, of one category and two places."""
    rows, over = [], []
    for one, own in steps.items():
        more = len(own) > 3
        kept = own[:1] if more else own
        row: dict[str, Any] = {"subject": one, "more": more, "c0": own[0][1]}
        for nth, (start, number) in enumerate(kept[1:], start=1):
            row |= {f"b{nth}": start, f"c{nth}": number}
        rows.append(row)
        ends = [*(start for start, _ in own[1:]), None]
        starts = [None, *(start for start, _ in own[1:])]
        over += [
            {"subject": one, "start": start, "until": until, "class": number}
            for (_, number), start, until in zip(own, starts, ends, strict=True)
            if more
        ]
    return Snapshot(
        Dimensions(1000, borders, 1, 2, 1, (), 7, 0, 0, 0),
        pa.Table.from_pylist(rows, standing_schema(pa.int64())),
        pa.Table.from_pylist(over, overflow_schema(pa.int64())),
        pa.table({}),
        pa.table({"name": ["posts"], "cell": pa.array([0], INT32), "number": pa.array([0], INT32)}),
        pa.table({"code": ["FR"], "place": pa.array([0], INT32), "rest": pa.array([0], INT32)}),
        pa.table({}), (), ("posts",), None,
    )  # fmt: skip


def agrees(
    steps: Steps, records: list[tuple[int, int]], categories: pa.Array | str = "posts", borders: tuple[int, ...] = ()
) -> None:
    """That each record has the key of its author's step at its instant, asked in one batch and in several."""
    direct = Direct(held(steps, borders))
    for size in (len(records) or 1, 3):
        for start in range(0, len(records), size):
            some = records[start : start + size]
            ids, instants = (np.array(column, np.int64) for column in zip(*some, strict=True))
            said = categories if isinstance(categories, str) else categories[start : start + size]
            where = pa.array([None, *["FR"] * (len(some) - 1)]).dictionary_encode()
            person = direct.people.of(pa.array(ids), lambda one: one).person
            key, _ = direct.keyed(person, instants, said, where, np.False_)
            for number, (one, at) in enumerate(some):
                own = steps.get(one, [(0, 7)])
                step = [number for begins, number in own[:1]] + [number for begins, number in own[1:] if begins <= at]
                period = sum(at >= border for border in borders)
                assert key[number] == (-1 if at > 1000 else (step[-1] * (len(borders) + 1) + period) * 2)
                assert person[number] == (list(steps).index(one) if one in steps else -1)


MANY: Steps = {
    4: [(0, 1)], 2: [(0, 1), (10, 2), (20, 3)], 9: [(0, n) if n == 0 else (n * 10, n) for n in range(7)],
    -5: [(0, 3), (5, 1), (6, 2), (7, 3)], 2**62: [(0, 2), (50, 4), (60, 5), (61, 6)],
}  # fmt: skip


@pytest.mark.parametrize("steps", [{}, {1: [(0, 2)]}, {one: MANY[one] for one in (2, 4, 9)}, MANY])
def test_a_record_is_of_the_step_of_its_instant(steps: Steps) -> None:
    people = [*steps, 3, 77, -(2**63)]
    records = [(one, at) for one in people for at in (-100, 5, 6, 10, 19, 20, 45, 60, 61, 999, 1000, 1001)]
    agrees(steps, records)
    agrees(steps, records, pa.array(["posts"] * len(records)).dictionary_encode())
    agrees(steps, records, borders=(6, 45))
    agrees(steps, [(one, 5) for one in (3, 4, 77)])


def test_a_hash_of_nobody_is_looked_through_to_its_end() -> None:
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    ids = np.array([(place * inverse) % 2**64 for place in range(6)], np.uint64).view(np.int64)
    index = Table(ids[:5])
    assert index.of(ids).tolist() == [0, 1, 2, 3, 4, -1]
    assert index.of(ids[:1]).tolist() == [0]


@given(
    steps=st.dictionaries(
        st.integers(-20, 20) | INT64,
        st.lists(st.integers(-50, 50), max_size=6, unique=True).flatmap(
            lambda starts: st.lists(st.integers(0, 9), min_size=len(starts) + 1, max_size=len(starts) + 1).map(
                lambda numbers: list(zip([0, *sorted(starts)], numbers, strict=True))
            )
        ),
        max_size=12,
    ),
    others=st.lists(st.integers(-20, 20) | INT64, max_size=5),
    instants=st.lists(st.integers(-60, 60), min_size=1, max_size=4),
)
def test_steps_are_found_whatever_they_are(steps: Steps, others: list[int], instants: list[int]) -> None:
    agrees(steps, [(one, at) for one in [*steps, *others] for at in instants])
