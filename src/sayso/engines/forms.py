"""Ids that a corpus may write otherwise than the ledger does, read as the joins read them: by DuckDB."""

from __future__ import annotations

from typing import Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from sayso.engines.duckdb_sql import DuckDB
from sayso.engines.reading import OF_IDS, id_sql
from sayso.errors import EngineError
from sayso.ledger.identity import LONGEST, IdType

_OWN = {IdType.UUID: "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", IdType.STRING: OF_IDS}
"""How the ledger writes an id that is text: what is written so, and not longer than `LONGEST`, is read as it is."""


class Forms:
    """Reads ids of a ledger's type (`plan.ids.Reading`). To be closed; for one thread."""

    def __init__(self, ids: IdType) -> None:
        self._ids = ids
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def __call__(self, written: pa.Array) -> pa.Array:
        """Ids as the ledger writes them; null where they cannot be read."""
        if not (kinds.is_string(written.type) or kinds.is_large_string(written.type)):
            return self._read(written)
        own = pc.and_(
            pc.match_substring_regex(written, rf"\A{_OWN[self._ids]}\z"),
            pc.less_equal(pc.binary_length(written), LONGEST),
        )
        odd = pc.invert(own).fill_null(False)
        some = written.filter(odd)
        return pc.replace_with_mask(written, odd, self._read(some).cast(written.type)) if len(some) else written

    def _read(self, written: pa.Array) -> pa.Array:
        kind = written.type.value_type if kinds.is_dictionary(written.type) else written.type
        if self._connection is None:
            self._connection = duckdb.connect(config={"threads": 1})
        try:
            self._connection.register("given", pa.table({"id": written}))
            found = self._connection.sql(f"SELECT {id_sql('id', kind, self._ids, DuckDB())} AS id FROM given")
            return found.to_arrow_table().column(0).combine_chunks()
        except (duckdb.Error, pa.ArrowException) as error:
            raise EngineError(f"duckdb could not read the ids of the corpus: {type(error).__name__}") from error
