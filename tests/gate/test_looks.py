"""A release looks again before its output is seen: whatever happened meanwhile, only what both looks permit goes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sayso import instant
from sayso.gate.verify import verify
from sayso.ledger import events as e
from sayso.policy import loads, normal
from tests.gate.platform import POLICY, START, Platform, corpus, denied, permitted, platform, records


def object_(made: Platform) -> None:
    """5 objects."""
    made.journal.append(e.ChoiceRecorded(subject=5, decision="objection", source="setting"))


def suspend(made: Platform) -> None:
    """France is suspended."""
    scope = e.SuspensionScope(territories=("FR",))
    made.journal.append(e.SuspensionOpened(suspension="s", authority="cnil", reason="a bug", scope=scope))


def erase(made: Platform) -> None:
    """5 is erased."""
    made.journal.append(e.SubjectErased(subject=5))


def publish(made: Platform) -> None:
    """From a minute after the start, nobody may."""
    later = """
  - id: second
    announced: 2025-01-02T00:00:00Z
    effective: 2025-02-01T00:01:00Z
    roles: {author: {counts: true}, mentioned: {counts: false}}
    rules:
      - {id: none, purposes: [genai], categories: [content], recipients: [platform], mode: never}
"""
    policy = loads(POLICY + later)
    made.journal.append(e.PolicyPublished(platform=policy.platform, digest=policy.digest, document=normal(policy)))
    made.clock[0] = START + 90 * instant.SECOND


@pytest.mark.parametrize(
    ("happens", "reason", "hit"),
    [(object_, "refused", {5}), (suspend, "suspended", {1, 3, 5, 7, 9}), (erase, "erased", {5}),
     (publish, "not-enabled", set(range(10)))],
)  # fmt: skip
@pytest.mark.parametrize("stage", ["deciding", "writing"])
def test_what_happens_between_the_looks(
    tmp_path: Path, happens: Callable[[Platform], None], reason: str, hit: set[int], stage: str
) -> None:
    with platform(tmp_path) as made:
        size = made.journal.head().size

        def meanwhile(now: str, _done: int, _total: int) -> None:
            if now == stage and made.journal.head().size == size:
                happens(made)

        source = corpus(tmp_path / "in", records(66), files=3)
        done = made.gate(source, tmp_path / "out", progress=meanwhile, canaries=4)
    assert len(done.manifest["looks"]) == 2
    assert done.manifest["looks"][1]["position"] > size
    assert not hit & set(permitted(tmp_path / "out").column("author").to_pylist())
    posts = {one for one in range(66) if one % 11 in hit and one % 4}
    assert {key for key, word in denied(tmp_path / "out").items() if word == reason} >= posts
    assert done.manifest["counts"]["permitted"] + len(denied(tmp_path / "out")) == 66
    assert verify(tmp_path / "out", tmp_path / "in") == []


def test_what_loosens_between_the_looks_is_not_let_through(tmp_path: Path) -> None:
    """Only what both looks permit: someone who takes an objection back is in the next release."""
    with platform(tmp_path) as made:
        size = made.journal.head().size

        def meanwhile(now: str, _done: int, _total: int) -> None:
            if now == "writing" and made.journal.head().size == size:
                grant = e.ChoiceRecorded(
                    subject=3, decision="grant", source="setting", notice=e.NoticeRef(id="told", version="1"),
                    act=e.Act(what="click", where="settings"),
                    scope=e.Scope(purposes=("genai",), categories=("content",), recipients=("platform",)),
                )  # fmt: skip
                made.journal.append(grant)

        source = corpus(tmp_path / "in", records(44))
        made.gate(source, tmp_path / "first", progress=meanwhile)
        made.gate(source, tmp_path / "next")
    assert 3 not in permitted(tmp_path / "first").column("author").to_pylist()
    assert 3 in permitted(tmp_path / "next").column("author").to_pylist()


@pytest.mark.parametrize("happens", [object_, suspend])
def test_what_is_recorded_after_the_instant_but_before_the_first_look(
    tmp_path: Path, happens: Callable[[Platform], None]
) -> None:
    with platform(tmp_path) as made:
        at = made.now()
        made.clock[0] += 10
        happens(made)
        made.gate(corpus(tmp_path / "in", records()), tmp_path / "out", at=at)
    assert 5 not in permitted(tmp_path / "out").column("author").to_pylist()


def test_a_replay_looks_once(tmp_path: Path) -> None:
    with platform(tmp_path) as made:
        size = made.journal.head().size

        def meanwhile(stage: str, _done: int, _total: int) -> None:
            if stage == "writing" and made.journal.head().size == size:
                object_(made)

        source = corpus(tmp_path / "in", records())
        done = made.gate(source, tmp_path / "out", release=False, progress=meanwhile)
    assert len(done.manifest["looks"]) == 1
    assert done.manifest["kind"] == "replay"
    assert 5 in permitted(tmp_path / "out").column("author").to_pylist()
