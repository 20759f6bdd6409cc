"""The map of docs/ledger.md, from the command line: what each row of a member and a toggle table becomes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Sayso

GUIDE = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text("utf-8")
MAP, GRANT = (re.findall(r"^ *```yaml\n(.*?)^ *```", GUIDE, re.DOTALL | re.MULTILINE)[place] for place in (0, 1))
SINCE = MAP.replace("US: US}}", "US: US}, since: {column: country_since, time_zone: UTC}}")
MEMBERS = "member_id,joined,country,born,country_since\n"
SETTINGS = "member_id,genai_training,changed_at,consent_click_id,notice_version,consent_log_ref\n"


def rows(table: str) -> str:
    """The rows that the guide shows of a table, with nothing in its further columns."""
    shown = GUIDE.partition(f"| `{table}` |")[2].partition("\n\n")[0]
    more = "," if table == "members.csv" else ",,,"
    return "".join(
        f"{row.replace(', ', ',')}{more}\n" for row in re.findall(r"^\| `([\d, :A-Z-]+)` \|", shown, re.MULTILINE)
    )


@pytest.fixture
def imported(sayso: Sayso, tour: Path) -> Any:
    def run(text: str, members: str, settings: str) -> list[dict[str, Any]]:
        (tour / "members.csv").write_text(MEMBERS + members)
        (tour / "settings.csv").write_text(SETTINGS + settings)
        (tour / "tables.yaml").write_text(text)
        assert sayso("init").code == 0
        assert sayso("policy", "publish", "policy.yaml").code == 0
        made = sayso("ledger", "import", "--map", "tables.yaml")
        assert made.code == 0, made.err
        return [json.loads(line) for line in sayso("ledger", "show", "--from", "1", "--json").out.splitlines()]

    return run


def test_the_rows_that_the_guide_shows_become_what_it_says(imported: Any) -> None:
    first, second, *choices = imported(MAP, rows("members.csv"), rows("settings.csv"))
    assert (first["kind"], first["subject"], first["territory"], first["birth_year"]) == (
        "subject.registered",
        "11",
        "GB",
        1980,
    )
    assert first["effective_at"] == "2019-05-01T09:00:00Z"
    assert (second["effective_at"], second["territory"], "birth_year" in second) == (
        "2020-06-01T09:00:00Z",
        "FR",
        False,
    )
    (refusal,) = choices
    assert (refusal["decision"], refusal["subject"], refusal["effective_at"]) == (
        "refusal",
        "11",
        "2024-10-01T12:00:00Z",
    )


def test_an_on_with_evidence_is_a_grant_and_a_residence_may_be_backdated(imported: Any) -> None:
    grant = re.sub("^  ", "", GRANT, flags=re.MULTILINE)
    settings = "13,1,2025-02-10 09:00:00,click 77,2025-01,log 12\n14,1,2025-02-10 09:00:00,,,\n"
    found = imported(
        SINCE + grant, "13,2021-07-01 10:00:00,US,,\n14,2020-06-01 10:00:00,FR,1991,2023-01-01 00:00:00\n", settings
    )
    assert [one["kind"] for one in found] == ["subject.registered"] * 2 + ["subject.moved", "choice.recorded"]
    assert found[0]["territory"] == "US"
    assert "territory" not in found[1]
    assert (found[2]["subject"], found[2]["territory"], found[2]["effective_at"]) == (
        "14",
        "FR",
        "2023-01-01T00:00:00Z",
    )
    assert (found[3]["decision"], found[3]["subject"], found[3]["attested"]) == ("grant", "13", "log 12")
    assert found[3]["act"] == {"what": "click 77", "where": "settings page"}


def test_a_value_that_the_map_does_not_name_stops_all_of_it(sayso: Sayso, tour: Path) -> None:
    (tour / "members.csv").write_text(MEMBERS + rows("members.csv") + "13,2021-07-01 10:00:00,XX,,\n")
    (tour / "settings.csv").write_text(SETTINGS + rows("settings.csv") + "11,2,2025-01-01 00:00:00,,,\n")
    (tour / "tables.yaml").write_text(MAP)
    sayso("init")
    sayso("policy", "publish", "policy.yaml")
    ran = sayso("ledger", "import", "--map", "tables.yaml")
    assert ran.code == 3
    assert "members.csv:3: column `country` holds `XX`, which the map does not name; add it to `values`" in ran.err
    assert "settings.csv:3: column `genai_training` holds `2`, which the map does not name" in ran.err
    assert "nothing was imported" in ran.err
    assert sayso("ledger", "show", "--from", "1").out == ""
