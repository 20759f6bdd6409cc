"""The one exception tree.

SaysoError
├── InputError            what a person gave cannot be used
│   ├── InstantError          an instant that is naive, malformed or out of range
│   ├── TerritoryError        a territory or group that is not known
│   ├── PolicyError           a policy document with problems
│   ├── EventError            an event the ledger refuses, or a bad line of an import
│   ├── CorpusError           a corpus, or its column mapping, that cannot be gated
│   ├── EpisodeError          an episode file that cannot be read
│   ├── KeyFileError          a key that is missing, wrong, or readable by others
│   └── UsageError            a command or call that cannot be understood
├── StoreError            the ledger's store cannot do what was asked
│   └── StoreBusyError        another process holds the ledger; trying again may work
├── EngineError           the gate's engine failed while it worked
├── RemoteError           what is kept elsewhere cannot be read or written
├── StaleError            a snapshot, or what a release derived from it, is too old
├── CanaryError           a planted record that must be denied was permitted
└── VerificationError     something given does not prove what it should
    └── RollbackError         a ledger is not what a checkpoint seen before says it must have become
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input, with all a person needs to mend it.

    `line` and `column` count from 1; `None` where the input has no lines.
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    remedy: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        text = f"{place}: {self.message}" if place else self.message
        return f"{text}; {self.remedy}" if self.remedy else text


class SaysoError(Exception):
    """Anything that sayso itself raises. Messages are lowercase, hold no personal data and say what to do."""


class InputError(SaysoError):
    """What a person gave cannot be used. Holds every problem found, not only the first."""

    def __init__(self, problems: str | Problem | Sequence[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        if isinstance(problems, Problem):
            problems = (problems,)
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InstantError(InputError):
    """An instant that is naive, malformed or out of range."""


class TerritoryError(InputError):
    """A territory or group that is not known."""


class PolicyError(InputError):
    """A policy document with problems."""


class EventError(InputError):
    """An event the ledger refuses, or a bad line of an import."""


class CorpusError(InputError):
    """A corpus, or its column mapping, that cannot be gated."""


class EpisodeError(InputError):
    """An episode file that cannot be read."""


class KeyFileError(InputError):
    """A key that is missing, wrong, or readable by others."""


class UsageError(InputError):
    """A command or call that cannot be understood."""


class StoreError(SaysoError):
    """The ledger's store cannot do what was asked."""


class StoreBusyError(StoreError):
    """Another process holds the ledger; trying again may work."""


class EngineError(SaysoError):
    """The gate's engine failed while it worked."""


class RemoteError(SaysoError):
    """What is kept elsewhere cannot be read or written: no such bucket, no access, no network, a transfer that broke off."""


class StaleError(SaysoError):
    """A snapshot, or what a release derived from it, is too old to be used."""


class CanaryError(SaysoError):
    """A planted record that must be denied was permitted."""


class VerificationError(SaysoError):
    """Something given, such as a file, a signature or a proof, does not prove what it should."""


class RollbackError(VerificationError):
    """A ledger is not what a checkpoint seen before says it must have become: older, or another."""
