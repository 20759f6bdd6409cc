"""The journal: judges events, appends them whole or not at all, and reads them back.

Nothing reaches the ledger by another way. The clock and the randomness of salts are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

import msgspec

from sayso.canonical import canonical_bytes
from sayso.errors import EventError, KeyFileError, Problem, SaysoError
from sayso.ledger import events as e
from sayso.ledger.admission import people, refusals
from sayso.ledger.commitment import SALT_BYTES
from sayso.ledger.document import checked
from sayso.ledger.entry import Draft, Entry, seal, split, unseal, unsealed
from sayso.ledger.erasure import aliases_of, oblivion
from sayso.ledger.facts import Fact, Party, facts
from sayso.ledger.grouping import Group
from sayso.ledger.head import LogHead, Seen, Unseen
from sayso.ledger.identity import Id, IdType
from sayso.ledger.keys import Keys
from sayso.ledger.log.tiles import LONGEST_ENTRY, Edge
from sayso.ledger.state import Parties, World
from sayso.ledger.store import Head, Oblivion, Store, Tombstone, Writing

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
    """Events that are admitted and not yet appended: their drafts, the digests that stand behind them, their facts."""

    drafts: list[tuple[Draft, str | None, str | None]]
    facts: list[Fact]


class Journal:
    """Appends to a ledger and reads it.

    `keys` sign the log and know the erased; `now` gives the present instant in microseconds; `random_bytes(n)` n bytes
    fit for secrets; `judge` what else an event is refused for; `seen` remembers the newest checkpoint; `pause` lets
    other threads run for an instant, so that they may share a commit.
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
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        self.store = store
        self.keys = keys
        self._now = now
        self._random_bytes = random_bytes
        self._judge = judge
        self._world = World()
        self.log = LogHead(origin or store.origin, keys, Unseen() if seen is None else seen)
        self._group: Group[e.Event, Recorded] = Group(self._append_each, pause)

    @property
    def id_type(self) -> IdType:
        """The type of every id in the ledger."""
        return self.store.id_type

    def use(self, keys: Keys) -> None:
        """Goes on with other keys of the same log."""
        self.keys = self.log.keys = keys

    def head(self) -> Head:
        """The size of the ledger, and when its last event was recorded."""
        return self.store.head()

    def append(self, event: e.Event) -> Recorded:
        """Appends one event; it is durable, and covered by a checkpoint, when this returns.

        Threads that append at once share a transaction. Raises EventError with every reason for which it is refused;
        StoreError, StoreBusyError, KeyFileError.
        """
        return self._group.ask(event)

    def _append_each(self, events: Sequence[e.Event]) -> list[Recorded | BaseException]:
        """Appends those of some events that are admitted; the others have their refusal as answer."""
        try:
            with self.writing() as writer:
                position = writer.head.size
                refused: dict[int, list[Problem]] = {}
                for one in writer.add(events):
                    refused.setdefault(one.place, []).append(one.problem)
                answers: list[Recorded | BaseException] = []
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
    def writing(self) -> Iterator[Writer]:
        """An exclusive batch that may be added to in pieces; committed at the end of the block unless it raises."""
        self.keys.signing()
        with self.store.writing() as transaction:
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
            signed = transaction.checkpoint()
            if edge.size > head.size:
                signed = self.log.sign(edge)
                transaction.grow(edge.changed(), signed)
            self.log.bury(writer.buried)
        self.log.keep(signed, edge)

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
        edge: Edge,
        keys: Keys,
        random_bytes: Callable[[int], bytes],
        judge: Judge | None,
    ) -> None:
        self.head = head
        self.recorded_at = recorded_at
        self.buried: list[bytes] = []
        """The tombstones of those whom this batch erases."""
        self._transaction = transaction
        self._id_type = id_type
        self._world = world
        self._edge = edge
        self._keys = keys
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
                self._erase(event, pending, parties)
            else:
                problems = self._admit(event, pending, parties)
                refused += [Refused(index, problem) for problem in problems]
        self._flush(pending)
        return refused

    def _admit(self, event: e.Event, pending: _Pending, parties: Parties) -> list[Problem]:
        """Takes an event among those to append, unless what it says publicly is too long for an entry of the log."""
        draft = split(event, self.recorded_at)
        if draft.everyones and len(canonical_bytes(draft.public)) > LONGEST_ENTRY:
            told = f"{event.kind}: it takes more than {LONGEST_ENTRY} bytes, without a policy's document"
            return [Problem(told, remedy="say it in several events")]
        position = self.head.size + len(pending.drafts)
        policy = notice = None
        match event:
            case (
                e.ChoiceRecorded(notice=e.NoticeRef(id=name, version=version))
                | e.NoticeDelivered(notice=str() as name, version=version)
            ):
                notice = self._world.notice_digest(name, version)
            case _:
                pass
        if isinstance(event, e.ChoiceRecorded | e.NoticeDelivered) and self._world.policy is not None:
            policy = self._world.policy.digest
        pending.drafts.append((draft, policy, None if draft.everyones else notice))
        if event.everyones:
            effective = self.recorded_at if event.effective_at is None else event.effective_at
            self._world.apply(event, effective)
        for fact in facts(event, position, self.recorded_at, self._id_type):
            pending.facts.append(fact)
            parties.apply(fact)
        return []

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
        parties = Parties(known)
        if subjects and self._transaction.entombed():
            key_of = {self._keys.tombstone(one): one for one in subjects}
            for key in self._transaction.tombstones(key_of):
                parties.bury(key_of[key])
        return parties

    def _erase(self, event: e.SubjectErased, pending: _Pending, parties: Parties) -> None:
        """Destroys what the ledger holds of a person under every id, and appends that this was done."""
        everyone = [event.subject, *aliases_of(self._transaction, event.subject)]
        keys = [self._keys.tombstone(one) for one in everyone]
        gone = [oblivion(self._transaction, one) for one in everyone]
        position = self.head.size
        pending.drafts.append((split(event, self.recorded_at, keys), None, None))
        self._flush(pending)
        self._transaction.forget(
            Oblivion(
                [part for one in gone for part in one.parts],
                [row for one in gone for row in one.rows],
                [row for one in gone for row in one.names],
            ),
            [Tombstone(key, position) for key in keys],
        )
        self.buried += keys
        for one in everyone:
            parties.bury(one)

    def _flush(self, pending: _Pending) -> None:
        """Appends what was admitted since the last time."""
        if not pending.drafts:
            return
        entries: list[Entry] = []
        salts = self._random_bytes(SALT_BYTES * sum([len(draft.bodies) for draft, _, _ in pending.drafts]))
        used = 0
        for position, (draft, policy, notice) in enumerate(pending.drafts, start=self.head.size):
            end = used + SALT_BYTES * len(draft.bodies)
            entries.append(seal(draft, position, self.recorded_at, salts[used:end], policy, notice))
            used = end
        self._transaction.append(entries, pending.facts)
        self._edge.extend([entry.leaf for entry in entries])
        self.head = Head(self.head.size + len(entries), self.recorded_at)
        pending.drafts.clear()
        pending.facts.clear()


def _numbered(refused: Refused) -> Problem:
    problem = refused.problem
    return Problem(f"event {refused.place + 1}: {problem.message}", remedy=problem.remedy)
