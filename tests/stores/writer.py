"""A process that writes to a ledger, and says after each step that it is done: to be killed, or to run out of room."""

from __future__ import annotations

import random
import resource
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

from sayso.errors import StoreError
from sayso.ledger import events as e
from sayso.ledger.importing import import_events
from sayso.ledger.journal import Journal
from sayso.ledger.publishing import publish
from tests.ledgers import KEYS, journal_on
from tests.stores.places import opened


def journal_at(path: str) -> Journal:
    store = opened(path)
    return journal_on(store, now=lambda: time.time_ns() // 1000)


def say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def append(path: str, first: str, count: str) -> None:
    """Appends one event after another, and prints the position of each that is acknowledged."""
    journal = journal_at(path)
    say("ready")
    for n in range(int(first), int(first) + int(count)):
        say(journal.append(e.SubjectRegistered(subject=n)).position)


def bulk(path: str, source: str, batch: str) -> None:
    """Imports a file, and prints how many events were added so far."""
    journal = journal_at(path)
    say("ready")
    import_events(journal, Path(source), batch=int(batch) or None, progress=say)


def fill(path: str, most: str) -> None:
    """Appends until a file would grow beyond `most` bytes, prints the error, and appends once more with room again."""
    journal = journal_at(path)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), resource.RLIM_INFINITY))
    try:
        for n in range(1000):
            journal.append_many([e.SubjectRegistered(subject=n * 100 + m) for m in range(100)])
            say(n)
    except StoreError as error:
        say(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    say(journal.append(e.SubjectRegistered(subject=-1)).position)


def work(said: Connection, location: str, folder: str, seed: int, first: int) -> None:
    """Opens a ledger, then appends, imports, erases and publishes, in random order, and tells the size of the ledger after
    each step. `folder` is where it may write besides.
    """
    source, public = Path(folder) / f"{first}.ndjson", Path(folder) / "public"
    journal, chance, subject = journal_at(location), random.Random(seed), first
    while True:
        match chance.choice(["append", "append", "append", "import", "erase", "publish"]):
            case "append":
                journal.append(e.SubjectRegistered(subject=subject, territory="FR", attributes={"mark": f"m{subject}"}))
                subject += 1
            case "import":
                some = range(subject, subject + 400)
                source.write_text("".join(f'{{"kind":"subject.registered","subject":{n}}}\n' for n in some))
                import_events(journal, source)
                subject += 400
            case "erase" if subject > first:
                journal.append(e.SubjectRegistered(subject=subject))
                journal.append(e.ChoiceRecorded(subject=subject, decision="refusal", source="erase me"))
                journal.append(e.SubjectErased(subject=subject))
                subject += 1
            case _:
                with journal.store.reading() as reading:
                    publish(reading, public, KEYS.verifiers)
        said.send_bytes(b"%d" % journal.head().size)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["append", ledger, first, count]:
            append(ledger, first, count)
        case ["import", ledger, source, batch]:
            bulk(ledger, source, batch)
        case ["fill", ledger, most]:
            fill(ledger, most)
