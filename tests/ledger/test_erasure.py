"""What an erasure destroys, what stays, and that nobody comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from sayso.errors import EventError
from sayso.ledger import events as e
from sayso.ledger.identity import Id, IdType
from sayso.ledger.rebuild import first_difference
from tests.ledger.conftest import T0, Ledger, Open


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
        None,
        *(e.SubjectRegistered(subject=name, attributes={"mark": f"of {name}"}) for name in PEOPLE[1:]),
        None,
        e.SubjectAliased(subject="anya", other="anna"),
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
        e.SubjectErased(subject="ann", aliases=("anna", "anya")),
    ]
    assert [entry.erased for entry in people.store.entries()][:2] == [True, False]


def test_facts_that_stay_are_those_that_the_events_still_say(people: Ledger) -> None:
    people.journal.append(e.SubjectErased(subject="ann"))
    assert first_difference(people.store) is None
    (tombstone,) = people.store.facts_of(0, ["ann"])
    assert tombstone.payload == b'{"kind":"subject.erased"}'
    # What names her still: her own organisation's account, which is no person.
    assert [fact.party for fact in people.store.facts_naming("ann")] == [1]
    assert not [body for body in people.store.payloads().values() if b'of ann"' in body]
    people.journal.append(e.SubjectErased(subject="anna"))
    assert first_difference(people.store) is None


def test_aliases_deny_too_at_every_position(people: Ledger) -> None:
    before = people.journal.head().size
    people.journal.append(e.SubjectErased(subject="ann"))
    tombstones = people.store.tombstones()
    assert [(one.id, one.payload) for one in tombstones] == [
        ("ann", b'{"kind":"subject.erased"}'),
        ("anna", b'{"by":"alias","kind":"subject.erased"}'),
        ("anya", b'{"by":"alias","kind":"subject.erased"}'),
    ]
    assert {one.position for one in tombstones} == {before}


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


def test_an_alias_of_an_erased_person_still_may_choose_and_be_erased(people: Ledger) -> None:
    people.journal.append(e.SubjectErased(subject="ann"))
    people.journal.append(e.ChoiceRecorded(subject="anna", decision="refusal", source="x"))
    people.journal.append(e.SubjectErased(subject="anna"))
    own = [fact.payload for fact in people.store.facts_of(0, ["anna"])]
    assert own == [b'{"by":"alias","kind":"subject.erased"}', b'{"kind":"subject.erased"}']


def test_registration_choice_and_erasure_may_be_one_batch(new_ledger: Open) -> None:
    ledger = new_ledger()
    ledger.journal.append_many(
        [
            e.SubjectRegistered(subject=1),
            e.ChoiceRecorded(subject=1, decision="refusal", source="x"),
            e.SubjectErased(subject=1, aliases=(5,)),
        ]
    )
    assert [one.event for one in ledger.journal.read()] == [None, None, e.SubjectErased(subject=1, aliases=(5,))]
    with pytest.raises(EventError, match=r"event 3: .*erased"):
        ledger.journal.append_many(
            [e.SubjectRegistered(subject=2), e.SubjectErased(subject=2), e.SubjectMoved(subject=2, territory="FR")]
        )


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
