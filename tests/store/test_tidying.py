"""What has expired goes, in portions; each node sees to it every minute while it can record itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random

import psycopg
import pytest
import trio
from msgspec import structs
from trio.testing import MockClock

from tests.nodes import LOOSE, make_twins, open_twin_node
from tests.store.conftest import LIMITS, open_room
from trichat.chat.ports import Store
from trichat.core.accounts import Reported
from trichat.core.chance import Chance
from trichat.core.limits import Limits
from trichat.core.names import RoomId, UserId
from trichat.store import MemoryStore, open_postgres_store
from trichat.store.memory_state import StoredInvite, StoredOutgoing, StoredReport

TABLES = ("events", "standings", "invites", "reports", "pace")
#: What hangs on a room too: one row each here.
BESIDE = ("revisions", "reactions", "pins", "threads", "follows", "mentions", "outgoing", "search", "indexed")
#: Rows of a deleted room that one call removes.
PORTION = 5_000
MINUTE = 60.0


@pytest.fixture
async def postgres(url: str) -> AsyncIterator[Store]:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        yield store


def write(url: str, *statements: str) -> None:
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def count(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        ((rows,),) = connection.execute(f"SELECT count(*) FROM trichat.{table}".encode()).fetchall()
    return int(rows)


def fill_room(url: str, room: int, *, events: int, standings: int = 1) -> None:
    """A room's rows in every table, written without its log's care."""
    write(
        url,
        "INSERT INTO trichat.events (room_id, seq, kind, user_id, user_name, ts, body, no)"
        f" SELECT {room}, n, 'message', 'g_ann', 'ann', now(), '{{}}', n FROM generate_series(1, {events}) n",
        "INSERT INTO trichat.standings (room_id, user_id, name)"
        f" SELECT {room}, 'u_' || n, 'name' FROM generate_series(1, {standings}) n",
        "INSERT INTO trichat.invites (code_hash, beginning, room_id, made_by, uses_left, expires_at)"
        f" VALUES ('{room}', '', {room}, 'ann', 1, now() + interval '1 day')",
        f"INSERT INTO trichat.reports (room_id, seq, reporter_id, reporter, reason) VALUES ({room}, 1, 'g', 'g', '')",
        f"INSERT INTO trichat.pace (room_id, user_id, spoke_at) VALUES ({room}, 'g_ann', now())",
        f"INSERT INTO trichat.revisions VALUES ({room}, 1, 1, now(), 'old')",
        f"INSERT INTO trichat.reactions VALUES ({room}, 1, 'x', 'g_ann', 'ann')",
        f"INSERT INTO trichat.pins VALUES ({room}, 1, 2)",
        f"INSERT INTO trichat.threads VALUES ({room}, 1, 1, 2)",
        f"INSERT INTO trichat.follows VALUES ({room}, 1, 'u_ann', true, 0, 0)",
        f"INSERT INTO trichat.mentions VALUES ('u_ann', {room}, 1, now())",
        f"INSERT INTO trichat.outgoing (at, why, user_id, room_id, seq) VALUES (now(), 'mention', 'u_ann', {room}, 1)",
        f"INSERT INTO trichat.search VALUES ({room}, 1, now(), '')",
        f"INSERT INTO trichat.indexed VALUES ({room}, 1, 'simple')",
    )


async def test_a_deleted_room_goes_in_portions_and_no_other_with_it(url: str, postgres: Store) -> None:
    dropped, kept = RoomId(1001), RoomId(1002)
    fill_room(url, dropped, events=PORTION + 1_000, standings=4_500)
    fill_room(url, kept, events=10)
    write(url, f"INSERT INTO trichat.dropped_rooms (room_id) VALUES ({dropped})")
    await postgres.tidy()
    assert [count(url, table) for table in TABLES] == [1_010, 4_501, 2, 2, 2]
    await postgres.tidy()
    assert [count(url, table) for table in TABLES] == [10, 501, 2, 2, 2]
    assert count(url, "dropped_rooms") == 1
    await postgres.tidy()
    assert [count(url, table) for table in TABLES] == [10, 1, 1, 1, 1]
    assert [count(url, table) for table in BESIDE] == [1] * len(BESIDE)
    assert count(url, "dropped_rooms") == 0


async def test_every_table_of_rooms_is_known_to_who_removes_one(url: str, postgres: Store) -> None:
    fill_room(url, 1, events=1)
    write(url, "INSERT INTO trichat.dropped_rooms (room_id) VALUES (1)")
    await postgres.tidy()
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = 'trichat' AND column_name = 'room_id' ORDER BY 1"
        ).fetchall()
    of_nodes = {"dropped_rooms", "audit", "presence"}  # the first is what is asked for, the others outlive a room
    assert {table for (table,) in tables} - of_nodes == {*TABLES, *BESIDE}
    assert [count(url, table) for table in (*TABLES, *BESIDE)] == [0] * len((*TABLES, *BESIDE))


async def test_what_was_to_be_told_outside_goes_after_a_day(url: str, postgres: Store) -> None:
    write(
        url,
        "INSERT INTO trichat.outgoing (at, why, user_id, room_id, seq) VALUES"
        f" (now() - make_interval(secs => {LIMITS.outgoing_kept_s + 1}), 'mention', 'u_ann', 1, 1),"
        f" (now() - make_interval(secs => {LIMITS.outgoing_kept_s - 60}), 'mention', 'u_ann', 1, 2)",
    )
    await postgres.tidy()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT seq FROM trichat.outgoing").fetchall() == [(2,)]


async def test_deleted_rooms_go_one_after_another(url: str, postgres: Store) -> None:
    for room in (1, 2):
        fill_room(url, room, events=10)
        write(url, f"INSERT INTO trichat.dropped_rooms (room_id) VALUES ({room})")
    await postgres.tidy()
    assert (count(url, "events"), count(url, "dropped_rooms")) == (10, 1)
    await postgres.tidy()
    assert (count(url, "events"), count(url, "dropped_rooms")) == (0, 0)


async def test_what_another_node_tidies_is_left_to_it(url: str, postgres: Store) -> None:
    """The other node's transactions have the room, a name, a login, a code; nobody waits for them."""
    fill_room(url, 1, events=10)
    write(
        url,
        "INSERT INTO trichat.dropped_rooms (room_id) VALUES (1)",
        "UPDATE trichat.invites SET uses_left = 0",
        "INSERT INTO trichat.names VALUES ('a', 'a', 'g_a', now() - interval '1 s')",
        "INSERT INTO trichat.logins VALUES ('k', 'u_a', 'hash', '', '', now(), now(), now() - interval '1 s')",
        "INSERT INTO trichat.ended VALUES (now() - interval '10 days', 'u_a', NULL)",
    )
    with psycopg.connect(url) as other:
        for table in ("dropped_rooms", "invites", "names", "logins", "ended"):
            other.execute(f"SELECT FROM trichat.{table} FOR UPDATE".encode())
        await postgres.tidy()
        assert count(url, "events") == 10
    await postgres.tidy()
    assert [count(url, table) for table in ("events", "invites", "names", "logins")] == [0, 0, 0, 0]


async def test_codes_that_cannot_be_used_go(url: str, postgres: Store) -> None:
    write(
        url,
        "INSERT INTO trichat.invites (code_hash, beginning, room_id, made_by, uses_left, expires_at) VALUES"
        " ('good', '', 1, 'ann', 1, now() + interval '1 hour'), ('used', '', 1, 'ann', 0, now() + interval '1 hour'),"
        " ('late', '', 1, 'ann', 1, now() - interval '1 second')",
    )
    await postgres.tidy()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT code_hash FROM trichat.invites").fetchall() == [(b"good",)]


async def test_more_than_a_portion_goes_over_several_calls(url: str, postgres: Store) -> None:
    write(
        url,
        "INSERT INTO trichat.names SELECT n, n, 'g_' || n, now() - interval '1 s' FROM generate_series(1, 2500) n",
    )
    left = []
    for _ in range(3):
        await postgres.tidy()
        left.append(count(url, "names"))
    assert left == [1_500, 500, 0]


async def test_the_twin_drops_what_cannot_be_used_and_what_hung_on_rooms_that_are_gone() -> None:
    twin = MemoryStore(LIMITS, chance=Chance(Random(1)), clock=lambda: 1000.0)
    room, gone = (await open_room(twin)).id, RoomId(99)
    later = twin.now + 1000

    def code(name: bytes, room_id: RoomId, uses: int, expires: int) -> StoredInvite:
        return StoredInvite(name, "", room_id, "ann", UserId("u_ann"), uses, expires)

    good = code(b"good", room, 1, later)
    twin.invites = [
        code(b"used", room, 0, later),
        good,
        code(b"late", room, 1, twin.now),
        code(b"gone", gone, 1, later),
    ]
    report = Reported(number=1, seq=1, reporter="ann", reason="", at=twin.now)
    twin.reports = [StoredReport(where, UserId("g_ann"), report) for where in (room, gone)]
    await twin.tidy()
    kept = StoredOutgoing(twin.now, "mention", UserId("u_ann"), room, 1)
    old = structs.replace(kept, at=twin.now - round(LIMITS.outgoing_kept_s * 1000) - 1)
    twin.outgoing = [old, kept, structs.replace(kept, room_id=gone)]
    await twin.tidy()
    assert twin.outgoing == [kept]
    assert twin.invites == [good]
    assert [report.room_id for report in twin.reports] == [room]


# when


class WatchedStore(MemoryStore):
    """Notes when it was tidied."""

    def __init__(self, limits: Limits = LOOSE) -> None:
        super().__init__(limits, chance=Chance(Random(1)))
        self.tidied: list[float] = []

    async def tidy(self) -> None:
        self.tidied.append(trio.current_time())
        await super().tidy()


async def test_a_node_tidies_every_minute(autojump_clock: MockClock) -> None:
    twins = make_twins()
    twins.store = store = WatchedStore()
    async with open_twin_node(twins):
        await trio.sleep(10 * MINUTE)
    steps = [later - one for one, later in zip([0.0, *store.tidied], store.tidied, strict=False)]
    assert len(steps) >= 9
    assert all(MINUTE <= step <= MINUTE + 2 * LOOSE.node_record_s for step in steps)


async def test_while_the_store_is_away_nothing_is_tidied_and_soon_after_it_is(autojump_clock: MockClock) -> None:
    twins = make_twins()
    twins.store = store = WatchedStore()
    async with open_twin_node(twins):
        await trio.sleep(MINUTE / 2)
        store.down = True
        await trio.sleep(10 * MINUTE)
        assert store.tidied == []
        store.down = False
        await trio.sleep(2 * LOOSE.node_record_s)
        assert len(store.tidied) == 1
