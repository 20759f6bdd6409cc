"""Appends of several threads in one transaction: whoever comes first writes for all who wait.

A durable commit costs the same for one event and for a hundred. While one is under way others gather; the first of
them leads the next, and lets those come who were just answered, for an instant. Nobody is answered before the event is
durable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

from sayso.errors import StoreError

A = TypeVar("A")
T = TypeVar("T")

MOST = 512
"""How many are written at once, at most, so that nobody waits long."""
PAUSES = 4
"""How often who leads lets others come, while fewer wait than did before."""


class _Waiting(Generic[A, T]):
    """One who waits: asleep until the lock is let go, by who leads or in order to lead."""

    __slots__ = ("answer", "asked", "error", "leads", "sleep")

    def __init__(self, asked: A) -> None:
        self.asked = asked
        self.answer: T | None = None
        self.error: BaseException | None = None
        self.leads = False
        self.sleep = Lock()
        self.sleep.acquire()


class Group(Generic[A, T]):
    """Hands what several threads ask to `write`, many at a time.

    `write` gives an answer or an exception for each of those asked, in order; `pause` lets others run for an instant.
    """

    def __init__(self, write: Callable[[Sequence[A]], Sequence[T | BaseException]], pause: Callable[[], None]) -> None:
        self._write = write
        self._pause = pause
        self._waiting: list[_Waiting[A, T]] = []
        self._lock = Lock()
        self._busy = False
        self._before = 0

    def ask(self, asked: A) -> T:
        """What `write` answers for this one; raises what it gives instead."""
        mine: _Waiting[A, T] = _Waiting(asked)
        with self._lock:
            self._waiting.append(mine)
            mine.leads = not self._busy
            self._busy = True
        if not mine.leads:
            mine.sleep.acquire()
        if mine.leads:
            self._lead()
        if mine.error is not None:
            raise mine.error
        assert mine.answer is not None
        return mine.answer

    def _lead(self) -> None:
        """Writes for all who wait, oneself among them, and lets the next one lead."""
        for _ in range(PAUSES):
            if len(self._waiting) >= self._before:
                break
            self._pause()
        with self._lock:
            group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            answers = self._write([one.asked for one in group])
        except BaseException as error:  # noqa: BLE001 - it goes to who leads, and nobody sleeps for ever
            others = StoreError("the write that this was part of was interrupted; see whether it is there")
            answers = [error, *[others] * (len(group) - 1)]
        with self._lock:
            following = self._waiting[0] if self._waiting else None
            self._before = min(len(group) + len(self._waiting), MOST)
            self._busy = following is not None
        for one, answer in zip(group, answers, strict=True):
            if isinstance(answer, BaseException):
                one.error = answer
            else:
                one.answer = answer
            if not one.leads:
                one.sleep.release()
        if following is not None:
            following.leads = True
            following.sleep.release()
