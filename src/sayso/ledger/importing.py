"""Bulk import: files of events into the journal, whole or not at all, or in batches that are each whole."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sayso.errors import EventError, Problem
from sayso.ledger.journal import Journal
from sayso.ledger.sources import AT_ONCE, Chunk, Format, chunks, format_of
from sayso.ledger.writing import Writer

MOST_PROBLEMS = 100
"""How many problems are told of; the reading stops there."""


class Imported(NamedTuple):
    """What an import added: the positions [start, stop) of the ledger."""

    start: int
    stop: int

    @property
    def events(self) -> int:
        """How many events were added, if nobody else added some meanwhile."""
        return self.stop - self.start


def import_events(
    journal: Journal,
    paths: Path | Iterable[Path],
    fmt: Format | None = None,
    *,
    batch: int | None = None,
    from_line: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Imported:
    """Appends the events of one or more files, in order.

    All of them are appended or none, unless `batch` is given: then every `batch` events, at least, are committed
    together. `from_line` skips the lines of the first file before it. `progress` is told how many events were added so
    far. Without `fmt` each file's name tells its format.

    Raises EventError with each bad line (at most `MOST_PROBLEMS`), by file and number, and what was and was not
    imported; StoreError.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    at_once = AT_ONCE if batch is None else min(AT_ONCE, batch)
    formats = [format_of(path) if fmt is None else fmt for path in files]
    parts = (
        chunk
        for index, (path, form) in enumerate(zip(files, formats, strict=True))
        for chunk in chunks(path, form, journal.id_type, from_line=from_line if index == 0 else 1, at_once=at_once)
    )
    return load(journal, parts, batch=batch, progress=progress)


def load(
    journal: Journal,
    parts: Iterable[Chunk],
    *,
    batch: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Imported:
    """Appends chunks of events, whole or in batches, as `import_events` does."""
    with _uncollected():
        return _load(journal, iter(parts), batch, progress)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the cycle collector: events hold no cycles, and walking them again and again takes a fifth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _load(
    journal: Journal, left: Iterator[Chunk], batch: int | None, progress: Callable[[int], None] | None
) -> Imported:
    start = stop = None
    done = 0
    resume: tuple[str, int] | None = None
    while True:
        with journal.writing() as writer:
            first = writer.head.size
            start = first if start is None else start
            ended, last = _add_batch(writer, left, batch, done, resume, progress)
            done += writer.head.size - first
            stop = writer.head.size
        resume = last or resume
        if ended:
            return Imported(start, stop)


def _add_batch(
    writer: Writer,
    left: Iterator[Chunk],
    batch: int | None,
    done: int,
    resume: tuple[str, int] | None,
    progress: Callable[[int], None] | None,
) -> tuple[bool, tuple[str, int] | None]:
    """Adds chunks until a batch is full or nothing is left; returns whether nothing is, and the place after the last.

    Raises EventError, so that nothing of the batch is kept, if any line was bad.
    """
    first = writer.head.size
    problems: list[Problem] = []
    place: tuple[str, int] | None = None
    ended = True
    for chunk in left:
        problems += chunk.problems
        problems += [
            Problem(one.problem.message, file=chunk.file, line=one.place, remedy=one.problem.remedy)
            for one in writer.add_normalised(chunk.events)
        ]
        place = (chunk.file, chunk.until)
        if len(problems) > MOST_PROBLEMS:
            break
        if progress is not None and chunk.events and not problems:
            progress(done + writer.head.size - first)
        if batch is not None and writer.head.size - first >= batch:
            ended = False
            break
    if problems:
        problems.sort(key=lambda one: (one.file or "", one.line or 0))
        raise EventError([*_capped(problems), _outcome(done, resume)])
    return ended, place


def _capped(problems: list[Problem]) -> list[Problem]:
    more = len(problems) - MOST_PROBLEMS
    if more <= 0:
        return problems
    return [*problems[:MOST_PROBLEMS], Problem("there are more problems; the reading stopped after these")]


def _outcome(done: int, resume: tuple[str, int] | None) -> Problem:
    if not done or resume is None:
        return Problem("nothing was imported", remedy="mend these lines and import again")
    file, line = resume
    return Problem(f"{done} events were imported, nothing from line {line} of `{file}` on", remedy="resume from there")
