"""The port to buckets, against a store that is one: what is pinned, what is left of what fails, and what is told of it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sayso.errors import CorpusError, RemoteError, SaysoError
from sayso.gate.objects import Address
from sayso.places.s3 import S3Objects
from tests.places.buckets import Bucket, cut
from tests.places.server import KEY, READS, READS_SECRET, SECRET, Server


def at(bucket: Bucket, key: str) -> Address:
    return Address(bucket.name, key)


def test_what_is_written_is_seen_listed_and_fetched(bucket: Bucket, tmp_path: Path) -> None:
    objects = S3Objects()
    (tmp_path / "one").write_bytes(b"1" * 100)
    objects.put(at(bucket, "a/one"), tmp_path / "one")
    seen = objects.seen(at(bucket, "a/one"))
    assert seen is not None
    assert [one.key for one in objects.below(at(bucket, "a"))] == ["a/one"]
    assert list(objects.below(at(bucket, "a/on"))) == []
    assert next(objects.below(at(bucket, ""))).same(seen)
    objects.fetch(bucket.name, seen, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"1" * 100
    assert (objects.seen(at(bucket, "a")), objects.read(at(bucket, "b"))) == (None, None)


def test_a_listing_of_more_than_a_page_is_whole(bucket: Bucket) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: bucket.put(f"many/{number:04}", b"x"), range(1_050)))
    objects = S3Objects()
    assert [one.key for one in objects.below(at(bucket, "many"))] == [f"many/{number:04}" for number in range(1_050)]
    objects.remove(bucket.name, [f"many/{number:04}" for number in range(1_049)])
    assert bucket.listed() == ["many/1049"]


def test_an_object_is_created_once(bucket: Bucket) -> None:
    objects = S3Objects()
    assert objects.create(at(bucket, "claim"), b"mine")
    assert not objects.create(at(bucket, "claim"), b"theirs")
    assert objects.read(at(bucket, "claim")) == b"mine"


@pytest.mark.parametrize("change", [lambda b: b.put("one", b"other"), lambda b: b.remove("one")], ids=["other", "gone"])
def test_an_object_that_is_not_the_one_seen_is_not_fetched(
    bucket: Bucket, tmp_path: Path, change: Callable[[Bucket], None]
) -> None:
    bucket.put("one", b"first")
    objects = S3Objects()
    held = next(objects.below(at(bucket, "")))
    change(bucket)
    with pytest.raises(CorpusError, match=rf"s3://{bucket.name}/one: expected an object that nobody writes"):
        objects.fetch(bucket.name, held, tmp_path / "one")
    assert not held.same(objects.seen(at(bucket, "one")))


def test_where_versions_are_kept_the_same_bytes_again_are_another(bucket: Bucket, tmp_path: Path) -> None:
    bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    bucket.put("one", b"same")
    objects = S3Objects()
    held = objects.fetch(bucket.name, next(objects.below(at(bucket, ""))), tmp_path / "one")
    assert held.version is not None
    assert held.same(objects.seen(at(bucket, "one")))
    bucket.put("one", b"same")
    assert not held.same(objects.seen(at(bucket, "one")))


def test_a_large_file_goes_in_parts_and_comes_back(bucket: Bucket, tmp_path: Path) -> None:
    objects = S3Objects()
    data = os.urandom(40 << 20)
    (tmp_path / "large").write_bytes(data)
    objects.put(at(bucket, "large"), tmp_path / "large")
    seen = objects.seen(at(bucket, "large"))
    assert seen is not None
    assert seen.tag.rstrip('"').endswith("-3")
    objects.fetch(bucket.name, seen, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data


def test_of_an_upload_that_is_refused_midway_no_part_is_left(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "large").write_bytes(os.urandom(40 << 20))
    objects = S3Objects()

    def refuse(request: object, **_: object) -> None:
        request.headers["Authorization"] = "none"  # type: ignore[attr-defined]

    # The second part and those after it arrive without a signature that holds.
    objects._client.meta.events.register(
        "before-send.s3.UploadPart", lambda request, **_: refuse(request) if "partNumber=1" not in request.url else None
    )
    with pytest.raises(RemoteError, match=rf"`s3://{bucket.name}/large`"):
        objects.put(at(bucket, "large"), tmp_path / "large")
    assert (bucket.listed(), bucket.unfinished()) == ([], [])


def test_what_nobody_completed_is_abandoned(bucket: Bucket) -> None:
    for key in ("out/a", "outer/b"):
        bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)
    S3Objects().abandon(at(bucket, "out"))
    assert bucket.unfinished() == ["outer/b"]


def test_a_transfer_that_breaks_off_is_an_error(
    bucket: Bucket, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("one", os.urandom(8 << 20))
    with cut(server.endpoint, down=4 << 20) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        objects = S3Objects(connect_seconds=1, read_seconds=2)
        held = objects.seen(at(bucket, "one"))
        assert held is not None
        with pytest.raises(RemoteError, match=rf"`s3://{bucket.name}/one`"):
            objects.fetch(bucket.name, held, tmp_path / "one")


def test_what_goes_wrong_is_told_without_secrets(
    bucket: Bucket, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"x")
    told: dict[str, str] = {}

    def tell(name: str, act: Callable[[], object]) -> None:
        with pytest.raises(SaysoError) as caught:
            act()
        whole = "".join(traceback.format_exception(caught.value))
        assert not any(secret in whole for secret in (SECRET, READS_SECRET, KEY, READS))
        assert caught.value.__cause__ is None
        told[name] = str(caught.value)

    tell("bucket", lambda: list(S3Objects().below(Address("no-such-bucket", ""))))
    tell("put", lambda: S3Objects().put(Address("no-such-bucket", "x"), tmp_path / "file"))
    with monkeypatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        tell("denied", lambda: list(S3Objects().below(at(bucket, "a"))))
        tell("head", lambda: S3Objects().seen(at(bucket, "a")))
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", READS)
        patch.setenv("AWS_SECRET_ACCESS_KEY", READS_SECRET)
        tell("write", lambda: S3Objects().put(at(bucket, "a"), tmp_path / "file"))
    with monkeypatch.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.delenv("AWS_SECRET_ACCESS_KEY")
        tell("none", lambda: S3Objects().seen(at(bucket, "a")))
        patch.setenv("AWS_PROFILE", "nobody")
        tell("profile", S3Objects)
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        tell("network", lambda: S3Objects(connect_seconds=1).seen(at(bucket, "a")))
        patch.setenv("AWS_ENDPOINT_URL", "nowhere")
        tell("endpoint", S3Objects)
    where = f"`s3://{bucket.name}/a`"
    assert told["bucket"] == "there is no bucket `no-such-bucket`, asked for `s3://no-such-bucket`"
    assert told["put"] == "there is no bucket `no-such-bucket`, asked for `s3://no-such-bucket/x`"
    for name, code in (("denied", "SignatureDoesNotMatch"), ("head", "403"), ("write", "AccessDenied")):
        assert told[name].startswith(f"the object store refuses access to {where} ({code}); check the credentials")
    assert told["none"].startswith(f"there are no credentials for {where} (NoCredentialsError); set AWS_PROFILE")
    assert told["network"].startswith(f"the object store cannot be reached for {where} (EndpointConnectionError)")
    assert told["profile"].startswith("cannot make a client of the object store (ProfileNotFound); check AWS_PROFILE")
    assert told["endpoint"].startswith("cannot make a client of the object store (ValueError)")


def test_credentials_may_be_those_of_a_profile(
    bucket: Bucket, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("one", b"1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text(f"[profile lake]\nendpoint_url = {server.endpoint}\nregion = us-east-1\n")
    (tmp_path / "credentials").write_text(f"[lake]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "lake")
    assert S3Objects().read(at(bucket, "one")) == b"1"
