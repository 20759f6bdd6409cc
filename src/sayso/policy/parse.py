"""From text to a document, with the place of every key and value, so that each problem can say where it is.

YAML is read by version 1.2: there `NO` is Norway, not false. Anchors and aliases are refused: a policy says what it
says where it says it, and nothing expands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sayso.errors import Problem
from sayso.policy.document import Document

MOST_BYTES = 8 << 20
MOST_DEPTH = 64
SHOWN = 60

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, from 1."""

    line: int
    column: int


@dataclass
class Source:
    """A text as plain data, with the place of every value, and of every key."""

    file: str | None
    data: Any = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, path: Path, message: str, remedy: str | None = None, *, key: bool = False) -> Problem:
        """A problem at the value (or key) of a path, or at the nearest thing above it that has a place."""
        known = self.keys if key and path in self.keys else self.values
        while path and path not in known:
            path = path[:-1]
            known = self.values
        place = known.get(path)
        return Problem(message, self.file, place.line if place else None, place.column if place else None, remedy)


def read(text: str | bytes, file: str | None = None) -> Source:
    """A YAML text as plain data. What cannot be read is a problem in the result, not an exception."""
    source = Source(file)
    if len(text) > MOST_BYTES:
        source.problems.append(Problem(f"expected at most {MOST_BYTES >> 20} MiB, got {len(text) >> 20} MiB", file))
        return source
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = text[: error.start].count(b"\n") + 1
            source.problems.append(Problem("expected UTF-8 text", file, line, remedy="save the file as UTF-8"))
            return source
    try:
        node = YAML(typ="rt", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        message = f"expected YAML 1.2: {error.problem or 'it cannot be read'}"
        place = (mark.line + 1, mark.column + 1) if mark else (None, None)
        source.problems.append(Problem(message, file, *place))
        return source
    except (YAMLError, ValueError, RecursionError) as error:
        source.problems.append(Problem(f"expected YAML 1.2: it cannot be read ({type(error).__name__})", file))
        return source
    if node is None:
        source.problems.append(Problem("expected a document, got nothing", file, 1, 1))
        return source
    source.data = _plain(node, (), source, set())
    return source


def _plain(node: Node, path: Path, source: Source, above: set[int]) -> Any:
    place = Place(node.start_mark.line + 1, node.start_mark.column + 1)
    source.values[path] = place
    if id(node) in above or len(path) > MOST_DEPTH:
        what = "an alias; write out what is meant" if id(node) in above else f"more than {MOST_DEPTH} levels"
        source.problems.append(source.problem(path, f"expected no {what}"))
        return None
    above.add(id(node))
    match node:
        case ScalarNode():
            return _scalar(node)
        case SequenceNode():
            return [_plain(item, (*path, index), source, above) for index, item in enumerate(node.value)]
        case MappingNode():
            found: dict[str, Any] = {}
            for key, value in node.value:
                name = str(key.value) if isinstance(key, ScalarNode) else "?"
                source.keys[*path, name] = Place(key.start_mark.line + 1, key.start_mark.column + 1)
                if name in found:
                    source.problems.append(
                        source.problem((*path, name), f"key `{_shown(name)}` is given twice", key=True)
                    )
                found[name] = _plain(value, (*path, name), source, above)
            return found
    return None


def _scalar(node: ScalarNode) -> Any:
    """A plain scalar by the core schema of YAML 1.2; everything else, instants too, is text."""
    text: str = node.value
    if node.style is not None:
        return text
    match str(node.tag).removeprefix("tag:yaml.org,2002:"):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" if text.lstrip("+-").isdecimal() and text.isascii():
            return int(text)
        case _:
            return text


def parse(source: Source) -> Document | None:
    """The document that a source writes; adds every problem of form to the source's."""
    if source.data is None:
        return None
    try:
        return Document.model_validate(source.data)
    except ValidationError as error:
        source.problems += _problems(error, source)
        return None


def _problems(error: ValidationError, source: Source) -> Iterator[Problem]:
    seen: set[Path] = set()
    for item in error.errors(include_url=False):
        path = _path(item["loc"], source)
        kind = item["type"]
        if kind == "missing":
            name = str(item["loc"][-1])
            yield source.problem(path, f"expected a key `{name}` here")
        elif kind == "extra_forbidden":
            name = str(item["loc"][-1])
            yield source.problem(path, f"unknown key `{_shown(name)}`", _meant(name, item["loc"][:-1]), key=True)
        elif path not in seen:
            seen.add(path)
            yield source.problem(path, f"{_expected(item)}, got `{_shown(item['input'])}`")


def _path(loc: Path, source: Source) -> Path:
    """Where in the data an error is: its location without the names of union members and the like."""
    path: Path = ()
    for part in loc:
        if (*path, part) in source.values:
            path = (*path, part)
    return path


def _expected(item: Mapping[str, Any]) -> str:
    context = item.get("ctx", {})
    match item["type"]:
        case "value_error":
            return str(context["error"]).split(", got ")[0]
        case "literal_error":
            return "expected " + str(context["expected"]).replace("'", "`")
        case "string_pattern_mismatch":
            return "expected a name of letters, digits, `.`, `_`, `:` and `-`, or the form that the key asks for"
        case "string_type":
            return "expected text (put quotes around what looks like a number)"
        case _:
            return "expected " + str(item["msg"]).removeprefix("Input should be ").removeprefix("Value error, ").lower()


def _meant(name: str, above: Path) -> str:
    """What key may have been meant, of those that there are at its place."""
    known = sorted(_keys(Document, above))
    close = get_close_matches(name, known, n=1)
    return f"did you mean `{close[0]}`?" if close else "known keys are " + ", ".join(f"`{key}`" for key in known)


def _keys(model: type[BaseModel], above: Path) -> set[str]:
    for part in above:
        fields = {info.alias or name: info.annotation for name, info in model.model_fields.items()}
        if part in fields:
            nested = list(_models(fields[part]))
            model = nested[0] if nested else model
    return {info.alias or name for name, info in model.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _shown(value: object) -> str:
    text = str(value).replace("`", "'").replace("\n", " ")
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
