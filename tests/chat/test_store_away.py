"""The store is away for a while: clients are told, connections stay, and what is repeated counts once."""

from __future__ import annotations

from typing import Any, Final

import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.chat.test_joining import filled
from tests.nodes import LOOSE
from trichat.store.memory import MemoryStore

#: Virtual seconds in which everybody is told that the store does not answer.
TOLD_S: Final = 2.0


def hang(store: MemoryStore) -> None:
    store.down, store.delay_s = True, LOOSE.store_call_s


def refuse(store: MemoryStore) -> None:
    store.down = True


def lose_answers(store: MemoryStore) -> None:
    store.answers_lost = True


def be_well(store: MemoryStore) -> None:
    store.down, store.answers_lost, store.delay_s = False, False, 0.0


FAULTS: Final = [hang, refuse, lose_answers]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_send_that_is_repeated_until_it_is_acknowledged_is_heard_once(
    fault: Any, autojump_clock: MockClock
) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bea = await chat.guest_in("lobby", chat.nodes[0]), await chat.guest_in("lobby", chat.nodes[1])
        await ann.say("lobby", "before")
        fault(chat.store)
        for _ in range(5):
            began = trio.current_time()
            refused = await ann.ask("send", room="lobby", text="once", cid="c1")
            assert (refused["code"], refused["temporary"]) == ("unavailable", True)
            assert trio.current_time() - began <= TOLD_S
            await trio.sleep(refused["retry_after_ms"] / 1000)
        be_well(chat.store)
        ack = await ann.ask("send", room="lobby", text="once", cid="c1")
        assert ack["seq"] == 2
        assert ack.get("dup", False) is (fault is lose_answers)
        assert await ann.say("lobby", "after") == 3
        for guest in (ann, bea):
            await guest.hears("lobby", "after", within_s=2 * LOOSE.heads_slow_s)
            assert guest.texts("lobby") == ["before", "once", "after"]
            assert guest.closed is None


async def test_a_commit_whose_answer_is_lost_is_heard_though_nobody_repeats_it(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest_in("lobby")
        chat.store.answers_lost = True
        assert (await ann.ask("send", room="lobby", text="lost answer", cid="c1"))["code"] == "unavailable"
        be_well(chat.store)
        await ann.hears("lobby", "lost answer", within_s=LOOSE.heads_slow_s + 0.5)


@pytest.mark.parametrize("fault", [hang, refuse])
async def test_commands_that_need_the_store_are_refused_for_now_and_work_when_it_is_back(
    fault: Any, autojump_clock: MockClock
) -> None:
    async with open_chat() as chat:
        await filled(chat, "lobby", 3)
        commands: list[tuple[str, dict[str, Any]]] = [
            ("hello", {"name": "bob"}),
            ("join", {"room": "dev"}),
            ("history", {"room": "lobby"}),
            ("events", {"room": "lobby", "since": 0}),
            ("rooms", {}),
            ("members", {"room": "lobby"}),
        ]
        for command, fields in commands:
            bob = await chat.guest()
            fault(chat.store)
            began = trio.current_time()
            refused = await bob.ask(command, **fields)
            assert (refused["code"], refused["temporary"]) == ("unavailable", True), command
            assert trio.current_time() - began <= TOLD_S
            be_well(chat.store)
            await trio.sleep(LOOSE.store_call_s)
            assert (await bob.ask(command, **fields))["type"] != "error", command


@pytest.mark.parametrize("fault", [hang, refuse])
async def test_what_needs_no_store_goes_on(fault: Any, autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, epoch = await filled(chat, "lobby", 100)
        fault(chat.store)
        bob = await chat.guest()
        assert (await bob.ask("ping"))["type"] == "pong"
        assert (await bob.join("lobby", since=90, epoch=epoch))["seq"] == 100
        await bob.until(lambda: len(bob.seqs("lobby")) == 10)
        assert (await bob.ask("leave", room="lobby"))["type"] == "left"
        await trio.sleep(30.0)
        assert (ann.closed, bob.closed) == (None, None)


@pytest.mark.parametrize("fault", [hang, refuse])
async def test_a_replay_waits_for_the_store_and_goes_on_where_it_was(fault: Any, autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, epoch = await filled(chat, "lobby", 600)
        fault(chat.store)
        bob = await chat.guest()
        await bob.join("lobby", since=0, epoch=epoch)
        await trio.sleep(5.0)
        be_well(chat.store)
        await bob.until(lambda: len(bob.seqs("lobby")) == 600)
        await ann.say("lobby", "live")
        await bob.hears("lobby", "live")
        assert bob.seqs("lobby") == list(range(1, 602))


async def test_of_a_resume_only_the_rooms_that_need_the_store_are_refused(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, lobby = await filled(chat, "lobby", 3)
        dev = (await ann.join("dev"))["epoch"]
        bea = await chat.guest_in("lobby", chat.nodes[1])
        await bea.join("dev")
        await trio.sleep(5.0)
        chat.bus.lose_next(1)
        await ann.say("lobby", "lost on the way")
        bob = await chat.guest(chat.nodes[1])
        chat.store.down = True
        resumed = await bob.ask(
            "resume", rooms={"lobby": {"since": 4, "epoch": lobby}, "dev": {"since": 0, "epoch": dev}}
        )
        assert (resumed["type"], resumed["rooms"]) == ("resumed", 1)
        assert [(e["room"], e["code"], e["temporary"]) for e in bob.all_of("error")] == [("lobby", "unavailable", True)]
        be_well(chat.store)
        assert (await bob.ask("resume", rooms={"lobby": {"since": 4, "epoch": lobby}}))["rooms"] == 1
        await ann.say("lobby", "fifth")
        await bob.hears("lobby", "fifth")
        assert bob.seqs("lobby") == [5]


async def test_a_full_queue_is_unavailable_at_once(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest_in("lobby")
        chat.node.hub.committer._waiting = LOOSE.commit_queue
        began = trio.current_time()
        assert (await ann.ask("send", room="lobby", text="hi"))["code"] == "unavailable"
        assert trio.current_time() == began
        chat.node.hub.committer._waiting = 0


async def test_many_senders_over_an_outage_have_each_word_once_and_in_order(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        people = await chat.guests_in("lobby", 4, chat.nodes[0]) + await chat.guests_in("lobby", 4, chat.nodes[1])
        async with trio.open_nursery() as nursery:
            for who, guest in enumerate(people):
                nursery.start_soon(say_surely, guest, who, 20)
            nursery.start_soon(have_outages, chat)
        for guest in people:
            await guest.until(lambda: len(guest.seqs("lobby")) == 160)  # noqa: B023  # it is awaited at once
            assert guest.seqs("lobby") == list(range(1, 161))
            for who in range(len(people)):
                assert [t for t in guest.texts("lobby") if t.startswith(f"{who}:")] == [f"{who}:{n}" for n in range(20)]


async def say_surely(guest: Guest, who: int, count: int) -> None:
    """Say `count` things, each until it is acknowledged."""
    for number in range(count):
        reply: dict[str, Any] = {}
        while reply.get("type") != "ack":
            reply = await guest.ask("send", room="lobby", text=f"{who}:{number}", cid=f"{number}")
            await trio.sleep(0.1)


async def have_outages(chat: Chat) -> None:
    for fault in (*FAULTS, *FAULTS):
        await trio.sleep(0.7)
        fault(chat.store)
        await trio.sleep(0.7)
        be_well(chat.store)


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_stands_behind_a_command_that_the_store_failed_fails_with_it(
    fault: Any, autojump_clock: MockClock
) -> None:
    """Each would wait its time, one after the other; what needs no store is done in its turn."""
    async with open_chat() as chat:
        ann = await chat.guest_in("lobby")
        fault(chat.store)
        began = trio.current_time()
        kinds = ["join", "join", "history", "send", "members", "ping", "send"]
        rooms = ["lobby" if kind == "send" else f"r{n}" for n, kind in enumerate(kinds)]
        ids = [await ann.tell(kind, room=room, text="hi") for kind, room in zip(kinds, rooms, strict=True)]
        replies = [await ann.reply_to(command_id) for command_id in ids]
        assert trio.current_time() - began <= TOLD_S
        assert [reply.get("code", reply["type"]) for reply in replies] == [
            "pong" if kind == "ping" else "unavailable" for kind in kinds
        ]
        be_well(chat.store)
        await trio.sleep(LOOSE.store_call_s)
        assert (await ann.ask("join", room="dev"))["type"] == "joined"
        assert await ann.say("lobby", "again") >= 1
