"""`threads`, `follow` and `unfollow`."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from trio.testing import MockClock

from tests.chat.guests import Guest, open_chat
from tests.chat.persons import SOON_S, done, log_in, make_private, open_room, person, refused
from tests.nodes import LOOSE
from tests.people import make_account


async def listed(guest: Guest, **fields: Any) -> list[dict[str, Any]]:
    """The threads of the garden, as a page shows them to `guest`."""
    page = await guest.ask("threads", room="garden", **fields)
    assert page["type"] == "threads", page
    return list(page["threads"])


def roots(threads: list[dict[str, Any]]) -> list[str]:
    return [thread["message"]["text"] for thread in threads]


async def test_a_thread_shows_its_message_as_it_is_now_and_what_is_unread(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        await open_room(ann, "garden", bob)
        root = await ann.say("garden", "root")
        last = [await bob.say("garden", text, thread=root) for text in ("one", "two")][-1]
        (mine,) = await listed(ann)
        message = mine.pop("message")
        assert mine == {"replies": 2, "last_seq": last, "following": True, "read": root, "unread": 2}
        assert (message["seq"], message["rev"], message["replies"]) == (root, last, 2)
        assert (message["type"], message["room"], message["text"]) == ("message", "garden", "root")
        assert (await listed(bob))[0]["unread"] == 0


async def test_a_guest_sees_all_threads_and_follows_none(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, gus = await person(chat, "ann"), await chat.guest()
        await open_room(ann, "garden")
        await gus.join("garden")
        root = await ann.say("garden", "root")
        await gus.say("garden", "re", thread=root)
        assert await listed(gus) == []
        (thread,) = await listed(gus, all=True)
        assert not thread["following"]
        assert "unread" not in thread
        for command in ("follow", "unfollow"):
            assert await refused(gus, command, room="garden", thread=root) == ("forbidden", None)


async def test_threads_come_page_by_page_the_last_replied_to_first(autojump_clock: MockClock) -> None:
    limits = structs.replace(LOOSE, page_bytes=1_000)
    async with open_chat(limits) as chat:
        ann = await person(chat, "ann")
        await open_room(ann, "garden")
        for number in range(5):
            root = await ann.say("garden", f"{number}" + "x" * 200)
            await ann.say("garden", "re", thread=root)
        seen: list[str] = []
        before: dict[str, int] = {}
        for count in (2, 2, 1):
            page = await ann.ask("threads", room="garden", limit=3, **before)
            assert len(page["threads"]) == count
            assert page["more"] == (count == 2)
            seen += [text[0] for text in roots(page["threads"])]
            before = {"before": page["threads"][-1]["last_seq"]}
        assert seen == ["4", "3", "2", "1", "0"]
        assert await listed(ann, before=1) == []
        assert await refused(ann, "threads", room="garden", limit=0) == ("bad_field", "limit")


async def test_who_follows_is_told_on_all_their_connections(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        token = await make_account(chat.store, "bob")
        phone, desk = await log_in(chat, token), await log_in(chat, token)
        await open_room(ann, "garden")
        root = await ann.say("garden", "root")
        for device in (phone, desk):
            await device.join("garden")
        told: list[dict[str, Any]] = []
        for command, following in [("follow", True), ("follow", True), ("unfollow", False)]:
            reply = await phone.ask(command, room="garden", thread=root)
            said = {"type": "following", "room": "garden", "thread": root, "following": following}
            assert reply == {**said, "id": reply["id"]}
            told.append(said)
            await desk.until(lambda: desk.all_of("following") == told, SOON_S)
        assert all("id" in frame for frame in phone.all_of("following"))
        assert ann.all_of("following") == []


async def test_what_comes_after_following_is_unread(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        await open_room(ann, "garden", bob)
        root = await ann.say("garden", "root")
        await ann.say("garden", "before", thread=root)
        await bob.ask("follow", room="garden", thread=root)
        gone = await ann.say("garden", "gone", thread=root)
        await ann.say("garden", "after", thread=root)
        await done(ann, "delete", room="garden", seq=gone)
        (thread,) = await listed(bob)
        assert (thread["unread"], thread["replies"]) == (1, 2)


@pytest.mark.parametrize("command", ["follow", "unfollow", "threads"])
async def test_of_a_hidden_room_nobody_hears_that_it_is_there(autojump_clock: MockClock, command: str) -> None:
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        room = await make_private(ann, title="x")
        fields = {} if command == "threads" else {"thread": 1}
        hidden = await bob.ask(command, room=room, **fields)
        missing = await bob.ask(command, room="~" + "z" * 26, **fields)
        assert {**hidden, "id": ""} == {**missing, "id": ""}
        assert hidden["code"] == "no_such_room"


async def test_what_is_no_thread_is_not_followed(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        await open_room(ann, "garden")
        root = await ann.say("garden", "root")
        reply = await ann.say("garden", "re", thread=root)
        for thread in (0, 1, reply, 99):
            assert await refused(ann, "follow", room="garden", thread=thread) == ("bad_field", "thread")
        assert (await refused(bob, "follow", room="garden", thread=root))[0] == "forbidden"
