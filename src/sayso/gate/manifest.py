"""The manifest of a gate: what was asked, by which policy and ledger, of which files, with what result.

Its form is `spec/manifest.md`. It names no person and holds no path of the machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sayso import instant
from sayso.errors import Problem, StaleError, VerificationError
from sayso.gate.columns import Columns
from sayso.gate.output import Gated
from sayso.gate.selection import KIND as SELECTION
from sayso.ledger.admission import SKEW

FORM = "sayso/manifest/1"
FILE = "manifest.json"


def inputs(gated: Sequence[Gated]) -> list[dict[str, Any]]:
    """What was read. Raises CorpusError for a file that was written again meanwhile."""
    for one in gated:
        one.input.check()
    return [
        {
            "name": one.input.name,
            "form": one.input.form,
            "bytes": one.input.source.stat().st_size,
            "records": one.input.rows,
            "sha256": one.input_digest,
        }
        for one in gated
    ]


def outputs(gated: Sequence[Gated]) -> list[dict[str, Any]]:
    """What was written. A selection is `of` the file with that digest, and of no other."""
    return [
        {"path": written.path, "kind": written.kind, "input": one.input.name, "records": written.rows,
         "sha256": written.digest} | ({"of": one.input_digest} if written.kind == SELECTION else {})
        for one in gated
        for written in one.written
    ]  # fmt: skip


def columns(mapping: Columns) -> dict[str, Any]:
    """Which columns said what."""
    said = {name: value for name, value in asdict(mapping).items() if value is not None}
    said["subjects"] = [
        {name: value for name, value in subject.items() if value not in (None, False)} for subject in said["subjects"]
    ]
    return said


def written(at: int | None) -> str | None:
    """An instant as a manifest writes it."""
    return None if at is None else instant.format(at)


def encode(manifest: Mapping[str, Any]) -> bytes:
    """The bytes of a manifest: JSON with sorted keys, indented for people."""
    return json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True).encode() + b"\n"


def named(directory: Path) -> str:
    """What a directory is called in an error: its name, and not where it is."""
    return directory.name or str(directory)


def read(directory: Path) -> dict[str, Any]:
    """The manifest in a directory. Raises VerificationError if there is none, or one that cannot be read."""
    path = directory / FILE
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise VerificationError(str(Problem("expected a manifest that can be read", file=str(path)))) from error
    if not isinstance(manifest, dict) or manifest.get("form") != FORM:
        raise VerificationError(str(Problem(f"expected a manifest of form `{FORM}`", file=str(path))))
    return manifest


def check_clock(said: Mapping[str, Any], present: int, name: str) -> None:
    """Raises StaleError where the clock stands before what a release saw: by such a one, nothing would ever be stale."""
    seen = max(instant.parse(look["at"]) for look in said["looks"])
    if present < seen - SKEW:
        at = instant.format(seen)
        raise StaleError(f"the clock stands before `{at}`, when `{name}` was made; set it right")
