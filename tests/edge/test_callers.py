"""Who is let in: so many at a time, so many of one address, and pages that may."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack

import msgspec
import pytest
import trio
import trio.testing

from tests.client_bytes import TEXT, frame, request_head
from tests.edge.callers import answer_to, calling, refusal_of, until_let_in
from tests.edge.doors import open_door
from tests.edge.visitors import lives, undisturbed
from tests.nodes import LOOSE, Node, make_twins, open_twin_node
from tests.wire import WireClient, open_wire
from trichat.core.limits import Limits

pytestmark = pytest.mark.usefixtures("no_bugs")


# how many


async def test_one_caller_more_than_the_node_has_room_for_gets_503() -> None:
    limits = msgspec.structs.replace(LOOSE, connections=3)
    async with open_twin_node(make_twins(limits), listening=True) as node, undisturbed(node):
        async with open_wire(node.port or 0), open_wire(node.port or 0) as last:
            await last.receive_until("welcome")
            assert await refusal_of(node, {}) == 503
            assert (await answer_to(node, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")).startswith(b"HTTP/1.1 503 ")
            await lives(last)
        await until_let_in(node)


async def test_an_address_has_its_own_cap() -> None:
    limits = msgspec.structs.replace(LOOSE, connections_per_address=2)
    async with open_twin_node(make_twins(limits), listening=True) as node:
        async with open_wire(node.port or 0), open_wire(node.port or 0):
            assert await refusal_of(node, {}) == 503
            async with calling(node, "127.0.0.2") as stream:
                client = await WireClient(stream).shake_hands()
                assert (await client.receive())["type"] == "welcome"
        await until_let_in(node)


async def test_a_crowd_beyond_the_cap_is_turned_away_without_holding_on_to_it() -> None:
    limits = msgspec.structs.replace(Limits(), connections_per_address=10, turned_away=20)
    async with open_twin_node(make_twins(limits), listening=True) as node, AsyncExitStack() as crowd:
        streams = [await crowd.enter_async_context(calling(node)) for _ in range(200)]
        async with calling(node, "127.0.0.2") as stream:
            client = await WireClient(stream).shake_hands()
            assert (await client.receive())["type"] == "welcome"
        endings = Counter([await ending_of(stream) for stream in streams])
        assert endings == {"let in": 10, "told": 20, "closed": 170}


async def ending_of(stream: trio.SocketStream) -> str:
    """What the server did by itself."""
    said = b""
    with trio.move_on_after(0.1) as clock:
        async for chunk in stream:
            said += chunk
    if clock.cancelled_caught:
        return "let in"
    return "told" if said.startswith(b"HTTP/1.1 503 ") else "closed"


async def test_a_node_that_drains_lets_nobody_in(node: Node) -> None:
    node.hub.draining = True
    assert await refusal_of(node, {}) == 503


# where pages come from


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8080", 101),
        ("HTTP://127.0.0.1:8080", 101),
        ("https://chat.example", 101),
        ("https://127.0.0.1:8080", 403),
        ("http://127.0.0.1", 403),
        ("http://127.0.0.1:8081", 403),
        ("http://127.0.0.1:8080.evil.example", 403),
        ("http://evil.example/http://127.0.0.1:8080", 403),
        ("https://chat.example.evil.example", 403),
        ("https://sub.chat.example", 403),
        ("http://chat.example", 403),
        ("null", 403),
        ("", 403),
        ("file://", 403),
    ],
)
async def test_only_pages_of_our_own_and_allowed_ones_may_connect(origin: str, status: int, node: Node) -> None:
    async with open_door(node, allowed_origins=["https://chat.example"]):
        assert await refusal_of(node, {"Host": "127.0.0.1:8080", "Origin": origin}) == status


async def test_a_head_whose_end_comes_in_two_pieces_leaves_the_frame_behind_it_alone() -> None:
    twins = make_twins()
    async with open_twin_node(twins, listening=True) as node:
        assert node.port is not None
        stream = await trio.open_tcp_stream("127.0.0.1", node.port)
        client, head = WireClient(stream), request_head()
        await client.send_bytes(head[:-2])
        await trio.sleep(0.05)  # the node has read the first piece: it peeks, and cannot be asked
        await client.send_bytes(head[-2:] + frame(TEXT, b'{"type":"ping","id":1}'))
        await client.accepted()
        assert (await client.receive())["type"] == "welcome"
        assert await client.receive() == {"type": "pong", "id": 1}
        await trio.aclose_forcefully(stream)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_upgrade_in_http_1_0_and_a_post_are_told_what_is_right(method: str) -> None:
    twins = make_twins()
    async with open_twin_node(twins) as node:
        stream = await node.connect()
        more = "Upgrade: websocket\r\nConnection: Upgrade" if method == "GET" else "Connection: close"
        version = "1.0" if method == "GET" else "1.1"
        head = f"{method} /ws HTTP/{version}\r\nHost: localhost\r\n{more}\r\n\r\n"
        await stream.send_all(head.encode())
        answer = b"".join([chunk async for chunk in stream])
        assert answer.startswith(b"HTTP/1.1 400 " if method == "GET" else b"HTTP/1.1 405 ")
        assert (b"allow: get, head" in answer.lower()) == (method == "POST")
