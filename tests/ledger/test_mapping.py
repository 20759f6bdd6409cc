"""Importing member and toggle tables through a map: an off refuses, a default on says nothing."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sayso import instant
from sayso.errors import EventError
from sayso.ledger import events as e
from sayso.ledger.mapfile import When
from sayso.ledger.mapping import import_mapped
from sayso.ledger.tables import instant_of, text
from tests.ledger.conftest import Ledger

MEMBERS = """
members:
  - file: members.csv
    subject: id
    registered: {column: joined, time_zone: Europe/Dublin}
    territory: {column: country, values: {UK: GB, FR: FR}, since: {column: moved, epoch: ms}}
    birth_year: {column: born}
    attributes:
      plan: {column: plan, values: {F: free, P: pro}}
"""
TOGGLES = """
toggles:
  - file: toggles.csv
    subject: id
    setting: {column: training, off: [0, false], on: ["1", true], unset: [null, "?"]}
    at: {column: changed, time_zone: UTC}
    scope: {purposes: [train], categories: [posts], recipients: [platform]}
    source: settings table
    refusal: objection
"""
GRANT = """
    grant:
      act: {column: click, where: settings page}
      notice: {id: ai-notice, version: {column: notice}}
      attested: log
"""
SCOPE = e.Scope(purposes=("train",), categories=("posts",), recipients=("platform",))


def written(directory: Path, text: str, **files: str) -> Path:
    for name, content in files.items():
        (directory / f"{name}.csv").write_text(content, encoding="utf-8")
    path = directory / "map.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def read_back(ledger: Ledger) -> list[e.Event | None]:
    return [one.event for one in ledger.journal.read()]


def at(text: str) -> int:
    return instant.parse(text)


def test_a_member_table_becomes_registrations_and_backdated_residences(ledger: Ledger, tmp_path: Path) -> None:
    path = written(
        tmp_path,
        MEMBERS,
        members="id,joined,country,moved,born,plan,surname\n"
        "1,2020-07-01 12:00:00,UK,,1980,F,Doe\n"
        '2,2020-07-01T12:00:00+02:00,FR,1600000000000,,P,"new\nline"\n'
        "3,2020-01-01,,1600000000000,,,\n",
    )
    seen: list[int] = []
    assert import_mapped(ledger.journal, path, progress=seen.append).events == 4
    assert seen == [4]
    assert read_back(ledger) == [
        e.SubjectRegistered(
            subject=1,
            territory="GB",
            birth_year=1980,
            attributes={"plan": "free"},
            effective_at=at("2020-07-01T11:00:00Z"),
        ),
        e.SubjectRegistered(subject=2, attributes={"plan": "pro"}, effective_at=at("2020-07-01T10:00:00Z")),
        e.SubjectMoved(subject=2, territory="FR", effective_at=1600000000000000),
        e.SubjectRegistered(subject=3, effective_at=at("2020-01-01T00:00:00Z")),
    ]


ROWS = "id,training,changed,click,notice,log\n"


def toggles(ledger: Ledger, directory: Path, rows: str, *, grant: str = GRANT) -> list[e.Event | None]:
    ledger.journal.append_many([e.SubjectRegistered(subject=n) for n in (1, 2, 3, 4)])
    import_mapped(ledger.journal, written(directory, TOGGLES + grant, toggles=ROWS + rows))
    return read_back(ledger)[4:]


def test_an_off_becomes_a_refusal_from_its_instant_on(ledger: Ledger, tmp_path: Path) -> None:
    found = toggles(ledger, tmp_path, "1,0,2024-05-01 10:00:00,,,\n2,false,,,,\n")
    said = {"decision": "objection", "source": "settings table", "scope": SCOPE}
    assert found == [
        e.ChoiceRecorded(subject=1, effective_at=at("2024-05-01T10:00:00Z"), **said),  # type: ignore[arg-type]
        e.ChoiceRecorded(subject=2, **said),  # type: ignore[arg-type]
    ]


def test_an_off_without_an_instant_refuses_from_its_import_on(ledger: Ledger, tmp_path: Path) -> None:
    ledger.journal.append(e.SubjectRegistered(subject=1))
    text = TOGGLES.replace("    at: {column: changed, time_zone: UTC}\n", "")
    import_mapped(ledger.journal, written(tmp_path, text, toggles=ROWS + "1,0,2024-05-01,,,\n"))
    (fact,) = ledger.store.facts_of(0, [1])[1:]
    assert fact.at == ledger.clock.now


def test_a_default_on_becomes_nothing_at_all(ledger: Ledger, tmp_path: Path) -> None:
    assert toggles(ledger, tmp_path, "1,1,2024-05-01 10:00:00,,1,\n2,true,,  ,1,\n3,,,,,\n4,?,,,,\n") == []


def test_without_a_column_of_evidence_no_on_is_a_grant(ledger: Ledger, tmp_path: Path) -> None:
    assert toggles(ledger, tmp_path, "1,1,2024-05-01 10:00:00,clicked,1,log 5\n", grant="") == []


def test_an_on_with_evidence_of_an_act_is_a_grant(ledger: Ledger, tmp_path: Path) -> None:
    found = toggles(ledger, tmp_path, "1,1,2024-05-01 10:00:00,click 77,2025,log 5\n2,1,,click 78,2025,\n")
    said: dict[str, Any] = {
        "decision": "grant", "source": "settings table", "scope": SCOPE,
        "notice": e.NoticeRef(id="ai-notice", version="2025"),
    }  # fmt: skip
    assert found == [
        e.ChoiceRecorded(
            subject=1, act=e.Act(what="click 77", where="settings page"), attested="log 5",
            effective_at=at("2024-05-01T10:00:00Z"), **said,
        ),
        e.ChoiceRecorded(subject=2, act=e.Act(what="click 78", where="settings page"), **said),
    ]  # fmt: skip


def test_a_grant_may_go_without_evidence_of_its_instant(ledger: Ledger, tmp_path: Path) -> None:
    grant = GRANT.replace("      attested: log\n", "")
    (found,) = toggles(ledger, tmp_path, "1,1,2024-05-01 10:00:00,click 77,2025,log 5\n", grant=grant)
    assert isinstance(found, e.ChoiceRecorded)
    assert found.attested is None


def refused(ledger: Ledger, path: Path) -> str:
    size = ledger.journal.head().size
    with pytest.raises(EventError) as caught:
        import_mapped(ledger.journal, path)
    assert ledger.journal.head().size == size
    return str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,maybe,,,,", "toggles.csv:1: column `training` holds `maybe`, which the map does not name; list it under"),
        ("1,0,yesterday,,,", "column `changed`: expected an instant such as"),
        ("x,0,,,,", "column `id`: expected an int64 id"),
        (",0,,,,", "column `id`: expected an int64 id"),
        ("1,1,,click,,", "column `notice`: a grant needs the version of its notice, got null"),
        ("9,0,,,,", "toggles.csv:1: choice.recorded: unknown subject"),
    ],
)
def test_a_row_that_cannot_be_read_is_told_by_its_number(
    ledger: Ledger, tmp_path: Path, row: str, message: str
) -> None:
    ledger.journal.append(e.SubjectRegistered(subject=1))
    assert message in refused(ledger, written(tmp_path, TOGGLES + GRANT, toggles=ROWS + row + "\n"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,2020-01-01,XX,,,", "column `country` holds `XX`, which the map does not name; add it to `values`"),
        ("1,2020-01-01,FR,,198O,", "column `born`: expected a year such as `1980`"),
        ("1,2020-01-01,FR,,1280,", "subject.registered: expected `int` >= 1800"),
        ("1,,FR,,,", "column `joined`: expected an instant, got None"),
        ("1,2020-01-01,FR,99999999999999999999,,", "column `moved` holds a number that is no instant in `ms`"),
    ],
)
def test_a_member_that_cannot_be_read_is_an_error(ledger: Ledger, tmp_path: Path, row: str, message: str) -> None:
    path = written(tmp_path, MEMBERS, members=f"id,joined,country,moved,born,plan\n{row}\n")
    assert f"members.csv:1: {message}" in refused(ledger, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "map.yaml:1: expected `members`, `toggles` or both"),
        ("{}", "expected `members`, `toggles` or both"),
        ("a: [", "map.yaml:1: the map is no YAML: "),
        ("a: 1\na: 2", "the map is no YAML: "),
        (TOGGLES + "    colour: red\n", "map.yaml:3: object contains unknown field `colour`"),
        (TOGGLES.replace("off: [0, false], ", ""), "map.yaml:5: object missing required field `off`"),
        (TOGGLES.replace("[posts]", "[posts, 5]"), "map.yaml:7: expected `str`, got `int`"),
        (TOGGLES.replace("[posts]", "[5.5]"), "map.yaml:7: expected `str`, got `float`"),
        ("toggles: [{file: 5, 7: x}]", "map.yaml:1: expected `str`, got `int`"),
        ("members: [{file: m, subject: s, attributes: {a: {column: 5}}}]", "map.yaml:1: expected `str`, got `int`"),
        ("members: [{file: m, subject: s, attributes: {5: {}}}]", "map.yaml:1: object missing required field `column`"),
        (TOGGLES.replace("UTC", "Mars/Olympus"), "expected a time zone such as `Europe/Dublin`, got `Mars/Olympus`"),
        (TOGGLES.replace("unset: [null, ", 'unset: ["1", '), "gives value `1` two meanings"),
        (TOGGLES.replace("column: training", "column: trainings"), "toggles.csv: there is no column `trainings`"),
        (
            TOGGLES.replace("toggles.csv", "nowhere.csv"),
            "nowhere.csv: the table could not be read: No such file or directory",
        ),
        (TOGGLES.replace("toggles.csv", "toggles.xls"), "named `.csv`, `.parquet` or `.ndjson`, got `toggles.xls`"),
        (TOGGLES.replace(", time_zone: UTC", ""), "without a time zone; give its `time_zone` in the map"),
    ],
)
def test_a_map_that_cannot_be_used_is_an_error(ledger: Ledger, tmp_path: Path, text: str, message: str) -> None:
    ledger.journal.append(e.SubjectRegistered(subject=1))
    path = written(tmp_path, text, toggles=ROWS + "1,0,2024-05-01 10:00:00,,,\n")
    assert message in refused(ledger, path)


def test_a_map_that_is_not_there_or_no_text_is_an_error(ledger: Ledger, tmp_path: Path) -> None:
    assert "the map could not be read: No such file or directory" in refused(ledger, tmp_path / "nowhere.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"\xe9")
    assert "expected UTF-8 text, got the byte `0xe9`" in refused(ledger, tmp_path / "latin.yaml")


def test_an_empty_csv_has_no_columns(ledger: Ledger, tmp_path: Path) -> None:
    assert "there is no column `id`" in refused(ledger, written(tmp_path, TOGGLES, toggles=""))


def test_tables_may_be_parquet_or_ndjson(ledger: Ledger, tmp_path: Path) -> None:
    ledger.journal.append_many([e.SubjectRegistered(subject=n) for n in (1, 2)])
    when = datetime(2024, 5, 1, 10, tzinfo=UTC)
    table = pa.table(
        {"id": [1, 2], "training": [False, True], "changed": pa.array([when, when], pa.timestamp("ns", "UTC"))}
    )
    pq.write_table(table, tmp_path / "toggles.parquet")
    lines = [{"id": 1, "training": 0, "changed": "2024-05-01T10:00:00Z"}, {"id": 2, "training": "1", "changed": None}]
    (tmp_path / "toggles.ndjson").write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    for name in ("parquet", "ndjson"):
        path = written(tmp_path, TOGGLES.replace("toggles.csv", f"toggles.{name}"))
        assert import_mapped(ledger.journal, path, batch=1).events == 1
        *_, last = read_back(ledger)
        assert isinstance(last, e.ChoiceRecorded)
        assert last.effective_at == at("2024-05-01T10:00:00Z")


def test_ndjson_of_another_form_is_told_by_line(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "toggles.ndjson").write_text("[]\n", encoding="utf-8")
    path = written(tmp_path, TOGGLES.replace("toggles.csv", "toggles.ndjson"))
    assert "toggles.ndjson:1: expected one JSON object a line" in refused(ledger, path)


def test_a_territory_without_since_holds_from_registration_on(ledger: Ledger, tmp_path: Path) -> None:
    text = "members: [{file: members.csv, subject: id, territory: {column: country}}]"
    import_mapped(ledger.journal, written(tmp_path, text, members="id,country\n1,FR\n"))
    assert read_back(ledger) == [e.SubjectRegistered(subject=1, territory="FR")]


def test_long_tables_are_read_in_pieces(ledger: Ledger, tmp_path: Path) -> None:
    lines = (json.dumps({"id": n}) for n in range(6000))
    (tmp_path / "members.ndjson").write_text("\n".join(lines), encoding="utf-8")
    path = written(tmp_path, "members: [{file: members.ndjson, subject: id}]")
    assert import_mapped(ledger.journal, path).events == 6000


LOCAL = When(column="c", time_zone="Europe/Dublin")


@pytest.mark.parametrize(
    ("value", "when", "expected"),
    [
        ("2024-07-01 12:00:00", LOCAL, "2024-07-01T11:00:00Z"),
        ("2024-07-01", LOCAL, "2024-06-30T23:00:00Z"),
        ("2024-10-27T01:30:00", LOCAL, "2024-10-27T00:30:00Z"),  # occurs twice: the first
        ("2024-07-01T12:00:00Z", LOCAL, "2024-07-01T12:00:00Z"),
        (datetime(2024, 7, 1, 12), LOCAL, "2024-07-01T11:00:00Z"),  # noqa: DTZ001
        (datetime(2024, 7, 1, 12, tzinfo=UTC), When(column="c"), "2024-07-01T12:00:00Z"),
        (date(2024, 7, 1), LOCAL, "2024-06-30T23:00:00Z"),
        (1719835200, When(column="c", epoch="s"), "2024-07-01T12:00:00Z"),
        (1719835200.5, When(column="c", epoch="s"), "2024-07-01T12:00:00.500000Z"),
        ("1719835200000000", When(column="c", epoch="us"), "2024-07-01T12:00:00Z"),
    ],
)
def test_an_instant_of_a_table(value: Any, when: When, expected: str) -> None:
    assert instant_of(value, when) == at(expected)


@pytest.mark.parametrize(
    ("value", "when"),
    [
        ("2024-07-01 12:00:00", When(column="c")), (1719835200, When(column="c")), (True, LOCAL), (None, LOCAL),
        ([], LOCAL), (float("nan"), When(column="c", epoch="s")), (float("inf"), When(column="c", epoch="s")),
        (datetime(2024, 7, 1), When(column="c")), ("1719835200", LOCAL),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_an_instant_of_a_table_is_never_guessed(value: Any, when: When) -> None:
    with pytest.raises(EventError, match="column `c`"):
        instant_of(value, when)


def test_values_are_compared_as_text() -> None:
    assert [text(value) for value in (None, "x", True, False, 5, 5.0)] == [None, "x", "true", "false", "5", "5"]
    with pytest.raises(EventError, match="got float"):
        text(5.5)
    with pytest.raises(EventError, match="got list"):
        text([])
