"""A release's two looks at the ledger and the clock: only what is permitted at both is let through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sayso.consent.reader import View
from sayso.errors import EngineError
from sayso.gate.columns import Columns
from sayso.gate.engine import Engine, Part, Question
from sayso.gate.inputs import Input
from sayso.gate.snapshots import Pinned
from sayso.gate.verdicts import UNANSWERED, Answer, Codec, Denials, Packed, Verdicts, collect
from sayso.ledger.identity import IdType
from sayso.plan import accounts
from sayso.plan.relevance import Relevance
from sayso.plan.snapshot import with_buried
from sayso.policy.facts import Id
from sayso.policy.verdict import Outcome


@dataclass(frozen=True)
class Look:
    """What was seen at one position: a view of the ledger, and the snapshot made of it."""

    view: View
    pinned: Pinned
    stale: bool

    @property
    def ids(self) -> pa.DataType:
        """The type of the ledger's ids."""
        return self.pinned.snapshot.standing.schema.field("subject").type

    @property
    def rules(self) -> dict[int, str]:
        """The rules of the version in force, by their place in it."""
        version = self.view.context.policy.in_force(self.pinned.use.at, self.view.context.withdrawn)
        return {} if version is None else {rule.index: rule.id for rule in version.rules}


def asked(
    look: Look, files: Sequence[Input], schema: pa.Schema, columns: Columns, id_type: IdType, *, behind: bool = True
) -> tuple[Question, int]:
    """The question of a look about the records of some files, all of one schema, in order, and how many they are."""
    parts, at = [], 0
    for file in files:
        parts.append(Part(file.path, file.rows, at, file.name))
        at += file.rows
    reserving = look.view.context.policy.purposes.above(look.pinned.use.purpose)
    held = tuple(part for part in parts if part.rows)
    return Question(held, columns, schema, look.pinned.snapshot, reserving, look.stale, id_type, behind), at


def verdicts(look: Look, question: Question, rows: int, engine: Engine) -> Verdicts:
    """What an engine says of `rows` records, by what was seen."""
    question = prepared(look, question, engine)
    return told(look, question, rows, engine, Codec(question.snapshot))


def told(look: Look, question: Question, rows: int, engine: Engine, codec: Codec) -> Verdicts:
    """The same, of a question that was prepared, by the codec of its snapshot."""
    return collect(engine.verdicts(question), rows, codec, look.ids, behind=question.behind)


def prepared(look: Look, question: Question, engine: Engine) -> Question:
    """A question whose snapshot holds what is known by its corpus alone, and answers for all of its records.

    That is who was erased: those are looked for among its strangers. And of a use that asks for the account, the
    answers that the corpus asks for, which are decided here.
    """
    if look.view.erased is not None:
        buried: dict[Id, int] = {}
        for batch in engine.strangers(question):
            buried |= look.view.erased(batch.column("id").to_pylist())
        question = replace(question, snapshot=with_buried(question.snapshot, buried))
    if look.pinned.snapshot.accounts is not None:
        relevance = Relevance(look.view.context, look.view.known, look.pinned.use)
        combinations = engine.combinations(question)
        answered = accounts.answered(question.snapshot, combinations, relevance, look.view.known)
        question = replace(question, snapshot=answered)
    return question


class Both(Codec):
    """Two codecs as one: the numbers of the second come after those of the first."""

    def __init__(self, first: Codec, second: Codec) -> None:
        self._first, self._second = first, second
        self.base = len(first.permits) * first.width
        if self.base + len(second.permits) * second.width >= int(UNANSWERED):
            raise EngineError("this use has more distinct verdicts than the gate can pack; narrow its rules")

    def permitted(self, packed: Packed) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        late = packed >= self.base
        mask = np.zeros(len(packed), np.bool_)
        mask[late] = self._second.permitted(packed[late] - np.uint32(self.base))
        return mask

    def of_written(self, packed: Packed) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        late = packed >= self.base
        mask = self._first.of_written(packed)
        mask[late] = self._second.of_written(packed[late] - np.uint32(self.base))
        return mask

    def read(self, number: int) -> Answer:
        return self._first.read(number) if number < self.base else self._second.read(number - self.base)


def changed(first: Verdicts, second: Verdicts, start: int, until: int) -> bool:
    """Whether the second look denies any record in [start, until) that the first let through."""
    return bool((first.permitted(start, until) & ~second.permitted(start, until)).any())


def alike(before: Verdicts, now: Verdicts, start: int, until: int, since: int) -> bool:
    """Whether two looks say the same of every record in [start, until), and of what denials rest on.

    An erasure reaches back to a look before it: a record denied for one from position `since` on is said otherwise.
    """
    pairs = before.packed[start:until].astype(np.uint64) << np.uint64(32) | now.packed[start:until]
    for pair in np.unique(pairs).tolist():
        answer = now.codec.read(pair & 0xFFFFFFFF)
        if before.codec.read(pair >> 32) != answer:
            return False
    one, other = before.denials.within(start, until), now.denials.within(start, until)
    if not (
        np.array_equal(one.rows, other.rows) and one.ids.equals(other.ids) and one.positions.equals(other.positions)
    ):
        return False
    erased = [n for n in np.unique(now.packed[start:until]).tolist() if now.codec.read(n).outcome is Outcome.ERASED]
    if not erased:
        return True
    late = np.isin(now.packed[other.rows], np.array(erased, np.uint32))
    at = other.positions.filter(pa.array(late))
    return not at.null_count and not bool(pc.any(pc.greater_equal(at, since)).as_py())


def merged(first: Verdicts, second: Verdicts) -> Verdicts:
    """The verdicts of both looks: the second's where it denies or both permit, else the first's."""
    codec = Both(first.codec, second.codec)
    rows = len(first.packed)
    earlier = second.permitted(0, rows) & ~first.permitted(0, rows)
    packed = np.where(earlier, first.packed, second.packed + np.uint32(codec.base))
    only = np.flatnonzero(earlier[first.denials.rows])
    order = np.argsort(np.concatenate((second.denials.rows, first.denials.rows[only])), kind="stable")
    taken = pa.array(order)

    def joined(later: pa.Array, before: pa.Array) -> pa.Array:
        return pa.concat_arrays([later, before.take(pa.array(only))]).take(taken)

    denials = Denials(
        np.concatenate((second.denials.rows, first.denials.rows[only]))[order],
        joined(second.denials.ids, first.denials.ids),
        joined(second.denials.positions, first.denials.positions),
    )
    return Verdicts(codec, packed, denials, second.written)
