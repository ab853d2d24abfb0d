"""Who is writing something: told at once, in bunches of a second, and stored nowhere."""

from __future__ import annotations

from typing import Any, Final

import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.chat.persons import bot, done, id_of, log_in, make_private, person, quiet, refused
from tests.chat.rooms import Ear
from tests.nodes import LOOSE
from tests.people import make_account
from trichat.chat.ports import Whisper
from trichat.core.codec import Frame, encode_reply
from trichat.core.names import RoomId
from trichat.core.replies import Left

#: Virtual seconds in which a push is heard, when nothing was pushed in the last second.
AT_ONCE_S: Final = 0.1
#: Of the limit, and a little: after it whatever is to be pushed has been.
REST_S: Final = LOOSE.typing_rest_s + AT_ONCE_S


def pushes(guest: Guest, room: str = "lobby") -> list[dict[str, Any]]:
    return [frame for frame in guest.all_of("typing") if "id" not in frame and frame["room"] == room]


def heard(guest: Guest, room: str = "lobby") -> list[list[str]]:
    """The identifiers in each push that they heard."""
    return [sorted(typist["user_id"] for typist in push["people"]) for push in pushes(guest, room)]


async def type_(guest: Guest, room: str = "lobby") -> None:
    """Say that they are writing, which is taken."""
    reply = await guest.ask("typing", room=room)
    assert reply == {"type": "typing", "id": reply["id"], "room": room}


async def test_the_others_in_the_room_are_told_at_once_and_who_writes_is_not(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await chat.guests_in("lobby", 2, chat.nodes[0])
        cat, dan = await chat.guest_in("lobby", chat.nodes[1]), await chat.guest_in("dev", chat.nodes[1])
        await quiet()
        await type_(ann)
        await trio.sleep(AT_ONCE_S)
        told = {"user": ann.frames[0]["user"], "user_id": id_of(ann)}
        push = {"type": "typing", "room": "lobby", "people": [told], "for_ms": 6000}
        assert pushes(bob) == pushes(cat) == [push]
        assert not pushes(ann)
        assert not dan.all_of("typing")


async def test_who_leaves_while_it_is_told_hears_no_more_of_it(autojump_clock: MockClock) -> None:
    class Pusher(Ear):
        """Whoever is told first has the other one leave."""

        def post_ephemeral(self, frame: Frame) -> None:
            told.append(self)
            for ear in ears:
                if ear is not self:
                    room.detach(ear)

    told: list[Ear] = []
    ears = [Pusher(), Pusher()]
    async with open_chat() as chat:
        ann = await chat.guest_in("lobby")
        found = chat.node.hub.room("lobby")
        assert found is not None
        room = found
        for ear in ears:
            assert room.attach(ear, room.delivered)
        await type_(ann)
        await trio.sleep(AT_ONCE_S)
        assert len(told) == 1


async def test_what_is_said_again_within_a_second_is_taken_and_told_no_more(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await chat.guests_in("lobby", 2, chat.nodes[0])
        cat = await chat.guest_in("lobby", chat.nodes[1])
        await quiet()
        for _ in range(10):
            await type_(ann)
            await trio.sleep(0.05)
        await trio.sleep(10 * REST_S)
        assert heard(bob) == heard(cat) == [[id_of(ann)]]
        await type_(ann)
        await trio.sleep(AT_ONCE_S)
        assert heard(bob) == heard(cat) == [[id_of(ann)]] * 2


async def test_many_who_write_are_told_of_in_one_push_a_second(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        crowd = await chat.guests_in("lobby", 4, chat.nodes[0]) + await chat.guests_in("lobby", 4, chat.nodes[1])
        ear = await chat.guest_in("lobby", chat.nodes[0])
        await quiet()
        began, seconds = trio.current_time(), 10
        while trio.current_time() < began + seconds:
            for guest in crowd:
                await type_(guest)
            await trio.sleep(0.1)
        assert seconds - 2 <= len(pushes(ear)) <= seconds + 1
        everybody = {id_of(guest) for guest in crowd}
        assert set(heard(ear)[-1]) <= everybody
        assert {who for push in heard(ear)[-2:] for who in push} == everybody


async def test_of_a_crowd_so_many_are_named_as_is_allowed(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        crowd = await chat.guests_in("lobby", LOOSE.typing_people + 5, chat.nodes[0])
        ear, far = await chat.guest_in("lobby", chat.nodes[0]), await chat.guest_in("lobby", chat.nodes[1])
        await quiet()
        for guest in crowd:
            await type_(guest)
        await trio.sleep(2 * REST_S)
        for one in (ear, far):
            assert max(map(len, heard(one))) <= LOOSE.typing_people
            assert {who for push in heard(one) for who in push} <= {id_of(guest) for guest in crowd}


async def test_who_writes_with_others_hears_of_them(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await chat.guests_in("lobby", 2)
        await type_(ann)
        await type_(bob)
        await trio.sleep(2 * REST_S)
        assert id_of(bob) in heard(ann)[-1]
        assert id_of(ann) in heard(bob)[0]


async def test_typing_is_no_event_of_the_log(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest_in("lobby")
        await type_(ann)
        assert await ann.say("lobby", "done") == 1


async def test_who_left_in_the_meantime_is_told_of_no_more(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, cat = await chat.guests_in("lobby", 3)
        await type_(ann)
        await trio.sleep(AT_ONCE_S)
        await type_(cat)  # to be told with the next push
        await cat.ask("leave", room="lobby")
        await trio.sleep(REST_S)
        assert heard(bob) == [[id_of(ann)]]


async def test_who_hides_writes_unseen_on_all_their_connections(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        token = await make_account(chat.store, "ann")
        here, there = await log_in(chat, token, chat.nodes[0]), await log_in(chat, token, chat.nodes[1])
        bob = await chat.guest_in("lobby", chat.nodes[0])
        for one in (here, there):
            await one.join("lobby")
        await quiet()
        await here.ask("set_presence", hidden=True)
        await trio.sleep(AT_ONCE_S)
        later = await log_in(chat, token)
        await later.join("lobby")
        for one in (here, there, later):
            await type_(one)
            await trio.sleep(REST_S)
        assert not pushes(bob)
        await here.ask("set_presence", hidden=False)
        await trio.sleep(AT_ONCE_S)
        await type_(there)
        await trio.sleep(AT_ONCE_S)
        assert heard(bob) == [[id_of(here)]]


async def test_a_node_that_did_not_hear_who_hides_finds_it_in_the_store(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await chat.guest_in("lobby")
        await ann.join("lobby")
        await chat.store.attendance.set_hidden(id_of(ann), True)
        await trio.sleep(LOOSE.presence_look_s + 2 * LOOSE.node_record_s)
        await type_(ann)
        await trio.sleep(REST_S)
        assert not pushes(bob)


async def test_while_redis_is_away_only_those_at_the_node_are_told(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await chat.guests_in("lobby", 2, chat.nodes[0])
        cat = await chat.guest_in("lobby", chat.nodes[1])
        await quiet()
        chat.bus.stop()
        await type_(ann)
        await trio.sleep(REST_S)
        chat.bus.start()
        await trio.sleep(REST_S)
        assert heard(bob) == [[id_of(ann)]]
        assert not pushes(cat)


async def test_one_writes_only_where_one_may(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, gus = await person(chat, "ann"), await chat.guest()
        await ann.join("lobby")
        assert await refused(gus, "typing", room="lobby") == ("not_joined", "room")
        await gus.join("lobby")
        assert await refused(gus, "typing", room="b\x00d") == ("bad_field", "room")
        reader = await bot(chat, "reader", ["read"])
        await reader.join("lobby")
        assert (await refused(reader, "typing", room="lobby"))[0] == "forbidden"
        await done(ann, "edit_room", room="lobby", send="member")
        await trio.sleep(AT_ONCE_S)
        assert await refused(gus, "typing", room="lobby") == ("forbidden", "room")
        await type_(ann)
        await done(ann, "archive", room="lobby", archived=True)
        await trio.sleep(AT_ONCE_S)
        assert await refused(ann, "typing", room="lobby") == ("forbidden", "room")


# pushes of others, by the same way


async def _pushed(chat: Chat, guests: list[Guest]) -> list[int]:
    await trio.sleep(AT_ONCE_S)
    return [len(guest.all_of("left")) for guest in guests]


async def test_a_whisper_to_a_person_reaches_their_connections_in_the_room_at_all_nodes(
    autojump_clock: MockClock,
) -> None:
    async with open_chat(nodes=2) as chat:
        ann = await person(chat, "ann", chat.nodes[0])
        room = await make_private(ann)
        token = await make_account(chat.store, "bob")
        bobs = [await log_in(chat, token, node) for node in (*chat.nodes, *chat.nodes)]
        await done(ann, "invite", room=room, user="bob")
        for one in bobs[:3]:
            await one.join(room)
        await ann.join(room)
        await quiet()
        hub, frame = chat.nodes[0].hub, encode_reply(Left(room=room))
        room_id = hub.rooms()[0].id
        (knows, *_) = hub.presence.sessions_of(id_of(bobs[0]))
        hub.whispers.to_person(room_id, id_of(bobs[0]), frame, but=knows)
        assert await _pushed(chat, [ann, *bobs]) == [0, 0, 1, 1, 0]
        hub.whispers.to_room(room_id, frame, but=id_of(bobs[0]))
        assert await _pushed(chat, [ann, *bobs]) == [1, 0, 1, 1, 0]
        hub.whispers.to_room(room_id, frame)
        assert await _pushed(chat, [ann, *bobs]) == [2, 1, 2, 2, 0]


async def test_whispers_that_a_node_does_not_understand_are_passed_over(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await chat.guest_in("lobby", chat.nodes[0]), await chat.guest_in("lobby", chat.nodes[1])
        await quiet()
        room_id = chat.nodes[0].hub.rooms()[0].id
        for said in (b"", b"\xff", b"{}", b'{"w":"later"}', b'{"w":"typing","people":7}', b"[" * 100_000):
            chat.nodes[0].hub.bridge.whisper(Whisper(room_id, said))
        chat.nodes[0].hub.bridge.whisper(Whisper(RoomId(999), b'{"w":"presence"}'))
        await type_(ann)
        await trio.sleep(AT_ONCE_S)
        assert heard(bob) == [[id_of(ann)]]
