"""A gate of what is in buckets: the same as of files, and an output that is there whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sayso import instant
from sayso.api import Ledger, open_release, open_selection, verify
from sayso.api.views import publish_view
from sayso.errors import CorpusError, RemoteError, StaleError, UsageError, VerificationError
from sayso.gate.inputs import find
from sayso.gate.mirror import Mirror
from sayso.gate.objects import Address
from sayso.places.s3 import S3Objects
from tests.places.buckets import Bucket, cut
from tests.places.conftest import gated, records
from tests.places.server import READS, READS_SECRET, Server
from tests.tour import T0, Clock

USE = {"purpose": "generative-ai", "recipient": "platform"}
AT = "2025-06-01T00:00:00Z"
GATE = """
import sys
from pathlib import Path
from sayso.api import open_ledger
tour, source, into = sys.argv[1:4]
print("ready", flush=True)
with open_ledger(Path(tour) / "sayso.ledger") as ledger:
    ledger.gate(source, columns=Path(tour) / "corpus.yaml", into=into, purpose="generative-ai", recipient="platform",
                at="2025-06-01T00:00:00Z", resume="resume" in sys.argv)
"""


def left(environment: dict[str, str]) -> list[str]:
    """What is left of gates on this machine."""
    return [one.name for one in (Path(environment["SAYSO_SCRATCH"]) / "gates").glob("*")]


# ── the same as of files ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("emit", ["copy", "selection"])
def test_a_gate_of_a_bucket_gives_what_one_of_files_gives(
    ledger: Ledger, tour: Path, corpus: Path, lake: Bucket, environment: dict[str, str], emit: str
) -> None:
    here = gated(ledger, corpus, tour / "out", tour, emit=emit, report=True, at=AT)
    there = gated(ledger, lake.at("corpus"), lake.at("made/out"), tour, emit=emit, report=True, at=AT)
    assert there.manifest == here.manifest
    files = sorted(path.relative_to(tour / "out").as_posix() for path in (tour / "out").rglob("*") if path.is_file())
    assert lake.listed("made/") == [f"made/out/{name}" for name in files]
    for name in files:
        if name != "manifest.dsse.json":  # its checkpoint is of another instant
            assert lake.read(f"made/out/{name}") == (tour / "out" / name).read_bytes()
    held = "permitted" if emit == "copy" else "selected"
    assert (there.output, there.permitted) == (lake.at("made/out"), lake.at(f"made/out/{held}"))
    assert there.denied == lake.at("made/out/denied")
    assert (left(environment), lake.unfinished()) == ([], [])
    assert verify(there.output, lake.at("corpus"), ledger=ledger) == []
    assert verify(tour / "out", lake.at("corpus")) == []
    assert verify(there.output, corpus) == []


NAMES = (
    "a.parquet", "b/c.ndjson", "b/.d.csv", "b/_e.csv", "_f/g.csv", ".h/i.csv", "b/j/k.pq", "b/j/l.txt", "x[1].csv", "y*.csv", "b/c/n.csv",
)  # fmt: skip


@pytest.mark.parametrize(
    "pattern",
    ["", "b", "b/", "*", "*.csv", "**", "**/*.csv", "b/**/*.pq", "b/?.ndjson", "x[1].csv", "y*.csv", "[ab].parquet", "b/*/k.pq", "_f/*",
     ".h/*", "**/_*", "b/c.ndjson", "none", "b/none/*", "b/j/l.txt"],
)  # fmt: skip
def test_names_prefixes_and_globs_name_what_they_name_of_files(bucket: Bucket, tmp_path: Path, pattern: str) -> None:
    for name in NAMES:
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
        bucket.put(f"tree/{name}", name.encode())

    def of(patterns: Callable[[], list[str]]) -> list[tuple[bytes, str]] | str:
        try:
            return [(path.read_bytes(), name) for path, name in find(patterns())]
        except CorpusError as error:
            return "form" if "cannot tell the form" in str(error) else "nothing"

    mirror = Mirror(tmp_path / "mirror", S3Objects(), 4)
    local = of(lambda: [f"{tmp_path}/tree/{pattern}"])
    assert of(lambda: mirror.patterns([bucket.at(f"tree/{pattern}")])) == local
    if local in ("nothing", "form"):
        return
    fetched = [path for path in (tmp_path / "mirror/objects").rglob("*") if path.is_file()]
    assert len(fetched) == len(local)


def test_buckets_and_files_may_be_named_together(ledger: Ledger, tour: Path, corpus: Path, lake: Bucket) -> None:
    one = [lake.at("corpus/a.parquet"), lake.at("corpus/more/*"), corpus / "b.parquet"]
    made = gated(ledger, one, tour / "out", tour)
    assert [entry["name"] for entry in made.manifest["inputs"]] == ["a.parquet", "c.parquet", "b.parquet"]
    twice = gated(ledger, [lake.at("corpus/a.parquet"), lake.at("corpus")], None, tour, dry_run=True)
    assert twice.counts["records"] == made.counts["records"]
    assert verify(tour / "out") == []


def test_ndjson_and_csv_are_read_and_a_bad_line_is_told_of_the_object(
    ledger: Ledger, tour: Path, bucket: Bucket
) -> None:
    bucket.put("posts.ndjson", (tour / "posts.ndjson").read_bytes())
    here = gated(ledger, tour / "posts.ndjson", None, tour, dry_run=True, at=AT)
    assert gated(ledger, bucket.at("posts.ndjson"), None, tour, dry_run=True, at=AT).manifest == here.manifest
    bucket.put("posts.ndjson", (tour / "posts.ndjson").read_bytes() + b"{broken\n")
    with pytest.raises(CorpusError, match=rf"^s3://{bucket.name}/posts\.ndjson:\d+: "):
        gated(ledger, bucket.at("posts.ndjson"), None, tour, dry_run=True)


def test_a_table_goes_to_a_bucket_and_what_was_built_is_recorded(ledger: Ledger, bucket: Bucket, tour: Path) -> None:
    posts = pa.Table.from_pylist([json.loads(line) for line in (tour / "posts.ndjson").read_text("utf-8").splitlines()])
    made = gated(ledger, posts, bucket.at("out"), tour, dataset="posts")
    assert made.permitted.num_rows == made.counts["permitted"]
    assert (made.output, verify(bucket.at("out"))) == (bucket.at("out"), [])
    assert ledger.parts.journal.head().size


def test_an_output_in_a_bucket_may_be_taken_from(ledger: Ledger, tour: Path, corpus: Path, lake: Bucket) -> None:
    gated(ledger, lake.at("corpus"), lake.at("first"), tour)
    again = gated(ledger, lake.at("corpus"), lake.at("second"), tour, since=lake.at("first/manifest.json"))
    assert lake.read("second/permitted/a.parquet") == lake.read("first/permitted/a.parquet")
    assert (again.counts["records"], verify(lake.at("second"), lake.at("corpus"), ledger=ledger)) == (11, [])


# ── what changes meanwhile, and what is there already ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("gone", [False, True])
def test_an_object_that_changes_while_the_gate_works_stops_it(
    ledger: Ledger, tour: Path, corpus: Path, lake: Bucket, environment: dict[str, str], gone: bool
) -> None:
    def meddle(stage: str, _done: int, _total: int) -> None:
        if stage == "deciding":
            lake.remove("corpus/b.parquet") if gone else lake.put("corpus/b.parquet", b"other")

    with pytest.raises(CorpusError, match=rf"^s3://{lake.name}/corpus/b\.parquet: expected an object that nobody"):
        gated(ledger, lake.at("corpus"), lake.at("out"), tour, progress=meddle)
    assert (lake.listed("out"), lake.listed(".out"), left(environment)) == ([], [], [])
    lake.put_tree("corpus", corpus)
    with pytest.raises(CorpusError):
        gated(ledger, lake.at("corpus"), tour / "out", tour, progress=meddle)
    assert not (tour / "out").exists()


def test_names_that_cannot_be_are_refused_and_not_repeated(ledger: Ledger, tour: Path, bucket: Bucket) -> None:
    with pytest.raises(UsageError, match="no credentials in it") as caught:
        gated(ledger, "s3://AKID:hush@bucket/corpus", None, tour, dry_run=True)
    assert "hush" not in str(caught.value)
    with pytest.raises(UsageError, match="do not make it a path"):
        gated(ledger, Path(bucket.at("corpus")), None, tour, dry_run=True)
    with pytest.raises(CorpusError, match=rf"expected a prefix in the bucket to write to, .* got `s3://{bucket.name}`"):
        gated(ledger, tour / "posts.ndjson", bucket.at(""), tour)
    with pytest.raises(CorpusError, match=rf"matches something, got `s3://{bucket.name}/none`"):
        gated(ledger, bucket.at("none"), None, tour, dry_run=True)


def test_without_the_library_it_says_which(ledger: Ledger, tour: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sayso.places.s3")
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UsageError, match=r"pip install 'sayso\[s3\]'"):
        gated(ledger, "s3://bucket/corpus", None, tour, dry_run=True)


def test_what_does_not_fit_is_told_before_it_is_fetched(
    ledger: Ledger, tour: Path, lake: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sayso.gate.mirror.SPARED", 1 << 60)
    with pytest.raises(CorpusError, match=r"expected room for [\d,]+ bytes of objects, found 0; name a directory"):
        gated(ledger, lake.at("corpus"), None, tour, dry_run=True)


# ── what fails, and what is killed ───────────────────────────────────────────────────────────────────────────────────


def test_of_an_upload_that_breaks_off_nothing_is_taken_for_an_output(
    ledger: Ledger, tour: Path, corpus: Path, bucket: Bucket, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cut(server.endpoint, up=30_000) as endpoint, monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(RemoteError, match=rf"s3://{bucket.name}/"):
            gated(ledger, corpus, bucket.at("out"), tour)
    assert "out/manifest.json" not in bucket.listed()
    with pytest.raises(VerificationError, match="has no manifest"):
        verify(bucket.at("out"))
    with pytest.raises(VerificationError, match="has no manifest"):
        open_release(bucket.at("out"))
    with pytest.raises(CorpusError, match=r"or was killed while it did; .* `--resume`"):
        gated(ledger, corpus, bucket.at("out"), tour)
    gated(ledger, corpus, bucket.at("out"), tour, resume=True)
    assert (verify(bucket.at("out")), bucket.listed(".out"), bucket.unfinished()) == ([], [], [])


def test_of_an_upload_that_is_refused_midway_nothing_is_left(
    ledger: Ledger, tour: Path, corpus: Path, bucket: Bucket, environment: dict[str, str], monkeypatch: Any
) -> None:
    put = S3Objects.put

    def refused(self: S3Objects, address: Any, source: Path) -> None:
        if address.key.startswith("out/denied/b"):
            with monkeypatch.context() as patch:
                patch.setenv("AWS_ACCESS_KEY_ID", READS)
                patch.setenv("AWS_SECRET_ACCESS_KEY", READS_SECRET)
                self = S3Objects()
        put(self, address, source)

    monkeypatch.setattr(S3Objects, "put", refused)
    with pytest.raises(RemoteError, match=rf"refuses access to `s3://{bucket.name}/out/denied/b\.parquet`"):
        gated(ledger, corpus, bucket.at("out"), tour)
    assert (bucket.listed(), bucket.unfinished(), left(environment)) == ([], [], [])


@pytest.mark.slow
def test_a_gate_killed_wherever_leaves_no_output_and_the_next_goes_on(
    ledger: Ledger, tour: Path, lake: Bucket, environment: dict[str, str]
) -> None:
    gated(ledger, lake.at("corpus"), lake.at("whole"), tour, at=AT)
    ledger.close()
    whole = {key.removeprefix("whole/"): lake.read(key) for key in lake.listed("whole/")}
    finished, seen = 0, set()
    for number in range(8):
        command = [sys.executable, "-c", GATE, str(tour), lake.at("corpus"), lake.at("out"), "resume"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **environment}) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            # Early ones anywhere, later ones among the objects of the output.
            until = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < until:
                if (number < 4 and time.monotonic() > until - 30 + number * 0.3) or (
                    number >= 4 and len(lake.listed("out/")) >= number - 4
                    and (number > 4 or lake.listed(".out"))
                ):  # fmt: skip
                    break
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        keys = lake.listed("out/")
        seen.add(len(keys))
        if "out/manifest.json" in keys:
            finished += 1
            assert verify(lake.at("out"), lake.at("corpus")) == []
            for key in [*lake.listed("out/"), *lake.listed(".out")]:
                lake.remove(key)
        else:
            with pytest.raises(VerificationError, match="has no manifest"):
                verify(lake.at("out"))
    assert len(seen) > 1
    command = [sys.executable, "-c", GATE, str(tour), lake.at("corpus"), lake.at("out"), "resume"]
    subprocess.run(command, check=True, env={**os.environ, **environment})
    made = {key.removeprefix("out/"): lake.read(key) for key in lake.listed("out/")}
    for name in made.keys() | whole.keys():
        assert name == "manifest.dsse.json" or made[name] == whole[name]
    assert (verify(lake.at("out")), lake.unfinished(), lake.listed(".out"), left(environment)) == ([], [], [], [])


def test_who_goes_on_does_not_fetch_again_what_is_as_it_was(bucket: Bucket, tmp_path: Path) -> None:
    for name in "abc":
        bucket.put(f"in/{name}.csv", name.encode())
    Mirror(tmp_path / "mirror", S3Objects(), 2).patterns([bucket.at("in")])
    folder = tmp_path / f"mirror/objects/{bucket.name}/in"
    before = {path.name: path.stat().st_ino for path in folder.iterdir()}
    bucket.put("in/b.csv", b"B")
    bucket.remove("in/c.csv")
    (folder / "stray.csv").write_bytes(b"stray")
    Mirror(tmp_path / "mirror", S3Objects(), 2).patterns([bucket.at("in")])
    after = {path.name: path.stat().st_ino for path in folder.iterdir()}
    assert after.keys() == {"a.csv", "b.csv"}
    assert after["a.csv"] == before["a.csv"]
    assert (folder / "b.csv").read_bytes() == b"B"
    (folder / "a.csv").write_bytes(b"tampered with")
    Mirror(tmp_path / "mirror", S3Objects(), 2).patterns([bucket.at("in")])
    assert (folder / "a.csv").read_bytes() == b"a"


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_verify_tells_what_differs_in_a_bucket(ledger: Ledger, tour: Path, lake: Bucket) -> None:
    gated(ledger, lake.at("corpus"), lake.at("out"), tour)
    keys = ledger.log.keys
    assert verify(lake.at("out"), lake.at("corpus"), keys=keys) == []
    lake.put("out/more", b"more")
    lake.put("out/permitted/a.parquet", lake.read("out/permitted/b.parquet"))
    lake.remove("corpus/b.parquet")
    found = verify(lake.at("out"), lake.at("corpus"), keys=keys)
    assert {one.where for one in found} >= {"more", "permitted/a.parquet", "input b.parquet"}


def test_a_release_and_a_selection_are_opened_where_they_are(
    ledger: Ledger, tour: Path, corpus: Path, lake: Bucket, clock: Clock
) -> None:
    gated(ledger, lake.at("corpus"), lake.at("out"), tour)
    gated(ledger, lake.at("corpus"), lake.at("chosen"), tour, emit="selection")
    found = records(open_release(lake.at("out"), at=AT))
    assert found
    options: dict[str, Any] = {**USE, "now": clock, "keys": ledger.log.keys}
    for held in (
        lake.at("corpus"),
        corpus,
        {name: lake.at(f"corpus/{name}") for name in ("a.parquet", "b.parquet", "more/c.parquet")},
    ):
        assert records(open_selection(lake.at("chosen"), corpus=held, **options)) == found
    shutil.copytree(corpus, tour / "other")
    with pytest.raises(VerificationError, match="is for"):
        open_selection(lake.at("chosen"), corpus=lake.at("corpus"), **options | {"purpose": "ads"})
    lake.put("corpus/b.parquet", lake.read("corpus/a.parquet"))
    with pytest.raises(VerificationError, match=r"`b\.parquet` of the corpus is not the one that was selected from"):
        open_selection(lake.at("chosen"), corpus=lake.at("corpus"), **options)
    lake.remove("corpus/b.parquet")
    with pytest.raises(VerificationError, match=r"cannot read the file `b\.parquet`"):
        open_selection(lake.at("chosen"), corpus=lake.at("corpus"), **options)
    with pytest.raises(StaleError):
        open_release(lake.at("out"), at=instant.format(T0 + 10**15))
    lake.put("out/permitted/a.parquet", b"other")
    with pytest.raises(VerificationError, match="is not what its manifest says"):
        open_release(lake.at("out"), at=AT)


@pytest.mark.parametrize("key", ["a//b", "../b", "a/./b", "a/..", "a\0", "a/" + "b" * 256])
def test_a_key_that_no_file_can_have_is_refused(bucket: Bucket, tmp_path: Path, key: str) -> None:
    with pytest.raises(CorpusError, match="expected a key that can be a file's path below a directory"):
        Mirror(tmp_path / "mirror", S3Objects(), 1).path(Address(bucket.name, key))


def test_a_view_takes_no_bucket_and_makes_no_directory_of_its_name(ledger: Ledger, tour: Path, lake: Bucket) -> None:
    for source, into in ((lake.at("corpus"), tour / "view"), (tour / "corpus", lake.at("view"))):
        with pytest.raises(UsageError, match="read and write no names in buckets"):
            publish_view(
                ledger, source, table="posts", into=into, columns=tour / "corpus.yaml", purpose="generative-ai", recipient="platform",
            )  # fmt: skip
    assert not Path("s3:").exists()
