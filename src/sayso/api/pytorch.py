"""A selection as a dataset of PyTorch, which is imported here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import torch
from torch.utils.data import IterableDataset, get_worker_info

Read = Callable[..., Iterator[pa.RecordBatch]]


class Records(IterableDataset[Any]):  # type: ignore[misc]  # the types of torch are not at hand
    """The records that fall to this worker of this rank; of all workers of all ranks, each record falls to one.

    Their numbers differ by one at most.
    """

    def __init__(self, read: Read, rank: int | None, ranks: int | None, *, as_records: bool) -> None:
        self._read, self._rank, self._ranks, self._as_records = read, rank, ranks, as_records
        # Shared, so that workers that live on hear of it.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """From the next iteration on, the records come in this epoch's order."""
        self._epoch.fill_(epoch)

    def __iter__(self) -> Iterator[Any]:
        rank, ranks = self._place()
        info = get_worker_info()
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        shard, shards = rank * workers + worker, ranks * workers
        for batch in self._read(shard=shard, shards=shards, epoch=int(self._epoch)):
            if self._as_records:
                yield from batch.to_pylist()
            else:
                yield batch

    def _place(self) -> tuple[int, int]:
        if self._rank is not None and self._ranks is not None:
            return self._rank, self._ranks
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.distributed.get_rank(), torch.distributed.get_world_size()
        return 0, 1


def dataset(read: Read, rank: int | None, ranks: int | None, *, as_records: bool) -> Records:
    """The dataset over what `read` gives of a shard of so many, in an epoch."""
    return Records(read, rank, ranks, as_records=as_records)
