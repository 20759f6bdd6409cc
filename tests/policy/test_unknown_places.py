"""A reading of section 9: what a suspension of some territories says of a territory that is not known."""

from __future__ import annotations

from dataclasses import replace

from sayso.policy.facts import Subject
from sayso.policy.model import Mode, SituationMode
from sayso.territory import Region
from tests.policy.by_hand import (
    ALWAYS,
    FRANCE,
    LONG_AGO,
    NOW,
    POST,
    Ledger,
    everything,
    person,
    policy,
    rule,
    said,
    stop,
)

NOWHERE = person(residences=())
LATELY = person(residences=((NOW, "GB"),))


def test_a_suspension_of_territories_covers_no_unknown_one_which_denies_of_itself_where_it_is_asked() -> None:
    held = Ledger({1: NOWHERE}, suspensions=(stop(territories=FRANCE),))
    assert everything(ALWAYS, held) == {"unknown-territory"}
    assert said(policy(ALWAYS, situation=SituationMode.COLLECTION), held) == "unknown-territory"
    lately = Ledger({1: LATELY}, suspensions=(stop(territories=FRANCE),))
    assert said(policy(ALWAYS), lately) == "unknown-territory"
    assert said(policy(ALWAYS, situation=SituationMode.CURRENT), lately) == "no-choice"


def test_a_suspension_that_names_no_territory_is_heard_everywhere() -> None:
    assert said(ALWAYS, Ledger({1: NOWHERE}, suspensions=(stop(),))) == "suspended"
    world = Region(frozenset({"FR", "GB"}))
    assert (
        said(ALWAYS, Ledger({1: person(residences=((LONG_AGO, "GB"),))}, suspensions=(stop(territories=world),)))
        == "suspended"
    )


def test_nor_is_it_heard_of_a_subject_that_does_not_count_and_whose_place_is_unknown() -> None:
    pair = replace(POST, subjects=(Subject(1, "author"), Subject(2, "mentioned")))
    elsewhere = person(residences=((LONG_AGO, "GB"),))
    held = Ledger({1: elsewhere, 2: NOWHERE}, suspensions=(stop(territories=FRANCE),))
    assert said(rule(Mode.ALWAYS), held, pair) == "no-choice"
    assert said(rule(Mode.ALWAYS), replace(held, people={1: elsewhere, 2: person()}), pair) == "suspended"
