"""Rooms with members: what the client hears of them, and how it goes out of a room, willingly or not."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.client.fake_server import URL, FakeServer, Peer, event, happening, listed
from tests.client.test_events import LOST, again, first, next_of
from trichat.client import (
    ClientOptions,
    GapEvent,
    GapFilled,
    MemberChange,
    OutOfOrder,
    Refused,
    RoomEvent,
    RoomLeft,
    RoomLost,
    StatusChanged,
    open_client,
)


async def test_what_becomes_of_members_and_of_the_room_is_told_in_order(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join()
        await peer.say_event(1, "hi")
        await peer.say_member(2, "bob", "banned", until="2026-11-25T00:00:00.000Z", reason="enough")
        await peer.say(**happening(3, "room", changes={"topic": "peace", "slow_s": 5}))
        await peer.say_member(4, "cid", "role", role="admin")
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        await client.join("lobby")
        events = client.events()
        assert await anext(events) == first()
        said, banned, changed, role = [one for _ in range(4) if isinstance(one := await anext(events), RoomEvent)]
        assert (said.text, said.member, said.changes) == ("hi", None, {})
        assert (banned.user, banned.kind, banned.text, banned.changes) == ("ann", "member", "", {})
        assert banned.member == MemberChange("bob", "u_bob", "banned", None, "2026-11-25T00:00:00.000Z", "enough")
        assert (changed.kind, changed.member, changed.changes) == ("room", None, {"topic": "peace", "slow_s": 5})
        assert role.member == MemberChange("cid", "u_cid", "role", "admin")


async def test_events_of_an_unexpected_form_keep_their_place(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join()
        await peer.say(**happening(1, "member", change=7, reason=None))
        await peer.say(**happening(2, "room", changes="all"))
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        await client.join("lobby")
        events = client.events()
        _, odd, odder = [await anext(events) for _ in range(3)]
        assert isinstance(odd, RoomEvent)
        assert isinstance(odder, RoomEvent)
        assert odd.member == MemberChange("", "", "7")
        assert odder.changes == {}


async def test_who_is_removed_hears_of_it_last_and_does_not_come_back(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def remove(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=1)
        await peer.let_join(head=5)
        await peer.say_member(2, "ann", "kicked")
        await peer.say("left", room="lobby")
        await peer.say_event(3)
        await peer.say("status", fanout="ok")
        await peer.cut()

    async def resume(peer: Peer) -> None:
        await peer.greet_again()
        assert (await peer.expect("resume"))["rooms"] == {"dev": {"since": 5, "epoch": "k1"}}
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, remove, resume).connect) as client:
        await client.join("lobby")
        await client.join("dev")
        assert await next_of(client, 6) == [first(), 2, RoomLeft("lobby"), StatusChanged("ok"), LOST, again()]
        assert client.position("lobby") is None


async def test_a_removal_waits_for_what_is_paged_before_it(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=4)
        await peer.say("gap", room="lobby", from_=1, to=3, messages=3)
        command = await peer.expect("events")
        await peer.say_event(4)
        await peer.say_member(5, "ann", "kicked")
        await peer.say("left", room="lobby")
        await peer.reply(command, "events", room="lobby", events=listed(event(1), event(2), event(3)), more=True)
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        await client.join("lobby", since=0)
        heard = [first(), 1, 2, 3, GapFilled("lobby", 1, 3), 4, 5, RoomLeft("lobby")]
        assert await next_of(client, 8) == heard
        assert client.position("lobby") is None


@pytest.mark.parametrize("code", ["forbidden", "no_such_room", "not_joined"])
async def test_a_hole_that_may_not_be_read_any_more_is_told_and_what_came_after_it_too(
    nursery: trio.Nursery, autojump_clock: MockClock, code: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=4)
        await peer.say("gap", room="lobby", from_=1, to=3, messages=3)
        command = await peer.expect("events")
        await peer.reply(command, "events", room="lobby", events=listed(event(1)), more=True)
        command = await peer.expect("events")
        await peer.say_member(4, "ann", "banned")
        await peer.refuse(command, code, field="room")
        await peer.say("left", room="lobby")
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        await client.join("lobby", since=0)
        heard = [first(), 1, GapEvent("lobby", 2, 3, 0, hidden=True), 4, RoomLeft("lobby")]
        assert await next_of(client, 5) == heard


async def test_a_room_that_was_left_while_its_hole_was_paged_is_not_resumed(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def remove_and_cut(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=4)
        await peer.say("gap", room="lobby", from_=1, to=3, messages=3)
        await peer.say_event(4)
        await peer.say("left", room="lobby")
        await peer.expect("events")
        await peer.cut()

    async def welcome(peer: Peer) -> None:
        await peer.greet_again()
        await peer.reply_ping(await peer.expect("ping"))
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, remove_and_cut, welcome).connect) as client:
        await client.join("lobby", since=0)
        left = [GapEvent("lobby", 1, 4, 0, hidden=True), RoomLeft("lobby")]
        assert await next_of(client, 5) == [first(), *left, LOST, again()]
        await client.ping()


async def test_a_room_that_is_joined_again_is_heard_again(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=4)
        await peer.say("gap", room="lobby", from_=1, to=3, messages=3)
        unanswered = await peer.expect("events")
        await peer.say("left", room="lobby")
        await peer.let_join(head=7)
        await peer.say_event(8)
        await peer.reply(unanswered, "events", room="lobby", events=listed(event(1)), more=True)
        await peer.reply_ping(await peer.expect("ping"))
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        await client.join("lobby", since=0)
        await wait_all_tasks_blocked()  # the hole is asked for
        await client.join("lobby")
        await client.ping()
        left = [GapEvent("lobby", 1, 3, 0, hidden=True), RoomLeft("lobby")]
        assert await next_of(client, 4) == [first(), *left, 8]
        assert client.position("lobby") == ("k1", 8)


async def test_of_ones_own_leaving_no_event_tells_whatever_comes_first(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=1)
        command = await peer.expect("leave")
        await peer.say("left", room="lobby")  # the event of it was heard before the answer
        await peer.reply(command, "left", room="lobby")
        await peer.say("status", fanout="ok")
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        await client.join("lobby")
        await client.leave("lobby")
        assert await next_of(client, 2) == [first(), StatusChanged("ok")]


async def test_a_leaving_whose_answer_was_lost_has_happened(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def cut(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=1)
        await peer.expect("leave")
        await peer.cut()

    async def left_already(peer: Peer) -> None:
        await peer.greet_again()
        command = await peer.expect("resume")
        await peer.say("error", room="lobby", code="not_joined", message="no member", temporary=False)
        await peer.reply(command, "resumed", rooms=0)
        await peer.refuse(await peer.expect("leave"), "not_joined", field="room")
        await peer.refuse(await peer.expect("leave"), "not_joined", field="room")
        await peer.say("status", fanout="ok")
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, cut, left_already).connect) as client:
        await client.join("lobby")
        await client.leave("lobby")
        with pytest.raises(Refused, match="not_joined"):
            await client.leave("lobby")  # now it is a mistake
        assert await next_of(client, 4) == [first(), LOST, again(), StatusChanged("ok")]


@pytest.mark.parametrize("code", ["not_joined", "no_such_room", "forbidden"])
async def test_a_room_that_cannot_be_resumed_is_lost_with_the_code(
    nursery: trio.Nursery, autojump_clock: MockClock, code: str
) -> None:
    async def cut(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=1)
        await peer.cut()

    async def refuse(peer: Peer) -> None:
        await peer.greet_again()
        command = await peer.expect("resume")
        await peer.say("error", room="lobby", code=code, message="no", temporary=False)
        await peer.reply(command, "resumed", rooms=0)
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, cut, refuse).connect) as client:
        await client.join("lobby")
        assert await next_of(client, 4) == [first(), LOST, again(), RoomLost("lobby", code, "no")]


@pytest.mark.parametrize("fill_gaps", [True, False])
async def test_what_is_hidden_is_skipped_and_not_asked_for(
    nursery: trio.Nursery, autojump_clock: MockClock, fill_gaps: bool
) -> None:
    async def join(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=8)
        await peer.say("gap", room="lobby", from_=3, to=7, messages=0, hidden=True)
        await peer.say_event(8)
        await peer.cut()

    async def resume(peer: Peer) -> None:
        await peer.greet_again()
        command = await peer.expect("resume")
        assert command["rooms"] == {"lobby": {"since": 8, "epoch": "k1"}}
        await peer.say("joined", room="lobby", epoch="k1", seq=20, members=1)
        await peer.say("gap", room="lobby", from_=9, to=20, messages=0, hidden=True)
        await peer.reply(command, "resumed", rooms=1)
        await peer.say_event(21)
        assert (await peer.hear())["type"] == "ping"  # and no `events`
        await peer.stay()

    server = FakeServer(nursery, join, resume)
    async with open_client(URL, connect=server.connect, options=ClientOptions(fill_gaps=fill_gaps)) as client:
        await client.join("lobby", since=2)
        told = [[] if fill_gaps else [GapEvent("lobby", a, b, 0, hidden=True)] for a, b in ((3, 7), (9, 20))]
        heard = [first(), *told[0], 8, LOST, again(), *told[1], 21]
        assert await next_of(client, len(heard)) == heard
        with trio.move_on_after(1):
            await client.ping()
        assert client.position("lobby") == ("k1", 21)


async def test_a_hidden_gap_that_hides_a_hole_ends_the_client(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=8)
        await peer.say("gap", room="lobby", from_=4, to=7, messages=0, hidden=True)
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        await client.join("lobby", since=2)
        assert await next_of(client, 1) == [first()]
        with pytest.raises(OutOfOrder, match="event 4 came in lobby where 3 was next"):
            await anext(client.events())
