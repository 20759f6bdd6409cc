"""Appends of several threads in one transaction: whoever comes last writes for all who wait.

A durable commit costs the same for one event and for a hundred. Those who were just answered are likely to come again at
once; so the first who comes after a write waits for as many as there were, at most for an instant, and the last of them
writes, whom nobody needs to wake. Nobody is answered before the event is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any, Generic, TypeVar

from sayso.errors import StoreError

A = TypeVar("A")
T = TypeVar("T")

MOST = 512
"""How many are written at once, at most, so that nobody waits long."""


class _Waiting(Generic[A, T]):
    """One who waits: asleep until the lock is let go, by who writes or in order to watch that somebody does."""

    __slots__ = ("answer", "asked", "done", "error", "sleep")

    def __init__(self, asked: A) -> None:
        self.asked = asked
        self.answer: T | None = None
        self.error: BaseException | None = None
        self.done = False
        self.sleep = Lock()
        self.sleep.acquire()


class Group(Generic[A, T]):
    """Hands what several threads ask to `write`, many at a time.

    `write` gives an answer or an exception for each of those asked, in order; `patience` is for how many seconds who
    comes first waits for those who were there before.
    """

    def __init__(self, write: Callable[[Sequence[A]], Sequence[T | BaseException]], patience: float) -> None:
        self._write = write
        self._patience = patience
        self._waiting: list[_Waiting[A, T]] = []
        self._lock = Lock()
        self._busy = False
        self._expected = 1

    def ask(self, asked: A) -> T:
        """What `write` answers for this one; raises what it gives instead."""
        mine: _Waiting[A, T] = _Waiting(asked)
        try:
            self._stay(mine)
        except BaseException:
            self._leave(mine)
            raise
        if mine.error is not None:
            raise mine.error
        assert mine.answer is not None
        return mine.answer

    def _stay(self, mine: _Waiting[A, T]) -> None:
        """Waits until one is answered, and does what it takes. While nobody writes, the first who waits watches."""
        with self._lock:
            self._waiting.append(mine)
            leads = not self._busy and len(self._waiting) >= self._expected
            watches = not self._busy and len(self._waiting) == 1
            self._busy |= leads
        while not mine.done:
            if leads:
                self._lead(mine)
                leads = watches = False
            elif not watches:
                mine.sleep.acquire()
                watches = True
            elif not mine.sleep.acquire(timeout=self._patience):
                with self._lock:
                    leads = not self._busy and not mine.done
                    watches = False
                    self._busy |= leads

    def _leave(self, mine: _Waiting[A, T]) -> None:
        """Waits no longer, and lets another watch."""
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
            watching = self._waiting[:1] if not self._busy else []
        for one in watching:
            _wake(one)

    def _lead(self, mine: _Waiting[A, T]) -> None:
        """Writes for all who wait, oneself among them unless they are too many; the next who comes leads the next."""
        with self._lock:
            group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            answers = self._write([one.asked for one in group])
        except BaseException as error:  # noqa: BLE001 - it goes to who leads, and nobody sleeps for ever
            others = StoreError("the write that this was part of was interrupted; see whether it is there")
            answers = [error if one is mine else others for one in group]
        for one, answer in zip(group, answers, strict=True):
            if isinstance(answer, BaseException):
                one.error = answer
            else:
                one.answer = answer
            one.done = True
        with self._lock:
            watching = self._waiting[:1]
            self._expected = min(len(group) + len(self._waiting), MOST)
            self._busy = False
        for one in group + watching:
            if one is not mine:
                _wake(one)


def _wake(one: _Waiting[Any, Any]) -> None:
    """Lets somebody look again. Who was woken before, and has not looked yet, will look once."""
    with suppress(RuntimeError):
        one.sleep.release()
