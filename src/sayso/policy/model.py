"""A policy as it is decided by: one edition of a platform's document, every scope expanded, every group pinned."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from sayso import instant
from sayso.policy.terms import ALWAYS, Scope, Vocabulary, Window
from sayso.territory import Region, country


class Mode(StrEnum):
    """What a rule permits (semantics, section 3.4)."""

    NEVER = "never"
    DISPUTED = "disputed"
    OPT_IN = "opt-in"
    OPT_OUT = "opt-out"
    ALWAYS = "always"


class Holder(StrEnum):
    """Whose choice it is."""

    SUBJECT = "subject"
    ORGANISATION = "organisation"


class Told(StrEnum):
    """What counts as having told the holder."""

    DELIVERED = "delivered"
    PUBLISHED = "published"


class Covers(StrEnum):
    """What data an opt-in or opt-out rule covers."""

    ALL = "all"
    AFTER_CHOICE = "after-choice"
    AFTER_NOTICE = "after-notice"


class SituationMode(StrEnum):
    """Which situations must permit."""

    STRICTEST = "strictest"
    CURRENT = "current"
    COLLECTION = "collection"


@dataclass(frozen=True, slots=True)
class Attribute:
    """A declared fact with a history, of a subject or of the record's account."""

    name: str
    values: tuple[str, ...]
    of_account: bool = False
    default: str | None = None


@dataclass(frozen=True, slots=True)
class NoticeVersion:
    """One text that people were told, by digest, with what it declares (in this edition's terms)."""

    notice: str
    version: str
    declares: Scope
    digest: str | None = None
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Controller:
    """Who is controller, as receipts name it. Nothing is decided by it."""

    name: str
    identifier: str
    address: str
    contact: str
    jurisdictions: tuple[str, ...]
    rights: str
    withdrawal: str
    storage: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class SignalMap:
    """What a machine-readable preference refuses, and where; `territories` of `None` is everywhere."""

    name: str
    scope: Scope
    territories: Region | None = None


@dataclass(frozen=True, slots=True)
class Band:
    """An age band, half-open, in whole years."""

    start: int | None = None
    until: int | None = None

    def holds(self, age: int | None) -> bool:
        """Whether the age lies within; an unknown age always does."""
        if age is None:
            return True
        return (self.start is None or self.start <= age) and (self.until is None or age < self.until)


@dataclass(frozen=True, slots=True)
class MinAge:
    """A least age in whole years, at the use alone or also when the data was collected."""

    age: int
    at_use_only: bool = False
    or_guardian: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a version. Durations are in microseconds. `index` is its place in the version, from 0."""

    id: str
    index: int
    scope: Scope
    mode: Mode
    territories: Region | None = None
    attributes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    band: Band | None = None
    data: Window = ALWAYS
    holder: Holder = Holder.SUBJECT
    notice: str | None = None
    accepts: frozenset[str] = frozenset()
    told: Told = Told.DELIVERED
    notice_period: int = 0
    covers: Covers = Covers.ALL
    collected: Window = ALWAYS
    min_age: MinAge | None = None
    expires_after: int | None = None
    overrides_refusal: bool = False
    controller: str | None = None
    basis: str | None = None
    why: str | None = None
    source: str | None = None
    covers_reason: str | None = None


@dataclass(frozen=True, slots=True)
class SignUp:
    """A notice shown to each who registers or enters an audience while its version is in force."""

    notice: str
    version: str
    territories: Region | None = None
    attributes: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """One version of a policy: announced at, effective from, with its rules."""

    id: str
    announced: int
    effective: int
    rules: tuple[Rule, ...]
    situation: SituationMode = SituationMode.STRICTEST
    freshness: int = instant.DAY
    sign_ups: tuple[SignUp, ...] = ()
    roles: Mapping[str, bool] = field(default_factory=dict)

    def counts(self, role: str | None) -> bool:
        """Whether a subject in this role must permit; a role that the policy does not name does."""
        return role is None or self.roles.get(role, True)


@dataclass(frozen=True)
class Policy:
    """One edition of a platform's policy document. `digest` is that of its normalised form."""

    platform: str
    digest: str
    purposes: Vocabulary
    categories: Vocabulary
    recipients: Vocabulary
    versions: tuple[Version, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    notices: Mapping[tuple[str, str], NoticeVersion] = field(default_factory=dict)
    signals: Mapping[str, SignalMap] = field(default_factory=dict)
    groups: Mapping[str, Region] = field(default_factory=dict)
    controllers: Mapping[str, Controller] = field(default_factory=dict)

    def in_force(self, at: int, withdrawn: Collection[str] = ()) -> Version | None:
        """The version, not withdrawn, with the greatest effective instant by `at` (semantics, section 2)."""
        return max(
            (version for version in self.versions if version.effective <= at and version.id not in withdrawn),
            key=lambda version: version.effective,
            default=None,
        )

    @cached_property
    def subdivisions(self) -> frozenset[str]:
        """Every subdivision that a rule, sign-up or signal of any version names, or excepts."""
        regions = [rule.territories for version in self.versions for rule in version.rules]
        regions += [signal.territories for signal in self.signals.values()]
        return frozenset().union(*(named_subdivisions(region) for region in regions))


def named_subdivisions(region: Region | None) -> frozenset[str]:
    """The subdivisions that a region tells apart from the rest of their country."""
    if region is None:
        return frozenset()
    return frozenset(code for code in region.codes | region.excepted if country(code) != code)
