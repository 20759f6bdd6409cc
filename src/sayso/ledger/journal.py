"""The journal: judges events, appends them whole or not at all, and reads them back.

Nothing reaches the ledger by another way. The clock and the randomness of salts are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

import msgspec

from sayso.errors import EventError, Problem
from sayso.ledger import events as e
from sayso.ledger.admission import people, refusals
from sayso.ledger.commitment import SALT_BYTES
from sayso.ledger.document import checked
from sayso.ledger.entry import Entry, seal, split, unseal, unsealed
from sayso.ledger.erasure import aliases_of, oblivion
from sayso.ledger.facts import Fact, Party, facts
from sayso.ledger.identity import Id, IdType
from sayso.ledger.state import Parties, World
from sayso.ledger.store import Head, Store, Writing

Judge: TypeAlias = Callable[[e.Event, e.PolicyPublished | None], Sequence[Problem]]
"""What a room that knows policies adds to the judgement of an event, given the policy last published before it."""


class Recorded(NamedTuple):
    """Where an event now is, and when it was recorded."""

    position: int
    recorded_at: int


class Span(NamedTuple):
    """The positions [start, stop) that a batch now has, and when it was recorded."""

    start: int
    stop: int
    recorded_at: int


class Refused(NamedTuple):
    """Why one event of a batch was refused: its place in the batch, from 0, and the problem."""

    place: int
    problem: Problem


class Read(NamedTuple):
    """An event as it was recorded. `event` is `None` where the person it was about has been erased."""

    position: int
    recorded_at: int
    kind: str
    event: e.Event | None


class _Pending(NamedTuple):
    """Events that are admitted and not yet appended, and their facts."""

    events: list[e.Event]
    facts: list[Fact]


class Journal:
    """Appends to a ledger and reads it.

    `now` gives the present instant in microseconds; `random_bytes(n)` n bytes fit for secrets; `judge` what else an
    event is refused for.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        judge: Judge | None = None,
    ) -> None:
        self.store = store
        self._now = now
        self._random_bytes = random_bytes
        self._judge = judge
        self._world = World()

    @property
    def id_type(self) -> IdType:
        """The type of every id in the ledger."""
        return self.store.id_type

    def head(self) -> Head:
        """The size of the ledger, and when its last event was recorded."""
        return self.store.head()

    def append(self, event: e.Event) -> Recorded:
        """Appends one event; it is durable when this returns.

        Raises EventError with every reason for which it is refused; StoreError, StoreBusyError.
        """
        span = self.append_many((event,))
        return Recorded(span.start, span.recorded_at)

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
    def writing(self) -> Iterator[Writer]:
        """An exclusive batch that may be added to in pieces; committed at the end of the block unless it raises."""
        with self.store.writing() as transaction:
            head = transaction.head()
            world = self._caught_up(transaction, head.size)
            # A clock that runs backwards must not order events otherwise than the log does.
            recorded_at = max(self._now(), head.recorded_at)
            yield Writer(transaction, self.id_type, head, recorded_at, world, self._random_bytes, self._judge)

    def _caught_up(self, transaction: Writing, size: int) -> World:
        """The world at the head, from what was read of it before. Only what is committed is kept for later."""
        # An older copy may have been restored in the ledger's place.
        world = World() if self._world.size > size else self._world.copy()
        for entry in transaction.globals(size, world.size):
            event = unsealed(entry, self.id_type)
            world.apply(event, entry.recorded_at if event.effective_at is None else event.effective_at)
        world.size = size
        self._world = world
        return world.copy()

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


class Writer:
    """A batch in the making. All of its events are recorded at one instant."""

    def __init__(
        self,
        transaction: Writing,
        id_type: IdType,
        head: Head,
        recorded_at: int,
        world: World,
        random_bytes: Callable[[int], bytes],
        judge: Judge | None,
    ) -> None:
        self.head = head
        self.recorded_at = recorded_at
        self._transaction = transaction
        self._id_type = id_type
        self._world = world
        self._random_bytes = random_bytes
        self._judge = judge

    def add(self, events: Sequence[e.Event]) -> list[Refused]:
        """Adds those of the events that are admitted, and says why the others are not.

        After a refusal the batch must not be committed, unless an event more or less is no matter: raise.
        """
        refused: list[Refused] = []
        fitting: list[tuple[int, e.Event]] = []
        for index, event in enumerate(events):
            try:
                # What is made in Python has not been checked as a document is when it is read.
                fitting.append((index, checked(type(event), msgspec.to_builtins(event), self._id_type)))
            except EventError as error:
                refused += [Refused(index, problem) for problem in error.problems]
        return sorted(refused + self.add_normalised(fitting), key=lambda one: one.place)

    def add_normalised(self, fitting: Sequence[tuple[int, e.Event]]) -> list[Refused]:
        """Adds events whose ids are in the ledger's form already, each with its place, as `add` does."""
        refused: list[Refused] = []
        parties = self._parties(event for _, event in fitting)
        pending = _Pending([], [])
        for index, event in fitting:
            problems = refusals(event, self.recorded_at, parties, self._world)
            if self._judge is not None and not problems:
                problems = list(self._judge(event, self._world.policy))
            if problems:
                refused += [Refused(index, problem) for problem in problems]
            elif isinstance(event, e.SubjectErased):
                self._flush(pending)
                self._admit(self._erase(event), pending, parties)
            else:
                self._admit(event, pending, parties)
        self._flush(pending)
        return refused

    def _admit(self, event: e.Event, pending: _Pending, parties: Parties) -> None:
        position = self.head.size + len(pending.events)
        pending.events.append(event)
        if event.everyones:
            effective = self.recorded_at if event.effective_at is None else event.effective_at
            self._world.apply(event, effective)
        for fact in facts(event, position, self.recorded_at, self._id_type):
            pending.facts.append(fact)
            parties.apply(fact)

    def _parties(self, events: Iterable[e.Event]) -> Parties:
        """What the ledger knows of the parties that these events are about."""
        subjects: set[Id] = set()
        organisations: set[Id] = set()
        for event in events:
            subjects.update(people(event))
            if isinstance(event, e.ChoiceRecorded) and event.organisation is not None:
                organisations.add(event.organisation)
        known: list[Fact] = []
        if subjects:
            known += self._transaction.facts_of(Party.SUBJECT, subjects)
        if organisations:
            known += self._transaction.facts_of(Party.ORGANISATION, organisations)
        return Parties(known)

    def _erase(self, event: e.SubjectErased) -> e.SubjectErased:
        """Destroys what the ledger holds of a person, and names in the event those who deny with it."""
        aliases = aliases_of(self._transaction, event.subject)
        self._transaction.forget(oblivion(self._transaction, event.subject))
        merged = dict.fromkeys((*aliases, *event.aliases))
        return e.SubjectErased(
            subject=event.subject,
            aliases=tuple(one for one in merged if one is not None),
            effective_at=event.effective_at,
            attested=event.attested,
        )

    def _flush(self, pending: _Pending) -> None:
        """Appends what was admitted since the last time."""
        if not pending.events:
            return
        entries: list[Entry] = []
        drafts = [split(event) for event in pending.events]
        salts = self._random_bytes(SALT_BYTES * sum([len(draft.bodies) for draft in drafts]))
        used = 0
        for position, draft in enumerate(drafts, start=self.head.size):
            end = used + SALT_BYTES * len(draft.bodies)
            entries.append(seal(draft, position, self.recorded_at, salts[used:end]))
            used = end
        self._transaction.append(entries, pending.facts)
        self.head = Head(self.head.size + len(pending.events), self.recorded_at)
        pending.events.clear()
        pending.facts.clear()


def _numbered(refused: Refused) -> Problem:
    problem = refused.problem
    return Problem(f"event {refused.place + 1}: {problem.message}", remedy=problem.remedy)
