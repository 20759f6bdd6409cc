"""Loading a policy document: read, parsed, compiled and checked, with every problem at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sayso.errors import PolicyError, Problem
from sayso.policy.check import check
from sayso.policy.compiling import compile_policy
from sayso.policy.document import Document
from sayso.policy.model import Policy
from sayso.policy.parse import parse
from sayso.policy.source import MOST_BYTES, Source, read


@dataclass(frozen=True)
class Report:
    """What a check of a document found: its policy and warnings, or its errors."""

    policy: Policy | None
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def examine(text: str | bytes, file: str | None = None) -> Report:
    """A document checked: the policy, or every error in it, and what is worth a second look. Never raises."""
    return examine_source(read(text, file))


def examine_source(source: Source) -> Report:
    """As `examine`, of a document that stands in another file: its data, with the places that it has there."""
    if source.data is not None and not _is_policy(source.data):
        return Report(None, (_no_policy(source),), ())
    document = parse(source)
    if document is None:
        return Report(None, _ordered(source.problems), ())
    policy = compile_policy(document, source)
    findings = check(document, policy, source)
    errors = _ordered([*source.problems, *findings.errors])
    if errors:
        return Report(None, errors, ())
    in_order = tuple(sorted(policy.versions, key=lambda version: version.effective))
    return Report(replace(policy, versions=in_order), (), _ordered(findings.warnings))


def _is_policy(data: Any) -> bool:
    """Whether it was meant to be a policy: it says so, or has some of the keys that one must have."""
    needed = {name for name, one in Document.model_fields.items() if one.is_required()}
    return isinstance(data, dict) and ("sayso" in data or len(needed & data.keys()) > 1)


def _no_policy(source: Source) -> Problem:
    """What is said of any other file, of which nothing is repeated: it may be a letter."""
    kinds: dict[type, str] = {dict: "a mapping of other keys", list: "a list"}
    found = kinds.get(type(source.data), "a single value")
    message = f"expected a policy, a mapping with the keys `sayso`, `platform`, `purposes` and others, got {found}"
    return source.problem((), message, "is this the right file?")


def loads(text: str | bytes, file: str | None = None) -> Policy:
    """The policy that a text writes. Raises PolicyError with every problem in it."""
    report = examine(text, file)
    if report.policy is None:
        raise PolicyError(report.errors)
    return report.policy


def load(path: Path) -> Policy:
    """The policy in a file. Raises PolicyError with every problem in it, or if there is no such file."""
    return loads(_bytes(path), str(path))


def examine_file(path: Path) -> Report:
    """A document in a file, checked. Raises PolicyError if there is no such file."""
    return examine(_bytes(path), str(path))


def contents(path: Path) -> bytes:
    """What a file holds, or enough of it for `source.read` to say that it is too much. Raises OSError, ValueError."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _bytes(path: Path) -> bytes:
    try:
        return contents(path)
    except (OSError, ValueError) as error:
        raise PolicyError(Problem(f"cannot be read: {getattr(error, 'strerror', None) or error}", str(path))) from error


def _ordered(problems: list[Problem]) -> tuple[Problem, ...]:
    unique = dict.fromkeys(problems)
    return tuple(sorted(unique, key=lambda problem: (problem.line or 0, problem.column or 0, problem.message)))


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a policy document, for editors."""
    made = Document.model_json_schema(by_alias=True)
    return {**made, "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "sayso policy"}
