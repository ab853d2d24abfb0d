"""Opening the store: what is made ready, and what is refused with words that help."""

from __future__ import annotations

import psycopg
import pytest
import trio

from tests.store.conftest import LIMITS, open_room, said
from tests.store.postgres import PostgresServer
from trichat.chat.ports import StoreUnavailable, StoreUnusable
from trichat.core.chance import Chance
from trichat.core.limits import Limits
from trichat.store import open_postgres_store
from trichat.store.schema import OLDEST_VERSION, SCHEMA_VERSION, schema_text

IMPATIENT = Limits(store_open_s=0.5)


async def _open(url: str, limits: Limits = LIMITS, *, unsafe: bool = False) -> None:
    async with open_postgres_store(url, limits, chance=Chance(), unsafe=unsafe) as store:
        await store.ping()


async def test_an_empty_database_gets_the_schema_and_keeps_its_rooms(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        await store.append([said(await open_room(store))])
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        assert (await open_room(store)).head == 1


async def test_nodes_that_start_at_once_on_an_empty_database_make_it_once(url: str) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(_open, url)


async def test_the_schema_can_be_applied_with_psql(url: str, server: PostgresServer) -> None:
    psql = server.bin_dir / "psql"
    command = [str(psql), "-q", "-X", "-1", "-v", "ON_ERROR_STOP=1", "-d", url]
    await trio.run_process(command, stdin=schema_text().encode())
    await _open(url)


async def test_the_file_and_the_code_agree_on_the_version(url: str) -> None:
    await _open(url)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version FROM trichat.meta").fetchall() == [(SCHEMA_VERSION,)]


@pytest.mark.parametrize(
    ("version", "compatible_from", "advice"),
    [
        (SCHEMA_VERSION - 1, 1, "type trichat db upgrade"),
        (OLDEST_VERSION - 1, 1, "was never released; begin with an empty database"),
        (SCHEMA_VERSION + 5, SCHEMA_VERSION + 1, f"run a trichat that knows version {SCHEMA_VERSION + 1}"),
    ],
)
async def test_a_schema_of_another_version_is_refused_with_what_to_do(
    url: str, version: int, compatible_from: int, advice: str
) -> None:
    await _open(url)
    set_versions(url, version, compatible_from)
    with pytest.raises(StoreUnusable, match=f"version {version} of the .* needs version {SCHEMA_VERSION}: .*{advice}"):
        await _open(url)


async def test_a_later_schema_that_lets_this_version_run_is_taken(url: str) -> None:
    await _open(url)
    set_versions(url, SCHEMA_VERSION + 5, SCHEMA_VERSION)
    await _open(url)


def set_versions(url: str, version: int, compatible_from: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE trichat.meta SET version = %s, compatible_from = %s", (version, compatible_from))


async def test_a_role_that_may_not_make_tables_is_told_what_to_do(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("DROP ROLE IF EXISTS guest")
        connection.execute("CREATE ROLE guest LOGIN")
    with pytest.raises(StoreUnusable, match=r"apply schema\.sql as the database's owner"):
        await _open(url.replace("postgres@", "guest@"))
    await _open(url)
    with pytest.raises(StoreUnusable, match="GRANT"):
        await _open(url.replace("postgres@", "guest@"))


async def test_a_server_without_fsync_is_refused_unless_told_otherwise(server: PostgresServer, url: str) -> None:
    server.restart(fsync="off")
    try:
        with pytest.raises(StoreUnusable, match=r"fsync = off.*--unsafe"):
            await _open(url)
        await _open(url, unsafe=True)
        server.restart(full_page_writes="off")
        with pytest.raises(StoreUnusable, match="full_page_writes = off"):
            await _open(url)
    finally:
        server.restart()


async def test_a_database_of_another_encoding_is_refused(server: PostgresServer) -> None:
    url = server.create_database(options="ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreUnusable, match="encoding is LATIN1"):
        await _open(url)


async def test_another_isolation_is_refused(url: str) -> None:
    with pytest.raises(StoreUnusable, match="default_transaction_isolation is serializable"):
        await _open(url + "&options=-c%20default_transaction_isolation%3Dserializable")


@pytest.mark.parametrize("url", ["postgresql://ann@127.0.0.1/chat?sslmud=require", "postgresql://ann@a..b/chat"])
async def test_a_url_that_cannot_be_read_is_refused(url: str) -> None:
    with pytest.raises(StoreUnusable, match="the database URL cannot be read"):
        await _open(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://postgres@127.0.0.1:1/chat", "refused"),
        ("postgresql://postgres@/chat?host=/nowhere", "No such file"),
    ],
)
async def test_a_server_that_is_not_there_is_unavailable_after_a_while(url: str, reason: str) -> None:
    with trio.fail_after(10), pytest.raises(StoreUnavailable, match=f"cannot connect within 0.5 s: .*({reason})"):
        await _open(url, IMPATIENT)


async def test_a_server_that_starts_late_is_waited_for(server: PostgresServer, url: str) -> None:
    server.stop()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_open, url)
        server.launch()
        await trio.to_thread.run_sync(server.wait_ready)


async def test_of_several_hosts_the_one_that_serves_is_taken(server: PostgresServer) -> None:
    alive = server.create_database(tcp=True).replace("127.0.0.1:", "127.0.0.1:1,127.0.0.1:")
    await _open(alive + "?target_session_attrs=read-write")
    with pytest.raises(StoreUnavailable, match=r"session is not read-only|not in hot standby"):
        await _open(alive + "?target_session_attrs=standby", IMPATIENT)


async def test_tls_is_asked_for_by_the_url(server: PostgresServer) -> None:
    with pytest.raises(StoreUnavailable, match="does not support SSL"):
        await _open(server.create_database(tcp=True) + "?sslmode=require", IMPATIENT)


async def test_the_application_name_is_seen_by_the_server(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance(), application_name="trichat n1") as store:
        await store.ping()
        with psycopg.connect(url) as connection:
            names = connection.execute("SELECT DISTINCT application_name FROM pg_stat_activity").fetchall()
        assert ("trichat n1",) in names
