"""`sayso policy`: checking, publishing, comparing and reading policy documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from rich.table import Table
from rich.text import Text

from sayso import instant
from sayso.cli import exits
from sayso.cli.context import Context, Run, problem_json
from sayso.cli.ledger import recorded_json
from sayso.errors import UsageError
from sayso.policy.matrix import Cell, Matrix
from sayso.policy.model import Policy

policies = App(name="policy", help="Check, publish, compare and read policies.", help_format="markdown")

_STYLE = {
    "never": "red",
    "no-rule": "red",
    "disputed": "magenta",
    "opt-in": "yellow",
    "opt-out": "cyan",
    "always": "green",
    "varies": "blue",
}
_TERRITORIES_WIDTH = 18
_CATEGORY_WIDTH = 18


@policies.command
def check(file: Path, /, *, strict: bool = False, context: Run) -> int:
    """Check a policy document. Every problem is told of at once, with its place and what to do.

    Exits with 1 if there are errors. For example:

    ```
    sayso policy check policy.yaml
    ```

    Parameters
    ----------
    file
        The policy document, YAML.
    strict
        Exit with 1 for warnings too.
    """
    from sayso.api import check_policy

    report = check_policy(file)
    failed = bool(report.errors or (strict and report.warnings))
    document = {
        "ok": not failed,
        "digest": report.policy.digest if report.policy else None,
        "errors": [problem_json(one) for one in report.errors],
        "warnings": [problem_json(one) for one in report.warnings],
    }
    lines = [Text.assemble(("error: ", "bold red"), str(one)) for one in report.errors]
    lines += [Text.assemble(("warning: ", "bold yellow"), str(one)) for one in report.warnings]
    if report.policy is not None:
        count = len(report.policy.versions)
        lines.append(Text(f"{file} is a policy of {count} version{'' if count == 1 else 's'}, {report.policy.digest}"))
    context.answer(document, *lines)
    return exits.NO if failed else exits.OK


@policies.command
def publish(file: Path, /, *, context: Run) -> None:
    """Publish a policy document in the ledger. Releases use only what is published there.

    A later edition must leave what is already effective unchanged, and say `was:` where a term was renamed, moved or
    split. Publishing the same document again does nothing. For example:

    ```
    sayso policy publish policy.yaml
    ```

    Parameters
    ----------
    file
        The policy document, YAML.
    """
    with context.ledger() as ledger:
        made = ledger.publish(file)
    said = "published" if made.new else "published already, nothing to do:"
    document = recorded_json(made) | {"digest": made.digest, "new": made.new}
    context.answer(document, f"{said} {made.digest} at position {made.position}")


@policies.command
def withdraw(version: str, /, *, reason: str, context: Run) -> None:
    """Withdraw an announced version of the policy before it takes effect.

    For example:

    ```
    sayso policy withdraw 2025-11 --reason "the authority asked for more time"
    ```

    Parameters
    ----------
    version
        The id of the version.
    reason
        Why it is withdrawn.
    """
    with context.ledger() as ledger:
        made = ledger.withdraw_version(version, reason)
    context.answer(recorded_json(made), f"withdrew version {version}, at position {made.position}")


@policies.command
def diff(
    before: Path,
    after: Path,
    /,
    *,
    at: str | None = None,
    before_at: str | None = None,
    after_at: str | None = None,
    fail_on_loosened: bool = False,
    context: Run,
) -> int:
    r"""Compare two policies: what is tightened and what is loosened, by territory and category.

    Each is taken when its last version is in force, unless an instant is given; so one file can be compared with
    itself at two instants. "Changed" is stricter in one way and laxer in another. For example:

    ```
    sayso policy diff old.yaml new.yaml --fail-on-loosened
    sayso policy diff policy.yaml policy.yaml \
        --before-at 2025-01-01T00:00:00Z --after-at 2026-01-01T00:00:00Z
    ```

    Parameters
    ----------
    before
        The policy document before.
    after
        The policy document after.
    at
        The instant at which to take both, ISO 8601 with a time zone.
    before_at
        The instant at which to take the first.
    after_at
        The instant at which to take the second.
    fail_on_loosened
        Exit with 1 if anything is loosened or changed: for continuous integration.
    """
    from sayso.api import load_policy
    from sayso.policy.diff import CHANGED, LOOSENED
    from sayso.policy.diff import diff as differences

    def taken(policy: Policy, given: str | None) -> int:
        text = given or at
        return instant.parse(text) if text else max((one.effective for one in policy.versions), default=0)

    old, new = load_policy(before), load_policy(after)
    instants = taken(old, before_at), taken(new, after_at)
    found = differences(old, new, *instants)
    table = Table("", "territories", "category", "purpose", "recipient", "before", "after", box=None, pad_edge=False)
    styles = {"loosened": "bold red", "tightened": "green", "changed": "bold yellow"}
    for one in found:
        table.add_row(
            Text(one.direction, styles.get(one.direction, "")), _places(one.territories), one.category, one.purpose,
            one.recipient, one.before, one.after,
        )  # fmt: skip
    worse = [one for one in found if one.direction in (LOOSENED, CHANGED)]
    document = {
        "before": {"digest": old.digest, "at": instant.format(instants[0])},
        "after": {"digest": new.digest, "at": instant.format(instants[1])},
        "changes": [one.to_json() for one in found],
    }
    context.answer(document, *([table] if found else ["no difference in what anybody meets"]))
    return exits.NO if worse and fail_on_loosened else exits.OK


@policies.command
def show(
    file: Path | None = None,
    /,
    *,
    purpose: str,
    recipient: str,
    at: str | None = None,
    form: Annotated[Literal["text", "json", "html"], Parameter(name="--format")] = "text",
    context: Run,
) -> None:
    """Show what each territory and category meets: mode, notice, and what else is asked.

    Categories that meet the same everywhere share a column; what a cell asks stands under its number. A version that
    was withdrawn in the ledger is left out; beside a file, the ledger is asked only if it is named. For example:

    ```
    sayso policy show policy.yaml --purpose generative-ai --recipient platform
    sayso policy show --purpose generative-ai --recipient platform --format html > matrix.html
    ```

    Parameters
    ----------
    file
        The policy document; left out, the policy last published in the ledger.
    purpose
        What the data is to be used for: a purpose that has no narrower ones.
    recipient
        Who is to use it.
    at
        The instant, ISO 8601 with a time zone; left out, the present one.
    form
        A table for a terminal, JSON, or an HTML page of its own.
    """
    from sayso import wiring
    from sayso.policy.matrix import matrix

    when = instant.parse(at) if at else wiring.present()
    policy, withdrawn = _policy(file, context)
    found = matrix(policy, when, purpose, recipient, withdrawn)
    if context.json or form == "json":
        context.emit(found.to_json())
    elif form == "html":
        context.write(found.to_html(), escaped="xmlcharrefreplace")
    else:
        _print_matrix(found, context)


@policies.command
def schema(*, context: Run) -> None:
    """Print the JSON Schema of policy documents, for editors.

    For example:

    ```
    sayso policy schema > policy.schema.json
    ```
    """
    from sayso.policy import schema as made

    context.write(json.dumps(made(), indent=None if context.json else 2) + "\n")


def _policy(file: Path | None, context: Context) -> tuple[Policy, frozenset[str]]:
    """The policy asked about, and its versions that were withdrawn, where a ledger says it."""
    from sayso.api import load_policy
    from sayso.ledger.events import VersionWithdrawn

    if file is not None and not context.named:
        return load_policy(file), frozenset()
    policy = None if file is None else load_policy(file)
    with context.ledger() as ledger:
        policy = policy or ledger.policy
        read = [one.event for one in ledger.parts.journal.globals()]
    if policy is None:
        raise UsageError("no policy is published in this ledger; name a file, or publish one")
    return policy, frozenset(event.version for event in read if isinstance(event, VersionWithdrawn))


def _print_matrix(found: Matrix, context: Context) -> None:
    """The matrix as tables that fit the terminal, then what their numbers stand for."""
    numbered = found.numbered
    alike: dict[tuple[Cell, ...], list[str]] = {}
    for place, category in enumerate(found.categories):
        alike.setdefault(tuple(row.cells[place] for row in found.rows), []).append(category)
    columns = list(alike.items())
    at_once = max(1, (context.out.width - _TERRITORIES_WIDTH) // _CATEGORY_WIDTH)
    title = f"{found.platform}, version {found.version or 'none in force'}: {found.purpose} by {found.recipient}"
    context.out.print(Text(title, style="bold"))
    context.out.print(Text(f"at {instant.format(found.at)}, policy {found.digest}", style="dim"))
    if found.withdrawn:
        context.out.print(Text(f"withdrawn: {', '.join(found.withdrawn)}", style="dim"))
    for first in range(0, len(columns), at_once):
        some = columns[first : first + at_once]
        table = Table("territories", *("\n".join(names) for _, names in some), show_lines=True)
        for place, row in enumerate(found.rows):
            table.add_row(row.name, *(_cell(cells[place], numbered) for cells, _ in some))
        context.out.print(table)
    for cell, number in numbered.items():
        said = ", ".join((*(f"notice {one}" for one in cell.notices), *cell.asks)) or "nothing more is asked"
        context.out.print(
            Text.assemble(
                f"{number:>3}  ", (cell.mode, _STYLE[cell.mode]), f": {said}", (f" ({', '.join(cell.rules)})", "dim")
            )
        )


def _cell(cell: Cell, numbered: Mapping[Cell, int]) -> Text:
    number = f" {numbered[cell]}" if cell in numbered else ""
    return Text.assemble((cell.mode, _STYLE[cell.mode]), (number, "dim"))


def _places(codes: tuple[str, ...]) -> str:
    return " ".join(codes) if len(codes) <= 8 else f"{' '.join(codes[:6])} and {len(codes) - 6} more"
