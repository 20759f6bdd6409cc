"""A batch in the making: events are judged one after another, sealed, and appended with their facts and their leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from sayso.canonical import canonical_bytes
from sayso.errors import EventError, Problem
from sayso.ledger import events as e
from sayso.ledger.admission import Named, refusals
from sayso.ledger.commitment import SALT_BYTES
from sayso.ledger.document import checked_again
from sayso.ledger.entry import Draft, Entry, seal, split
from sayso.ledger.erasure import aliases_of, oblivion
from sayso.ledger.facts import Fact, facts
from sayso.ledger.identity import IdType
from sayso.ledger.keys import Keys
from sayso.ledger.log.tiles import LONGEST_ENTRY, Edge
from sayso.ledger.state import Parties, World
from sayso.ledger.store import Head, Oblivion, Tombstone, Writing

Judge: TypeAlias = Callable[[e.Event, e.PolicyPublished | None], Sequence[Problem]]
"""What a room that knows policies adds to the judgement of an event, given the policy last published before it."""


class Refused(NamedTuple):
    """Why one event of a batch was refused: its place in the batch, from 0, and the problem."""

    place: int
    problem: Problem


class _Pending(NamedTuple):
    """Events that are admitted and not yet appended: their drafts, the digests that stand behind them, their facts."""

    drafts: list[tuple[Draft, str | None, str | None]]
    facts: list[Fact]


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
        self.world = world
        """What everyone was told; another than was given as soon as the batch changes it."""
        self._given = world
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
                fitting.append((index, checked_again(event, self._id_type)))
            except EventError as error:
                refused += [Refused(index, problem) for problem in error.problems]
        return sorted(refused + self.add_normalised(fitting), key=lambda one: one.place)

    def add_normalised(self, fitting: Sequence[tuple[int, e.Event]], named: Named | None = None) -> list[Refused]:
        """Adds events whose ids are in the ledger's form already, each with its place, as `add` does.

        `named` are those whom they name, where that is known already.
        """
        refused: list[Refused] = []
        parties = self._parties(named or Named.by(event for _, event in fitting))
        pending = _Pending([], [])
        for index, event in fitting:
            problems = refusals(event, self.recorded_at, parties, self.world)
            if self._judge is not None and not problems:
                problems = list(self._judge(event, self.world.policy))
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
                notice = self.world.notice_digest(name, version)
            case _:
                pass
        if isinstance(event, e.ChoiceRecorded | e.NoticeDelivered) and self.world.policy is not None:
            policy = self.world.policy.digest
        pending.drafts.append((draft, policy, None if draft.everyones else notice))
        if event.everyones:
            if self.world is self._given:
                self.world = self.world.copy()
            self.world.apply(event, self.recorded_at if event.effective_at is None else event.effective_at)
        for fact in facts(event, position, self.recorded_at, self._id_type):
            pending.facts.append(fact)
            parties.apply(fact)
        return []

    def _parties(self, named: Named) -> Parties:
        """What the ledger knows of those whom events name."""
        known = [fact for party, ids in named.by_party().items() for fact in self._transaction.facts_of(party, ids)]
        parties = Parties(known)
        if named.subjects and self._transaction.entombed():
            key_of = {self._keys.tombstone(one): one for one in named.subjects}
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
