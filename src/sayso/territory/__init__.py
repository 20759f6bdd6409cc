"""ISO territories and dated groups, as data of our own (`docs/territories.md`)."""

from sayso.territory.code import canonical, country, is_known
from sayso.territory.region import WORLD, Region, groups, members, region, to_json
from sayso.territory.table import ALIASES, KNOWN, ROWS

__all__ = [
    "ALIASES",
    "KNOWN",
    "ROWS",
    "WORLD",
    "Region",
    "canonical",
    "country",
    "groups",
    "is_known",
    "members",
    "region",
    "to_json",
]
