"""The journal: judges events, appends them whole or not at all, and reads them back.

Nothing reaches the ledger by another way. The clock and the randomness of salts are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple, Protocol, TypeAlias

from sayso.errors import EventError, KeyFileError, Problem, SaysoError
from sayso.ledger import events as e
from sayso.ledger.admission import Named
from sayso.ledger.document import checked_again
from sayso.ledger.entry import Entry, unseal, unsealed
from sayso.ledger.grouping import Group
from sayso.ledger.head import LogHead, Seen, Unseen
from sayso.ledger.identity import IdType
from sayso.ledger.keys import Keys
from sayso.ledger.state import World
from sayso.ledger.store import Head, Store, Writing
from sayso.ledger.writing import Judge, Refused, Writer


class Recorded(NamedTuple):
    """Where an event now is, and when it was recorded."""

    position: int
    recorded_at: int


class Span(NamedTuple):
    """The positions [start, stop) that a batch now has, and when it was recorded."""

    start: int
    stop: int
    recorded_at: int


class Read(NamedTuple):
    """An event as it was recorded. `event` is `None` where the person it was about has been erased."""

    position: int
    recorded_at: int
    kind: str
    event: e.Event | None


Answer: TypeAlias = Recorded | BaseException
"""What comes of an event: where it is, or why it is not there."""
Write: TypeAlias = Callable[[tuple[e.Event, ...]], list[Answer]]
"""Writes checked events, and answers for each."""


class Peers(Protocol):
    """The other processes that append to the ledger, of which one may write for all."""

    def hand(self, events: Sequence[e.Event], write: Write) -> list[Answer] | None:
        """What another process answers for each of some checked events; `None` where they are to be written here.

        `write` is what this process writes by, should it be the one that writes for all.
        """

    def close(self) -> None:
        """Takes nothing more, and answers what was taken."""


class Journal:
    """Appends to a ledger and reads it.

    `keys` sign the log and know the erased; `now` gives the present instant in microseconds; `random_bytes(n)` n bytes
    fit for secrets; `judge` what else an event is refused for; `seen` remembers the newest checkpoint; `patience` for how many
    seconds an append waits for those of other threads, so that they share a commit.
    """

    def __init__(
        self,
        store: Store,
        *,
        keys: Keys,
        now: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        judge: Judge | None = None,
        seen: Seen | None = None,
        origin: str | None = None,
        patience: float = 0.0,
        peers: Peers | None = None,
    ) -> None:
        self.store = store
        self.keys = keys
        self._now = now
        self._random_bytes = random_bytes
        self._judge = judge
        self._world = World()
        self.log = LogHead(origin or store.origin, keys, Unseen() if seen is None else seen)
        self._peers = peers
        self._group: Group[tuple[e.Event, ...], list[Answer]] = Group(self._write, patience)

    @property
    def id_type(self) -> IdType:
        """The type of every id in the ledger."""
        return self.store.id_type

    def use(self, keys: Keys) -> None:
        """Goes on with other keys of the same log, and writes for nobody who still has the old ones."""
        self.keys = self.log.keys = keys
        if self._peers is not None:
            self._peers.close()
            self._peers = None

    def head(self) -> Head:
        """The size of the ledger, and when its last event was recorded."""
        return self.store.head()

    def append(self, event: e.Event) -> Recorded:
        """Appends one event; it is durable, and covered by a checkpoint, when this returns.

        Threads that append at once share a transaction. Raises EventError with every reason for which it is refused;
        StoreError, StoreBusyError, KeyFileError.
        """
        # Here, and not by who writes for all: meanwhile the last group's commit may be under way.
        (answer,) = self._group.ask((checked_again(event, self.id_type),))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _write(self, asked: Sequence[tuple[e.Event, ...]]) -> list[list[Answer]]:
        """Appends what several threads ask, each some events, in one transaction; here or by another process."""
        events = [event for several in asked for event in several]
        answers = None if self._peers is None else self._peers.hand(events, self._group.ask)
        left = iter(self._append_each(events) if answers is None else answers)
        return [list(islice(left, len(several))) for several in asked]

    def _append_each(self, events: Sequence[e.Event]) -> list[Answer]:
        """Appends those of some checked events that are admitted; the others have their refusal as answer."""
        try:
            named = Named.by(events)
            with self.writing(named) as writer:
                position = writer.head.size
                refused: dict[int, list[Problem]] = {}
                for one in writer.add_normalised(list(enumerate(events)), named):
                    refused.setdefault(one.place, []).append(one.problem)
                answers: list[Answer] = []
                for place in range(len(events)):
                    if place in refused:
                        answers.append(EventError(refused[place]))
                    else:
                        answers.append(Recorded(position, writer.recorded_at))
                        position += 1
                return answers
        except SaysoError as error:
            return [error] * len(events)

    def append_many(self, events: Iterable[e.Event]) -> Span:
        """Appends events in order, all of them or none. Raises as `append` does, counting events from 1."""
        batch = list(events)
        with self.writing() as writer:
            start = writer.head.size
            refused = writer.add(batch)
            if refused:
                several = len(batch) > 1
                raise EventError([_numbered(one) if several else one.problem for one in refused])
            return Span(start, writer.head.size, writer.recorded_at)

    @contextmanager
    def writing(self, named: Named | None = None) -> Iterator[Writer]:
        """An exclusive batch that may be added to in pieces; committed at the end of the block unless it raises.

        `named` are those whom its first events are about: they are read with the head.
        """
        self.keys.signing()
        with self.store.writing() as transaction:
            transaction.look_ahead({} if named is None else named.by_party())
            head = transaction.head()
            edge = self.log.take(transaction)
            world = self._caught_up(transaction, head.size)
            if world.key is not None and world.key not in map(str, self.keys.verifiers):
                raise KeyFileError("the log's key was changed; open the ledger again, with the new one")
            # A clock that runs backwards must not order events otherwise than the log does.
            recorded_at = max(self._now(), head.recorded_at)
            writer = Writer(
                transaction, self.id_type, head, recorded_at, world, edge, self.keys, self._random_bytes, self._judge
            )
            yield writer
            if edge.size > head.size:
                signed = self.log.sign(edge)
                transaction.grow(edge.changed(), signed)
            else:
                signed = transaction.checkpoint()
            self.log.bury(writer.buried)
        self.log.keep(signed, edge)
        if writer.world is world:
            self._world = world.at(writer.head.size)

    def _caught_up(self, transaction: Writing, size: int) -> World:
        """The world at the head, from what was read of it before. Only what is committed is kept for later."""
        known = self._world
        if known.size == size:
            return known
        # An older copy may have been restored in the ledger's place.
        world = World() if known.size > size else known.copy()
        for entry in transaction.globals(size, world.size):
            event = unsealed(entry, self.id_type)
            world.apply(event, entry.recorded_at if event.effective_at is None else event.effective_at)
        world.size = size
        self._world = world
        return world

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Read]:
        """The events at positions in [start, stop), in order; to the head without `stop`."""
        return (self._read(entry) for entry in self.store.entries(start, stop))

    def globals(self, upto: int | None = None) -> Iterator[Read]:
        """The events below `upto` that are about nobody in particular, in order.

        Policies, published notices, deliveries to a described audience, suspensions, withdrawn versions, datasets and
        models.
        """
        return (self._read(entry) for entry in self.store.globals(upto))

    def _read(self, entry: Entry) -> Read:
        return Read(entry.position, entry.recorded_at, entry.kind, unseal(entry, self.id_type))


def _numbered(refused: Refused) -> Problem:
    problem = refused.problem
    return Problem(f"event {refused.place + 1}: {problem.message}", remedy=problem.remedy)
