"""The demo: a platform is made up, gated at six dates of a saga, then one member and one operator say no."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import plotext
import pyarrow.compute as pc
from pyarrow.dataset import dataset
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sayso import instant
from sayso.api import Gated, Ledger, init_ledger
from sayso.demo import saga
from sayso.demo.corpus import Writer, write_corpus
from sayso.demo.events import in_order, moves, refusals, registrations, write_events
from sayso.demo.population import members
from sayso.errors import UsageError
from sayso.gate import manifest as manifests
from sayso.gate.columns import columns_from_yaml

SHOWN = ("US", "IN", "BR", "GB", "HK", "CA", "FR", "DE", "CH")
"""The territories with a row of their own."""
CHARTED = {"US": "█", "GB": "▒", "FR": "░"}
STOPPED = "BR"
HOME = "FR"
RECORD_OF = "2025-01-01T00:00:00Z"
"""When the record that is asked about was written."""

MARK = ".sayso-demo"
COLUMNS = """# Which column of the corpus says what.
subjects: author
category: category
collected_at: collected_at
territory: territory
key: record_id
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the demo's platform is."""

    members: int = 40_000
    records: int = 400_000
    files: int = 8
    seed: int = 20240918


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where the story happens."""

    folder: Path
    ledger: Ledger
    console: Console

    def gate(self, *, at: str | None = None, into: str | None = None) -> Gated[Path]:
        """The corpus gated: a release, or with `at` a replay that writes nothing."""
        return self.ledger.gate(
            self.folder / "corpus",
            purpose=saga.PURPOSE,
            recipient=saga.RECIPIENT,
            columns=columns_from_yaml(self.folder / "corpus.yaml"),
            **({"at": at, "dry_run": True} if at is not None else {"into": self.folder / str(into)}),
        )


def tell(
    folder: Path, console: Console, size: Size | None = None, clock: Callable[[], float] = time.perf_counter
) -> None:
    """Tells the whole story and leaves its files in `folder`, which is made anew if an earlier demo made it.

    Raises UsageError for a folder that something else made, and whatever opening, importing and gating raise.
    """
    began = clock()
    size = size or Size()
    for name, given, least in (
        ("members", size.members, 500), ("records", size.records, 5_000), ("files", size.files, 1), ("seed", size.seed, 0),
    ):  # fmt: skip
        if given < least:
            raise UsageError(f"expected at least {least:,} as `{name}`, or there is nothing to tell, got `{given}`")
    _clear(folder)
    with init_ledger(folder / "sayso.ledger") as ledger:
        stage = _Stage(folder, ledger, console)
        _make(stage, size)
        console.print(f"[dim]made in {clock() - began:.0f} s[/dim]\n")
        _six_dates(stage)
        member = _two_say_no(stage)
    _next(console, folder, member)
    console.print(f"[dim]{clock() - began:.0f} s in all[/dim]")


def _clear(folder: Path) -> None:
    try:
        if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
            raise UsageError(f"`{folder}` holds something else than a demo; name another folder")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / MARK).touch()
    except OSError as error:
        raise UsageError(f"`{folder}` cannot be made a folder: {error.strerror}; name another") from error


def _make(stage: _Stage, size: Size) -> None:
    folder, console = stage.folder, stage.console
    random = np.random.default_rng(size.seed)
    people = members(random, size.members, saga.WINDOW)
    console.print(
        f"[bold]A platform is made up:[/bold] {size.members:,} members, and {size.records:,} records of two years."
    )
    write_corpus(folder / "corpus", Writer(random, people, saga.WINDOW), size.records, size.files)
    (folder / "corpus.yaml").write_text(COLUMNS, encoding="utf-8")
    shutil.copy(saga.POLICY, folder / "policy.yaml")
    said = in_order(registrations(people, attested=saga.EVIDENCE), moves(people), refusals(people, saga.REFUSAL))
    files = write_events(folder / "events", said, saga.ANNOUNCEMENTS)
    stage.ledger.publish(folder / "policy.yaml")
    imported = stage.ledger.import_events(files)
    console.print(f"Its policy is published, and {imported.events:,} events are in the ledger: who is known, who")
    console.print("objected, what was announced, and what three authorities stopped.")


def _six_dates(stage: _Stage) -> None:
    console = stage.console
    console.print("[bold]What may train generative AI, at six dates of the saga?[/bold]")
    found: list[Mapping[str, Any]] = []
    (stage.folder / "replays").mkdir()
    for day, what in saga.DATES:
        gated = stage.gate(at=f"{day}T00:00:00Z")
        (stage.folder / "replays" / f"{day}.json").write_bytes(manifests.encode(gated.manifest))
        found.append(gated.counts)
        console.print(f"  {day}  {_percent(_by_territory(gated.counts)['all']):>4}  {what}")
    console.print()
    console.print(_territories([day for day, _ in saga.DATES], found))
    console.print("[dim]-: before there is a policy nothing is permitted, and no territory is asked for.[/dim]\n")
    console.print(_reasons([day for day, _ in saga.DATES], found))
    chart = _chart([day for day, _ in saga.DATES], [_by_territory(counts) for counts in found])
    console.print(chart, markup=False, highlight=False)


def _by_territory(counts: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Permitted and all of what was written by then, for each territory shown, the rest, and all.

    What was written after the use cannot be read at it, and denies; here it is left out of the sum.
    """
    sums = {name: [0, 0] for name in (*SHOWN, "elsewhere", "all")}
    for cell in counts["cells"]:
        if cell["outcome"] == "unreadable":
            continue
        where = cell["territory"] if cell["territory"] in SHOWN else "elsewhere"
        for name in (where, "all"):
            sums[name][0] += cell["records"] * (cell["outcome"] in counts["by_ground"])
            sums[name][1] += cell["records"]
    return {name: (permitted, written) for name, (permitted, written) in sums.items()}


def _percent(part: tuple[int, int]) -> str:
    return f"{100 * part[0] / part[1]:.0f}%" if part[1] else "-"


def _table(title: str, first: str, days: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(first)
    for day in days:
        table.add_column(day, justify="right")
    return table


def _territories(days: Sequence[str], found: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Permitted, of the records written by then", "territory", days)
    sums = [_by_territory(counts) for counts in found]
    for name in sums[0]:
        table.add_row(name, *(_percent(one[name]) for one in sums), end_section=name == "elsewhere")
    return table


def _reasons(days: Sequence[str], found: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Why, and why not (records)", "ground or reason", days)
    for kind in ("by_ground", "by_reason"):
        words = list(dict.fromkeys(word for counts in found for word in counts[kind]))
        for word in words:
            shown = f"{word} (written later)" if word == "unreadable" else word
            table.add_row(shown, *(f"{counts[kind].get(word, 0):,}" for counts in found), end_section=word == words[-1])
    return table


def _chart(days: Sequence[str], sums: Sequence[Mapping[str, tuple[int, int]]]) -> str:
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(90, 14)
    heights = [[100 * one[name][0] / max(one[name][1], 1) for one in sums] for name in CHARTED]
    figure.draw(figure.bar(list(days), heights, marker=list(CHARTED.values()), width=0.7))
    figure.ruler("y").lim(0, 100)
    figure.title("permitted, %:  " + "  ".join(f"{mark} {name}" for name, mark in CHARTED.items()))
    chart: str = plotext.uncolorize(str(figure.build()))
    return chart + "\n"


def _two_say_no(stage: _Stage) -> int:
    """Returns the member who objects."""
    console = stage.console
    console.print("[bold]Now for real: a release, at the present instant.[/bold]")
    before = stage.gate(into="release-1")
    member, count = _busiest(stage.folder / "release-1" / "permitted")
    console.print(f"  {before.counts['permitted']:,} permitted. Member {member} in {HOME} wrote {count:,} of them.")
    stage.ledger.choose("objection", subject=member, source="settings", purposes=["ai-training"])
    console.print(f"  Member {member} objects.")
    stage.ledger.suspend(
        "operator-stop", authority="operator", reason="a question of the authority", territories=[STOPPED],
        conditions={"answer": "the authority has its answer"},
    )  # fmt: skip
    console.print(f"  An operator suspends {STOPPED}.")
    after = stage.gate(into="release-2")
    left = _of(stage.folder / "release-2" / "permitted", member)
    was, now = _by_territory(before.counts), _by_territory(after.counts)
    rows = [(f"member {member}", count, left)]
    rows += [(name, was[name][0], now[name][0]) for name in (STOPPED, HOME, "US", "all")]
    console.print(_compared("Permitted", rows))
    console.print(
        f"[dim]What people in {STOPPED} wrote while they were elsewhere is stopped too: hence fewer in the US.[/dim]\n"
    )
    console.print(_compared("By ground or reason", list(_by_outcome(before.counts, after.counts))))
    console.print(
        "[dim]Each denied record is counted once, under the first reason of the order in spec/semantics.md, section 6:\n"
        "`suspended` comes before the others. So a count falls where records have changed their reason; none of them is\n"
        "permitted for it.[/dim]\n"
    )
    why = stage.ledger.decide(member, "posts", RECORD_OF, purpose=saga.PURPOSE, recipient=saga.RECIPIENT)
    console.print(f"  A post of member {member} is now denied: `{why.reason}`.\n")
    return member


def _by_outcome(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Each ground and reason, with how many records had it before and after."""
    for kind in ("by_ground", "by_reason"):
        for word in dict.fromkeys([*before[kind], *after[kind]]):
            yield word, before[kind].get(word, 0), after[kind].get(word, 0)


def _compared(title: str, rows: Sequence[tuple[str, int, int]]) -> Table:
    """Counts before and after, and by how many they rose or fell."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in ("", "before", "after", "change"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, was, now in rows:
        table.add_row(name, f"{was:,}", f"{now:,}", f"{now - was:+,}" if now != was else "=")
    return table


def _busiest(permitted: Path) -> tuple[int, int]:
    """The member with most permitted records at `HOME`, or else anywhere, and how many there are of them anywhere."""
    rows = dataset(permitted, format="parquet").to_table(["author", "territory"])
    at_home = rows.filter(pc.equal(rows["territory"], HOME))
    counts = (at_home if len(at_home) else rows).group_by("author").aggregate([([], "count_all")])
    first = counts.sort_by([("count_all", "descending"), ("author", "ascending")]).slice(0, 1)
    member: int = first["author"][0].as_py()
    return member, _of(permitted, member)


def _of(permitted: Path, member: int) -> int:
    """How many permitted records a member wrote."""
    count: int = dataset(permitted, format="parquet").count_rows(filter=pc.field("author") == member)
    return count


def _next(console: Console, folder: Path, member: int) -> None:
    at = instant.format(saga.WINDOW.until)
    here = shlex.quote(str(folder))
    ledger = f"sayso --ledger {here}/sayso.ledger"
    use = f"--purpose {saga.PURPOSE} --recipient {saga.RECIPIENT}"
    record = json.dumps({"subject": member, "category": "posts", "collected_at": RECORD_OF})
    console.print(f"[bold]Everything is in {escape(str(folder))}.[/bold] What to try next:")
    for command in (
        f"sayso verify {here}/release-2",
        f"sayso policy show {here}/policy.yaml --at {at} {use}",
        f"sayso policy show {here}/policy.yaml --at {at} {use} --format html > {here}/policy.html",
        f"{ledger} ledger show --kind suspension.opened",
        f"{ledger} explain {use} '{record}'",
        f"{ledger} lift operator-stop --evidence answer='a letter of today'",
        f"{ledger} gate {here}/corpus --columns {here}/corpus.yaml {use} --into {here}/release-3",
    ):
        console.print(f"  {command}", soft_wrap=True, markup=False, highlight=False)
