"""Two nodes hear each other: through the bus, and when it is cut by way of the store, within a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.nodes import LOOSE
from trichat.bridge.memory import MemoryBus
from trichat.core.names import Incarnation

#: Virtual seconds in which people hear each other, whatever the bus does.
HEARD_S: Final = 1.0
#: Virtual seconds after which a state that was reached is steady: several looks.
STEADY_S: Final = 10.0

Fault = Callable[[MemoryBus, Incarnation, Incarnation], object]


def cut(bus: MemoryBus, *nodes: Incarnation) -> None:
    for node in nodes:
        bus.cut(node)


FAULTS: Final[dict[str, Fault]] = {
    "the first node is cut off": lambda bus, first, _: bus.cut(first),
    "the second node is cut off": lambda bus, _, second: bus.cut(second),
    "both are cut off": cut,
    "the bus is away": lambda bus, _, __: bus.stop(),
}


def mend(bus: MemoryBus, *nodes: Incarnation) -> None:
    for node in nodes:
        bus.heal(node)
    bus.start()


async def chat_both_ways(ann: Guest, bea: Guest, turns: int, within_s: float = HEARD_S) -> None:
    """Each says things in turn, and the other hears them in time."""
    for turn in range(turns):
        speaker, hearer = (ann, bea) if turn % 2 else (bea, ann)
        said = f"{turn} at {trio.current_time()}"
        with trio.fail_after(within_s):
            await speaker.say("lobby", said)
            await hearer.hears("lobby", said)
        await trio.sleep(0.13)  # other moments of beats and looks than before


async def two_in_the_lobby(chat: Chat) -> tuple[Guest, Guest]:
    ann, bea = await chat.guest_in("lobby", chat.nodes[0]), await chat.guest_in("lobby", chat.nodes[1])
    await trio.sleep(STEADY_S)
    return ann, bea


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_people_hear_each_other_within_a_second_whatever_is_cut(fault: Fault, autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bea = await two_in_the_lobby(chat)
        first, second = (node.hub.incarnation for node in chat.nodes)
        fault(chat.bus, first, second)
        await chat_both_ways(ann, bea, 40)
        mend(chat.bus, first, second)
        await chat_both_ways(ann, bea, 40)
        assert ann.seqs("lobby") == bea.seqs("lobby") == list(range(1, 81))


@pytest.mark.parametrize("moment", [n / 20 for n in range(20)])
async def test_the_first_word_after_a_cut_is_heard_within_a_second_too(
    moment: float, autojump_clock: MockClock
) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bea = await two_in_the_lobby(chat)
        await trio.sleep(moment)
        chat.bus.cut(chat.node.hub.incarnation)
        await chat_both_ways(ann, bea, 2)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_clients_of_all_nodes_are_told_that_fan_out_is_degraded_and_when_it_is_well(
    fault: Fault, autojump_clock: MockClock
) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bea = await two_in_the_lobby(chat)
        assert not ann.all_of("status"), "nothing is said while all is well"
        first, second = (node.hub.incarnation for node in chat.nodes)
        fault(chat.bus, first, second)
        await trio.sleep(STEADY_S)
        mend(chat.bus, first, second)
        await trio.sleep(STEADY_S)
        for guest in (ann, bea):
            assert [status["fanout"] for status in guest.all_of("status")] == ["degraded", "ok"]


async def test_who_comes_while_fan_out_is_degraded_is_told_after_the_welcome(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        chat.bus.stop()
        await trio.sleep(STEADY_S)
        ann = await chat.guest()
        await ann.until(lambda: len(ann.frames) == 2)
        assert ann.frames[1] == {"type": "status", "fanout": "degraded"}


async def test_a_batch_that_is_lost_without_a_word_is_found_by_the_slow_look(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bea = await two_in_the_lobby(chat)
        chat.bus.lose_next(1)
        await ann.say("lobby", "lost on the way")
        began = trio.current_time()
        await bea.hears("lobby", "lost on the way")
        assert trio.current_time() - began <= LOOSE.heads_slow_s + 2 * LOOSE.elder_wait_s
        assert not bea.all_of("status"), "nobody knew of it"


@pytest.mark.parametrize("blink_s", [0.0, 0.01, 0.1, 0.3, 0.6, 0.9])
async def test_what_could_not_be_published_is_heard_within_a_second_though_the_link_was_soon_back(
    blink_s: float, autojump_clock: MockClock
) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bea = await two_in_the_lobby(chat)
        chat.bus.cut(chat.node.hub.incarnation)
        with trio.fail_after(HEARD_S):
            await ann.say("lobby", "missed")
            await trio.sleep(blink_s)
            chat.bus.heal(chat.node.hub.incarnation)
            await bea.hears("lobby", "missed")


async def test_a_lost_batch_is_read_at_once_when_the_next_one_comes(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bea = await two_in_the_lobby(chat)
        for turn in range(5):
            chat.bus.lose_next(1)
            await ann.say("lobby", f"lost {turn}")
            await ann.say("lobby", f"heard {turn}")
            await bea.hears("lobby", f"heard {turn}", within_s=3 * LOOSE.elder_wait_s)
        assert bea.seqs("lobby") == list(range(1, 11))


async def test_what_waited_for_a_lost_batch_while_the_store_was_away_is_heard_when_it_is_back(
    autojump_clock: MockClock,
) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bea = await two_in_the_lobby(chat)
        chat.bus.lose_next(1)
        await ann.say("lobby", "lost")
        await ann.say("lobby", "early")
        chat.store.down = True
        await trio.sleep(1.0)
        assert bea.seqs("lobby") == []
        chat.store.down = False
        await bea.hears("lobby", "early", within_s=HEARD_S)
        assert bea.seqs("lobby") == [1, 2]


async def test_many_rooms_that_are_behind_are_all_read(autojump_clock: MockClock) -> None:
    rooms = [f"room{n}" for n in range(30)]
    async with open_chat(nodes=2) as chat:
        hearers = [await chat.guest_in(room, chat.nodes[1]) for room in rooms]
        ann = await chat.guest(chat.nodes[0])
        await trio.sleep(STEADY_S)
        chat.bus.stop()
        for room in rooms:
            await ann.join(room)
            for n in range(40):
                await ann.tell("send", room=room, text=f"{n}" + "x" * 3_900)  # together more than one read brings
        for room, bea in zip(rooms, hearers, strict=True):
            await bea.until(lambda: len(bea.seqs(room)) == 40)  # noqa: B023  # it is awaited at once
            assert bea.seqs(room) == list(range(1, 41))


async def test_a_cut_node_catches_up_when_it_is_linked_again_though_nobody_speaks(autojump_clock: MockClock) -> None:
    slow = msgspec.structs.replace(LOOSE, heads_fast_s=1_000.0, heads_slow_s=1_000.0)
    async with open_chat(slow, nodes=2) as chat:
        ann, bea = await chat.guest_in("lobby", chat.nodes[0]), await chat.guest_in("lobby", chat.nodes[1])
        await trio.sleep(STEADY_S)
        chat.bus.stop()
        await trio.sleep(STEADY_S)  # the looks upon the cut are over
        await ann.say("lobby", "meanwhile")
        await trio.sleep(STEADY_S)
        assert bea.seqs("lobby") == []
        chat.bus.start()
        await bea.hears("lobby", "meanwhile", within_s=HEARD_S)


async def test_a_room_that_is_forgotten_while_its_end_is_read_harms_nobody(autojump_clock: MockClock) -> None:
    limits = msgspec.structs.replace(LOOSE, room_idle_s=0.5)
    async with open_chat(limits, nodes=2) as chat:
        ann = await chat.guest_in("lobby", chat.nodes[0])
        bea = await chat.guest_in("dev", chat.nodes[1])
        chat.store.delay_s = 0.2  # a room is forgotten while a look, and what it found, are on their way
        for turn in range(30):
            await bea.join("lobby")
            chat.bus.lose_next(1)
            await ann.tell("send", room="lobby", text=f"lost {turn}")
            await bea.ask("leave", room="lobby")
            await trio.sleep(0.11 * turn)
            await ann.tell("send", room="lobby", text=f"heard {turn}")
        chat.store.delay_s = 0.0
        await bea.join("lobby")
        await ann.say("lobby", "all is well")
        for guest in (ann, bea):
            await guest.hears("lobby", "all is well")
        assert ann.seqs("lobby") == list(range(1, 62))


async def test_a_room_whose_log_is_another_one_ends_its_connections_with_4202(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bea = await two_in_the_lobby(chat)
        cid = await chat.guest_in("dev")
        await ann.say("lobby", "of the old log")
        chat.store.rooms[chat.node.hub.rooms()[0].id].epoch = "another"  # type: ignore[assignment]  # a NewType
        await ann.until(lambda: ann.closed is not None)
        await bea.until(lambda: bea.closed is not None)
        assert (ann.closed, bea.closed, cid.closed) == (4202, 4202, None)
        assert ann.frames[-1]["type"] == "goodbye"
        back = await chat.guest()
        assert (await back.join("lobby"))["epoch"] == "another"
        await back.say("lobby", "of the new log")
        await back.hears("lobby", "of the new log")
        assert len(chat.node.hub.sessions) == 2, "nobody is left behind"
