"""A deterministic order to read in: the same for the same seed and epoch, whoever reads which part of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Shuffled:
    """An order drawn from a seed, another in each epoch.

    It sorts the raw numbers of a PCG64 generator, which NumPy keeps the same from version to version; its permutations
    it does not.
    """

    seed: int
    epoch: int = 0

    def units(self, count: int) -> npt.NDArray[np.int64]:
        """The order of row groups."""
        return self._drawn(count)

    def rows(self, unit: int, count: int) -> npt.NDArray[np.int64]:
        """The order of the records of a row group."""
        return self._drawn(count, unit)

    def _drawn(self, count: int, *more: int) -> npt.NDArray[np.int64]:
        numbers = np.random.PCG64([self.seed, self.epoch, *more]).random_raw(count)
        order: npt.NDArray[np.int64] = np.argsort(np.asarray(numbers), kind="stable")
        return order
