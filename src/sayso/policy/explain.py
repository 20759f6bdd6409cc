"""Explanations: everything that bears on a verdict, by subject, situation and rule, the verdict's own first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sayso import instant
from sayso.policy.decide import decide, find
from sayso.policy.facts import Facts, Id, Record, Use
from sayso.policy.model import Policy
from sayso.policy.situation import readable
from sayso.policy.verdict import Finding, Verdict

SITUATIONS = ("now", "at collection", "as written on the record")


@dataclass(frozen=True, slots=True)
class Reason:
    """One finding in words: what was found, of whom, where, by which rule, resting on which events."""

    outcome: str
    permits: bool
    subject: Id | None
    situation: str | None
    territory: str | None
    rule: str | None
    source: str | None
    category: str | None
    positions: tuple[int, ...]

    def __str__(self) -> str:
        about = [f"subject {self.subject}"] if self.subject is not None else []
        about += [f"{self.situation} ({self.territory or 'no known territory'})"] if self.situation else []
        about += [f"rule {self.rule}"] if self.rule else []
        about += ["events " + ", ".join(str(position) for position in self.positions)] if self.positions else []
        return f"{'permits' if self.permits else 'denies'}: {self.outcome}" + (
            f" — {'; '.join(about)}" if about else ""
        )


@dataclass(frozen=True)
class Explanation:
    """A verdict with every finding behind it, the least first, and the rules that were tried and did not match."""

    verdict: Verdict
    use: Use
    reasons: tuple[Reason, ...]
    unmatched: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """The explanation in lines of text."""
        verdict = self.verdict
        head = f"{'permitted' if verdict.permit else 'denied'}: {verdict.outcome.word}"
        version = f"version {verdict.evidence.version}" if verdict.evidence.version else "no version in force"
        use = f"for {self.use.purpose} by {self.use.recipient} at {instant.format(self.use.at)}"
        tried = [f"did not match: rule {rule}" for rule in self.unmatched]
        return (f"{head} {use}, by {version}", *(f"  {reason}" for reason in self.reasons), *(f"  {t}" for t in tried))

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        evidence = self.verdict.evidence
        return {
            "permit": self.verdict.permit,
            "reason": self.verdict.reason,
            "ground": self.verdict.ground,
            "use": {"purpose": self.use.purpose, "recipient": self.use.recipient, "at": instant.format(self.use.at)},
            "policy": evidence.policy,
            "version": evidence.version,
            "findings": [
                {
                    "outcome": reason.outcome, "permits": reason.permits, "subject": reason.subject,
                    "situation": reason.situation, "territory": reason.territory, "rule": reason.rule,
                    "source": reason.source, "category": reason.category, "positions": list(reason.positions),
                }
                for reason in self.reasons
            ],
            "unmatched": list(self.unmatched),
        }  # fmt: skip


def explain(policy: Policy, use: Use, record: Record, facts: Facts) -> Explanation:
    """Everything found while deciding, least first, so that the first finding is the verdict.

    Total, as `decide` is.
    """
    found = sorted(find(policy, use, record, facts), key=lambda finding: finding.order)
    version = policy.in_force(use.at, facts.withdrawn)
    rules = version.rules if version else ()
    matched = {finding.rule for finding in found}
    tried = tuple(rule.id for rule in rules if rule.index not in matched) if readable(policy, use, record) else ()
    reasons = dict.fromkeys(_reason(policy, use, record, finding, facts) for finding in found)
    return Explanation(decide(policy, use, record, facts), use, tuple(reasons), tried)


def _reason(policy: Policy, use: Use, record: Record, finding: Finding, facts: Facts) -> Reason:
    version = policy.in_force(use.at, facts.withdrawn)
    rule = version.rules[finding.rule] if version and finding.rule >= 0 else None
    subject = record.subjects[finding.subject].id if record.subjects and finding.subject >= 0 else None
    leaves = policy.categories.resolve(record.category or "")
    return Reason(
        finding.outcome.word,
        finding.outcome.permits,
        subject,
        SITUATIONS[finding.situation] if finding.situation >= 0 else None,
        finding.territory,
        rule.id if rule else None,
        rule.source if rule else None,
        leaves[finding.leaf] if finding.leaf < len(leaves) else None,
        finding.positions,
    )
