"""Many decisions for one use, each in microseconds, from a snapshot of the ledger that is held in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from sayso import wiring
from sayso.api.given import AnyId, Instant, instant_of, is_text, one_id
from sayso.consent.reader import View
from sayso.gate.snapshots import Pinned, make
from sayso.ledger.identity import GREATEST, LEAST, Id, IdType
from sayso.plan.decider import Decider
from sayso.policy.facts import Use
from sayso.policy.verdict import Evidence, Outcome, Verdict

_WORDS = tuple(Outcome)


class Decisions:
    """Answers as `Ledger.decide` does for one use, of records with one subject, as known at one position.

    What is recorded later is not seen: make it again when the ledger grows. At the present instant it answers until
    `valid_until`, and denies as `stale` from then on (semantics, section 1, *Freshness*); at another instant, a
    replay, it is never stale. Takes about 250 bytes a person.
    """

    def __init__(
        self, decider: Decider, pinned: Pinned, rules: Mapping[int, str], id_type: IdType, now: wiring.Clock | None
    ) -> None:
        self.position = pinned.position
        self.valid_until = pinned.valid_until
        self._decide = decider.decide
        self._policy, self._version, self._rules = pinned.policy, pinned.version, rules
        self._id_type, self._ints, self._now = id_type, id_type is IdType.INT64, now
        self._stale = Verdict(Outcome.STALE, Evidence(pinned.policy, pinned.version))

    def decide(
        self, subject: AnyId | None, category: str | None, collected_at: Instant | int | None,
        territory: str | None = None, role: str | None = None,
    ) -> Verdict:  # fmt: skip
        """May this record be used? `collected_at` may also be microseconds since the epoch.

        Raises InstantError for a naive or malformed instant. Of the positions behind a verdict only the first is told.
        """
        if self._now is not None and self._now() >= self.valid_until:
            return self._stale
        if type(collected_at) is not int and collected_at is not None:
            collected_at = instant_of(collected_at)  # type: ignore[arg-type] # mypy does not narrow by `type(...) is`
        known: Id | None
        if self._ints and type(subject) is int and LEAST <= subject <= GREATEST:
            known = subject  # what `one_id` reads, without asking it
        else:
            known = one_id(self._id_type, subject)
        if not (isinstance(category, str) and is_text(territory) and is_text(role)):
            known = category = territory = role = None
        outcome, rule, where, place, position = self._decide(known, category, collected_at, territory, role)
        return Verdict(
            _WORDS[outcome],
            Evidence(
                self._policy, self._version, self._rules.get(rule), where, known if place == 0 else None,
                () if position is None else (position,),
            ),
        )  # fmt: skip


def decisions(parts: wiring.Parts, view: View, use: Use, *, release: bool) -> Decisions:
    """Folds the ledger for one use. Raises UsageError for a use that asks for the record's account."""
    with tempfile.TemporaryDirectory(prefix="sayso-spill-") as spill:
        pinned = make(parts.store, view, use, wiring.engine(spill=Path(spill)))
    version = view.context.policy.in_force(use.at, view.context.withdrawn)
    rules = {} if version is None else {rule.index: rule.id for rule in version.rules}
    erased = view.erased
    one_erased = None if erased is None else lambda one: erased([one]).get(one)
    return Decisions(
        Decider(pinned.snapshot, one_erased), pinned, rules, parts.journal.id_type, parts.now if release else None
    )
