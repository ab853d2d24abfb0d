"""What PostgreSQL says of conflicts and refusals, and what the store makes of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import psycopg
import pytest
import trio
from psycopg import errors

from tests.store.conftest import LIMITS
from trichat.chat.ports import StoreUnavailable
from trichat.core.limits import Limits
from trichat.store.connection import Connection
from trichat.store.errors import translating
from trichat.store.pool import ConnectionPool, Connector
from trichat.store.watchdog import Watchdog


def _pool(url: str, limits: Limits = LIMITS, size: int = 1) -> ConnectionPool:
    connector = Connector(url, limits, application_name="test", pooler=False)
    return ConnectionPool(connector, Watchdog(), size=size, call_s=limits.store_call_s)


@pytest.fixture
async def pool(url: str) -> AsyncIterator[ConnectionPool]:
    pool = _pool(url, size=2)
    yield pool
    pool.close()


async def test_who_loses_a_deadlock_is_begun_again(url: str, pool: ConnectionPool) -> None:
    """Two calls lock two rows crosswise, each having waited for the other to have its first."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE rows (id int PRIMARY KEY, touched int)")
        connection.execute("INSERT INTO rows VALUES (1, 0), (2, 0)")
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET deadlock_timeout = '50ms'".encode())
    runs: list[int] = []

    def touch(connection: Connection, first: int, second: int) -> None:
        with connection.transaction():
            connection.execute("UPDATE rows SET touched = touched + 1 WHERE id = %s", (first,))
            runs.append(first)
            while len(runs) < 2:
                time.sleep(0.001)
            connection.execute("UPDATE rows SET touched = touched + 1 WHERE id = %s", (second,))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.call, touch, 1, 2)
        nursery.start_soon(pool.call, touch, 2, 1)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT touched FROM rows").fetchall() == [(2,), (2,)]
    assert sorted(runs) in ([1, 1, 2], [1, 2, 2])


async def test_a_connection_is_used_again_also_after_an_error_that_is_ours(pool: ConnectionPool) -> None:
    def backend(connection: Connection) -> int:
        return connection.info.backend_pid

    def divide(connection: Connection) -> None:
        connection.execute("SELECT 1 / 0")

    first = await pool.call(backend)
    with pytest.raises(errors.DivisionByZero):
        await pool.call(divide)
    assert await pool.call(backend) == first


async def test_a_query_that_runs_too_long_is_ended_by_the_server(url: str) -> None:
    """There is no watchdog in this test: what we gave up waiting for must not go on for ever."""
    pool = _pool(url, Limits(store_call_s=0.2))

    def sleep(connection: Connection) -> None:
        connection.execute("SELECT pg_sleep(60)")

    with pytest.raises(StoreUnavailable, match="in time"):
        await pool.call(sleep)
    pool.close()


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("a line\nand another"),
        psycopg.InterfaceError("the connection is closed"),
        errors.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction"),
        errors.AdminShutdown("terminating connection due to administrator command"),
        errors.TooManyConnections("sorry, too many clients already"),
        errors.DiskFull("no space left"),
        errors.InvalidSqlStatementName("prepared statement does not exist"),
    ],
)
def test_what_says_that_the_server_is_away_is_unavailable(error: psycopg.Error) -> None:
    with pytest.raises(StoreUnavailable) as caught, translating(time.monotonic() + 1):
        raise error
    assert "\n" not in str(caught.value)


def test_what_says_that_we_are_wrong_stays_what_it_is() -> None:
    with pytest.raises(errors.UndefinedTable), translating(time.monotonic() + 1):
        raise errors.UndefinedTable("no such table")
