"""A ledger becomes a transparency log: entries without exact instants, commitments apart, tiles, tombstones.

What a ledger of the first form holds is rewritten once, before any checkpoint of it was ever signed.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import msgspec
import rfc8785
import sqlalchemy as sa
from alembic import context, op

from sayso import instant
from sayso.ledger.commitment import SALT_BYTES, commit
from sayso.ledger.keys import NOBODY
from sayso.ledger.log import merkle
from sayso.ledger.log.tiles import Edge
from sayso.stores.tables import Blob, Int

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_AT_ONCE = 1000


def upgrade() -> None:
    """Makes the tables of the log, and a log of what the ledger holds."""
    op.add_column("events", sa.Column("document", Blob, nullable=True))
    op.drop_index("events_erasures", "events")
    op.rename_table("private", "private_before")
    if op.get_bind().dialect.name == "postgresql":  # where a key keeps its name when its table gets another
        op.execute("ALTER INDEX private_pkey RENAME TO private_before_pkey")
    op.create_table(
        "private",
        sa.Column("position", Int, sa.ForeignKey("events.position"), primary_key=True, autoincrement=False),
        sa.Column("part", Int, primary_key=True, autoincrement=False),
        sa.Column("salt", Blob, nullable=True),
        sa.Column("body", Blob, nullable=True),
        sa.Column("commitment", Blob, nullable=True),
        sa.CheckConstraint("(salt IS NULL) = (body IS NULL) AND (salt IS NULL) <> (commitment IS NULL)", "opened"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tiles",
        sa.Column("level", Int, primary_key=True, autoincrement=False),
        sa.Column("place", Int, primary_key=True, autoincrement=False),
        sa.Column("hashes", Blob, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "tombstones",
        sa.Column("tombstone", Blob, primary_key=True),
        sa.Column("position", Int, sa.ForeignKey("events.position"), nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    founding = context.config.attributes["founding"]
    edge = Edge()
    connection = op.get_bind()
    for rewritten in _Rewriting(connection, founding).all():
        edge.extend(rewritten)
    tiles = [{"level": level, "place": place, "hashes": hashes} for (level, place), hashes in edge.changed().items()]
    if tiles:
        connection.execute(_insert("tiles", "level", "place", "hashes"), tiles)
    said = {"origin": founding.origin, "checkpoint": founding.sign(edge), "nobody": founding.tombstone(NOBODY).hex()}
    for name, value in said.items():
        connection.execute(_insert("ledger", "name", "value"), {"name": name, "value": value})
    op.drop_table("private_before")


def _insert(table: str, *columns: str) -> sa.TextClause:
    return sa.text(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(f':{name}' for name in columns)})")


class _Rewriting:
    """Rewrites every event, in order."""

    def __init__(self, connection: sa.Connection, founding: Any) -> None:
        self._run = connection.execute
        self._founding = founding
        self._erased: dict[Any, int] = {}

    def all(self) -> Iterator[list[bytes]]:
        """Rewrites some events at a time; gives the hashes of their leaves."""
        start = 0
        while True:
            rows = self._run(
                sa.text(
                    "SELECT position, kind, recorded_at, everyones, public FROM events"
                    " WHERE position >= :start AND position < :stop ORDER BY position"
                ),
                {"start": start, "stop": start + _AT_ONCE},
            ).fetchall()
            if not rows:
                break
            yield [self._rewritten(*row) for row in rows]
            start += _AT_ONCE
        self._bury()

    def _rewritten(self, position: int, kind: str, recorded_at: int, everyones: int, public: bytes) -> bytes:
        said: dict[str, Any] = msgspec.json.decode(public)
        document = None
        if everyones:
            if kind == "policy.published":
                document = rfc8785.dumps(said.pop("document"))
        else:
            said, recorded_at = self._of_somebody(position, kind, recorded_at, said)
        entry = rfc8785.dumps(said)
        self._run(
            sa.text(
                "UPDATE events SET public = :public, document = :document, recorded_at = :recorded_at"
                " WHERE position = :position"
            ),
            {"public": entry, "document": document, "recorded_at": recorded_at, "position": position},
        )
        return merkle.leaf_hash(entry)

    def _of_somebody(
        self, position: int, kind: str, recorded_at: int, said: dict[str, Any]
    ) -> tuple[dict[str, Any], int]:
        """The entry of an event about somebody, its parts written anew; and its instant, of which an erasure left a day."""
        held = {
            part: (salt, body)
            for part, salt, body in self._run(
                sa.text("SELECT part, salt, body FROM private_before WHERE position = :position"),
                {"position": position},
            )
        }
        commitments = [b64decode(one) for one in said.pop("commitments")]
        exact: dict[str, Any] = {name: said.pop(name) for name in ("recorded_at", "effective_at") if name in said}
        parts: list[tuple[bytes, bytes] | bytes] = [
            held.get(part, commitment) for part, commitment in enumerate(commitments)
        ]
        if kind == "notice.delivered":
            if "attested" in said:
                exact["attested"] = said.pop("attested")
            parts = [self._sealed(exact), *parts]
            said["notice"] = {"id": said.pop("notice"), "version": said.pop("version")}
        elif not isinstance(parts[0], bytes):
            body = msgspec.json.decode(parts[0][1]) | exact
            if kind == "subject.erased":
                body["tombstone"] = self._tombstone(body.pop("subject"), position)
            parts[0] = self._sealed(body)
        else:
            recorded_at -= recorded_at % instant.DAY
        if kind == "subject.erased":
            parts[1:] = [
                one if isinstance(one, bytes)
                else self._sealed({"tombstone": self._tombstone(msgspec.json.decode(one[1])["alias"], position)})
                for one in parts[1:]
            ]  # fmt: skip
        said |= {"day": exact["recorded_at"][:10], "parts": len(parts), "root": self._keep(position, parts)}
        return said, recorded_at

    def _sealed(self, body: dict[str, Any]) -> tuple[bytes, bytes]:
        return self._founding.random_bytes(SALT_BYTES), rfc8785.dumps(body)

    def _tombstone(self, subject: str, position: int) -> str:
        self._erased.setdefault(subject, position)
        return b64encode(self._founding.tombstone(subject)).decode()

    def _keep(self, position: int, parts: list[tuple[bytes, bytes] | bytes]) -> str:
        """Writes the parts of an event; gives the root over their commitments."""
        rows, leaves = [], []
        for part, one in enumerate(parts):
            salt, body, commitment = (None, None, one) if isinstance(one, bytes) else (*one, None)
            rows.append({"position": position, "part": part, "salt": salt, "body": body, "commitment": commitment})
            leaves.append(merkle.leaf_hash(one if isinstance(one, bytes) else commit(*one)))
        self._run(_insert("private", "position", "part", "salt", "body", "commitment"), rows)
        return b64encode(merkle.root(leaves)).decode()

    def _bury(self) -> None:
        """Keeps a tombstone of each who was erased, and destroys what was kept until now of their aliases."""
        for subject, position in self._erased.items():
            key = self._founding.tombstone(subject)
            self._run(_insert("tombstones", "tombstone", "position"), {"tombstone": key, "position": position})
            one = {"id": int(subject) if self._is_number(subject) else subject}
            for (row,) in self._run(sa.text("SELECT row FROM facts WHERE party = 0 AND id = :id"), one).fetchall():
                self._destroy(row >> 20, row & 0xFFFFF)
            self._run(sa.text("DELETE FROM facts WHERE party = 0 AND id = :id"), one)
            for (row,) in self._run(sa.text("SELECT row FROM facts WHERE other = :id"), one).fetchall():
                self._destroy(row >> 20, (row & 0xFFFFF), named=True)
            self._run(sa.text("UPDATE facts SET other = NULL WHERE other = :id"), one)
        self._run(sa.text("UPDATE payloads SET uses = (SELECT count(*) FROM facts WHERE facts.code = payloads.code)"))
        self._run(sa.text("DELETE FROM payloads WHERE uses = 0"))

    def _is_number(self, subject: str) -> bool:
        return str(context.config.attributes["id_type"]) == "int64" and subject.lstrip("-").isdigit()

    def _destroy(self, position: int, place: int, *, named: bool = False) -> None:
        """Destroys the parts behind a fact: of an act for another, or of a list, the name alone."""
        (kind,) = self._run(sa.text("SELECT kind FROM events WHERE position = :p"), {"p": position}).one()
        if kind == "subject.erased":
            return
        if kind == "subject.aliased":
            parts = [0, 1]
        elif kind in ("notice.delivered", "organisation.owners"):
            parts = [place + 1]
        else:
            parts = [1] if named else [0, 1]
        if 0 in parts:
            self._run(
                sa.text("UPDATE events SET recorded_at = recorded_at - recorded_at % :day WHERE position = :p"),
                {"p": position, "day": instant.DAY},
            )
        for part in parts:
            where = {"position": position, "part": part}
            row = self._run(
                sa.text(
                    "SELECT salt, body FROM private WHERE position = :position AND part = :part AND salt IS NOT NULL"
                ),
                where,
            ).one_or_none()
            if row is not None:
                self._run(
                    sa.text(
                        "UPDATE private SET salt = NULL, body = NULL, commitment = :commitment"
                        " WHERE position = :position AND part = :part"
                    ),
                    where | {"commitment": commit(row[0], row[1])},
                )
