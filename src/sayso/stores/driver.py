"""What differs between the databases that a session speaks to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

Answer = Callable[[], list[tuple[Any, ...]]]
"""Gives the rows of a query that was put."""


class Driver(Protocol):
    """One connection to a database, within a transaction. `?` marks a value in a query."""

    among: str
    """How a query says that what is before it is one of the values of a list, given as `listed` gives it."""

    def listed(self, values: Sequence[Any]) -> Any:
        """Several values as one, for `among`."""

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a query gives."""

    def ask(self, query: str, values: Sequence[Any] = ()) -> Answer:
        """Puts a query whose rows are wanted later, so that the next need not wait for its answer."""

    def run(self, query: str, several: Iterable[Sequence[Any]] = ((),)) -> None:
        """Runs a query for each of several sequences of values."""

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Adds rows to a table. It may wait for the next query, or the end; so may `put`."""

    def put(self, table: str, query: str, several: Sequence[Sequence[Any]]) -> None:
        """Changes rows of a table, as `run` does; each must be another row."""
