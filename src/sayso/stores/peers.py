"""Processes of one host that append to one ledger: one of them writes for all, so that they share commits.

Who appends a second time, and finds nobody who listens on the socket beside the keys, takes the lock there and listens.
The others hand it their events, and are answered when they are durable. This is only faster: whoever writes holds the
ledger itself, so that a process that finds nobody, or may not use the socket, writes by itself. Only the owner of the
keys may use it.

An event whose taker dies may be in the ledger or not, as where the connection to a server is lost: that is an error. A
taker that ends in order says so to all whose events it did not take, and they look for another.
"""

from __future__ import annotations

import fcntl
import os
import socket
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from sayso.errors import StoreError
from sayso.ledger.events import Event
from sayso.ledger.journal import Answer, Write
from sayso.stores.peer_frames import BYE, HELLO, Frames, answers_in, framed_events
from sayso.stores.peer_serving import Serving

TRIES = 3
"""How many takers in turn may end before one writes by oneself."""
GREETING_SECONDS = 1.0
"""How long who connects waits to be greeted: a taker that is busy greets after one write."""


class Peers:
    """The other processes of this host, by the path of a socket in a directory that only the keys' owner may write.

    `wait` is for how many seconds an answer is waited for; `pause` lets an instant pass, so that more events come.
    """

    def __init__(self, path: Path, wait: float, pause: Callable[[], None]) -> None:
        self._path = path
        self._wait = wait
        self._pause = pause
        self._alone = True
        self._line: Frames | None = None
        self._serving: Serving | None = None

    def hand(self, events: Sequence[Event], write: Write) -> list[Answer] | None:
        """What another process answers for each of some events; `None` where they are to be written here.

        `write` is what this process writes by, should it be the one that writes for all. One thread calls at a time.
        Raises StoreError where it is not known whether the events were written.
        """
        for _ in range(TRIES):
            line = self._connected(write)
            if line is None:
                return None
            answers = self._asked(line, events)
            if answers is not None:
                return answers
        return None

    def close(self) -> None:
        """Takes nothing more, answers what was taken, and lets another process listen."""
        self._hang_up()
        if self._serving is not None:
            self._serving.stop()
            self._serving = None

    def _connected(self, write: Write) -> Frames | None:
        """A line to who writes for all; `None` if it is this process, or nobody can be reached."""
        if self._serving is not None and self._serving.alive():
            return None
        if self._line is not None:
            return self._line
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.settimeout(GREETING_SECONDS)
            line.connect(str(self._path))
            frames = Frames(line)
            # Whoever may put another socket there could as well put other keys there; but events are for nobody else.
            if self._path.stat().st_uid == os.geteuid() and frames.next() == HELLO:
                line.settimeout(self._wait)
                self._line = frames
                return frames
        except (FileNotFoundError, ConnectionRefusedError):
            self._listen(write)
        except OSError:
            pass  # too long a path, no permission, nobody who greets: one writes by oneself
        line.close()
        return None

    def _asked(self, line: Frames, events: Sequence[Event]) -> list[Answer] | None:
        """The answers of who writes for all; `None` if it ended in order and did not take the events."""
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # it may have said why
                line.socket.sendall(framed_events(events))
            reply = line.next()
            if reply is not None and reply != BYE:
                return answers_in(reply)
        except (OSError, msgspec.MsgspecError):
            reply = None
        self._hang_up()
        if reply == BYE:
            return None
        raise StoreError(
            "the process that writes for all on this host was lost, or did not answer in time; look whether the event "
            "is there before you try again"
        )

    def _listen(self, write: Write) -> None:
        """Becomes who writes for all, unless another is about to. Not for a first event: it may be the only one."""
        if self._alone:
            self._alone = False
            return
        try:
            lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return  # keys that are mounted read-only, for one
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._path.unlink(missing_ok=True)
            listener.bind(str(self._path))
            self._path.chmod(0o600)  # nobody can connect before it listens
            listener.listen(128)
        except OSError:
            listener.close()
            os.close(lock)
            return
        self._serving = Serving(listener, lock, self._path, write, self._pause)
        os.register_at_fork(after_in_child=_forgetting(weakref.ref(self)))
        self._serving.start()

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.socket.close()
            self._line = None

    def forget(self) -> None:
        """Lets go of what a process that was forked has of its parent's: the parent goes on with it."""
        self._hang_up()
        if self._serving is not None:
            self._serving.forget()
            self._serving = None


def _forgetting(peers: weakref.ref[Peers]) -> Callable[[], None]:
    def forget() -> None:
        found = peers()
        if found is not None:
            found.forget()

    return forget
