"""What comes in larger pieces than is pushed is pulled by each listener, and makes nobody slow."""

from __future__ import annotations

from typing import Final

import trio
from trio.testing import MockClock

from tests.chat.guests import open_chat
from trichat.core.events import Draft
from trichat.core.names import RoomId, RoomName, UserId

#: Over twice an outbox: 600 events of 4,000 bytes.
EVENTS: Final = 600


def long_drafts(room_id: RoomId) -> list[Draft]:
    body = b'{"text":"%b"}' % (b"x" * 4_000)
    return [Draft(room_id, RoomName("lobby"), "message", UserId("g_x"), "x", None, body) for _ in range(EVENTS)]


async def test_who_listens_while_an_outage_is_made_up_for_hears_all_and_is_not_called_slow(
    autojump_clock: MockClock,
) -> None:
    async with open_chat() as chat:
        ann, bea = await chat.guest_in("lobby"), await chat.guest_in("lobby")
        room = chat.nodes[0].hub.room("lobby")
        assert room is not None
        # another node commits, and its news are lost: the next look brings everything at once
        await chat.twins.store.append(long_drafts(room.id))
        with trio.fail_after(10):
            await bea.until(lambda: bea.seqs("lobby")[-1:] == [EVENTS])
            await ann.say("lobby", "and now?")
            await bea.hears("lobby", "and now?")
            await ann.hears("lobby", "and now?")
        assert bea.seqs("lobby") == ann.seqs("lobby") == list(range(1, EVENTS + 2))


async def test_a_burst_in_one_commit_is_pulled_and_the_chat_goes_on(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bea = await chat.guest_in("lobby"), await chat.guest_in("lobby")
        for number in range(100):
            await ann.tell("send", room="lobby", text=f"{number}" + "x" * 3_900)
        await ann.say("lobby", "that was all")
        with trio.fail_after(10):
            await bea.hears("lobby", "that was all")
        assert bea.seqs("lobby") == list(range(1, 102))
