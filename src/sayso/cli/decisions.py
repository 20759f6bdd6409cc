"""`sayso decide` and `explain`: one record, one question."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from sayso.cli import exits
from sayso.cli.context import Context, Run
from sayso.errors import UsageError
from sayso.policy.facts import Record
from sayso.policy.model import Policy
from sayso.policy.terms import Vocabulary

Flag = Annotated[str | None, Parameter(show_default=False)]
Flags = tuple[str, ...]


def decide(
    record: str | None = None,
    /,
    *,
    purpose: str,
    recipient: str,
    subject: Flags = (),
    category: Flag = None,
    collected_at: Flag = None,
    territory: Flag = None,
    account: Flag = None,
    reserved: Flags = (),
    at: Flag = None,
    position: int | None = None,
    policy: Path | None = None,
    context: Run,
) -> int:
    r"""Answer whether a record may be used. Exits with 0 if it may, with 1 if it is denied.

    The record is given by flags, or as a JSON object. For example:

    ```
    sayso decide --purpose generative-ai --recipient platform \
        --subject 4711 --category posts --collected-at 2025-03-01T12:00:00Z
    echo '{"subjects": [4711], "category": "posts", "collected_at": "2025-03-01T12:00:00Z"}' |
        sayso decide - --purpose generative-ai --recipient platform
    ```

    Parameters
    ----------
    record
        The record, a JSON object: a file that holds it, `-` for standard input, or itself; instead of flags.
    purpose
        What it is to be used for.
    recipient
        Who is to use it.
    subject
        A person whose data it is, by id; may be given again. Roles are given in a JSON record.
    category
        What the data is.
    collected_at
        When it was collected, ISO 8601 with a time zone.
    territory
        Where it was collected, if known.
    account
        The account that it belongs to, if any.
    reserved
        A purpose that it is reserved from; may be given again.
    at
        The instant of the use; left out, now.
    position
        The size of the ledger at which to ask; left out, all of it.
    policy
        A policy document to decide by; left out, the policy last published.
    """
    from sayso.api import load_policy
    from sayso.api.ledger import verdict_json

    given = _given(record, subject, category, collected_at, territory, account, reserved, context)
    with context.ledger() as ledger:
        asked = ledger.record(given)
        other = None if policy is None else load_policy(policy)
        verdict = ledger.decide_record(
            asked, purpose=purpose, recipient=recipient, at=at, position=position, policy=other
        )
        deciding = other or ledger.policy_at(position)
    if verdict.permit:
        said = Text.assemble(("permitted", "bold green"), f": {verdict.ground}")
    else:
        said = Text.assemble(("denied", "bold red"), f": {verdict.reason}")
    document = verdict_json(verdict)
    evidence = document["evidence"]
    lines = [f"  {name}: {evidence[name]}" for name in ("version", "rule", "territory", "subject") if evidence[name]]
    if evidence["positions"]:
        lines.append(f"  ledger positions: {', '.join(str(one) for one in evidence['positions'])}")
    context.answer(document, said, *lines)
    for hint in _hints(deciding, purpose, recipient, asked):
        context.note(hint)
    return exits.OK if verdict.permit else exits.NO


def explain(
    record: str | None = None,
    /,
    *,
    purpose: str,
    recipient: str,
    subject: Flags = (),
    category: Flag = None,
    collected_at: Flag = None,
    territory: Flag = None,
    account: Flag = None,
    reserved: Flags = (),
    at: Flag = None,
    position: int | None = None,
    policy: Path | None = None,
    context: Run,
) -> None:
    r"""Tell everything that bears on a verdict: each rule tried, by person, situation and territory.

    Takes what `sayso decide` takes. For example:

    ```
    sayso explain --purpose generative-ai --recipient platform \
        --subject 4711 --category posts --collected-at 2025-03-01T12:00:00Z
    ```

    Parameters
    ----------
    record
        The record, a JSON object: a file that holds it, `-` for standard input, or itself; instead of flags.
    purpose
        What it is to be used for.
    recipient
        Who is to use it.
    subject
        A person whose data it is, by id; may be given again. Roles are given in a JSON record.
    category
        What the data is.
    collected_at
        When it was collected, ISO 8601 with a time zone.
    territory
        Where it was collected, if known.
    account
        The account that it belongs to, if any.
    reserved
        A purpose that it is reserved from; may be given again.
    at
        The instant of the use; left out, now.
    position
        The size of the ledger at which to ask; left out, all of it.
    policy
        A policy document to decide by; left out, the policy last published.
    """
    from sayso.api import load_policy

    given = _given(record, subject, category, collected_at, territory, account, reserved, context)
    with context.ledger() as ledger:
        asked = ledger.record(given)
        other = None if policy is None else load_policy(policy)
        found = ledger.explain(asked, purpose=purpose, recipient=recipient, at=at, position=position, policy=other)
        deciding = other or ledger.policy_at(position)
    context.answer(found.to_json(), *found.lines())
    for hint in _hints(deciding, purpose, recipient, asked):
        context.note(hint)


def _given(
    record: str | None, subject: Flags, category: str | None, collected_at: str | None, territory: str | None,
    account: str | None, reserved: Flags, context: Context,
) -> Any:  # fmt: skip
    """The record as a JSON object, from a file or from flags."""
    flags = {
        "category": category, "collected_at": collected_at, "territory": territory, "account": account,
        "reserved": list(reserved) or None,
    }  # fmt: skip
    named = {name: value for name, value in flags.items() if value is not None}
    if record is not None:
        if named or subject:
            raise UsageError("expected the record in a file or by flags, not both")
        return context.parse_json(record, None) if record.lstrip().startswith("{") else context.read_json(Path(record))
    if not subject and not named:
        raise UsageError("expected a record: a file, `-`, or `--subject`, `--category` and `--collected-at`")
    return {"subjects": list(subject), **named}


def _hints(policy: Policy | None, purpose: str, recipient: str, record: Record) -> Iterator[str]:
    """What may have been meant by a term that the policy does not have, since that denies as `unreadable`."""
    if policy is None:
        return
    for what, name, vocabulary in (
        ("purpose", purpose, policy.purposes),
        ("recipient", recipient, policy.recipients),
        ("category", record.category, policy.categories),
    ):
        if name is not None and name not in vocabulary.leaves and not (what == "category" and vocabulary.resolve(name)):
            yield _hint(what, name, vocabulary)


def _hint(what: str, name: str, vocabulary: Vocabulary) -> str:
    narrower = sorted(vocabulary.below(name))
    close = narrower or get_close_matches(name, sorted(vocabulary.leaves), n=1)
    meant = f"; did you mean `{'` or `'.join(close)}`?" if close else ""
    if narrower:
        return f"{what} `{name}` has narrower ones, and only one of those can be asked about{meant}"
    return f"the policy has no {what} `{name}`{meant}"
