"""Canonical bytes against the vectors of RFC 8785's author, and digests of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.canonical import canonical_bytes, digest, digest_bytes, digest_file
from sayso.errors import InputError

VECTORS = Path(__file__).parent / "vectors" / "jcs"
NAMES = sorted(path.stem for path in (VECTORS / "input").glob("*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_the_bytes_are_those_of_the_vectors(name: str) -> None:
    read = json.loads((VECTORS / "input" / f"{name}.json").read_bytes())
    made = canonical_bytes(read)
    assert made == (VECTORS / "output" / f"{name}.json").read_bytes()
    assert made == bytes.fromhex((VECTORS / "outhex" / f"{name}.txt").read_text("ascii"))


def test_there_are_vectors() -> None:
    assert len(NAMES) == 6


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abé€😀", max_size=3), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def backwards(value: Any) -> Any:
    """The same value, its keys the other way round."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(one) for one in value] if isinstance(value, list) else value


@given(VALUES)
def test_the_order_of_keys_changes_nothing_and_nothing_is_lost(value: Any) -> None:
    assert digest(value) == digest(backwards(value))
    assert json.loads(canonical_bytes(value)) == value


@pytest.mark.parametrize("value", [2**53, float("nan"), float("inf"), "\ud800", {"a": ["\udfff"]}, {1: 2}, {b"a"}])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="has no canonical JSON form"):
        canonical_bytes(value)


def test_a_digest_says_its_algorithm(tmp_path: Path) -> None:
    expected = "sha256:" + hashlib.sha256(b'{"a":1}').hexdigest()
    assert digest({"a": 1}) == digest_bytes(b'{"a":1}') == expected
    (tmp_path / "file").write_bytes(b'{"a":1}')
    assert digest_file(tmp_path / "file") == expected
