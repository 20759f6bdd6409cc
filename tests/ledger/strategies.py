"""Generated events of every kind, as a ledger of each id type may be given them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from sayso import instant
from sayso.canonical import digest
from sayso.ledger import events as e
from sayso.ledger.document import checked
from sayso.ledger.identity import IdType

INSTANTS = st.integers(instant.parse("1971-01-01T00:00:00Z"), instant.parse("2037-01-01T00:00:00Z"))
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
KEYS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,8}", fullmatch=True)
TERRITORIES = st.sampled_from(["FR", "US", "US-CA", "GB", "HK", "ES-CN"])
ATTRIBUTES = st.dictionaries(KEYS, NAMES, max_size=3)
SOME_NAMES = st.lists(NAMES, min_size=1, max_size=3)
DIGESTS = st.binary(max_size=4).map(lambda data: digest(data.hex()))


def ids(id_type: IdType) -> st.SearchStrategy[Any]:
    """Ids in every form in which a ledger of the type takes them."""
    match id_type:
        case IdType.INT64:
            number = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9)
            return number | number.map(str)
        case IdType.UUID:
            uuid = st.uuids() | st.integers(0, 9).map(lambda n: UUID(int=n))
            return uuid.map(str) | uuid.map(lambda one: str(one).upper()) | uuid.map(lambda one: one.hex)
        case IdType.STRING:
            return NAMES


def documents(id_type: IdType) -> st.SearchStrategy[e.Event]:
    """Events of every kind, well formed, whatever the ledger knows."""
    one = ids(id_type)
    several = st.lists(one, min_size=1, max_size=4)
    scope = st.fixed_dictionaries(
        {}, optional={"purposes": SOME_NAMES, "categories": SOME_NAMES, "except": SOME_NAMES, "recipients": SOME_NAMES}
    )
    data = st.fixed_dictionaries({}, optional={"from": INSTANTS, "until": INSTANTS})
    described = {"at": st.just("sign-up"), "territories": st.lists(TERRITORIES, min_size=1, max_size=2)}
    fields: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "subject.registered": (
            {"subject": one},
            {"territory": TERRITORIES, "birth_year": st.integers(1900, 2020), "attributes": ATTRIBUTES},
        ),
        "subject.moved": ({"subject": one, "territory": TERRITORIES}, {}),
        "subject.attributes-changed": ({"subject": one, "attributes": ATTRIBUTES.filter(bool)}, {}),
        "subject.birth-year": (
            {"subject": one, "year": st.integers(1900, 2020)},
            {"corrected": st.booleans(), "evidence": TEXTS},
        ),
        "subject.aliased": ({"subject": one, "other": one}, {}),
        "subject.erased": ({"subject": one}, {}),
        "account.attributes-changed": ({"account": one, "attributes": ATTRIBUTES.filter(bool)}, {}),
        "organisation.joined": ({"organisation": one, "account": one}, {}),
        "organisation.left": ({"organisation": one, "account": one}, {}),
        "organisation.owners": ({"organisation": one, "owners": st.lists(one, max_size=3)}, {}),
        "guardian.registered": ({"subject": one, "guardian": one}, {}),
        "guardian.ended": ({"subject": one, "guardian": one}, {}),
        "agent.mandated": ({"subject": one, "agent": one}, {}),
        "agent.ended": ({"subject": one, "agent": one}, {}),
        "choice.recorded": (
            {"decision": st.sampled_from(["grant", "refusal", "withdrawal", "objection"]), "source": TEXTS},
            {
                "subject": one,
                "organisation": one,
                "scope": scope,
                "notice": st.fixed_dictionaries({"id": NAMES, "version": NAMES}),
                "act": st.fixed_dictionaries({"what": TEXTS, "where": TEXTS}),
                "by": st.fixed_dictionaries({"role": st.sampled_from(["guardian", "agent", "owner"]), "id": one}),
            },
        ),
        "signal.seen": ({"subject": one, "signal": NAMES, "channel": NAMES}, {}),
        "notice.published": ({"notice": NAMES, "version": NAMES}, {"digest": DIGESTS}),
        "notice.delivered": (
            {
                "notice": NAMES,
                "version": NAMES,
                "audience": st.fixed_dictionaries({"subjects": several})
                | st.fixed_dictionaries({"organisations": several})
                | st.fixed_dictionaries({}, optional=described | {"attributes": st.dictionaries(KEYS, SOME_NAMES)}),
            },
            {},
        ),
        "policy.published": (
            {
                "platform": NAMES,
                "digest": DIGESTS,
                "document": st.dictionaries(TEXTS, st.floats(-1e9, 1e9) | TEXTS | st.none(), max_size=3),
            },
            {},
        ),
        "version.withdrawn": ({"version": NAMES, "reason": TEXTS}, {}),
        "key.rotated": ({"old": TEXTS, "new": TEXTS, "statement": TEXTS}, {}),
        "suspension.opened": (
            {"suspension": NAMES, "authority": TEXTS, "reason": TEXTS},
            {
                "conditions": st.dictionaries(KEYS, TEXTS, max_size=2),
                "scope": st.fixed_dictionaries(
                    {}, optional={"territories": st.lists(TERRITORIES, min_size=1), "except": SOME_NAMES, "data": data}
                ),
            },
        ),
        "suspension.lifted": ({"suspension": NAMES}, {"evidence": st.dictionaries(KEYS, TEXTS, max_size=2)}),
        "dataset.built": (
            {
                "dataset": NAMES,
                "manifest": DIGESTS,
                "use": st.fixed_dictionaries({"purpose": NAMES, "recipient": NAMES, "at": INSTANTS}),
            },
            {"policy": DIGESTS, "position": st.integers(0, 10**9)},
        ),
        "model.trained": ({"model": NAMES, "datasets": SOME_NAMES}, {"digest": DIGESTS}),
    }
    assert fields.keys() == e.KINDS.keys()
    common = {"effective_at": INSTANTS, "attested": TEXTS}
    return st.one_of(
        [
            st.fixed_dictionaries(needed, optional=optional | common).map(
                lambda given, kind=kind: checked(e.KINDS[kind], given, id_type)  # type: ignore[misc]
            )
            for kind, (needed, optional) in fields.items()
        ]
    )
