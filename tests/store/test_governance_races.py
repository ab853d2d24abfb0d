"""PostgreSQL: what two nodes do to one room at the same time has one order, and no rule is broken in between."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from random import Random

import psycopg
import pytest
import trio

from tests.store.conftest import LIMITS
from tests.store.governed import ANN, BOB, GUS, actor, joined, made, roles, says
from tests.store.postgres import PostgresServer
from trichat.chat.ports import Store
from trichat.core.chance import Chance
from trichat.core.changes import Ban, Change, Enter, Quit, Transfer
from trichat.core.errors import Refusal
from trichat.core.events import Committed, Denied, Event, Outcome, Person, RoomRecord
from trichat.core.names import RoomName, UserId
from trichat.core.standing import Role, RoomRules
from trichat.store import open_postgres_store

#: So many calls at a time, over two nodes: each has `limits.store_readers` connections, and the others wait for them.
AT_ONCE = 20
CROWD = [Person(f"p{n:02}", UserId(f"u_p{n:02}")) for n in range(AT_ONCE)]


@pytest.fixture
async def nodes(url: str) -> AsyncIterator[list[Store]]:
    """Two nodes' stores over one database."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_postgres_store(url, LIMITS, chance=Chance())) for _ in range(2)]


async def attempt(
    store: Store, room: RoomRecord, person: Person, change: Change, target: Person | None = None
) -> str | None:
    """The code of the refusal, if it is refused."""
    try:
        await store.governance.change(room.id, actor(person), change, target=target)
    except Refusal as refusal:
        return refusal.code
    return None


async def gapless_log(store: Store, room: RoomRecord) -> list[Event]:
    page = await store.read_events(room.id, after=0, limit=10_000, max_bytes=10_000_000)
    assert [event.seq for event in page.events] == list(range(1, len(page.events) + 1))
    assert (await store.open_rooms([room.name], create=False))[room.name].head == len(page.events)
    return page.events


async def test_joins_at_once_never_exceed_the_member_limit(nodes: list[Store]) -> None:
    room = await made(nodes[0], rules=RoomRules(member_limit=8))
    refusals: list[str | None] = []

    async def come(number: int) -> None:
        refusals.append(await attempt(nodes[number % 2], room, CROWD[number], Enter()))

    async with trio.open_nursery() as nursery:
        for number in range(AT_ONCE):
            nursery.start_soon(come, number)
    assert sorted(map(str, refusals)) == ["None"] * 7 + ["limit_reached"] * (AT_ONCE - 7)
    assert len(await roles(nodes[0], room)) == 8
    assert len(await gapless_log(nodes[1], room)) == 9


async def test_codes_used_at_once_let_in_as_many_as_they_say(nodes: list[Store]) -> None:
    room = await made(nodes[0], kind="private")
    await nodes[0].governance.make_invite(room.id, actor(ANN), "code", uses=5, for_s=60, address="")
    came: list[Person] = []

    async def come(number: int) -> None:
        try:
            await nodes[number % 2].governance.accept("code", actor(CROWD[number]))
        except Refusal as refusal:
            assert refusal.code == "no_such_room"  # noqa: PT017 (some are refused and some are not)
        else:
            came.append(CROWD[number])

    async with trio.open_nursery() as nursery:
        for number in range(AT_ONCE):
            nursery.start_soon(come, number)
    assert len(came) == 5
    assert set(await roles(nodes[0], room)) == {"ann", *(person.user for person in came)}


async def test_transfers_and_leaves_at_once_never_leave_a_room_without_an_owner(nodes: list[Store]) -> None:
    room = await made(nodes[0])
    for person in CROWD[:4]:
        await joined(nodes[0], room, person)
    people = [ANN, *CROWD[:4]]

    async def live(number: int) -> None:
        random, store = Random(number), nodes[number % 2]
        me = people[number % len(people)]
        for _ in range(5):
            change: Change = random.choice((Transfer(), Transfer(), Quit(), Enter()))
            target = random.choice(people) if isinstance(change, Transfer) else None
            assert await attempt(store, room, me, change, target) in (None, "forbidden", "bad_state", "bad_field")

    async with trio.open_nursery() as nursery:
        for number in range(AT_ONCE):
            nursery.start_soon(live, number)
    owner = "ann"
    for event in await gapless_log(nodes[0], room):
        body = json.loads(event.body)
        assert (body.get("user"), body.get("change")) != (owner, "left")
        if body.get("change") == "role":
            assert event.user == owner
            owner = body["user"]
    members = await nodes[0].governance.roster(room.id, actor(ANN), after="", limit=99)
    assert [member.user for member in members if member.role is Role.OWNER] == [owner]


@pytest.mark.parametrize("person", [BOB, GUS], ids=["a member", "a guest"])
async def test_nothing_of_the_banned_has_a_number_after_the_ban(nodes: list[Store], person: Person) -> None:
    """The ban comes while both nodes commit message after message."""
    room = await made(nodes[0])
    if person == BOB:
        await joined(nodes[0], room, BOB)
    outcomes: list[Outcome] = []
    sending, banned = trio.Event(), trio.Event()

    async def send(store: Store) -> None:
        while not banned.is_set():
            outcomes.extend(await store.append([says(person, room), says(ANN, room), says(person, room)]))
            sending.set()
        outcomes.extend(await store.append([says(person, room)]))

    async def ban() -> None:
        await sending.wait()
        seqs.append((await nodes[1].governance.change(room.id, actor(ANN), Ban(), target=person)).seq)
        banned.set()

    seqs: list[int] = []
    async with trio.open_nursery() as nursery:
        for number in range(AT_ONCE):
            nursery.start_soon(send, nodes[number % 2])
        nursery.start_soon(ban)
    log = await gapless_log(nodes[0], room)
    theirs = [event.seq for event in log if event.user_id == person.user_id and event.kind == "message"]
    assert theirs
    assert max(theirs) < seqs[0] < log[-1].seq
    assert outcomes.count(Denied("banned")) >= AT_ONCE
    assert len(outcomes) - outcomes.count(Denied("banned")) == sum(isinstance(one, Committed) for one in outcomes)


async def test_one_name_made_at_once_is_one_room(nodes: list[Store]) -> None:
    made_by: list[Person] = []

    async def make(number: int) -> None:
        maker = actor(CROWD[number])
        try:
            await nodes[number % 2].governance.create(RoomName("lobby"), RoomRules(), maker, address="")
        except Refusal as refusal:
            assert refusal.code == "name_taken"  # noqa: PT017 (one of them is not refused)
        else:
            made_by.append(CROWD[number])

    async with trio.open_nursery() as nursery:
        for number in range(AT_ONCE):
            nursery.start_soon(make, number)
    (owner,) = made_by
    room = (await nodes[0].open_rooms([RoomName("lobby")], create=False))[RoomName("lobby")]
    assert room.head == 2
    assert await roles(nodes[0], room) == {owner.user: Role.OWNER}


async def test_a_direct_room_opened_by_both_at_once_is_one_room_with_two_joins(nodes: list[Store]) -> None:
    rooms: list[RoomRecord] = []

    async def open_it(number: int) -> None:
        one, other = (ANN, BOB) if number % 2 else (BOB, ANN)
        rooms.append((await nodes[number % 2].governance.open_direct(RoomName("@x"), actor(one), other)).record)

    async with trio.open_nursery() as nursery:
        for number in range(AT_ONCE):
            nursery.start_soon(open_it, number)
    assert {(room.id, room.head) for room in rooms} == {(rooms[0].id, 2)}


async def test_a_cid_used_at_once_counts_once(nodes: list[Store]) -> None:
    room = await made(nodes[0])
    repeated: list[bool] = []

    async def ban(number: int) -> None:
        changed = await nodes[number % 2].governance.change(room.id, actor(ANN), Ban(), target=BOB, cid="b")
        assert changed.seq == 3
        repeated.append(changed.repeated)

    async with trio.open_nursery() as nursery:
        for number in range(AT_ONCE):
            nursery.start_soon(ban, number)
    assert sorted(repeated) == [False] + [True] * (AT_ONCE - 1)


async def test_a_room_deleted_while_people_send_and_join_takes_nothing_any_more(nodes: list[Store]) -> None:
    room = await made(nodes[0])

    async def use(number: int) -> None:
        store = nodes[number % 2]
        while (await attempt(store, room, CROWD[number], Enter())) is None:
            await store.append([says(CROWD[number], room)])

    async with trio.open_nursery() as nursery:
        for number in range(AT_ONCE):
            nursery.start_soon(use, number)
        await nodes[0].governance.delete(room.id, actor(ANN), address="")
    assert await nodes[1].governance.access(room.name, ANN.user_id) is None


async def test_a_ban_that_was_answered_outlives_a_killed_server(server: PostgresServer, url: str) -> None:
    """Also where the database says that commits need not wait for the disk."""
    with psycopg.connect(url) as admin:
        admin.execute(f"ALTER DATABASE {admin.info.dbname} SET synchronous_commit = off".encode())
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        room = await made(store)
        for person in CROWD:
            last = await store.governance.change(room.id, actor(ANN), Ban(), target=person)
        server.kill()
    server.start()
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        assert len(await gapless_log(store, room)) == last.seq == 2 + AT_ONCE
        access = await store.governance.access(room.name, CROWD[-1].user_id)
        assert access is not None
        assert access.standing.banned_at(access.now)
