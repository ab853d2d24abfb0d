"""What takes the place of events that are too many, hidden, or kept no more: told, never silent."""

from __future__ import annotations

from typing import Any

import trio
from msgspec import structs
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.chat.persons import log_in, make, person
from tests.chat.test_joining import filled, talk
from tests.nodes import LOOSE
from tests.people import make_account
from trichat.core.closing import STATE_LOST
from trichat.core.events import Draft
from trichat.core.names import RoomName, UserId

#: A server that keeps what was said for a month, and replays little.
SHORT = structs.replace(LOOSE, kept_days=30, replay=10)
MONTHS_MS = 100 * 86_400_000


async def let_expire(chat: Chat, room: str, last: int) -> None:
    """The events up to `last` are older than anything is kept, and go; the nodes have not looked yet."""
    stored = chat.store.rooms_by_name[RoomName(room)]
    for place in range(last):
        stored.events[place] = structs.replace(stored.events[place], ts=stored.events[place].ts - MONTHS_MS)
    await chat.store.tidy()
    assert stored.first == last + 1


async def nodes_have_looked() -> None:
    """Every node has looked at the store since, and forgotten what it had in memory."""
    await trio.sleep(2 * SHORT.heads_slow_s)


async def say_unheard(chat: Chat, room: str, count: int) -> None:
    """Messages that are committed, of which no node hears until it looks."""
    stored = chat.store.rooms_by_name[RoomName(room)]
    draft = Draft(stored.id, stored.name, "message", UserId("g_else"), "else", None, b'{"text":"elsewhere"}')
    await chat.store.append(count * [draft])


def gaps(guest: Guest) -> list[dict[str, Any]]:
    return [{key: value for key, value in gap.items() if key not in {"type", "room"}} for gap in guest.all_of("gap")]


async def test_who_comes_back_hears_what_is_kept_no_more_and_gets_the_rest(autojump_clock: MockClock) -> None:
    async with open_chat(SHORT, nodes=2) as chat:
        ann, epoch = await filled(chat, "lobby", 15)
        await let_expire(chat, "lobby", 10)
        bob = await chat.guest(chat.nodes[1])
        await bob.ask("resume", rooms={"lobby": {"since": 8, "epoch": epoch}})
        assert await ann.say("lobby", "live") == 16
        await bob.hears("lobby", "live")
        assert gaps(bob) == [{"from": 9, "to": 10, "messages": 0, "expired": True}]
        assert bob.seqs("lobby") == list(range(11, 17))
        kinds = [frame["type"] for frame in bob.frames if frame.get("room") == "lobby"]
        assert kinds == ["joined", "gap"] + 6 * ["message"]


async def test_what_is_kept_and_too_much_has_a_gap_of_its_own(autojump_clock: MockClock) -> None:
    async with open_chat(SHORT) as chat:
        ann, epoch = await filled(chat, "lobby", 40)
        await let_expire(chat, "lobby", 20)
        bob = await chat.guest()
        await bob.join("lobby", since=5, epoch=epoch)
        await ann.say("lobby", "live")
        await bob.hears("lobby", "live")
        assert gaps(bob) == [
            {"from": 6, "to": 20, "messages": 0, "expired": True},
            {"from": 21, "to": 30, "messages": 10},
        ]
        assert bob.seqs("lobby") == list(range(31, 42))


async def test_where_nothing_is_kept_one_gap_leads_to_what_is_said_now(autojump_clock: MockClock) -> None:
    for count in (5, 40):  # less than is replayed, and more
        async with open_chat(SHORT) as chat:
            ann, epoch = await filled(chat, "lobby", count)
            await let_expire(chat, "lobby", count)
            await nodes_have_looked()
            bob = await chat.guest()
            await bob.join("lobby", since=2, epoch=epoch)
            await ann.say("lobby", "live")
            await bob.hears("lobby", "live")
            assert gaps(bob) == [{"from": 3, "to": count, "messages": 0, "expired": True}]
            assert bob.seqs("lobby") == [count + 1]


async def test_a_gap_counts_mentions_and_names_the_first_unread(autojump_clock: MockClock) -> None:
    async with open_chat(SHORT) as chat:
        ann, token = await person(chat, "ann"), await make_account(chat.store, "bob")
        bob = await log_in(chat, token)
        await make(ann, room="lobby")
        await ann.join("lobby")
        epoch = (await bob.join("lobby"))["epoch"]
        seen = await ann.say("lobby", "seen")
        await bob.ask("read", room="lobby", seq=seen)
        unseen = await ann.say("lobby", "@bob, look")
        await talk(ann, "lobby", 30)
        await ann.say("lobby", "@bob, too late for the gap")
        back, guest = await log_in(chat, token), await chat.guest()
        for who in (back, guest):
            await who.join("lobby", since=seen, epoch=epoch)
            await who.hears("lobby", "@bob, too late for the gap")
        last = unseen + 31 - 10
        gap = {"from": unseen, "to": last, "messages": last - seen}
        assert gaps(back) == [gap | {"mentions": 1, "first_unread": unseen}]
        assert gaps(guest) == [gap]


async def lost(guest: Guest) -> bool:
    await guest.until(lambda: guest.closed is not None)
    return guest.closed == STATE_LOST.code


async def test_a_room_of_which_a_node_missed_what_is_gone_is_opened_anew(autojump_clock: MockClock) -> None:
    """The node slept; what it should deliver next is kept no more: its listeners come back and hear of the gap."""
    for expired in (4, 6):  # some of what it missed, and all
        async with open_chat(SHORT) as chat:
            ann, epoch = await filled(chat, "lobby", 2)
            await say_unheard(chat, "lobby", 4)
            await let_expire(chat, "lobby", expired)
            assert await lost(ann)
            again = await chat.guest()
            assert (await again.join("lobby", since=2, epoch=epoch))["seq"] == 6
            seq = await again.say("lobby", "I am back")
            await again.hears("lobby", "I am back")
            assert gaps(again) == [{"from": 3, "to": expired, "messages": 0, "expired": True}]
            assert again.seqs("lobby") == [*range(expired + 1, 7), seq]


async def test_who_comes_with_a_later_position_than_a_node_can_catch_up_with(autojump_clock: MockClock) -> None:
    async with open_chat(SHORT) as chat:
        ann, epoch = await filled(chat, "lobby", 2)
        await say_unheard(chat, "lobby", 4)
        await let_expire(chat, "lobby", 4)
        bob = await chat.guest()
        reply = await bob.ask("join", room="lobby", since=6, epoch=epoch)
        assert reply["type"] == "joined" or reply["code"] == "unavailable", reply
        assert await lost(ann)


async def test_a_page_of_events_says_where_the_log_begins(autojump_clock: MockClock) -> None:
    async with open_chat(SHORT) as chat:
        ann, _ = await filled(chat, "lobby", 15)
        assert "first" not in await ann.ask("events", room="lobby", since=0)
        await let_expire(chat, "lobby", 10)
        for compact in (False, True):
            page = await ann.ask("events", room="lobby", since=0, compact=compact)
            assert page["first"] == 11
            assert [event["seq"] for event in page["events"]] == list(range(11, 16))
            assert "first" not in await ann.ask("events", room="lobby", since=10, compact=compact)
        assert [one["seq"] for one in (await ann.ask("history", room="lobby"))["messages"]] == list(range(11, 16))


async def test_who_heard_all_of_it_is_told_no_gap(autojump_clock: MockClock) -> None:
    async with open_chat(SHORT) as chat:
        ann, epoch = await filled(chat, "lobby", 15)
        await let_expire(chat, "lobby", 15)
        bob = await chat.guest()
        await bob.join("lobby", since=15, epoch=epoch)
        await ann.say("lobby", "live")
        await bob.hears("lobby", "live")
        assert gaps(bob) == []
