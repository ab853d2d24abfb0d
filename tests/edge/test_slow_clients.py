"""A slow client harms itself only, costs no more than its limit, and is never called slow for what it asks for."""

from __future__ import annotations

import gc
import statistics
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Final

import msgspec
import pytest
import trio
import trio.testing

from tests.client_bytes import TEXT, frame
from tests.conditions import until
from tests.edge.long_logs import fill_lobby, text_of
from tests.edge.visitors import ask, greeted, narrow_socket
from tests.nodes import LOOSE, Node, make_twins, open_twin_node
from tests.wire import Closed, WireClient, open_wire
from trichat.chat.ports import Batch
from trichat.core.codec import text_frame
from trichat.edge.connection import Connection

pytestmark = pytest.mark.usefixtures("no_bugs")

#: Times the typical time to hear a message: the bound of liveness.
_LIVENESS: Final = 10
#: Bytes that a connection may cost beyond its outbox.
_BESIDE_BYTES: Final = 262_144


@asynccontextmanager
async def deaf_client(node: Node) -> AsyncIterator[WireClient]:
    """A client in the lobby that reads only when the test does."""
    async with narrow_socket(node) as client:
        await client.receive_until("welcome")
        await ask(client, {"type": "join", "room": "lobby"})
        yield client


def connection_of_the_last(node: Node) -> Connection:
    return next(reversed(node.door.connections))


class Room:
    """Ten listeners and somebody who talks; how long each message takes until the last has heard it."""

    def __init__(self, talker: WireClient, listeners: list[WireClient]) -> None:
        self.said = 0
        self._talker = talker
        self._listeners = listeners

    async def hear(self) -> float:
        """Say something; the seconds until everybody has heard it."""
        self.said += 1
        began = trio.current_time()
        await self._talker.send_json({"type": "send", "room": "lobby", "text": text_of(self.said)})
        for listener in self._listeners:
            message = await listener.receive()
            assert (message["type"], message["seq"]) == ("message", self.said)
        return trio.current_time() - began


@asynccontextmanager
async def talking(node: Node) -> AsyncIterator[Room]:
    async with AsyncExitStack() as people, trio.open_nursery() as nursery:
        talker, *listeners = [await people.enter_async_context(open_wire(node.port or 0)) for _ in range(11)]
        for client in (talker, *listeners):
            await client.receive_until("welcome")
            await ask(client, {"type": "join", "room": "lobby"})
        nursery.start_soon(swallow, talker)
        yield Room(talker, listeners)
        nursery.cancel_scope.cancel(reason="all is said")


async def swallow(client: WireClient) -> None:
    """Read, and look at nothing."""
    while await client.stream.receive_some():
        pass


async def test_who_stops_reading_is_closed_with_4101_and_the_others_hear_all_in_their_usual_time(node: Node) -> None:
    limit = node.hub.limits.outbox_bytes
    async with talking(node) as room:
        usual = [await room.hear() for _ in range(150)]
        async with deaf_client(node) as deaf:
            joined_at, connection = room.said, connection_of_the_last(node)
            most, beside = 0, []
            while connection.reason is None:
                beside.append(await room.hear())
                most = max(most, connection.outbox.queued)
                assert room.said < 5_000, "it is never closed"
            assert limit * 0.9 < most <= limit
            beside += [await room.hear() for _ in range(50)]

            heard = []
            while (message := await deaf.receive())["type"] == "message":
                heard.append(message["seq"])
            assert heard == list(range(joined_at + 1, joined_at + 1 + len(heard))), "what it did hear has no hole"
            assert (message["type"], message["code"]) == ("goodbye", 4101)
            assert await deaf.expect_close() == 4101

            await deaf.stream.aclose()
        typical = statistics.median(usual)
        # three of four, not all: a machine that is busy with other things delays some, in either half
        assert statistics.quantiles(beside, n=4)[-1] < _LIVENESS * typical


async def test_who_was_closed_for_being_slow_resumes_without_a_hole(node: Node) -> None:
    async with talking(node) as room:
        async with deaf_client(node) as deaf:
            connection = connection_of_the_last(node)
            while connection.reason is None:
                await room.hear()
            heard = 0
            while (message := await deaf.receive())["type"] == "message":
                heard = message["seq"]
        async with greeted(node) as (back, _):
            await ask(back, {"type": "join", "room": "lobby", "since": heard})
            for seq in range(heard + 1, room.said + 1):
                assert (await back.receive())["seq"] == seq


async def test_who_does_not_take_the_goodbye_either_is_cut_off_in_time() -> None:
    limits = msgspec.structs.replace(LOOSE, outbox_bytes=100_000, farewell_s=0.2)
    async with (
        open_twin_node(make_twins(limits), listening=True) as node,
        talking(node) as room,
        deaf_client(node) as deaf,
    ):
        connection = connection_of_the_last(node)
        while connection.reason is None:
            await room.hear()
        await until(lambda: connection not in node.door.connections, 2)
        with pytest.raises(Closed, match="1006"):
            await deaf.receive_until("goodbye")


# what it costs


def announce(node: Node, seq: int, size: int, count: int) -> int:
    """Have the room hand out `count` events of about `size` bytes from `seq` on; the next `seq`."""
    room = node.hub.room("lobby")
    assert room is not None
    frames = [
        text_frame(b'{"type":"message","room":"lobby","seq":%d}' % n + b" " * size) for n in range(seq, seq + count)
    ]
    room.take(Batch(room.id, seq, count, b"".join(frames)))
    return seq + count


async def handed_out(node: Node) -> None:
    """All that was announced is with the outboxes, also when the room rests before (the machine stood still)."""
    room = node.hub.room("lobby")
    assert room is not None
    await trio.testing.wait_all_tasks_blocked()
    if room.delivered < room.head:
        await until(lambda: room.delivered == room.head)
        await trio.testing.wait_all_tasks_blocked()


@pytest.mark.parametrize(("size", "count"), [(100, 1), (100, 50), (4_000, 1), (4_000, 30), (60_000, 2)])
async def test_a_client_that_does_not_read_costs_its_outbox_and_little_more(size: int, count: int, node: Node) -> None:
    async with deaf_client(node) as deaf:
        connection = connection_of_the_last(node)
        seq = 1
        for _ in range(300):  # until the room's ring, which all share, is as full as it gets
            seq = announce(node, seq, size, count)
            for _ in range(count):
                await deaf.receive()
        with traced_memory() as peak:
            while connection.reason is None:
                seq = announce(node, seq, size, count)
                await handed_out(node)
            assert peak() < node.hub.limits.outbox_bytes + _BESIDE_BYTES


@contextmanager
def traced_memory() -> Iterator[Callable[[], int]]:
    """Gives the most bytes that were allocated at once inside the block, beyond those before it."""
    gc.collect()
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


ASKING: Final = {
    "pages of history": {"type": "history", "room": "lobby", "limit": 200},
    "pages of events": {"type": "events", "room": "lobby", "since": 0},
    "help": {"type": "help"},
    "nonsense": {"type": "nonsense"},
    "rooms": {"type": "rooms"},
}


@pytest.mark.parametrize("case", ASKING)
async def test_who_asks_for_much_and_does_not_read_costs_no_more_either(case: str) -> None:
    twins = make_twins()
    await fill_lobby(twins, 300)
    async with open_twin_node(twins, listening=True) as node, deaf_client(node) as deaf:
        connection = connection_of_the_last(node)
        asked = frame(TEXT, msgspec.json.encode(ASKING[case])) * 500
        with traced_memory() as peak:
            with trio.move_on_after(0.5):
                for _ in range(20):
                    await deaf.stream.send_all(asked)
            assert peak() < node.hub.limits.outbox_bytes + _BESIDE_BYTES
            assert connection.outbox.queued <= node.hub.limits.outbox_bytes
        assert connection.reason is None, "nor is it called slow"
