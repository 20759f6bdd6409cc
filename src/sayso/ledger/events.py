"""The kinds of event that a ledger holds, each a typed, versioned document (spec/ledger.md, *Events*).

A document of another kind, another version, or with a field that its kind does not have is refused, never guessed at.
Instants are microseconds since the epoch, UTC. An id of `None` in a place that may hold one is that of a person erased
since; such an event is read, and never appended.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from msgspec import Meta, Struct, ValidationError, field

from sayso.ledger.identity import Id

_TEXT = r"^[^\x00\ud800-\udfff]{1,2000}\Z"
_NAME = r"^[^\x00-\x1f\x7f\ud800-\udfff]{1,200}\Z"
_KEY = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z"
_TERRITORY = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?\Z"
_DIGEST = r"^sha256:[0-9a-f]{64}\Z"
_WORDS = {
    _TEXT: "1 to 2,000 characters, without a NUL",
    _NAME: "1 to 200 characters, none of them a control character",
    _KEY: "1 to 64 letters, digits, `.`, `_`, `:` and `-`, the first a letter or digit",
    _TERRITORY: "a territory such as `DE` or `US-CA`, not a group such as `EEA`: an event lists the territories themselves",
    _DIGEST: "`sha256:` and 64 hexadecimal digits",
}

Text: TypeAlias = Annotated[str, Meta(pattern=_TEXT)]
Name: TypeAlias = Annotated[str, Meta(pattern=_NAME)]
Key: TypeAlias = Annotated[str, Meta(pattern=_KEY)]
Territory: TypeAlias = Annotated[str, Meta(pattern=_TERRITORY)]
Digest: TypeAlias = Annotated[str, Meta(pattern=_DIGEST)]
Year: TypeAlias = Annotated[int, Meta(ge=1800, le=9999)]
Names: TypeAlias = Annotated[tuple[Name, ...], Meta(min_length=1)]
Territories: TypeAlias = Annotated[tuple[Territory, ...], Meta(min_length=1)]
Attributes: TypeAlias = dict[Key, Name]
Decision: TypeAlias = Literal["grant", "refusal", "withdrawal", "objection"]


def in_words(error: ValidationError) -> str:
    """What msgspec says of a document, with words in the place of patterns; it shows nothing of what was given."""
    text = str(error)
    for pattern, words in _WORDS.items():
        text = text.replace(f"`str` matching regex {pattern!r}", words)
    return text[:1].lower() + text[1:]


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A part of an event's document."""


class Scope(Part, frozen=True):
    """What a choice is about. An absent list is everything; a grant must name all three."""

    purposes: Names | None = None
    categories: Names | None = None
    excluded: tuple[Name, ...] = field(default=(), name="except")
    recipients: Names | None = None


class Data(Part, frozen=True):
    """A half-open interval of `collected_at`; an absent end is open."""

    start: int | None = field(default=None, name="from")
    until: int | None = None


class SuspensionScope(Part, frozen=True):
    """What a suspension stops. An absent part is everything."""

    territories: Territories | None = None
    purposes: Names | None = None
    categories: Names | None = None
    excluded: tuple[Name, ...] = field(default=(), name="except")
    recipients: Names | None = None
    data: Data | None = None


class NoticeRef(Part, frozen=True):
    """One version of a notice."""

    id: Name
    version: Name


class Act(Part, frozen=True):
    """The affirmative act behind a grant: what was done, and where."""

    what: Text
    where: Text


class By(Part, frozen=True):
    """Who acted for the holder; an absent `by` is the holder itself."""

    role: Literal["guardian", "agent", "owner"]
    id: Id | None = None


class Audience(Part, frozen=True):
    """To whom a notice was delivered: listed subjects, listed organisations, or everyone of a description.

    Nothing listed: everyone registered and, by events before the delivery, in some territories with some attributes;
    with `at: sign-up`, each who registers or enters that audience from then until the notice's next version.
    """

    subjects: tuple[Id | None, ...] | None = None
    organisations: tuple[Id | None, ...] | None = None
    at: Literal["sign-up"] | None = None
    territories: Territories | None = None
    attributes: dict[Key, Names] | None = None

    @property
    def listed(self) -> bool:
        """Whether it lists subjects or organisations."""
        return self.subjects is not None or self.organisations is not None


class UseRef(Part, frozen=True):
    """The use that a dataset was gated for."""

    purpose: Name
    recipient: Name
    at: int


class Event(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False, tag_field="kind"
):
    """What every event says beside its own fields.

    `effective_at`: when it happened; absent, the instant at which it is recorded. `attested`: a reference to evidence
    of that instant, for what is imported; without it, what loosens counts only from when it was recorded.
    """

    ids: ClassVar[tuple[str, ...]] = ()
    """The fields that hold an id of the party whose event it is."""
    names: ClassVar[str | None] = None
    """The field that holds the id of another person, who can be erased apart from the party."""
    v: Literal[1] = 1
    effective_at: int | None = None
    attested: Text | None = None

    @property
    def kind(self) -> str:
        """The kind, such as `choice.recorded`."""
        return KIND_OF[type(self)]

    @property
    def everyones(self) -> bool:
        """Whether it is about nobody in particular: public as a whole, and read as one of the globals."""
        return not self.ids


class SubjectRegistered(Event, frozen=True, tag="subject.registered"):
    """A person became known, with an account or without."""

    ids = ("subject",)
    subject: Id
    territory: Territory | None = None
    birth_year: Year | None = None
    attributes: Attributes = {}


class SubjectMoved(Event, frozen=True, tag="subject.moved"):
    """A person lives elsewhere from then on."""

    ids = ("subject",)
    subject: Id
    territory: Territory


class SubjectAttributesChanged(Event, frozen=True, tag="subject.attributes-changed"):
    """The named attributes of a person have these values from then on; the others keep theirs."""

    ids = ("subject",)
    subject: Id
    attributes: Annotated[Attributes, Meta(min_length=1)]


class SubjectBirthYear(Event, frozen=True, tag="subject.birth-year"):
    """A birth year was learned. The youngest known holds, unless this one is `corrected`, with evidence."""

    ids = ("subject",)
    subject: Id
    year: Year
    corrected: bool = False
    evidence: Text | None = None


class SubjectAliased(Event, frozen=True, tag="subject.aliased"):
    """Two ids were found to be one person, for all instants."""

    ids = ("subject", "other")
    subject: Id
    other: Id


class SubjectErased(Event, frozen=True, tag="subject.erased"):
    """A person was erased, under this id and every alias. The ledger keeps no id of it, but a tombstone each."""

    ids = ("subject",)
    subject: Id


class AccountAttributesChanged(Event, frozen=True, tag="account.attributes-changed"):
    """The named attributes of an account have these values from then on."""

    ids = ("account",)
    account: Id
    attributes: Annotated[Attributes, Meta(min_length=1)]


class OrganisationJoined(Event, frozen=True, tag="organisation.joined"):
    """An organisation holds an account from then on."""

    ids = ("organisation", "account")
    organisation: Id
    account: Id


class OrganisationLeft(Event, frozen=True, tag="organisation.left"):
    """An organisation holds an account no longer."""

    ids = ("organisation", "account")
    organisation: Id
    account: Id


class OrganisationOwners(Event, frozen=True, tag="organisation.owners"):
    """The whole set of an organisation's owners from then on."""

    ids = ("organisation",)
    organisation: Id
    owners: tuple[Id | None, ...]


class GuardianRegistered(Event, frozen=True, tag="guardian.registered"):
    """Somebody acts for a person as guardian from then on."""

    ids = ("subject",)
    names = "guardian"
    subject: Id
    guardian: Id | None = None


class GuardianEnded(Event, frozen=True, tag="guardian.ended"):
    """A guardian acts for a person no longer."""

    ids = ("subject",)
    names = "guardian"
    subject: Id
    guardian: Id | None = None


class AgentMandated(Event, frozen=True, tag="agent.mandated"):
    """An agent has a person's mandate from then on."""

    ids = ("subject",)
    names = "agent"
    subject: Id
    agent: Id | None = None


class AgentEnded(Event, frozen=True, tag="agent.ended"):
    """An agent's mandate ended."""

    ids = ("subject",)
    names = "agent"
    subject: Id
    agent: Id | None = None


class ChoiceRecorded(Event, frozen=True, tag="choice.recorded"):
    """A holder, a subject or an organisation, chose. Everything but a grant is a refusal under its own name."""

    ids = ("subject", "organisation")
    decision: Decision
    source: Text
    scope: Scope = Scope()
    subject: Id | None = None
    organisation: Id | None = None
    notice: NoticeRef | None = None
    act: Act | None = None
    by: By | None = None


class SignalSeen(Event, frozen=True, tag="signal.seen"):
    """A machine-readable preference of a person was seen on a channel (a browser, a site, an account setting)."""

    ids = ("subject",)
    subject: Id
    signal: Name
    channel: Name


class NoticePublished(Event, frozen=True, tag="notice.published"):
    """A version of a notice can be read by everyone from then on."""

    notice: Name
    version: Name
    digest: Digest | None = None


class NoticeDelivered(Event, frozen=True, tag="notice.delivered"):
    """A version of a notice reached an audience."""

    notice: Name
    version: Name
    audience: Audience

    @property
    def everyones(self) -> bool:
        """Whether the audience is described and not listed."""
        return not self.audience.listed


class PolicyPublished(Event, frozen=True, tag="policy.published"):
    """An edition of the platform's policy. `document` is its normalised form, `digest` that of its canonical bytes."""

    platform: Name
    digest: Digest
    document: dict[str, Any]


class VersionWithdrawn(Event, frozen=True, tag="version.withdrawn"):
    """A version of the policy was withdrawn before it took effect."""

    version: Name
    reason: Text


class KeyRotated(Event, frozen=True, tag="key.rotated"):
    """The log's signing key was replaced. `statement` is a signed note by both keys over what changed."""

    old: Text
    new: Text
    statement: Text


class SuspensionOpened(Event, frozen=True, tag="suspension.opened"):
    """An operator's stop, in force until lifted with evidence for each of its conditions."""

    suspension: Name
    authority: Text
    reason: Text
    scope: SuspensionScope = SuspensionScope()
    conditions: dict[Key, Text] = {}


class SuspensionLifted(Event, frozen=True, tag="suspension.lifted"):
    """A suspension ended, with evidence for each of its conditions."""

    suspension: Name
    evidence: dict[Key, Text] = {}


class DatasetBuilt(Event, frozen=True, tag="dataset.built"):
    """A dataset was gated; its manifest enters by digest."""

    dataset: Name
    manifest: Digest
    use: UseRef
    policy: Digest | None = None
    position: Annotated[int, Meta(ge=0)] | None = None


class ModelTrained(Event, frozen=True, tag="model.trained"):
    """A model was trained on datasets."""

    model: Name
    datasets: Names
    digest: Digest | None = None


KINDS: dict[str, type[Event]] = {str(cls.__struct_config__.tag): cls for cls in Event.__subclasses__()}
"""Every kind, with its class, in the order of this page."""

KIND_OF: dict[type[Event], str] = {cls: kind for kind, cls in KINDS.items()}
