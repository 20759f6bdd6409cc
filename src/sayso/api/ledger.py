"""A ledger as Python sees it: what may be recorded, asked and gated, each in one call (`docs/api.md`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from sayso import instant, wiring
from sayso.api.expecting import expecting, telling
from sayso.api.given import (
    AnyId,
    Instant,
    Subjects,
    instant_of,
    record_from_json,
    record_of,
)
from sayso.api.keeping import Log
from sayso.api.policies import PolicyLike, policy_of
from sayso.api.recording import Recording
from sayso.consent.reader import View
from sayso.ledger.document import document
from sayso.ledger.identity import IdType, write
from sayso.ledger.store import Head
from sayso.policy.decide import decide
from sayso.policy.explain import Explanation, explain
from sayso.policy.facts import Record, Use
from sayso.policy.model import Policy
from sayso.policy.verdict import Verdict

if TYPE_CHECKING:
    from sayso.api.deciding import Decisions
    from sayso.api.gating import GateOptions
    from sayso.api.sources import Gated
    from sayso.gate.columns import Columns

T = TypeVar("T")


@expecting
def init_ledger(
    path: str | wiring.Location,
    id_type: IdType | str = IdType.INT64,
    *,
    origin: str | None = None,
    now: Callable[[], int] = wiring.present,
) -> Ledger:
    """Makes a new ledger, and its keys, and opens it. `id_type` is `int64`, `string` or `uuid`, for good.

    `path` is that of a file, or a URL such as `postgresql://user@host/database`.

    `origin` is the name of its log, best the address at which it will be published without `https://`; also for good.
    Raises StoreError where there is one already, or none can be made; KeyFileError.
    """
    return Ledger(wiring.create(wiring.located(path), IdType(id_type), origin=origin, now=telling(now)))


@expecting
def open_ledger(path: str | wiring.Location, *, wait: float = 10.0, now: Callable[[], int] = wiring.present) -> Ledger:
    """Opens the ledger in a file, or at a URL of PostgreSQL; use it in a `with` block, or close it.

    `wait` is how many seconds a write waits for another process. `now` gives the present instant in microseconds;
    another clock than the system's is for replaying history into a new ledger. Raises StoreError.
    """
    return Ledger(wiring.open_ledger(wiring.located(path), now=telling(now), wait=wait))


def open_unrecognised(path: str | wiring.Location) -> Ledger:
    """As `open_ledger`, of a ledger that may be older than one that was seen: to find out what is wrong with it."""
    where = wiring.located(path)
    return Ledger(wiring.open_unrecognised(where, wiring.key_files(where)))


class Ledger(Recording):
    """An open ledger. Every method may raise StoreError, and StoreBusyError while another process writes."""

    def __init__(self, parts: wiring.Parts) -> None:
        super().__init__(parts)
        self._last: tuple[tuple[int, int | None, str | None], View] | None = None

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self.parts.close()

    @property
    def head(self) -> Head:
        """The size of the ledger, and when its last event was recorded."""
        return self.parts.journal.head()

    @property
    def log(self) -> Log:
        """The transparency log that the ledger is: proofs, publishing, checking, backups, keys."""
        return Log(self.parts)

    @property
    def policy(self) -> Policy | None:
        """The policy last published, by which a release decides."""
        return self.policy_at()

    @expecting
    def policy_at(self, position: int | None = None) -> Policy | None:
        """The policy last published when the ledger had this size; by default, the last of all."""
        return self.parts.reader.published(position)

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────

    @expecting
    def show(self, start: int = 0, stop: int | None = None) -> Iterator[dict[str, Any]]:
        """The events at positions in [start, stop), as documents with their `position` and `recorded_at`.

        Of an event about a person erased since, only its `kind` is left, with `erased`.
        """
        for one in self.parts.journal.read(start, stop):
            held = {"kind": one.kind, "erased": True} if one.event is None else document(one.event)
            yield {"position": one.position, "recorded_at": instant.format(one.recorded_at), **held}

    def decide(
        self,
        subjects: Subjects,
        category: str | None,
        collected_at: Instant | None,
        *,
        purpose: str,
        recipient: str,
        territory: str | None = None,
        account: AnyId | None = None,
        reserved: Iterable[str] = (),
        at: Instant | None = None,
        position: int | None = None,
        policy: PolicyLike | None = None,
    ) -> Verdict:
        """May this record be used? Total: an input that cannot be read is denied as `unreadable`.

        `subjects` is an id, or several, or `Subject`s with roles. Without `at`, `position` and `policy` it is asked
        at the present instant, at the head of the ledger, by the policy last published. Raises InstantError for a
        naive instant, InputError if no policy is published and none given.
        """
        record = record_of(self.id_type, subjects, category, collected_at, territory, account, reserved)
        return self.decide_record(record, purpose=purpose, recipient=recipient, at=at, position=position, policy=policy)

    @expecting
    def decide_record(
        self, record: Record, *, purpose: str, recipient: str, at: Instant | None = None, position: int | None = None,
        policy: PolicyLike | None = None,
    ) -> Verdict:  # fmt: skip
        """As `decide`, of a record made by `record`."""
        view, use = self._asked(purpose, recipient, at, position, policy)
        return decide(view.context.policy, use, record, view.known)

    @expecting
    def decisions(
        self, *, purpose: str, recipient: str, at: Instant | None = None, position: int | None = None,
        policy: PolicyLike | None = None,
    ) -> Decisions:  # fmt: skip
        """The ledger folded for one use, to answer for many records, each in microseconds.

        Raises UsageError for a use whose rules ask for the record's account, EngineError.
        """
        from sayso.api.deciding import decisions  # an engine is slow to import, and one decision needs none

        view, use = self._asked(purpose, recipient, at, position, policy)
        return decisions(self.parts, view, use, release=at is None and position is None and policy is None)

    @expecting
    def explain(
        self, record: Record, *, purpose: str, recipient: str, at: Instant | None = None, position: int | None = None,
        policy: PolicyLike | None = None,
    ) -> Explanation:  # fmt: skip
        """Everything found while deciding: per subject, situation and rule, with what is behind it."""
        view, use = self._asked(purpose, recipient, at, position, policy)
        return explain(view.context.policy, use, record, view.known)

    @overload
    def gate(
        self, source: str | Path | list[str] | list[Path], *, purpose: str, recipient: str,
        columns: Columns | str | Path, **options: Unpack[GateOptions],
    ) -> Gated[Path]: ...  # fmt: skip

    @overload
    def gate(
        self, source: T, *, purpose: str, recipient: str, columns: Columns | str | Path,
        **options: Unpack[GateOptions],
    ) -> Gated[T]: ...  # fmt: skip

    def gate(
        self, source: Any, *, purpose: str, recipient: str, columns: Columns | str | Path,
        **options: Unpack[GateOptions],
    ) -> Gated[Any]:  # fmt: skip
        """Lets through what may be used, and says why the rest may not.

        `source` is a path, glob or directory, or a list of them; or a table of Arrow, Ibis, pandas or Polars, of which
        the same kind comes back. `columns` says which columns say what, or names a `corpus.yaml` that does. The
        `options` are those of `GateOptions`. Without `at`, `position` and `policy` it is a release, else a replay.

        Raises CorpusError for a source that cannot be gated, UsageError, InstantError, PolicyError, EngineError, and
        CanaryError if a planted record was permitted; then nothing is left of the output.
        """
        from sayso.api.gating import gate  # as above

        return gate(self.parts, source, purpose=purpose, recipient=recipient, columns=columns, **options)

    def record(self, document: Mapping[str, Any]) -> Record:
        """A record from a JSON object, for `decide_record` and `explain`.

        Its keys are `subjects` or `subject`, `category`, `collected_at`, and where known `territory`, `account` and
        `reserved`. Raises InputError for any other, InstantError for a naive instant.
        """
        return record_from_json(self.id_type, document)

    def _asked(
        self, purpose: str, recipient: str, at: Instant | None, position: int | None, policy: PolicyLike | None
    ) -> tuple[View, Use]:
        use = Use(purpose, recipient, self.parts.present() if at is None else instant_of(at))
        return self._view(policy_of(policy), position), use

    def _view(self, policy: Policy | None, position: int | None) -> View:
        """The view asked for; the last one is kept until the ledger grows, since an erasure reaches back."""
        key = (self.head.size, position, None if policy is None else policy.digest)
        if self._last is None or self._last[0] != key:
            self._last = (key, self.parts.reader.view(policy, position))
        return self._last[1]


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON: `permit`, its `reason` or `ground`, and the evidence."""
    found = verdict.evidence
    return {
        "permit": verdict.permit,
        "reason": verdict.reason,
        "ground": verdict.ground,
        "evidence": {
            "policy": found.policy,
            "version": found.version,
            "rule": found.rule,
            "territory": found.territory,
            "subject": None if found.subject is None else write(found.subject),
            "positions": list(found.positions),
        },
    }
