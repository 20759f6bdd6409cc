"""What people do today, with the same verdicts: a table of members and a filter by hand, or an engine asked record by record.

The use is `ranking`, whose one opt-out rule can be written by hand. The table says of each member what history comes to (who
refused last, who was told when, where they live and lived), which somebody must have worked out; the events are read for it apart.
Left out: reasons and grounds, evidence, counts, digests, the manifest, aliases, erasure, suspensions, and every other version of the policy.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.tasks import Clock, files, scratch

ASKED = 5_000
"""So many records are asked one by one."""
TOLD, BY = "TIMESTAMPTZ '2024-02-01 00:00:00+00'", "TIMESTAMPTZ '2025-12-02 00:00:00+00'"
"""When those who were there were told, and by when, 30 days before the use, one must have been."""

_MEMBERS = """
WITH events AS (FROM read_json({files}, format = 'newline_delimited', columns = {{subject: 'BIGINT', kind: 'VARCHAR',
    effective_at: 'TIMESTAMPTZ', territory: 'VARCHAR', decision: 'VARCHAR', scope: 'STRUCT(purposes VARCHAR[])'}})),
choices AS (SELECT subject, arg_max(decision <> 'grant', (effective_at, decision <> 'grant')) AS refused FROM events
    WHERE kind = 'choice.recorded' AND list_contains(scope.purposes, 'ai-training') GROUP BY subject),
signals AS (SELECT DISTINCT subject FROM events WHERE kind = 'signal.seen'),
moves AS (SELECT subject, max(effective_at) AS moved_at, arg_max(territory, effective_at) AS moved_to FROM events
    WHERE kind = 'subject.moved' GROUP BY subject)
SELECT e.subject AS id, e.effective_at AS registered_at, e.territory AS home, moved_at, moved_to,
    coalesce(refused, false) AS refused, s.subject IS NOT NULL AS signalled,
    greatest(e.effective_at, {told}) <= {by} AS told
FROM events e LEFT JOIN choices USING (subject) LEFT JOIN signals s USING (subject) LEFT JOIN moves USING (subject)
WHERE kind = 'subject.registered'
"""
_RULE = """
    told AND NOT refused AND category <> 'private-messages' AND registered_at <= collected_at
    AND coalesce(moved_to, home) IS NOT NULL
    AND CASE WHEN collected_at >= moved_at THEN moved_to ELSE home END IS NOT NULL
    AND NOT (signalled AND (coalesce(coalesce(moved_to, home) IN ('US', 'CA'), false)
        OR CASE WHEN collected_at >= moved_at THEN moved_to ELSE home END IN ('US', 'CA')
        OR coalesce(r.territory IN ('US', 'CA'), false)))
"""


def members(events: list[Path], path: Path) -> Path:
    """The table of members, made from the events if it is not there."""
    if not path.exists():
        asked = _MEMBERS.format(files=[str(one) for one in events if "people" in one.name], told=TOLD, by=BY)
        duckdb.connect().execute(f"COPY ({asked}) TO '{path}' (FORMAT parquet)")
    return path


def today_duckdb(corpus: str, people: str) -> dict[str, Any]:
    """A join and a WHERE by hand, copied."""
    with scratch(Path(corpus).parent) as into:
        clock = Clock()
        duckdb.connect().execute(
            f"COPY (SELECT r.* FROM read_parquet({files(Path(corpus))}) r JOIN '{people}' p ON r.author = p.id "
            f"WHERE {_RULE}) TO '{into}/all.parquet' (FORMAT parquet)"
        )
        return clock.read() | {"permitted": pq.read_metadata(into / "all.parquet").num_rows}


def today_pandas(corpus: str, people: str) -> dict[str, Any]:
    """A merge and a mask by hand, file by file, copied."""
    with scratch(Path(corpus).parent) as into:
        clock = Clock()
        known, permitted = pd.read_parquet(people), 0
        for path in files(Path(corpus)):
            read = pd.read_parquet(path)
            kept = read[_permitted(read.merge(known, how="left", left_on="author", right_on="id")).to_numpy()]
            permitted += len(kept)
            kept.to_parquet(into / Path(path).name, index=False)
        return clock.read() | {"permitted": permitted}


def _permitted(both: pd.DataFrame) -> Any:
    """Which rows of records and members pass."""
    asked, moved = ["US", "CA"], both["collected_at"] >= both["moved_at"]
    then, now = both["home"].where(~moved, both["moved_to"]), both["moved_to"].fillna(both["home"])
    here = now.isin(asked) | then.isin(asked) | both["territory"].isin(asked)
    plain = (both["registered_at"] <= both["collected_at"]) & now.notna() & then.notna()
    flags = [both[name].fillna(False).astype(bool) for name in ("told", "refused", "signalled")]
    return plain & flags[0] & ~flags[1] & ~(flags[2] & here) & (both["category"] != "private-messages")


def today_asking(engine: str, corpus: str, people: str) -> dict[str, Any]:
    """An engine for authorization asked record by record, of the first records; nothing is written.

    What it is asked is worked out by a join beforehand, which is not measured; and by that, what it should say.
    """
    path = files(Path(corpus))[-1]
    reading = duckdb.connect().sql(
        "SELECT r.category, coalesce(r.territory, '') AS territory, r.author::VARCHAR AS author, "
        "coalesce(told, false) AS told, coalesce(refused, true) AS refused, coalesce(signalled, true) AS signalled, "
        "coalesce(moved_to, home, '') AS now, "
        "coalesce(CASE WHEN collected_at >= moved_at THEN moved_to ELSE home END, '') AS then_, "
        f"coalesce(registered_at <= collected_at, false) AS there, coalesce({_RULE}, false) AS expected "
        f"FROM (FROM '{path}' LIMIT {ASKED}) r LEFT JOIN '{people}' p ON r.author = p.id"
    )
    asked = reading.to_arrow_table().to_pylist()
    ask = _ENGINES[engine]()
    clock, before = Clock(), time.perf_counter()
    said = [ask(one) for one in asked]
    spent = time.perf_counter() - before
    return clock.read() | {
        "records": len(asked), "microseconds": spent / len(asked) * 1e6, "permitted": sum(said),
        "agrees": said == [one["expected"] for one in asked],
    }  # fmt: skip


_CASBIN = """
[request_definition]
r = category, told, refused, signalled, there, now, then, written
[policy_definition]
p = purpose, never
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.told && !r.refused && r.there && r.category != p.never && r.now != "" && r.then != "" && \
!(r.signalled && (r.now == "US" || r.now == "CA" || r.then == "US" || r.then == "CA" || r.written == "US" || r.written == "CA"))
"""
_CEDAR = """
permit(principal, action, resource) when {
  context.told && !context.refused && context.there && context.category != "private-messages" &&
  context.now != "" && context.then_ != "" &&
  !(context.signalled && (["US", "CA"].contains(context.now) || ["US", "CA"].contains(context.then_) ||
    ["US", "CA"].contains(context.territory)))
};
"""


def _casbin() -> Callable[[dict[str, Any]], bool]:
    module = importlib.import_module("casbin")
    model = module.Model()
    model.load_model_from_text(_CASBIN)
    enforcer = module.Enforcer(model)
    enforcer.add_policy("ranking", "private-messages")
    names = ("category", "told", "refused", "signalled", "there", "now", "then_", "territory")
    return lambda one: bool(enforcer.enforce(*(one[name] for name in names)))


def _cedar() -> Callable[[dict[str, Any]], bool]:
    module = importlib.import_module("cedarpy")

    def ask(one: dict[str, Any]) -> bool:
        request = {
            "principal": f'User::"{one["author"]}"', "action": 'Action::"ranking"', "resource": 'Corpus::"all"',
            "context": {name: value for name, value in one.items() if name not in ("author", "expected")},
        }  # fmt: skip
        return bool(module.is_authorized(request, _CEDAR, []).allowed)

    return ask


_ENGINES = {"casbin": _casbin, "cedarpy": _cedar}
TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    one.__name__: one for one in (today_duckdb, today_pandas, today_asking)
}
