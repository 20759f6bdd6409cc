"""Policies from files, and whatever else a caller may give where a policy is asked for."""

from __future__ import annotations

from pathlib import Path

from sayso import policy
from sayso.api.expecting import expecting
from sayso.policy import Report
from sayso.policy.model import Policy

PolicyLike = Policy | str | Path


@expecting
def load_policy(path: str | Path) -> Policy:
    """The policy in a YAML file (`docs/policy.md`). Raises PolicyError with every problem in it, each with its place."""
    return policy.load(Path(path))


@expecting
def check_policy(path: str | Path) -> Report:
    """What is wrong with the policy in a file, and what is worth a second look.

    Raises PolicyError only if the file cannot be read; the report's `policy` is `None` where it has errors.
    """
    return policy.examine_file(Path(path))


def policy_of(given: PolicyLike | None) -> Policy | None:
    """A policy as a caller may give it: loaded, as a path, or not at all."""
    return given if given is None or isinstance(given, Policy) else load_policy(given)
