"""The ledger on PostgreSQL: what only a server can get wrong, and what is said then."""

from __future__ import annotations

import random
import resource
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from sayso.errors import KeyFileError, SaysoError, StoreBusyError, StoreError, UsageError
from sayso.ledger import events as e
from sayso.ledger.fsck import faults
from sayso.ledger.identity import IdType
from sayso.stores import postgres, schema, tables
from sayso.stores.postgres import PostgresStore
from sayso.stores.postgres_driver import reported
from sayso.stores.postgres_url import PostgresUrl
from sayso.wiring import key_files, located
from tests.ledgers import KEYS, founding, journal_on
from tests.postgres import Server, running
from tests.stores.test_migration import written_then

NOW = 1_800_000_000_000_000


def create(url: PostgresUrl, id_type: IdType = IdType.INT64) -> PostgresStore:
    return postgres.create(url, id_type, founding())


def ran(url: PostgresUrl, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url.whole, autocommit=True) as connection:
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


@pytest.fixture
def url(server: Server) -> PostgresUrl:
    return server.schema()


@pytest.fixture
def store(url: PostgresUrl) -> Iterator[PostgresStore]:
    made = create(url)
    yield made
    made.close()


# ── how it is made and opened ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("id_type", [IdType.INT64, IdType.STRING])
def test_the_migrations_make_the_tables_of_today(url: PostgresUrl, id_type: IdType) -> None:
    create(url, id_type).close()
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url.whole))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": id_type is IdType.STRING})
        found = compare_metadata(context, tables.metadata)
        assert [change[0] for change in found] == ["add_constraint"], "the one that SQLite alone has"
    engine.dispose()


@pytest.mark.parametrize("id_type", [IdType.INT64, IdType.STRING])
def test_a_ledger_of_the_first_form_becomes_a_log_here_too(url: PostgresUrl, tmp_path: Path, id_type: IdType) -> None:
    """The rows that the version of then wrote, in the tables that its migration makes, migrated by today's."""
    old = sqlite3.connect(written_then(tmp_path, id_type))
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url.whole, autocommit=True))
    with engine.connect() as connection:
        schema.upgrade(connection, id_type, founding(), to="0001")
        connection.exec_driver_sql("DELETE FROM alembic_version")
        for table in ("ledger", "events", "private", "payloads", "facts", "alembic_version"):
            rows = old.execute(f"SELECT * FROM {table}").fetchall()
            marks = ", ".join(["%s"] * len(rows[0]))
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({marks})", rows)
    engine.dispose()
    old.close()
    with closing(postgres.open_ledger(url, founding)) as store:
        assert store.id_type is id_type
        assert list(faults(store, KEYS.verifiers)) == []
        assert store.head().size == 22
        assert len(store.tombstones()) == 3
        one = 77 if id_type is IdType.INT64 else "77"
        assert journal_on(store, now=lambda: NOW).append(e.SubjectRegistered(subject=one)).position == 22
        assert list(faults(store, KEYS.verifiers)) == []


def test_there_is_no_ledger_where_none_was_made(server: Server, url: PostgresUrl) -> None:
    with pytest.raises(StoreError, match="there is no ledger at `postgresql://postgres@/postgres`"):
        postgres.open_ledger(url, founding)
    with pytest.raises(StoreError, match=r"schema that .* names does not exist; make it with `CREATE SCHEMA`"):
        postgres.open_ledger(server.at("nowhere"), founding)
    ran(url, "CREATE TABLE mine (a int)")
    with pytest.raises(StoreError, match="holds a ledger or other tables already"):
        create(url)
    assert ran(url, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()") == [("mine",)]


def test_two_that_make_a_ledger_at_once_make_one(url: PostgresUrl) -> None:
    made: list[PostgresStore | Exception] = []

    def make() -> None:
        try:
            made.append(create(url))
        except StoreError as error:
            made.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stores = [one for one in made if isinstance(one, PostgresStore)]
    assert len(stores) == 1
    assert list(faults(stores[0], KEYS.verifiers)) == []
    stores[0].close()


def test_a_server_that_may_lose_what_it_acknowledged_is_refused(url: PostgresUrl) -> None:
    ran(url, "ALTER SYSTEM SET full_page_writes = off")
    ran(url, "SELECT pg_reload_conf()")
    try:
        time.sleep(0.3)
        with pytest.raises(StoreError, match="may lose what it acknowledged; turn both on"):
            create(url)
    finally:
        ran(url, "ALTER SYSTEM RESET full_page_writes")
        ran(url, "SELECT pg_reload_conf()")


def test_a_database_that_is_not_in_utf8_is_refused(server: Server) -> None:
    with psycopg.connect(server.uri, autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(StoreError, match="expected a database in UTF8, got `LATIN1`"):
        create(PostgresUrl(server.uri.replace("/postgres?", "/latin?")))


def test_commits_are_durable_whatever_the_user_is_set_to(url: PostgresUrl) -> None:
    ran(url, "ALTER ROLE postgres SET synchronous_commit = off")
    try:
        with closing(create(url)) as store, store.writing() as writing:
            assert writing._driver.rows("SHOW synchronous_commit") == [("on",)]
    finally:
        ran(url, "ALTER ROLE postgres RESET synchronous_commit")


# ── what is told of a place ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_password_is_never_shown() -> None:
    url = PostgresUrl("postgresql://me:s3cret@db.example.com:5433/members?password=s3cret&sslmode=verify-full")
    for text in (str(url), repr(url)):
        assert "s3cret" not in text
    assert str(url) == "postgresql://me@db.example.com:5433/members"
    assert "s3cret" in url.whole
    with pytest.raises(StoreError) as caught:
        create(PostgresUrl("postgresql://me:s3cret@127.0.0.1:9/members"))
    assert "s3cret" not in str(caught.value)
    assert "cannot be reached" in str(caught.value)


def test_what_is_no_url_is_told() -> None:
    with pytest.raises(UsageError, match="expected a URL such as"):
        create(PostgresUrl("postgresql://host/database?nonsense=1"))


def test_where_a_ledger_is_and_where_its_keys_are(tmp_path: Path) -> None:
    assert located("members.ledger") == Path("members.ledger")
    where = located("postgresql://me@host/members")
    assert isinstance(where, PostgresUrl)
    with pytest.raises(KeyFileError, match="name one by `SAYSO_KEYS`"):
        key_files(where, {})
    assert key_files(where, {"SAYSO_KEYS": str(tmp_path)}).directory == tmp_path


@pytest.mark.parametrize(
    ("state", "told", "kind"),
    [
        ("55P03", "another process holds ledger", StoreBusyError),
        ("53100", "no room is left on the disk", StoreError),
        ("53300", "has no connection left", StoreBusyError),
        ("25006", "may not be written", StoreError),
        ("XX001", "is damaged; restore it from a backup", StoreError),
        ("57P01", "was lost; if this was a write", StoreError),
        ("22012", "PostgreSQL reports 22012", StoreError),
    ],
)
def test_what_the_server_reports(url: PostgresUrl, state: str, told: str, kind: type[SaysoError]) -> None:
    statement = f"DO $$ BEGIN RAISE EXCEPTION 'a message with 4711' USING ERRCODE = '{state}'; END $$"
    with pytest.raises(kind, match=told) as caught, reported(url):
        ran(url, statement)
    assert "4711" not in str(caught.value)


def test_a_server_that_only_reads_is_told_of(store: PostgresStore, url: PostgresUrl) -> None:
    ran(url, "ALTER ROLE postgres SET default_transaction_read_only = on")
    try:
        with closing(postgres.open_ledger(url, founding)) as reader:
            assert reader.head().size == 0
            with pytest.raises(StoreError, match="may not be written"):
                journal_on(reader, now=lambda: NOW).append(e.SubjectRegistered(subject=1))
    finally:
        with psycopg.connect(url.whole, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER ROLE postgres RESET default_transaction_read_only")
    assert journal_on(store, now=lambda: NOW).append(e.SubjectRegistered(subject=1)).position == 0


# ── a server that fails ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_connection_that_is_lost_is_told_of_and_the_next_one_works(store: PostgresStore, url: PostgresUrl) -> None:
    journal = journal_on(store, now=lambda: NOW)
    journal.append(e.SubjectRegistered(subject=1))
    ran(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL",
    )
    with pytest.raises(StoreError, match="was lost; if this was a write, look whether it is there"):
        journal.append(e.SubjectRegistered(subject=2))
    assert journal.append(e.SubjectRegistered(subject=3)).position == 1
    assert list(faults(store, KEYS.verifiers)) == []


@pytest.mark.slow
def test_a_server_that_is_killed_loses_nothing_acknowledged() -> None:
    """`kill -9` of the whole server in mid append, three times: it recovers, and goes on from what it acknowledged."""
    chance = random.Random(11)
    with running() as server:
        url = server.schema()
        create(url).close()
        acknowledged, subject = 0, 0
        for _ in range(3):
            with closing(postgres.open_ledger(url, founding)) as store:
                journal = journal_on(store, now=lambda: time.time_ns() // 1000)
                timer = threading.Timer(chance.uniform(0.05, 0.4), server.stop, (signal.SIGKILL,))
                timer.start()
                with suppress(StoreError):
                    while True:
                        acknowledged = journal.append(e.SubjectRegistered(subject=subject)).position + 1
                        subject += 1
                subject += 1
                timer.join()
            server.restart()
            with closing(postgres.open_ledger(url, founding)) as store:
                assert store.head().size in {acknowledged, acknowledged + 1}
                assert list(faults(store, KEYS.verifiers)) == []
                acknowledged = store.head().size


@pytest.mark.slow
def test_a_bit_that_flips_in_any_table_is_found() -> None:
    """In each page of each table and index: the server's checksums tell of it, or `fsck` does."""
    chance = random.Random(5)
    with running() as server:
        url = server.schema()
        with closing(create(url)) as store:
            journal = journal_on(store, now=lambda: NOW)
            journal.append_many([e.SubjectRegistered(subject=n, territory="FR") for n in range(700)])
            journal.append(e.SuspensionOpened(suspension="s", authority="a", reason="r"))
            journal.append(e.SubjectErased(subject=5))
        ran(url, "CREATE EXTENSION amcheck SCHEMA public")
        ran(url, "CHECKPOINT")
        files = [
            server.files / str(path)
            for (path,) in ran(
                url,
                "SELECT pg_relation_filepath(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " JOIN pg_am a ON a.oid = c.relam WHERE n.nspname = current_schema() AND a.amname IN ('heap', 'btree')"
                " AND c.relname NOT LIKE 'alembic%' AND pg_relation_size(c.oid) > 0 ORDER BY c.relname",
            )
        ]
        assert len(files) >= 14
        for file in files:
            server.stop()
            whole = file.read_bytes()
            at = chance.randrange(len(whole)) if file.stat().st_size else 0
            flipped = bytearray(whole)
            flipped[at] ^= 1 << chance.randrange(8)
            write_over(file, bytes(flipped))
            server.restart()
            assert found_wrong(url), f"a bit flipped at {at} of {file.name} was not found"
            server.stop()
            write_over(file, whole)
            server.restart()
        with closing(postgres.open_ledger(url, founding)) as store:
            assert list(faults(store, KEYS.verifiers)) == []


def write_over(file: Path, data: bytes) -> None:
    """Writes into the file that is there, so that it stays its owner's."""
    with file.open("r+b") as stream:
        stream.write(data)


def found_wrong(url: PostgresUrl) -> bool:
    try:
        with closing(postgres.open_ledger(url, founding)) as store:
            return list(faults(store, KEYS.verifiers)) != []
    except StoreError:
        return True


@pytest.mark.slow
def test_a_server_whose_files_cannot_grow_keeps_nothing_half() -> None:
    """A server whose files may not grow beyond 17 MiB, one more than a segment of its write-ahead log."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_FSIZE, (17 << 20, before[1]))
        try:
            server = stack.enter_context(running())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        store = stack.enter_context(closing(create(server.schema())))
        journal = journal_on(store, now=lambda: NOW)

        def fill() -> Iterator[int]:
            for start in range(0, 200_000, 5_000):
                several = [e.SubjectRegistered(subject=start + n, attributes={"a": "x" * 200}) for n in range(5_000)]
                yield journal.append_many(several).stop

        kept = [0]
        with pytest.raises(StoreError, match=r"could not do what was asked|no room is left"):
            kept.extend(fill())
        assert 0 < kept[-1] < 200_000
        assert store.head().size == kept[-1]
        assert list(faults(store, KEYS.verifiers)) == []
