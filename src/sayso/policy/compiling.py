"""From a document to the policy that is decided by: every name resolved, every scope and group expanded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from sayso.errors import TerritoryError
from sayso.policy import document as written
from sayso.policy.model import (
    Attribute,
    Band,
    Controller,
    Covers,
    Holder,
    MinAge,
    Mode,
    NoticeVersion,
    Policy,
    Rule,
    SignalMap,
    SignUp,
    SituationMode,
    Told,
    Version,
)  # fmt: skip
from sayso.policy.normal import digest_of
from sayso.policy.source import Path, Source
from sayso.policy.terms import ALWAYS, Scope, Term, Vocabulary, Window
from sayso.territory import Region, canonical, groups, is_known, region

ALL = "all"
JURISDICTIONS = ("EU", "EEA")


def compile_policy(document: written.Document, source: Source) -> Policy:
    """The policy that a document writes. Problems of meaning are added to the source's; then the policy is void."""
    return _Compiler(document, source).policy()


class _Compiler:
    def __init__(self, document: written.Document, source: Source) -> None:
        self.document, self.source = document, source
        self.purposes = self._vocabulary("purposes", document.purposes)
        self.categories = self._vocabulary("categories", document.categories)
        self.recipients = self._vocabulary("recipients", document.recipients)

    def policy(self) -> Policy:
        document = self.document
        notices = {
            (notice, version): NoticeVersion(
                notice, version, self._scope(("notices", notice, "versions", version, "declares"), text.declares),
                text.digest, text.url, text.language,
            )
            for notice, texts in document.notices.items()
            for version, text in texts.versions.items()
        }  # fmt: skip
        attributes = {
            name: Attribute(name, tuple(sorted(set(one.values))), one.of == "account", one.default)
            for name, one in document.attributes.items()
        }
        for name, one in document.attributes.items():
            if one.default is not None and one.default not in one.values:
                self._unknown(("attributes", name, "default"), one.default, one.values, "value")
        latest = max((version.effective for version in document.versions), default=0)
        named = self._groups(latest)
        signals = {
            name: SignalMap(
                name, self._scope(("signals", name), one),
                self._region(("signals", name, "territories"), one.territories, latest, named),
            )
            for name, one in document.signals.items()
        }  # fmt: skip
        policy = Policy(
            document.platform, "", self.purposes, self.categories, self.recipients,
            tuple(self._version(index, version) for index, version in enumerate(document.versions)),
            attributes, notices, signals, named, self._controllers(),
        )  # fmt: skip
        return replace(policy, digest="" if self.source.problems else digest_of(policy))

    def _unknown(self, path: Path, name: str, known: Iterable[str], what: str) -> None:
        """A problem: a name that is none of those known, and none of those that could not be read."""
        if name in self.source.lost:
            return
        ordered = sorted(known)
        close = get_close_matches(name, ordered, n=1)
        remedy = (
            f"did you mean `{close[0]}`?" if close else f"the document names no such {what}; add it or mend the name"
        )
        self.source.report(path, f"unknown {what} `{name}`", remedy)

    def _controllers(self) -> dict[str, Controller]:
        """The controllers, by name; jurisdictions are those for which there are terms: territories, `EU` and `EEA`."""
        for name, one in self.document.controllers.items():
            for index, place in enumerate(one.jurisdictions):
                if place not in JURISDICTIONS and not is_known(place):
                    self.source.report(
                        ("controllers", name, "jurisdictions", index),
                        f"expected a territory such as `IE` or `US-CA`, or `EU` or `EEA`, got `{place}`",
                        "name the territories whose law applies",
                    )
        return {
            name: Controller(
                name, one.identifier, one.address, one.contact, tuple(sorted(set(one.jurisdictions))), one.rights,
                one.withdrawal, one.storage, one.url,
            )
            for name, one in sorted(self.document.controllers.items())
        }  # fmt: skip

    def _vocabulary(
        self, kind: str, top: Mapping[str, written.Purpose | written.Category | written.Term | None]
    ) -> Vocabulary:
        terms: dict[str, Term] = {}

        def add(names: Mapping[str, written.Term | None], parent: str | None, path: Path, special: bool) -> None:
            for name, given in names.items():
                one = given or written.Term()
                if name in terms or name == ALL:
                    self.source.report(
                        (*path, name), f"expected each name once in `{kind}`, got `{name}`, which is taken",
                        "give it another name", key=True,
                    )  # fmt: skip
                marked = special or bool(getattr(one, "special", False))
                # The first of a name stays: a term below itself would have no end.
                old = tuple(sorted(set(one.was)))
                terms.setdefault(name, Term(name, parent, old, marked, one.title, one.dpv, one.aipref))
                add(getattr(one, "children", {}), name, (*path, name, "children"), marked)

        add(top, None, (kind,), False)
        return Vocabulary(dict(sorted(terms.items())))

    def _reach(
        self, path: Path, names: str | Sequence[str], vocabulary: Vocabulary, excluded: Sequence[str] = ()
    ) -> frozenset[str]:
        what = {"purposes": "purpose", "categories": "category", "recipients": "recipient"}[str(path[-1])]
        for key, given in ((path, () if isinstance(names, str) else names), ((*path[:-1], "except"), excluded)):
            for index, name in enumerate(given):
                if name not in vocabulary:
                    self._unknown((*key, index), name, vocabulary.terms, what)
        return vocabulary.reach(None if isinstance(names, str) else names, excluded)

    def _scope(self, path: Path, scope: written.Scope) -> Scope:
        return Scope(
            self._reach((*path, "purposes"), scope.purposes, self.purposes),
            self._reach((*path, "categories"), scope.categories, self.categories, scope.excluded),
            self._reach((*path, "recipients"), scope.recipients, self.recipients),
        )

    def _groups(self, at: int) -> dict[str, Region]:
        """The document's groups at an instant, each after those that it names."""
        done: dict[str, Region] = {}
        rising: list[str] = []

        def expand(name: str) -> Region:
            if name in done:
                return done[name]
            if name in rising:
                message = f"expected a group to be made of others, got `{name}` in itself"
                self.source.report(("groups", name), message, "take it out of the groups that it names", key=True)
                return done.setdefault(name, Region(frozenset()))
            rising.append(name)
            given = self.document.groups[name]
            for other in (*given.include, *given.excluded):
                if other in self.document.groups and not _taken(other):
                    expand(other)
            found = self._expanded(("groups", name, "include"), given.include, at, done, given.excluded)
            rising.remove(name)
            return done.setdefault(name, found)

        for name in self.document.groups:
            if _taken(name):
                self.source.report(
                    ("groups", name), f"expected a new name for a group, got `{name}`, which already means one or a territory",
                    "give it another name", key=True,
                )  # fmt: skip
            else:
                expand(name)
        return done

    def _expanded(
        self, path: Path, names: Sequence[str], at: int, named: Mapping[str, Region], excluded: Sequence[str] = ()
    ) -> Region:
        try:
            return region(names, excluded, at=at, named=named)
        except TerritoryError as error:
            places = {name: (*path, index) for index, name in enumerate(names)}
            places |= {name: (*path[:-1], "except", index) for index, name in enumerate(excluded)}
            for problem in error.problems:
                name = next(name for name in places if problem.message.endswith(f"`{name}`"))
                if name not in self.source.lost:
                    self.source.report(places[name], problem.message, problem.remedy)
            return Region(frozenset())

    def _region(self, path: Path, names: Sequence[str] | None, at: int, named: Mapping[str, Region]) -> Region | None:
        return None if names is None else self._expanded(path, names, at, named)

    def _attributes(self, path: Path, asked: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
        for name, values in asked.items():
            declared = self.document.attributes.get(name)
            if declared is None:
                self._unknown((*path, name), name, self.document.attributes, "attribute")
                continue
            for index, value in enumerate(values):
                if value not in declared.values:
                    self._unknown((*path, name, index), value, declared.values, "value")
        return {name: frozenset(values) for name, values in sorted(asked.items())}

    def _version(self, index: int, version: written.Version) -> Version:
        path: Path = ("versions", index)
        before = len(self.source.problems)
        named = self._groups(version.effective) if index == 0 else self._quiet_groups(version.effective, before)
        roles = {name: role.counts for name, role in self.document.roles.items()}
        for name, role in (version.roles or {}).items():
            if name not in roles:
                self._unknown((*path, "roles", name), name, roles, "role")
            roles[name] = role.counts
        return Version(
            version.id,
            version.announced,
            version.effective,
            tuple(self._rule((*path, "rules", i), i, rule, version, named) for i, rule in enumerate(version.rules)),
            SituationMode(version.situation),
            version.freshness,
            tuple(self._sign_up((*path, "sign_up", i), one, version, named) for i, one in enumerate(version.sign_up)),
            dict(sorted(roles.items())),
        )

    def _quiet_groups(self, at: int, before: int) -> dict[str, Region]:
        """The groups at another instant; what is wrong with them has been said."""
        found = self._groups(at)
        del self.source.problems[before:]
        return found

    def _sign_up(
        self, path: Path, one: written.SignUp, version: written.Version, named: Mapping[str, Region]
    ) -> SignUp:
        self._notice(path, one.notice, [one.version], "version")
        where = self._region((*path, "territories"), one.territories, version.effective, named)
        return SignUp(one.notice, one.version, where, self._attributes((*path, "attributes"), one.attributes))

    def _notice(self, path: Path, notice: str, versions: Sequence[str], key: str) -> None:
        known = self.document.notices.get(notice)
        if known is None:
            self._unknown((*path, "notice"), notice, self.document.notices, "notice")
            return
        for index, version in enumerate(versions):
            if version not in known.versions:
                self._unknown((*path, key, index), version, known.versions, f"version of notice `{notice}`")

    def _rule(
        self, path: Path, index: int, rule: written.Rule, version: written.Version, named: Mapping[str, Region]
    ) -> Rule:
        if rule.notice is not None:
            self._notice(path, rule.notice, rule.accepts, "accepts")
        controllers = self.document.controllers
        if rule.controller is not None and controllers and rule.controller not in controllers:
            self._unknown((*path, "controller"), rule.controller, controllers, "controller")
        age, least = rule.audience.age, rule.min_age
        return Rule(
            id=rule.id,
            index=index,
            scope=self._scope(path, rule),
            mode=Mode(rule.mode),
            territories=self._region((*path, "territories"), rule.territories, version.effective, named),
            attributes=self._attributes((*path, "audience", "attributes"), rule.audience.attributes),
            band=None if age is None else Band(age.start, age.until),
            data=_window(rule.data),
            holder=Holder(rule.holder),
            notice=rule.notice,
            accepts=frozenset(rule.accepts),
            told=Told(rule.told),
            notice_period=rule.notice_period,
            covers=Covers(rule.covers or "all"),
            collected=_window(rule.collected),
            min_age=None if least is None else MinAge(least.age, least.at == "use", least.otherwise == "guardian"),
            expires_after=rule.expires_after,
            overrides_refusal=rule.overrides is not None,
            controller=rule.controller,
            basis=rule.basis,
            why=rule.why if rule.overrides is None else f"{rule.overrides.ground}: {rule.overrides.why}",
            source=rule.source,
            covers_reason=rule.covers_reason,
        )


def _taken(name: str) -> bool:
    """Whether a name is that of a group, or of a territory, that there is without the document."""
    return name in groups() or is_known(canonical(name) or "")


def _window(span: written.Span | None) -> Window:
    return ALWAYS if span is None else Window(span.start, span.until)
