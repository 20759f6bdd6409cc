"""From text to plain data, with the place of every key and value, so that each problem can say where it is.

YAML is read by the core schema of version 1.2, whatever the text says of itself: `NO` is Norway, not false, and an
instant is text. Anchors, aliases and tags are refused: a policy says what it says where it says it, and nothing
expands. What is too deep is refused as it is read, so that no text exhausts the stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from sayso.errors import Problem

MOST_BYTES = 1 << 20
MOST_DEPTH = 64
SHOWN = 60

Path = tuple[str | int, ...]

_NULL = {"", "~", "null", "Null", "NULL"}
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_SURROGATE = re.compile("[\ud800-\udfff]")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_OURS = re.compile(r"""^[\s{"']*sayso["']?\s*:""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, from 1."""

    line: int
    column: int


@dataclass
class Source:
    """A text as plain data, with the place of every value, and of every key.

    `lost` are names that were there but could not be read: nothing is said of what refers to them. `doubtful` are the
    parts (a rule, a notice) of which something could not be read: of them only what refers to nothing is said.
    `ours` is whether the text has the key `sayso`: any other may be anything, such as a letter, and is not repeated.
    """

    file: str | None
    data: Any = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    doubtful: set[Path] = field(default_factory=set)
    ours: bool = True

    def got(self, value: object, otherwise: str = "") -> str:
        """The offending input, as a message ends with it; or `otherwise` where it may be somebody's."""
        told = f"`{shown(value)}`" if self.ours else otherwise
        return f", got {told}" if told else ""

    def problem(self, path: Path, message: str, remedy: str | None = None, *, key: bool = False) -> Problem:
        """A problem at the value (or key) of a path, or at the nearest thing above it that has a place."""
        known = self.keys if key and path in self.keys else self.values
        while path and path not in known:
            path = path[:-1]
            known = self.values
        place = known.get(path)
        return Problem(message, self.file, place.line if place else None, place.column if place else None, remedy)

    def report(self, path: Path, message: str, remedy: str | None = None, *, key: bool = False) -> None:
        """Adds a problem."""
        self.problems.append(self.problem(path, message, remedy, key=key))


def part_of(path: Path) -> Path:
    """The part of a document that a path is in: a rule, a version but for its rules, or one entry of a vocabulary."""
    if path[:1] == ("versions",):
        return path[:4] if len(path) >= 4 and path[2] == "rules" else path[:2]
    return path[:2]


def shown(value: object) -> str:
    """An offending input as messages show it: on one line, cut where it is long."""
    text = str(value)
    return printable(text[:SHOWN]).replace("`", "'") + ("…" if len(text) > SHOWN else "")


def printable(text: str) -> str:
    """A text with a dot for everything that moves or hides others."""
    return "".join(one if one.isprintable() else "·" for one in text)


def read(text: str | bytes, file: str | None = None) -> Source:
    """A YAML text as plain data. What cannot be read is a problem in the result, not an exception."""
    source = Source(file)
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > MOST_BYTES:
        source.problems.append(
            Problem(
                f"expected at most {MOST_BYTES >> 20} MiB, got more", file, 1, 1,
                "is this the right file?",
            )
        )  # fmt: skip
        return source
    try:
        decoded = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _position(raw, error.start)
        source.problems.append(
            Problem(
                f"expected UTF-8 text, got the byte `0x{raw[error.start]:02x}`", file, line, column,
                "save the file as UTF-8",
            )
        )  # fmt: skip
        return source
    source.ours = _OURS.search(decoded) is not None
    try:
        source.data = _build(YAML(typ="rt", pure=True).parse(decoded), source)
    except ReaderError as error:
        line, column = _position(decoded.encode(), len(decoded[: error.position].encode()))
        source.problems.append(
            Problem(
                f"expected text, got the control character `U+{ord(decoded[error.position]):04X}`", file, line, column,
                "take it out",
            )
        )  # fmt: skip
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        offending = decoded.splitlines()[place[0] - 1 : place[0]]
        message = f"expected YAML 1.2{source.got(offending[0].strip() if offending else '')}"
        source.problems.append(Problem(printable(f"{message}: {error.problem or 'it cannot be read'}"), file, *place))
    except (YAMLError, ValueError, ArithmeticError, LookupError) as error:
        kind = type(error).__name__
        source.problems.append(Problem(f"expected YAML 1.2, got what cannot be read (`{kind}`)", file, 1, 1))
    if source.data is None and not source.problems:
        source.problems.append(Problem("expected a YAML document, got nothing", file, 1, 1))
    return source


def _position(raw: bytes, offset: int) -> tuple[int, int]:
    before = raw[:offset]
    return before.count(b"\n") + 1, len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1


@dataclass
class _Open:
    """A list or mapping that is being read; `key` is the one whose value comes next."""

    path: Path
    found: list[Any] | dict[str, Any]
    key: str | None = None


def _build(events: Iterator[Event], source: Source) -> Any:
    """The data that events write; `None` at the first thing that is not allowed anywhere."""
    above: list[_Open] = []
    documents = 0
    data: Any = None
    for event in events:
        place = Place(event.start_mark.line + 1, event.start_mark.column + 1)
        documents += isinstance(event, DocumentStartEvent)
        waits = bool(above) and isinstance(above[-1].found, dict) and above[-1].key is None
        refused = (
            "one document, got a second after `---`" if documents > 1 else _refused(event, len(above), waits, source)
        )
        if refused is not None:
            source.problems.append(Problem(f"expected {refused}", source.file, place.line, place.column))
            return None
        match event:
            case SequenceEndEvent() | MappingEndEvent():
                above.pop()
            case ScalarEvent() if waits:
                _key(above[-1], event.value, place, source)
            case ScalarEvent() | SequenceStartEvent() | MappingStartEvent():
                path, made = _value(above, event)
                source.values[path] = place
                data = made if not above else data
                if not isinstance(event, ScalarEvent):
                    above.append(_Open(path, made))
            case _:
                continue
    return data


def _refused(event: Event, depth: int, waits: bool, source: Source) -> str | None:
    """Why an event is allowed nowhere."""
    anchor, tag = getattr(event, "anchor", None), getattr(event, "ctag", None)
    if isinstance(event, AliasEvent):
        return f"no alias{source.got(f'*{anchor}')}; write out what is meant"
    if anchor is not None:
        return f"no anchor{source.got(f'&{anchor}')}; write out what is meant"
    if tag is not None:
        return f"no tag{source.got(tag)}; put quotes around what is text"
    if isinstance(event, ScalarEvent) and _SURROGATE.search(event.value):
        return "characters of Unicode, got half of one" + (f" in `{shown(event.value)}`" if source.ours else "")
    if isinstance(event, SequenceStartEvent | MappingStartEvent) and depth >= MOST_DEPTH:
        return f"at most {MOST_DEPTH} levels, got one more"
    if isinstance(event, SequenceStartEvent | MappingStartEvent) and waits:
        return "a word before `:`, got a list or mapping"
    return None


def _key(where: _Open, name: str, place: Place, source: Source) -> None:
    path = (*where.path, name)
    if path in source.keys:
        first = source.keys[path]
        message = f"expected each key once{source.got(name, 'one')} again (first in line {first.line})"
        source.problems.append(Problem(message, source.file, place.line, place.column, "leave one of them out"))
        source.doubtful.add(part_of(path))
    source.keys.setdefault(path, place)
    where.key = name


def _value(above: list[_Open], event: Event) -> tuple[Path, Any]:
    """A value's path and data, put where it belongs."""
    made: Any
    match event:
        case ScalarEvent():
            made = _scalar(event)
        case SequenceStartEvent():
            made = []
        case _:
            made = {}
    if not above:
        return (), made
    where = above[-1]
    if isinstance(where.found, list):
        where.found.append(made)
        return (*where.path, len(where.found) - 1), made
    name = str(where.key)
    where.found[name], where.key = made, None
    return (*where.path, name), made


def _scalar(event: ScalarEvent) -> Any:
    """A plain scalar by the core schema of YAML 1.2; everything else, instants and fractions too, is text."""
    text: str = event.value
    if event.style is not None:
        return text
    if text in _NULL:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    return int(text) if _INTEGER.fullmatch(text) else text
