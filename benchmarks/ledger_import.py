"""Bulk import and streaming of facts: `python -m benchmarks.ledger_import [EVENTS]` (1 million unless told otherwise)."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from pathlib import Path

from sayso import wiring
from sayso.ledger.identity import IdType
from sayso.ledger.importing import import_events
from sayso.ledger.journal import Journal

CHOICE = (
    '{"kind":"choice.recorded","subject":%d,"decision":"%s","source":"settings page","scope":{"purposes":["generative-ai"],'
    '"categories":["posts"],"recipients":["platform"]},"notice":{"id":"ai-notice","version":"1"},'
    '"act":{"what":"switched the toggle","where":"settings"},"effective_at":"2024-%02d-11T10:11:12.%06dZ"}\n'
)
MEMBER = (
    '{"kind":"subject.registered","subject":%d,"territory":"%s","birth_year":%d,'
    '"effective_at":"2023-%02d-11T10:11:12.%06dZ"}\n'
)


def write(path: Path, count: int) -> None:
    """A file of events: half registrations, half choices, ids without order."""
    rng = random.Random(1)
    ids = rng.sample(range(2**40), count // 2)
    with path.open("w", encoding="utf-8") as file:
        for one in ids:
            where = rng.choice(("FR", "US", "DE", "GB", "IN", "BR"))
            file.write(MEMBER % (one, where, rng.randint(1950, 2005), rng.randint(1, 12), rng.randrange(1_000_000)))
        for _ in range(count - len(ids)):
            decision = rng.choice(("grant", "refusal"))
            file.write(CHOICE % (rng.choice(ids), decision, rng.randint(1, 12), rng.randrange(1_000_000)))


def unjudged(parts: wiring.Parts) -> Journal:
    """A journal that asks no policy: it is the ledger that is measured."""
    return Journal(parts.store, keys=parts.journal.keys, now=wiring.present, random_bytes=os.urandom)


def main(count: int = 1_000_000) -> None:
    """Prints how long importing and streaming take."""
    with tempfile.TemporaryDirectory() as directory:
        source, file = Path(directory, "events.ndjson"), Path(directory, "ledger.db")
        write(source, count)
        parts = wiring.create(file, IdType.INT64)
        store = parts.store
        journal = unjudged(parts)
        before, cpu = time.perf_counter(), time.process_time()
        import_events(journal, source)
        took, busy = time.perf_counter() - before, time.process_time() - cpu
        print(f"import: {count:,} events in {took:.1f} s ({busy:.1f} s of CPU), {count / took:,.0f} a second")
        print(f"ledger: {file.stat().st_size / count:.0f} bytes an event")
        for columns in (None, ("position", "party", "id", "at", "code")):
            before = time.perf_counter()
            rows = sum(b.num_rows for b in (store.facts(columns=columns) if columns else store.facts()))
            print(f"facts: {rows / (time.perf_counter() - before):,.0f} a second, columns {columns or 'all'}")
        parts.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
