"""The same question put to engines for authorization, one call each: `python -m benchmarks.rivals`, with casbin and
cedarpy installed beside (`pip install casbin cedarpy`). The last line printed is JSON, in microseconds.

The question: may a record of this category, of somebody in this territory, be used for this purpose, if that person has
not refused? Evidence, dates, notices and the ledger are left out, for they have no words for them.
"""

from __future__ import annotations

import importlib
import json
import random
import statistics
import time
from collections.abc import Callable

PURPOSES = ("ranking", "generative-ai", "open-release")
CATEGORIES = ("profile", "posts", "comments", "group-messages", "ai-inputs", "ai-outputs", "usage")
TERRITORIES = (
    "US",
    "IN",
    "BR",
    "GB",
    "FR",
    "DE",
    "IT",
    "ES",
    "NL",
    "CA",
    "AU",
    "ID",
    "MX",
    "JP",
    "SG",
    "CH",
    "NO",
    "SE",
    "PL",
    "PT",
)
Asked = tuple[str, str, str, str, bool]

_MODEL = """
[request_definition]
r = purpose, category, territory, refused
[policy_definition]
p = purpose, category, territory
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = !r.refused && r.purpose == p.purpose && r.category == p.category && r.territory == p.territory
"""


def questions(count: int) -> list[Asked]:
    """Questions from a seed."""
    draw = random.Random(1)
    return [
        (
            str(number), draw.choice(PURPOSES), draw.choice(CATEGORIES), draw.choice(TERRITORIES), draw.random() < 0.1,
        )
        for number in range(count)
    ]  # fmt: skip


def casbin() -> Callable[[Asked], object]:
    """Casbin's enforcer: every permitted purpose and category in one territory is a line."""
    module = importlib.import_module("casbin")
    model = module.Model()
    model.load_model_from_text(_MODEL)
    enforcer = module.Enforcer(model)
    # One line matches; with every purpose, category and territory as lines a call takes milliseconds.
    for purpose in PURPOSES:
        enforcer.add_policy(purpose, "posts", "US")
    return lambda asked: enforcer.enforce(asked[1], asked[2], asked[3], asked[4])


def cedar() -> Callable[[Asked], object]:
    """Cedar through cedarpy: one policy over sets, the person an entity."""
    module = importlib.import_module("cedarpy")
    named = ", ".join(f'"{name}"' for name in CATEGORIES)
    placed = ", ".join(f'"{name}"' for name in TERRITORIES)
    policies = (
        f"permit(principal, action, resource) when {{ [{named}].contains(context.category) && "
        f"[{placed}].contains(context.territory) && !context.refused }};"
    )

    def ask(asked: Asked) -> object:
        request = {
            "principal": f'User::"{asked[0]}"', "action": f'Action::"{asked[1]}"', "resource": 'Corpus::"all"',
            "context": {"category": asked[2], "territory": asked[3], "refused": asked[4]},
        }  # fmt: skip
        return module.is_authorized(request, policies, [])

    return ask


def measured() -> dict[str, float | None]:
    """The median of each, in microseconds; `None` where it is not installed."""
    found: dict[str, float | None] = {}
    for name, make in (("casbin", casbin), ("cedarpy", cedar)):
        try:
            ask = make()
        except ModuleNotFoundError:
            found[name] = None
            continue
        spent = []
        for asked in questions(5000):
            before = time.perf_counter_ns()
            ask(asked)
            spent.append(time.perf_counter_ns() - before)
        found[name] = round(statistics.median(spent) / 1000, 1)
    return found


if __name__ == "__main__":
    print(json.dumps(measured()))
