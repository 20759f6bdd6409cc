"""`sayso choose`, `suspend` and `lift`: what people and operators decide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sayso.cli.context import Run
from sayso.cli.ledger import recorded_json
from sayso.errors import UsageError

_Data = Annotated[str | None, Parameter(show_default=False)]


def choose(
    decision: Literal["grant", "refusal", "withdrawal", "objection"],
    /,
    *,
    subject: str | None = None,
    organisation: str | None = None,
    purpose: tuple[str, ...] = (),
    category: tuple[str, ...] = (),
    excluded: Annotated[tuple[str, ...], Parameter(name="--except")] = (),
    recipient: tuple[str, ...] = (),
    notice: str | None = None,
    notice_version: str | None = None,
    act: str | None = None,
    where: str | None = None,
    by: str | None = None,
    source: str = "command line",
    at: str | None = None,
    attested: str | None = None,
    receipt: Path | None = None,
    context: Run,
) -> None:
    r"""Record a choice of a person or an organisation.

    A refusal needs nothing: scopes left out are everything. A grant names purposes, categories and recipients, its
    notice, and the affirmative act. For example:

    ```
    sayso choose refusal --subject 4711
    sayso choose objection --subject 4711 --purpose generative-ai --source "web form"
    sayso choose grant --subject 4711 --purpose generative-ai --category posts --recipient platform \
        --notice ai-notice --notice-version 2025-09 --act "switched the toggle on" --where "settings page"
    ```

    Parameters
    ----------
    decision
        A withdrawal (of consent) and an objection (to another legal basis) are refusals that keep their names.
    subject
        Whose choice it is: a person's id.
    organisation
        Or an organisation's; then `--by owner:ID` says who decided.
    purpose
        A purpose that it is about; may be given again.
    category
        A category that it is about; may be given again.
    excluded
        A category below them that is not meant; may be given again.
    recipient
        A recipient that it is about; may be given again.
    notice
        The notice that a grant was made under.
    notice_version
        Its version.
    act
        What was done to grant, such as "switched the toggle on".
    where
        Where it was done.
    by
        Who acted for the holder, as `guardian:ID`, `agent:ID` or `owner:ID`.
    source
        Where the choice came from.
    at
        When it was made, ISO 8601 with a time zone; left out, now.
    attested
        A reference to evidence of that instant; without it a grant counts from when it is recorded.
    receipt
        A file to write the receipt to, for the member to keep.
    """
    if (act is None) != (where is None):
        raise UsageError("expected `--act` and `--where` together: what was done, and where")
    if (notice is None) != (notice_version is None):
        raise UsageError("expected `--notice` and `--notice-version` together")
    with context.ledger() as ledger:
        made = ledger.choose(
            decision,
            source=source,
            subject=subject,
            organisation=organisation,
            purposes=purpose or None,
            categories=category or None,
            excluded=excluded or None,
            recipients=recipient or None,
            notice=None if notice is None or notice_version is None else (notice, notice_version),
            act=None if act is None or where is None else (act, where),
            by=None if by is None else _actor(by),
            effective_at=at,
            attested=attested,
        )
        if receipt is not None:
            context.save(receipt, made.receipt().decode() + "\n")
    told = {} if receipt is None else {"receipt": str(receipt)}
    context.answer(recorded_json(made) | told, f"recorded the {decision} at position {made.position}")


def suspend(
    suspension: str,
    /,
    *,
    authority: str,
    reason: str,
    territory: tuple[str, ...] = (),
    purpose: tuple[str, ...] = (),
    category: tuple[str, ...] = (),
    excluded: Annotated[tuple[str, ...], Parameter(name="--except")] = (),
    recipient: tuple[str, ...] = (),
    data_from: _Data = None,
    data_until: _Data = None,
    condition: tuple[str, ...] = (),
    at: str | None = None,
    context: Run,
) -> None:
    r"""Stop a use, whatever rules and choices say, until it is lifted.

    Scopes left out are everything. For example:

    ```
    sayso suspend dpc-2024 --authority "Data Protection Commission" --reason "an inquiry" \
        --territory EEA --purpose generative-ai --condition assessment="an impact assessment is accepted"
    ```

    Parameters
    ----------
    suspension
        A name for it, new in the ledger.
    authority
        Who asked for it.
    reason
        Why.
    territory
        A territory or group, such as `FR` or `EEA`, as it is at that instant; may be given again.
    purpose
        A purpose that is stopped; may be given again.
    category
        A category that is stopped; may be given again.
    excluded
        A category below them that is not; may be given again.
    recipient
        A recipient that is stopped; may be given again.
    data_from
        Only data collected at or after this instant.
    data_until
        Only data collected before this instant.
    condition
        What must be shown to lift it, as `NAME=TEXT`; may be given again.
    at
        When it begins, which may lie ahead; left out, now.
    """
    with context.ledger() as ledger:
        made = ledger.suspend(
            suspension,
            authority=authority,
            reason=reason,
            territories=territory or None,
            purposes=purpose or None,
            categories=category or None,
            excluded=excluded or None,
            recipients=recipient or None,
            data_from=data_from,
            data_until=data_until,
            conditions=_named(condition, "--condition"),
            effective_at=at,
        )
    context.answer(recorded_json(made), f"opened suspension {suspension}, at position {made.position}")


def lift(
    suspension: str,
    /,
    *,
    evidence: tuple[str, ...] = (),
    at: str | None = None,
    attested: str | None = None,
    context: Run,
) -> None:
    """Lift a suspension, with evidence for each of its conditions.

    It revives no data that the version in force does not cover. For example:

    ```
    sayso lift dpc-2024 --evidence assessment="DPIA 7, accepted on 3 March"
    ```

    Parameters
    ----------
    suspension
        The name under which it was opened.
    evidence
        Evidence for a condition, as `NAME=TEXT`; may be given again.
    at
        When it ends; left out, now. It counts from when it is recorded, unless attested.
    attested
        A reference to evidence of that instant.
    """
    with context.ledger() as ledger:
        made = ledger.lift(suspension, evidence=_named(evidence, "--evidence"), effective_at=at, attested=attested)
    context.answer(recorded_json(made), f"lifted suspension {suspension}, at position {made.position}")


def _actor(text: str) -> tuple[Literal["guardian", "agent", "owner"], str]:
    """`ROLE:ID`; an id may hold colons."""
    role, _, actor = text.partition(":")
    if actor:
        match role:
            case "guardian" | "agent" | "owner":
                return role, actor
    raise UsageError("expected `--by guardian:ID`, `--by agent:ID` or `--by owner:ID`")


def _named(given: tuple[str, ...], flag: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not (name and equals and text) or name in found:
            raise UsageError(f"expected `{flag} NAME=TEXT`, each name once, got `{one}`")
        found[name] = text
    return found
