"""What the synthetic members wrote and did: records of several categories in files of equal size, by time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sayso.demo.population import Window
from sayso.demo.words import GRAMMARS, SHORT, Grammar

CATEGORIES: dict[str, float] = {
    "profile": 0.04, "posts": 0.14, "comments": 0.19, "group-messages": 0.06, "private-messages": 0.19,
    "ai-inputs": 0.11, "ai-outputs": 0.11, "ai-feedback": 0.03, "usage": 0.12, "language-preference": 0.01,
}  # fmt: skip
"""The usual share of each category; assumed."""

SCHEMA = pa.schema(
    [
        ("record_id", pa.int64()),
        ("author", pa.int64()),
        ("category", pa.string()),
        ("collected_at", pa.timestamp("us", "UTC")),
        ("territory", pa.string()),
        ("lang", pa.string()),
        ("text", pa.string()),
    ]
)

NOT_WRITTEN = 0.04
TRAVELLING = 0.01


class Writer:
    """Writes for a population, as `sayso.demo.population` makes it: who is busier writes more, in their own language.

    A record's `territory` is the author's residence at that instant, that of somebody else for some, and null for a few.
    """

    def __init__(
        self, random: np.random.Generator, members: pa.Table, window: Window, shares: Mapping[str, float] = CATEGORIES
    ) -> None:
        self._random = random
        self._window = window
        self._bank = _Bank(random)
        self._ids = members["id"].to_numpy()
        self._registered = _integers(members["registered_at"])
        self._moved = _integers(members["moved_at"], never=window.until)
        places = pa.chunked_array([*members["territory"].chunks, *members["moved_to"].chunks]).combine_chunks()
        coded = places.dictionary_encode()
        codes = coded.indices.fill_null(len(coded.dictionary)).to_numpy().astype(np.int32)
        self._places = pa.concat_arrays([coded.dictionary, pa.nulls(1, pa.string())])
        self._home, self._later = codes[: len(self._ids)], codes[len(self._ids) :]
        self._language = pc.index_in(members["language"], pa.array(self._bank.languages)).to_numpy()
        self._busy = np.cumsum(members["activity"].to_numpy())
        self._categories = pa.array(list(shares))
        self._shares = np.array(list(shares.values())) / sum(shares.values())

    def tables(self, count: int, files: int) -> Iterator[pa.Table]:
        """`count` records in `files` tables of `SCHEMA`, equal in size but for one; ids and instants go up throughout."""
        start, until = self._window.start, self._window.until
        for file in range(files):
            first, after = count * file // files, count * (file + 1) // files
            since = start + (until - start) * file // files
            yield self._records(first, after - first, since, start + (until - start) * (file + 1) // files)

    def _records(self, first: int, count: int, since: int, until: int) -> pa.Table:
        random = self._random
        here = max(int(np.searchsorted(self._registered, until)), 1)
        author = np.searchsorted(self._busy[:here], random.random(count) * self._busy[here - 1], side="right")
        author = np.minimum(author, here - 1)
        opens = np.maximum(self._registered[author], since)
        at = opens + (random.random(count) * (until - opens)).astype(np.int64)
        order = np.argsort(at, kind="stable")
        author, at = author[order], at[order]
        category = np.searchsorted(np.cumsum(self._shares)[:-1], random.random(count), side="right")
        language = self._language[author]
        columns = [
            np.arange(first, first + count),
            self._ids[author],
            self._categories.take(pa.array(category)),
            at.astype("datetime64[us]"),
            self._places.take(pa.array(self._where(author, at))),
            pa.array(self._bank.languages).take(pa.array(language)),
            self._bank.texts(random, [str(name) for name in self._categories.to_pylist()], category, language),
        ]
        return pa.table(columns, schema=SCHEMA)

    def _where(self, author: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.int32]:
        """The code of the place that each record bears."""
        random = self._random
        place: NDArray[np.int32] = np.where(at >= self._moved[author], self._later[author], self._home[author])
        luck = random.random(len(author))
        abroad = np.flatnonzero(luck < TRAVELLING)
        place[abroad] = self._home[random.integers(0, len(self._home), len(abroad))]
        place[luck >= 1 - NOT_WRITTEN] = len(self._places) - 1
        return place


def write_corpus(folder: Path, writer: Writer, count: int, files: int) -> list[Path]:
    """Writes the corpus as Parquet files into a folder that is made, one file in memory at a time; returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, table in enumerate(writer.tables(count, files)):
        paths.append(folder / f"records-{number:03}.parquet")
        pq.write_table(table, paths[-1], row_group_size=122_880)
    return paths


class _Bank:
    """Every sentence that the words make, by voice: a language, or a category of no prose."""

    def __init__(self, random: np.random.Generator) -> None:
        self.languages = list(GRAMMARS)
        voices = [*_voices(), self.languages]
        self._short = {name: len(GRAMMARS) + index for index, name in enumerate((*SHORT, "language-preference"))}
        self._first = np.cumsum([0, *map(len, voices)])[:-1]
        self._sizes = np.array([len(voice) for voice in voices])
        self._sentences = pa.array([sentence for voice in voices for sentence in voice])
        spaces = [grammar.space for grammar in GRAMMARS.values()]
        again = [
            space + sentence for space, voice in zip(spaces, voices[: len(spaces)], strict=True) for sentence in voice
        ]
        self._again = pa.array([*again, ""])
        self._names = pa.array([*_names(random, 50_000), ""])

    def texts(
        self,
        random: np.random.Generator,
        categories: list[str],
        category: NDArray[np.int64],
        language: NDArray[np.int64],
    ) -> pa.Array:
        """A text for each record: prose of one or two sentences and a name, or what a category of no prose says."""
        count = len(category)
        short = np.array([self._short.get(name, -1) for name in categories])[category]
        prose = short < 0
        voice = np.where(prose, language, short)
        one = self._first[voice] + (random.random(count) * self._sizes[voice]).astype(np.int64)
        preference = self._short["language-preference"]
        one = np.where(short == preference, self._first[preference] + language, one)
        two = self._first[voice] + (random.random(count) * self._sizes[voice]).astype(np.int64)
        two[~prose | (random.random(count) < 0.4)] = len(self._again) - 1
        name = random.integers(0, len(self._names) - 1, count)
        name[~prose] = len(self._names) - 1
        parts = (self._sentences.take(pa.array(one)), self._again.take(pa.array(two)), self._names.take(pa.array(name)))
        return pc.binary_join_element_wise(*parts, "")


@cache
def _voices() -> list[list[str]]:
    """Every sentence of every grammar; the same whatever the seed."""
    return [_sentences(grammar) for grammar in (*GRAMMARS.values(), *SHORT.values())]


def _sentences(grammar: Grammar) -> list[str]:
    return [grammar.space.join(phrases) + grammar.stop for phrases in product(*grammar.slots)]


def _names(random: np.random.Generator, count: int) -> list[str]:
    """Invented names, so that texts repeat no more than people do."""
    syllables = np.array([a + b for a in "bdfgjklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "el", "ir", "or")])
    drawn = syllables[random.integers(0, len(syllables), (count, 5))]
    return [f" @{''.join(row[:2]).title()} {''.join(row[2:]).title()}" for row in drawn]


def _integers(column: pa.ChunkedArray, never: int = 0) -> NDArray[np.int64]:
    """Instants as microseconds, those that are null as `never`."""
    at: NDArray[np.int64] = column.cast(pa.int64()).fill_null(never).to_numpy()
    return at
