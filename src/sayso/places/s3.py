"""Buckets of Amazon S3 and of what speaks its protocol, by boto3, which finds endpoint, region and credentials itself.

What it says of a failure is told by its code alone: a message, or a request, may hold what identifies a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - the library's own name
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)

from sayso.errors import CorpusError, Problem, RemoteError
from sayso.gate.objects import Address, Held

PIECE = 1 << 20
"""Bytes of an object that are in memory while it is fetched."""
AT_ONCE = 1000
"""So many objects are removed by one request, as S3 allows."""
TRIES = 3
"""So often an object is fetched whose transfer breaks off."""
CONNECTIONS = 32
_CODE = re.compile(r"[A-Za-z0-9.]{1,64}", re.ASCII)
_GONE = ("404", "NoSuchKey", "NoSuchVersion", "NotFound")
_CHANGED = ("412", "PreconditionFailed", "ConditionalRequestConflict")
_DENIED = ("401", "403", "AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken",
           "InvalidToken", "AllAccessDisabled", "AccountProblem", "RequestTimeTooSkewed")  # fmt: skip
_UNKNOWN = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, ProfileNotFound)


class S3Objects:
    """Buckets, by a client that several threads share."""

    def __init__(self, *, connect_seconds: float = 10, read_seconds: float = 60) -> None:
        config = Config(
            connect_timeout=connect_seconds, read_timeout=read_seconds, max_pool_connections=CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": 5},
        )  # fmt: skip
        try:
            self._client: Any = boto3.session.Session().client("s3", config=config)
        except (BotoCoreError, ValueError) as error:
            told = f"cannot make a client of the object store ({type(error).__name__})"
            raise RemoteError(f"{told}; check AWS_PROFILE, AWS_CONFIG_FILE and AWS_ENDPOINT_URL") from None
        # Several files are written at once as it is, so each takes few threads.
        self._transfer = TransferConfig(max_concurrency=4, multipart_chunksize=16 << 20, multipart_threshold=16 << 20)

    def below(self, address: Address) -> Iterator[Held]:
        with _asking(address):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=address.bucket, Prefix=address.prefix):
                for one in page.get("Contents", ()):
                    yield Held(one["Key"], one["Size"], one["ETag"])

    def seen(self, address: Address) -> Held | None:
        with _asking(address):
            try:
                said = self._client.head_object(Bucket=address.bucket, Key=address.key)
            except ClientError as error:
                if _code(error) in _GONE:
                    return None
                raise
            return Held(address.key, said["ContentLength"], said["ETag"], said.get("VersionId"))

    def fetch(self, bucket: str, held: Held, target: Path) -> Held:
        address = Address(bucket, held.key)
        with _asking(address):
            for _ in range(TRIES - 1):
                try:
                    return self._fetched(address, held, target)
                except BotoCoreError:
                    continue
            return self._fetched(address, held, target)

    def _fetched(self, address: Address, held: Held, target: Path) -> Held:
        pinned = {"VersionId": held.version} if held.version else {}
        try:
            said = self._client.get_object(Bucket=address.bucket, Key=held.key, IfMatch=held.tag, **pinned)
        except ClientError as error:
            if _code(error) in (*_GONE, *_CHANGED):
                raise changed(address) from None
            raise
        size = _written(said["Body"], target)
        if size != held.size:
            raise RemoteError(f"got {size:,} bytes of `{address}`, which has {held.size:,}; try again")
        return held._replace(version=said.get("VersionId"))

    def read(self, address: Address) -> bytes | None:
        with _asking(address):
            try:
                data: bytes = self._client.get_object(Bucket=address.bucket, Key=address.key)["Body"].read()
            except ClientError as error:
                if _code(error) in _GONE:
                    return None
                raise
            return data

    def put(self, address: Address, source: Path) -> None:
        with _asking(address), create_transfer_manager(self._client, self._transfer) as manager:
            manager.upload(str(source), address.bucket, address.key).result()

    def create(self, address: Address, data: bytes) -> bool:
        with _asking(address):
            try:
                self._client.put_object(Bucket=address.bucket, Key=address.key, Body=data, IfNoneMatch="*")
            except ClientError as error:
                if _code(error) in _CHANGED:
                    return False
                raise
            return True

    def remove(self, bucket: str, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), AT_ONCE):
            some = keys[start : start + AT_ONCE]
            with _asking(Address(bucket, some[0])):
                said = self._client.delete_objects(
                    Bucket=bucket, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True}
                )
            for one in said.get("Errors", ()):
                raise RemoteError(f"cannot remove `{Address(bucket, one['Key'])}` ({_plain(one.get('Code', ''))})")

    def abandon(self, address: Address) -> None:
        with _asking(address):
            pages = self._client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=address.bucket, Prefix=address.prefix):
                for one in page.get("Uploads", ()):
                    self._client.abort_multipart_upload(Bucket=address.bucket, Key=one["Key"], UploadId=one["UploadId"])


def changed(address: Address) -> CorpusError:
    """What is told of an object that is not the one that was seen."""
    return CorpusError(Problem("expected an object that nobody writes or removes while it is read", file=str(address)))


def _written(body: Any, target: Path) -> int:
    """Writes what is sent to a file; the number of bytes. The library checks it where the store keeps a checksum."""
    size = 0
    with body, target.open("wb") as file:
        for piece in body.iter_chunks(PIECE):
            size += file.write(piece)
    return size


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _plain(code: str) -> str:
    """A code, if that is what it is."""
    return code if _CODE.fullmatch(code) else "an unknown code"


@contextmanager
def _asking(address: Address) -> Iterator[None]:
    """Tells in our words what goes wrong at an address."""
    try:
        yield
    except ClientError as error:
        code = _code(error)
        if code == "NoSuchBucket":
            raise RemoteError(f"there is no bucket `{address.bucket}`, asked for `{address}`") from None
        if code in _DENIED:
            remedy = "check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID, a role) and what they allow"
            raise RemoteError(f"the object store refuses access to `{address}` ({code}); {remedy}") from None
        if code in _GONE:
            raise RemoteError(f"there is no `{address}` ({code})") from None
        raise RemoteError(f"the object store failed at `{address}` ({_plain(code)}); try again") from None
    except _UNKNOWN as error:
        told = f"there are no credentials for `{address}` ({type(error).__name__})"
        raise RemoteError(f"{told}; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") from None
    except (HTTPClientError, ConnectionError) as error:
        told = f"the object store cannot be reached for `{address}` ({type(error).__name__})"
        raise RemoteError(f"{told}; check the network, and AWS_ENDPOINT_URL where it is set") from None
    except BotoCoreError as error:
        raise RemoteError(f"the object store's client failed at `{address}` ({type(error).__name__})") from None
