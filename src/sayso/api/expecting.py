"""Arguments of the API are of the types that it declares, or an error of ours says what was expected.

The check follows the annotations, so that a type is said once. What a record holds is not checked here: that denies.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple, ParamSpec, TypeVar
from uuid import UUID

from sayso import wiring
from sayso.errors import InstantError, UsageError
from sayso.gate.columns import Columns
from sayso.instant import EARLIEST, LATEST
from sayso.ledger import events as e
from sayso.ledger.identity import IdType
from sayso.ledger.log.note import VerifierKey
from sayso.policy.facts import Record
from sayso.policy.model import Policy
from sayso.stores.postgres_url import PostgresUrl

P = ParamSpec("P")
R = TypeVar("R")


class Form(NamedTuple):
    """What an argument must be: in words, and whether something is."""

    told: str
    fits: Callable[[Any], bool]


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


def _is_path(value: Any) -> bool:
    """Whether a file can have this name: no system call takes one with a NUL, or with what stands for no byte."""
    try:
        return isinstance(value, str | Path) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def _is_place(value: Any) -> bool:
    """Whether a ledger can be there: in a file, which has a name, or at a URL."""
    return isinstance(value, PostgresUrl) or (_is_path(value) and bool(Path(value).name))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _each(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def each(value: Any) -> bool:
        if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Iterable):
            return False
        # What can be gone through once is left for who asked for it.
        return not isinstance(value, Sequence | Set) or all(map(fits, value))

    return each


def _pair(*both: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, Sequence)
        and len(value) == 2
        and all(fits(one) for fits, one in zip(both, value, strict=True))
    )


def _mapped(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Mapping) and all(isinstance(k, str) and fits(v) for k, v in value.items())


def _either(*several: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: any(fits(value) for fits in several)


_TEXT = _is(str)
_PATH = "a path that a file can have, as text or a `Path`"
_FUNCTION = Form("a function", callable)
_NAMES = "text, or a list of texts"
FORMS: Mapping[str, Form] = {
    "str": Form("text", _TEXT),
    "int": Form("a whole number", _is_whole),
    "float": Form("a number", _either(_is_whole, _is(float))),
    "bool": Form("`True` or `False`", _is(bool)),
    "bytes | str": Form("text or bytes", _is(str, bytes)),
    "str | Path": Form(_PATH, _is_path),
    "Path": Form(_PATH, _is_path),
    "str | wiring.Location": Form(f"{_PATH}, or a URL", _is_place),
    "str | Path | Sequence[str | Path]": Form(_PATH + ", or a list of such", _either(_is_path, _each(_is_path))),
    "str | Path | Iterable[str | Path]": Form(_PATH + ", or a list of such", _either(_is_path, _each(_is_path))),
    "Iterable[str | Path]": Form("a list of paths that files can have", _each(_is_path)),
    "Corpora": Form(_PATH + ", or such a path for each file by its name", _either(_is_path, _mapped(_is_path))),
    "Iterable[str]": Form("a list of texts", _each(_TEXT)),
    "Names": Form(_NAMES, _either(_is(str, NoneType), _each(_TEXT))),
    "Mapping[str, str]": Form("a text for each text", _mapped(_TEXT)),
    "tuple[str, str]": Form("two texts", _pair(_TEXT, _TEXT)),
    "tuple[Literal['guardian', 'agent', 'owner'], AnyId]": Form(
        "who acted and the id", _pair(_TEXT, _is(int, str, UUID))
    ),
    "Sequence[str | VerifierKey]": Form("a list of verifier keys, or of files of them", _each(_is(str, VerifierKey))),
    "PolicyLike": Form(f"a policy, or {_PATH}", _either(_is_path, _is(Policy))),
    "Columns | str | Path": Form(f"`Columns`, or {_PATH}", _either(_is_path, _is(Columns))),
    "Record": Form("a record, as `Ledger.record` makes one", _is(Record)),
    "Mapping[str, Any] | e.Event": Form("an event, or its document", _is(Mapping, e.Event)),
    "IdType | str": Form("`int64`, `string` or `uuid`", lambda value: value in tuple(IdType)),
    "Callable[[], int]": _FUNCTION,
    "wiring.Clock": _FUNCTION,
    "Callable[[int], None]": _FUNCTION,
    "Progress": _FUNCTION,
}
"""What is expected, by the annotation of an argument; `| None` after one lets it be left out."""
ELSEWHERE = frozenset(
    {
        "Any", "AnyId", "Subjects", "Instant", "Mapping[str, Any]", "Decision", "Literal['copy', 'selection']",
        "Literal['open', 'touch']", "Ledger", "wiring.Parts", "Iterable[str | None]",
    }
)  # fmt: skip
"""What is read, and refused or denied, by what takes it."""
_NONE = " | None"


def expecting(call: Callable[P, R]) -> Callable[P, R]:
    """A function of the API that raises UsageError for an argument of another type than it declares."""
    forms = [_form(one) for one in inspect.signature(call).parameters.values()]
    named = {name: (form, optional) for name, form, optional in forms if form is not None}

    @wraps(call)
    def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        for (name, form, optional), value in zip(forms, args, strict=False):
            if form is not None:
                _check(name, form, value, optional=optional)
        for name, value in kwargs.items():
            if name in named:
                form, optional = named[name]
                _check(name, form, value, optional=optional)
        return call(*args, **kwargs)

    return asked


def _form(parameter: inspect.Parameter) -> tuple[str, Form | None, bool]:
    text = str(parameter.annotation)
    return parameter.name, FORMS.get(text.removesuffix(_NONE)), text.endswith(_NONE)


def _check(name: str, form: Form, value: Any, *, optional: bool) -> None:
    if (value is None and optional) or form.fits(value):
        return
    # What was given may name somebody, so only its type is told.
    path = isinstance(value, str | Path) and _PATH in form.told
    got = "one that none can have" if path else type(value).__name__
    raise UsageError(f"expected {form.told}, for `{name}`, got {got}")


@dataclass(frozen=True)
class Telling:
    """A caller's clock, held to what a clock tells. It may be pickled, if the caller's may."""

    clock: Callable[[], int]

    def __call__(self) -> int:
        """The present instant. Raises InstantError for what is no number of microseconds."""
        at = self.clock()
        if type(at) is not int:
            raise InstantError(
                f"expected the clock (`now`) to tell whole microseconds since 1970 in UTC, got {type(at).__name__}"
            )
        if not EARLIEST <= at <= LATEST:
            raise InstantError(f"expected the clock (`now`) to tell an instant that exists in UTC, got `{at}`")
        return at


def telling(clock: Callable[[], int]) -> Callable[[], int]:
    """A clock that a caller gave, as one that tells instants or raises InstantError."""
    return clock if clock is wiring.present else Telling(clock)
