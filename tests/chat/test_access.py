"""Who may listen and read, where a node's own view is behind: replays, stale looks, and a node that hears nothing."""

from __future__ import annotations

from typing import Any, Final

import pytest
import trio
from msgspec import structs

from tests.chat.guests import Guest, open_chat
from tests.chat.persons import person
from tests.nodes import LOOSE
from tests.people import make_account
from trichat.chat.conversation_ports import Between
from trichat.chat.people_ports import Access
from trichat.core.chance import Chance
from trichat.core.limits import Limits
from trichat.core.names import RoomId, RoomName, UserId
from trichat.store import MemoryStore
from trichat.store.memory_governance import MemoryGovernance
from trichat.store.memory_state import MemoryState

MESSAGES: Final = 900


def heard(guest: Guest) -> list[int]:
    return [frame["seq"] for frame in guest.frames if frame["type"] in ("message", "member", "room")]


@pytest.mark.parametrize("place", ["ring", "store"])
async def test_a_replay_ends_with_the_removal(autojump_clock: trio.testing.MockClock, place: str) -> None:
    limits = structs.replace(LOOSE, ring_bytes=1_000_000, ring_events=10_000) if place == "ring" else LOOSE
    async with open_chat(limits) as chat:
        ann, bob = await person(chat, "ann"), await chat.slow_guest(bytes_per_s=100_000)
        token = await make_account(chat.store, "bob")
        await ann.join("lobby")
        for n in range(MESSAGES):
            last = await ann.tell("send", room="lobby", text=f"{n} {'x' * 1_000}")
        await ann.reply_to(last)
        await bob.ask("auth", token=token)
        await bob.join("lobby", since=0)
        banned_at = (await ann.ask("ban", room="lobby", user="bob"))["seq"]
        for n in range(20):
            await ann.say("lobby", f"after {n}")
        assert len(heard(bob)) < MESSAGES / 2, "the replay is under way"
        await bob.until(lambda: bool(bob.all_of("left")), within_s=300)
        assert heard(bob) == list(range(1, banned_at + 1))
        assert bob.frames[-1] == {"type": "left", "room": "lobby"}
        await ann.say("lobby", "and later")
        await trio.sleep(10)
        assert heard(bob)[-1] == banned_at


class _SlowCount(MemoryStore):
    """Counts messages when it is let to."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits, chance=Chance())
        self.go_on = trio.Event()

    async def between(self, room_id: RoomId, first: int, last: int, viewer: UserId) -> Between:
        await self.go_on.wait()
        return await super().between(room_id, first, last, viewer)


async def test_who_is_removed_within_what_a_replay_skips_is_out(autojump_clock: trio.testing.MockClock) -> None:
    limits = structs.replace(LOOSE, replay=10)
    store = _SlowCount(limits)
    async with open_chat(limits, store=store) as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        await ann.join("lobby")
        for n in range(20):
            await ann.say("lobby", f"before {n}")
        await bob.join("lobby", since=0)
        await ann.ask("ban", room="lobby", user="bob")
        for n in range(20):
            await ann.say("lobby", f"after {n}")
        store.go_on.set()
        await bob.until(lambda: bool(bob.all_of("left")))
        assert not bob.texts("lobby")


async def test_a_node_that_hears_nothing_lets_nobody_read_on(autojump_clock: trio.testing.MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        there = chat.nodes[1]
        ann, bob = await person(chat, "ann"), await person(chat, "bob", there)
        await ann.join("lobby")
        await bob.join("lobby")
        await ann.say("lobby", "before")
        await bob.hears("lobby", "before")
        chat.bus.stop()
        banned = await ann.ask("ban", room="lobby", user="bob", reason="enough")
        await ann.say("lobby", "after")
        for command in (("history", {}), ("events", {"since": 0}), ("members", {})):
            refused = await bob.ask(command[0], room="lobby", **command[1])
            assert refused["code"] == "forbidden"
            assert "enough" in refused["message"]
        assert (await bob.ask("send", room="lobby", text="still here"))["code"] in ("forbidden", "not_joined")
        await bob.until(lambda: bool(bob.all_of("left")))
        assert heard(bob)[-1] == banned["seq"]
        assert "after" not in bob.texts("lobby")


class _StaleGovernance(MemoryGovernance):
    """Its first answer about somebody is repeated once more: as a read that was overtaken."""

    def __init__(self, state: MemoryState) -> None:
        super().__init__(state)
        self.stale: Access | None = None

    async def access(self, name: RoomName, user_id: UserId, *, marked: bool = False) -> Access | None:
        fresh = await super().access(name, user_id, marked=marked)
        if self.stale is not None:
            stale, self.stale = self.stale, None
            return stale
        return fresh


async def test_a_look_that_was_overtaken_by_a_removal_lets_nobody_in(autojump_clock: trio.testing.MockClock) -> None:
    store = MemoryStore(LOOSE, chance=Chance())
    governance = store.governance = _StaleGovernance(store)
    async with open_chat(store=store) as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        await ann.join("lobby")
        await bob.join("lobby")
        bob_id = UserId(bob.all_of("ok")[0]["user_id"])
        before = await governance.access(RoomName("lobby"), bob_id)
        await ann.ask("ban", room="lobby", user="bob")
        await bob.until(lambda: bool(bob.all_of("left")))
        governance.stale = before
        refused = await bob.ask("join", room="lobby")
        assert (refused["type"], refused["code"]) == ("error", "forbidden")
        governance.stale = before
        refused = await bob.ask("resume", rooms={"lobby": {"since": 1}})
        assert refused == {"type": "resumed", "id": refused["id"], "rooms": 0}


async def test_history_of_a_room_for_those_who_joined_begins_there(autojump_clock: trio.testing.MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, guest = await person(chat, "ann"), await person(chat, "bob"), await chat.guest()
        made = await ann.ask("create", room="crypt", history="joined")
        await ann.join("crypt")
        old = await ann.say("crypt", "old")
        joined = await bob.join("crypt", since=made["seq"])
        gap = (await gap_of(bob), await gap_of(await joining(guest, "crypt", old)))
        await ann.say("crypt", "new")
        await bob.hears("crypt", "new")
        await guest.hears("crypt", "new")
        assert bob.texts("crypt") == guest.texts("crypt") == ["new"]
        assert [one["hidden"] for one in gap] == [True, True]
        assert joined["role"] == "member"
        assert [m["text"] for m in (await bob.ask("history", room="crypt"))["messages"]] == ["new"]
        assert (await guest.ask("history", room="crypt"))["messages"] == []
        assert (await guest.ask("events", room="crypt", since=0))["events"] == []


async def joining(guest: Guest, room: str, since: int) -> Guest:
    await guest.join(room, since=since)
    return guest


async def gap_of(guest: Guest) -> dict[str, Any]:
    await guest.until(lambda: bool(guest.all_of("gap")))
    return guest.all_of("gap")[0]


async def test_leaving_on_one_device_ends_the_membership_on_all(autojump_clock: trio.testing.MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        token = await make_account(chat.store, "bob")
        here, there = await chat.guest(), await chat.guest(chat.nodes[1])
        for device in (here, there):
            await device.ask("auth", token=token)
        ann = await person(chat, "ann")
        await ann.join("lobby")
        for device in (here, there):
            assert (await device.join("lobby"))["role"] == "member"
        left = await here.ask("leave", room="lobby")
        assert left["type"] == "left"
        await there.until(lambda: bool(there.all_of("left")))
        assert [e["change"] for e in ann.all_of("member") if e["user"] == "bob"] == ["joined", "left"]


async def test_guests_are_shown_out_when_the_room_closes_to_them(autojump_clock: trio.testing.MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, guest = await person(chat, "ann"), await chat.guest(chat.nodes[1])
        await ann.join("lobby")
        await guest.join("lobby")
        closed = await ann.ask("edit_room", room="lobby", guests=False)
        await ann.say("lobby", "among ourselves")
        await guest.until(lambda: bool(guest.all_of("left")))
        assert heard(guest)[-1] == closed["seq"]
        refused = await guest.ask("join", room="lobby")
        assert refused["code"] == "forbidden"
