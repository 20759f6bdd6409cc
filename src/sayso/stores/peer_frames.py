"""What processes of one host say to each other about appends: frames of MessagePack, each after its length in 4 bytes.

A request is a list of events. A reply is a list with, for each, its position and instant, or the error.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Union

import msgspec

from sayso import errors
from sayso.errors import InputError, Problem, SaysoError, StoreError
from sayso.ledger.events import KINDS, Event
from sayso.ledger.journal import Answer, Recorded

LENGTH_BYTES = 4
LONGEST = 64 * 2**20
"""The most bytes that a frame may have."""
_READ_BYTES = 65_536


class _Told(msgspec.Struct, array_like=True):
    """An answer: where the event is, or the class of the error and its problems or message."""

    position: int = -1
    recorded_at: int = 0
    error: str | None = None
    message: str = ""
    problems: list[tuple[str, str | None, int | None, int | None, str | None]] = []


_ENCODE = msgspec.msgpack.Encoder().encode
_EVENTS = msgspec.msgpack.Decoder(list[Union[tuple(KINDS.values())]])  # type: ignore[misc]  # noqa: UP007 - made of values
_TOLD = msgspec.msgpack.Decoder(list[_Told])
HELLO = _ENCODE("hello")
"""What who writes for all says first to who connects."""
BYE = _ENCODE("bye")
"""What it says last: whatever it did not answer, it did not take."""


class Frames:
    """Frames read from a socket, as they come."""

    def __init__(self, line: socket.socket) -> None:
        self.socket = line
        self._held = b""

    def next(self) -> bytes | None:
        """The next frame, waited for; `None` where the other side ended. Raises OSError."""
        while True:
            frame = self.whole()
            if frame is not None:
                return frame
            if not self.read():
                return None

    def read(self) -> bool:
        """Reads what is there; whether anything came. Raises OSError, also for a frame that is too long."""
        data = self.socket.recv(_READ_BYTES)
        self._held += data
        return bool(data)

    def whole(self) -> bytes | None:
        """A frame that was read whole, once; `None` if there is none."""
        size = int.from_bytes(self._held[:LENGTH_BYTES], "big")
        if size > LONGEST:
            raise ConnectionAbortedError("a frame is too long")
        stop = LENGTH_BYTES + size
        if len(self._held) < max(stop, LENGTH_BYTES):
            return None
        frame, self._held = self._held[LENGTH_BYTES:stop], self._held[stop:]
        return frame


def framed(data: bytes) -> bytes:
    """A frame."""
    return len(data).to_bytes(LENGTH_BYTES, "big") + data


def framed_events(events: Sequence[Event]) -> bytes:
    """A request."""
    return framed(_ENCODE(events))


def events_in(frame: bytes) -> list[Event]:
    """The events of a request. Raises msgspec.MsgspecError for what is none, as of another version of sayso."""
    found: list[Event] = _EVENTS.decode(frame)
    return found


def framed_answers(answers: Sequence[Answer]) -> bytes:
    """A reply."""
    return framed(_ENCODE([_told(one) for one in answers]))


def answers_in(frame: bytes) -> list[Answer]:
    """The answers of a reply. Raises msgspec.MsgspecError for what is none."""
    return [_answer(one) for one in _TOLD.decode(frame)]


def _told(answer: Answer) -> _Told:
    if isinstance(answer, Recorded):
        return _Told(answer.position, answer.recorded_at)
    problems = answer.problems if isinstance(answer, InputError) else ()
    return _Told(
        error=type(answer).__name__ if isinstance(answer, SaysoError) else StoreError.__name__,
        message=str(answer),
        problems=[(one.message, one.file, one.line, one.column, one.remedy) for one in problems],
    )


def _answer(told: _Told) -> Answer:
    if told.error is None:
        return Recorded(told.position, told.recorded_at)
    kind = getattr(errors, told.error, StoreError)
    if issubclass(kind, InputError):
        return kind([Problem(*one) for one in told.problems])
    error: SaysoError = kind(told.message)
    return error
