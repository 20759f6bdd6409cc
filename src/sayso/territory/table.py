"""The dated table: which territories there are, and which belonged to which group from when until when.

Every line here is a fact about the world; `docs/territories.md` prints all of them with their sources and is tested
to be complete. Written instants are ISO 8601: a bare date is 00:00 UTC of that day.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple


class Row(NamedTuple):
    """A territory's membership of a group over `[since, until)`; an `until` of `None` is open.

    `checked` says whether status and dates were read in a source, be it a secondary one, or entered from memory.
    """

    group: str
    code: str
    since: str
    until: str | None
    basis: str
    checked: bool


_ASSIGNED = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
ISO_3166_1 = frozenset(_ASSIGNED.split())
"""The 249 officially assigned alpha-2 codes."""

KNOWN = ISO_3166_1 | {"XK"}
"""Every country code that a record or residence may bear: ISO 3166-1, and the user-assigned code of Kosovo."""

ALIASES = MappingProxyType(
    {
        # Reserved codes and those of the EU's institutions.
        "EA": "ES", "EL": "GR", "IC": "ES-CN", "UK": "GB",
        # ISO 3166-2 codes of what has an ISO 3166-1 code of its own: the current ones ...
        "CN-HK": "HK", "CN-MO": "MO", "CN-TW": "TW",
        "FI-01": "AX",
        "FR-971": "GP", "FR-972": "MQ", "FR-973": "GF", "FR-974": "RE", "FR-976": "YT",
        "FR-BL": "BL", "FR-MF": "MF", "FR-NC": "NC", "FR-PF": "PF", "FR-PM": "PM", "FR-TF": "TF", "FR-WF": "WF",
        "NL-AW": "AW", "NL-BQ1": "BQ-BO", "NL-BQ2": "BQ-SA", "NL-BQ3": "BQ-SE", "NL-CW": "CW", "NL-SX": "SX",
        "NO-21": "SJ", "NO-22": "SJ",
        "US-AS": "AS", "US-GU": "GU", "US-MP": "MP", "US-PR": "PR", "US-UM": "UM", "US-VI": "VI",
        # ... and those that ISO has since withdrawn, which older data still bears.
        "CN-71": "TW", "CN-91": "HK", "CN-92": "MO",
        "FR-GF": "GF", "FR-GP": "GP", "FR-MQ": "MQ", "FR-RE": "RE", "FR-YT": "YT",
    }
)  # fmt: skip
"""Codes that mean a territory known here by another. Without them a record from `FR-974` would count as one from
France, and one from `CN-HK` as one from China. Only where the two codes mean the same place, or the second holds it."""

WITHDRAWAL = "2020-01-31T23:00:00Z"
"""Midnight in Brussels, when the United Kingdom ceased to be a member."""

IP_COMPLETION = "2020-12-31T23:00:00Z"
"""When EU law ceased to apply in the United Kingdom: "IP completion day", 11 p.m. there."""

GDPR = "2018-05-25"


def _rows(group: str, codes: str, since: str, until: str | None, basis: str, *, checked: bool = False) -> list[Row]:
    return [Row(group, code, since, until, basis, checked) for code in codes.split()]


_EU = (
    *_rows("EU", "BE DE FR IT LU NL", "1958-01-01", None, "founding member"),
    *_rows("EU", "DK IE", "1973-01-01", None, "accession"),
    *_rows("EU", "GB", "1973-01-01", WITHDRAWAL, "accession; withdrawal under TEU 50"),
    *_rows("EU", "GI", "1973-01-01", WITHDRAWAL, "TFEU 355(3); left with the United Kingdom"),
    *_rows("EU", "GR", "1981-01-01", None, "accession"),
    *_rows("EU", "ES PT", "1986-01-01", None, "accession"),
    *_rows("EU", "AT FI SE", "1995-01-01", None, "accession"),
    *_rows("EU", "AX", "1995-01-01", None, "TFEU 355(4) and Protocol 2: outside the VAT area only"),
    *_rows("EU", "CY CZ EE HU LT LV MT PL SI SK", "2004-05-01", None, "accession"),
    *_rows("EU", "BG RO", "2007-01-01", None, "accession"),
    *_rows("EU", "HR", "2013-07-01", None, "accession"),
    *_rows("EU", "GF GP MQ RE", "1958-01-01", None, "TFEU 349 and 355(1): outermost region"),
    *_rows("EU", "MF", "1958-01-01", None, "TFEU 349 and 355(1): outermost region; before 2007 under `GP`"),
    *_rows("EU", "YT", "2014-01-01", None, "Decision 2012/419/EU: outermost region from that day", checked=True),
    *_rows("EU", "BL", "1958-01-01", "2012-01-01", "outermost region until Decision 2010/718/EU"),
)

_NOT_WITH_THE_EU = {
    **dict.fromkeys(("BG", "RO"), ("2007-08-01", "EEA Enlargement Agreement, applied provisionally", True)),
    "HR": ("2014-04-12", "EEA Enlargement Agreement, applied provisionally (efta.int)", True),
    **dict.fromkeys(("AT", "FI", "SE", "AX"), ("1994-01-01", "EEA Agreement, before accession to the EU", False)),
}


def _in_the_eea(row: Row) -> Row:
    """The EEA Agreement applies where the Treaties do (its article 126), from 1994 or from enlargement."""
    unlisted = (max(row.since, "1994-01-01"), f"EEA Agreement 126; EU: {row.basis}", False)
    since, basis, checked = _NOT_WITH_THE_EU.get(row.code, unlisted)
    return row._replace(group="EEA", since=since, basis=basis, checked=checked)


def _under_the_gdpr(row: Row) -> Row:
    """The regulation applies where the Treaties do (TEU 52, TFEU 355), and did to the end of the transition."""
    if row.until == WITHDRAWAL:
        basis, until = f"GDPR 99(2), and in the transition; EU: {row.basis}", IP_COMPLETION
        return Row("GDPR", row.code, GDPR, until, basis, checked=row.code != "GI")
    return Row("GDPR", row.code, GDPR, None, f"GDPR 99(2); EU: {row.basis}", checked=True)


ROWS: tuple[Row, ...] = (
    *_EU,
    *(_in_the_eea(row) for row in _EU),
    *_rows("EEA", "IS NO", "1994-01-01", None, "EEA Agreement"),
    *_rows("EEA", "LI", "1995-05-01", None, "EEA Agreement"),
    *_rows("EFTA", "CH NO", "1960-05-03", None, "founding member", checked=True),
    *_rows("EFTA", "AT SE", "1960-05-03", "1995-01-01", "founding member; left for the EU", checked=True),
    *_rows("EFTA", "DK GB", "1960-05-03", "1973-01-01", "founding member; left for the EC", checked=True),
    *_rows("EFTA", "PT", "1960-05-03", "1986-01-01", "founding member; left for the EC", checked=True),
    *_rows("EFTA", "IS", "1970-03-01", None, "accession", checked=True),
    *_rows("EFTA", "FI", "1986-01-01", "1995-01-01", "full member, associate before; left for the EU", checked=True),
    *_rows("EFTA", "LI", "1991-09-01", None, "accession", checked=True),
    *(_under_the_gdpr(row) for row in _EU if row.code != "BL"),
    *_rows("GDPR", "IS LI NO", "2018-07-20", None, "EEA Joint Committee Decision 154/2018", checked=True),
)
"""Every membership there is. `EU` and `EEA` are where the Treaties and the Agreement apply, outermost regions
included; `GDPR` is where the regulation itself applies by territory."""


class Edge(NamedTuple):
    """A territory that is taken for one inside the EU, the EEA or the GDPR, and is not; `checked` as in `Row`."""

    code: str
    why: str
    checked: bool


OUTSIDE: tuple[Edge, ...] = (
    Edge("AD", "microstate, neither EU nor EEA", True),
    Edge("AW", "Dutch overseas country", False),
    Edge("BL", "printed in TFEU 355(1), but an overseas country since 2012-01-01 (Decision 2010/718/EU)", True),
    Edge("BQ", "Dutch overseas country", False),
    Edge("CH", "EFTA, but neither EU nor EEA; a data protection act of its own", True),
    Edge("CW", "Dutch overseas country", False),
    Edge("FO", "excluded by TFEU 355(5)(a), though Danish", True),
    Edge("GB", "UK GDPR since the transition; the EU's still holds for some data of before 2021", True),
    Edge("GG", "never inside; TFEU 355(5)(c) reached it for trade only", False),
    Edge("GI", "left with the United Kingdom; Gibraltar GDPR since 2021", False),
    Edge("GL", "overseas country (TFEU, Annex II), though Danish", False),
    Edge("IM", "never inside; TFEU 355(5)(c) reached it for trade only", False),
    Edge("JE", "never inside; TFEU 355(5)(c) reached it for trade only", False),
    Edge("MC", "microstate, neither EU nor EEA", False),
    Edge("NC", "French overseas country, TFEU 355(2); French law may extend to it", True),
    Edge("PF", "French overseas country, TFEU 355(2); French law may extend to it", True),
    Edge("PM", "French overseas country, TFEU 355(2); French law may extend to it", True),
    Edge("SJ", "Svalbard is outside the EEA; Norwegian law covers it and Jan Mayen", False),
    Edge("SM", "microstate, neither EU nor EEA", False),
    Edge("SX", "Dutch overseas country; `MF` is the French part of the island, and inside", False),
    Edge("TF", "French overseas country, TFEU 355(2); French law may extend to it", True),
    Edge("VA", "microstate, neither EU nor EEA", False),
    Edge("WF", "French overseas country, TFEU 355(2); French law may extend to it", True),
    Edge("XK", "user-assigned code; neither EU nor EEA", True),
)
