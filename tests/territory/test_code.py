"""Codes: what is well formed, what is read as what, what is known."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.territory import KNOWN, canonical, country, is_known

known = st.sampled_from(sorted(KNOWN))
subdivisions = st.builds("{}-{}".format, known, st.from_regex(r"[A-Z0-9]{1,3}", fullmatch=True))
anything = st.one_of(known, subdivisions, st.text(), st.from_regex(r"[A-Za-z]{2}(-[A-Za-z0-9]{0,4})?", fullmatch=True))


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("FR", "FR"), ("US-CA", "US-CA"), ("FR-2A", "FR-2A"), ("ES-CN", "ES-CN"), ("AU-3", "AU-3"), ("ZZ", "ZZ"),
        ("UK", "GB"), ("EL", "GR"), ("IC", "ES-CN"), ("EA", "ES"),
        ("FR-971", "GP"), ("FR-972", "MQ"), ("FR-973", "GF"), ("FR-974", "RE"), ("FR-976", "YT"), ("FR-MF", "MF"),
        ("FR-RE", "RE"), ("FI-01", "AX"), ("NL-AW", "AW"), ("NL-BQ2", "BQ-SA"), ("US-PR", "PR"), ("NO-22", "SJ"),
        ("CN-HK", "HK"), ("CN-91", "HK"), ("CN-MO", "MO"), ("CN-TW", "TW"), ("CN-71", "TW"),
    ],
)  # fmt: skip
def test_a_code_is_read_as_the_one_used_here(written: str, code: str) -> None:
    assert canonical(written) == code


@pytest.mark.parametrize(
    "text",
    ["", "F", "fr", "Fr", "FRA", "F1", "001", "FR-", "FR-ABCD", "FR_974", "US-ca", " FR", "FR ", "FR\n", "US-CA\n", "-CA",
     "ＦＲ", "FR-٣", "FŘ", "US--A", "US-CA-1", "EU27"],
)  # fmt: skip
def test_what_is_malformed_has_no_canonical_code(text: str) -> None:
    assert canonical(text) is None
    assert not is_known(text)


@pytest.mark.parametrize("code", ["ZZ", "EU", "UN", "AN", "SU", "YU", "XI", "AC", "QO", "ZZ-1", "EU-FR", "UK-ENG"])
def test_what_is_no_territory_is_not_known(code: str) -> None:
    assert canonical(code) == code
    assert not is_known(code)


@pytest.mark.parametrize("text", ["FRANCE", "FR!", "USA", "FR-974", "UK", "US-ca"])
def test_a_known_beginning_does_not_make_a_code_known(text: str) -> None:
    assert not is_known(text)


@given(known | subdivisions)
def test_territories_and_all_their_subdivisions_are_known(code: str) -> None:
    read = canonical(code)
    assert read is not None
    assert is_known(read)
    assert country(read) in KNOWN


@given(anything)
def test_reading_is_settled_after_once(text: str) -> None:
    code = canonical(text)
    if code is None:
        assert not re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", text, re.ASCII)
    else:
        assert canonical(code) == code
        assert is_known(code) == (country(code) in KNOWN)
