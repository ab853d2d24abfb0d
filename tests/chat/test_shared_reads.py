"""Clients that come back together share what they read; and one hanging read does not hold up those behind it."""

from __future__ import annotations

import msgspec
import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, CountingStore, Guest, open_chat
from tests.chat.test_joining import filled
from tests.nodes import LOOSE

CLIENTS = 100


async def resume(guest: Guest, since: int, epoch: str) -> None:
    assert (await guest.ask("resume", rooms={"lobby": {"since": since, "epoch": epoch}}))["rooms"] == 1


@pytest.mark.parametrize("missing", [5, 150, 900])
async def test_clients_that_resume_together_after_a_restart_share_the_reads(
    missing: int, autojump_clock: MockClock
) -> None:
    store = CountingStore()
    async with open_chat(store=store) as chat:
        _, epoch = await filled(chat, "lobby", 1_000)
    async with open_chat(store=store) as restarted:
        guests = [await restarted.guest() for _ in range(CLIENTS)]
        store.delay_s = 0.01
        store.reads = 0
        async with trio.open_nursery() as nursery:
            for guest in guests:
                nursery.start_soon(resume, guest, 1_000 - missing, epoch)
        assert all(guest.seqs("lobby") == list(range(1_001 - missing, 1_001)) for guest in guests)
        # the room, and a read for each page; a few more because the page after the last one may be asked for
        assert store.reads <= 3 + 2 * (missing // LOOSE.page)


async def test_clients_that_are_not_far_behind_read_nothing_at_all(autojump_clock: MockClock) -> None:
    store = CountingStore()
    async with open_chat(store=store) as chat:
        _, epoch = await filled(chat, "lobby", 200)
        guests = [await chat.guest() for _ in range(CLIENTS)]
        store.reads = 0
        for guest in guests:
            await resume(guest, 10, epoch)
        assert store.reads == 0
        assert all(guest.seqs("lobby") == list(range(11, 201)) for guest in guests)


async def test_clients_that_join_a_new_room_together_share_the_making_of_it(autojump_clock: MockClock) -> None:
    store = CountingStore()
    async with open_chat(store=store) as chat:
        guests = [await chat.guest() for _ in range(CLIENTS)]
        store.delay_s = 0.01
        store.reads = 0
        async with trio.open_nursery() as nursery:
            for guest in guests:
                nursery.start_soon(guest.join, "lobby")
        assert store.reads == 1


async def test_a_shared_read_that_is_broken_off_is_read_by_the_next_one(autojump_clock: MockClock) -> None:
    store = CountingStore()
    async with open_chat(store=store) as chat:
        _, epoch = await filled(chat, "lobby", 300)
    async with open_chat(store=store) as restarted:
        first, second = await restarted.guest(), await restarted.guest()
        store.delay_s = 1.0
        for guest in (first, second):
            await guest.tell("resume", rooms={"lobby": {"since": 0, "epoch": epoch}})
        await trio.sleep(1.5)  # the room is open, the page is being read
        await first.drop()
        await second.until(lambda: bool(second.all_of("resumed")))
        assert second.seqs("lobby") == list(range(1, 301))


async def test_who_waits_for_the_same_room_hears_that_the_store_is_away_as_soon_as_the_first(
    autojump_clock: MockClock,
) -> None:
    async with open_chat() as chat:
        guests = [await chat.guest() for _ in range(CLIENTS)]
        await hang(chat)
        began = trio.current_time()
        codes = []
        for number, guest in enumerate(guests):
            assert await guest.tell("join", room="lobby") == "i1", number
        for guest in guests:
            codes.append((await guest.reply_to("i1"))["code"])
        assert codes == ["unavailable"] * CLIENTS
        assert trio.current_time() - began < 3.2


async def hang(chat: Chat) -> None:
    """From now on each call of the store fails after as long as a call may take."""
    chat.store.delay_s = LOOSE.store_call_s
    chat.store.down = True


async def test_the_pages_that_are_kept_are_of_this_log_and_not_of_another(autojump_clock: MockClock) -> None:
    store = CountingStore()
    async with open_chat(msgspec.structs.replace(LOOSE, ring_events=1), store=store) as chat:
        ann, epoch = await filled(chat, "lobby", 300)
        bob = await chat.guest()
        await resume(bob, 0, epoch)
        begin_again(store, "another")
        await ann.until(lambda: ann.closed == 4202)
        cid = await chat.guest()
        assert (await cid.join("lobby", since=0, epoch="another"))["epoch"] == "another"
        await cid.until(lambda: len(cid.seqs("lobby")) == 300)
        assert set(cid.texts("lobby")) == {"of another log"}


async def test_pages_of_a_room_that_the_node_has_forgotten_are_not_kept(autojump_clock: MockClock) -> None:
    """Nobody tells the node when something in them is taken back; a slow client may replay them all the same."""
    store = CountingStore()
    async with open_chat(store=store) as chat:
        ann, _ = await filled(chat, "lobby", 300)
        room, pages = chat.node.hub.room("lobby"), chat.node.hub.pages
        assert room is not None
        for _ in range(2):
            store.reads = 0
            assert await pages.read(room, 0) is await pages.read(room, 0)
            assert store.reads <= 1
        await ann.drop()
        await trio.sleep(3 * LOOSE.room_idle_s)
        assert room.ended
        store.reads = 0
        assert await pages.read(room, 0) is not await pages.read(room, 0)
        assert store.reads == 2


def begin_again(store: CountingStore, epoch: str) -> None:
    """The operator has put back a copy of the database: the room has another log of the same length."""
    for room in store.rooms.values():  # the twin has no word for an operator
        room.epoch = epoch  # type: ignore[assignment]  # a NewType
        room.events = [msgspec.structs.replace(event, body=b'{"text":"of another log"}') for event in room.events]
