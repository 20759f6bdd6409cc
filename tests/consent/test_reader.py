"""Reading a ledger for decisions: at any position, by any policy, of people, accounts and organisations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sayso import instant, wiring
from sayso.errors import InputError
from sayso.ledger.identity import IdType
from sayso.policy.terms import Window
from tests.laws.platform import GRANT, START, STOP, happens, platform
from tests.tour import Clock

DAY = instant.DAY


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[wiring.Parts]:
    made = platform(tmp_path / "ledger", Clock(START))
    yield made
    made.close()


def test_a_position_must_be_one_that_the_ledger_has(parts: wiring.Parts) -> None:
    size = parts.journal.head().size
    assert parts.reader.view().size == size
    for position in (-1, size + 1):
        with pytest.raises(InputError, match=f"from 0 to `{size}`"):
            parts.reader.view(None, position)


def test_a_ledger_without_a_policy_needs_one(tmp_path: Path, parts: wiring.Parts) -> None:
    empty = wiring.create(tmp_path / "empty", IdType.INT64, now=Clock())
    assert empty.reader.published() is None
    with pytest.raises(InputError, match="no policy is published"):
        empty.reader.view()
    policy = parts.reader.published()
    assert empty.reader.known(policy).subject(1) is None
    empty.close()


def test_only_what_was_recorded_by_a_position_is_known(parts: wiring.Parts) -> None:
    size = parts.journal.head().size
    assert happens(parts, {**GRANT, "subject": 1})
    before, after = (parts.reader.known(None, position).subject(1) for position in (size, size + 1))
    assert before is not None
    assert after is not None
    assert (len(before.voice.choices), len(after.voice.choices)) == (0, 1)


def test_an_erasure_is_known_at_every_position_and_of_every_alias(parts: wiring.Parts) -> None:
    assert happens(parts, {"kind": "subject.aliased", "subject": 1, "other": 3})
    size = parts.journal.head().size
    assert happens(parts, {"kind": "subject.erased", "subject": 1})
    for position in (1, size, size + 1):
        erased = parts.reader.known(None, position).subject(1)
        assert erased is not None
        assert erased.erased == size
    alias = parts.reader.known(None, size).subject(3)
    assert alias is not None
    assert alias.erased == size


def test_accounts_and_organisations_are_known(parts: wiring.Parts) -> None:
    since = "2025-01-05T00:00:00Z"
    assert happens(parts, {"kind": "organisation.joined", "account": 7, "organisation": 8, "effective_at": since})
    assert happens(parts, {"kind": "account.attributes-changed", "account": 7, "attributes": {"plan": "pro"}})
    assert happens(
        parts, {"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"organisations": [8]}}
    )
    known = parts.reader.known()
    account = known.account(7)
    assert account is not None
    assert account.holders[0] == (instant.parse(since), 8)
    assert account.attributes["plan"][-1] == (START, "pro")
    assert [told.notice for told in known.organisation(8).told] == ["n"]


def test_a_suspension_has_its_window_until_it_is_lifted(parts: wiring.Parts) -> None:
    scope = {"territories": ["GB"], "data": {"from": "2025-01-01T00:00:00Z", "until": "2025-02-01T00:00:00Z"}}
    assert happens(parts, STOP | {"suspension": "a", "scope": scope})
    (stop,) = parts.reader.known().suspensions
    assert stop.data == Window(instant.parse("2025-01-01T00:00:00Z"), instant.parse("2025-02-01T00:00:00Z"))
    assert (stop.opened, stop.lifted) == (START, None)
    assert happens(parts, {"kind": "suspension.lifted", "suspension": "a", "evidence": {"b": "done"}})
    (lifted,) = parts.reader.known().suspensions
    assert (lifted.lifted, lifted.scope, lifted.position) == (START, stop.scope, stop.position)


def test_what_is_said_to_everyone_is_read_from_the_ledger(parts: wiring.Parts) -> None:
    told = {"kind": "notice.delivered", "notice": "n", "version": "1"}
    assert happens(parts, told | {"audience": {"territories": ["GB"], "attributes": {"kind": ["member"]}}})
    assert happens(parts, told | {"audience": {"at": "sign-up"}})
    assert happens(parts, {"kind": "notice.published", "notice": "n", "version": "1"})
    assert happens(parts, {"kind": "subject.aliased", "subject": 1, "other": 3})
    view = parts.reader.view()
    assert [(one.sign_up, dict(one.attributes)) for one in view.context.deliveries] == [
        (False, {"kind": frozenset({"member"})}), (True, {}),
    ]  # fmt: skip
    assert [one.at for one in view.context.published] == [START]
    assert view.kin == {1: (1, 3), 3: (1, 3)}
