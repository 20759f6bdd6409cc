"""The terms that the Data Privacy Vocabulary defines, taken from a checkout of it.

`python -m tests.data.dpv.extract CHECKOUT` writes `terms.txt` and `mandatory.txt` beside this file, which the tests hold receipts against,
and `src/sayso/consent/receipt_terms.py`, the part of it that a policy may name. The checkout is of github.com/w3c/dpv at commit
f01a55c3c0983e35cdfdf80593ece3353faba7b8 (DPV 2.3, 2026-02-28), under the W3C Software and Document Licence 2023.
"""

from __future__ import annotations

import csv
import re
import sys
from html import unescape
from pathlib import Path
from textwrap import fill

HERE = Path(__file__).parent
MODULE = HERE.parents[2] / "src" / "sayso" / "consent" / "receipt_terms.py"
LISTS = {
    "dpv": "2.3/dpv/dpv.csv",
    "pd": "2.3/pd/pd.csv",
    "loc": "2.3/loc/loc.csv",
    "ai": "2.3/ai/ai.csv",
    "eu-gdpr": "2.3/legal/eu/gdpr/eu-gdpr.csv",
}
"""The vocabularies that are listed, by prefix."""
GUIDE, PROFILES = "guides/consent-27560.html", "schema/dpv-27560.ttl"
BORROWED = ("dct", "skos", "schema", "rdf", "xsd")
"""Prefixes of vocabularies that are not DPV's own: of these, the terms that the guide uses."""
ROOTS = {
    "PURPOSES": ("Purpose",),
    "PROCESSING": ("Processing",),
    "PERSONAL_DATA": ("PersonalData",),
    "RECIPIENTS": ("Recipient", "DataController", "ThirdParty"),
}

HEADER = """\
# From the Data Privacy Vocabulary (DPV) 2.3, https://w3id.org/dpv, and its guide to ISO/IEC TS 27560;
# made by tests/data/dpv/extract.py from github.com/w3c/dpv, f01a55c3c0983e35cdfdf80593ece3353faba7b8.
# This document includes material copied from or derived from the Data Privacy Vocabulary (DPV), https://w3id.org/dpv.
# Copyright (c) 2026 the contributors to the DPV and World Wide Web Consortium.
# https://www.w3.org/copyright/software-license-2023/
"""
BEGINNING = '''\
"""What a policy's `dpv` may name in a receipt: terms of the Data Privacy Vocabulary 2.3.

Made by `python -m tests.data.dpv.extract`. This software includes material derived from the Data Privacy Vocabulary,
https://w3id.org/dpv, copyright 2026 its contributors and World Wide Web Consortium, under the W3C Software and Document
Licence 2023, https://www.w3.org/copyright/software-license-2023/.
"""

from __future__ import annotations
'''


def rows(checkout: Path) -> list[tuple[str, dict[str, str]]]:
    """Every term of the lists, by its name with a prefix."""
    found = []
    for prefix, name in LISTS.items():
        with (checkout / name).open(encoding="utf-8", newline="") as file:
            found += [(f"{prefix}:{row['term']}", row) for row in csv.DictReader(file)]
    return found


def borrowed(checkout: Path) -> set[str]:
    """The terms of other vocabularies that the guide uses, and the profiles that it is conformed to by."""
    guide = (checkout / GUIDE).read_text("utf-8")
    names = set(re.findall(rf"(?<![\w:/-])(?:{'|'.join(BORROWED)}):[A-Za-z]+", guide))
    profiles = set(re.findall(r"^(dpv-27560:[a-z0-9-]+) a ", (checkout / PROFILES).read_text("utf-8"), re.MULTILINE))
    return names | profiles


def mandatory(checkout: Path) -> list[str]:
    """The sections of the guide whose field MUST be present, in order."""
    guide = (checkout / GUIDE).read_text("utf-8")
    text = re.sub(r"<[^>]+>", "", re.sub(r"<h[2-6][^>]*>", "\n@@", guide))
    found, section = [], ""
    for line in re.split(r"\s*\n\s*", unescape(text)):
        section = line.removeprefix("@@").strip() if line.startswith("@@") else section
        found += [section] if "This field MUST be present" in line else []
    return found


def below(roots: tuple[str, ...], listed: list[tuple[str, dict[str, str]]]) -> set[str]:
    """The terms that are a root, or narrower than one that is."""
    found, iris = {f"dpv:{root}" for root in roots}, {f"https://w3id.org/dpv#{root}" for root in roots}
    while True:
        more = {
            (name, row["iri"])
            for name, row in listed
            if row["type"] == "class" and iris & {*row["hasbroader"].split(";"), *row["subclassof"].split(";")}
        }
        if {iri for _, iri in more} <= iris:
            return found
        found |= {name for name, _ in more}
        iris |= {iri for _, iri in more}


def main(checkout: Path) -> None:
    """Writes the files."""
    listed = rows(checkout)
    terms = {name for name, _ in listed} | borrowed(checkout)
    (HERE / "terms.txt").write_text(HEADER + "".join(f"{name}\n" for name in sorted(terms)), "utf-8")
    (HERE / "mandatory.txt").write_text(HEADER + "".join(f"{name}\n" for name in mandatory(checkout)), "utf-8")
    text = BEGINNING
    for constant, roots in ROOTS.items():
        words = fill(" ".join(sorted(below(roots, listed))), 115, break_on_hyphens=False)
        text += f'\n_{constant} = """\n{words}\n"""\n{constant} = frozenset(_{constant}.split())\n'
        text += f'"""{", ".join(f"`dpv:{root}`" for root in roots)}, and what is narrower."""\n'
    MODULE.write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
