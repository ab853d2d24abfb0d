"""Compacted events: a copy that takes them is what the room is now, in the size of the difference. On both stores."""

from __future__ import annotations

from random import Random

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from tests.store.conftest import LIMITS, said
from tests.store.conversing import MUCH, Talk, body, seqs, talk_in
from trichat.chat.conversation_ports import CompactPage
from trichat.chat.ports import Store
from trichat.core.chance import Chance
from trichat.core.errors import Refusal
from trichat.core.events import Event
from trichat.core.names import UserId
from trichat.core.present import TOMBSTONE
from trichat.store import MemoryStore, open_postgres_store

EMOJIS = ("👍", "🎉", "❤️")


async def compact(talk: Talk, since: int, limit: int = 200, max_bytes: int = MUCH) -> CompactPage:
    return await talk.store.read_compact(
        talk.room.id, since=since, limit=limit, max_bytes=max_bytes, viewer=UserId("g_ann")
    )


async def test_each_message_comes_once_as_it_is_now_at_the_place_of_its_last_change(store: Store) -> None:
    talk = await talk_in(store)
    old = await talk.say("old")
    since = await talk.say("untouched")
    new = await talk.say("new")
    await store.append([said(talk.room, kind="member")])
    joined = await head_of(talk)
    gone = await talk.say("gone")
    for turn in range(10):
        await talk.react(old, "👍", on=turn % 2 == 0)
    edit = await talk.edit(old, "old, but better")
    deletion = await talk.delete(gone)
    page = await compact(talk, since)
    assert seqs(page.entries) == [new, joined, old, gone]
    assert [event.rev for event in page.entries] == [0, 0, edit, deletion]
    assert body(page.entries[2])["text"] == "old, but better"
    assert page.entries[3].body == TOMBSTONE
    assert (page.to, page.more) == (deletion, False)


async def test_pages_end_at_a_place_and_go_on_from_it(store: Store) -> None:
    talk = await talk_in(store)
    first, second, third = [await talk.say(text) for text in "abc"]
    edit = await talk.edit(first, "A")
    assert seqs((page := await compact(talk, 0, limit=1)).entries) == [second]
    assert (page.to, page.more) == (second, True)
    assert seqs((page := await compact(talk, second, limit=1)).entries) == [third]
    assert (page.to, page.more) == (third, True)
    assert seqs((page := await compact(talk, third, limit=1)).entries) == [first]
    assert (page.to, page.more) == (edit, False)
    page = await compact(talk, edit)
    assert (page.entries, page.to, page.more) == ([], edit, False)
    page = await compact(talk, edit + 10)
    assert (page.entries, page.to, page.more) == ([], edit + 10, False)


async def test_a_page_ends_with_its_bytes_but_has_one(store: Store) -> None:
    talk = await talk_in(store)
    first, second = await talk.say("x" * 100), await talk.say("y" * 100)
    size = len((await compact(talk, 0)).entries[0].body)
    page = await compact(talk, 0, max_bytes=2 * size)
    assert (seqs(page.entries), page.to, page.more) == ([first, second], second, False)
    page = await compact(talk, 0, max_bytes=2 * size - 1)
    assert (seqs(page.entries), page.to, page.more) == ([first], first, True)
    page = await compact(talk, 0, max_bytes=1)
    assert (seqs(page.entries), page.to, page.more) == ([first], first, True)


async def test_a_page_looks_at_no_more_than_its_stretch_and_says_where_to_go_on(url: str) -> None:
    limits = structs.replace(LIMITS, compact_events=10)
    async with open_postgres_store(url, limits, chance=Chance()) as store:
        for looked_through in (store, MemoryStore(limits, chance=Chance())):
            talk = await talk_in(looked_through)
            seq = await talk.say("hello")
            for turn in range(20):
                await talk.react(seq, "👍", on=turn % 2 == 0)
            pages = [await compact(talk, since) for since in (0, 10, 20)]
            assert [(seqs(page.entries), page.to, page.more) for page in pages] == [
                ([], 10, True), ([], 20, True), ([seq], 21, False)
            ]  # fmt: skip


# the copy


class Copy:
    """What somebody has of a room who was there at first, and takes compacted events from then on."""

    def __init__(self, messages: list[Event], since: int) -> None:
        self.messages = {message.seq: message for message in messages}
        self.since = since
        self.others: list[int] = []

    async def take_page(self, talk: Talk, limit: int) -> bool:
        """Whether there is more."""
        page = await compact(talk, self.since, limit=limit)
        assert page.to > self.since or not page.more
        assert all(self.since < (event.rev or event.seq) <= page.to for event in page.entries)
        for event in page.entries:
            if event.kind == "message":
                self.messages[event.seq] = event
            else:
                self.others.append(event.seq)
        self.since = page.to
        return page.more


async def everything(talk: Talk) -> list[Event]:
    """All messages of the room as they are now, those of threads too."""
    messages, _ = await talk.history()
    threads = [await talk.history(thread=message.seq) for message in messages]
    return messages + [reply for replies, _ in threads for reply in replies]


async def do_something(talk: Talk, random: Random, others: list[int]) -> None:
    messages = await everything(talk)
    anything = random.choice(messages).seq if messages else 0
    try:
        match random.choice(("say", "say", "reply", "edit", "delete", "react", "react", "unreact", "pin", "member")):
            case "say":
                await talk.say(f"text {random.random()}")
            case "reply":
                roots = [message.seq for message in messages if message.thread is None and message.body != TOMBSTONE]
                if roots:
                    await talk.say("reply", thread=random.choice(roots))
            case "edit":
                await talk.edit(anything, f"edit {random.random()}")
            case "delete":
                await talk.delete(anything)
            case "react":
                await talk.react(anything, random.choice(EMOJIS), by=random.choice(("ann", "bob")))
            case "unreact":
                await talk.react(anything, random.choice(EMOJIS), on=False)
            case "pin":
                await talk.pin(anything)
            case "member":
                await talk.store.append([said(talk.room, kind="member")])
                others.append(await head_of(talk))
    except Refusal:
        pass  # of what is deleted, or not there


async def head_of(talk: Talk) -> int:
    return (await talk.store.open_rooms([talk.room.name], create=False))[talk.room.name].head


async def check_a_copy(store: Store, random: Random, steps: int) -> None:
    """Whatever is done meanwhile, when there is no more the copy is what the room is."""
    talk, others = await talk_in(store, f"room{random.random()}"), list[int]()
    for _ in range(random.randrange(steps)):
        await do_something(talk, random, [])
    copy = Copy(await everything(talk), await head_of(talk))
    for _ in range(random.randrange(steps)):
        await do_something(talk, random, others)
    limit = random.choice((1, 2, 5, 50))
    while await copy.take_page(talk, limit):
        for _ in range(random.choice((0, 0, 0, 1))):
            await do_something(talk, random, others)
    assert copy.messages == {message.seq: message for message in await everything(talk)}
    assert (copy.others, copy.since) == (others, await head_of(talk))


@pytest.mark.parametrize("seed", range(3))
async def test_a_copy_that_takes_compacted_events_is_the_room(seed: int, store: Store) -> None:
    await check_a_copy(store, Random(seed), 50)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32))
def test_a_copy_is_the_room_on_the_twin_whatever_is_done(seed: int) -> None:
    async def check() -> None:
        time = iter(range(10**9))
        await check_a_copy(MemoryStore(LIMITS, chance=Chance(Random(1)), clock=lambda: next(time)), Random(seed), 30)

    trio.run(check)
