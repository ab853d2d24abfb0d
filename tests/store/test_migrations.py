"""Migrations: a database of an older version becomes the same as a fresh one, whole or not at all."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio
from msgspec import structs

from tests.store.catalog import Catalog, read_catalog
from tests.store.conftest import BINARIES, LIMITS, open_room, said
from tests.store.people import OPERATOR
from tests.store.postgres import PostgresServer
from trichat.chat.ports import StoreUnavailable, StoreUnusable
from trichat.core.chance import Chance
from trichat.core.events import Committed
from trichat.core.limits import Limits
from trichat.core.names import UserId
from trichat.store import open_postgres_store, upgrading
from trichat.store.connection import Connection, connect
from trichat.store.migrations import Migration, migrations, read_migrations
from trichat.store.schema import OLDEST_VERSION, SCHEMA_VERSION, Versions, read_versions, schema_text
from trichat.store.upgrading import migrate, read_state
from trichat.store.upkeep import Upkeep, open_upkeep

SCHEMAS = Path(__file__).parent / "schemas"
#: As the migrations are applied where nobody holds a table.
LOCK_S = 1.0


def execute(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def make_old(url: str) -> None:
    """The oldest database that can be upgraded, lived in."""
    for name in ("0003.sql", "0003_lived.sql"):
        execute(url, (SCHEMAS / name).read_text("utf-8"))


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    connection = connect([psycopg.conninfo.conninfo_to_dict(url)], time.monotonic() + 10, prepares=False)
    try:
        yield connection
    finally:
        connection.close()


def upgrade(url: str, known: Sequence[Migration] | None = None) -> list[str]:
    """The titles of what was applied."""
    with connected(url) as connection:
        once = partial(migrate, connection, known or migrations(), lock_s=LOCK_S)
        return [one.title for one in iter(once, None)]


def catalog(url: str) -> Catalog:
    with psycopg.connect(url) as connection:
        return read_catalog(connection)


@pytest.fixture(params=BINARIES)
def two_urls(request: pytest.FixtureRequest, servers: Any) -> Iterator[tuple[str, str]]:
    """Two new databases, on each PostgreSQL in turn."""
    server: PostgresServer = servers(request.param)
    urls = (server.create_database(), server.create_database())
    yield urls
    for url in urls:
        server.drop_database(url)


def test_an_upgraded_database_equals_a_fresh_one(two_urls: tuple[str, str]) -> None:
    old, fresh = two_urls
    make_old(old)
    execute(fresh, schema_text())
    assert upgrade(old) == [one.title for one in migrations()]
    assert catalog(old) == catalog(fresh)
    versions = "SELECT version, compatible_from FROM trichat.meta"
    assert execute(old, versions) == execute(fresh, versions)
    assert execute(old, "SELECT version FROM trichat.meta") == [(SCHEMA_VERSION,)]


def test_the_comparison_sees_what_differs(url: str) -> None:
    execute(url, schema_text())
    before = catalog(url)
    assert len(before) > 150
    for change in (
        "ALTER TABLE trichat.rooms ALTER title SET DEFAULT 'x'",
        "ALTER TABLE trichat.rooms ALTER title DROP NOT NULL",
        "ALTER TABLE trichat.rooms ADD CHECK (last_seq > -2)",
        "ALTER TABLE trichat.rooms SET (fillfactor = 60)",
        "ALTER TABLE trichat.invites ALTER made_by_id TYPE text COLLATE pg_catalog.\"default\"",
        "DROP INDEX trichat.invites_room",
        "ALTER FUNCTION trichat.number_at VOLATILE",
        "ALTER TABLE trichat.audit DISABLE TRIGGER keep",
        "GRANT SELECT ON trichat.rooms TO PUBLIC",
        "GRANT USAGE ON SCHEMA trichat TO PUBLIC",
        "ALTER TABLE trichat.pins SET UNLOGGED",
    ):  # fmt: skip
        with psycopg.connect(url) as connection:
            connection.execute(change.encode())
            assert read_catalog(connection) != before, change
            connection.rollback()


def test_while_older_servers_may_run_it_only_adds(two_urls: tuple[str, str]) -> None:
    """What a server of version `compatible_from` says to the database is still understood."""
    old, new = two_urls
    (first,) = {one.version - 1 for one in migrations() if one.version == OLDEST_VERSION + 1}
    execute(old, (SCHEMAS / f"{first:04}.sql").read_text("utf-8"))
    execute(new, schema_text())
    ((compatible_from,),) = execute(new, "SELECT compatible_from FROM trichat.meta")
    assert compatible_from == OLDEST_VERSION, (
        "keep the schema of that version in tests/store/schemas, and compare it here"
    )
    before, after = catalog(old), catalog(new)
    lost = {key for key in before if key not in after}
    changed = {key for key in before.keys() & after.keys() if key[0] == "column" and before[key] != after[key]}
    demanding = {
        key for key in after.keys() - before.keys()
        if key[0] == "column" and "NOT NULL" in str(after[key]) and "DEFAULT" not in str(after[key])
    }  # fmt: skip
    # nobody but a migration writes the row of trichat.meta anew
    assert (lost, changed, demanding) == (set(), set(), {("column", "meta.compatible_from")})


def test_the_files_lead_from_the_oldest_version_to_this_one() -> None:
    assert [one.version for one in migrations()] == list(range(OLDEST_VERSION + 1, SCHEMA_VERSION + 1))


def test_a_file_of_another_name_and_a_gap_are_seen(tmp_path: Path) -> None:
    for name in ("0004_a.sql", "0006_c.sql"):
        (tmp_path / name).write_text("")
    with pytest.raises(AssertionError, match=r"a gap in \[4, 6\]"):
        read_migrations(tmp_path)
    (tmp_path / "0005_b.sql").write_text("")
    assert [one.title for one in read_migrations(tmp_path)] == ["0004_a", "0005_b", "0006_c"]
    (tmp_path / "later.sql").write_text("")
    with pytest.raises(AssertionError, match=r"later\.sql is not called"):
        read_migrations(tmp_path)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("SELECT 1 / 0;", "0004_.* failed, and nothing was changed: division by zero"),
        ("UPDATE trichat.meta SET version = 3;", "0004_.* left version 3 behind: it is undone"),
    ],
)
def test_a_migration_that_fails_halfway_leaves_the_version_before(url: str, broken: str, said: str) -> None:
    make_old(url)
    before = catalog(url)
    fourth = migrations()[0]
    with pytest.raises(StoreUnusable, match=said):
        upgrade(url, [structs.replace(fourth, sql=fourth.sql + broken)])
    assert catalog(url) == before
    assert upgrade(url) == [one.title for one in migrations()]


def test_a_role_that_does_not_own_the_tables_is_told_who_may(url: str) -> None:
    make_old(url)
    execute(url, "DROP ROLE IF EXISTS app")
    execute(url, "CREATE ROLE app LOGIN")
    try:
        execute(url, "GRANT USAGE ON SCHEMA trichat TO app; GRANT ALL ON ALL TABLES IN SCHEMA trichat TO app")
        with pytest.raises(StoreUnusable, match=r"must be owner of table .*upgrade as the role that owns them"):
            upgrade(url.replace("postgres@", "app@"))
    finally:
        execute(url, "DROP OWNED BY app; DROP ROLE app")


def test_it_waits_for_a_table_in_use_a_little_at_a_time(url: str) -> None:
    make_old(url)
    with psycopg.connect(url) as reader, connected(url) as connection:
        reader.execute("SELECT FROM trichat.reports")  # its transaction goes on, and so does its lock
        # one try: it gives up, so that who comes behind it in the queue for the table does not wait
        with pytest.raises(psycopg.errors.LockNotAvailable):
            upgrading._migrate_once(connection, migrations(), 0.05)
        execute(url, "SELECT FROM trichat.reports")
        with pytest.raises(StoreUnavailable, match="in use each time"):
            migrate(connection, migrations(), lock_s=0.01, tries=2, pause_s=0.01)
    assert upgrade(url) == [one.title for one in migrations()]


@asynccontextmanager
async def upkeep_of(url: str) -> AsyncIterator[Upkeep]:
    async with open_upkeep(url, Limits()) as upkeep:
        yield upkeep


async def test_several_at_once_apply_each_migration_once(url: str) -> None:
    make_old(url)
    applied: list[str] = []

    async def one() -> None:
        async with upkeep_of(url) as upkeep:
            applied.extend([title async for title in upkeep.upgrade()])

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(one)
    assert applied == [one.title for one in migrations()]


async def test_the_state_says_what_is_found_and_pending(url: str) -> None:
    with connected(url) as connection:
        empty = read_state(connection, migrations())
        assert (empty.found, empty.pending, empty.fits) == (None, (), False)
        make_old(url)
        old = read_state(connection, migrations())
        assert (old.found, old.fits) == (Versions(3, 3), False)
        assert old.pending == tuple(one.title for one in migrations())
        upgrade(url)
        new = read_state(connection, migrations())
        assert (new.found, new.pending, new.fits) == (read_versions(connection), (), True)


async def test_what_was_said_and_who_was_there_is_kept(url: str) -> None:
    make_old(url)
    with pytest.raises(StoreUnusable, match="type trichat db upgrade"):
        async with open_postgres_store(url, LIMITS, chance=Chance()):
            pass
    upgrade(url)
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        room = await open_room(store)
        assert (room.epoch, room.head) == ("aaaaaaaa", 2)
        assert [isinstance(one, Committed) and one.seq for one in await store.append([said(room)])] == [3]


async def test_of_two_who_had_the_name_an_erasure_touches_what_was_that_persons_alone(url: str) -> None:
    make_old(url)
    upgrade(url)
    who = "SELECT beginning, made_by, made_by_id FROM trichat.invites ORDER BY 1"
    assert execute(url, who) == [("first", "bob", "u_1"), ("noted", "bob", None), ("second", "bob", "u_2")]
    resolved = "SELECT seq, reporter_id, resolved_by, resolved_by_id FROM trichat.reports ORDER BY number"
    assert execute(url, resolved)[0] == (1, "u_2", "ann", "u_ann")
    assert execute(url, resolved)[1:] == [(2, "u_2", "bob", None), (1, "u_1", None, None)]
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        await store.administration.erase(UserId("u_1"), operator=OPERATOR)
        assert execute(url, who) == [("first", "erased", "u_1"), ("noted", "bob", None), ("second", "bob", "u_2")]
        # what is not known for certain goes with who has the name now
        await store.administration.erase(UserId("u_2"), operator=OPERATOR)
        assert [made_by for _, made_by, _ in execute(url, who)] == ["erased"] * 3
        assert [by for _, _, by, _ in execute(url, resolved)] == ["ann", "erased", None]
