"""The second half of the gate's expression, for an engine that looks answers up by their place instead of joining them.

A snapshot's answers are dense, so that a key is a row of them; and what a denial rests on is a row of standing.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sayso.errors import EngineError
from sayso.plan.gate import NONE, UNREADABLE, Packing
from sayso.plan.snapshot import Snapshot
from sayso.policy.verdict import Outcome

NO_POSITION = -1
Numbers: TypeAlias = npt.NDArray[Any]


class Lookup:
    """The answers of one snapshot by key, as `gate.numbered` packs them; `behind`, with the positions of denials.

    Raises EngineError for a snapshot whose answers are not dense, as where the use asks for the account.
    """

    def __init__(self, snapshot: Snapshot, *, behind: bool = True) -> None:
        answers, packing = snapshot.answers, Packing.of(snapshot)
        keys = answers.column("key").to_numpy()
        if snapshot.accounts is not None or not np.array_equal(keys, np.arange(len(keys))):
            raise EngineError("expected the answers of a use that asks for nobody's account, one for each key")

        def numbers(name: str, otherwise: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
            # The last entry is for key -1.
            return np.append(answers.column(name).fill_null(otherwise).to_numpy().astype(np.int64), otherwise)

        result, territory = numbers("result", UNREADABLE), numbers("territory", NONE)
        self._width = packing.width
        # Its category is added to each; that of none is -1, so that no number of a verdict is below 0.
        self._packed = ((result * packing.territories + territory - NONE) * packing.categories + 1).astype(np.uint32)
        self._slot, self._position = numbers("slot", NO_POSITION), numbers("position", NO_POSITION)
        self.severity = numbers("severity", int(Outcome.UNREADABLE))
        """By key, how severe the answer is; the last is that of key -1."""
        self.behind = behind
        self.rests = behind and bool((self._slot >= 0).any() or (self._position >= 0).any())
        if self.rests:
            lists = snapshot.standing.column("behind").combine_chunks()
            self._behind = lists.values.to_numpy()
            self._starts = lists.offsets.to_numpy()

    def numbered(self, keyed: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of `gate.keyed` as those of `gate.numbered`."""
        key, category, person = (keyed.column(name).to_numpy() for name in ("key", "category", "person"))
        return self.told(keyed.column("row"), key, category, person)

    def told(self, row: pa.Array, key: Numbers, category: Numbers, person: Numbers) -> pa.RecordBatch:
        """The same, of columns as arrays."""
        columns = {"row": row, "number": pa.array(self.packed(key, category))}
        if self.rests:
            position = self.positions(key, person)
            columns["position"] = pa.array(position, mask=position == NO_POSITION)
        return pa.RecordBatch.from_pydict(columns)

    def packed(self, key: Numbers, category: Numbers) -> Numbers:
        """The numbers of the verdicts that keys are answered, of records of some category."""
        packed: Numbers = self._packed.take(key) + category.astype(np.uint32)
        return packed

    def fixed(self, result: int, category: Numbers) -> Numbers:
        """The number of a verdict that names no territory, whatever is asked."""
        packed: Numbers = np.uint32(result * self._width + 1) + category.astype(np.uint32)
        return packed

    def positions(self, key: Numbers, person: Numbers) -> Numbers:
        """The position of the event that each denial rests on, -1 for none."""
        position: Numbers = self._position[key]
        own = np.flatnonzero(self._slot[key] >= 0)
        position[own] = self._behind[self._starts[person[own]] + self._slot[key[own]]]
        return position
