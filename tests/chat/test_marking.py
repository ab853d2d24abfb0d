"""People say how far they have read: their other devices hear of it, and in a small room everybody."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.chat.persons import SOON_S, bot, hears_of, id_of, log_in, make, make_private, person, quiet, refused
from tests.nodes import LOOSE
from tests.people import make_account


async def garden(chat: Chat) -> tuple[Guest, Guest, Guest]:
    """Ann, who owns the room `garden`, and Bob, a member, on two devices; the second one is at the last node."""
    ann = await person(chat, "ann")
    await make(ann, room="garden")
    token = await make_account(chat.store, "bob")
    phone, desk = await log_in(chat, token), await log_in(chat, token, chat.nodes[-1])
    for guest in (ann, phone, desk):
        await guest.join("garden")
    await hears_of(ann, "garden", "joined", "bob")
    await quiet()
    return ann, phone, desk


def marks(joined: dict[str, Any]) -> tuple[int, int, int]:
    return joined["read"], joined["unread"], joined["mentions"]


def pushes(guest: Guest, kind: str) -> list[dict[str, Any]]:
    """What they were told of this kind unasked."""
    return [frame for frame in guest.all_of(kind) if "id" not in frame]


# read


async def test_reading_tells_how_much_is_left(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, _ = await garden(chat)
        seqs = [await ann.say("garden", f"{n}") for n in range(4)]
        reply = await bob.ask("read", room="garden", seq=seqs[1])
        del reply["id"]
        assert reply == {"type": "read", "room": "garden", "read": seqs[1], "unread": 2, "mentions": 0}
        again = await bob.ask("read", room="garden", seq=seqs[0])
        assert (again["read"], again["unread"]) == (seqs[1], 2)


async def test_who_has_just_said_something_has_read_it(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, _ = await garden(chat)
        chat.store.delay_s = 0.1
        await ann.say("garden", "hello")
        await bob.tell("send", room="garden", text="hi")
        assert (await bob.ask("read", room="garden", seq=0))["unread"] == 0


@pytest.mark.parametrize("nodes", [1, 2])
async def test_ones_other_devices_hear_what_one_has_read(nodes: int, autojump_clock: MockClock) -> None:
    async with open_chat(nodes=nodes) as chat:
        ann, phone, desk = await garden(chat)
        seq = await ann.say("garden", "hello")
        await phone.ask("read", room="garden", seq=seq)
        await desk.until(lambda: bool(pushes(desk, "read")), SOON_S)
        assert pushes(desk, "read") == [{"type": "read", "room": "garden", "read": seq, "unread": 0, "mentions": 0}]
        await desk.ask("read", room="garden", seq=seq)  # nothing moves: nobody is told
        await quiet()
        assert (pushes(phone, "read"), len(pushes(desk, "read")), pushes(ann, "read")) == ([], 1, [])


@pytest.mark.parametrize("nodes", [1, 2])
async def test_in_a_small_room_the_others_see_who_has_read_on(nodes: int, autojump_clock: MockClock) -> None:
    async with open_chat(nodes=nodes) as chat:
        ann, phone, desk = await garden(chat)
        seq = await ann.say("garden", "hello")
        await desk.ask("read", room="garden", seq=seq)
        await ann.until(lambda: bool(pushes(ann, "seen")), SOON_S)
        bob = {"user": "bob", "user_id": id_of(phone), "seq": seq}
        assert pushes(ann, "seen") == [{"type": "seen", "room": "garden", "people": [bob]}]
        assert pushes(phone, "seen") == []


async def test_in_a_large_room_nobody_is_told_who_has_read_on(autojump_clock: MockClock) -> None:
    async with open_chat(structs.replace(LOOSE, seen_members=1)) as chat:
        ann, phone, _ = await garden(chat)
        seq = await ann.say("garden", "hello")
        assert (await phone.ask("read", room="garden", seq=seq))["unread"] == 0
        await quiet()
        assert pushes(ann, "seen") == []
        assert await refused(ann, "seen", room="garden") == ("limit_reached", "room")


async def test_a_marker_of_a_thread_is_another_one(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, phone, desk = await garden(chat)
        root = await ann.say("garden", "what about tea?")
        reply = await ann.say("garden", "green tea", thread=root)
        read = await phone.ask("read", room="garden", thread=root, seq=reply)
        del read["id"]
        assert read == {"type": "read", "room": "garden", "thread": root, "read": reply, "unread": 0}
        await desk.until(lambda: bool(pushes(desk, "read")), SOON_S)
        assert pushes(desk, "read") == [read]
        assert pushes(ann, "seen") == []
        assert (await phone.ask("read", room="garden", seq=root - 1))["unread"] == 1


async def test_what_cannot_be_read_is_refused(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, _ = await garden(chat)
        shed = await make_private(ann)
        assert await refused(bob, "read", room="garden", seq=99) == ("bad_field", "seq")
        assert await refused(bob, "read", room="garden", seq=-1) == ("bad_field", "seq")
        assert (await refused(bob, "read", room=shed, seq=1))[0] == "no_such_room"
        assert (await refused(bob, "read", room="nowhere", seq=1))[0] == "no_such_room"
        cat, gus = await person(chat, "cat"), await chat.guest_in("garden")
        for command, fields in (("read", {"seq": 1}), ("seen", {}), ("notify", {})):
            assert (await refused(cat, command, room="garden", **fields))[0] == "forbidden"
            assert (await refused(gus, command, room="garden", **fields))[0] == "forbidden"
        for command in ("inbox", "mentions"):
            assert (await refused(gus, command))[0] == "forbidden"


# joining


async def test_joining_tells_how_far_one_has_read(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, _, _ = await garden(chat)
        token = await make_account(chat.store, "cat")
        cat = await log_in(chat, token)
        first = await cat.join("garden")
        assert marks(first) == (4, 0, 0)  # the event with which she became a member
        for text in ("one", "two @cat", "three"):
            await ann.say("garden", text)
        again = await (await log_in(chat, token, chat.nodes[1])).join("garden")
        assert marks(again) == (4, 3, 1)
        resuming = await log_in(chat, token, chat.nodes[1])
        await resuming.ask("resume", rooms={"garden": {"since": again["read"], "epoch": again["epoch"]}})
        (resumed,) = resuming.all_of("joined")
        assert marks(resumed) == (4, 3, 1)
        assert "read" not in await (await chat.guest()).join("garden")


async def test_who_comes_in_by_two_devices_at_once_is_told_the_same(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        await garden(chat)
        token = await make_account(chat.store, "cat")
        devices = [await log_in(chat, token, node) for node in chat.nodes]
        chat.store.delay_s = 0.05
        asked = [await device.tell("join", room="garden") for device in devices]
        told = [await device.reply_to(command) for device, command in zip(devices, asked, strict=True)]
        assert [marks(joined) for joined in told] == [(4, 0, 0)] * 2


# seen


async def test_members_see_who_has_read_how_far(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, _ = await garden(chat)
        seq = await ann.say("garden", "hello")
        reply = await bob.ask("seen", room="garden")
        assert [(one["user"], one["seq"]) for one in reply["people"]] == [("ann", seq), ("bob", 3)]


# inbox and mentions


async def test_the_inbox_is_all_that_is_new(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, _ = await garden(chat)
        await make(ann, room="attic", title="The attic")
        await bob.join("attic")
        seq = await ann.say("garden", "where is @bob?")
        page = await bob.ask("inbox")
        attic, there = page["rooms"]
        assert page["more"] is False
        assert (attic["room"], attic["title"], attic["unread"], "last" in attic) == ("attic", "The attic", 0, False)
        last = there.pop("last")
        assert (last["type"], last["seq"], last["rev"], last["text"]) == ("message", seq, seq, "where is @bob?")
        del there["epoch"]
        assert there == {
            "room": "garden", "kind": "public", "role": "member", "seq": seq, "read": 3, "unread": 1, "mentions": 1,
            "level": "all",
        }  # fmt: skip


async def test_the_inbox_is_paged(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        for name in "abcde":
            await make(ann, room=name)
        page = await ann.ask("inbox", limit=3)
        assert ([room["room"] for room in page["rooms"]], page["more"]) == (["a", "b", "c"], True)
        page = await ann.ask("inbox", limit=3, after="c")
        assert ([room["room"] for room in page["rooms"]], page["more"]) == (["d", "e"], False)
        assert await refused(ann, "inbox", limit=0) == ("bad_field", "limit")


async def test_a_page_of_the_inbox_has_a_size(autojump_clock: MockClock) -> None:
    async with open_chat(structs.replace(LOOSE, page_bytes=6_000)) as chat:
        ann = await person(chat, "ann")
        for name in "abc":
            await make(ann, room=name)
            await ann.join(name)
            await ann.say(name, "x" * 4_000)
        rooms: list[str] = []
        more = True
        while more:
            page = await ann.ask("inbox", after=rooms[-1] if rooms else "")
            assert len(page["rooms"]) == 1
            rooms += [room["room"] for room in page["rooms"]]
            more = page["more"]
        assert rooms == ["a", "b", "c"]


async def test_mentions_are_listed_and_paged(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, _ = await garden(chat)
        seqs = [await ann.say("garden", f"@bob {n}") for n in range(3)]
        await ann.say("garden", "nobody")
        await bob.ask("read", room="garden", seq=seqs[0])
        page = await bob.ask("mentions", limit=2)
        assert page["more"] is True
        assert [(one["message"]["seq"], one["unread"], one["room"]) for one in page["mentions"]] == [
            (seqs[2], True, "garden"), (seqs[1], True, "garden"),
        ]  # fmt: skip
        rest = await bob.ask("mentions", limit=2, before=page["mentions"][-1]["key"])
        assert ([(one["message"]["text"], one["unread"]) for one in rest["mentions"]], rest["more"]) == (
            [("@bob 0", False)], False,
        )  # fmt: skip
        assert await refused(bob, "mentions", before="yesterday") == ("bad_field", "before")


async def test_a_key_for_certain_rooms_has_no_inbox_over_all(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        robot = await bot(chat, "robot", ["read"], rooms=["garden"])
        sender = await bot(chat, "sender", ["send"])
        reader = await bot(chat, "reader", ["read"])
        for command in ("inbox", "mentions"):
            assert (await refused(robot, command))[0] == "forbidden"
            assert (await refused(sender, command))[0] == "forbidden"
            assert (await reader.ask(command))["more"] is False


# what one wants to be told


async def test_what_one_wants_to_be_told_is_kept(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        _, bob, desk = await garden(chat)
        assert (await bob.ask("notify", room="garden"))["level"] == "all"
        quiet_for = await bob.ask("notify", room="garden", level="mentions", quiet_s=3_600)
        assert quiet_for["level"] == "mentions"
        told = await desk.ask("notify", room="garden")
        assert (told["level"], told["quiet_until"]) == ("mentions", quiet_for["quiet_until"])
        (listed,) = (await desk.ask("inbox"))["rooms"]
        assert (listed["level"], listed["quiet_until"]) == ("mentions", quiet_for["quiet_until"])
        assert "quiet_until" not in await bob.ask("notify", room="garden", quiet_s=0)


@pytest.mark.parametrize("field", [{"level": "some"}, {"quiet_s": -1}, {"quiet_s": LOOSE.restraint_s + 1}])
async def test_what_cannot_be_told_is_refused(field: dict[str, Any], autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        _, bob, _ = await garden(chat)
        assert await refused(bob, "notify", room="garden", **field) == ("bad_field", next(iter(field)))
        assert await refused(bob, "notify", room="nowhere", **field) == ("bad_field", next(iter(field)))
