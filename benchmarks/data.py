"""The corpus and the ledger that the figures are measured on: made once from a seed, at a scale, and kept in a folder.

One ledger serves three uses (`USES`), whose purposes the policy denies about a twentieth, a sixth and half of.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sayso import instant
from sayso.api import Ledger, init_ledger, load_policy
from sayso.demo.corpus import Writer, write_corpus
from sayso.demo.events import Events, alike, in_order, moves, refusals, registrations, write_events
from sayso.demo.population import Habits, Window, members
from sayso.gate.columns import Columns, SubjectColumn
from sayso.ledger.importing import import_events

FOLDER = Path(__file__).parent.parent / ".bench"
FORM = 2
"""Counts up when what is generated changes, so that what was kept is not taken for it."""

POLICY = Path(__file__).parent / "policy.yaml"
USES = {"a twentieth": "ranking", "a sixth": "generative-ai", "half": "open-release"}
"""The purpose of each share that is denied, for the recipient `platform`."""
RECIPIENT = "platform"
COLUMNS = Columns(
    (SubjectColumn("author"),), category="category", territory="territory", key="record_id", collected_at="collected_at"
)
AT = instant.parse("2026-01-01T00:00:00Z")
"""The end of the corpus: a use at or after it sees every record."""

_WINDOW = Window(
    instant.parse("2024-01-01T00:00:00Z"),
    AT,
    instant.parse("2025-06-01T00:00:00Z"),
    instant.parse("2025-07-15T00:00:00Z"),
)
_TOLD = (("ai-notice", "2024-02", instant.parse("2024-02-01T00:00:00Z")), ("release-notice", "2025-06", _WINDOW.told))
_HABITS = Habits(refused=0.02, moved=0.1, minors=0.003, birth_year_unknown=0.2, territory_unknown=0.001)
_SHARES = {
    "profile": 0.03, "posts": 0.4, "comments": 0.3, "group-messages": 0.08, "private-messages": 0.01,
    "ai-inputs": 0.08, "ai-outputs": 0.05, "ai-feedback": 0.01, "usage": 0.03, "language-preference": 0.01,
}  # fmt: skip
_EVIDENCE = "made for the benchmarks"


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is made. The ledger has three events a subject."""

    records: int = 20_000_000
    subjects: int = 5_000_000
    files: int = 20
    seed: int = 1


FULL = Scale()


def corpus(scale: Scale = FULL, folder: Path = FOLDER) -> Path:
    """A folder of Parquet files with the records, made if it is not there: about 120 bytes of text each."""

    def make(into: Path) -> None:
        writer = Writer(np.random.default_rng([scale.seed, 2]), people(scale), _WINDOW, _SHARES)
        write_corpus(into, writer, scale.records, scale.files)

    return kept(folder / f"corpus-{_key(scale)}", make)


def events(scale: Scale = FULL, folder: Path = FOLDER) -> list[Path]:
    """The files with the ledger's events, in order, made if they are not there."""

    def make(into: Path) -> None:
        told = [
            {
                "kind": "notice.delivered", "notice": notice, "version": version, "audience": audience,
                "effective_at": at, "attested": _EVIDENCE,
            }
            for notice, version, at in _TOLD
            for audience in ({}, {"at": "sign-up"})
        ]  # fmt: skip
        write_events(into, _said(scale), told)

    return sorted(kept(folder / f"events-{_key(scale, 'subjects', 'seed')}", make).iterdir())


def ledger(scale: Scale = FULL, folder: Path = FOLDER, progress: Callable[[int], None] | None = None) -> Path:
    """A ledger with the policy published and every event imported, made if it is not there."""

    def make(into: Path) -> None:
        with init_ledger(into / "bench.ledger") as made:
            made.publish(load_policy(POLICY))
            _import(made, events(scale, folder), progress)

    return kept(folder / f"ledger-{_key(scale, 'subjects', 'seed')}", make) / "bench.ledger"


def _import(made: Ledger, files: list[Path], progress: Callable[[int], None] | None) -> None:
    import_events(made.parts.journal, files, batch=500_000, progress=progress)


def people(scale: Scale) -> pa.Table:
    """The members of a scale, in order of registration and of id."""
    return members(np.random.default_rng([scale.seed, 1]), scale.subjects, _WINDOW, _HABITS)


def _said(scale: Scale) -> Events:
    """Three events a subject: registered 1, signals 0.71, grants 0.55, plans 0.4, years 0.2, moves 0.1, refusals 0.04."""
    random = np.random.default_rng([scale.seed, 3])
    everybody = people(scale)
    ids = everybody["id"].to_numpy()
    since = everybody["registered_at"].cast(pa.int64()).to_numpy()

    def some(share: float, of: float = 1.0) -> NDArray[np.int64]:
        """`share` of everyone's number, drawn again and again from the first `of` of everyone in a fixed shuffle."""
        return shuffled[random.integers(0, max(int(len(ids) * of), 1), int(len(ids) * share))]

    def later(who: NDArray[np.int64]) -> NDArray[np.int64]:
        at: NDArray[np.int64] = since[who] + (random.random(len(who)) * (_WINDOW.until - since[who])).astype(np.int64)
        return at

    shuffled = random.permutation(len(ids))
    unknown = np.flatnonzero(everybody["birth_year"].is_null().to_numpy())
    granted, withdrawn, planned, seen = some(0.55, of=0.6), some(0.02, of=0.6), some(0.4), some(0.71, of=0.02)
    granted_at = later(granted)
    which = ((granted_at >= _TOLD[1][2]) & (random.random(len(granted)) < 0.2)).astype(np.int32)
    scopes = (
        {"purposes": ["ai-training"], "categories": _ALL, "recipients": ["platform", "affiliate"]},
        {
            "purposes": ["generative-ai", "open-release"],
            "categories": ["content", "assistant"],
            "recipients": ["platform"],
        },
    )
    grants = tuple(
        {
            "kind": "choice.recorded", "decision": "grant", "source": "settings", "scope": scope,
            "notice": {"id": notice, "version": version}, "attested": _EVIDENCE,
            "act": {"what": "switched the toggle on", "where": "settings"},
        }
        for notice, version, _ in _TOLD
        for scope in scopes
    )  # fmt: skip
    narrow = (random.random(len(granted)) < 0.2).astype(np.int32)
    plans = tuple({"kind": "subject.attributes-changed", "attributes": {"plan": plan}} for plan in ("pro", "business"))
    years = tuple({"kind": "subject.birth-year", "year": year} for year in range(1950, 2007))
    signals = tuple({"kind": "signal.seen", "signal": "gpc", "channel": channel} for channel in ("browser", "app"))
    refused = {"decision": "objection", "source": "settings", "scope": {"purposes": ["ai-training"]}}
    return in_order(
        registrations(everybody, ({}, {"plan": "pro"}, {}), _EVIDENCE),
        moves(everybody),
        Events(later(unknown), ids[unknown], random.integers(0, len(years), len(unknown), np.int32), years),
        Events(later(planned), ids[planned], (random.random(len(planned)) < 0.1).astype(np.int32), plans),
        Events(later(seen), ids[seen], random.integers(0, 2, len(seen), np.int32), signals),
        Events(granted_at, ids[granted], which * np.int32(2) + narrow, grants),
        refusals(everybody, refused),
        alike(later(withdrawn), ids[withdrawn], {"kind": "choice.recorded", **refused, "decision": "withdrawal"}),
    )


_ALL = ["profile", "content", "private-messages", "assistant", "usage", "language-preference"]


def _key(scale: Scale, *names: str) -> str:
    return "-".join(
        [*(str(value) for name, value in asdict(scale).items() if not names or name in names), f"form{FORM}"]
    )


def kept(folder: Path, make: Callable[[Path], None]) -> Path:
    """A folder, made if it is not there: under another name until it is whole."""
    if not folder.exists():
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        make(partial)
        partial.rename(folder)
    return folder


def main() -> None:
    """Makes the corpus, the events and the ledger of a scale ahead of the measuring."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--records", type=int, default=FULL.records)
    parser.add_argument("--subjects", type=int, default=FULL.subjects)
    parser.add_argument("--files", type=int, default=FULL.files)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    given = parser.parse_args()
    scale = Scale(given.records, given.subjects, given.files)
    print(corpus(scale, given.folder))
    print(ledger(scale, given.folder, progress=lambda done: print(f"\r{done:,} events", end="", flush=True)))


if __name__ == "__main__":
    main()
