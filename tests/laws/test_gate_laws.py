"""Laws 8 and 9, of the gate: *layout-free* and *counts reconcile*."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
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
from sayso.api import Ledger, open_ledger
from sayso.gate.columns import Columns, SubjectColumn
from sayso.policy.decide import decide
from sayso.policy.facts import Record, Use
from sayso.policy.verdict import Verdict
from tests.laws.platform import GRANT, REFUSAL, START, TOLD, happens, platform, posts
from tests.tour import Clock

COLUMNS = Columns(
    (SubjectColumn("author", "author", optional=True), SubjectColumn("mentioned", "mentioned", optional=True)),
    "collected",
    "category",
    territory="territory",
    key="key",
)
AT = START + 10 * instant.DAY


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    directory = tmp_path_factory.mktemp("laws")
    clock = Clock(START)
    parts = platform(directory / "ledger", clock)
    said: list[dict[str, Any]] = [
        {**GRANT, "subject": 1},
        TOLD | {"audience": {"territories": ["GB", "US"]}},
        {**REFUSAL, "subject": 3},
    ]
    assert all(happens(parts, one) for one in said)
    parts.close()
    clock.now = AT
    opened = open_ledger(directory / "ledger", now=clock)
    yield opened
    opened.close()


def written(records: list[Record]) -> pa.Table:
    """Records as a platform's table has them; one column more, which must come through untouched."""

    def of(record: Record, role: str) -> Any:
        return next((one.id for one in record.subjects or () if one.role == role), None)

    return pa.table(
        {
            "key": pa.array(range(len(records)), pa.int64()),
            "author": pa.array([of(r, "author") for r in records], pa.int64()),
            "mentioned": pa.array([of(r, "mentioned") for r in records], pa.int64()),
            "category": pa.array([r.category for r in records], pa.string()),
            "collected": pa.array([r.collected_at for r in records], pa.timestamp("us", "UTC")),
            "territory": pa.array([r.territory for r in records], pa.string()),
            "text": [f"text {index}" for index in range(len(records))],
        }
    )


def laid_out(table: pa.Table, random: Random, directory: Path) -> Path:
    """The table as files of any sizes, in folders or not, with row groups of any sizes; some may be empty."""
    cuts = sorted(random.choices(range(table.num_rows + 1), k=random.randint(0, 4)))
    for number, (start, stop) in enumerate(zip([0, *cuts], [*cuts, table.num_rows], strict=True)):
        folder = directory / random.choice([".", "part=a", "part=b/deep"])
        folder.mkdir(parents=True, exist_ok=True)
        part = table.slice(start, stop - start)
        pq.write_table(part, folder / f"{number}.parquet", row_group_size=random.choice([1, 3, 50, 1000]))
    return directory


def gated(ledger: Ledger, table: pa.Table, seed: int) -> tuple[pa.Table, dict[int, tuple[Any, ...]], dict[str, Any]]:
    """What came out, in order of key; what the report says of the denied, by key; and the counts."""
    with TemporaryDirectory() as temporary:
        corpus, output = laid_out(table, Random(seed), Path(temporary) / "in"), Path(temporary) / "out"
        made = ledger.gate(corpus, purpose="genai", recipient="platform", columns=COLUMNS, into=output)
        assert made.permitted is not None
        permitted = [pq.read_table(path, partitioning=None) for path in sorted(made.permitted.rglob("*.parquet"))]
        denied = [pq.read_table(path, partitioning=None) for path in sorted(made.denied.rglob("*.parquet"))]
        report = {
            row["key"]: tuple(sorted((k, str(v)) for k, v in row.items() if k not in ("file", "row")))
            for part in denied
            for row in part.to_pylist()
        }
        return pa.concat_tables(permitted).sort_by("key"), report, made.manifest["counts"]


# A gate takes a second or two, whatever it gates: few examples, of many layouts of many kinds of record.
@pytest.mark.slow
@settings(max_examples=3, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 2**32), one=st.integers(0, 2**32), other=st.integers(0, 2**32))
def test_layout_free(ledger: Ledger, seed: int, one: int, other: int) -> None:
    table = written(posts(seed, 120, AT))
    first, second = gated(ledger, table, one), gated(ledger, table, other)
    assert first[0].equals(second[0])
    assert first[1:] == second[1:]


@pytest.mark.slow
@settings(max_examples=3, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_counts_reconcile(ledger: Ledger, seed: int) -> None:
    records = posts(seed, 120, AT)
    table = written(records)
    permitted, report, counts = gated(ledger, table, seed)
    known, policy = ledger.parts.reader.known(), ledger.parts.reader.published()
    assert policy is not None
    expected = [decide(policy, Use("genai", "platform", AT), record, known) for record in records]
    passed = [key for key, verdict in enumerate(expected) if verdict.permit]
    assert permitted.equals(table.take(passed))
    assert sorted([*report, *passed]) == list(range(len(records)))
    reconciled(counts, expected, records)


def reconciled(counts: dict[str, Any], expected: list[Verdict], records: list[Record]) -> None:
    """In = permitted + denied, in total, by category and by territory of the evidence, each with a bucket for none."""
    assert counts["records"] == counts["permitted"] + counts["denied"] == len(records)
    for about, of in (
        ("by_category", {index: record.category for index, record in enumerate(records)}),
        ("by_territory", {index: verdict.evidence.territory for index, verdict in enumerate(expected)}),
    ):
        said = {row[about.removeprefix("by_")]: (row["permitted"], row["denied"]) for row in counts[about]}
        found = {value: [0, 0] for value in of.values()}
        for index, value in of.items():
            found[value][not expected[index].permit] += 1
        assert said == {value: tuple(both) for value, both in found.items()}
        assert sum(map(sum, said.values())) == counts["records"]
    outcomes = Counter(verdict.outcome for verdict in expected)
    assert counts["by_reason"] == {one.word: count for one, count in outcomes.items() if not one.permits}
    assert counts["by_ground"] == {one.word: count for one, count in outcomes.items() if one.permits}
    cells = Counter((v.outcome.word, r.category, v.evidence.territory) for v, r in zip(expected, records, strict=True))
    assert {(row["outcome"], row["category"], row["territory"]): row["records"] for row in counts["cells"]} == cells
