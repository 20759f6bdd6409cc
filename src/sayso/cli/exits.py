"""The exit codes of every command (`docs/cli.md`, *Exit codes*)."""

from __future__ import annotations

from sayso.errors import (
    CanaryError,
    EngineError,
    InputError,
    RemoteError,
    SaysoError,
    StaleError,
    StoreError,
    UsageError,
    VerificationError,
)

OK = 0
"""Done; and where something was asked, the answer is yes."""
NO = 1
"""Done, and the answer is no: denied, problems found, loosened, differs, an episode that fails."""
USAGE = 2
"""The command line cannot be understood."""
INPUT = 3
"""A file, record or event that was given cannot be used."""
STORE = 4
"""The ledger cannot be opened, read or written."""
ENGINE = 5
"""The gate's engine failed."""
STALE = 6
"""A snapshot or release is too old to be used."""
CANARY = 7
"""A planted record that must be denied was permitted."""
VERIFICATION = 8
"""What is to be verified cannot be read: there is no manifest, receipt or proof, or one of another form."""
REMOTE = 9
"""A bucket cannot be read or written: no such one, no access, no network."""
INTERRUPTED = 130
"""The user stopped it (128 and SIGINT's number)."""
CLOSED = 141
"""The output could not be written: whoever read it went away, or there is no room (128 and SIGPIPE's number)."""


def code_of(error: SaysoError) -> int:
    """The exit code of an error."""
    match error:
        case UsageError():
            return USAGE
        case InputError():
            return INPUT
        case StoreError():
            return STORE
        case EngineError():
            return ENGINE
        case StaleError():
            return STALE
        case CanaryError():
            return CANARY
        case VerificationError():
            return VERIFICATION
        case RemoteError():
            return REMOTE
        case _:
            return INPUT
