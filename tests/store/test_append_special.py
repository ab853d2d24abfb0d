"""The store's contract: what a message writes beside itself, in its transaction, and that a plain one writes nothing.

Its thread, whom it mentions, and whom to tell of it outside.
"""

from __future__ import annotations

from typing import Any

import msgspec
import psycopg
import pytest
import trio
from msgspec import structs

from tests.store.conftest import LIMITS, Stage
from tests.store.governed import ANN, BOB, CAT, DAN, GIL, GUS, actor, joined, made, says
from tests.store.people import register
from trichat.chat.ports import DeviceChange, NodeRecord, Store
from trichat.core.attendance import State
from trichat.core.chance import Chance
from trichat.core.changes import Ban, Edit, Kick
from trichat.core.conversation import Level
from trichat.core.events import EVERYBODY, CidReused, Committed, Denied, Draft, Outcome, Person, Repeated, RoomRecord
from trichat.core.names import Incarnation, UserId, direct_room_name
from trichat.store import MemoryStore, open_postgres_store
from trichat.store.connection import Connection
from trichat.store.log import _row
from trichat.store.postgres_threads import PostgresThreads

#: Who is to be told what outside: why, whom, of which `seq`.
Told = tuple[str, str, int]


@pytest.fixture
async def room(store: Store) -> RoomRecord:
    """A public room that ann owns; bob and cat are members: its head is 4."""
    room = await made(store)
    await joined(store, room, BOB)
    await joined(store, room, CAT)
    return room


def replies(person: Person, room: RoomRecord, root: int, *whom: UserId, cid: str | None = None) -> Draft:
    return structs.replace(says(person, room, "re", cid=cid), thread=root, mentions=whom)


def mentions(person: Person, room: RoomRecord, *whom: UserId, cid: str | None = None) -> Draft:
    return structs.replace(says(person, room, "hey", cid=cid), mentions=whom)


async def said(store: Store, *drafts: Draft) -> list[int]:
    outcomes = await store.append(drafts)
    assert all(isinstance(outcome, Committed) for outcome in outcomes)
    return [outcome.seq for outcome in outcomes if isinstance(outcome, Committed)]


async def told(store: Store) -> list[Told]:
    """What is to be told outside so far."""
    if isinstance(store, MemoryStore):
        return [(row.why, row.user_id, row.seq) for row in store.outgoing]
    statement = "SELECT why, user_id, seq FROM trichat.outgoing ORDER BY number"
    return [(why, user_id, seq) for why, user_id, seq in await _rows(store, statement)]


async def mentioned(store: Store, room: RoomRecord) -> list[tuple[int, str]]:
    """Whom the messages of the room mention, as it is kept."""
    if isinstance(store, MemoryStore):
        return sorted((seq, who) for seq, each in store.rooms[room.id].mentions.items() for who in each)
    statement = f"SELECT seq, user_id FROM trichat.mentions WHERE room_id = {room.id}"
    return sorted((seq, who) for seq, who in await _rows(store, statement))


async def followers(store: Store, room: RoomRecord) -> list[tuple[int, str, bool, int, int]]:
    """Who follows which thread: the root, who, whether still, and the marker."""
    if isinstance(store, MemoryStore):
        rows = store.rooms[room.id].follows.items()
        return sorted((root, who, one.following, one.read_seq, one.read_no) for (root, who), one in rows)
    columns = "root, user_id, following, read_seq, read_no"
    return sorted(await _rows(store, f"SELECT {columns} FROM trichat.follows WHERE room_id = {room.id}"))


async def _rows(store: Store, statement: str) -> list[Any]:
    def read(connection: Connection) -> list[Any]:
        return connection.execute(statement.encode()).fetchall()

    assert isinstance(store.threads, PostgresThreads)
    return await store.threads._queries.call(read)


# threads


async def test_replies_are_counted_in_their_thread_and_not_in_the_room(store: Store, room: RoomRecord) -> None:
    root, other = await said(store, says(ANN, room), says(ANN, room))
    await said(store, replies(BOB, room, root), says(BOB, room), replies(BOB, room, other), replies(CAT, room, root))
    page = await store.read_messages(room.id, before=None, after=0, limit=50, max_bytes=100_000)
    assert [(message.seq, message.no, message.rev) for message in page.messages] == [(5, 1, 10), (6, 2, 9), (8, 3, 0)]
    thread = await store.read_messages(room.id, before=None, after=0, limit=50, max_bytes=100_000, thread=root)
    assert [message.seq for message in thread.messages] == [7, 10]


async def test_a_batch_leaves_what_one_after_the_other_would(store: Store, room: RoomRecord) -> None:
    (root,) = await said(store, says(ANN, room))
    drafts = [
        replies(BOB, room, root, CAT.user_id),
        replies(CAT, room, root, ANN.user_id),
        replies(GUS, room, root, BOB.user_id),
        replies(BOB, room, root),
    ]
    expected = [(5, "u_ann", True, 5, 0), (5, "u_bob", True, 9, 4), (5, "u_cat", True, 7, 2)]
    await said(store, *drafts)
    assert await followers(store, room) == expected
    again = await made(store, "again")
    for person in (BOB, CAT):
        await joined(store, again, person)
    await said(store, says(ANN, again))
    for draft in drafts:
        await said(store, structs.replace(draft, room_id=again.id, room=again.name))
    assert await followers(store, again) == expected


async def test_only_members_follow_by_being_spoken_to(store: Store, room: RoomRecord) -> None:
    (root,) = await said(store, says(GUS, room))
    await said(store, replies(BOB, room, root, GIL.user_id, DAN.user_id, EVERYBODY))
    assert await followers(store, room) == [(root, "u_bob", True, 6, 1)]
    (root,) = await said(store, says(CAT, room))
    await store.governance.change(room.id, actor(ANN), Kick(), target=CAT)
    (seq,) = await said(store, replies(BOB, room, root))
    assert [row for row in await followers(store, room) if row[0] == root] == [(root, "u_bob", True, seq, 1)]


async def test_a_reply_that_is_repeated_or_refused_counts_once_or_not_at_all(store: Store, room: RoomRecord) -> None:
    (root,) = await said(store, says(ANN, room))
    first = replies(BOB, room, root, CAT.user_id, cid="a")
    outcomes: list[Outcome] = await store.append(
        [first, first, replies(CAT, room, root, cid="a"), replies(DAN, room, root), structs.replace(first, cid=None)]
    )
    assert [outcomes[1], outcomes[3]] == [Repeated(6), Denied("not_member")]
    other = structs.replace(first, body=b'{"text":"other"}')
    assert await store.append([first, other]) == [Repeated(6), CidReused(6)]
    (thread,) = await store.threads.threads(room.id, actor(ANN), every=True, before=None, limit=9)
    assert (thread.replies, thread.last_seq) == (3, 8)
    assert await mentioned(store, room) == [(6, "u_cat"), (8, "u_cat")]
    assert [row for row in await told(store) if row[1] == "u_cat"] == [("mention", "u_cat", 6), ("mention", "u_cat", 8)]


# mentions


async def test_a_mention_is_kept_for_each_who_may_read_it_and_not_for_who_says_it(
    store: Store, room: RoomRecord
) -> None:
    await store.governance.change(room.id, actor(ANN), Ban(), target=GIL)
    whom = [who.user_id for who in (ANN, BOB, DAN, GUS, GIL, BOB)]
    (seq,) = await said(store, mentions(ANN, room, *whom, EVERYBODY))
    assert await mentioned(store, room) == [(seq, "*"), (seq, "g_gus"), (seq, "u_bob")]
    await store.governance.change(room.id, actor(ANN), Edit(guests=False))
    (seq,) = await said(store, mentions(ANN, room, GUS.user_id, CAT.user_id))
    assert (await mentioned(store, room))[3:] == [(seq, "u_cat")]


async def test_a_mention_said_again_after_a_rename_is_the_same_message(store: Store, room: RoomRecord) -> None:
    body = b'{"text":"@bob","mentions":[%b]}'
    first = structs.replace(
        mentions(ANN, room, BOB.user_id, cid="a"), body=body % b'{"user":"bob"}', said=b'{"text":"@bob"}'
    )
    (seq,) = await said(store, first)
    again = structs.replace(first, body=body % b'{"user":"cat"}', mentions=(CAT.user_id,))
    assert await store.append([again]) == [Repeated(seq)]
    assert await mentioned(store, room) == [(seq, "u_bob")]


# telling outside


async def test_who_is_mentioned_and_away_is_told_outside(stage: Stage, room: RoomRecord) -> None:
    store = stage.store
    await _devices(store, (BOB, "phone", "online"), (BOB, "desk", "away"), (CAT, "phone", "away"))
    (seq,) = await said(store, mentions(ANN, room, BOB.user_id, CAT.user_id, GUS.user_id))
    assert await told(store) == [("mention", "u_cat", seq)]
    await store.forget_node(Incarnation(1))
    (then,) = await said(store, mentions(ANN, room, BOB.user_id))
    assert await told(store) == [("mention", "u_cat", seq), ("mention", "u_bob", then)]


async def _devices(store: Store, *devices: tuple[Person, str, State]) -> None:
    node = NodeRecord(Incarnation(1), "n1", degraded=False)
    await store.record_node(node, [])
    assert await store.record_node(node, [DeviceChange(one.user_id, device, state) for one, device, state in devices])


@pytest.mark.parametrize(
    ("level", "quiet_s", "is_told"),
    [("all", 0, True), ("mentions", 0, True), ("none", 0, False), ("all", 60, False)],
)
async def test_who_does_not_want_it_is_not_told(
    stage: Stage, room: RoomRecord, level: Level, quiet_s: int, is_told: bool
) -> None:
    access = await stage.store.governance.access(room.name, BOB.user_id)
    assert access is not None
    await stage.store.markers.notify(room.id, actor(BOB), level, access.now + quiet_s * 1000)
    (seq,) = await said(stage.store, mentions(ANN, room, BOB.user_id))
    assert await told(stage.store) == ([("mention", "u_bob", seq)] if is_told else [])


async def test_who_has_blocked_the_author_is_not_told(store: Store, room: RoomRecord) -> None:
    await register(store, BOB.user_id)
    assert await store.accounts.block(BOB.user_id, ANN.user_id, most=9)
    await said(store, mentions(ANN, room, BOB.user_id))
    assert await told(store) == []


async def test_a_mention_of_the_room_is_one_line_however_many_are_in_it(store: Store, room: RoomRecord) -> None:
    (seq,) = await said(store, mentions(ANN, room, EVERYBODY))
    assert await told(store) == [("mention", "*", seq)]


async def test_the_other_of_two_is_told_of_every_message_in_their_room(store: Store) -> None:
    name = direct_room_name(ANN.user_id, BOB.user_id)
    room = (await store.governance.open_direct(name, actor(ANN), BOB)).record
    first, second, third = await said(
        store, says(ANN, room), mentions(BOB, room, ANN.user_id), replies(ANN, room, room.head + 1)
    )
    assert await told(store) == [("direct", "u_bob", first), ("mention", "u_ann", second), ("direct", "u_bob", third)]
    await store.markers.notify(room.id, actor(BOB), "mentions", None)
    _, fifth = await said(store, says(ANN, room), mentions(ANN, room, BOB.user_id))
    assert (await told(store))[3:] == [("mention", "u_bob", fifth)]


# on PostgreSQL alone


async def test_two_nodes_number_the_replies_of_a_thread_without_a_gap(url: str) -> None:
    async with (
        open_postgres_store(url, LIMITS, chance=Chance()) as one,
        open_postgres_store(url, LIMITS, chance=Chance()) as two,
        trio.open_nursery() as nursery,
    ):
        room = await made(one)
        await joined(one, room, BOB)
        roots = await said(one, says(ANN, room), says(ANN, room))

        async def reply(store: Store, person: Person) -> None:
            for _ in range(20):
                await said(store, *(replies(person, room, root) for root in roots))

        nursery.start_soon(reply, one, ANN)
        nursery.start_soon(reply, two, BOB)
    with psycopg.connect(url) as connection:
        numbers = connection.execute(
            "SELECT array_agg(thread_no ORDER BY seq) FROM trichat.events WHERE thread IS NOT NULL GROUP BY thread"
        ).fetchall()
        last = connection.execute("SELECT last_no FROM trichat.threads").fetchall()
    assert numbers == [(list(range(1, 41)),)] * 2
    assert last == [(40,)] * 2


@pytest.mark.parametrize("special", [False, True])
async def test_what_a_message_writes_does_not_depend_on_how_many_are_in_the_room(url: str, special: bool) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        room = await made(store)
        for number in range(30):
            await joined(store, room, Person(f"p{number}", UserId(f"u_{number}")))
        (root,) = await said(store, says(ANN, room))
    draft = replies(BOB, room, root, EVERYBODY) if special else says(ANN, room)
    with psycopg.connect(url) as connection, connection.transaction(force_rollback=True):
        batch = msgspec.json.encode([_row(structs.replace(draft, user_id=ANN.user_id))])
        connection.execute("SELECT trichat.append(%s, %s, 1000, %s)", ([room.id], batch.decode(), special))
        written = connection.execute(
            "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
            " WHERE schemaname = 'trichat' AND n_tup_ins + n_tup_upd + n_tup_del > 0"
        ).fetchall()
    plain = {"events": 1, "rooms": 1, "standings": 1}
    connected = {"events": 3, "rooms": 1, "threads": 1, "follows": 1, "mentions": 1, "outgoing": 1}
    assert dict(written) == (connected if special else plain)
