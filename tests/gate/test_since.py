"""A gate since an earlier output: it takes what cannot have changed, and gives what a fresh gate gives, to the last byte."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sayso import instant
from sayso.errors import CorpusError
from sayso.gate.gating import Gating
from sayso.gate.verify import verify
from sayso.ledger import events as e
from sayso.policy import loads, normal
from tests.gate.platform import COLLECTED, COLUMNS, POLICY, START, Platform, platform
from tests.gate.test_resuming import content
from tests.searching import searched

FILES = 6
EVENTS = (
    "objection", "grant", "erased", "moved", "registered", "suspended", "scheduled", "notice", "aliased", "time", "file",
)  # fmt: skip


def made(folder: Path, random: Random) -> Path:
    """A corpus whose files are of two or three people each, some records of tomorrow, and some of strangers."""
    (folder / "in").mkdir()
    for number in range(FILES):
        authors = [number, number + 1, random.choice([20, 21, number])]
        count = 30
        table = pa.table(
            {
                "id": pa.array(range(count)),
                "author": pa.array([random.choice(authors) for _ in range(count)], pa.int64()),
                "category": [random.choice(["posts", "messages", None]) for _ in range(count)],
                "collected_at": pa.array(
                    [START + instant.DAY if random.random() < 0.02 else COLLECTED + n for n in range(count)],
                    pa.timestamp("us", "UTC"),
                ),
                "text": [f"words {n}" for n in range(count)],
            }
        )
        pq.write_table(table, folder / f"in/part-{number}.parquet", row_group_size=11)
    return folder / "in"


def happens(house: Platform, source: Path, what: str, random: Random) -> None:
    """Something that may change verdicts."""
    who, add = random.randrange(8), house.journal.append
    match what:
        case "objection":
            add(e.ChoiceRecorded(subject=who, decision="objection", source="setting"))
        case "grant":
            add(
                e.ChoiceRecorded(
                    subject=3, decision="grant", source="setting", notice=e.NoticeRef(id="told", version="1"),
                    act=e.Act(what="click", where="settings"),
                    scope=e.Scope(purposes=("genai",), categories=("content",), recipients=("platform",)),
                )
            )  # fmt: skip
        case "erased":
            add(e.SubjectErased(subject=who))
        case "moved":
            add(e.SubjectMoved(subject=who, territory=random.choice(["DE", "US", "FR"])))
        case "registered":
            add(e.SubjectRegistered(subject=20, territory="DE", effective_at=COLLECTED))
        case "suspended":
            scope = e.SuspensionScope(territories=(random.choice(["FR", "DE"]),))
            add(e.SuspensionOpened(suspension="s", authority="cnil", reason="a bug", scope=scope))
        case "scheduled":
            at = house.clock[0] + random.choice([1, 10]) * instant.HOUR
            add(e.SuspensionOpened(suspension="t", authority="cnil", reason="a bug", effective_at=at))
        case "notice":
            add(e.NoticeDelivered(notice="told", version="1", audience=e.Audience(subjects=(who,))))
        case "aliased":
            add(e.SubjectAliased(subject=who, other=who + 1))
        case "time":
            house.clock[0] += random.choice([instant.HOUR, 2 * instant.DAY])
        case _:
            path = source / f"part-{random.randrange(FILES)}.parquet"
            pq.write_table(pq.read_table(path).slice(1), path)


@contextmanager
def counting() -> Iterator[list[int]]:
    """The files that are written anew."""
    anew: list[int] = []
    real = Gating._made

    def noted(gating: Gating, index: int, *more: Any) -> Any:
        anew.append(index)
        return real(gating, index, *more)

    Gating._made = noted  # type: ignore[assignment, method-assign]  # put back below
    try:
        yield anew
    finally:
        Gating._made = real  # type: ignore[method-assign]


ONCE = {"registered", "suspended", "scheduled"}
"""What happens to one person, or by one name, and so no more than once."""


def both(house: Platform, source: Path, first: Path, **more: Any) -> list[int]:
    """A fresh gate and one since an earlier output, of one instant: they give the same. The files written anew."""
    at, folder = house.now(), source.parent
    for name in ("fresh", "since"):
        shutil.rmtree(folder / name, ignore_errors=True)
    clock = house.clock[0]
    house.gate(source, folder / "fresh", at=at, **more)
    house.clock[0] = clock
    with counting() as anew:
        house.gate(source, folder / "since", at=at, since=first, **more)
    assert content(folder / "since") == content(folder / "fresh")
    assert verify(folder / "since", source) == []
    return sorted(anew)


# A gate takes half a second, whatever it gates: few examples, each of several turns.
@pytest.mark.slow
@searched(4, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_since_is_as_fresh(seed: int) -> None:
    turns(seed)


@pytest.mark.torture
@settings(max_examples=100)
@given(seed=st.integers(0, 2**32))
def test_since_is_as_fresh_for_long(seed: int) -> None:
    turns(seed)


def turns(seed: int) -> None:
    random = Random(seed)
    more: dict[str, Any] = {"emit": random.choice(["copy", "selection"])}
    more |= {"report": random.choice([False, True])} if more["emit"] == "selection" else {}
    with TemporaryDirectory() as temporary, platform(Path(temporary)) as house:
        folder = Path(temporary)
        source = made(folder, random)
        house.gate(source, folder / "first", **more)
        left = set(EVENTS)
        for turn in range(3):
            for what in random.sample(sorted(left), random.randint(0, 2)):
                if not (what in ("erased", "aliased") and turn < 2):  # of somebody erased nothing more is said
                    happens(house, source, what, random)
                    left -= {what} & ONCE
            both(house, source, folder / "first", **more)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Platform]:
    with platform(tmp_path) as opened:
        yield opened


@pytest.fixture
def first(house: Platform, tmp_path: Path) -> tuple[Path, Path]:
    """A corpus whose every record is of before, and an output."""
    source = made(tmp_path, Random(1))
    for number in range(FILES):
        table = pq.read_table(source / f"part-{number}.parquet")
        past = pa.array([COLLECTED] * len(table), pa.timestamp("us", "UTC"))
        pq.write_table(table.set_column(3, "collected_at", past), source / f"part-{number}.parquet")
    house.gate(source, tmp_path / "first")
    return source, tmp_path / "first"


def test_where_nothing_changed_nothing_is_written(house: Platform, first: tuple[Path, Path]) -> None:
    assert both(house, *first) == []
    assert both(house, first[0], first[1], canaries=3) == []


def test_only_files_of_whom_it_is_about_are_written(house: Platform, first: tuple[Path, Path]) -> None:
    house.journal.append(e.ChoiceRecorded(subject=5, decision="objection", source="setting"))
    assert both(house, *first) == [4, 5]


def test_someone_erased_since_is_in_no_file_that_is_taken(house: Platform, first: tuple[Path, Path]) -> None:
    """Though the ledger knows as little of them then as now."""
    house.journal.append(e.SubjectErased(subject=5))
    assert both(house, *first) == [4, 5]
    shutil.copytree(first[0].parent / "since", first[0].parent / "second")
    assert both(house, first[0], first[0].parent / "second") == []


def test_another_file_of_the_same_name(house: Platform, first: tuple[Path, Path]) -> None:
    path = first[0] / "part-2.parquet"
    pq.write_table(pq.read_table(path), path, compression="zstd")
    assert both(house, *first) == [2]


def test_another_report_policy_or_mapping_takes_nothing(house: Platform, first: tuple[Path, Path]) -> None:
    assert both(house, *first, emit="selection") == list(range(FILES))
    assert both(house, *first, emit="selection", report=True) == list(range(FILES))
    policy = loads(POLICY.replace("it says so", "it says so too"))
    house.journal.append(e.PolicyPublished(platform=policy.platform, digest=policy.digest, document=normal(policy)))
    assert both(house, *first) == list(range(FILES))


def test_an_output_of_two_looks(house: Platform, first: tuple[Path, Path]) -> None:
    size = house.journal.head().size

    def meanwhile(stage: str, done: int, _total: int) -> None:
        if stage == "writing" and done and house.journal.head().size == size:
            house.journal.append(e.ChoiceRecorded(subject=5, decision="objection", source="setting"))

    two = first[0].parent / "two"
    house.gate(first[0], two, progress=meanwhile)
    assert len(json.loads((two / "manifest.json").read_text())["looks"]) == 2
    assert set(both(house, first[0], two)) <= {4, 5}


def test_a_file_of_the_output_that_is_not_what_it_was(house: Platform, first: tuple[Path, Path]) -> None:
    (first[1] / "permitted/part-3.parquet").write_bytes(b"PAR1")
    (first[1] / "denied/part-1.parquet").unlink()
    assert both(house, *first) == [1, 3]


def test_an_output_that_was_not_signed_here(house: Platform, first: tuple[Path, Path]) -> None:
    path = first[1] / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"canaries": 0', b'"canaries": 1'))
    with pytest.raises(CorpusError, match="not the one that was signed"):
        house.gate(first[0], first[0].parent / "out", COLUMNS, since=first[1])
    (first[1] / "manifest.dsse.json").unlink()
    with pytest.raises(CorpusError, match="leave out `--since`"):
        house.gate(first[0], first[0].parent / "out", COLUMNS, since=first[1])
