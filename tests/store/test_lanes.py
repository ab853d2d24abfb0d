"""Many commits at the same time: two nodes, two lanes each, the same rooms in different orders."""

from __future__ import annotations

from random import Random

import trio

from tests.store.conftest import LIMITS, open_room, said
from trichat.chat.ports import Store
from trichat.core.chance import Chance
from trichat.core.events import Committed, Repeated, RoomRecord
from trichat.core.names import RoomName
from trichat.store import open_postgres_store

BATCHES, DRAFTS = 30, 20


async def test_overlapping_batches_of_two_nodes_leave_gapless_rooms_and_never_deadlock(url: str) -> None:
    seqs: dict[RoomName, list[int]] = {}

    async def lane(store: Store, rooms: list[RoomRecord], random: Random) -> None:
        for _ in range(BATCHES):
            drafts = [said(random.choice(rooms), cid=str(random.random())) for _ in range(DRAFTS)]
            for draft, outcome in zip(drafts, await store.append(drafts), strict=True):
                assert isinstance(outcome, Committed)
                seqs.setdefault(draft.room, []).append(outcome.seq)

    async with (
        open_postgres_store(url, LIMITS, chance=Chance(), lanes=2) as one,
        open_postgres_store(url, LIMITS, chance=Chance(), lanes=2) as two,
    ):
        rooms = [await open_room(one, f"room{n}") for n in range(10)]
        async with trio.open_nursery() as nursery:
            for seed in range(4):
                nursery.start_soon(lane, (one, two)[seed % 2], rooms, Random(seed))
        assert sum(map(len, seqs.values())) == 4 * BATCHES * DRAFTS
        for room in rooms:
            page = await two.read_events(room.id, after=0, limit=10_000, max_bytes=10_000_000)
            expected = list(range(1, len(page.events) + 1))
            assert sorted(seqs[room.name]) == [event.seq for event in page.events] == expected


async def test_the_same_cid_on_two_nodes_at_once_is_stored_once(url: str) -> None:
    outcomes: list[object] = []

    async def send(store: Store, room: RoomRecord) -> None:
        outcomes.extend(await store.append([said(room, "hi", cid="a")]))

    async with (
        open_postgres_store(url, LIMITS, chance=Chance(), lanes=4) as one,
        open_postgres_store(url, LIMITS, chance=Chance(), lanes=4) as two,
    ):
        room = await open_room(one)
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(send, one, room)
                nursery.start_soon(send, two, room)
        assert outcomes.count(Repeated(1)) == 7
        assert (await open_room(one)).head == 1


async def test_rooms_made_by_two_nodes_at_once_are_the_same_rooms(url: str) -> None:
    names = [RoomName(f"room{n}") for n in range(50)]
    made: list[dict[RoomName, RoomRecord]] = []

    async def make(store: Store, names: list[RoomName]) -> None:
        made.append(await store.open_rooms(names, create=True))

    async with (
        open_postgres_store(url, LIMITS, chance=Chance()) as one,
        open_postgres_store(url, LIMITS, chance=Chance()) as two,
        trio.open_nursery() as nursery,
    ):
        for store, order in ((one, names), (two, names[::-1]), (one, names[::-1]), (two, names)):
            nursery.start_soon(make, store, order)
    assert made[0] == made[1] == made[2] == made[3]
