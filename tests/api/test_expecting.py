"""What is of another type than the API declares: an error of ours says what was expected, and a record denies."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import sayso
from sayso import Columns, Subject, SubjectColumn
from sayso.api import Ledger
from sayso.api.expecting import ELSEWHERE, FORMS
from sayso.api.gating import gate
from sayso.api.keeping import Log
from sayso.api.views import publish_view
from sayso.errors import CorpusError, EventError, InputError, InstantError, SaysoError, UsageError
from tests.tour import Clock

MARCH = "2025-03-01T12:00:00Z"
USE: dict[str, Any] = {"purpose": "generative-ai", "recipient": "platform"}
COLUMNS = Columns((SubjectColumn("author"),), collected_at="written_at", category="kind", key="id")
ODD: list[Any] = [None, 3, 2.5, True, b"x", ["x"], {"a": 1}, object(), "a\0b", "\ud800", ""]


def ways(ledger: Ledger, tour: Path) -> dict[str, Callable[[Any], Any]]:
    """A call for each argument that may be of any type, to be made with one that it should not be of."""
    posts, into = tour / "posts.ndjson", tour / "out"
    asked: dict[str, Any] = {"columns": COLUMNS, "into": into, **USE}
    chosen: dict[str, Any] = {"decision": "objection", "subject": 1, "source": "form"}
    stopped: dict[str, Any] = {"suspension": "s", "authority": "a", "reason": "r"}
    calls: dict[str, Callable[[Any], Any]] = {
        f"gate {name}": lambda odd, name=name:  # type: ignore[misc]
            ledger.gate(posts, **{**asked, name: odd})
        for name in ("purpose", "recipient", "columns", "into", "at", "position", "policy", "emit", "since", "canaries",
                     "memory", "threads", "progress")
    }  # fmt: skip
    calls |= {
        f"decide {name}": lambda odd, name=name: (  # type: ignore[misc]
            ledger.decide(1, "posts", MARCH, **{**USE, name: odd})
        )
        for name in ("purpose", "recipient", "at", "position", "policy", "account", "territory", "reserved")
    }
    calls |= {
        f"choose {name}": lambda odd, name=name: (  # type: ignore[misc]
            ledger.choose(**{**chosen, name: odd})
        )
        for name in ("decision", "source", "subject", "organisation", "purposes", "notice", "act", "by", "attested")
    }
    calls |= {
        f"suspend {name}": lambda odd, name=name: (  # type: ignore[misc]
            ledger.suspend(**{**stopped, name: odd})
        )
        for name in ("suspension", "territories", "purposes", "conditions", "data_from", "effective_at")
    }
    return calls | {
        "gate source": lambda odd: ledger.gate(odd, **asked),
        "decide subjects": lambda odd: ledger.decide(odd, "posts", MARCH, **USE),
        "decide category": lambda odd: ledger.decide(1, odd, MARCH, **USE),
        "decide collected_at": lambda odd: ledger.decide(1, "posts", odd, **USE),
        "decide role": lambda odd: ledger.decide(Subject(1, odd), "posts", MARCH, **USE),
        "decide_record": lambda odd: ledger.decide_record(odd, **USE),
        "explain": lambda odd: ledger.explain(odd, **USE),
        "record": ledger.record,
        "decisions": lambda odd: ledger.decisions(purpose=odd, recipient="platform"),
        "publish": ledger.publish,
        "append": ledger.append,
        "import_events": ledger.import_events,
        "import_map": ledger.import_map,
        "receipt": ledger.receipt,
        "erase": lambda odd: ledger.erase(odd) if odd != 3 else None,
        "lift": lambda odd: ledger.lift("s", evidence=odd),
        "show": lambda odd: list(ledger.show(odd)),
        "policy_at": ledger.policy_at,
        "withdraw_version": lambda odd: ledger.withdraw_version(odd, "r"),
        "prove": ledger.log.prove,
        "export": lambda odd: ledger.log.export(odd) if odd != "" else None,
        "backup": ledger.log.backup,
        "move": ledger.log.move,
        "check_against": ledger.log.check_against,
        "check": lambda odd: ledger.log.check(None, odd),
        "init_ledger": sayso.init_ledger,
        "open_ledger": sayso.open_ledger,
        "open_ledger now": lambda odd: sayso.open_ledger(tour / "sayso.ledger", now=odd),
        "id_type": lambda odd: sayso.init_ledger(tour / "new.ledger", odd),
        "load_policy": sayso.load_policy,
        "check_policy": sayso.check_policy,
        "verify": sayso.verify,
        "verify keys": lambda odd: sayso.verify(tour, keys=odd),
        "verify_receipt": lambda odd: sayso.verify_receipt(odd, keys=()),
        "open_release": sayso.open_release,
        "open_selection": lambda odd: sayso.open_selection(odd, corpus=tour, **USE),
        "open_selection corpus": lambda odd: sayso.open_selection(tour, corpus=odd, **USE),
        "restore": lambda odd: sayso.restore(odd, tour / "again.ledger"),
        "restore where": lambda odd: sayso.restore(tour / "sayso.ledger", odd),
        "columns": lambda odd: Columns(odd, category="kind"),
        "columns item": lambda odd: Columns((odd,), category="kind"),
        "columns column": lambda odd: Columns((SubjectColumn(odd),), category="kind"),
        "columns category": lambda odd: Columns((SubjectColumn("author"),), category=odd),
        "view table": lambda odd: publish_view(ledger, posts, table=odd, into=into / "no/where", columns=COLUMNS, **USE),
        "view into": lambda odd: publish_view(ledger, posts, table="t", into=odd, columns=COLUMNS, **USE),
    }  # fmt: skip


@pytest.mark.slow
def test_whatever_is_given_no_error_is_but_ours(ledger: Ledger, tour: Path) -> None:
    for name, call in ways(ledger, tour).items():
        for odd in ODD:
            try:
                call(odd)
            except SaysoError:
                continue
            except Exception as error:  # noqa: BLE001
                pytest.fail(f"{name} of {odd!r}: {type(error).__name__}: {error}")


def test_it_is_said_what_was_expected(ledger: Ledger, tour: Path) -> None:
    calls = ways(ledger, tour)
    for name, odd, kind, told in (
        ("decide purpose", ["a"], UsageError, "expected text, for `purpose`, got list"),
        ("decide recipient", 3, UsageError, "expected text, for `recipient`, got int"),
        ("decide position", True, UsageError, "expected a whole number, for `position`, got bool"),
        ("gate into", "a\0b", UsageError, "expected a path that a file can have, .* for `into`, got one that none can have"),
        ("gate since", b"x", UsageError, "for `since`, got bytes"),
        ("gate columns", 3, UsageError, "expected `Columns`, or a path .* got int"),
        ("choose notice", ("only one",), UsageError, "expected two texts, for `notice`, got tuple"),
        ("choose by", 3, UsageError, "expected who acted and the id, for `by`, got int"),
        ("choose source", "", EventError, "source"),
        ("record", 3, InputError, "expected a record, an object such as"),
        ("columns", "author", CorpusError, "expected `subjects` to be a tuple of `SubjectColumn`s, got str"),
        ("columns column", 3, CorpusError, "expected text for the column and the role of a subject, got int"),
        ("columns category", 3, CorpusError, "expected text for `category` of `Columns`, got int"),
        ("open_ledger", "", UsageError, "for `path`"),
        ("id_type", "int32", UsageError, "expected `int64`, `string` or `uuid`, for `id_type`"),
        ("verify keys", "log.vkeys", UsageError, "expected a list of verifier keys"),
    ):  # fmt: skip
        with pytest.raises(kind, match=told):
            calls[name](odd)


def test_what_cannot_be_read_of_a_record_denies_by_both_ways_of_asking(ledger: Ledger) -> None:
    quick = ledger.decisions(**USE)
    ids: list[Any] = [
        1,
        "1",
        7,
        2**70,
        -(2**63) - 1,
        2**63,
        "01",
        "+1",
        " 1",
        "1.0",
        "\uff11",
        "x",
        True,
        None,
        2.5,
        [1],
        b"1",
    ]
    for one in ids:
        for category in ("posts", "no-such", None, 3, ["posts"]):
            for territory in (None, "FR", "nowhere", 3, ["FR"]):
                for role in (None, "author", 3, ["author"]):
                    said = ledger.decide(Subject(one, role), category, MARCH, territory=territory, **USE)  # type: ignore[arg-type]
                    assert quick.decide(one, category, MARCH, territory, role) == said  # type: ignore[arg-type]
                    if one not in (1, "1", 7) or one is True or category != "posts":
                        assert said.reason == "unreadable"
    assert ledger.decide(b"12", "posts", MARCH, **USE).reason == "unreadable"
    assert ledger.decide(1, "posts", MARCH, reserved=3, **USE).reason == "unreadable"  # type: ignore[arg-type]
    assert ledger.decide(1, "posts", MARCH, reserved=[3], **USE).reason == "unreadable"  # type: ignore[list-item]


def test_one_purpose_that_a_record_is_reserved_from_is_not_read_letter_by_letter(ledger: Ledger) -> None:
    assert ledger.decide(1, "posts", MARCH, **USE).permit
    assert ledger.decide(1, "posts", MARCH, reserved="ai-training", **USE).reason == "reserved"


@pytest.mark.parametrize(
    "tells",
    [
        "2025-06-01T00:00:00Z",
        datetime(2025, 6, 1, tzinfo=UTC).replace(tzinfo=None),
        datetime(2025, 6, 1, tzinfo=UTC),
        1.5,
        None,
        True,
        2**80,
    ],
)
def test_a_clock_tells_whole_microseconds(ledger: Ledger, tour: Path, tells: Any) -> None:
    with sayso.open_ledger(tour / "sayso.ledger", now=lambda: tells) as opened:
        for call in (
            lambda: opened.decide(1, "posts", MARCH, **USE),
            lambda: opened.choose("objection", subject=1, source="form"),
        ):
            with pytest.raises(InstantError, match=r"expected the clock \(`now`\) to tell"):
                call()
        assert opened.decide(1, "posts", MARCH, at=MARCH, **USE).permit  # nothing is asked of the clock


def test_a_list_that_can_be_gone_through_once_is_left_to_who_asked(ledger: Ledger, tour: Path) -> None:
    made = ledger.import_events(path for path in [tour / "none.ndjson"][:0])
    assert made.events == 0
    assert ledger.log.check(None, iter([])) == []


def test_every_argument_is_checked_or_read_by_what_takes_it() -> None:
    calls: list[Callable[..., Any]] = [
        gate, publish_view, sayso.init_ledger, sayso.open_ledger, sayso.load_policy, sayso.check_policy, sayso.verify,
        sayso.verify_receipt, sayso.restore, sayso.open_release, sayso.open_selection,
        *(one for kind in (Ledger, Log) for name, one in inspect.getmembers(kind, inspect.isfunction) if hasattr(one, "__wrapped__")),
    ]  # fmt: skip
    assert len(calls) > 30
    for call in calls:
        assert hasattr(call, "__wrapped__"), call.__qualname__
        for one in inspect.signature(call).parameters.values():
            if one.annotation is not inspect.Parameter.empty:
                assert one.annotation.removesuffix(" | None") in FORMS.keys() | ELSEWHERE, (call.__qualname__, one)


def test_a_clock_goes_where_a_selection_goes(ledger: Ledger, posts: pa.Table, clock: Clock) -> None:
    import pickle

    from sayso.api.expecting import Telling

    assert pickle.loads(pickle.dumps(Telling(clock)))() == clock.now
