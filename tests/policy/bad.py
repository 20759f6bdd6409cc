"""Policies that are wrong in one way each, named for it: `good.yaml` with one thing changed, and what is to be said.

`python -m tests.policy.bad` writes them anew into `tests/data/policies/bad`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data" / "policies"


@dataclass(frozen=True)
class Case:
    """What is put in the place of what; what the problem says, and the text that it points at."""

    old: str
    new: str
    says: str
    at: str


TELL = "mode: opt-out\n        notice: banner\n        accepts: [v1]"
ASK = "mode: opt-in\n        notice: banner\n        accepts: [v1]"

ERRORS = {
    # ── form ──
    "unknown-key": Case("expires_after: 365d", "expires_afer: 365d", "unknown key `expires_afer`; did you mean `expires_after`?", "expires_afer"),
    "unknown-key-unlike-any": Case("counts: false", "counts: false, zzz: 1", "unknown key `zzz`; known keys are `counts`", "zzz"),
    "key-of-another-part": Case("mode: always", "mode: always\n        freshness: 1d", "unknown key `freshness`", "freshness"),
    "missing-key": Case("        mode: always\n", "", "expected a key `mode` here, got `id`, `purposes`", "id: safe"),
    "missing-platform": Case("platform: example\n", "", "expected a key `platform` here", "sayso: 1"),
    "another-form": Case("sayso: 1", "sayso: 2", "expected 1, got `2`", "2"),
    "number-as-name": Case("id: first", "id: 2024", "expected text; put quotes around", "2024"),
    "truth-as-name": Case("[free, pro]", "[free, true]", "got `true`", "true"),
    "nothing-as-name": Case("notice: banner, version: v1", "notice: banner, version: ", "got `null`", ""),
    "name-with-spaces": Case("platform: example", "platform: an example", "expected a name: up to 64 letters", "an example"),
    "name-of-accents": Case("  messages:", "  messagerie-privée:", "got `messagerie-privée`", "messagerie-privée"),
    "unknown-mode": Case("mode: always", "mode: maybe", "`opt-out` or `always`, got `maybe`", "maybe"),
    "list-for-mapping": Case("groups:\n  asked: {include: [EEA, CH], except: [LI]}", "groups: [asked]", "expected a mapping", "[asked]"),
    "mapping-for-list": Case("categories: [messages, health]", "categories: {messages: }", "expected `all` or a list of names", "{messages"),
    "one-word-for-list": Case("categories: [messages, health]", "categories: messages", "expected `all` or a list of names, got `messages`", "messages"),
    "number-in-list": Case("categories: [messages, health]", "categories: [messages, 5]", "expected text; put quotes around", "5"),
    "empty-list": Case("categories: [messages, health]", "categories: []", "expected at least one entry", "[]"),
    "empty-text": Case("why: it must", "why: ''", "expected some text", "''"),
    "long-text": Case("why: it must", f"why: {'x' * 4001}", "expected at most 4000 letters", "xxx"),
    "bare-date": Case("effective: 2025-06-01T00:00:00Z", "effective: 2025-06-01", "expected an instant with a time zone", "2025-06-01"),
    "naive-instant": Case("effective: 2025-06-01T00:00:00Z", "effective: 2025-06-01T00:00:00", "expected an instant with a time zone", "2025-06-01T00"),
    "instant-of-another-age": Case("effective: 2025-06-01T00:00:00Z", "effective: 9999-06-01T00:00:00Z", "from 1684 to 2255", "9999"),
    "no-such-day": Case("effective: 2025-06-01T00:00:00Z", "effective: 2025-02-30T00:00:00Z", "got `2025-02-30T00:00:00Z`", "2025-02-30"),
    "months": Case("365d", "12m", "expected a number of days, such as `30d`", "12m"),
    "days-without-unit": Case("365d", "365", "got `365`", "365"),
    "days-in-other-digits": Case("365d", "٣d", "expected a number of days", "٣d"),
    "age-in-words": Case("{age: 18}", "{age: adult}", "expected a whole number", "adult"),
    "age-of-trees": Case("{age: 18}", "{age: 1800}", "got `1800`", "1800"),
    "truth-in-words": Case("counts: false", "counts: no", "expected `true` or `false`, got `no`", "no"),
    "language-in-words": Case("v1: {declares", "v1: {language: in English, declares", "expected a language (BCP 47), such as `en`", "in English"),
    "contact-by-name": Case("contact: privacy@example.org", "contact: Jo", "expected an e-mail address, or the address of a page", "Jo"),
    "rights-somewhere": Case("rights: https://example.org/rights", "rights: in the settings", "expected the address of a page", "in the settings"),
    "controller-without-address": Case("    address: 1 Example Street, London\n", "", "expected a key `address` here, got `identifier`, `contact`", "identifier"),
    "unknown-controller": Case("controller: Example Ltd", "controller: Exmple Ltd", "unknown controller `Exmple Ltd`; did you mean `Example Ltd`?", "Exmple"),
    "jurisdiction-of-nowhere": Case("jurisdictions: [GB]", "jurisdictions: [GB, GDPR]", "or `EU` or `EEA`, got `GDPR`", "GDPR"),
    "short-digest": Case("v1: {declares", "v1: {digest: sha256:12, declares", "expected a digest", "sha256:12"),
    "duplicate-key": Case("mode: always", "mode: always\n        mode: never", "expected each key once, got `mode` again (first in line 67)", "mode: never"),
    # ── meaning ──
    "unknown-purpose": Case("purposes: [ranking]", "purposes: [rank]", "unknown purpose `rank`; did you mean `ranking`?", "rank"),
    "unknown-category": Case("[messages, health]", "[messages, videos]", "unknown category `videos`", "videos"),
    "unknown-recipient": Case("recipients: [platform]\n        data", "recipients: [partner]\n        data", "unknown recipient `partner`", "partner"),
    "unknown-exception": Case("categories: [messages, health]", "categories: [messages, health]\n        except: [vidoes]", "unknown category `vidoes`", "vidoes"),
    "unknown-territory": Case("territories: [US]", "territories: [USA]", "expected a territory such as `DE`", "USA"),
    "unknown-territory-in-group": Case("include: [EEA, CH]", "include: [EEA, Schweiz]", "got `Schweiz`", "Schweiz"),
    "unknown-exception-in-group": Case("except: [LI]", "except: [XX]", "got `XX`", "XX"),
    "unknown-group": Case("territories: [asked]", "territories: [aksed]", "did you mean `asked`?", "aksed"),
    "group-named-as-territory": Case("asked: {include", "FR: {include", "expected a new name for a group, got `FR`", "FR"),
    "group-named-as-group": Case("asked: {include", "EEA: {include", "expected a new name for a group, got `EEA`", "EEA"),
    "group-in-itself": Case("include: [EEA, CH]", "include: [asked]", "expected a group to be made of others", "asked"),
    "unknown-attribute": Case("{plan: [free]}", "{plna: [free]}", "unknown attribute `plna`; did you mean `plan`?", "[free]"),
    "unknown-value": Case("{plan: [free]}", "{plan: [fere]}", "unknown value `fere`", "fere"),
    "unknown-default": Case("default: free", "default: gratis", "unknown value `gratis`", "gratis"),
    "value-twice": Case("[free, pro]", "[free, free]", "expected each value once, got `free` again", "free]"),
    "unknown-notice": Case("notice: banner, version", "notice: baner, version", "unknown notice `baner`; did you mean `banner`?", "baner"),
    "unknown-notice-in-rule": Case(TELL, TELL.replace("banner", "letter"), "unknown notice `letter`", "letter"),
    "unknown-notice-version": Case("version: v1, t", "version: v9, t", "unknown version of notice `banner` `v9`", ""),
    "unknown-accepted-version": Case(TELL, TELL.replace("[v1]", "[v3]"), "unknown version of notice `banner` `v3`", "v3"),
    "unknown-role": Case("    sign_up:", "    roles: {autor: {counts: true}}\n    sign_up:", "unknown role `autor`; did you mean `author`?", "{counts"),
    "account-attribute-at-sign-up": Case("{kind: [member]}", "{plan: [free]}", "expected an attribute of subjects, got `plan`", "[free]"),
    "name-taken": Case("  messages:\n", "  posts:\n", "expected each name once in `categories`, got `posts`", "posts"),
    "name-below-itself": Case("posts: , comments", "posts: {children: {content: }}, comments", "got `content`, which is taken", "content"),
    "term-named-all": Case("affiliate: }", "all: }", "got `all`, which is taken", "all"),
    "was-still-in-use": Case("  messages:", "  messages: {was: [posts]}", "got `posts`, which is a term of `categories` still", "[posts]"),
    "was-still-in-use-below": Case("posts: , comments", "posts: {was: [messages]}, comments", "got `messages`", "[messages]"),
    "version-twice": Case("id: second", "id: first", "expected each version once, got `first` again", "first"),
    "rule-twice": Case("id: tell", "id: ask", "expected each rule once, got `ask` again", "ask"),
    "two-at-once": Case("effective: 2025-02-01", "effective: 2025-06-01", "got `first` and `second`", "2025-06-01"),
    "announced-late": Case("announced: 2025-05-01", "announced: 2025-07-01", "announced by when it is effective", "2025-07-01"),
    "not-fresh-for-a-day": Case("id: second", "id: second\n    freshness: 0d", "expected at least `1d`", "0d"),
    "opt-in-without-covers": Case("        covers: after-choice\n", "", "expected an `opt-in` rule to say what data it `covers`", "opt-in"),
    "opt-out-after-choice": Case("covers: after-notice", "covers: after-choice", "of an opt-out rule, got `after-choice`", "after-choice"),
    "opt-in-after-notice": Case("covers: after-choice", "covers: after-notice", "of an opt-in rule, got `after-notice`", "after-notice"),
    "all-without-reason": Case("covers: after-notice", "covers: all", "expected `covers_reason`", "all"),
    "reason-without-all": Case("covers: after-notice", "covers: after-notice\n        covers_reason: x", "only beside `covers: all`", "x"),
    "opt-out-without-notice": Case(TELL, "mode: opt-out", "to name a `notice` and the versions", "opt-out"),
    "opt-in-accepts-nothing": Case(ASK, ASK.replace("[v1]", "[]"), "to name a `notice` and the versions", "opt-in"),
    "never-with-notice": Case("mode: never", "mode: never\n        notice: banner", "expected no `notice` in an `never` rule", "banner"),
    "opt-in-with-notice-period": Case(ASK, ASK + "\n        notice_period: 3d", "expected no `notice_period`", "3d"),
    "opt-out-that-expires": Case(TELL, TELL + "\n        expires_after: 3d", "expected no `expires_after`", "3d"),
    "opt-in-told-by-publication": Case(ASK, ASK + "\n        told: published", "expected no `told`", "published"),
    "opt-out-that-overrides": Case(TELL, TELL + "\n        overrides: {ground: law, why: x}", "expected no `overrides`", "{ground"),
    "never-by-the-organisation": Case("mode: never", "mode: never\n        holder: organisation", "expected no `holder`", "organisation"),
    "disputed-without-why": Case("mode: never", "mode: disputed", "expected a `disputed` rule to say `why`", "disputed"),
    "consent-by-silence": Case("basis: legitimate-interests", "basis: consent", "silence is not consent", "consent"),
    "consent-by-the-organisation": Case("basis: consent", "basis: consent\n        holder: organisation", "cannot consent for a person", "consent"),
    "guardian-of-an-organisation": Case("min_age: {age: 18}", "min_age: {age: 18, or: guardian}\n        holder: organisation", "a guardian acts for a person", "guardian"),
    "expires-at-once": Case("365d", "0d", "no grant would ever stand", "0d"),
    "interval-backwards": Case("{until: 2025-01-01T00:00:00Z}", "{from: 2025-01-01T00:00:00Z, until: 2024-01-01T00:00:00Z}", "begins before it ends", "{from"),
    "collected-backwards": Case("{from: 2020-01-01T00:00:00Z}", "{from: 2020-01-01T00:00:00Z, until: 2020-01-01T00:00:00Z}", "begins before it ends", "{from"),
    "ages-backwards": Case("{from: 16, until: 99}", "{from: 16, until: 16}", "got `16` to `16`", "{from"),
    "notice-of-something-else": Case(TELL, "mode: opt-out\n        notice: banner\n        accepts: [v2]\n        except: [posts]", "expected a version of `banner` that declares something", "[v2]"),
    "override-of-a-choice": Case("purposes: [ranking]", "purposes: [genai]", "no override where people could choose before, got one in the place of `ask`", "{ground"),
}  # fmt: skip

WARNINGS = {
    "told-by-publication": Case(TELL, TELL + "\n        told: published", "nobody is known to have read it", "published"),
    "person-not-heard": Case(TELL, TELL + "\n        holder: organisation", "does not hear the person", "organisation"),
    "special-by-opt-out": Case("[content]\n        recipients: [platform]\n        territories: [GB]", "[content, health]\n        recipients: [platform]\n        territories: [GB]", "special categories pass no opt-out rule: `health`", "[content, health]"),
    "not-declared": Case(TELL, TELL.replace("[v1]", "[v1, v2]"), "version `v2` of the notice does not declare `comments`", "[v1, v2]"),
    "exception-of-nothing": Case("categories: [messages, health]", "categories: [messages, health]\n        except: [posts]", "leaving it out changes nothing", "[posts]"),
    "scope-empty": Case("categories: [messages, health]", "categories: [messages, health]\n        except: [messages, health]", "its scope is empty", "[messages"),
    "nowhere": Case("include: [EEA, CH], except: [LI]", "include: [EEA, CH], except: [EEA, CH]", "this rule matches nowhere", "[asked]"),
    "data-of-later": Case(ASK, ASK + "\n        data: {from: 2025-06-01T00:00:00Z}", "its version ends on `2025-06-01T00:00:00Z`", "{from"),
    "nothing-collected-then": Case("data: {until: 2025-01-01T00:00:00Z}", "data: {until: 2025-01-01T00:00:00Z}\n        collected: {from: 2025-01-01T00:00:00Z}", "lets nothing through", "{from"),
    "everybody-is-born": Case("{age: 18}", "{age: 0}", "at least 0 years old", "{age"),
    "unused-notice": Case("signals:", "  letter: {versions: {v1: {declares: {purposes: all, categories: all, recipients: all}}}}\nsignals:", "no rule asks for the notice `letter`", "letter"),
    "unused-group": Case("attributes:\n", "  other: {include: [GB]}\nattributes:\n", "no rule asks for the group `other`", "other"),
    "unused-attribute": Case("roles:\n", "  other: {values: [a]}\nroles:\n", "no rule asks for the attribute `other`", "other"),
    "unused-controller": Case("\n        controller: Example Ltd", "", "no rule names the controller `Example Ltd`", "Example Ltd"),
    "role-said-twice": Case("    sign_up:", "    roles: {author: {counts: true}}\n    sign_up:", "the document says the same of the role `author`", "{counts"),
    "no-rules": Case("versions:\n  - id: first", "versions:\n  - {id: none, announced: 2024-01-01T00:00:00Z, effective: 2024-01-01T00:00:00Z, rules: []}\n  - id: first", "version `none` has no rules", "[]"),
}  # fmt: skip


def text(case: Case) -> str:
    """The policy of a case."""
    good = (FOLDER / "good.yaml").read_text("utf-8")
    assert good.count(case.old) >= 1, case.old
    return good.replace(case.old, case.new, 1)


def write() -> None:
    """Writes every case."""
    for name, case in (ERRORS | WARNINGS).items():
        (FOLDER / "bad" / f"{name}.yaml").write_text(text(case), "utf-8")


if __name__ == "__main__":
    write()
