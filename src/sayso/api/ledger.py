"""A ledger as Python sees it: what may be recorded, asked and gated, each in one call (`docs/api.md`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, overload

from sayso import instant, wiring
from sayso.api.given import (
    AnyId,
    Instant,
    Subjects,
    instant_of,
    listed,
    maybe_instant,
    record_from_json,
    record_of,
    territories_of,
    written,
)
from sayso.api.keeping import Log
from sayso.api.policies import PolicyLike, policy_of
from sayso.consent.reader import View
from sayso.errors import UsageError
from sayso.ledger import events as e
from sayso.ledger.document import checked, document, read
from sayso.ledger.identity import IdType, write
from sayso.ledger.importing import Imported, import_events
from sayso.ledger.journal import Recorded
from sayso.ledger.mapping import import_mapped
from sayso.ledger.store import Head
from sayso.policy import normal
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

Decision = Literal["grant", "refusal", "withdrawal", "objection"]
Names = str | Sequence[str] | None
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Published:
    """A policy in the ledger: where, when, its digest, and whether it was published only now."""

    position: int
    recorded_at: int
    digest: str
    new: bool


def init_ledger(
    path: str | Path,
    id_type: IdType | str = IdType.INT64,
    *,
    origin: str | None = None,
    now: Callable[[], int] = wiring.present,
) -> Ledger:
    """Makes a new ledger in a file, and its keys, and opens it. `id_type` is `int64`, `string` or `uuid`, for good.

    `origin` is the name of its log, best the address at which it will be published without `https://`; also for good.
    Raises StoreError where there is one already, or none can be made; KeyFileError.
    """
    return Ledger(wiring.create(Path(path), IdType(id_type), origin=origin, now=now))


def open_ledger(path: str | Path, *, wait: float = 10.0, now: Callable[[], int] = wiring.present) -> Ledger:
    """Opens the ledger in a file; use it in a `with` block, or close it.

    `wait` is how many seconds a write waits for another process. `now` gives the present instant in microseconds;
    another clock than the system's is for replaying history into a new ledger. Raises StoreError.
    """
    return Ledger(wiring.open_ledger(Path(path), now=now, wait=wait))


def open_unrecognised(path: str | Path) -> Ledger:
    """As `open_ledger`, of a ledger that may be older than one that was seen: to find out what is wrong with it."""
    where = Path(path)
    return Ledger(wiring.open_unrecognised(where, wiring.key_files(where)))


class Ledger:
    """An open ledger. Every method may raise StoreError, and StoreBusyError while another process writes."""

    def __init__(self, parts: wiring.Parts) -> None:
        self.parts = parts
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
    def id_type(self) -> IdType:
        """What the ids of subjects, accounts and organisations are."""
        return self.parts.journal.id_type

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

    def policy_at(self, position: int | None = None) -> Policy | None:
        """The policy last published when the ledger had this size; by default, the last of all."""
        return self.parts.reader.published(position)

    # ── recording ────────────────────────────────────────────────────────────────────────────────────────────────

    def publish(self, policy: PolicyLike) -> Published:
        """Publishes a policy document. One that is the last published already is not published again.

        Raises PolicyError for a document with problems, EventError if it may not follow the one before.
        """
        edition = policy_of(policy)
        assert edition is not None
        for one in reversed(list(self.parts.journal.globals())):
            if isinstance(one.event, e.PolicyPublished):
                if one.event.digest == edition.digest:
                    return Published(one.position, one.recorded_at, edition.digest, new=False)
                break
        event = e.PolicyPublished(platform=edition.platform, digest=edition.digest, document=normal(edition))
        made = self.parts.journal.append(event)
        return Published(made.position, made.recorded_at, edition.digest, new=True)

    def withdraw_version(self, version: str, reason: str) -> Recorded:
        """Withdraws a version of the policy before it takes effect. Raises EventError once it has."""
        return self._append(e.VersionWithdrawn, version=version, reason=reason)

    def append(self, event: Mapping[str, Any] | e.Event) -> Recorded:
        """Appends one event, as a document (`spec/ledger.md`) or made in Python.

        It is durable when this returns. Raises EventError with every reason for which it is refused.
        """
        return self.parts.journal.append(event if isinstance(event, e.Event) else read(dict(event), self.id_type))

    def import_events(
        self,
        paths: str | Path | Iterable[str | Path],
        *,
        batch: int | None = None,
        from_line: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> Imported:
        """Appends the events of NDJSON and Parquet files, all or none (`docs/ledger.md`, *Importing events*).

        With `batch`, each batch is whole by itself; `from_line` goes on where one failed. Raises EventError with
        each bad line.
        """
        if from_line < 1 or (batch is not None and batch < 1):
            raise UsageError("expected `batch` and `from_line` to be 1 or more")
        several = [paths] if isinstance(paths, str | Path) else paths
        files = [Path(one) for one in several]
        return import_events(self.parts.journal, files, batch=batch, from_line=from_line, progress=progress)

    def import_map(
        self, path: str | Path, *, batch: int | None = None, progress: Callable[[int], None] | None = None
    ) -> Imported:
        """Appends what the member and toggle tables that a map file names say. Raises EventError with each bad row."""
        return import_mapped(self.parts.journal, Path(path), batch=batch, progress=progress)

    def choose(
        self,
        decision: Decision,
        *,
        source: str,
        subject: AnyId | None = None,
        organisation: AnyId | None = None,
        purposes: Names = None,
        categories: Names = None,
        excluded: Names = None,
        recipients: Names = None,
        notice: tuple[str, str] | None = None,
        act: tuple[str, str] | None = None,
        by: tuple[Literal["guardian", "agent", "owner"], AnyId] | None = None,
        effective_at: Instant | None = None,
        attested: str | None = None,
    ) -> Recorded:
        """Records a choice of a subject or an organisation. Scopes left out are everything; a grant names all three.

        A grant needs its `notice` (id, version) and the affirmative `act` (what, where). `by` is who acted for the
        holder. Raises EventError for what cannot be, or names no term of the policy.
        """
        given: dict[str, Any] = {
            "decision": decision,
            "source": source,
            "scope": _without_none(
                {"purposes": listed(purposes), "categories": listed(categories), "except": listed(excluded),
                 "recipients": listed(recipients)}
            ),
            "subject": written(subject),
            "organisation": written(organisation),
            "notice": None if notice is None else {"id": notice[0], "version": notice[1]},
            "act": None if act is None else {"what": act[0], "where": act[1]},
            "by": None if by is None else {"role": by[0], "id": written(by[1])},
        }  # fmt: skip
        return self._append(e.ChoiceRecorded, effective_at=effective_at, attested=attested, **given)

    def erase(self, subject: AnyId) -> Recorded:
        """Destroys what the ledger holds of a person, under every alias, and records that this was done.

        Raises EventError for somebody unknown, or erased already; KeyFileError without the erasure secret.
        """
        return self._append(e.SubjectErased, subject=written(subject))

    def suspend(
        self,
        suspension: str,
        *,
        authority: str,
        reason: str,
        territories: Names = None,
        purposes: Names = None,
        categories: Names = None,
        excluded: Names = None,
        recipients: Names = None,
        data_from: Instant | None = None,
        data_until: Instant | None = None,
        conditions: Mapping[str, str] | None = None,
        effective_at: Instant | None = None,
    ) -> Recorded:
        """Opens a suspension, in force until lifted with evidence for each of its `conditions` (id to text).

        Scopes left out are everything. Territories may be groups, such as `EEA`, taken as they are at the instant
        from which it counts; that may lie ahead. Raises EventError, TerritoryError.
        """
        policy = self.policy
        at = self.parts.now() if effective_at is None else instant_of(effective_at)
        groups = {} if policy is None else policy.groups
        data = _without_none({"from": maybe_instant(data_from), "until": maybe_instant(data_until)})
        scope = _without_none(
            {"territories": territories_of(listed(territories), at, groups), "purposes": listed(purposes),
             "categories": listed(categories), "except": listed(excluded), "recipients": listed(recipients),
             "data": data or None}
        )  # fmt: skip
        return self._append(
            e.SuspensionOpened, effective_at=effective_at, suspension=suspension, authority=authority, reason=reason,
            scope=scope, conditions=dict(conditions or {}),
        )  # fmt: skip

    def lift(
        self, suspension: str, *, evidence: Mapping[str, str] | None = None, effective_at: Instant | None = None,
        attested: str | None = None,
    ) -> Recorded:  # fmt: skip
        """Lifts a suspension, with evidence for each of its conditions. Raises EventError without it."""
        given = dict(evidence or {})
        return self._append(
            e.SuspensionLifted, effective_at=effective_at, attested=attested, suspension=suspension, evidence=given
        )

    def _append(self, kind: type[e.Event], *, effective_at: Instant | None = None, **fields: Any) -> Recorded:
        given = _without_none({**fields, "effective_at": maybe_instant(effective_at)})
        return self.parts.journal.append(checked(kind, {"kind": kind.__struct_config__.tag, **given}, self.id_type))

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────

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

    def decide_record(
        self, record: Record, *, purpose: str, recipient: str, at: Instant | None = None, position: int | None = None,
        policy: PolicyLike | None = None,
    ) -> Verdict:  # fmt: skip
        """As `decide`, of a record made by `record`."""
        view, use = self._asked(purpose, recipient, at, position, policy)
        return decide(view.context.policy, use, record, view.known)

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
        use = Use(purpose, recipient, self.parts.now() if at is None else instant_of(at))
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


def _without_none(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
