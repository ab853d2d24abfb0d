"""Stores for the tests: the twin, and PostgreSQL of each version that can be had here."""

from __future__ import annotations

import itertools
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec import Struct

from tests.store.postgres import (
    PostgresServer,
    embedded_binaries,
    older_binaries,
    remove_directory,
    temporary_directory,
)
from trichat.chat.ports import Store
from trichat.core.chance import Chance
from trichat.core.events import Draft, RoomRecord
from trichat.core.limits import Limits
from trichat.core.names import RoomName, UserId
from trichat.core.standing import FOREVER
from trichat.store import MemoryStore, open_postgres_store

BINARIES: dict[str, Path] = {"embedded": embedded_binaries()}
if (_older := older_binaries()) is not None:
    BINARIES[f"postgresql{_older.parent.name}"] = _older

#: Fewer rooms of one person than a server allows: tests make them all.
LIMITS = Limits(direct_rooms=50, owned_rooms=30)


class Stage(Struct):
    """A store to play on; `let_pass(seconds)` makes everything recorded in it so much older."""

    store: Store
    let_pass: Callable[[float], None]


@pytest.fixture(scope="session")
def databases(servers: Callable[[str], PostgresServer]) -> Callable[[str], str]:
    """The database of the contract's tests on the server of these binaries."""
    return cache(lambda binaries: servers(binaries).create_database())


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], PostgresServer]]:
    """The server of these binaries, started when first asked for."""
    started: dict[str, PostgresServer] = {}

    def server_of(binaries: str) -> PostgresServer:
        if binaries not in started:
            server = started[binaries] = PostgresServer(BINARIES[binaries], temporary_directory())
            server.initialise()
            server.start()
        return started[binaries]

    yield server_of
    for server in started.values():
        server.stop(signal.SIGQUIT)
        remove_directory(server.directory)


@pytest.fixture
def server(servers: Callable[[str], PostgresServer]) -> PostgresServer:
    """The newest PostgreSQL."""
    return servers("embedded")


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    """A new database on the newest PostgreSQL."""
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture(params=["memory", *BINARIES])
async def stage(request: pytest.FixtureRequest, databases: Callable[[str], str]) -> AsyncIterator[Stage]:
    """Each kind of store in turn, empty."""
    if request.param == "memory":
        time = [1000.0]

        def pass_time(seconds: float) -> None:
            time[0] += seconds

        yield Stage(MemoryStore(LIMITS, chance=Chance(), clock=lambda: time[0]), pass_time)
        return
    url = databases(request.param)
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        _clear(url)
        yield Stage(store, lambda seconds: age(url, seconds))


@pytest.fixture
def store(stage: Stage) -> Store:
    """Each kind of store in turn, empty."""
    return stage.store


def _clear(url: str) -> None:
    with _unwatched(url) as connection:
        for table, _ in _columns(connection):
            connection.execute(f"DELETE FROM trichat.{table}".encode())


def age(url: str, seconds: float) -> None:
    """Make everything recorded in the database so much older."""
    with _unwatched(url) as connection:
        for table, times in _columns(connection):
            aged = ", ".join(f"{time} = {time} - make_interval(secs => {seconds})" for time in times)
            if table == "standings":
                ms = round(seconds * 1000)
                aged = ", ".join(
                    f"{time} = CASE {time} WHEN {FOREVER} THEN {time} ELSE greatest(0, {time} - {ms}) END"
                    for time in ("muted_until", "banned_until")
                )
            if aged:
                connection.execute(f"UPDATE trichat.{table} SET {aged}".encode())


@contextmanager
def _unwatched(url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection, in a transaction, in which no trigger fires: the audit is never changed otherwise."""
    with psycopg.connect(url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        yield connection


def _columns(connection: psycopg.Connection[tuple[Any, ...]]) -> list[tuple[str, list[str]]]:
    """The tables that hold what was recorded, each with its columns that are times."""
    return connection.execute(
        "SELECT t.table_name, array_remove(array_agg(c.column_name::text), NULL)"
        " FROM information_schema.tables t LEFT JOIN information_schema.columns c"
        " ON c.table_schema = t.table_schema AND c.table_name = t.table_name"
        " AND c.data_type = 'timestamp with time zone'"
        " WHERE t.table_schema = 'trichat' AND t.table_name <> 'meta' GROUP BY 1"
    ).fetchall()


_texts = itertools.count(1)


def said(room: RoomRecord, text: str = "", *, cid: str | None = None, by: str = "ann", kind: str = "message") -> Draft:
    """What `by` says in `room`; something new each time when no text is given."""
    body = b'{"text":"%b"}' % (text or f"text {next(_texts)}").encode()
    return Draft(room.id, room.name, kind, UserId(f"g_{by}"), by, cid, body)


async def open_room(store: Store, name: str = "lobby") -> RoomRecord:
    """The room of this name, made when there is none."""
    rooms = await store.open_rooms([RoomName(name)], create=True)
    return rooms[RoomName(name)]
