"""Which events the ledger admits, and why it refuses the others (spec/ledger.md, *What is refused*).

Whether the terms of an event are those of the policy is for the rooms that know policies; here it is only whether the
event can be true beside what the ledger holds. No message holds an id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sayso import instant
from sayso.canonical import digest
from sayso.errors import InputError, Problem, VerificationError
from sayso.ledger import events as e
from sayso.ledger import rotation
from sayso.ledger.facts import MOST_LISTED, Party, loosens
from sayso.ledger.identity import Id
from sayso.ledger.state import Parties, PartyState, World

SKEW = 5 * 60 * instant.SECOND
"""How far ahead of the ledger's clock the clock of what reports an event may be."""

_UNKNOWN = ("unknown subject", "record `subject.registered` first")
_ERASED = ("the subject was erased, and nothing more may be said of it", None)


def refusals(event: e.Event, recorded_at: int, parties: Parties, world: World) -> list[Problem]:
    """Everything for which an event is refused; empty if it is admitted."""
    found = [*_of_time(event, recorded_at), *_of_kind(event, recorded_at, parties, world)]
    if parties.any_erased:
        found += [("it names a person who was erased", None) for one in _names(event) if parties.subject(one).erased]
    return [Problem(f"{event.kind}: {message}", remedy=remedy) for message, remedy in found]


class Named(NamedTuple):
    """Those of whom the ledger must be asked in order to judge some events."""

    subjects: set[Id]
    organisations: set[Id]

    @staticmethod
    def by(events: Iterable[e.Event]) -> Named:
        """Those whom some events are about or name."""
        named = Named(set(), set())
        for event in events:
            named.subjects.update(people(event))
            if isinstance(event, e.ChoiceRecorded) and event.organisation is not None:
                named.organisations.add(event.organisation)
        return named

    def by_party(self) -> dict[int, set[Id]]:
        """The ids of each party; none of a party of which there is nobody."""
        both = {int(Party.SUBJECT): self.subjects, int(Party.ORGANISATION): self.organisations}
        return {party: ids for party, ids in both.items() if ids}


def people(event: e.Event) -> Iterator[Id]:
    """Everyone whom an event is about or names, as its judgement must know of them."""
    subject: Id | None = getattr(event, "subject", None)
    if subject is not None:
        yield subject
    if isinstance(event, e.NoticeDelivered):
        yield from _known(event.audience.subjects or ())
    elif isinstance(event, e.SubjectAliased):
        yield event.other
    else:
        yield from _names(event)


def _names(event: e.Event) -> Iterable[Id]:
    """The guardian, agent or owners that an event names beside its party."""
    match event:
        case e.ChoiceRecorded():
            return () if event.by is None else _known((event.by.id,))
        case e.OrganisationOwners():
            return _known(event.owners)
        case _:
            return () if event.names is None else _known((getattr(event, event.names),))


def _known(ids: Iterable[Id | None]) -> Iterable[Id]:
    return [one for one in ids if one is not None]


_Refusals = Iterator[tuple[str, str | None]]


def _of_time(event: e.Event, recorded_at: int) -> _Refusals:
    at = event.effective_at
    scheduled = isinstance(event, e.SuspensionOpened | e.SuspensionLifted)
    if at is not None and at > recorded_at + SKEW and not scheduled:
        yield f"`effective_at` is in the future (`{instant.format(at)}`)", "only suspensions can be scheduled"


def _of_kind(event: e.Event, recorded_at: int, parties: Parties, world: World) -> _Refusals:
    match event:
        case e.ChoiceRecorded():
            yield from _choice(event, recorded_at, parties)
        case e.NoticeDelivered():
            yield from _delivery(event, parties)
        case e.OrganisationOwners():
            if None in event.owners:
                yield "expected the id of each owner, got null", None
            yield from _few(len(event.owners), "owners")
        case e.GuardianRegistered():
            yield from _actor(event, event.subject, event.guardian, parties)
        case e.GuardianEnded():
            yield from _actor(event, event.subject, event.guardian, parties, ends=True)
        case e.AgentMandated():
            yield from _actor(event, event.subject, event.agent, parties)
        case e.AgentEnded():
            yield from _actor(event, event.subject, event.agent, parties, ends=True)
        case _ if "subject" in event.ids:
            yield from _of_subject(event, parties)
        case _:
            yield from _of_everyone(event, recorded_at, world)


def _of_subject(event: e.Event, parties: Parties) -> _Refusals:
    (state, *others) = [parties.subject(one) for one in people(event)]
    if isinstance(event, e.SubjectRegistered):
        if state.erased:
            yield _ERASED
        elif state.registered:
            yield "the subject is registered already", "record what changed of it instead"
        return
    for one in (state, *others):
        yield from _living(one)
    match event:
        case e.SubjectBirthYear(corrected=True, evidence=None):
            yield "a corrected birth year needs `evidence`", "name what shows that the earlier one was wrong"
        case e.SubjectBirthYear(corrected=False, evidence=str()):
            yield "`evidence` is only for a `corrected` birth year", "say `corrected: true`, or leave it out"
        case e.SubjectAliased() if event.subject == event.other:
            yield "a subject is no alias of itself", None
        case _:
            pass


def _living(state: PartyState) -> _Refusals:
    if state.erased:
        yield _ERASED
    elif not state.registered:
        yield _UNKNOWN


def _few(count: int, what: str) -> _Refusals:
    if count > MOST_LISTED:
        yield f"one event lists at most {MOST_LISTED} {what}, got {count}", "record several events"


def _choice(event: e.ChoiceRecorded, recorded_at: int, parties: Parties) -> _Refusals:
    if (event.subject is None) == (event.organisation is None):
        yield "expected either a `subject` or an `organisation`", "say whose choice it is"
        return
    if event.decision == "grant":
        yield from _grant(event)
    effective = recorded_at if event.effective_at is None else event.effective_at
    # A grant made in the name of another must have been in order when it was made, and be so when it begins to count.
    instants = {effective}
    if loosens(event) and event.attested is None:
        instants.add(max(effective, recorded_at))
    if event.organisation is not None:
        yield from _owner(event.by, parties.organisation(event.organisation), instants)
    if event.subject is not None:
        state = parties.subject(event.subject)
        yield from _living(state)
        yield from _acting(event.by, state, instants)


def _grant(event: e.ChoiceRecorded) -> _Refusals:
    if event.act is None:
        yield "a grant needs an affirmative `act`", "say what was done and where; a default or silence is no grant"
    if event.notice is None:
        yield "a grant needs the `notice` that it was made under", "give its id and version"
    scope = event.scope
    if scope.purposes is None or scope.categories is None or scope.recipients is None:
        yield "a grant must name its purposes, categories and recipients", "complete its `scope`"


def _owner(by: e.By | None, state: PartyState, instants: set[int]) -> _Refusals:
    if by is None or by.role != "owner" or by.id is None:
        yield "an organisation's choice needs `by`, with the role `owner` and an id", None
    elif not all(state.owned_by(by.id, at) for at in instants):
        yield "who chose is no owner of the organisation at that instant", "record `organisation.owners` first"


def _acting(by: e.By | None, state: PartyState, instants: set[int]) -> _Refusals:
    if by is None:
        return
    if by.role == "owner" or by.id is None:
        yield "a subject's choice is by itself, or `by` a guardian or an agent with an id", None
    elif not all(state.acts(by.role, by.id, at) for at in instants):
        kind = "guardian.registered" if by.role == "guardian" else "agent.mandated"
        yield f"who chose is not registered as the subject's {by.role} at that instant", f"record `{kind}` first"


def _actor(event: e.Event, subject: Id, actor: Id | None, parties: Parties, *, ends: bool = False) -> _Refusals:
    state = parties.subject(subject)
    yield from _living(state)
    if actor is None:
        yield f"expected the id of the {event.names}", None
    elif actor == subject:
        yield f"a subject is no {event.names} of itself", None
    elif ends and not any(one[2] == event.names and one[3] == actor for one in state.actors):
        yield f"it is not registered as the subject's {event.names}", None


def _delivery(event: e.NoticeDelivered, parties: Parties) -> _Refusals:
    audience = event.audience
    described = (audience.at, audience.territories, audience.attributes)
    given = [part for part in (audience.subjects, audience.organisations) if part is not None]
    if len(given) > 1 or (given and any(part is not None for part in described)):
        yield "expected an audience of listed subjects, of listed organisations, or of a description", "split it"
    for part in given:
        if not part or None in part:
            yield "expected a list of ids, not empty and without null", None
        elif len(set(part)) != len(part):
            yield "the audience lists somebody twice", None
        yield from _few(len(part), "people or organisations")
    states = [parties.subject(one) for one in audience.subjects or () if one is not None]
    if any(state.erased for state in states):
        yield "the audience lists a subject that was erased", "leave it out"
    elif not all(state.registered for state in states):
        yield "the audience lists an unknown subject", "record `subject.registered` first"


def _of_everyone(event: e.Event, recorded_at: int, world: World) -> _Refusals:
    match event:
        case e.PolicyPublished():
            yield from _edition(event)
        case e.NoticePublished():
            known = world.notices.get((event.notice, event.version))
            if known is not None and event.digest is not None and event.digest != known:
                yield (
                    f"notice `{event.notice}` version `{event.version}` was published with another digest",
                    ("give a changed text another version"),
                )
        case e.VersionWithdrawn():
            yield from _withdrawal(event, recorded_at, world)
        case e.SuspensionOpened():
            if event.suspension in world.suspensions:
                yield f"there is a suspension `{event.suspension}` already", "give it another id"
            data = event.scope.data
            if data is not None and data.start is not None and data.until is not None and data.until <= data.start:
                yield "expected `data` to end after it begins", None
        case e.SuspensionLifted():
            yield from _lift(event, recorded_at, world)
        case e.KeyRotated():
            try:
                rotation.check(event)
            except VerificationError as error:
                yield str(error), "use `sayso keys rotate`"
        case e.ModelTrained():
            missing = [name for name in event.datasets if name not in world.datasets]
            if missing:
                yield f"unknown dataset `{missing[0]}`", "record `dataset.built` first"
        case _:
            return


def _edition(event: e.PolicyPublished) -> _Refusals:
    try:
        found = digest(event.document)
    except InputError as error:
        yield f"`document`: {error}", None
        return
    if event.digest != found:
        yield f"`digest` is not that of `document`, which is `{found}`", None


def _withdrawal(event: e.VersionWithdrawn, recorded_at: int, world: World) -> _Refusals:
    effective = world.effective_of(event.version)
    at = recorded_at if event.effective_at is None else event.effective_at
    if effective is None:
        yield f"the policy last published has no version `{event.version}`", "publish the policy first"
    elif effective <= max(recorded_at, at):
        yield f"version `{event.version}` took effect at `{instant.format(effective)}`", "publish a new version instead"
    elif event.version in world.withdrawn:
        yield f"version `{event.version}` was withdrawn already", None


def _lift(event: e.SuspensionLifted, recorded_at: int, world: World) -> _Refusals:
    found = world.suspensions.get(event.suspension)
    if found is None:
        yield f"there is no suspension `{event.suspension}`", None
        return
    conditions, opened = found
    if event.suspension in world.lifted:
        yield f"suspension `{event.suspension}` was lifted already", None
    missing = sorted(conditions - event.evidence.keys())
    if missing:
        yield f"evidence is missing for condition `{missing[0]}`", "give evidence for each condition"
    unknown = sorted(event.evidence.keys() - conditions)
    if unknown:
        yield f"suspension `{event.suspension}` has no condition `{unknown[0]}`", None
    if (recorded_at if event.effective_at is None else event.effective_at) < opened:
        yield f"suspension `{event.suspension}` only begins at `{instant.format(opened)}`", None
