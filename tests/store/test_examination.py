"""The store's contract: what a doctor is shown of a room. And each figure of it, broken in PostgreSQL, is found."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import psycopg
import pytest
import trio

from tests.store.acting import did, put
from tests.store.conftest import LIMITS, Stage
from tests.store.examining import Mixed, erased_room, examine, mentioning, mixed_room
from tests.store.governed import ANN, BOB, CAT, GUS, actor, made
from tests.store.people import register
from tests.store.postgres import wait_until
from trichat.chat.ports import Store, StoreUnavailable
from trichat.core.acts import Remove
from trichat.core.chance import Chance
from trichat.core.changes import Edit
from trichat.core.doctor import Figure
from trichat.core.names import RoomName
from trichat.store import examination, open_postgres_store
from trichat.store.postgres_administration import PostgresAdministration
from trichat.store.remedies import remedy

DAY_S = 86_400


async def test_in_a_room_in_which_all_was_done_nothing_differs(store: Store) -> None:
    mixed = await mixed_room(store)
    assert await examine(store, mixed.room) == []


async def test_nor_after_people_in_it_were_erased(store: Store) -> None:
    for person in (ANN, BOB, CAT):
        await register(store, person.user_id)
    mixed = await erased_room(store)
    assert await examine(store, mixed.room) == []
    await put(store, mentioning(mixed.room, CAT, ANN, thread=mixed.root))
    await did(store, mixed.room, CAT, mixed.root, Remove())
    assert await examine(store, mixed.room) == []


async def test_nor_when_a_room_keeps_its_youngest_days_alone(stage: Stage) -> None:
    store = stage.store
    mixed = await mixed_room(store)
    await store.governance.change(mixed.room.id, actor(ANN), Edit(retention_days=1))
    stage.let_pass(3 * DAY_S)
    await put(store, mentioning(mixed.room, ANN, BOB))
    await store.tidy()
    assert (await store.open_rooms([mixed.room.name], create=False))[mixed.room.name].first > mixed.reply
    assert await examine(store, mixed.room) == []


async def test_of_a_room_that_is_not_there_nothing_is_shown(store: Store) -> None:
    assert [part async for part in store.administration.examine(RoomName("nowhere"))] == []


async def test_nothing_differs_in_a_new_room(store: Store) -> None:
    assert await examine(store, await made(store)) == []


# PostgreSQL alone


@pytest.fixture
async def postgres(url: str) -> AsyncIterator[Store]:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        yield store


def write(url: str, statement: str) -> int:
    """Run it; how many rows it wrote."""
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).rowcount


EVENT = "UPDATE trichat.events SET {} WHERE seq = {}"
ROOMS = "UPDATE trichat.rooms SET {}"
#: A figure, what breaks it (with the seqs of the room), and whether the remedy mends it.
BREAKS: list[tuple[Figure, str, bool]] = [
    ("last_seq", ROOMS.format("last_seq = last_seq + 2"), True),
    ("last_no", ROOMS.format("last_no = last_no - 1"), True),
    ("last_message", ROOMS.format("last_message = last_message - 1"), True),
    ("first_no", ROOMS.format("first_no = 1"), True),
    ("seq", "DELETE FROM trichat.events WHERE kind = 'member' AND seq = 2", False),
    ("kept", ROOMS.format("first_seq = 2"), True),
    ("no", EVENT.format("no = no + 1", "{plain}"), True),
    ("no", EVENT.format("no = no - 1", "{reply}"), True),
    ("thread_no", EVENT.format("thread_no = 7", "{reply}"), True),
    ("thread_no", EVENT.format("thread_no = NULL", "{reply}"), True),
    ("rev", EVENT.format("rev = NULL", "{plain}"), True),
    ("rev", EVENT.format("rev = rev - 1", "{edited}"), True),
    ("rev", EVENT.format("rev = rev - 1", "{root}"), True),
    ("rev", EVENT.format("rev = 9", "{mentioning}"), True),
    ("edited", EVENT.format("edited = NULL", "{edited}"), True),
    ("edited", EVENT.format("edited = edited + interval '1 s'", "{edited}"), True),
    ("edited", EVENT.format("edited = now()", "{deleted}"), True),
    ("deleted", EVENT.format("deleted = true", "{plain}"), True),
    ("deleted", EVENT.format("deleted = false", "{deleted}"), True),
    ("body", EVENT.format('body = \'{{"text":"still here"}}\'', "{deleted}"), True),
    ("body", EVENT.format("body = '{{\"deleted\":true}}'", "{plain}"), False),
    ("text", EVENT.format("body = replace(body::text, 'twice', 'once')::json", "{edited}"), False),
    (
        "superseded",
        'UPDATE trichat.events SET body = \'{{"target":{edited},"text":"once"}}\''
        " WHERE seq = (SELECT min(seq) FROM trichat.events WHERE kind = 'edited' AND target = {edited})",
        True,
    ),
    (
        "superseded",
        'UPDATE trichat.events SET body = \'{{"target":{deleted},"text":"once"}}\''
        " WHERE kind = 'edited' AND target = {deleted}",
        True,
    ),
    (
        "superseded",
        'UPDATE trichat.events SET body = \'{{"target":{edited},"superseded":true}}\''
        " WHERE seq = (SELECT max(seq) FROM trichat.events WHERE kind = 'edited' AND target = {edited})",
        False,
    ),
    ("reactions", "DELETE FROM trichat.reactions WHERE user_id = 'u_ann'", True),
    ("reactions", "INSERT INTO trichat.reactions SELECT id, {plain}, 'x', 'u_bob', 'bob' FROM trichat.rooms", True),
    ("reactions", "INSERT INTO trichat.reactions SELECT id, {deleted}, 'x', 'u_bob', 'b' FROM trichat.rooms", True),
    ("pins", "DELETE FROM trichat.pins", True),
    ("pins", "UPDATE trichat.pins SET pin = pin + 1", True),
    ("pins", "INSERT INTO trichat.pins SELECT id, {plain}, 1 FROM trichat.rooms", True),
    ("threads", "UPDATE trichat.threads SET last_no = last_no - 1", True),
    ("threads", "UPDATE trichat.threads SET last_seq = {reply}", True),
    ("threads", "DELETE FROM trichat.threads", True),
    ("revisions", "DELETE FROM trichat.revisions WHERE rev = {edited}", False),
    ("revisions", "INSERT INTO trichat.revisions SELECT id, {deleted}, 1, now(), 'left' FROM trichat.rooms", True),
    ("mentions", "DELETE FROM trichat.mentions WHERE user_id = '*'", True),
    ("mentions", "DELETE FROM trichat.mentions WHERE user_id = 'u_cat' AND seq = {edited}", True),
    ("mentions", "INSERT INTO trichat.mentions SELECT 'u_bob', id, {deleted}, now() FROM trichat.rooms", True),
    ("mentions", "INSERT INTO trichat.mentions SELECT 'u_ann', id, {plain}, now() FROM trichat.rooms", True),
    ("follows", "UPDATE trichat.follows SET read_no = read_no + 1 WHERE user_id = 'u_bob'", True),
    ("follows", "UPDATE trichat.follows SET read_seq = 999 WHERE user_id = 'u_bob'", True),
    ("markers", "UPDATE trichat.standings SET read_no = read_no - 1 WHERE user_id = 'u_bob'", True),
    ("markers", "UPDATE trichat.standings SET read_seq = {edited} WHERE user_id = 'u_ann'", True),
    ("markers", "UPDATE trichat.standings SET read_seq = 999 WHERE user_id = 'u_ann'", True),
    ("search", "DELETE FROM trichat.search WHERE seq = {plain}", True),
    ("search", "INSERT INTO trichat.search SELECT id, {deleted}, now(), '' FROM trichat.rooms", True),
    ("search", "INSERT INTO trichat.search SELECT id, 1, now(), '' FROM trichat.rooms", True),
    ("search", "UPDATE trichat.indexed SET seq = 999", True),
]


@pytest.mark.parametrize(("figure", "statement", "mends"), BREAKS)
async def test_a_figure_that_is_broken_is_found_alone_and_the_remedy_mends_it(
    url: str, postgres: Store, figure: Figure, statement: str, mends: bool
) -> None:
    mixed = await mixed_room(postgres)
    assert write(url, _filled(statement, mixed)) == 1
    (found,) = await examine(postgres, mixed.room)
    assert found.what == figure
    if not mends:
        return
    assert write(url, remedy(found)) == 1
    while await postgres.searching.index():
        pass
    assert await examine(postgres, mixed.room) == []


def _filled(statement: str, mixed: Mixed) -> str:
    seqs = {name: getattr(mixed, name) for name in ("plain", "edited", "deleted", "root", "reply", "mentioning")}
    return statement.format(**seqs)


async def test_what_an_erasure_left_undone_is_found(url: str, postgres: Store) -> None:
    for person in (BOB, CAT):
        await register(postgres, person.user_id)
    mixed = await erased_room(postgres)
    write(url, _filled(EVENT.format("deleted = false", "{plain}"), mixed))
    assert [found.what for found in await examine(postgres, mixed.room)] == ["deleted"]


async def test_it_comes_to_the_same_however_small_the_pages_are(url: str, postgres: Store) -> None:
    mixed = await mixed_room(postgres)
    assert isinstance(postgres.administration, PostgresAdministration)
    for portion in (1, 2, 7):
        postgres.administration.examined = portion
        assert await examine(postgres, mixed.room) == []
    write(url, "UPDATE trichat.reactions SET emoji = 'x' WHERE user_id = 'u_ann'")
    assert [found.what for found in await examine(postgres, mixed.room)] == ["reactions", "reactions"]


async def test_while_the_chat_goes_on_nothing_differs(postgres: Store) -> None:
    """Each part is asked for after something was done that would be half of the picture."""
    mixed = await mixed_room(postgres)
    assert isinstance(postgres.administration, PostgresAdministration)
    postgres.administration.examined = 3
    done = trio.Event()

    async def go_on() -> None:
        while not done.is_set():
            seq = await put(postgres, mentioning(mixed.room, BOB, ANN, thread=mixed.root))
            await did(postgres, mixed.room, ANN, seq, Remove())
            await put(postgres, mentioning(mixed.room, GUS))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(go_on)
        with trio.fail_after(60):
            for _ in range(3):
                assert await examine(postgres, mixed.room) == []
        done.set()


async def test_other_rooms_have_nothing_to_do_with_it(url: str, postgres: Store) -> None:
    mixed, other = await mixed_room(postgres), await mixed_room(postgres, "other")
    write(url, f"UPDATE trichat.events SET rev = 1 WHERE room_id = {other.room.id} AND seq = {other.plain}")
    assert await examine(postgres, mixed.room) == []
    assert [(found.what, found.key) for found in await examine(postgres, other.room)] == [("rev", (other.plain,))]


async def test_who_stops_in_the_midst_holds_no_snapshot(url: str, postgres: Store) -> None:
    mixed = await mixed_room(postgres)
    for _ in range(20):  # more than there are connections
        async with aclosing(postgres.administration.examine(mixed.room.name)) as parts:
            await anext(parts)
            assert in_transaction(url) == 1
        wait_until(lambda: in_transaction(url) == 0, "the transaction is over")
    await postgres.ping()


async def test_an_examination_whose_connection_is_lost_says_so(url: str, postgres: Store) -> None:
    mixed = await mixed_room(postgres)
    async with aclosing(postgres.administration.examine(mixed.room.name)) as parts:
        await anext(parts)
        write(url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity {IN_TRANSACTION}")
        with pytest.raises(StoreUnavailable):
            await anext(parts)
    assert await examine(postgres, mixed.room) == []


IN_TRANSACTION = "WHERE datname = current_database() AND state = 'idle in transaction'"


def in_transaction(url: str) -> int:
    """How many sessions hold a transaction that does nothing."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(f"SELECT count(*) FROM pg_stat_activity {IN_TRANSACTION}".encode()).fetchall()
    return int(rows[0][0])


async def test_pages_are_found_by_the_index_that_has_their_order(url: str, postgres: Store) -> None:
    """In a database of many rooms, without statistics and with them: a page costs what it holds."""
    for table, rows in FILLED.items():
        write(url, f"INSERT INTO trichat.{table} {rows} FROM generate_series(1, 50) r, generate_series(1, 100) n")
    for statistics in (False, True):
        with psycopg.connect(url, autocommit=True) as connection:
            if statistics:
                connection.execute("ANALYZE")
            connection.execute("SET enable_seqscan = off")
            connection.execute("SET enable_bitmapscan = off")
            for side in examination.SIDES:
                lines = connection.execute(b"EXPLAIN " + side.statement, (7, *side.least, 10)).fetchall()
                plan = "\n".join(line for (line,) in lines)
                assert "Seq Scan" not in plan, plan
                assert "Index Cond: ((room_id = " in plan, plan


#: Rows of a hundred messages in each of fifty rooms.
FILLED = {
    "reactions": "SELECT r, n, 'x', 'u_' || n, 'n'",
    "pins": "SELECT r, n, n",
    "threads": "SELECT r, n, 1, n",
    "revisions": "SELECT r, n, n, now(), 'old'",
    "mentions": "SELECT 'u_' || n, r, n, now()",
    "follows": "SELECT r, n, 'u_' || n, true, 0, 0",
    "standings (room_id, user_id, name)": "SELECT r, 'u_' || n, 'n'",
}
