"""Who writes for all processes of one host: takes their events from a socket, writes them together, and answers."""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

import msgspec

from sayso.errors import SaysoError
from sayso.ledger.events import Event
from sayso.ledger.journal import Answer, Write
from sayso.stores.peer_frames import BYE, HELLO, Frames, events_in, framed, framed_answers

PAUSES = 4
"""How often others are let come, while fewer events wait than were written before."""


class Serving:
    """A thread that listens. It owns `listener`, the descriptor of the `lock` that it holds, and the socket's `path`."""

    def __init__(self, listener: socket.socket, lock: int, path: Path, write: Write, pause: Callable[[], None]) -> None:
        self._listener = listener
        self._lock = lock
        self._path = path
        self._write = write
        self._pause = pause
        self._ends, self._ending = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._lines: dict[socket.socket, Frames] = {}
        self._taken: list[tuple[socket.socket, list[Event]]] = []
        self._before = 1
        self._stopping = False
        self._thread = Thread(target=self._run, name="sayso-appends", daemon=True)
        listener.setblocking(False)
        for one in (listener, self._ends):
            self._selector.register(one, selectors.EVENT_READ)

    def start(self) -> None:
        """Begins to listen."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether it listens."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Takes nothing more, and comes back when all that was taken is answered."""
        with suppress(OSError):
            self._ending.send(b"\0")
        self._thread.join()
        self._ending.close()

    def forget(self) -> None:
        """Closes what a forked process has of it, while its parent goes on."""
        self._selector.close()
        for one in (*self._lines, self._listener, self._ends, self._ending):
            one.close()
        os.close(self._lock)

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._look(None)
                for _ in range(PAUSES):
                    if not self._taken or len(self._taken) >= self._before or self._stopping:
                        break
                    self._pause()
                    self._look(0)
                if self._taken:
                    self._answer()
            for line in self._lines:
                with suppress(OSError):
                    line.send(framed(BYE))
        finally:
            # In this order: whoever gets the lock makes the socket anew.
            self._path.unlink(missing_ok=True)
            self._selector.close()
            for one in (*self._lines, self._listener, self._ends):
                one.close()
            os.close(self._lock)

    def _look(self, seconds: float | None) -> None:
        """Lets in who comes, and takes what they ask."""
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._listener:
                self._let_in()
            elif key.fileobj is self._ends:
                self._stopping = True
            else:
                assert isinstance(key.fileobj, socket.socket)
                self._read(key.fileobj)

    def _let_in(self) -> None:
        try:
            line, _ = self._listener.accept()
        except OSError:
            return  # who came is gone
        line.setblocking(False)
        self._lines[line] = Frames(line)
        self._selector.register(line, selectors.EVENT_READ)
        try:
            line.send(framed(HELLO))
        except OSError:
            self._drop(line)

    def _read(self, line: socket.socket) -> None:
        """Takes what one asks; lets go of who ended, or says what cannot be understood."""
        frames = self._lines[line]
        try:
            more = frames.read()
            while (frame := frames.whole()) is not None:
                self._taken.append((line, events_in(frame)))
        except BlockingIOError:
            return
        except OSError:
            more = False
        except msgspec.MsgspecError:
            with suppress(OSError):
                line.send(framed(BYE))
            more = False
        if not more:
            self._drop(line)

    def _drop(self, line: socket.socket) -> None:
        if self._lines.pop(line, None) is not None:
            self._selector.unregister(line)
            line.close()

    def _answer(self) -> None:
        """Writes what was taken, and answers."""
        taken, self._taken = self._taken, []
        self._before = len(taken)
        events = tuple(event for _, several in taken for event in several)
        try:
            answers = self._write(events)
        except SaysoError as error:
            answers = [error] * len(events)
        at = 0
        for line, several in taken:
            self._reply(line, answers[at : at + len(several)])
            at += len(several)

    def _reply(self, line: socket.socket, answers: list[Answer]) -> None:
        if line not in self._lines:
            return
        data = framed_answers(answers)
        try:
            whole = line.send(data) == len(data)
        except OSError:
            whole = False
        if not whole:  # it is gone, or does not read: nobody waits for it
            self._drop(line)
