"""`docs/policy.md` names every key of the document, says which must be there and what may be written, and shows each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML

from sayso.policy import document as written
from sayso.policy import examine

PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text("utf-8")
EXAMPLE = re.search(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)

# Which model each section of the page is of. The keys of a scope are written once, in its own.
SECTIONS: dict[str, type[BaseModel]] = {
    "The document": written.Document,
    "A purpose": written.Purpose,
    "A category": written.Category,
    "A recipient": written.Term,
    "A group": written.Group,
    "An attribute": written.Attribute,
    "A role": written.Role,
    "A notice": written.Notice,
    "A text of a notice": written.NoticeVersion,
    "A controller": written.Controller,
    "A scope": written.Scope,
    "A signal": written.Signal,
    "A version": written.Version,
    "A notice at sign-up": written.SignUp,
    "A rule": written.Rule,
    "An audience": written.Audience,
    "An age band": written.Ages,
    "An interval": written.Span,
    "A least age": written.MinAge,
    "An override": written.Override,
}


def keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """What may be written in a mapping, by the word that is written."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def section(title: str) -> str:
    return re.split(r"^##+ ", PAGE.split(f"\n### {title}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def rows(title: str) -> Iterator[tuple[str, bool, str]]:
    """Each key of a section's table, whether it is marked as one that must be there, and its row."""
    for line in section(title).splitlines():
        if line.startswith("| `"):
            first = line.split(" | ")[0]
            for key in re.findall(r"`([^`]+)`", first):
                yield key, first.endswith("*"), line


def words(annotation: Any) -> Iterator[str]:
    """The words that may be written where a model lists them."""
    if get_origin(annotation) is Literal:
        yield from (str(word) for word in get_args(annotation))
    for part in get_args(annotation):
        yield from words(part)


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models(part)


@pytest.mark.parametrize("title", SECTIONS)
def test_every_key_is_on_the_page_and_no_other(title: str) -> None:
    model = SECTIONS[title]
    inherited = set(keys(written.Scope)) if model is not written.Scope and issubclass(model, written.Scope) else set()
    assert {key for key, _, _ in rows(title)} == set(keys(model)) - inherited
    for key, must, row in rows(title):
        info = keys(model)[key]
        assert must == info.is_required(), f"`{key}` of `{title}`: is it marked as one that must be there?"
        assert [word for word in words(info.annotation) if f"`{word}`" not in row] == []


def test_every_model_has_a_section() -> None:
    found: list[type[BaseModel]] = [written.Document]
    for model in found:
        for info in model.model_fields.values():
            found += [one for one in models(info.annotation) if one not in found]
    assert set(found) == set(SECTIONS.values())


def test_the_example_shows_every_key_and_has_no_error() -> None:
    assert EXAMPLE is not None
    report = examine(EXAMPLE[1], "docs/policy.md")
    assert report.errors == ()
    assert [one.message for one in report.warnings] == ["this rule does not hear the person whose data it is"]
    shown: set[tuple[type[BaseModel], str]] = set()

    def look(value: Any, annotation: Any) -> None:
        """Notes which keys of which models a value shows."""
        of = list(models(annotation))
        if isinstance(value, list):
            for one in value:
                look(one, annotation)
        elif isinstance(value, dict) and of:
            named = "dict" in str(annotation)
            for key, inner in value.items():
                info = None if named else keys(of[0]).get(key)
                if info is not None:
                    shown.add((of[0], key))
                look(inner, of[0] if named else info and info.annotation)

    look(YAML(typ="safe", pure=True).load(EXAMPLE[1]), written.Document)
    # A recipient is written as any term is; the keys that terms share are shown where purposes are.
    shared = {(model, key) for model in (written.Term, written.Category) for key in keys(written.Term)}
    assert {(model, key) for model in SECTIONS.values() for key in keys(model)} - shown - shared == set()
