"""PostgreSQL: what is new for somebody is found by indexes, and a message costs no row for each who gets it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
import trio
from msgspec import structs

from tests.store.conftest import LIMITS
from tests.store.governed import ANN, BOB, actor, joined, made, says
from tests.store.postgres import wait_until
from trichat.core.chance import Chance
from trichat.core.conversation import Marker, Moved
from trichat.core.events import EVERYBODY, Committed, Person
from trichat.core.names import UserId
from trichat.store import markers, open_postgres_store
from trichat.store.governance import _ACCESS_BY_ID
from trichat.store.schema import schema_text

ROOMS, MESSAGES, MEMBERS = 30, 500, 40

FILL = f"""
    INSERT INTO trichat.rooms (name, epoch, last_seq, last_no, last_message)
    SELECT 'room' || n, 'e', {MESSAGES}, {MESSAGES}, {MESSAGES} FROM generate_series(1, {ROOMS}) n;
    INSERT INTO trichat.events (room_id, seq, kind, user_id, user_name, ts, body, no, deleted, rev)
    SELECT id, n, 'message', 'u_ann', 'ann', now() + n * interval '1 second', '{{"text":"hi"}}', n, n % 9 = 0,
        CASE WHEN n % 5 = 0 THEN n END
    FROM trichat.rooms, generate_series(1, {MESSAGES}) n;
    INSERT INTO trichat.standings (room_id, user_id, name, role, since, read_seq, read_no)
    SELECT id, 'u_' || n, 'p' || n, 2, 1, 9, 9 FROM trichat.rooms, generate_series(1, {MEMBERS}) n;
    INSERT INTO trichat.mentions (user_id, room_id, seq, at)
    SELECT CASE WHEN n % 7 = 0 THEN '*' ELSE 'u_' || n % 50 END, id, n, now() + n * interval '1 second'
    FROM trichat.rooms, generate_series(1, {MESSAGES}) n;
    INSERT INTO trichat.reactions (room_id, seq, emoji, user_id, name)
    SELECT id, n, 'x', 'u_1', 'p1' FROM trichat.rooms, generate_series(1, {MESSAGES}) n;
    INSERT INTO trichat.pins (room_id, seq, pin) SELECT id, n, n FROM trichat.rooms, generate_series(1, 100) n;
    INSERT INTO trichat.threads (room_id, root, last_no, last_seq)
    SELECT id, n, 1, n FROM trichat.rooms, generate_series(1, 100) n;
"""

STATEMENTS: dict[str, tuple[str, dict[str, Any] | tuple[Any, ...]]] = {
    "inbox": (markers._INBOX, {"viewer": "u_7", "after": "room1", "limit": 100}),
    "mentions": (markers._MENTIONS, {"viewer": "u_7", "at_us": 2**52, "room_id": 3, "seq": 9, "limit": 100}),
    "read": (markers._READ, {"room_id": 3, "user_id": "u_7", "seq": 99}),
    "access": (_ACCESS_BY_ID[True], ("u_7", 3)),
}


@pytest.fixture(params=["with statistics", "without"])
def filled(request: pytest.FixtureRequest, url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database of many rooms, in a transaction as the store's lists have it."""
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(schema_text().encode())
        connection.execute(FILL.encode())
        if request.param == "with statistics":
            connection.execute("ANALYZE")
        with connection.transaction():
            connection.execute(markers._BY_INDEX)
            yield connection


@pytest.mark.parametrize("name", STATEMENTS)
def test_nothing_is_scanned_whole(filled: psycopg.Connection[Any], name: str) -> None:
    plan = plan_of(filled, *STATEMENTS[name])
    assert "Index" in plan
    assert "Seq Scan" not in plan, plan


def test_an_inbox_begins_with_ones_own_rooms_and_not_with_the_names_of_all(filled: psycopg.Connection[Any]) -> None:
    plan = plan_of(filled, *STATEMENTS["inbox"])
    assert "standings_user" in plan
    assert "rooms_name_key" not in plan, plan


def test_the_last_mentions_of_a_room_are_read_and_no_others(filled: psycopg.Connection[Any]) -> None:
    statement, params = STATEMENTS["mentions"]
    assert isinstance(params, dict)
    plan = plan_of(filled, statement, {**params, "limit": 2})
    (found,) = re.findall(r"Index Only Scan Backward using mentions_at .*rows=([0-9.]+)", plan)
    assert float(found) <= 2


def plan_of(connection: psycopg.Connection[Any], statement: str, params: dict[str, Any] | tuple[Any, ...]) -> str:
    lines = connection.execute(b"EXPLAIN (ANALYZE, TIMING off) " + statement.encode(), params)
    return "\n".join(line for (line,) in lines)


async def test_who_reads_while_another_device_has_read_on_does_not_go_back(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        room = await made(store)
        await joined(store, room, BOB)
        await store.append([says(ANN, room) for _ in range(9)])
        moved: list[Moved] = []

        async def read() -> None:
            moved.append(await store.markers.read(room.id, actor(BOB), 5))

        with psycopg.connect(url) as other:
            other.execute("UPDATE trichat.standings SET read_seq = 11, read_no = 8 WHERE user_id = %s", (BOB.user_id,))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                await trio.to_thread.run_sync(wait_until, partial(somebody_waits, url), "the read waits for the row")
                other.commit()
    assert moved == [Moved(Marker(11, unread=1), moved=False)]


def somebody_waits(url: str) -> bool:
    """Whether a statement waits for a lock in this database."""
    with psycopg.connect(url) as connection:
        waiting = connection.execute(
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return waiting.fetchone() is not None


async def test_a_message_to_a_thousand_members_writes_no_row_for_each(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        room = await made(store)
        for number in range(1_000):
            name = f"p{number}"
            await joined(store, room, Person(name, UserId(f"u_{name}")))
        before = written(url)
        (outcome,) = await store.append([structs.replace(says(ANN, room), mentions=(EVERYBODY,))])
        assert isinstance(outcome, Committed)
        after = written(url)
        access = await store.governance.access(room.name, UserId("u_p0"), marked=True)
    assert access is not None
    assert access.marker is not None
    assert access.marker.mentions == 1
    changed = sorted(table for table, _ in (after - before).elements())
    # the message, the room's head, what the author has read, the mention, and what is to be told to the outside
    assert changed == ["events", "mentions", "outgoing", "rooms", "standings"]


def written(url: str) -> Counter[tuple[str, str]]:
    """Each row of the database, by its table and the transaction that wrote it last."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'trichat'").fetchall()
        return Counter(
            (table, f"{place} {xmin}")
            for (table,) in tables
            for place, xmin in connection.execute(f"SELECT ctid::text, xmin::text FROM trichat.{table}".encode())
        )
