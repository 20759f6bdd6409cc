"""What the journal admits, what it refuses and why, and when what it admits counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from sayso import instant
from sayso.canonical import digest
from sayso.errors import EventError, Problem
from sayso.ledger import events as e
from sayso.ledger.document import read
from sayso.ledger.facts import MOST_LISTED
from sayso.ledger.identity import IdType
from sayso.ledger.rebuild import first_difference
from tests.ledger.conftest import T0, Ledger, Open, both_kinds
from tests.ledger.strategies import documents
from tests.ledgers import journal_on
from tests.searching import searched

kind = both_kinds

DAY = instant.DAY
DOCUMENT = {"versions": [{"id": "v1", "effective": "2025-03-01T00:00:00Z"}, {"id": "old", "effective": "2024-01-01T00:00:00Z"},
                         {"id": "odd", "effective": True}, {"id": "v3", "effective": 1740787200000000}, {"id": "v0", "effective": 1}, {"id": "bad", "effective": "soon"}, "x"]}  # fmt: skip
SCOPE = {"purposes": ["train"], "categories": ["posts"], "recipients": ["platform"]}
GRANT: dict[str, Any] = {
    "kind": "choice.recorded", "subject": 1, "decision": "grant", "source": "settings", "scope": SCOPE,
    "notice": {"id": "n", "version": "1"}, "act": {"what": "clicked", "where": "settings"},
}  # fmt: skip
REFUSAL: dict[str, Any] = {"kind": "choice.recorded", "subject": 1, "decision": "refusal", "source": "settings"}
OPENED: dict[str, Any] = {"kind": "suspension.opened", "suspension": "s", "authority": "a", "reason": "r"}


def at(days: float) -> str:
    return instant.format(T0 + round(days * DAY))


def append(ledger: Ledger, *given_documents: dict[str, Any]) -> None:
    ledger.journal.append_many([read(one, ledger.journal.id_type) for one in given_documents])


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


BEFORE: list[dict[str, Any]] = [
    {"kind": "subject.registered", "subject": 1},
    {"kind": "subject.registered", "subject": 2},
    {"kind": "subject.registered", "subject": 3},
    {"kind": "subject.erased", "subject": 3},
    {"kind": "guardian.registered", "subject": 1, "guardian": 50, "effective_at": at(-10)},
    {"kind": "guardian.ended", "subject": 1, "guardian": 50, "effective_at": at(-1)},
    {"kind": "agent.mandated", "subject": 1, "agent": 60, "effective_at": at(-10)},
    {"kind": "organisation.owners", "organisation": 9, "owners": [50], "effective_at": at(-10)},
    {"kind": "organisation.owners", "organisation": 9, "owners": [51], "effective_at": at(-5)},
    {"kind": "organisation.owners", "organisation": 9, "owners": [], "effective_at": at(-1)},
    {"kind": "notice.published", "notice": "n", "version": "1", "digest": digest("n")},
    {"kind": "policy.published", "platform": "p", "digest": digest(DOCUMENT), "document": DOCUMENT},
    OPENED | {"conditions": {"c1": "first", "c2": "second"}},
    OPENED | {"suspension": "later", "effective_at": at(100)},
    OPENED | {"suspension": "gone"},
    {"kind": "suspension.lifted", "suspension": "gone"},
    {"kind": "dataset.built", "dataset": "d", "manifest": digest(1), "use": {"purpose": "p", "recipient": "r", "at": at(0)}},
]  # fmt: skip

ADMITTED: list[dict[str, Any]] = [
    GRANT,
    REFUSAL,
    REFUSAL | {"decision": "objection", "scope": {"purposes": ["train"], "except": ["x"]}},
    REFUSAL | {"by": {"role": "guardian", "id": 50}, "effective_at": at(-2)},
    REFUSAL | {"by": {"role": "agent", "id": 60}},
    GRANT | {"by": {"role": "guardian", "id": 50}, "effective_at": at(-2), "attested": "paper form 7"},
    without(REFUSAL, "subject") | {"organisation": 9, "by": {"role": "owner", "id": 50}, "effective_at": at(-6)},
    without(REFUSAL, "subject") | {"organisation": 9, "by": {"role": "owner", "id": 51}, "effective_at": at(-5)},
    without(GRANT, "subject") | {
        "organisation": 9, "by": {"role": "owner", "id": 51}, "effective_at": at(-2), "attested": "minutes of the board",
    },
    {"kind": "subject.birth-year", "subject": 1, "year": 2010, "corrected": True, "evidence": "passport seen"},
    {"kind": "subject.aliased", "subject": 1, "other": 2},
    {"kind": "subject.moved", "subject": 1, "territory": "FR", "effective_at": at(-1000)},
    {"kind": "signal.seen", "subject": 1, "signal": "gpc", "channel": "web"},
    {"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"subjects": [1, 2]}},
    {"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"organisations": [9]}},
    {"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {}},
    {"kind": "notice.published", "notice": "n", "version": "1"},
    {"kind": "notice.published", "notice": "n", "version": "1", "digest": digest("n")},
    {"kind": "version.withdrawn", "version": "v1", "reason": "an undertaking"},
    {"kind": "version.withdrawn", "version": "v3", "reason": "an undertaking"},
    OPENED | {"suspension": "s2", "effective_at": at(30), "scope": {"data": {"from": at(-1), "until": at(0)}}},
    OPENED | {"suspension": "s2", "scope": {"data": {"until": at(0)}}},
    {"kind": "suspension.lifted", "suspension": "s", "evidence": {"c1": "a", "c2": "b"}},
    {"kind": "suspension.lifted", "suspension": "later", "effective_at": at(200)},
    {"kind": "guardian.ended", "subject": 1, "guardian": 50},
    {"kind": "agent.ended", "subject": 1, "agent": 60},
    {"kind": "account.attributes-changed", "account": 77, "attributes": {"plan": "pro"}},
    {"kind": "organisation.joined", "organisation": 9, "account": 77},
    {"kind": "organisation.left", "organisation": 9, "account": 77},
    {"kind": "model.trained", "model": "m", "datasets": ["d"]},
    {"kind": "subject.registered", "subject": 4, "effective_at": instant.format(T0 + 299 * instant.SECOND)},
]  # fmt: skip

REFUSED: list[tuple[dict[str, Any], str]] = [
    (REFUSAL | {"effective_at": at(1)}, "choice.recorded: `effective_at` is in the future (`2025-01-02T00:00:00Z`)"),
    (REFUSAL | {"subject": 8}, "unknown subject; record `subject.registered` first"),
    (REFUSAL | {"subject": 3}, "the subject was erased"),
    (without(REFUSAL, "subject"), "either a `subject` or an `organisation`"),
    (REFUSAL | {"organisation": 9}, "either a `subject` or an `organisation`"),
    (without(GRANT, "act"), "a grant needs an affirmative `act`"),
    (without(GRANT, "notice"), "a grant needs the `notice`"),
    (GRANT | {"scope": without(SCOPE, "purposes")}, "must name its purposes"),
    (GRANT | {"scope": without(SCOPE, "categories")}, "must name its purposes"),
    (GRANT | {"scope": without(SCOPE, "recipients")}, "must name its purposes"),
    (REFUSAL | {"by": {"role": "guardian", "id": 50}}, "is not registered as the subject's guardian at that instant"),
    (REFUSAL | {"by": {"role": "guardian", "id": 50}, "effective_at": at(-11)}, "subject's guardian at that instant"),
    (GRANT | {"by": {"role": "guardian", "id": 50}, "effective_at": at(-2)}, "subject's guardian at that instant"),
    (REFUSAL | {"by": {"role": "agent", "id": 61}}, "is not registered as the subject's agent at that instant"),
    (REFUSAL | {"by": {"role": "guardian", "id": 3}}, "it names a person who was erased"),
    (REFUSAL | {"by": {"role": "owner", "id": 50}}, "is by itself, or `by` a guardian or an agent"),
    (REFUSAL | {"by": {"role": "agent"}}, "is by itself, or `by` a guardian or an agent"),
    (without(REFUSAL, "subject") | {"organisation": 9}, "needs `by`, with the role `owner`"),
    (without(REFUSAL, "subject") | {"organisation": 9, "by": {"role": "agent", "id": 50}}, "with the role `owner`"),
    (without(REFUSAL, "subject") | {"organisation": 9, "by": {"role": "owner"}}, "with the role `owner` and an id"),
    (without(REFUSAL, "subject") | {"organisation": 9, "by": {"role": "owner", "id": 51}}, "is no owner"),
    (without(REFUSAL, "subject") | {"organisation": 8, "by": {"role": "owner", "id": 50}}, "is no owner"),
    ({"kind": "subject.registered", "subject": 1}, "registered already"),
    ({"kind": "subject.registered", "subject": 3}, "erased"),
    ({"kind": "subject.erased", "subject": 3}, "erased"),
    ({"kind": "subject.erased", "subject": 8}, "unknown subject"),
    ({"kind": "subject.moved", "subject": 8, "territory": "FR"}, "unknown subject"),
    ({"kind": "signal.seen", "subject": 8, "signal": "gpc", "channel": "web"}, "unknown subject"),
    ({"kind": "subject.birth-year", "subject": 1, "year": 2010, "corrected": True}, "needs `evidence`"),
    ({"kind": "subject.birth-year", "subject": 1, "year": 2010, "evidence": "x"}, "only for a `corrected`"),
    ({"kind": "subject.aliased", "subject": 1, "other": 8}, "unknown subject"),
    ({"kind": "subject.aliased", "subject": 1, "other": 3}, "erased"),
    ({"kind": "subject.aliased", "subject": 1, "other": 1}, "no alias of itself"),
    ({"kind": "guardian.registered", "subject": 8, "guardian": 50}, "unknown subject"),
    ({"kind": "guardian.registered", "subject": 1, "guardian": 3}, "it names a person who was erased"),
    ({"kind": "guardian.registered", "subject": 1, "guardian": 1}, "no guardian of itself"),
    ({"kind": "guardian.registered", "subject": 1}, "expected the id of the guardian"),
    ({"kind": "guardian.ended", "subject": 1, "guardian": 51}, "is not registered as the subject's guardian"),
    ({"kind": "agent.mandated", "subject": 1}, "expected the id of the agent"),
    ({"kind": "agent.ended", "subject": 2, "agent": 60}, "is not registered as the subject's agent"),
    ({"kind": "organisation.owners", "organisation": 9, "owners": [None]}, "got null"),
    ({"kind": "organisation.owners", "organisation": 9, "owners": [3]}, "it names a person who was erased"),
    ({"kind": "organisation.owners", "organisation": 9, "owners": list(range(100, MOST_LISTED + 101))}, "at most 10000"),
    ({"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"subjects": []}}, "not empty"),
    ({"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"subjects": [None]}}, "without null"),
    ({"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"subjects": [1, "1"]}}, "twice"),
    ({"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"subjects": [1, 8]}}, "an unknown subject"),
    ({"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"subjects": [1, 3]}}, "was erased"),
    ({"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"subjects": [1], "organisations": [9]}},
     "expected an audience"),
    ({"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"subjects": [1], "at": "sign-up"}},
     "expected an audience"),
    ({"kind": "notice.delivered", "notice": "n", "version": "1",
      "audience": {"organisations": list(range(MOST_LISTED + 1))}}, "at most 10000"),
    ({"kind": "notice.published", "notice": "n", "version": "1", "digest": digest("other")}, "with another digest"),
    ({"kind": "policy.published", "platform": "p", "digest": digest(1), "document": {}}, "`digest` is not that of"),
    ({"kind": "policy.published", "platform": "p", "digest": digest(1), "document": {"a": 2**60}}, "no canonical JSON"),
    ({"kind": "version.withdrawn", "version": "v2", "reason": "r"}, "has no version `v2`"),
    ({"kind": "version.withdrawn", "version": "odd", "reason": "r"}, "has no version `odd`"),
    ({"kind": "version.withdrawn", "version": "bad", "reason": "r"}, "has no version `bad`"),
    ({"kind": "version.withdrawn", "version": "old", "reason": "r"}, "took effect at `2024-01-01T00:00:00Z`"),
    ({"kind": "version.withdrawn", "version": "v0", "reason": "r"}, "took effect at `1970-01-01T00:00:00.000001Z`"),
    (OPENED, "there is a suspension `s` already"),
    (OPENED | {"suspension": "s2", "scope": {"data": {"from": at(0), "until": at(0)}}}, "to end after it begins"),
    ({"kind": "suspension.lifted", "suspension": "x"}, "there is no suspension `x`"),
    ({"kind": "suspension.lifted", "suspension": "gone"}, "was lifted already"),
    ({"kind": "suspension.lifted", "suspension": "s", "evidence": {"c1": "a"}}, "missing for condition `c2`"),
    ({"kind": "suspension.lifted", "suspension": "gone", "evidence": {"c": "a"}}, "has no condition `c`"),
    ({"kind": "suspension.lifted", "suspension": "later"}, "only begins at `2025-04-11T00:00:00Z`"),
    ({"kind": "model.trained", "model": "m", "datasets": ["d", "e"]}, "unknown dataset `e`"),
]  # fmt: skip


@pytest.mark.parametrize("admitted", ADMITTED)
def test_what_can_be_true_is_admitted(ledger: Ledger, admitted: dict[str, Any]) -> None:
    append(ledger, *BEFORE)
    recorded = ledger.journal.append(read(admitted, IdType.INT64))
    assert recorded == (len(BEFORE), T0)
    assert ledger.journal.head() == (len(BEFORE) + 1, T0)
    (last,) = ledger.journal.read(len(BEFORE))
    assert last == (len(BEFORE), T0, admitted["kind"], read(admitted, IdType.INT64))


@pytest.mark.parametrize(("refused", "message"), REFUSED)
def test_what_cannot_be_true_is_refused_with_a_reason(ledger: Ledger, refused: dict[str, Any], message: str) -> None:
    append(ledger, *BEFORE)
    with pytest.raises(EventError) as caught:
        append(ledger, refused)
    assert message in str(caught.value)
    assert ledger.journal.head().size == len(BEFORE)


@pytest.mark.parametrize(("refused", "message"), REFUSED)
def test_what_is_refused_alone_is_refused_in_a_batch_with_all_before_it(
    ledger: Ledger, refused: dict[str, Any], message: str
) -> None:
    with pytest.raises(EventError) as caught:
        append(ledger, *BEFORE, refused)
    assert all(problem.message.startswith(f"event {len(BEFORE) + 1}: ") for problem in caught.value.problems)
    assert message in str(caught.value)
    assert ledger.journal.head().size == 0


def test_a_second_withdrawal_is_refused(ledger: Ledger) -> None:
    withdrawn = {"kind": "version.withdrawn", "version": "v1", "reason": "r"}
    append(ledger, *BEFORE, withdrawn)
    with pytest.raises(EventError, match="withdrawn already"):
        append(ledger, withdrawn)


def test_without_a_policy_no_version_can_be_withdrawn(ledger: Ledger) -> None:
    with pytest.raises(EventError, match="publish the policy first"):
        append(ledger, {"kind": "version.withdrawn", "version": "v1", "reason": "r"})


def test_a_document_whose_versions_are_no_list_has_no_versions(ledger: Ledger) -> None:
    document: dict[str, Any] = {"versions": {"id": "v1"}}
    append(ledger, {"kind": "policy.published", "platform": "p", "digest": digest(document), "document": document})
    with pytest.raises(EventError, match="has no version `v1`"):
        append(ledger, {"kind": "version.withdrawn", "version": "v1", "reason": "r"})


def test_every_reason_and_every_event_of_a_batch_is_told(ledger: Ledger) -> None:
    with pytest.raises(EventError) as caught:
        append(
            ledger,
            {"kind": "subject.registered", "subject": 1},
            without(GRANT, "act", "notice"),
            REFUSAL | {"subject": 2},
        )
    assert [str(problem)[:9] for problem in caught.value.problems] == ["event 2: ", "event 2: ", "event 3: "]
    assert ledger.journal.head().size == 0


def test_events_made_in_python_have_their_ids_checked(ledger: Ledger) -> None:
    with pytest.raises(EventError, match=r"event 2: subject\.registered: `subject`: expected an int64 id"):
        ledger.journal.append_many([e.SubjectRegistered(subject="1"), e.SubjectRegistered(subject="x")])
    ledger.journal.append_many([e.SubjectRegistered(subject="1")])
    (fact,) = ledger.store.facts_of(0, [1])
    assert fact.id == 1


@pytest.mark.parametrize(
    "event",
    [
        e.SubjectMoved(subject=1, territory="france"),
        e.SubjectRegistered(subject=1, attributes={"a": "\ud800"}),
        e.SuspensionOpened(suspension="s", authority="a", reason="\ud800"),
        e.SuspensionOpened(suspension="s", authority="a", reason="r", conditions={"ä": "x"}),
        e.SubjectRegistered(subject=1, v=2),  # type: ignore[arg-type]
        e.SubjectRegistered(subject=1, effective_at="2024-01-01T00:00:00Z"),  # type: ignore[arg-type]
        e.ChoiceRecorded(subject=1, decision="maybe", source="x"),  # type: ignore[arg-type]
        e.PolicyPublished(platform="p", digest=digest(1), document={"a": "\ud800"}),
    ],
)
def test_events_made_in_python_are_checked_as_documents_are(ledger: Ledger, event: e.Event) -> None:
    with pytest.raises(EventError):
        ledger.journal.append(event)
    assert ledger.journal.head().size == 0


def test_an_empty_batch_changes_nothing(ledger: Ledger) -> None:
    assert ledger.journal.append_many([]) == (0, 0, T0)


def test_messages_hold_no_ids(new_ledger: Open) -> None:
    ledger = new_ledger(IdType.STRING)
    secret = "jane.doe@example.org"
    for event in (
        e.ChoiceRecorded(subject=secret, decision="refusal", source="x"),
        e.SubjectErased(subject=secret),
        e.NoticeDelivered(notice="n", version="1", audience=e.Audience(subjects=(secret, secret))),
        e.OrganisationOwners(organisation="o", owners=(secret + "\n",)),
        e.SubjectRegistered(subject=secret + "\x00"),
    ):
        with pytest.raises(EventError) as caught:
            ledger.journal.append(event)
        assert "jane" not in str(caught.value)


def test_recorded_instants_never_decrease(ledger: Ledger) -> None:
    ledger.journal.append(e.SubjectRegistered(subject=1))
    ledger.clock.now = T0 - DAY
    assert ledger.journal.append(e.SubjectRegistered(subject=2)).recorded_at == T0
    ledger.clock.now = T0 + DAY
    assert ledger.journal.append(e.SubjectRegistered(subject=3)).recorded_at == T0 + DAY
    assert [one.recorded_at for one in ledger.journal.read()] == [T0, T0, T0 + DAY]


def counts(ledger: Ledger, subject: int = 1) -> list[int]:
    return [fact.at - T0 for fact in ledger.store.facts_of(0, [subject])[1:]]


@pytest.mark.parametrize(
    ("said", "days"),
    [
        (GRANT, 0), (GRANT | {"effective_at": at(-5)}, 0), (GRANT | {"effective_at": at(-5), "attested": "log"}, -5),
        (REFUSAL, 0), (REFUSAL | {"effective_at": at(-5)}, -5), (REFUSAL | {"decision": "objection", "effective_at": at(-5)}, -5),
        ({"kind": "signal.seen", "subject": 1, "signal": "gpc", "channel": "web", "effective_at": at(-5)}, -5),
        ({"kind": "subject.moved", "subject": 1, "territory": "FR", "effective_at": at(-5)}, -5),
        ({"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"subjects": [1]},
          "effective_at": at(-5)}, 0),
        ({"kind": "notice.delivered", "notice": "n", "version": "1", "audience": {"subjects": [1]},
          "effective_at": at(-5), "attested": "mail log"}, -5),
    ],
)  # fmt: skip
def test_what_restricts_counts_from_when_it_happened_and_what_loosens_from_when_it_was_recorded(
    ledger: Ledger, said: dict[str, Any], days: int
) -> None:
    append(ledger, {"kind": "subject.registered", "subject": 1}, said)
    assert counts(ledger) == [days * DAY]


def test_what_loosens_never_counts_before_it_says_so_itself(ledger: Ledger) -> None:
    ahead = T0 + 60 * instant.SECOND
    append(ledger, {"kind": "subject.registered", "subject": 1}, GRANT | {"effective_at": instant.format(ahead)})
    assert counts(ledger) == [60 * instant.SECOND]


def test_the_judge_is_asked_with_the_policy_last_published(new_ledger: Open) -> None:
    asked: list[tuple[str, bool]] = []

    def judge(event: e.Event, policy: e.PolicyPublished | None) -> Sequence[Problem]:
        asked.append((event.kind, policy is not None))
        return [Problem("unknown purpose `x`")] if isinstance(event, e.ChoiceRecorded) else []

    ledger = new_ledger(judge=judge)
    registered = {"kind": "subject.registered", "subject": 1}
    append(ledger, {"kind": "policy.published", "platform": "p", "digest": digest({}), "document": {}}, registered)
    with pytest.raises(EventError, match="unknown purpose"):
        append(ledger, REFUSAL)
    with pytest.raises(EventError, match="unknown subject"):
        append(ledger, REFUSAL | {"subject": 2})
    assert asked == [("policy.published", False), ("subject.registered", True), ("choice.recorded", True)]


def test_another_journal_sees_what_was_appended(new_ledger: Open) -> None:

    ledger = new_ledger()
    other = journal_on(ledger.store, now=ledger.clock, random_bytes=bytes)
    append(ledger, OPENED)
    other.append(read({"kind": "suspension.lifted", "suspension": "s"}, IdType.INT64))
    with pytest.raises(EventError, match="lifted already"):
        append(ledger, {"kind": "suspension.lifted", "suspension": "s"})
    assert [one.kind for one in ledger.journal.globals()] == ["suspension.opened", "suspension.lifted"]
    assert [one.kind for one in ledger.journal.globals(1)] == ["suspension.opened"]


def test_a_journal_whose_ledger_became_shorter_starts_anew(new_ledger: Open) -> None:
    ledger, older = new_ledger(), new_ledger()
    append(ledger, OPENED)
    append(ledger, {"kind": "subject.registered", "subject": 1})
    ledger.journal.store = older.store
    append(ledger, OPENED)
    assert older.journal.head().size == 1


def test_what_a_failed_batch_said_is_forgotten(ledger: Ledger) -> None:
    with pytest.raises(EventError):
        append(ledger, OPENED, REFUSAL)
    append(ledger, OPENED)


@pytest.mark.parametrize("id_type", list(IdType))
@searched(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_appended_the_ledger_stays_whole(new_ledger: Open, id_type: IdType, data: st.DataObject) -> None:
    """Positions are dense, events read back, and the facts are those that the events say."""
    ledger = new_ledger(id_type)
    kept: list[e.Event] = []
    for event in data.draw(st.lists(documents(id_type), max_size=12)):
        subject = getattr(event, "subject", None)
        if subject is not None and not isinstance(event, e.SubjectRegistered) and data.draw(st.booleans()):
            try:
                ledger.journal.append(e.SubjectRegistered(subject=subject))
                kept.append(e.SubjectRegistered(subject=subject))
            except EventError:
                pass
        try:
            ledger.journal.append(event)
            kept.append(event)
        except EventError:
            continue
    found = list(ledger.journal.read())
    assert [one.position for one in found] == list(range(len(kept)))
    erased = {event.subject for event in kept if isinstance(event, e.SubjectErased)}
    for one, event in zip(found, kept, strict=True):
        if not erased and not isinstance(event, e.SubjectErased):
            assert one.event == event
    assert first_difference(ledger.store, ledger.store.id_type) is None
    ledger.store.close()
