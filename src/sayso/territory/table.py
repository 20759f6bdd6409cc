"""The dated table: which territories there are, and which belong to which group from when until when.

Sources are those of `docs/territories.md`. A row whose basis ends in `[M]` was entered from memory and not checked
against a primary text. Dates are the first day, in UTC, unless an hour is given.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A territory's membership of a group, half-open; `None` is open. Written instants are ISO 8601 dates or times."""

    group: str
    code: str
    since: str | None
    until: str | None
    basis: str


ISO_3166_1 = frozenset(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW".split()
)
"""The 249 officially assigned alpha-2 codes."""

KNOWN = ISO_3166_1 | {"XK"}
"""Every country code that a record or residence may bear: ISO 3166-1 and the user-assigned code of Kosovo."""

ALIASES = {
    "UK": "GB", "EL": "GR", "XI": "GB-NIR", "IC": "ES-CN", "EA": "ES", "FR-971": "GP", "FR-972": "MQ", "FR-973": "GF",
    "FR-974": "RE", "FR-976": "YT", "FR-GP": "GP", "FR-MQ": "MQ", "FR-GF": "GF", "FR-RE": "RE", "FR-YT": "YT",
    "FR-MF": "MF", "FR-BL": "BL", "FR-PM": "PM", "FR-NC": "NC", "FR-PF": "PF", "FR-WF": "WF", "FR-TF": "TF",
    "FI-01": "AX", "NL-AW": "AW", "NL-CW": "CW", "NL-SX": "SX", "NL-BQ1": "BQ", "NL-BQ2": "BQ", "NL-BQ3": "BQ",
    "US-AS": "AS", "US-GU": "GU", "US-MP": "MP", "US-PR": "PR", "US-UM": "UM", "US-VI": "VI",
    "CN-HK": "HK", "CN-MO": "MO", "CN-TW": "TW", "NO-21": "SJ", "NO-22": "SJ",
}  # fmt: skip
"""Codes that mean a territory with another code: exceptional and tax codes, and ISO 3166-2 codes of what has its own
alpha-2 code."""

BREXIT = "2020-01-31T23:00:00Z"
IP_COMPLETION = "2020-12-31T23:00:00Z"
GDPR = "2018-05-25"
OUTERMOST = "TFEU 349, 355(1)"

_EU = (
    *(Row("EU", code, "1958-01-01", None, "founding member [M]") for code in "BE DE FR IT LU NL".split()),
    *(Row("EU", code, "1973-01-01", None, "accession [M]") for code in ("DK", "IE")),
    Row("EU", "GB", "1973-01-01", BREXIT, "accession [M]; withdrawal"),
    Row("EU", "GI", "1973-01-01", BREXIT, "TFEU 355(3) [M]; withdrawal"),
    Row("EU", "GR", "1981-01-01", None, "accession [M]"),
    *(Row("EU", code, "1986-01-01", None, "accession [M]") for code in ("ES", "PT")),
    *(Row("EU", code, "1995-01-01", None, "accession [M]") for code in ("AT", "FI", "SE")),
    *(Row("EU", code, "2004-05-01", None, "accession [M]") for code in "CY CZ EE HU LT LV MT PL SI SK".split()),
    *(Row("EU", code, "2007-01-01", None, "accession [M]") for code in ("BG", "RO")),
    Row("EU", "HR", "2013-07-01", None, "accession [M]"),
    *(Row("EU", code, "1958-01-01", None, OUTERMOST) for code in "GF GP MQ RE".split()),
    Row("EU", "MF", "1958-01-01", None, f"{OUTERMOST}; own code since 2007 [M]"),
    Row("EU", "YT", "2014-01-01", None, "Decision 2012/419/EU: outermost from that day"),
    Row("EU", "BL", "1958-01-01", "2012-01-01", "Decision 2010/718/EU: no longer outermost [M]"),
    Row("EU", "AX", "1995-01-01", None, "TFEU 355(4), Protocol 2"),
)

ROWS: tuple[Row, ...] = (
    *_EU,
    *(row._replace(group="EEA", since=max(row.since or "", "1994-01-01")) for row in _EU),
    *(Row("EEA", code, "1994-01-01", None, "EEA Agreement [M]") for code in ("IS", "NO")),
    Row("EEA", "LI", "1995-05-01", None, "EEA Agreement [M]"),
    *(Row("EFTA", code, "1995-01-01", None, "member [M]") for code in "CH IS LI NO".split()),
    *(
        row._replace(group="GDPR", since=max(row.since or "", GDPR), until=IP_COMPLETION if row.until == BREXIT else None)
        for row in _EU
        if row.code != "BL"
    ),
    *(Row("GDPR", code, "2018-07-20", None, "Joint Committee Decision 154/2018") for code in ("IS", "LI", "NO")),
)
"""Every membership. `EU` is where the Treaties apply to persons, outermost regions included; `GDPR` where the
regulation itself applies, until the end of the transition in the United Kingdom and Gibraltar."""

OUTSIDE = {
    "BL": "printed in TFEU 355(1) but an overseas territory since 2012-01-01 [M]",
    "PM": "French overseas territory, TFEU 355(2)", "NC": "French overseas territory, TFEU 355(2)",
    "PF": "French overseas territory, TFEU 355(2)", "WF": "French overseas territory, TFEU 355(2)",
    "TF": "French overseas territory, TFEU 355(2)", "FO": "excluded by TFEU 355(5)(a)",
    "GL": "overseas territory, Annex II [M]", "BQ": "Dutch overseas territory [M]", "AW": "Dutch overseas territory [M]",
    "CW": "Dutch overseas territory [M]", "SX": "Dutch overseas territory [M]", "GI": "left with the United Kingdom",
    "GB": "left", "GG": "TFEU 355(5)(c) [M]: never inside", "JE": "TFEU 355(5)(c) [M]: never inside",
    "IM": "TFEU 355(5)(c) [M]: never inside", "SJ": "outside the EEA for Svalbard [M]", "AD": "microstate",
    "MC": "microstate", "SM": "microstate", "VA": "microstate", "CH": "neither EU nor EEA", "XK": "user-assigned code",
}  # fmt: skip
"""Territories that are taken for members and are not (in 2026), and why."""
