"""Generated records: about the people of a world, and now and then about nobody, or unreadable."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from sayso import instant
from sayso.policy.facts import Record, Subject
from tests.strategies.terms import CATEGORIES, PLACES, START, instants, mostly, now_and_then
from tests.strategies.worlds import PEOPLE, World

LEAVES = ["posts", "comments", "messages", "health"]
OTHERS = ["articles", "content", "nonsense", None]
ODD_PLACES = ["US-TX", "QQ", "UK", "IC", "us", "USA", ""]
ROLES_HELD = ["author", None] * 6 + ["mentioned"]
RESERVED = [frozenset({"genai"}), frozenset({"training"}), frozenset({"ads"})]
NOT_RESERVED: frozenset[str] = frozenset()
assert set(LEAVES) == CATEGORIES.leaves


@st.composite
def records(draw: st.DrawFn, world: World, *, several: bool = True, people: int = PEOPLE) -> Record:
    """A record, collected before the use; once in twenty times something about it cannot be read."""
    one = st.builds(
        Subject, st.sampled_from(list(range(1, people + 1)) * 8 + [people + 1]), st.sampled_from(ROLES_HELD)
    )
    subjects: tuple[Subject, ...] | None = (draw(one),)
    if several and draw(now_and_then(3)):
        lists: st.SearchStrategy[tuple[Subject, ...]] = st.lists(
            one, min_size=int(not draw(now_and_then(10))), max_size=4
        ).map(tuple)
        subjects = draw(lists)
    collected: int | None = min(draw(instants(-5, 27)), world.use.at)
    category: str | None = draw(st.sampled_from([*LEAVES[:3] * 4, "health", "articles"]))
    written = draw(mostly(None, st.sampled_from(PLACES), st.sampled_from(["US-TX", "UK", "IC", "QQ"]), of=3))
    if draw(now_and_then(30)):
        match draw(st.integers(0, 3)):
            case 0:
                subjects = None if draw(st.booleans()) or not several else (Subject(None), draw(one))
            case 1:
                collected = draw(st.none() | st.just(world.use.at + 1))
            case 2:
                category = draw(st.sampled_from(["content", "nonsense", None]))
            case _:
                written = draw(st.sampled_from(["us", "USA", ""]))
    account = draw(st.sampled_from([1, 1, 2, None, 3]))
    return Record(
        subjects, category, collected, written, account, draw(mostly(NOT_RESERVED, st.sampled_from(RESERVED), of=12))
    )


def many_records(
    world: World, seed: int, count: int, *, several: bool = True, people: int = PEOPLE + 1, longest: int = 4
) -> list[Record]:
    """Many records at once, from a seed: for engines whose cost is in the query and not in the record.

    One in thirty has as many subjects as are the `longest`, where that is more than four.
    """
    random = Random(seed)
    last = (world.use.at - START) // instant.DAY

    def subject() -> Subject:
        return Subject(random.randint(1, people), random.choice(["author", "author", None, "mentioned"]))

    def subjects() -> tuple[Subject, ...] | None:
        if not several:
            return (Subject(random.randint(1, people), "author"),)
        if random.random() < 0.02:
            return random.choice([None, (), (subject(), Subject(None))])
        if longest > 4 and random.random() < 1 / 30:
            return tuple(subject() for _ in range(random.randint(5, longest)))
        return tuple(subject() for _ in range(random.choice([1, 1, 1, 1, 2, 3, 4])))

    def collected() -> int | None:
        if random.random() < 0.02:
            return random.choice([None, world.use.at, world.use.at + 1])
        return (
            START
            + random.randint(-7 if random.random() < 0.2 else -4, last - 1) * instant.DAY
            + random.choice([0, 0, 0, -1, 1])
        )

    def written() -> str | None:
        if random.random() < 0.6:
            return None
        return random.choice(PLACES if random.random() < 0.9 else ODD_PLACES)

    return [
        Record(
            subjects(),
            random.choice(LEAVES[:3] * 12 + ["health"] * 4 + OTHERS),
            collected(),
            written(),
            random.choice([None, 1, 1, 2, 2, 3]),
            random.choice([NOT_RESERVED] * 30 + RESERVED),
        )
        for _ in range(count)
    ]
