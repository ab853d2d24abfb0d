"""`history`, `events`, `rooms` and `members`: pages that show what the client has said before."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Guest, open_chat
from tests.chat.persons import done, make, person
from tests.chat.test_joining import filled, talk
from tests.nodes import LOOSE


def numbers(page: dict[str, Any]) -> list[int]:
    return [entry["seq"] for entry in page.get("messages", []) + page.get("events", [])]


async def test_who_reads_sees_what_they_have_said_before(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest_in("lobby")
        chat.store.delay_s = 0.1
        for turn in range(3):
            await ann.tell("send", room="lobby", text=f"{turn}")
            assert numbers(await ann.ask("history", room="lobby")) == list(range(1, 2 * turn + 2))
            await ann.tell("send", room="lobby", text=f"{turn} again")
            assert numbers(await ann.ask("events", room="lobby", since=0)) == list(range(1, 2 * turn + 3))


async def test_who_reads_does_not_wait_for_ever_for_what_cannot_be_stored(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await filled(chat, "lobby", 1)
        chat.store.delay_s = LOOSE.store_call_s
        chat.store.down = True
        began = trio.current_time()
        await ann.tell("send", room="lobby", text="never stored")
        assert (await ann.ask("history", room="lobby"))["code"] == "unavailable"
        assert trio.current_time() - began < 3.5


@pytest.mark.parametrize(
    ("place", "seqs", "more"),
    [
        ({}, [16, 17, 18, 19, 20], True),
        ({"before": 4}, [1, 2, 3], False),
        ({"before": 7}, [2, 3, 4, 5, 6], True),
        ({"before": 0}, [], False),
        ({"before": 1_000}, [16, 17, 18, 19, 20], True),
        ({"after": 17}, [18, 19, 20], False),
        ({"after": 0}, [1, 2, 3, 4, 5], True),
        ({"after": 20}, [], False),
        ({"limit": 20}, list(range(1, 21)), False),
        ({"limit": 19}, list(range(2, 21)), True),
    ],
)
async def test_a_page_of_history_is_the_place_asked_for(
    place: dict[str, int], seqs: list[int], more: bool, autojump_clock: MockClock
) -> None:
    async with open_chat() as chat:
        ann, _ = await filled(chat, "lobby", 20)
        page = await ann.ask("history", room="lobby", **{"limit": 5, **place})
        assert (numbers(page), page["more"]) == (seqs, more)
        assert all(message["rev"] == message["seq"] for message in page["messages"])


@pytest.mark.parametrize(
    ("around", "limit", "seqs", "more"),
    [
        (10, 4, [8, 9, 10, 11], (True, True)),
        (10, 5, [8, 9, 10, 11, 12], (True, True)),
        (10, 1, [10], (True, True)),
        (10, 2, [9, 10], (True, True)),
        (1, 4, [1, 2], (False, True)),
        (1, 1, [1], (False, True)),
        (20, 4, [18, 19, 20], (True, False)),
        (0, 4, [1, 2], (False, True)),
        (99, 4, [19, 20], (True, False)),
        (10, 100, list(range(1, 21)), (False, False)),
    ],
)
async def test_a_page_around_a_message_has_what_is_before_and_after_it(
    around: int, limit: int, seqs: list[int], more: tuple[bool, bool], autojump_clock: MockClock
) -> None:
    async with open_chat() as chat:
        ann, _ = await filled(chat, "lobby", 20)
        page = await ann.ask("history", room="lobby", around=around, limit=limit)
        assert numbers(page) == seqs
        assert (page["more_before"], page["more_after"]) == more
        assert "more" not in page


async def test_limits_are_clamped_and_nonsense_is_refused(autojump_clock: MockClock) -> None:
    async with open_chat(msgspec.structs.replace(LOOSE, page=6, default_page=3, list_page=2)) as chat:
        ann, _ = await filled(chat, "lobby", 20)
        for room in ("a", "b", "c"):
            await ann.join(room)
        assert len((await ann.ask("history", room="lobby", limit=10**9))["messages"]) == 6
        assert len((await ann.ask("history", room="lobby"))["messages"]) == 3
        assert len((await ann.ask("events", room="lobby", since=0, limit=10**9))["events"]) == 6
        assert len((await ann.ask("rooms", limit=50))["rooms"]) == 2
        for command in ("history", "rooms", "members"):
            refused = await ann.ask(command, limit=0, **({} if command == "rooms" else {"room": "lobby"}))
            assert (refused["code"], refused["field"]) == ("bad_field", "limit")
        refused = await ann.ask("history", room="lobby", before=3, after=2)
        assert (refused["code"], refused["field"]) == ("bad_field", "after")
        assert (await ann.ask("events", room="lobby", since=-1))["code"] == "bad_field"


async def test_a_room_that_is_not_there_is_not_made_by_reading_it(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest()
        for command in ("history", "events", "members"):
            refused = await ann.ask(command, room="nowhere", **({"since": 0} if command == "events" else {}))
            assert (refused["code"], refused["field"]) == ("no_such_room", "room")
        assert (await ann.ask("rooms"))["rooms"] == []


async def test_pages_of_events_go_through_the_whole_log(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await filled(chat, "lobby", 450)
        bob = await chat.guest()
        read: list[int] = []
        page: dict[str, Any] = {"more": True}
        while page["more"]:
            page = await bob.ask("events", room="lobby", since=len(read))
            read += numbers(page)
        assert read == list(range(1, 451))
        assert await texts_of(bob) == ann.texts("lobby")


async def texts_of(guest: Guest) -> list[str]:
    found = [event for page in guest.all_of("events") for event in page["events"]]
    return [event["text"] for event in found]


async def test_a_page_has_no_more_bytes_than_it_may(autojump_clock: MockClock) -> None:
    async with open_chat(msgspec.structs.replace(LOOSE, page_bytes=10_000)) as chat:
        ann = await chat.guest_in("lobby")
        for number in range(20):
            await ann.say("lobby", f"{number}" + "x" * 3_000)
        for command, fields in (("history", {}), ("history", {"around": 10}), ("events", {"since": 0})):
            page = await ann.ask(command, room="lobby", limit=20, **fields)
            assert 2 <= len(numbers(page)) <= 3


async def test_pages_of_rooms_go_through_all_of_them_by_name(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest()
        names = sorted(f"room{number}" for number in range(25))
        for name in reversed(names):
            await ann.join(name)
        await talk(ann, "room7", 3)
        shown: list[dict[str, Any]] = []
        page: dict[str, Any] = {"more": True}
        while page["more"]:
            page = await ann.ask("rooms", after=shown[-1]["room"] if shown else "", limit=10)
            shown += page["rooms"]
        assert [room["room"] for room in shown] == names
        assert all(room["members"] == 1 for room in shown)
        assert {room["room"]: room["seq"] for room in shown if room["seq"]} == {"room7": 3}


async def test_a_page_of_a_thread_has_its_replies_and_the_rooms_history_has_not(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest_in("lobby")
        root = await ann.say("lobby", "root")
        replies = [await ann.say("lobby", f"reply {n}", thread=root) for n in range(5)]
        last = await ann.say("lobby", "last")
        assert numbers(await ann.ask("history", room="lobby")) == [root, last]
        assert numbers(await ann.ask("history", room="lobby", thread=root)) == replies
        page = await ann.ask("history", room="lobby", thread=root, limit=2, before=replies[3])
        assert (numbers(page), page["more"]) == (replies[1:3], True)
        page = await ann.ask("history", room="lobby", thread=root, limit=2, around=replies[2])
        assert (numbers(page), page["more_before"], page["more_after"]) == (replies[1:3], True, True)
        assert numbers(await ann.ask("history", room="lobby", thread=last)) == []


async def test_history_shows_messages_as_they_are_now_and_events_what_became_of_them(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest_in("lobby")
        seq = await ann.say("lobby", "first")
        edit = (await ann.ask("edit", room="lobby", seq=seq, text="second"))["seq"]
        reaction = (await ann.ask("react", room="lobby", seq=seq, emoji="👍"))["seq"]
        (message,) = (await ann.ask("history", room="lobby"))["messages"]
        assert (message["text"], message["rev"]) == ("second", reaction)
        assert message["reactions"] == [{"emoji": "👍", "count": 1, "mine": True}]
        page = await ann.ask("events", room="lobby", since=0)
        assert [event["type"] for event in page["events"]] == ["message", "edited", "reacted"]
        page = await ann.ask("events", room="lobby", since=seq, compact=True)
        assert (page["events"], page["to"], page["more"]) == ([message], reaction, False)
        assert edit < reaction


async def test_compacted_events_show_nothing_that_was_said_before_one_came(autojump_clock: MockClock) -> None:
    """A message of before is hidden, though it was changed after."""
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        await make(ann, room="crypt", history="joined")
        await ann.join("crypt")
        old = await ann.say("crypt", "old")
        await bob.join("crypt")
        await done(ann, "edit", room="crypt", seq=old, text="still hidden")
        new = await ann.say("crypt", "new")
        page = await bob.ask("events", room="crypt", since=0, compact=True)
        assert [event.get("text") for event in page["events"]] == [None, "new"]
        assert (page["first"], page["to"]) == (page["events"][0]["seq"], new)
        assert page["first"] > old
