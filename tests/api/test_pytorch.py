"""A selection as PyTorch's dataset: each record exactly once over all ranks and workers, in an order that can be had again.

These run where torch is installed: `make torch` does so. It is not in the lock, since it is gigabytes elsewhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sayso.api import Selection, open_selection
from sayso.errors import StaleError, UsageError, VerificationError
from tests.api.test_selections import USE, Clock, clock, expected, house, made, opened, place

torch = pytest.importorskip("torch", reason="torch is not installed; `make torch` does it")
pytestmark = pytest.mark.slow

__all__ = ["house", "made", "place"]


def loaded(dataset: Any, workers: int = 0, start: str = "fork") -> list[Any]:
    """Everything that a loader gives, record by record."""
    context = start if workers else None
    return list(
        torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=workers, multiprocessing_context=context)
    )


def ids(records: list[Any]) -> list[int]:
    return [row["id"] for row in records]


def test_records_and_batches(made: Path) -> None:
    selection = opened(made)
    assert loaded(selection.torch()) == expected(made).to_pylist()
    batches = loaded(selection.torch(rows=16))
    assert [row for batch in batches for row in batch.to_pylist()] == expected(made).to_pylist()
    assert max(len(batch) for batch in batches) <= 16


@pytest.mark.parametrize(("ranks", "workers"), [(1, 2), (3, 0), (3, 2)])
@pytest.mark.parametrize("seed", [None, 7])
def test_each_record_once_over_all_ranks_and_workers(made: Path, ranks: int, workers: int, seed: int | None) -> None:
    selection = opened(made)
    parts = [ids(loaded(selection.torch(seed=seed, rank=rank, ranks=ranks), workers)) for rank in range(ranks)]
    together = [one for part in parts for one in part]
    assert sorted(together) == expected(made).column("id").to_pylist()
    assert len({*together}) == len(together) == len(selection)
    assert len(selection) % (ranks * max(workers, 1)), "the numbers are to be uneven"
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    again = ids(loaded(selection.torch(seed=seed, rank=0, ranks=ranks), workers))
    assert again == parts[0]


def test_workers_that_begin_anew(made: Path) -> None:
    """With nothing of this process but what is pickled."""
    assert sorted(ids(loaded(opened(made).torch(), 2, "spawn"))) == expected(made).column("id").to_pylist()


def test_an_epoch_has_an_order_of_its_own_in_workers_that_live_on_too(made: Path) -> None:
    dataset = opened(made).torch(seed=3)
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=None, num_workers=2, persistent_workers=True, multiprocessing_context="fork"
    )
    orders = []
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        orders.append(ids(list(loader)))
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


def test_a_process_group_says_which_rank_this_is(made: Path, tmp_path: Path) -> None:
    dataset = opened(made).torch()
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'rendezvous'}", rank=0, world_size=1)
    try:
        assert len(loaded(dataset)) == len(opened(made))
    finally:
        torch.distributed.destroy_process_group()
    with pytest.raises(UsageError, match="both `rank` and `ranks`"):
        opened(made).torch(rank=0)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_a_worker_is_an_error(place: Path, workers: int) -> None:
    dataset = opened(place).torch()
    (place / "in/part-3.parquet").unlink()
    with pytest.raises(VerificationError, match=r"part-3\.parquet"):
        loaded(dataset, workers)


def test_a_worker_that_begins_too_late(made: Path) -> None:
    selection: Selection = opened(made)
    dataset = selection.torch()
    late = open_selection(made / "selection", corpus=made / "in", now=Clock(clock(made).now), **USE)
    late._corpus._now.now = late._corpus.valid_until  # type: ignore[attr-defined]  # the test's own clock
    with pytest.raises(StaleError, match="was valid until"):
        loaded(late.torch(), 2)
    assert len(loaded(dataset)) == len(selection)
