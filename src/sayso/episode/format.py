"""The form of an episode file: every key that there is (`docs/episodes.md`). What it means is `reading`'s."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sayso.policy.document import Instant, Name, Part, Places, Span, Text

Id = str | int
Listed = Annotated[list[Name], Field(min_length=1)]


class Reach(Part):
    """Purposes, categories and recipients; what is left out is everything."""

    purposes: Listed | None = Field(None, description="Purposes.")
    categories: Listed | None = Field(None, description="Categories.")
    excluded: list[Name] = Field([], alias="except", description="Categories below them that are not meant.")
    recipients: Listed | None = Field(None, description="Recipients.")


class Person(Part):
    """What is known of a person when registered."""

    territory: Name | None = Field(None, description="Where the person lives.")
    birth_year: int | None = Field(None, description="The birth year.")
    attributes: dict[Name, Name] = Field({}, description="Attributes.")


class Audience(Part):
    """To whom a notice is delivered."""

    subjects: list[Id] | None = Field(None, description="Listed people.")
    organisations: list[Id] | None = Field(None, description="Listed organisations.")
    at: Literal["sign-up"] | None = Field(None, description="Each who registers or enters from then on.")
    territories: Places | None = Field(None, description="Territories and groups, as they are at the instant.")
    attributes: dict[Name, Listed] | None = Field(None, description="The values that each attribute may have.")


class Delivery(Part):
    """A notice that reached an audience."""

    notice: Name = Field(description="The notice.")
    version: Name = Field(description="Its version.")
    to: Audience = Field(description="The audience.")


class NoticeText(Part):
    """A notice that can be read from then on."""

    notice: Name = Field(description="The notice.")
    version: Name = Field(description="Its version.")


class Stop(Reach):
    """A suspension."""

    id: Name = Field(description="Its name.")
    authority: Text = Field(description="Who stopped it.")
    reason: Text = Field(description="Why.")
    territories: Places | None = Field(None, description="Territories and groups, as they are at the instant.")
    data: Span | None = Field(None, description="Of what data.")
    conditions: dict[Name, Text] = Field({}, description="What lifting it asks for.")


class Lift(Part):
    """The end of a suspension."""

    id: Name = Field(description="Its name.")
    evidence: dict[Name, Text] = Field({}, description="Evidence for each condition.")


class Act(Part):
    """The affirmative act behind a grant."""

    what: Text = Field(description="What was done.")
    where: Text = Field(description="Where.")


class By(Part):
    """Who acted for the holder."""

    role: Literal["guardian", "agent", "owner"] = Field(description="As what.")
    id: Id = Field(description="Who.")


class Choose(Reach):
    """A choice of a subject or of an organisation."""

    subject: Id | None = Field(None, description="Whose choice.")
    organisation: Id | None = Field(None, description="Whose choice, if an organisation's.")
    decision: Literal["grant", "refusal", "withdrawal", "objection"] = Field(description="What was chosen.")
    through: Text = Field("episode", description="Where it was made, such as a setting or a form.")
    notice: NoticeText | None = Field(None, description="Under which notice; a grant needs it.")
    act: Act | None = Field(None, description="The act; a grant needs it.")
    by: By | None = Field(None, description="Who acted for the holder.")


class Withdraw(Part):
    """A version of the policy withdrawn before it took effect."""

    version: Name = Field(description="The version.")
    reason: Text = Field(description="Why.")


class Happening(Part):
    """One entry of `events`: when it was recorded, what happened, and how that is known."""

    at: Instant = Field(description="When it was recorded.")
    effective_at: Instant | None = Field(None, description="When it happened, if not then.")
    attested: Text | None = Field(None, description="Evidence of that instant.")
    source: Text | None = Field(None, description="Where it is written.")
    why: Text | None = Field(None, description="A remark.")
    publish: Name | None = Field(None, description="The policy that is published, by its name in the file.")
    withdraw: Withdraw | None = Field(None, description="A version withdrawn.")
    register_: dict[str, str | Person] | None = Field(
        None, alias="register", description="People: each id with a territory, or with all that is known."
    )
    announce: NoticeText | None = Field(None, description="A notice merely published.")
    deliver: Delivery | None = Field(None, description="A notice delivered.")
    suspend: Stop | None = Field(None, description="A suspension opened.")
    lift: Lift | None = Field(None, description="A suspension lifted.")
    choose: Choose | None = Field(None, description="A choice.")
    event: dict[str, Any] | None = Field(None, description="Any event of the ledger (spec/ledger.md).")

    @model_validator(mode="after")
    def _one(self) -> Happening:
        told = [name for name in WHAT if getattr(self, name) is not None]
        if len(told) != 1:
            names = ", ".join(f"`{name.rstrip('_')}`" for name in WHAT)
            raise ValueError(f"expected one of {names} in each entry")
        return self


WHAT = ("publish", "withdraw", "register_", "announce", "deliver", "suspend", "lift", "choose", "event")


class SubjectOf(Part):
    """One subject of a record."""

    id: Id = Field(description="The id.")
    role: Name | None = Field(None, description="The role in the record.")


class RecordOf(Part):
    """A record, or a part of one: what is left out is taken from the defaults."""

    subject: Id | None = Field(None, description="Its one subject.")
    subjects: list[Id | SubjectOf] | None = Field(None, description="Its subjects, with roles.")
    category: Name | None = Field(None, description="What it is.")
    collected_at: Instant | None = Field(None, description="When it was collected.")
    territory: Name | None = Field(None, description="The territory written on it.")
    account: Id | None = Field(None, description="Its account.")
    reserved: list[Name] = Field([], description="Purposes that it is reserved from.")


class UseOf(Part):
    """A use, or a part of one: what is left out is taken from the defaults."""

    purpose: Name | None = Field(None, description="What for.")
    recipient: Name | None = Field(None, description="By whom.")
    at: Instant | None = Field(None, description="When.")


class Expected(Part):
    """The verdict that is expected."""

    permit: Name | None = Field(None, description="The ground.")
    deny: Name | None = Field(None, description="The reason.")
    rule: Name | None = Field(None, description="The rule of the evidence.")
    territory: Name | None = Field(None, description="The territory of the evidence.")

    @model_validator(mode="after")
    def _one(self) -> Expected:
        if (self.permit is None) == (self.deny is None):
            raise ValueError("expected either `permit: GROUND` or `deny: REASON`")
        return self


class Asked(Part):
    """One question."""

    ask: Text = Field(description="The question, in words.")
    record: RecordOf = Field(RecordOf.model_construct(), description="The record.")
    use: UseOf = Field(UseOf.model_construct(), description="The use.")
    known_at: Instant | Literal["end"] | None = Field(
        None, description="As known when; without it as known at the use's instant; `end` is the end of the episode."
    )
    position: Annotated[int, Field(ge=0)] | None = Field(None, description="As known at which size of the ledger.")
    policy: Name | None = Field(None, description="A policy of the file to decide by, published or not.")
    expect: Expected = Field(description="The verdict that is expected.")
    source: Text | None = Field(None, description="Where it is written.")
    why: Text | None = Field(None, description="Why it is expected.")


class Defaults(Part):
    """What questions and people have where they say nothing."""

    record: RecordOf = Field(RecordOf.model_construct(), description="Of every record.")
    use: UseOf = Field(UseOf.model_construct(), description="Of every use.")
    person: Person = Field(Person.model_construct(), description="Of everybody registered.")


class Story(Part):
    """An episode file."""

    episode: Literal[1] = Field(description="The version of this form.")
    title: Text = Field(description="What it tells.")
    about: Text | None = Field(None, description="More about it.")
    ids: Literal["int64", "string", "uuid"] = Field("string", description="What ids are.")
    policy: dict[str, Any] | None = Field(None, description="The policy: a document, or `file: PATH`.")
    policies: dict[Name, dict[str, Any]] = Field({}, description="Several, each with a name.")
    defaults: Defaults = Field(Defaults.model_construct(), description="What is said once.")
    events: list[Happening] = Field(description="What happened, in order.")
    questions: Annotated[list[Asked], Field(min_length=1)] = Field(description="What is asked.")
