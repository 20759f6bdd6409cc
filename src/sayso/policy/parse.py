"""From plain data to a document; and from data that is none, what of it can still be read.

Every problem of form is told of at once. So that those of meaning can be told of beside them, what has no form is
taken out, and where something must stand, a stand-in is put; nothing is ever decided by such a document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from sayso.errors import Problem
from sayso.policy.document import Document
from sayso.policy.source import Path, Source, part_of, shown

ROUNDS = 32
"""How often what has no form is taken out before nothing is read. Two or three rounds are enough for what people write."""

_DEFINED = (
    "purposes",
    "categories",
    "recipients",
    "groups",
    "attributes",
    "roles",
    "notices",
    "signals",
    "controllers",
)


def parse(source: Source) -> Document | None:
    """The document that a source writes; adds every problem of form to the source's.

    If there are any, the document is what could be read, for finding what else is wrong; `None` if too little could.
    """
    if source.data is None:
        return None
    data = source.data
    for attempt in range(ROUNDS):
        try:
            return Document.model_validate(data)
        except ValidationError as error:
            errors = error.errors(include_url=False)
            if attempt == 0:
                source.problems += problems(errors, source, Document)
                data = deepcopy(data)
            # Where each is, before what it is in is taken out for another.
            places = [_path(item["loc"], data) for item in errors]
            if not all([_mend(data, item, path, source) for item, path in zip(errors, places, strict=True)]):  # noqa: C419
                return None
    return None


# ── what is wrong ────────────────────────────────────────────────────────────────────────────────────────────────────


def problems(errors: Sequence[Any], source: Source, model: type[BaseModel]) -> Iterator[Problem]:
    """What a model's validation errors say of a source, each at its place."""
    seen: set[Path] = set()
    for item in errors:
        path = _path(item["loc"], source.data)
        kind = item["type"]
        if kind == "missing":
            given = _at(source.data, path)
            got = ", ".join(f"`{shown(name)}`" for name in list(given)[:5]) if isinstance(given, dict) else ""
            name = str(item["loc"][-1])
            yield source.problem(path, f"expected a key `{name}` here, got {got or '`{}`'}", f"add `{name}`")
        elif kind == "extra_forbidden":
            name = str(item["loc"][-1])
            yield source.problem(path, f"unknown key `{shown(name)}`", _meant(name, item["loc"][:-1], model), key=True)
        elif item["loc"][-1:] == ("[key]",):
            yield source.problem(path, f"{_expected(item)}, got `{shown(item['input'])}`", key=True)
        elif kind == "literal_error" and item["ctx"]["expected"] == "'all'" and isinstance(item["input"], list):
            continue  # what is wrong with the list is told beside
        elif path not in seen:
            seen.add(path)
            yield source.problem(path, f"{_expected(item)}, got `{_given(item['input'])}`")


def _path(loc: Path, data: Any) -> Path:
    """Where in the data an error is: its location without the names of union members and the like."""
    path: Path = ()
    for part in loc:
        inside = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if inside:
            path, data = (*path, part), data[part]
    return path


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _given(value: object) -> str:
    """What was given, as YAML would write it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return shown(value)


def _expected(item: Mapping[str, Any]) -> str:
    context = item.get("ctx", {})
    match item["type"]:
        case "value_error":
            return str(context["error"])
        case "literal_error" if context["expected"] == "'all'":
            return "expected `all` or a list of names"
        case "literal_error":
            return "expected " + str(context["expected"]).replace("'", "`")
        case "string_pattern_mismatch" if "sha256" in str(context["pattern"]):
            return "expected a digest: `sha256:` and 64 lowercase hexadecimal digits"
        case "string_pattern_mismatch":
            return "expected a name: up to 64 letters, digits, `.`, `_`, `:` and `-`, the first a letter or digit"
        case "string_type":
            return "expected text; put quotes around what looks like a number, a truth or nothing"
        case "string_too_short":
            return "expected some text"
        case "string_too_long":
            return f"expected at most {context['max_length']} letters"
        case "too_short":
            return "expected at least one entry"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "expected a mapping of keys to values"
        case "list_type":
            return "expected a list"
        case "bool_type":
            return "expected `true` or `false`"
        case "int_type":
            return "expected a whole number, without quotes"
        case kind:
            return "expected " + str(item.get("msg", kind)).removeprefix("Input should be ").lower()


def _meant(name: str, above: Path, model: type[BaseModel]) -> str:
    """What key may have been meant, of those that there are at its place."""
    known = sorted(_keys(model, above))
    close = get_close_matches(name.lower(), known, n=1)
    return f"did you mean `{close[0]}`?" if close else "known keys are " + ", ".join(f"`{key}`" for key in known)


def _keys(model: type[BaseModel], above: Path) -> set[str]:
    for part in above:
        fields = {info.alias or name: info.annotation for name, info in model.model_fields.items()}
        if part in fields:
            model = next(_models(fields[part]), model)
    return {info.alias or name for name, info in model.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


# ── what can still be read ───────────────────────────────────────────────────────────────────────────────────────────


def _mend(data: Any, item: Mapping[str, Any], path: Path, source: Source) -> bool:
    """Takes out what an error is of, or puts a stand-in where a key is missing; whether that could be done."""
    if item["type"] == "extra_forbidden":
        return _drop(data, path, source)
    source.doubtful.add(part_of(path))
    if item["type"] != "missing":
        return _drop(data, path, source)
    key = str(item["loc"][-1])
    stand_in = _stand_in(path, key)
    if stand_in is None:
        return _drop(data, path, source)
    with suppress(LookupError):  # what it was missing from may be gone
        _at(data, path)[key] = stand_in
    return True


def _stand_in(path: Path, key: str) -> Any:
    """What can stand for a missing key without meaning anything; `None` if nothing can."""
    if not path:
        return {"sayso": 1, "platform": "unread", "versions": []}.get(key)
    common = {
        "id": f"unread:{':'.join(str(part) for part in path[1::2])}",
        "mode": "never",
        "announced": "2000-01-01T00:00:00Z",
        "effective": "2000-01-01T00:00:00Z",
        "rules": [],
        "include": ["world"],
        "counts": True,
        "declares": {"purposes": "all", "categories": "all", "recipients": "all"},
    }
    return "all" if key in ("purposes", "categories", "recipients") else common.get(key)


def _drop(data: Any, path: Path, source: Source) -> bool:
    """Takes out what stands at a path, or the nearest thing above that can be; the places of the rest stay."""
    if len(path) == 0 or (len(path) == 1 and path[0] in _DEFINED):
        return False
    last = path[-1]
    try:
        above = _at(data, path[:-1])
        gone = above[last]
    except LookupError:
        return True  # it went with what it was in
    if isinstance(above, list) and path[-2] not in ("versions", "rules"):
        return _drop(data, path[:-1], source)
    source.lost |= _names(gone)
    if isinstance(above, list):
        above[int(last)] = {}
    else:
        source.lost.add(str(last))
        del above[last]
    return True


def _names(value: Any) -> set[str]:
    """Every name in some data, keys and text alike."""
    if isinstance(value, dict):
        return {str(key) for key in value} | {name for one in value.values() for name in _names(one)}
    if isinstance(value, list):
        return {name for one in value for name in _names(one)}
    return {value} if isinstance(value, str) else set()
