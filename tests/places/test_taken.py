"""A place in a bucket that is another's, or becomes another's meanwhile, is not touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sayso.api import Ledger, verify
from sayso.errors import CorpusError, RemoteError
from sayso.places.s3 import S3Objects
from tests.places.buckets import Bucket
from tests.places.conftest import gated


@pytest.mark.parametrize("key", ["out/manifest.json", "out/anything", "out"])
def test_a_place_that_holds_something_is_refused_before_anything_is_read(
    ledger: Ledger, tour: Path, lake: Bucket, key: str
) -> None:
    lake.put(key, b"theirs")
    for resume in (False, True):
        with pytest.raises(CorpusError, match=rf"the output `s3://{lake.name}/out` is there already"):
            gated(ledger, lake.at("no-such-corpus"), lake.at("out"), tour, resume=resume)
    assert lake.read(key) == b"theirs"


def test_an_output_is_not_put_into_another(ledger: Ledger, tour: Path, lake: Bucket) -> None:
    lake.put("manifest.json", b'{"name": "an app"}')
    gated(ledger, lake.at("corpus"), lake.at("a/out"), tour)
    told = rf"`s3://{lake.name}/a/out/b/c` would be within the output `s3://{lake.name}/a/out`"
    with pytest.raises(CorpusError, match=told):
        gated(ledger, lake.at("no-such-corpus"), lake.at("a/out/b/c"), tour)
    assert verify(lake.at("a/out")) == []


def test_a_place_that_is_taken_meanwhile_is_not_touched(ledger: Ledger, tour: Path, lake: Bucket) -> None:
    def meddle(stage: str, _done: int, _total: int) -> None:
        if stage == "deciding":
            lake.put("out/theirs", b"theirs")

    with pytest.raises(CorpusError, match="is there already"):
        gated(ledger, lake.at("corpus"), lake.at("out"), tour, progress=meddle)
    assert (lake.listed("out"), lake.listed(".out")) == (["out/theirs"], [])


def test_who_lost_the_place_lets_nothing_through(ledger: Ledger, tour: Path, lake: Bucket, monkeypatch: Any) -> None:
    """Another takes the place, as `--resume` does, between this one's files and its manifest."""
    put = S3Objects.put

    def late(self: S3Objects, address: Any, source: Path) -> None:
        put(self, address, source)
        lake.put(".out.partial", b'{"form": "sayso/upload/1", "token": "theirs", "files": []}')

    monkeypatch.setattr(S3Objects, "put", late)
    with pytest.raises(RemoteError, match="another gate took the place of this one"):
        gated(ledger, lake.at("corpus"), lake.at("out"), tour)
    assert "out/manifest.json" not in lake.listed("out")
    assert json.loads(lake.read(".out.partial"))["token"] == "theirs"
