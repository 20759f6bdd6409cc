"""Generated policies, ledgers and records: small worlds in which everything meets everything.

Instants lie on a grid of days with the odd microsecond beside it, ids and terms are few, so that ties, borders and
collisions are the rule and not the exception. The simplest draw of everything is the interesting one: somebody who is
registered and resident, a version in force, a rule that reaches the record.
"""

from sayso.consent.context import Context
from sayso.consent.editions import Editions
from sayso.policy.facts import Use
from sayso.policy.model import Policy
from tests.strategies.corpora import many_records, records
from tests.strategies.events import Payload, choices, fact, facts, payloads, position
from tests.strategies.policies import policies, rules
from tests.strategies.terms import (
    ATTRIBUTES,
    CATEGORIES,
    EARLIER_CATEGORIES,
    EVERYTHING,
    EVERYTHING_EVER,
    NOTICES,
    PLACES,
    PURPOSES,
    RECIPIENTS,
    ROLES,
    START,
    instants,
    now_and_then,
    regions,
    scopes,
    vocabulary,
    windows,
)
from tests.strategies.worlds import PEOPLE, World, contexts, worlds

__all__ = [
    "ATTRIBUTES",
    "CATEGORIES",
    "EARLIER_CATEGORIES",
    "EVERYTHING",
    "EVERYTHING_EVER",
    "NOTICES",
    "PEOPLE",
    "PLACES",
    "PURPOSES",
    "RECIPIENTS",
    "ROLES",
    "START",
    "Context",
    "Editions",
    "Payload",
    "Policy",
    "Use",
    "World",
    "choices",
    "contexts",
    "fact",
    "facts",
    "instants",
    "many_records",
    "now_and_then",
    "payloads",
    "policies",
    "position",
    "records",
    "regions",
    "rules",
    "scopes",
    "vocabulary",
    "windows",
    "worlds",
]  # fmt: skip
