"""What may be recorded in a ledger, each in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sayso import wiring
from sayso.api.expecting import expecting
from sayso.api.given import AnyId, Instant, instant_of, listed, maybe_instant, territories_of, written
from sayso.api.keeping import Log
from sayso.api.policies import PolicyLike, load_policy
from sayso.consent import receipt as receipts
from sayso.errors import UsageError
from sayso.ledger import events as e
from sayso.ledger.document import checked, read
from sayso.ledger.identity import IdType
from sayso.ledger.importing import Imported, import_events
from sayso.ledger.journal import Recorded
from sayso.ledger.mapping import import_mapped
from sayso.policy import normal
from sayso.policy.model import Policy

Decision = Literal["grant", "refusal", "withdrawal", "objection"]
Names = str | Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Published:
    """A policy in the ledger: where, when, its digest, and whether it was published only now."""

    position: int
    recorded_at: int
    digest: str
    new: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """A choice in the ledger: where it is, and when it was recorded."""

    position: int
    recorded_at: int
    _issue: Callable[[int], bytes] = field(repr=False, compare=False)

    def receipt(self) -> bytes:
        """Its receipt, for the member to keep (`Recording.receipt`). Raises as that does."""
        return self._issue(self.position)


class Recording:
    """The part of a ledger that records."""

    def __init__(self, parts: wiring.Parts) -> None:
        self.parts = parts

    @property
    def id_type(self) -> IdType:
        """What the ids of subjects, accounts and organisations are."""
        return self.parts.journal.id_type

    @expecting
    def publish(self, policy: PolicyLike) -> Published:
        """Publishes a policy document. One that is the last published already is not published again.

        Raises PolicyError for a document with problems, EventError if it may not follow the one before.
        """
        edition = policy if isinstance(policy, Policy) else load_policy(policy)
        for one in reversed(list(self.parts.journal.globals())):
            if isinstance(one.event, e.PolicyPublished):
                if one.event.digest == edition.digest:
                    return Published(one.position, one.recorded_at, edition.digest, new=False)
                break
        event = e.PolicyPublished(platform=edition.platform, digest=edition.digest, document=normal(edition))
        made = self.parts.journal.append(event)
        return Published(made.position, made.recorded_at, edition.digest, new=True)

    @expecting
    def withdraw_version(self, version: str, reason: str) -> Recorded:
        """Withdraws a version of the policy before it takes effect. Raises EventError once it has."""
        return self._append(e.VersionWithdrawn, version=version, reason=reason)

    @expecting
    def append(self, event: Mapping[str, Any] | e.Event) -> Recorded:
        """Appends one event, as a document (`spec/ledger.md`) or made in Python.

        It is durable when this returns. Raises EventError with every reason for which it is refused.
        """
        return self.parts.journal.append(event if isinstance(event, e.Event) else read(dict(event), self.id_type))

    @expecting
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

    @expecting
    def import_map(
        self, path: str | Path, *, batch: int | None = None, progress: Callable[[int], None] | None = None
    ) -> Imported:
        """Appends what the member and toggle tables that a map file names say. Raises EventError with each bad row."""
        return import_mapped(self.parts.journal, Path(path), batch=batch, progress=progress)

    @expecting
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
    ) -> Chosen:
        """Records a choice of a subject or an organisation. Scopes left out are everything; a grant names all three.

        A grant needs its `notice` (id, version) and the affirmative `act` (what, where). `by` is who acted for the
        holder. What comes back gives the receipt. Raises EventError for what cannot be, or names no term of the policy.
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
        made = self._append(e.ChoiceRecorded, effective_at=effective_at, attested=attested, **given)
        return Chosen(made.position, made.recorded_at, self.receipt)

    @expecting
    def receipt(self, position: int) -> bytes:
        """The receipt of the choice at a position, for the member to keep: a signed envelope (`spec/receipt.md`).

        It proves by the checkpoint at the head that the choice is in the log. Raises InputError where there is no
        choice, it was erased, or the policy says too little for a receipt; KeyFileError without a key.
        """
        if not 0 <= position < self.parts.journal.head().size:
            raise UsageError(
                f"expected the position of one of `{self.parts.journal.head().size}` events, got `{position}`"
            )
        (entry,) = self.parts.store.entries(position, position + 1)
        return receipts.issue(
            entry, Log(self.parts).prove(position), view=self.parts.reader.view(position=position + 1), id_type=self.id_type,
            created_at=self.parts.now(), signers=[self.parts.journal.keys.signing()],
        )  # fmt: skip

    def erase(self, subject: AnyId) -> Recorded:
        """Destroys what the ledger holds of a person, under every alias, and records that this was done.

        `scrub` afterwards: until then the files may hold what the tables do not. Raises EventError
        for somebody unknown, or erased already; KeyFileError without the erasure secret.
        """
        return self._append(e.SubjectErased, subject=written(subject))

    @property
    def unscrubbed(self) -> bool:
        """Whether the store's files still hold what was erased, as far as it knows."""
        return self.parts.store.unscrubbed()

    def scrub(self) -> tuple[str, ...]:
        """Makes the store's files give up what was erased. What they did not give up is told of, in a few words.

        It writes the file anew, or the tables on PostgreSQL, which holds the ledger up: do it once for several erasures.
        """
        return self.parts.store.scrub()

    @expecting
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
        policy = self.parts.reader.published()
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

    @expecting
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


def _without_none(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
