"""Laws 8 and 9, of the gate: *layout-free* and *counts reconcile*."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st

from sayso import instant
from sayso.api import Ledger, open_ledger
from sayso.gate.columns import Columns, SubjectColumn
from sayso.policy.decide import decide
from sayso.policy.facts import Record, Subject, Use
from sayso.policy.verdict import Verdict
from tests.laws.platform import GRANT, PEOPLE, REFUSAL, START, TOLD, happens, platform, posts
from tests.searching import searched
from tests.tour import Clock

COLUMNS = Columns(
    (SubjectColumn("author", "author", optional=True), SubjectColumn("mentioned", "mentioned", optional=True)),
    "collected",
    "category",
    territory="territory",
    key="key",
)
LISTED = Columns((SubjectColumn("people"),), "collected", "category", key="key")
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


def gated(
    ledger: Ledger, table: pa.Table, seed: int, columns: Columns = COLUMNS
) -> tuple[pa.Table, dict[int, tuple[Any, ...]], dict[str, Any]]:
    """What came out, in order of key; what the report says of the denied, by key; and the counts."""
    with TemporaryDirectory() as temporary:
        corpus, output = laid_out(table, Random(seed), Path(temporary) / "in"), Path(temporary) / "out"
        made = ledger.gate(corpus, purpose="genai", recipient="platform", columns=columns, into=output)
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
@searched(3, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 2**32), one=st.integers(0, 2**32), other=st.integers(0, 2**32))
def test_layout_free(ledger: Ledger, seed: int, one: int, other: int) -> None:
    table = written(posts(seed, 120, AT))
    first, second = gated(ledger, table, one), gated(ledger, table, other)
    assert first[0].equals(second[0])
    assert first[1:] == second[1:]


@pytest.mark.slow
@searched(3, phases=[Phase.explicit, Phase.generate])
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


def crowded(seed: int, count: int) -> list[Record]:
    """Records of up to twelve people each, some of them nobody known, some mentioned, some twice."""
    random = Random(seed)

    def subjects() -> tuple[Subject, ...]:
        most = random.choice([1, 1, 2, 12])
        # Those who may be used most of the time, so that much is let through.
        who = [2, 2, 2, 2, 2, 2, 1, 3, PEOPLE]
        roles = ["author", "author", "mentioned", None]
        return tuple(Subject(random.choice(who), random.choice(roles)) for _ in range(random.randint(0, most)))

    return [replace(record, subjects=subjects(), territory=None) for record in posts(seed, count, AT)]


def listed(records: list[Record]) -> pa.Table:
    """Records with their subjects in a list."""
    people = [[{"id": one.id, "role": one.role} for one in record.subjects or ()] for record in records]
    kind = pa.list_(pa.struct([("id", pa.int64()), ("role", pa.string())]))
    table = written(records).drop_columns(["author", "mentioned"])
    return table.append_column("people", pa.array(people, kind))


@pytest.mark.slow
@searched(3, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_order_free_of_the_subjects_in_a_list(ledger: Ledger, seed: int) -> None:
    records, random = crowded(seed, 150), Random(seed)
    mixed = [
        replace(one, subjects=tuple(random.sample(one.subjects or (), len(one.subjects or ())))) for one in records
    ]
    (first, report, counts), (second, other, later) = (gated(ledger, listed(r), seed, LISTED) for r in (records, mixed))
    assert first.column("key").equals(second.column("key"))
    assert {key: dict(row).get("reason") for key, row in report.items()} == {
        key: dict(row).get("reason") for key, row in other.items()
    }
    assert counts["by_reason"] == later["by_reason"]
    assert counts["by_ground"] == later["by_ground"]
    assert counts["permitted"]
    assert len(counts["by_reason"]) > 1


@pytest.mark.slow
@searched(3, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 2**32), subject=st.integers(1, PEOPLE), role=st.sampled_from(["author", "mentioned", None]))
def test_restriction_is_monotone_by_further_subject_of_a_list(
    ledger: Ledger, seed: int, subject: int, role: str | None
) -> None:
    """Beside one that counts, at any place of the list."""
    random = Random(seed)
    records = [one for one in crowded(seed, 150) if any(each.role != "mentioned" for each in one.subjects or ())]

    def more(record: Record) -> Record:
        held = list(record.subjects or ())
        held.insert(random.randint(0, len(held)), Subject(subject, role))
        return replace(record, subjects=tuple(held))

    before, _, _ = gated(ledger, listed(records), seed, LISTED)
    after, _, _ = gated(ledger, listed([more(record) for record in records]), seed, LISTED)
    assert set(after.column("key").to_pylist()) <= set(before.column("key").to_pylist())


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
