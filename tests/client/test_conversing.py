"""Each command about messages has its method, and each push its event; a copy is completed after a gap."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from tests.chat.conversation_model import Room
from tests.client import test_governing as governing
from tests.client.fake_server import URL, FakeServer, Frame, Peer
from tests.client.saying import Call, answer_after_loss, assert_counts_once, the_server_understands
from trichat.client import (
    ClientEvent,
    ClientOptions,
    FollowChanged,
    GapEvent,
    PresenceChanged,
    ReadMoved,
    RoomCopy,
    RoomEvent,
    SeenMoved,
    TypingNow,
    open_client,
)
from trichat.core.commands import COMMANDS
from trichat.core.commands_people import Login, Register
from trichat.core.events import Person
from trichat.core.names import UserId
from trichat.core.replies_conversation import DevicePresence, PersonPresence, SeenPerson

BOB = Person("bob", UserId("u_bob"))
MESSAGE: Frame = {"type": "message", "room": "garden", "seq": 7, "from": "bob", "from_id": "u_bob", "ts": "", "rev": 7}
READ: Frame = {"type": "read", "room": "garden", "read": 7, "unread": 2, "mentions": 1}
FOLLOWING: Frame = {"type": "following", "room": "garden", "thread": 7, "following": True}
PRESENT: Frame = {
    "user": "bob", "user_id": "u_bob", "state": "online", "devices": [{"device": "phone", "state": "online"}],
}  # fmt: skip

#: Calls that become an event: each gets a `cid`, and is repeated with it.
CHANGES: dict[str, tuple[Call, Frame]] = {
    "edit": (lambda c: c.edit("garden", 7, "hello"), {"seq": 7, "text": "hello"}),
    "delete": (lambda c: c.delete("garden", 7, reason="spam"), {"seq": 7, "reason": "spam"}),
    "react": (lambda c: c.react("garden", 7, "👍"), {"seq": 7, "emoji": "👍"}),
    "unreact": (lambda c: c.unreact("garden", 7, "👍"), {"seq": 7, "emoji": "👍"}),
    "pin": (lambda c: c.pin("garden", 7), {"seq": 7}),
    "unpin": (lambda c: c.unpin("garden", 7), {"seq": 7}),
}

#: Calls that do no harm when they are repeated: what they say, and the reply.
QUESTIONS: dict[str, tuple[Call, Frame, Frame]] = {
    "revisions": (lambda c: c.revisions("garden", 7), {"room": "garden", "seq": 7},
                  {"type": "revisions", "room": "garden", "seq": 7,
                   "revisions": [{"rev": 7, "ts": "", "text": "old"}]}),
    "reactions": (lambda c: c.reactions("garden", 7, after="a", limit=5),
                  {"room": "garden", "seq": 7, "after": "a", "limit": 5},
                  {"type": "reactions", "room": "garden", "seq": 7, "more": False,
                   "reactions": [{"emoji": "👍", "user": "bob", "user_id": "u_bob"}]}),
    "pins": (lambda c: c.pins("garden"), {"room": "garden"},
             {"type": "pins", "room": "garden", "messages": [MESSAGE]}),
    "threads": (lambda c: c.threads("garden", all=True, before=9), {"room": "garden", "all": True, "before": 9},
                {"type": "threads", "room": "garden", "more": False,
                 "threads": [{"message": MESSAGE, "replies": 1, "last_seq": 9, "following": True, "read": 9}]}),
    "follow": (lambda c: c.follow("garden", 7), {"room": "garden", "thread": 7}, FOLLOWING),
    "unfollow": (lambda c: c.unfollow("garden", 7), {"room": "garden", "thread": 7}, FOLLOWING | {"following": False}),
    "read": (lambda c: c.read("garden", 7, thread=3), {"room": "garden", "seq": 7, "thread": 3}, READ | {"thread": 3}),
    "seen": (lambda c: c.seen("garden"), {"room": "garden"},
             {"type": "seen", "room": "garden", "people": [{"user": "bob", "user_id": "u_bob", "seq": 7}]}),
    "inbox": (lambda c: c.inbox(after="a", limit=5), {"after": "a", "limit": 5},
              {"type": "inbox", "more": False,
               "rooms": [{"room": "garden", "kind": "public", "role": "member", "epoch": "k1", "seq": 9, "read": 7,
                          "unread": 2, "mentions": 0, "level": "all", "last": MESSAGE}]}),
    "mentions": (lambda c: c.mentions(before="k"), {"before": "k"},
                 {"type": "mentions", "more": False,
                  "mentions": [{"key": "k", "room": "garden", "unread": True, "message": MESSAGE}]}),
    "notify": (lambda c: c.notify("garden", "none", quiet_s=60), {"room": "garden", "level": "none", "quiet_s": 60},
               {"type": "notify", "room": "garden", "level": "none", "quiet_until": ""}),
    "presence": (lambda c: c.presence("garden", follow=False), {"room": "garden", "follow": False},
                 {"type": "presence_state", "room": "garden", "people": [PRESENT], "online": 1, "away": 0}),
    "set_presence": (lambda c: c.set_presence("away", hidden=True), {"state": "away", "hidden": True},
                     {"type": "set_presence", "state": "away", "hidden": True}),
    "search": (lambda c: c.search("rose*", room="garden", limit=5), {"text": "rose*", "room": "garden", "limit": 5},
               {"type": "search", "more": False,
                "found": [{"key": "k", "room": "garden", "message": MESSAGE, "snippet": "roses", "marks": [[0, 5]]}]}),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHANGES)
async def test_what_is_done_to_a_message_counts_once(
    nursery: trio.Nursery, autojump_clock: MockClock, kind: str
) -> None:
    await assert_counts_once(nursery, kind, *CHANGES[kind])


@pytest.mark.parametrize("kind", QUESTIONS)
async def test_what_is_asked_is_asked_again_after_a_lost_connection(
    nursery: trio.Nursery, autojump_clock: MockClock, kind: str
) -> None:
    call, said, reply = QUESTIONS[kind]
    answer = await answer_after_loss(nursery, call, {"type": kind, **said}, reply)
    for name, value in reply.items():
        if name != "type":
            assert msgspec.to_builtins(getattr(answer, name)) == msgspec.to_builtins(_filled(answer, name, value))


def _filled(answer: Any, name: str, value: Any) -> Any:
    """`value` as the answer's type has it, with what the server leaves out."""
    hints = {field.name: field.type for field in msgspec.structs.fields(type(answer))}
    return msgspec.convert(value, hints[name])


async def test_a_reply_says_what_it_answers_and_a_thread_where_it_is_said(nursery: trio.Nursery) -> None:
    said: list[Frame] = []

    async def script(peer: Peer) -> None:
        await peer.let_in("auth")
        for _ in range(2):
            said.append(await peer.hear())
            await peer.reply(said[-1], "ack", room="garden", seq=7)
        await peer.answer(await peer.expect("history"), {"type": "history", "room": "garden", "messages": []})
        await peer.stay()

    async with open_client(URL, token="u.1", connect=FakeServer(nursery, script).connect) as client:
        await client.send("garden", "yes", reply_to=3, thread=2)
        await client.send("garden", "plain")
        await client.history("garden", thread=2)
    assert (said[0]["reply_to"], said[0]["thread"]) == (3, 2)
    assert not {"reply_to", "thread"} & said[1].keys()
    assert all(the_server_understands(command) for command in said)


async def test_that_one_is_writing_is_said_once(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def cut(peer: Peer) -> None:
        await peer.let_in("auth")
        await peer.expect("typing")
        await peer.cut()

    async def stay(peer: Peer) -> None:
        await peer.let_in("auth")
        await peer.reply_ping(await peer.expect("ping"))
        await peer.stay()

    async with open_client(URL, token="u.1", connect=FakeServer(nursery, cut, stay).connect) as client:
        await client.typing("garden")
        await client.ping()


#: What the server pushes that is in no log, and what the application hears of it.
PUSHES: list[tuple[Frame, ClientEvent]] = [
    (READ, ReadMoved(room="garden", read=7, unread=2, mentions=1)),
    (READ | {"thread": 3}, ReadMoved(room="garden", thread=3, read=7, unread=2, mentions=1)),
    ({"type": "seen", "room": "garden", "people": [{"user": "bob", "user_id": "u_bob", "seq": 7}]},
     SeenMoved("garden", [SeenPerson("bob", "u_bob", 7)])),
    (FOLLOWING, FollowChanged("garden", 7, following=True)),
    ({"type": "typing", "room": "garden", "people": [{"user": "bob", "user_id": "u_bob"}], "for_ms": 6000},
     TypingNow("garden", [BOB], 6000)),
    ({"type": "presence_diff", "room": "garden", "people": [PRESENT], "online": 1, "away": 0},
     PresenceChanged("garden", 1, 0, [
         PersonPresence(user="bob", user_id="u_bob", state="online", devices=[DevicePresence("phone", "online")])
     ])),
    ({"type": "presence_diff", "room": "garden", "online": 500, "away": 20}, PresenceChanged("garden", 500, 20)),
]  # fmt: skip


@pytest.mark.parametrize(("push", "event"), PUSHES)
async def test_a_push_that_is_in_no_log_is_heard_and_moves_no_position(
    nursery: trio.Nursery, push: Frame, event: ClientEvent
) -> None:
    async def script(peer: Peer) -> None:
        await peer.let_in("auth")
        await peer.let_join(head=6)
        await peer.say(push["type"], **{name: value for name, value in push.items() if name != "type"})
        await peer.stay()

    async with open_client(URL, token="u.1", connect=FakeServer(nursery, script).connect) as client:
        await client.join("garden")
        heard = [await anext(client.events()) for _ in range(2)]
        assert heard[1] == event
        assert client.position("garden") == ("k1", 6)


async def test_a_push_that_is_not_as_it_should_be_is_ignored(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.let_in("auth")
        await peer.say("typing", room="garden", people="everybody", for_ms=1)
        await peer.say("typing", room="garden", people=[], for_ms=1)
        await peer.stay()

    async with open_client(URL, token="u.1", connect=FakeServer(nursery, script).connect) as client:
        heard = [await anext(client.events()) for _ in range(2)]
        assert heard[1] == TypingNow("garden", [], 1)


async def test_after_a_gap_a_copy_is_completed(nursery: trio.Nursery) -> None:
    room = Room("garden")
    for number in range(5):
        room.write("message", BOB, {"text": f"text {number}"})
    for seq in (1, 2, 3):
        body = room.changes("edited", BOB, seq, "in other words")
        assert body is not None
        room.write("edited", BOB, body, ts="then")

    async def script(peer: Peer) -> None:
        await peer.let_in("auth")
        await peer.let_join(head=8)
        await peer.say("gap", room="garden", from_=1, to=6, messages=5, mentions=2, first_unread=1)
        for seq in (7, 8):
            frame = room.row(seq)
            await peer.say(frame.pop("type"), **frame)
        while True:
            asked = await peer.expect("events")
            assert the_server_understands(asked)
            assert asked["compact"] is True
            events, to, more = room.compact(asked["since"], 2, "u_1")
            page: Frame = {"type": "events", "room": "garden", "events": events, "to": to, "more": more}
            await peer.answer(asked, page | {"compact": True})

    options, copy = ClientOptions(fill_gaps=False), RoomCopy("garden", "u_1", since=0)
    async with open_client(URL, token="u.1", connect=FakeServer(nursery, script).connect, options=options) as client:
        await client.join("garden", since=0)
        while copy.position < 8:
            event = await anext(client.events())
            assert not isinstance(event, GapEvent) or event == GapEvent("garden", 1, 6, 5, mentions=2, first_unread=1)
            copy.take(event)
        assert copy.history() != room.history("u_1")
        await client.complete(copy)
    assert copy.history() == room.history("u_1")


async def test_what_is_kept_no_more_is_told_and_what_is_left_goes_on(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.let_in("auth")
        await peer.let_join(head=9)
        await peer.say("gap", room="lobby", from_=3, to=5, messages=0, expired=True)
        await peer.say_event(6)
        await peer.say("gap", room="lobby", from_=7, to=8, messages=2)
        asked = await peer.expect("events")
        page = [{"type": "message", "room": "lobby", "seq": 8, "text": ""}]
        await peer.reply(asked, "events", room="lobby", first=8, events=page, more=False)
        await peer.say_event(9)
        await peer.stay()

    async with open_client(URL, token="u.1", connect=FakeServer(nursery, script).connect) as client:
        await client.join("lobby", since=2)
        heard: list[ClientEvent] = []
        while client.position("lobby") != ("k1", 9):
            heard.append(await anext(client.events()))
        expired = [event for event in heard if isinstance(event, GapEvent)]
        assert [(gap.first, gap.last, gap.expired) for gap in expired] == [(3, 5, True), (7, 7, True)]
        assert [event.seq for event in heard if isinstance(event, RoomEvent)] == [6, 8, 9]


def test_every_command_of_the_protocol_has_its_method() -> None:
    talk = {"ping", "help", "hello", "auth", "join", "resume", "leave", "send", "history", "events", "members"}
    by_opening = {str(command.__struct_config__.tag) for command in (Register, Login)}
    said = governing.kinds_said() | {*CHANGES, *QUESTIONS, "typing"}
    assert said | talk | by_opening == set(COMMANDS)
