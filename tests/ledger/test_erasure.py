"""What an erasure destroys, what stays, that nobody comes back, and that nothing leads back to anybody."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest

from sayso import instant
from sayso.errors import EventError, KeyFileError
from sayso.ledger import events as e
from sayso.ledger.entry import Destroyed, root_of
from sayso.ledger.identity import Id, IdType
from sayso.ledger.keys import TAG, Keys
from sayso.ledger.log import checkpoint, merkle
from sayso.ledger.log.tiles import Tree
from sayso.ledger.rebuild import first_difference
from tests.ledger.conftest import T0, Ledger, Open, both_kinds
from tests.ledgers import KEYS, SIGNER, journal_on

kind = both_kinds


def delivered(*subjects: Id | None) -> e.NoticeDelivered:
    return e.NoticeDelivered(notice="n", version="1", audience=e.Audience(subjects=subjects))


@pytest.fixture
def people(new_ledger: Open) -> Ledger:
    """Ann, her alias Anna, Anna's alias Anya, her ward Ben; Ann owns an organisation and is Ben's guardian and agent."""
    ledger = new_ledger(IdType.STRING)
    ledger.journal.append_many(
        [
            *(e.SubjectRegistered(subject=name, attributes={"mark": f"of {name}"}) for name in PEOPLE),
            e.SubjectAliased(subject="ann", other="anna"),
            e.SubjectAliased(subject="anya", other="anna"),
            e.GuardianRegistered(subject="ben", guardian="ann"),
            e.AgentMandated(subject="ben", agent="ann"),
            e.ChoiceRecorded(subject="ben", decision="refusal", source="x", by=e.By(role="guardian", id="ann")),
            e.ChoiceRecorded(subject="ann", decision="objection", source="said so"),
            e.OrganisationOwners(organisation="org", owners=("ben", "ann")),
            e.ChoiceRecorded(organisation="org", decision="refusal", source="x", by=e.By(role="owner", id="ann")),
            delivered("ben", "ann"),
            delivered("ann"),
            e.SignalSeen(subject="ann", signal="gpc", channel="her browser"),
            e.OrganisationJoined(organisation="ann", account="ann"),
        ]
    )
    return ledger


PEOPLE = ("ann", "anna", "anya", "ben", "zoe")


def test_acts_for_others_stay_without_the_name_and_all_else_goes(people: Ledger) -> None:
    people.journal.append(e.SubjectErased(subject="ann"))
    events = [one.event for one in people.journal.read()]
    assert events == [
        *[None] * 3,
        *(e.SubjectRegistered(subject=name, attributes={"mark": f"of {name}"}) for name in PEOPLE[3:]),
        *[None] * 2,
        e.GuardianRegistered(subject="ben", guardian=None),
        e.AgentMandated(subject="ben", agent=None),
        e.ChoiceRecorded(subject="ben", decision="refusal", source="x", by=e.By(role="guardian", id=None)),
        None,
        e.OrganisationOwners(organisation="org", owners=("ben", None)),
        e.ChoiceRecorded(organisation="org", decision="refusal", source="x", by=e.By(role="owner", id=None)),
        delivered("ben", None),
        None,
        None,
        e.OrganisationJoined(organisation="ann", account="ann"),
        None,
    ]
    assert [entry.erased for entry in people.store.entries()][2:4] == [True, False]


def test_facts_that_stay_are_those_that_the_events_still_say(people: Ledger) -> None:
    people.journal.append(e.SubjectErased(subject="ann"))
    assert first_difference(people.store, people.store.id_type) is None
    assert not people.store.facts_of(0, ["ann", "anna", "anya"])
    # What names her still: her own organisation's account, which is no person.
    assert [fact.party for fact in people.store.facts_naming("ann")] == [1]
    assert not [body for body in people.store.payloads().values() if b'of ann"' in body]


def test_aliases_deny_too_at_every_position(people: Ledger) -> None:
    before = people.journal.head().size
    people.journal.append(e.SubjectErased(subject="ann"))
    assert people.store.tombstones() == {KEYS.tombstone(one): before for one in ("ann", "anna", "anya")}
    assert people.store.tombstones([KEYS.tombstone("anya"), KEYS.tombstone("ben")]) == {KEYS.tombstone("anya"): before}
    assert people.store.entombed() == 3


def test_an_erased_person_does_not_come_back(people: Ledger) -> None:
    people.journal.append(e.SubjectErased(subject="ann"))
    for event in (
        e.SubjectRegistered(subject="ann"),
        e.SubjectAliased(subject="ben", other="ann"),
        e.GuardianRegistered(subject="ben", guardian="ann"),
        e.ChoiceRecorded(subject="ben", decision="refusal", source="x", by=e.By(role="agent", id="ann")),
        e.OrganisationOwners(organisation="org", owners=("ann",)),
        delivered("ann"),
        e.SubjectErased(subject="ann"),
    ):
        with pytest.raises(EventError, match="erased"):
            people.journal.append(event)


@pytest.mark.parametrize("name", ["anna", "anya"])
def test_an_alias_is_erased_with_the_person(people: Ledger, name: str) -> None:
    people.journal.append(e.SubjectErased(subject="ann"))
    with pytest.raises(EventError, match="erased"):
        people.journal.append(e.ChoiceRecorded(subject=name, decision="refusal", source="x"))
    with pytest.raises(EventError, match="erased"):
        people.journal.append(e.SubjectRegistered(subject=name))


def test_without_the_secret_a_ledger_with_tombstones_admits_nobody(people: Ledger) -> None:
    people.journal.append(e.SubjectErased(subject="ann"))
    blind = journal_on(people.store, now=people.clock, keys=Keys(SIGNER))
    with pytest.raises(KeyFileError, match="erasure secret is missing"):
        blind.append(e.SubjectRegistered(subject="somebody"))
    with pytest.raises(KeyFileError, match="erasure secret is missing"):
        blind.append(e.SubjectErased(subject="ben"))


def test_who_has_the_ledger_alone_cannot_test_a_guess(people: Ledger) -> None:
    people.journal.append(e.SubjectErased(subject="ann"))
    held = people.store.tombstones()
    guesses = [name.encode() for name in PEOPLE] + [TAG + name.encode() for name in PEOPLE]
    for one in guesses:
        for digest in (hashlib.sha256(one).digest(), hmac.digest(b"", one, "sha256"), hmac.digest(TAG, one, "sha256")):
            assert digest not in held
    assert KEYS.tombstone("ann") in held
    assert Keys(secret=b"\x03" * 32).tombstone("ann") not in held


def test_a_delivery_that_reached_nobody_else_goes_as_a_whole(people: Ledger) -> None:
    people.journal.append(e.SubjectErased(subject="ann"))
    both, alone = (entry for entry in people.store.entries() if entry.kind == "notice.delivered")
    assert [isinstance(part, Destroyed) for part in both.parts] == [False, False, True]
    assert [isinstance(part, Destroyed) for part in alone.parts] == [True, True]


def test_of_the_instant_of_what_is_gone_the_day_is_left(people: Ledger) -> None:
    people.clock.now = T0 + 5 * instant.DAY + 12345
    people.journal.append(e.SubjectMoved(subject="ann", territory="FR"))
    people.journal.append(e.SubjectErased(subject="ann"))
    *_, moved, erasure = people.store.entries()
    assert moved.recorded_at == T0 + 5 * instant.DAY
    assert erasure.recorded_at == people.clock.now


def test_every_proof_made_before_still_verifies(people: Ledger) -> None:
    before = people.store.head().size
    old = checkpoint.opened(people.store.checkpoint(), KEYS.verifiers)
    entries = list(people.store.entries())
    paths = [Tree(people.store.tile, before).inclusion(index) for index in range(before)]
    people.journal.append(e.SubjectErased(subject="ann"))
    new = checkpoint.opened(people.store.checkpoint(), KEYS.verifiers)
    for index, (entry, path, now) in enumerate(zip(entries, paths, people.store.entries(), strict=False)):
        assert now.public == entry.public
        merkle.verify_inclusion(now.leaf, index, before, path, old.root)
        assert root_of(now.parts) == root_of(entry.parts)
    path = Tree(people.store.tile, new.size).consistency(before)
    merkle.verify_consistency(before, new.size, old.root, new.root, path)


def test_registration_choice_and_erasure_may_be_one_batch(new_ledger: Open) -> None:
    ledger = new_ledger()
    ledger.journal.append_many(
        [
            e.SubjectRegistered(subject=1),
            e.ChoiceRecorded(subject=1, decision="refusal", source="x"),
            e.SubjectErased(subject=1),
        ]
    )
    assert [one.event for one in ledger.journal.read()] == [None, None, None]
    with pytest.raises(EventError, match=r"event 3: .*erased"):
        ledger.journal.append_many(
            [e.SubjectRegistered(subject=2), e.SubjectErased(subject=2), e.SubjectMoved(subject=2, territory="FR")]
        )


@pytest.mark.parametrize("kind", ["sqlite"])  # tests/stores/test_contract.py looks into the files of each kind
def test_nothing_private_is_left_in_the_files(people: Ledger) -> None:
    people.journal.append(e.SubjectErased(subject="ann"))
    people.clock.now = T0 + 1
    path: Path = people.store.path
    people.store.close()
    data = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    assert b"of zoe" in data
    assert b'of ann"' not in data
    assert b"said so" not in data
    assert b"her browser" not in data


def test_every_part_of_a_delivery_may_go(new_ledger: Open) -> None:
    ledger = new_ledger()
    ledger.journal.append_many([e.SubjectRegistered(subject=1), e.SubjectRegistered(subject=2)])
    ledger.journal.append(delivered(1, 2))
    ledger.journal.append_many([e.SubjectErased(subject=1), e.SubjectErased(subject=2)])
    assert next(ledger.journal.read(2)).event is None
