"""`search`: pages of what was found, of what the client may read and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Guest, open_chat
from tests.chat.persons import bot, make_private, person, refused
from tests.nodes import LOOSE
from trichat.chat.indexing import run_indexing
from trichat.chat.ports import StoreUnavailable


async def found(guest: Guest, text: str, **fields: Any) -> list[str]:
    page = await guest.ask("search", text=text, **fields)
    assert page["type"] == "search", page
    return [one["message"]["text"] for one in page["found"]]


async def test_who_searches_finds_what_they_have_just_said(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        await ann.join("lobby")
        chat.store.delay_s = 0.1
        await ann.tell("send", room="lobby", text="blue one")
        assert await found(ann, "blue") == ["blue one"]
        await ann.tell("send", room="lobby", text="blue two")
        assert await found(ann, "blue", room="lobby") == ["blue two", "blue one"]


async def test_what_was_found_says_where_and_what_of_it_fits(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        await ann.join("lobby")
        seq = await ann.say("lobby", "the Blue sky")
        (one,) = (await ann.ask("search", text="blue"))["found"]
        assert (one["room"], one["snippet"], one["marks"]) == ("lobby", "the Blue sky", [[4, 8]])
        assert (one["message"]["seq"], one["message"]["rev"], one["message"]["from"]) == (seq, seq, "ann")


async def test_pages_go_on_by_the_key_of_the_last_one(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        await ann.join("lobby")
        for n in range(5):
            await ann.say("lobby", f"blue {n}")
        seen: list[str] = []
        page: dict[str, Any] = {"more": True, "found": [{"key": ""}]}
        while page["more"]:
            page = await ann.ask("search", text="blue", limit=2, before=page["found"][-1]["key"])
            seen += [one["message"]["text"] for one in page["found"]]
        assert seen == [f"blue {n}" for n in reversed(range(5))]


async def test_a_room_is_named_by_either_field_and_both_agree(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        for room in ("lobby", "dev"):
            await ann.join(room)
            await ann.say(room, f"blue {room}")
        assert await found(ann, "blue in:dev") == ["blue dev"]
        assert await found(ann, "blue", room="dev") == ["blue dev"]
        assert await found(ann, "blue in:dev", room="dev") == ["blue dev"]
        assert sorted(await found(ann, "blue")) == ["blue dev", "blue lobby"]
        assert await refused(ann, "search", text="blue in:dev", room="lobby") == ("bad_field", "text")


async def test_what_people_said_is_found_by_the_name_they_have_now(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        for one in (ann, bob):
            await one.join("lobby")
            await one.say("lobby", "blue")
        assert (await bob.ask("rename", name="robert"))["type"] == "ok"
        (one,) = (await ann.ask("search", text="from:robert"))["found"]
        assert one["message"]["from"] == "bob"
        assert await refused(ann, "search", text="from:nobody") == ("no_such_user", "user")


async def test_guests_search_one_room_that_they_may_see(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, gus = await person(chat, "ann"), await chat.guest()
        await ann.join("lobby")
        await ann.say("lobby", "blue")
        secret = await make_private(ann)
        await ann.join(secret)
        await ann.say(secret, "blue")
        assert await found(gus, "blue", room="lobby") == ["blue"]
        assert await refused(gus, "search", text="blue") == ("forbidden", "room")
        for room in (secret, "nowhere"):
            assert await refused(gus, "search", text="blue", room=room) == ("no_such_room", "room")
            assert await refused(gus, "search", text=f"blue in:{room}") == ("no_such_room", "room")
        assert len(await found(ann, "blue")) == 2


async def test_a_bot_needs_a_key_for_reading(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        await ann.join("lobby")
        await ann.say("lobby", "blue")
        writer = await bot(chat, "writer", ["send"])
        reader = await bot(chat, "reader", ["read"], ["lobby"])
        assert (await refused(writer, "search", text="blue", room="lobby"))[0] == "forbidden"
        assert (await refused(writer, "search", text="blue"))[0] == "forbidden"
        assert await found(reader, "blue", room="lobby") == ["blue"]
        assert (await refused(reader, "search", text="blue"))[0] == "forbidden"
        assert (await refused(reader, "search", text="blue", room="dev"))[0] == "no_such_room"


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"text": ""}, "bad_field", "text"),
        ({"text": "*"}, "bad_field", "text"),
        ({"text": "blue has:cheese"}, "bad_field", "text"),
        ({"text": "x" * 513}, "too_long", "text"),
        ({"text": "x" * 60_000}, "too_long", "text"),
        ({"text": "blue", "before": "now"}, "bad_field", "before"),
        ({"text": "blue", "limit": 0}, "bad_field", "limit"),
    ],
)
async def test_what_cannot_be_searched_for_is_refused(
    fields: dict[str, Any], code: str, field: str, autojump_clock: MockClock
) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        assert await refused(ann, "search", room="nowhere", **fields) == (code, field)  # before the room is looked up


async def test_while_the_store_is_away_a_search_says_so(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        chat.store.down = True
        assert (await refused(ann, "search", text="blue"))[0] == "unavailable"


class Indexer:
    """A `Searching` with so many steps of 0.1 s to do; the first one fails. When each began is in `at`."""

    def __init__(self, steps: int) -> None:
        self._left = steps
        self.at: list[float] = []

    async def search(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("nobody searches here")

    async def index(self) -> bool:
        self.at.append(round(trio.current_time(), 6))
        if len(self.at) == 1:
            raise StoreUnavailable("away")
        if self._left == 0:
            return False
        self._left -= 1
        await trio.sleep(0.1)
        return True


async def began_at(indexer: Indexer, *, waiting: int, within_s: float = 4.0) -> list[float]:
    """When its steps began, in seconds from now."""
    now = trio.current_time()
    with trio.move_on_after(within_s):
        await run_indexing(indexer, LOOSE, lambda: waiting)
    return [round(at - now, 3) for at in indexer.at]


async def test_the_index_is_looked_at_now_and_then_and_filled_for_half_of_the_time(autojump_clock: MockClock) -> None:
    rest = LOOSE.index_rest_s
    steps = [0, rest, rest + 0.2, rest + 0.4, rest + 0.6, 2 * rest + 0.6]
    assert (await began_at(Indexer(steps=3), waiting=0))[:6] == steps


async def test_while_there_are_sends_the_index_has_a_tenth_of_the_time(autojump_clock: MockClock) -> None:
    rest = LOOSE.index_rest_s
    assert (await began_at(Indexer(steps=9), waiting=1))[:4] == [0, rest, rest + 1, rest + 2]


async def test_in_a_flood_of_sends_the_index_has_a_hundredth_of_the_time(autojump_clock: MockClock) -> None:
    rest = LOOSE.index_rest_s
    began = await began_at(Indexer(steps=9), waiting=LOOSE.index_flood, within_s=30)
    assert began[:4] == [0, rest, rest + 10, rest + 20]
