"""The policy document as it is written: every key that there is, and its form (`docs/policy.md`).

These models are of form only. What terms, groups and notices mean to each other is `check`'s; what a rule then says
is `compiling`'s.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sayso import instant
from sayso.errors import InstantError

NAME = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"
DAYS = r"^[0-9]{1,5}d$"


LANGUAGE = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"
MAIL, PAGE = re.compile(r"[^@\s:/]+@[^@\s]+"), re.compile(r"https?://[^\s/]+\S*")
GREATEST = 2**53 - 1
"""The greatest integer that canonical JSON holds (RFC 8785): in microseconds, June 2255."""


def _instant(value: object) -> int:
    try:
        found = instant.parse(value if isinstance(value, str) else "")
    except InstantError as error:
        raise ValueError(
            "expected an instant with a time zone, such as `2024-09-18T00:00:00Z` or `2024-09-18T02:00:00+02:00`"
        ) from error
    if abs(found) > GREATEST:
        raise ValueError("expected an instant from 1684 to 2255; leave out an end that never comes")
    return found


def _days(value: object) -> int:
    match = re.fullmatch(DAYS, value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a number of days, such as `30d`, up to `99999d`")
    return int(match[0][:-1]) * instant.DAY


def _language(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(LANGUAGE, value, re.ASCII):
        raise ValueError("expected a language (BCP 47), such as `en` or `pt-BR`")
    return value


def _page(value: object) -> str:
    if not isinstance(value, str) or not PAGE.fullmatch(value):
        raise ValueError("expected the address of a page, such as `https://example.org/rights`")
    return value


def _contact(value: object) -> str:
    if not isinstance(value, str) or not (MAIL.fullmatch(value) or PAGE.fullmatch(value)):
        raise ValueError("expected an e-mail address, or the address of a page such as `https://example.org/contact`")
    return value


Name = Annotated[str, Field(pattern=NAME)]
Title = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=4000)]
Instant = Annotated[
    int,
    BeforeValidator(_instant, json_schema_input_type=str),
    Field(json_schema_extra={"type": "string", "format": "date-time"}),
]
Days = Annotated[
    int,
    BeforeValidator(_days, json_schema_input_type=str),
    Field(json_schema_extra={"type": "string", "pattern": DAYS}),
]
Language = Annotated[str, BeforeValidator(_language), Field(max_length=35, json_schema_extra={"pattern": LANGUAGE})]
Page = Annotated[str, BeforeValidator(_page), Field(max_length=2000, json_schema_extra={"format": "uri"})]
Contact = Annotated[str, BeforeValidator(_contact), Field(max_length=2000)]
Names = Annotated[list[Name], Field(min_length=1)]
Places = Annotated[list[Name], Field(min_length=1)]
Scoped = Literal["all"] | Names
Age = Annotated[int, Field(ge=0, le=150)]


class Part(BaseModel):
    """A mapping of the document: no key but those named."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Term(Part):
    """A purpose, category or recipient, and what lies below it."""

    title: Text | None = Field(None, description="What people call it.")
    dpv: Text | None = Field(None, description="Its identifier in the W3C Data Privacy Vocabulary.")
    aipref: Text | None = Field(None, description="Its identifier in the IETF AI preferences vocabulary.")
    was: list[Name] = Field([], description="Every name that it, or a part of it, had in earlier editions.")


class Purpose(Term):
    """A purpose; a use names one that has no children."""

    children: dict[Name, Purpose | None] = Field({}, description="Narrower purposes.")


class Category(Term):
    """A category; a record's is one that has no children."""

    special: bool = Field(False, description="Whether it is a special category (GDPR, Article 9).")
    children: dict[Name, Category | None] = Field({}, description="Narrower categories.")


class Group(Part):
    """A named set of territories, expanded at each version's effective instant."""

    include: Places = Field(description="Territories and groups inside.")
    excluded: list[Name] = Field([], alias="except", description="Territories and groups not inside after all.")


class Attribute(Part):
    """A fact with a history, of a subject or of the record's account."""

    of: Literal["subject", "account"] = Field("subject", description="Whose it is.")
    values: Names = Field(description="What it can be.")
    default: Name | None = Field(None, description="What it is where nothing is known; without it, unknown.")


class Role(Part):
    """A role that subjects have in a record."""

    counts: bool = Field(description="Whether a subject in this role must permit.")


class Scope(Part):
    """Purposes, categories and recipients: terms at any level, or `all`."""

    purposes: Scoped = Field(description="Purposes, or `all`.")
    categories: Scoped = Field(description="Categories, or `all`.")
    excluded: list[Name] = Field([], alias="except", description="Categories below them that are not meant.")
    recipients: Scoped = Field(description="Recipients, or `all`.")


class NoticeVersion(Part):
    """One text of a notice."""

    digest: Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")] | None = Field(None, description="SHA-256 of it.")
    url: Text | None = Field(None, description="Where it can be read.")
    language: Language | None = Field(None, description="What language it is in (BCP 47).")
    declares: Scope = Field(description="What it tells people of.")


class Notice(Part):
    """A notice and its versions."""

    title: Text | None = Field(None, description="What people call it.")
    versions: Annotated[dict[Name, NoticeVersion], Field(min_length=1)] = Field(description="Its texts.")


class Controller(Part):
    """Who is controller, as people's receipts name it (ISO/IEC TS 27560)."""

    identifier: Text = Field(description="What tells it apart: a company number, or an address of its own.")
    address: Text = Field(description="Its postal address.")
    contact: Contact = Field(description="Where to write to: an e-mail address, or a page.")
    url: Page | None = Field(None, description="Its page.")
    jurisdictions: Places = Field(description="Territories whose law applies, or `EU` or `EEA`.")
    rights: Page = Field(description="The page where people exercise their rights.")
    withdrawal: Text = Field(description="Where, or how, a consent is changed or withdrawn.")
    storage: Text = Field(description="Where data is stored, and for how long.")


class Signal(Scope):
    """A machine-readable preference, and what it refuses."""

    territories: Places | None = Field(None, description="Where; without it, everywhere.")


class Ages(Part):
    """An age band, in whole years, half-open."""

    start: Age | None = Field(None, alias="from", description="The least age inside.")
    until: Age | None = Field(None, description="The least age above.")


class Audience(Part):
    """For whom a rule is."""

    attributes: dict[Name, Names] = Field({}, description="The values that each attribute may have.")
    age: Ages | None = Field(None, description="The ages; unknown age is of every band.")


class Span(Part):
    """An interval of `collected_at`, half-open."""

    start: Instant | None = Field(None, alias="from", description="The first instant inside.")
    until: Instant | None = Field(None, description="The first instant after.")


class MinAge(Part):
    """A least age."""

    age: Age = Field(description="In whole years.")
    at: Literal["both", "use"] = Field("both", description="Whether also when the data was collected.")
    otherwise: Literal["guardian"] | None = Field(None, alias="or", description="Who may let through all the same.")


class Override(Part):
    """Why an `always` rule stands against a refusal."""

    ground: Literal["law", "vital-interest", "contract", "compelling"] = Field(description="What allows it.")
    why: Text = Field(description="How.")


class Rule(Scope):
    """One line of a version."""

    id: Name = Field(description="Its name, unique in the version.")
    territories: Places | None = Field(None, description="Where; without it, everywhere.")
    audience: Audience = Field(Audience(attributes={}, age=None), description="For whom.")
    data: Span | None = Field(None, description="For what data: elsewhere the rule does not match.")
    mode: Literal["never", "disputed", "opt-in", "opt-out", "always"] = Field(description="What it permits.")
    holder: Literal["subject", "organisation"] = Field("subject", description="Whose choice it is.")
    notice: Name | None = Field(None, description="The notice that a holder must have been told.")
    accepts: list[Name] = Field([], description="The versions of it that will do.")
    told: Literal["delivered", "published"] = Field("delivered", description="What counts as told.")
    notice_period: Days = Field(0, validate_default=False, description="How long before the use.")
    covers: Literal["all", "after-choice", "after-notice"] | None = Field(None, description="What data.")
    covers_reason: Text | None = Field(None, description="Why older data is included.")
    collected: Span | None = Field(None, description="What data may be used: other data is denied.")
    min_age: MinAge | None = Field(None, description="A least age.")
    expires_after: Days | None = Field(None, description="How long a grant stands.")
    overrides: Override | None = Field(None, description="Why it stands against a refusal.")
    controller: Text | None = Field(None, description="Who is controller.")
    basis: (
        Literal[
            "consent", "legitimate-interests", "contract", "legal-obligation", "vital-interests", "public-task", "none"
        ]
        | None
    ) = Field(None, description="The legal basis (GDPR, Article 6).")
    why: Text | None = Field(None, description="Why the rule is as it is; what is disputed.")
    source: Text | None = Field(None, description="Where it is written.")


class SignUp(Part):
    """A notice shown to each who registers or enters an audience while the version is in force."""

    notice: Name = Field(description="The notice.")
    version: Name = Field(description="Its version.")
    territories: Places | None = Field(None, description="Where; without it, everywhere.")
    attributes: dict[Name, Names] = Field({}, description="The values that each attribute may have.")


class Version(Part):
    """One version of the policy."""

    id: Name = Field(description="Its name, unique in the document.")
    announced: Instant = Field(description="When it was announced.")
    effective: Instant = Field(description="From when it is in force.")
    source: Text | None = Field(None, description="Where it is written.")
    situation: Literal["strictest", "current", "collection"] = Field("strictest", description="Which situations.")
    freshness: Days = Field(instant.DAY, validate_default=False, description="How long a snapshot may be used.")
    roles: dict[Name, Role] | None = Field(None, description="The roles, where they differ from the document's.")
    sign_up: list[SignUp] = Field([], description="What is shown at sign-up.")
    rules: list[Rule] = Field(description="Its rules; order decides nothing.")


class Document(Part):
    """A platform's policy: its vocabularies and its timeline of versions."""

    sayso: Literal[1] = Field(description="The version of this form.")
    platform: Name = Field(description="The platform.")
    title: Text | None = Field(None, description="What people call it.")
    purposes: Annotated[dict[Name, Purpose | None], Field(min_length=1)] = Field(description="The purposes.")
    categories: Annotated[dict[Name, Category | None], Field(min_length=1)] = Field(description="The categories.")
    recipients: Annotated[dict[Name, Term | None], Field(min_length=1)] = Field(description="The recipients.")
    groups: dict[Name, Group] = Field({}, description="Groups of territories.")
    attributes: dict[Name, Attribute] = Field({}, description="Attributes.")
    roles: dict[Name, Role] = Field({}, description="Roles.")
    notices: dict[Name, Notice] = Field({}, description="Notices.")
    signals: dict[Name, Signal] = Field({}, description="Signals.")
    controllers: dict[Title, Controller] = Field({}, description="Controllers, by the names that rules give them.")
    versions: list[Version] = Field(description="The timeline.")
