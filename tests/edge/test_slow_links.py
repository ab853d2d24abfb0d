"""What a client asks for is pulled as its link takes it: however slow, it gets all, and is not called slow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import pytest
import trio
import trio.testing

from tests.conditions import until
from tests.edge.long_logs import TEXT_BYTES, fill_lobby, receive_events, text_of
from tests.edge.visitors import ask, narrow_socket
from tests.links import Link
from tests.nodes import LOOSE, Node, make_twins, open_twin_node
from tests.wire import WireClient

pytestmark = pytest.mark.usefixtures("no_bugs")

_LONG: Final = 5_000  # events
_SLOW: Final = 200_000.0  # bytes a second
_VERY_SLOW: Final = 10_000.0


@asynccontextmanager
async def on_a_slow_link(node: Node, bytes_per_s: float, width: int = 65_536) -> AsyncIterator[WireClient]:
    """A client that has `width` bytes at most on their way to it."""
    async with trio.open_nursery() as nursery:
        link = Link(width, bytes_per_s=bytes_per_s)
        nursery.start_soon(node.door.serve_stream, link.server, "192.0.2.1")
        client = await WireClient(link.client).shake_hands()
        await client.receive_until("welcome")
        yield client
        link.cut()


@asynccontextmanager
async def somebody_who_talks(node: Node, pause_s: float) -> AsyncIterator[None]:
    """All the time, somebody else says the next long text in the lobby."""

    async def talk(talker: WireClient) -> None:
        seq = (await ask(talker, {"type": "join", "room": "lobby"}))["seq"]
        while True:
            await trio.sleep(pause_s)
            seq += 1
            await talker.send_json({"type": "send", "room": "lobby", "text": text_of(seq)})
            assert (await talker.receive_until("ack"))["seq"] == seq

    async with trio.open_nursery() as nursery:
        talker = await WireClient(await node.connect()).shake_hands()
        await talker.receive_until("welcome")
        nursery.start_soon(talk, talker)
        yield
        nursery.cancel_scope.cancel(reason="enough was said")


async def test_5_000_long_events_are_resumed_over_a_slow_link(autojump_clock: trio.testing.MockClock) -> None:
    twins = make_twins(msgspec.structs.replace(LOOSE, replay=10_000))
    epoch = await fill_lobby(twins, _LONG)
    async with open_twin_node(twins) as node, on_a_slow_link(node, _SLOW) as client:
        began = trio.current_time()
        position = {"since": 0, "epoch": epoch}
        joined = await ask(client, {"type": "resume", "rooms": {"lobby": position}, "id": 1})
        assert (joined["type"], joined["seq"]) == ("joined", _LONG)
        await receive_events(client, 1, _LONG)
        assert await client.receive() == {"type": "resumed", "id": 1, "rooms": 1}
        assert trio.current_time() - began > _LONG * TEXT_BYTES / _SLOW


async def test_5_000_long_events_are_resumed_over_a_real_socket_that_holds_little() -> None:
    twins = make_twins(msgspec.structs.replace(LOOSE, replay=10_000))
    await fill_lobby(twins, _LONG)
    async with open_twin_node(twins, listening=True) as node, narrow_socket(node) as client:
        await client.receive_until("welcome")
        joined = await ask(client, {"type": "join", "room": "lobby", "since": 0})
        assert joined["seq"] == _LONG
        await receive_events(client, 1, _LONG)


async def test_while_they_are_resumed_live_ones_come_and_follow(autojump_clock: trio.testing.MockClock) -> None:
    twins = make_twins(msgspec.structs.replace(LOOSE, replay=10_000))
    await fill_lobby(twins, _LONG)
    async with (
        open_twin_node(twins) as node,
        somebody_who_talks(node, 0.05),
        on_a_slow_link(node, _SLOW) as client,
    ):
        await ask(client, {"type": "join", "room": "lobby", "since": 0})
        # live: 80,000 bytes a second of 200,000; so by the end of the replay there are 3,300 more
        await receive_events(client, 1, 10_000)


async def test_live_events_of_another_room_come_beside_a_replay(autojump_clock: trio.testing.MockClock) -> None:
    twins = make_twins(msgspec.structs.replace(LOOSE, replay=10_000))
    await fill_lobby(twins, 1_000)
    async with open_twin_node(twins) as node, on_a_slow_link(node, _SLOW) as client:
        other = await WireClient(await node.connect()).shake_hands()
        for one in (other, client):
            await one.send_json({"type": "join", "room": "elsewhere"})
            await one.receive_until("joined")
        await client.send_json({"type": "join", "room": "lobby", "since": 0})
        await client.receive_until("joined")
        seqs: dict[str, list[int]] = {"lobby": [], "elsewhere": []}
        for _ in range(20):
            await other.send_json({"type": "send", "room": "elsewhere", "text": "hi"})
            # at most what may be queued, and on its way, comes before it
            for _ in range((65_536 * 2 + 262_144) // TEXT_BYTES + 2):
                event = await client.receive()
                seqs[event["room"]].append(event["seq"])
                if event["room"] == "elsewhere":
                    break
        while len(seqs["lobby"]) < 1_000:
            event = await client.receive()
            seqs[event["room"]].append(event["seq"])
        assert seqs == {"lobby": list(range(1, 1_001)), "elsewhere": list(range(1, 21))}


async def test_by_default_the_last_1_000_are_replayed_and_the_gap_is_paged(
    autojump_clock: trio.testing.MockClock,
) -> None:
    twins = make_twins()
    epoch = await fill_lobby(twins, _LONG)
    async with (
        open_twin_node(twins) as node,
        somebody_who_talks(node, 1.0),
        on_a_slow_link(node, _SLOW) as client,
    ):
        joined = await ask(client, {"type": "join", "room": "lobby", "since": 0, "epoch": epoch})
        head = joined["seq"]
        gap = await client.receive()
        assert gap == {"type": "gap", "room": "lobby", "from": 1, "to": head - 1_000, "messages": head - 1_000}
        await receive_events(client, head - 999, head)

        paged, live = 0, head
        while paged < gap["to"]:
            await client.send_json({"type": "events", "room": "lobby", "since": paged})
            while (message := await client.receive())["type"] == "message":
                live += 1
                assert message["seq"] == live
            for event in message["events"]:
                paged += 1
                assert (event["seq"], event["text"]) == (paged, text_of(paged))
        assert live > head, "and live ones came between"


async def test_a_link_that_is_slow_is_not_taken_for_a_dead_one(autojump_clock: trio.testing.MockClock) -> None:
    # a ping behind what waits is answered long after `pong_s`
    twins = make_twins()
    await fill_lobby(twins, 500)
    async with open_twin_node(twins) as node, on_a_slow_link(node, _VERY_SLOW, width=4_096) as client:
        began = trio.current_time()
        await ask(client, {"type": "join", "room": "lobby", "since": 0})
        await receive_events(client, 1, 500)
        assert trio.current_time() - began > 4 * (node.hub.limits.ping_s + node.hub.limits.pong_s)


async def test_a_link_that_takes_nothing_is_taken_for_dead(autojump_clock: trio.testing.MockClock) -> None:
    twins = make_twins()
    await fill_lobby(twins, 500)
    async with open_twin_node(twins) as node, trio.open_nursery() as nursery:
        link = Link(4_096)
        nursery.start_soon(node.door.serve_stream, link.server, "192.0.2.1")
        client = await WireClient(link.client).shake_hands()
        await ask(client, {"type": "join", "room": "lobby", "since": 0})
        connection = next(iter(node.door.connections))
        began = trio.current_time()
        await until(lambda: connection not in node.door.connections, 100)
        limits = node.hub.limits
        assert connection.reason is not None
        assert connection.reason.code == 4104
        assert trio.current_time() - began < limits.ping_s + limits.pong_s + 2 * limits.farewell_s + 3
