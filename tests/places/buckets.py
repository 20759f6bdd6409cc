"""What tests do with buckets, beside what is tested, and lines to a store that break."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Bucket:
    """A bucket of a test's own."""

    name: str
    client: Any

    def at(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def put_tree(self, prefix: str, folder: Path) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def read(self, key: str) -> bytes:
        data: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return data

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def listed(self, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", ()) if not one["Key"].endswith("/")]

    def unfinished(self) -> list[str]:
        """The keys of uploads in parts that were not completed."""
        return [one["Key"] for one in self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", ())]


@contextmanager
def cut(endpoint: str, *, up: int = 1 << 60, down: int = 1 << 60) -> Iterator[str]:
    """A line to an endpoint that breaks for good once so many bytes went up, or came down; its own endpoint."""
    far = urlsplit(endpoint)
    left = {"up": up, "down": down}
    lock, stopped = threading.Lock(), threading.Event()

    def pump(source: socket.socket, target: socket.socket, way: str) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                with lock:
                    left[way] -= len(data)
                    if left[way] < 0:
                        stopped.set()
                if stopped.is_set():
                    break
                target.sendall(data)
        with source, suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def accept(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listening.accept()
                if stopped.is_set():
                    near.close()
                    continue
                other = socket.create_connection((str(far.hostname), int(far.port or 0)))
                for one in ((near, other, "up"), (other, near, "down")):
                    threading.Thread(target=pump, args=one, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, args=(listening,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        stopped.set()
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
