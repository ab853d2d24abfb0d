"""In a room of many messages everything is found by index, and no more of it is looked at than what is shown."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import psycopg
import pytest

from tests.store.bench_long_life import CALLS, Turn
from tests.store.conftest import LIMITS
from tests.store.long_life import Lived, fill
from tests.store.postgres import PostgresServer, wait_until
from trichat.core.chance import Chance
from trichat.core.names import RoomName
from trichat.store import open_postgres_store

EVENTS = 100_000
TIMES = 8  # more than it takes PostgreSQL to keep a plan
#: Rows and entries of indexes that one call may touch: a page and what hangs on it, or 100 rooms, each looked into.
MOST_ROWS = 3_000

_TOUCHED = """
    SELECT
        (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = 'trichat')::bigint
        + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = 'trichat')::bigint
"""
_SCANNED = """
    SELECT coalesce(sum(seq_scan), 0)::bigint
    FROM pg_stat_user_tables WHERE schemaname = 'trichat' AND relname = ANY (%s)
"""
_BUSY = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'trichat'"


@pytest.fixture(scope="module")
def lived(servers: Callable[[str], PostgresServer]) -> tuple[str, Lived]:
    server = servers("embedded")
    url = server.create_database()
    return url, fill(url, EVENTS)


def ask(url: str, statement: str, *params: object) -> int:
    with psycopg.connect(url) as connection:
        ((number,),) = connection.execute(statement.encode(), params).fetchall()
    return int(number)


def counts(url: str, tables: list[str]) -> tuple[int, int]:
    """How often any of `tables` was scanned whole, and how many rows of all were touched, by sessions that are over."""
    wait_until(lambda: ask(url, _BUSY) == 0, "the sessions of the store are over")
    return ask(url, _SCANNED, tables), ask(url, _TOUCHED)


@pytest.mark.parametrize("pooler", [False, True])
@pytest.mark.parametrize("name", list(CALLS))
async def test_it_is_found_by_index_in_few_rows(name: str, pooler: bool, lived: tuple[str, Lived]) -> None:
    url, chat = lived
    # behind a pooler the planner may scan what is small: a room for each of 200, and how ann stands to each
    tables = ["events", "mentions", "threads", "reactions"] + ([] if pooler else ["rooms", "standings"])
    scanned, touched = counts(url, tables)
    async with open_postgres_store(url, LIMITS, chance=Chance(), pooler=pooler) as store:
        turn = Turn(store, chat, Random(1))
        for _ in range(TIMES):
            await CALLS[name](turn)
    now_scanned, now_touched = counts(url, tables)
    assert now_scanned == scanned
    assert 0 < now_touched - touched <= TIMES * MOST_ROWS


async def test_a_page_of_history_skips_what_lies_between_few_messages(lived: tuple[str, Lived]) -> None:
    """A hundred thousand reactions between two messages, thrice: no more of them is looked at than of few."""
    url, _ = lived
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO trichat.rooms (name, epoch, last_seq, last_no, last_message)"
            " VALUES ('sparse', 'e', 300000, 3, 200001)"
        )
        connection.execute(
            "INSERT INTO trichat.events (room_id, seq, kind, user_id, user_name, ts, body, no)"
            " SELECT r.id, n, CASE WHEN n % 100000 = 1 THEN 'message' ELSE 'reacted' END, 'u_bob', 'bob', now(),"
            """ '{"text":"x"}', (n - 1) / 100000 + 1 FROM trichat.rooms r, generate_series(1, 300000) n"""
            " WHERE r.name = 'sparse'"
        )
    _, touched = counts(url, [])
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        room = (await store.open_rooms([RoomName("sparse")], create=False))[RoomName("sparse")]
        for before, seqs in ((None, [1, 100_001, 200_001]), (150_000, [1, 100_001]), (200_001, [1, 100_001])):
            page = await store.read_messages(
                room.id, before=before, after=None, limit=50, max_bytes=LIMITS.page_bytes, viewer=None
            )
            assert ([message.seq for message in page.messages], page.more) == (seqs, False)
    assert counts(url, [])[1] - touched <= 3 * MOST_ROWS
