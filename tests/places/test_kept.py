"""What is kept on this machine of what is in buckets, and for how long."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sayso.api import Ledger, open_release, remote
from sayso.gate.alone import alone
from tests.places.buckets import Bucket
from tests.places.conftest import gated, records

AT = "2025-06-01T00:00:00Z"


def test_what_nobody_opened_for_long_is_kept_no_more(
    ledger: Ledger, tour: Path, lake: Bucket, environment: dict[str, str]
) -> None:
    kept = Path(environment["SAYSO_SCRATCH"]) / "kept"
    for name in ("first", "second"):
        gated(ledger, lake.at("corpus"), lake.at(name), tour)
    open_release(lake.at("first"), at=AT)
    (first,) = kept.iterdir()
    long_ago = time.time() - remote.KEPT_DAYS * 86_400 - 60
    lately = long_ago + 120
    for name, at in (("old", long_ago), ("held", long_ago), ("lately", lately)):
        (kept / name / "objects").mkdir(parents=True)
        (kept / name / "objects/a.parquet").write_bytes(b"theirs")
        os.utime(kept / name, (at, at))
    (kept / "file").write_bytes(b"")
    os.utime(kept / "file", (long_ago, long_ago))
    os.utime(first, (long_ago, long_ago))
    with alone(kept / "held"):
        assert len(records(open_release(lake.at("second"), at=AT))) == 2
    assert sorted(one.name for one in kept.iterdir() if len(one.name) < 10) == ["file", "held", "lately"]
    assert not first.exists()
    assert len(records(open_release(lake.at("first"), at=AT))) == 2  # it is fetched again
    assert first.exists()
    os.utime(first, (long_ago, long_ago))
    open_release(lake.at("first"), at=AT)  # whoever opens it counts first
    assert first.exists()
