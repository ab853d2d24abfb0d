"""Attacks after the handshake: they cost next to nothing, and end their own connection only."""

from __future__ import annotations

import random
import tracemalloc
from typing import Final

import pytest
import trio
import trio.testing

from tests.client_bytes import CLOSE, CONTINUATION, PING, PONG, TEXT, frame
from tests.conditions import until
from tests.edge.visitors import ask, undisturbed
from tests.nodes import Node
from tests.wire import Closed, WireClient, open_wire

pytestmark = pytest.mark.usefixtures("no_bugs")


async def test_33_mb_of_empty_fragments_cost_next_to_nothing(node: Node) -> None:
    fragments = frame(CONTINUATION, b"", fin=False) * 10_000  # 60 KB
    async with undisturbed(node), open_wire(node.port or 0) as client:
        await client.receive_until("welcome")
        taken = 0
        tracemalloc.start()
        try:
            await client.send_frame(TEXT, b"", fin=False)
            with trio.move_on_after(5) as clock:
                for _ in range(550):
                    await client.stream.send_all(fragments)
                    taken += len(fragments)
        except trio.BrokenResourceError:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert not clock.cancelled_caught, f"{taken} bytes took 5 s"
        assert peak < 1_000_000
        assert await client.expect_close() in (1009, 1006), "or cut off when it did not read in time"


async def test_bytes_of_a_frame_that_is_too_long_are_not_kept(node: Node) -> None:
    async with undisturbed(node), open_wire(node.port or 0) as client:
        await client.receive_until("welcome")
        await client.send_bytes(b"\x81\xff" + (2**40).to_bytes(8, "big") + b"\0\0\0\0")
        tracemalloc.start()
        try:
            for _ in range(200):
                await client.stream.send_all(b"x" * 100_000)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1_000_000
        assert await client.expect_close() == 1009


async def test_after_the_clients_close_frame_nothing_counts(node: Node) -> None:
    async with undisturbed(node), open_wire(node.port or 0) as client:
        await client.receive_until("welcome")
        await ask(client, {"type": "join", "room": "lobby"})
        late = frame(TEXT, b'{"type":"send","room":"lobby","text":"late"}') + frame(PING, b"x") + b"\xff\xff garbage"
        await client.send_bytes(
            frame(TEXT, b'{"type":"send","room":"lobby","text":"in time","id":1}') + frame(CLOSE, b"\x03\xe8") + late
        )
        said: list[tuple[int, bytes]] = []
        with pytest.raises(Closed, match="1000"):
            await take_all(client, said)
        assert PONG not in [opcode for opcode, _ in said]
        async with open_wire(node.port or 0) as reader:
            await reader.receive_until("welcome")
            page = await ask(reader, {"type": "history", "room": "lobby"})
            assert [message["text"] for message in page["messages"]] == ["in time"]


async def take_all(client: WireClient, said: list[tuple[int, bytes]]) -> None:
    while True:
        said.append(await client.receive_frame())


AFTERWARDS: Final = {
    "a ping": frame(PING, b"x"),
    "an oversized message": frame(TEXT, b"x" * 100_000),
    "a command": frame(TEXT, b'{"type":"ping"}'),
    "another close frame": frame(CLOSE, b"\x03\xe8"),
    "garbage": b"\xff" * 1_000,
}


@pytest.mark.parametrize("case", AFTERWARDS)
async def test_after_the_servers_close_frame_nothing_counts(case: str, node: Node) -> None:
    async with undisturbed(node), open_wire(node.port or 0) as client:
        await client.receive_until("welcome")
        await client.send_bytes(frame(0x3, b""))
        assert await client.expect_close() == 1002
        await client.send_bytes(AFTERWARDS[case])
        assert await client.stream.receive_some() == b""


async def test_random_bytes_and_broken_frames_end_their_own_connection_only(node: Node) -> None:
    async with undisturbed(node):
        for seed in range(150):
            chance = random.Random(seed)
            raw = bytearray(
                b"".join(
                    frame(chance.choice((0, 1, 1, 1, 2, 8, 9, 10)), chance.randbytes(chance.choice((0, 3, 130))))
                    for _ in range(chance.randrange(1, 6))
                )
                + frame(TEXT, b'{"type":"join","room":"lobby"}')
            )
            for _ in range(chance.randrange(0, 4)):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            async with open_wire(node.port or 0) as client:
                await client.receive_until("welcome")
                await client.send_bytes(bytes(raw))
                if seed % 2:
                    await client.send_frame(CLOSE)
                    await trio.testing.wait_all_tasks_blocked(0.002)
        await until(lambda: len(node.door.connections) == 1)
