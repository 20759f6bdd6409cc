"""ISO territories and dated groups, as data of our own (`docs/territories.md`)."""

from sayso.territory.code import canonical, country, is_known
from sayso.territory.groups import WORLD, groups, members, not_known
from sayso.territory.region import Region, region, to_json
from sayso.territory.table import ALIASES, KNOWN, OUTSIDE, ROWS

__all__ = [
    "ALIASES",
    "KNOWN",
    "OUTSIDE",
    "ROWS",
    "WORLD",
    "Region",
    "canonical",
    "country",
    "groups",
    "is_known",
    "members",
    "not_known",
    "region",
    "to_json",
]
