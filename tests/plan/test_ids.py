"""Ids that are text become places: found by a hash, and then held against the text itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.plan.ids import AT_ONCE, UNREAD_ID, Numbers, Texts, finder, hashes
from sayso.plan.index import CROWDED, Table


def as_it_is(written: pa.Array) -> pa.Array:
    """Every text is an id."""
    return written


def never(written: pa.Array) -> pa.Array:
    raise AssertionError("nothing is to be read again")


def small(written: pa.Array) -> pa.Array:
    """Ids are written small; what has a `!` is none."""
    plain = pc.utf8_lower(written.cast(pa.string()))
    return pc.if_else(pc.match_substring(plain, "!"), pa.scalar(None, pa.string()), plain)


def known(*texts: str) -> pa.ChunkedArray:
    """Texts in several pieces."""
    return pa.chunked_array([[text] for text in texts], pa.string())


def by_first(texts: pa.Array) -> Any:
    """A hash of the first letter alone."""
    letters = pc.utf8_slice_codeunits(texts, 0, 1).fill_null("").to_pylist()
    return np.array([ord(one) if one else 0 for one in letters], np.int64)


def test_a_snapshot_has_ids_of_one_type() -> None:
    assert isinstance(finder(pa.chunked_array([[1]])), Numbers)
    assert isinstance(finder(known("a")), Texts)


def test_who_is_written_as_known_is_not_read_again() -> None:
    found = Texts(known("b", "a", "member-10")).of(pa.array(["a", "member-10", "b", "a"]), never)
    assert found.person.tolist() == [1, 2, 0, 1]
    assert found.ids.to_pylist() == ["a", "member-10", "b", "a"]


def test_of_nobody_everybody_is_a_stranger() -> None:
    found = Texts(pa.chunked_array([], pa.string())).of(pa.array(["a", None, "!"]), small)
    assert found.person.tolist() == [-1, UNREAD_ID, UNREAD_ID]
    assert Texts(known("a")).of(pa.array([], pa.string()), never).person.tolist() == []


def test_what_is_not_known_as_it_is_written_is_read_and_looked_for_again() -> None:
    found = Texts(known("b", "a")).of(pa.array(["A", "b", "C", "!", None, "c"]), small)
    assert found.person.tolist() == [1, 0, -1, UNREAD_ID, UNREAD_ID, -1]
    assert found.ids.to_pylist() == ["a", "b", "c", None, None, "c"]


def test_what_is_no_plain_text_is_read_first() -> None:
    for written in (pa.array(["A", "b", None]).dictionary_encode(), pa.array(["A", "b", None], pa.string_view())):
        found = Texts(known("b", "a")).of(written, small)
        assert found.person.tolist() == [1, 0, UNREAD_ID]


def test_a_hash_lets_nobody_pass_for_another() -> None:
    people = Texts(known("anna", "bob", "alan", "ada", "carl"), by_first)
    assert people.fits
    asked = ["ada", "alan", "anna", "amy", "bob", "bea", "carl", "dan", "a", None, "!"]
    found = people.of(pa.array(asked), small)
    assert found.person.tolist() == [3, 2, 0, -1, 1, -1, 4, -1, -1, UNREAD_ID, UNREAD_ID]


def test_of_texts_with_one_hash_few_are_looked_through() -> None:
    """More are no accident; the engine joins them."""
    assert Texts(known(*(f"a{n}" for n in range(CROWDED))), by_first).fits
    assert not Texts(known(*(f"a{n}" for n in range(CROWDED + 1))), by_first).fits


def test_in_a_crowd_the_one_is_found_and_nobody_else() -> None:
    """Numbers whose row of places is the same: all are in it, one after another."""
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    crowd = np.array([place * inverse % 2**64 for place in range(40)], np.uint64).view(np.int64)
    table = Table(crowd[:30])
    assert table.fits
    assert table.of(crowd).tolist() == [*range(30), *[-1] * 10]
    assert table.of(crowd[:1]).tolist() == [0]


ODD = [
    "",
    "a",
    "\0",
    "\0\0",
    "a\0",
    "é",
    "e\u0301",
    "x" * 7,
    "x" * 8,
    "x" * 9,
    "x" * 16,
    "x" * 17,
    "x" * 1024,
    "x" * 1025,
]


def test_a_hash_is_of_the_text_alone() -> None:
    """Not of where it lies, what lies beside it, or that all beside it are as long."""
    every = hashes(pa.array(ODD, pa.large_string())).tolist()
    assert len(set(every)) == len(ODD) - 1  # of what no id can be only the beginning is looked at
    for number, text in enumerate(ODD):
        for beside in (["z"], ["", "longer than it is"], [text]):
            some = pa.array([*beside, text, *beside], pa.large_string())
            assert hashes(some)[len(beside)] == every[number]
            assert hashes(some.slice(len(beside), 1)).tolist() == [every[number]]
    assert hashes(pa.array([], pa.large_string())).tolist() == []


@pytest.mark.parametrize("form", ["{}", "member:{}", "{:036d}", "member:{:09d}@example"])
def test_texts_that_differ_in_a_digit_share_no_hash(form: str) -> None:
    texts = pa.array([form.format(number) for number in range(AT_ONCE)], pa.large_string())
    assert len(np.unique(hashes(texts))) == AT_ONCE


def test_more_are_asked_than_at_once() -> None:
    texts = [f"member-{number}" for number in range(AT_ONCE + 10)]
    found = Texts(pa.chunked_array([texts])).of(pa.array(texts), never)
    assert np.array_equal(found.person, np.arange(len(texts)))


@given(
    texts=st.sets(st.text(max_size=20), max_size=40),
    others=st.lists(st.text(max_size=20), max_size=40),
    hashed=st.sampled_from([None, by_first, pc.binary_length]),
)
def test_a_text_is_where_it_is(texts: set[str], others: list[str], hashed: Any) -> None:
    order = sorted(texts)
    places = {text: place for place, text in enumerate(order)}
    asked = [*order, *others]

    def numbers(some: pa.Array) -> Any:
        return np.asarray(hashed(some).fill_null(0) if hashed is pc.binary_length else hashed(some)).astype(np.int64)

    people = Texts(pa.chunked_array([order], pa.string()), None if hashed is None else numbers)
    found = people.of(pa.array(asked, pa.string()), as_it_is)
    assert found.person.tolist() == [places.get(text, -1) for text in asked]
