"""Joining, resuming and leaving: without a hole, whenever it happens."""

from __future__ import annotations

import msgspec
import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, CountingStore, Guest, open_chat
from tests.nodes import LOOSE


async def talk(guest: Guest, room: str, count: int, pause_s: float = 0.0) -> None:
    """Say `count` things and wait until they are committed."""
    for number in range(count):
        last = await guest.tell("send", room=room, text=f"t{number}")
        if pause_s:
            await trio.sleep(pause_s)
    await guest.reply_to(last)


async def filled(chat: Chat, room: str, count: int) -> tuple[Guest, str]:
    """Somebody who has said `count` things in a new room, and the room's epoch."""
    ann = await chat.guest()
    epoch = (await ann.join(room))["epoch"]
    if count:
        await talk(ann, room, count)
        await ann.until(lambda: len(ann.seqs(room)) == count)
    return ann, epoch


async def test_what_follows_a_join_is_what_is_said_after_it(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await filled(chat, "lobby", 1)
        bob = await chat.guest()
        assert (await bob.join("lobby"))["seq"] == 1
        assert await ann.say("lobby", "after") == 2
        await bob.hears("lobby", "after")
        assert bob.seqs("lobby") == [2]


async def test_a_join_from_a_position_brings_all_that_is_missing(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, epoch = await filled(chat, "lobby", 700)
        bob = await chat.guest()
        assert (await bob.join("lobby", since=3, epoch=epoch))["seq"] == 700
        await ann.say("lobby", "live")
        await bob.hears("lobby", "live")
        assert bob.seqs("lobby") == list(range(4, 702))


async def test_joins_at_every_moment_of_a_stream_of_commits_are_without_a_hole(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat, trio.open_nursery() as nursery:
        ann, epoch = await filled(chat, "lobby", 0)
        nursery.start_soon(talk, ann, "lobby", 300, 0.002)
        late: list[tuple[Guest, int]] = []
        for turn in range(60):
            bob = await chat.guest(chat.nodes[turn % 2])
            if turn % 3:
                late.append((bob, (await bob.join("lobby"))["seq"]))
            else:
                await bob.join("lobby", since=turn // 3, epoch=epoch)
                late.append((bob, turn // 3))
            await trio.sleep(0.009)
        for bob, position in late:
            await bob.until(lambda: bob.seqs("lobby")[-1:] == [300])  # noqa: B023  # it is awaited at once
            assert bob.seqs("lobby") == list(range(position + 1, 301))
        assert {position for _, position in late if 0 < position < 300}, "some joined in the middle"


async def test_joined_comes_before_every_event_of_the_room(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        _, epoch = await filled(chat, "lobby", 20)
        bob = await chat.guest()
        await bob.join("lobby", since=0, epoch=epoch)
        await bob.until(lambda: len(bob.seqs("lobby")) == 20)
        kinds = [frame["type"] for frame in bob.frames]
        assert kinds == ["welcome", "joined"] + 20 * ["message"]


async def test_resume_brings_every_room_and_an_error_for_each_that_cannot_be(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        _, lobby = await filled(chat, "lobby", 300)
        _, dev = await filled(chat, "dev", 4)
        bob = await chat.guest()
        resumed = await bob.ask(
            "resume",
            rooms={
                "lobby": {"since": 10, "epoch": lobby},
                "dev": {"since": 4, "epoch": dev},
                "gone": {"since": 4},
                "Bad": {"since": 0},
            },
        )
        assert resumed == {"type": "resumed", "id": "i1", "rooms": 2}
        assert bob.frames[-1] == resumed, "resumed is the last word"
        assert bob.seqs("lobby") == list(range(11, 301))
        assert bob.seqs("dev") == []
        assert {(e["room"], e["code"]) for e in bob.all_of("error")} == {("gone", "no_such_room"), ("Bad", "bad_field")}
        kinds = [(frame["type"], frame.get("room")) for frame in bob.frames]
        assert kinds.index(("joined", "lobby")) < kinds.index(("message", "lobby"))


async def test_a_position_that_the_log_never_had_is_refused_with_the_one_it_has(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        _, epoch = await filled(chat, "lobby", 4)
        bob = await chat.guest()
        for position in ({"since": 5, "epoch": epoch}, {"since": 2, "epoch": "another"}, {"since": 5}):
            error = await bob.ask("join", room="lobby", **position)
            assert (error["code"], error["head"], error["epoch"]) == ("bad_position", 4, epoch)
        assert (await bob.ask("send", room="lobby", text="hi"))["code"] == "not_joined"


async def test_a_resume_of_a_joined_room_is_refused_and_the_room_goes_on(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await filled(chat, "lobby", 2)
        assert (await ann.ask("resume", rooms={"lobby": {"since": 0}}))["rooms"] == 0
        assert ann.all_of("error")[0]["code"] == "bad_state"
        await ann.say("lobby", "still here")
        await ann.hears("lobby", "still here")
        assert ann.seqs("lobby") == [1, 2, 3]


async def test_a_join_of_a_joined_room_replays_nothing_and_warns_of_since(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await filled(chat, "lobby", 2)
        assert (await ann.join("lobby", since=0))["seq"] == 2
        await ann.until(lambda: bool(ann.all_of("warning")))
        await ann.say("lobby", "third")
        await ann.hears("lobby", "third")
        assert ann.seqs("lobby") == [1, 2, 3]


async def test_when_too_much_is_missing_a_gap_says_so_and_the_rest_follows(autojump_clock: MockClock) -> None:
    async with open_chat(msgspec.structs.replace(LOOSE, replay=50)) as chat:
        _, epoch = await filled(chat, "lobby", 200)
        bob = await chat.guest()
        await bob.join("lobby", since=10, epoch=epoch)
        await bob.until(lambda: bob.seqs("lobby")[-1:] == [200])
        gap = {"type": "gap", "room": "lobby", "from": 11, "to": 150, "messages": 140}
        assert bob.all_of("gap") == [gap]
        assert bob.seqs("lobby") == list(range(151, 201))
        assert bob.frames.index(gap) < bob.frames.index(bob.events("lobby")[0])


async def test_exactly_as_much_as_is_replayed_needs_no_gap(autojump_clock: MockClock) -> None:
    async with open_chat(msgspec.structs.replace(LOOSE, replay=50)) as chat:
        _, epoch = await filled(chat, "lobby", 200)
        bob = await chat.guest()
        await bob.join("lobby", since=150, epoch=epoch)
        await bob.until(lambda: bob.seqs("lobby")[-1:] == [200])
        assert not bob.all_of("gap")
        assert bob.seqs("lobby") == list(range(151, 201))


async def test_who_is_further_than_this_node_resumes_all_the_same(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, epoch = await filled(chat, "lobby", 3)
        bea = await chat.guest_in("lobby", chat.nodes[1])
        chat.bus.lose_next(1)
        await ann.say("lobby", "lost on the way")
        assert bea.seqs("lobby") == []  # the second node has not heard of it
        bob = await chat.guest(chat.nodes[1])
        joined = await bob.join("lobby", since=4, epoch=epoch)
        assert joined["seq"] >= 4, "the head is no less than what the client has"
        await ann.say("lobby", "fifth")
        await bob.hears("lobby", "fifth")
        assert bob.seqs("lobby") == [5]
        await bea.until(lambda: bea.seqs("lobby") == [4, 5])


async def test_as_many_rooms_as_are_allowed_are_resumed_at_once(autojump_clock: MockClock) -> None:
    store = CountingStore()
    rooms = [f"room{number}" for number in range(LOOSE.rooms)]
    async with open_chat(store=store) as chat:
        ann = await chat.guest()
        epochs = {room: (await ann.join(room))["epoch"] for room in rooms}
        for room in rooms:
            await talk(ann, room, 3)
    async with open_chat(store=store) as restarted:
        bob = await restarted.guest()
        store.reads = 0
        positions = {room: {"since": number % 4, "epoch": epochs[room]} for number, room in enumerate(rooms)}
        resumed = await bob.ask("resume", rooms=positions)
        assert resumed["rooms"] == LOOSE.rooms
        assert bob.frames[-1] == resumed
        for number, room in enumerate(rooms):
            assert bob.seqs(room) == list(range(number % 4 + 1, 4))
        kinds = [(frame["type"], frame.get("room")) for frame in bob.frames]
        assert all(kinds.index(("joined", room)) < kinds.index(("message", room)) for room in rooms if bob.seqs(room))
        assert store.reads <= 1 + LOOSE.rooms, "all are opened by one read"


async def test_who_resumes_over_a_slow_link_is_not_called_slow(autojump_clock: MockClock) -> None:
    limits = msgspec.structs.replace(LOOSE, outbox_bytes=65_536)
    async with open_chat(limits) as chat:
        ann = await chat.guest()
        epoch = (await ann.join("lobby"))["epoch"]
        for number in range(900):
            await ann.tell("send", room="lobby", text=f"{number}" + "x" * 1_000)
        await ann.until(lambda: len(ann.seqs("lobby")) == 900)
        bob = await chat.slow_guest(bytes_per_s=20_000)
        await bob.tell("resume", rooms={"lobby": {"since": 0, "epoch": epoch}})
        await bob.until(lambda: bool(bob.all_of("resumed")), within_s=120)
        await ann.say("lobby", "live")
        await bob.hears("lobby", "live")
        assert bob.seqs("lobby") == list(range(1, 902))
        assert bob.closed is None


async def test_nothing_of_a_room_comes_after_left(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, trio.open_nursery() as nursery:
        ann, _ = await filled(chat, "lobby", 0)
        bob = await chat.guest_in("lobby")
        nursery.start_soon(talk, ann, "lobby", 100, 0.01)
        await bob.until(lambda: len(bob.seqs("lobby")) >= 20)
        left = await bob.ask("leave", room="lobby")
        await ann.until(lambda: len(ann.seqs("lobby")) == 100)
        assert left == {"type": "left", "id": left["id"], "room": "lobby"}
        assert bob.frames[-1] == left


async def test_leaving_in_the_middle_of_a_replay_ends_it(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        _, epoch = await filled(chat, "lobby", 900)
        bob = await chat.guest()
        await bob.tell("resume", rooms={"lobby": {"since": 0, "epoch": epoch}})
        left = await bob.tell("leave", room="lobby")
        await bob.reply_to(left)
        await bob.until(lambda: bool(bob.all_of("resumed")))
        after = bob.frames[bob.frames.index(await bob.reply_to(left)) + 1 :]
        assert [frame["type"] for frame in after] == ["resumed"]
        assert (await bob.ask("leave", room="lobby"))["code"] == "not_joined"


async def test_who_leaves_and_joins_again_starts_at_the_new_head(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await filled(chat, "lobby", 3)
        bob = await chat.guest_in("lobby")
        await bob.ask("leave", room="lobby")
        await ann.say("lobby", "unheard")
        await bob.join("lobby")
        await ann.say("lobby", "heard")
        await bob.hears("lobby", "heard")
        assert bob.seqs("lobby") == [5]


async def test_more_rooms_than_allowed_are_refused(autojump_clock: MockClock) -> None:
    async with open_chat(msgspec.structs.replace(LOOSE, rooms=2)) as chat:
        bob = await chat.guest_in("one")
        assert (await bob.ask("resume", rooms={"two": {"since": 0}, "three": {"since": 0}}))["code"] == "limit_reached"
        await bob.join("two")
        assert (await bob.ask("join", room="three"))["code"] == "limit_reached"
        await bob.ask("leave", room="one")
        await bob.join("three")


async def test_an_idle_room_is_forgotten_and_opened_again_without_a_hole(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, epoch = await filled(chat, "lobby", 3)
        bob = await chat.guest_in("lobby", chat.nodes[1])
        await bob.ask("leave", room="lobby")
        await trio.sleep(2 * LOOSE.room_idle_s)
        assert chat.nodes[1].hub.room("lobby") is None
        assert chat.node.hub.room("lobby") is not None, "ann still listens there"
        await ann.say("lobby", "while it was forgotten")
        await bob.join("lobby", since=3, epoch=epoch)
        await ann.say("lobby", "again")
        await bob.hears("lobby", "again")
        assert bob.seqs("lobby") == [4, 5]


async def test_a_join_that_waits_while_its_room_is_forgotten_hears_the_room(autojump_clock: MockClock) -> None:
    limits = msgspec.structs.replace(LOOSE, room_idle_s=0.4)
    async with open_chat(limits, nodes=2) as chat:
        ann, epoch = await filled(chat, "lobby", 1)
        bob = await chat.guest_in("lobby", chat.nodes[1])
        await bob.ask("leave", room="lobby")
        chat.bus.lose_next(1)
        await ann.say("lobby", "lost on the way")
        chat.store.delay_s = 1.0  # the position is looked up while the room becomes idle
        reply = await bob.ask("join", room="lobby", since=2, epoch=epoch)
        while reply["type"] == "error":
            assert reply["code"] == "unavailable"
            chat.store.delay_s = 0.0
            reply = await bob.ask("join", room="lobby", since=2, epoch=epoch)
        chat.store.delay_s = 0.0
        await ann.say("lobby", "third")
        await bob.hears("lobby", "third")
        assert bob.seqs("lobby") == [3]


async def test_who_is_gone_while_a_join_waits_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        bob = await chat.guest()
        chat.store.delay_s = 1.0
        await bob.tell("join", room="lobby")
        await trio.sleep(0.5)
        await bob.drop()
        await trio.sleep(3.0)
        room = chat.node.hub.room("lobby")
        assert room is not None
        assert not room.people
        await trio.sleep(2 * LOOSE.room_idle_s)
        assert chat.node.hub.room("lobby") is None
