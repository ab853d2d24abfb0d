"""The front door under attack: no head that one caller sends ends more than its own connection."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

import msgspec
import pytest
import trio
import trio.testing

from tests.client_bytes import CLOSE, KEY, TEXT, frame, request_head
from tests.conditions import until
from tests.edge.callers import answer_to, calling, until_let_in
from tests.edge.visitors import undisturbed
from tests.nodes import LOOSE, Node, make_twins, open_twin_node
from tests.wire import WireClient, open_wire

pytestmark = pytest.mark.usefixtures("no_bugs")


def without(header: str) -> bytes:
    return b"".join(
        line + b"\r\n" for line in request_head().split(b"\r\n")[:-1] if not line.lower().startswith(header.encode())
    )


# heads that ended whole servers, and others

HEADS: Final = {
    "a Host of a byte": (request_head(headers={"Host": "\xff"}), 400),
    "an empty Host": (request_head(headers={"Host": ""}), 400),
    "a Host with blanks": (request_head(headers={"Host": "a b"}), 400),
    "a Host with a path": (request_head(headers={"Host": "127.0.0.1/x"}), 400),
    "a malformed xn-- Host": (request_head(headers={"Host": "xn--a-\u0111".encode().decode("latin-1")}), 400),
    "an xn-- Host that is no IDNA": (request_head(headers={"Host": "xn--zzzzzzzz9999"}), 400),
    "no Host": (without("host"), 400),
    "two Hosts": (request_head(headers={"host": "127.0.0.1"}), 400),
    "a non-ASCII subprotocol": (request_head(headers={"Sec-WebSocket-Protocol": "ch\xe4t"}), 400),
    "non-ASCII extensions": (request_head(headers={"Sec-WebSocket-Extensions": "\xff\xfe"}), 400),
    "a non-ASCII Connection": (request_head(headers={"Connection": "Upgrade, \xff"}), 400),
    "a non-ASCII path": (request_head(path="/w\xff"), 400),
    "a control in a value": (request_head(headers={"X-Odd": "a\x00b"}), 400),
    "a header without a name": (request_head()[:-2] + b": x\r\n\r\n", 400),
    "a folded header": (request_head()[:-2] + b"X-Odd: a\r\n b\r\n\r\n", 400),
    "a blank before the colon": (request_head()[:-2] + b"X-Odd : a\r\n\r\n", 400),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /ws\r\n\r\n", 400),
    "a whole address in the request line": (request_head().replace(b"GET /ws", b"GET http://a/ws"), 400),
    "garbage that ends": (b"\x16\x03\x01\x02\x00\xff\xfe garbage \r\n\r\n", 400),
    "another version": (request_head(headers={"Sec-WebSocket-Version": "8"}), 426),
    "no key": (without("sec-websocket-key"), 400),
    "a short key": (request_head(headers={"Sec-WebSocket-Key": "c2hvcnQ="}), 400),
    "two keys": (request_head(headers={"sec-websocket-key": KEY}), 400),
    "no Connection": (without("connection"), 400),
    "another path": (request_head(path="/chat"), 404),
    "a POST": (request_head().replace(b"GET", b"POST"), 405),
    "a body": (request_head(headers={"Content-Length": "5"}) + b"hello", 413),
    "a chunked body": (request_head(headers={"Transfer-Encoding": "chunked"}) + b"0\r\n\r\n", 413),
    "a head over 16 KiB": (request_head(headers={"X-Long": "x" * 20_000}), 431),
    "a head that never ends": (b"GET /ws HTTP/1.1\r\nX-Long: " + b"x" * 17_000, 431),
}


@pytest.mark.parametrize("case", HEADS)
async def test_a_bad_head_gets_an_answer_and_the_node_goes_on(case: str, node: Node) -> None:
    raw, status = HEADS[case]
    async with undisturbed(node):
        answer = await answer_to(node, raw)
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:80]
        assert b"Connection: close" in answer
        # and whoever does not wait for the answer does no harm either
        async with calling(node) as stream:
            await stream.send_all(raw)


ABRUPT: Final = {
    "nothing": b"",
    "garbage": b"\x00\xff\xfe\x80garbage",
    "half a head": b"GET /ws HTTP/1.1\r\nHost: loc",
    "a plain GET": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a GET of /readyz": b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an upgrade": request_head(),
    "an upgrade and half a frame": request_head() + frame(TEXT, b'{"type":"join","room":"lobby"}')[:-3],
    "an upgrade and a join": request_head() + frame(TEXT, b'{"type":"join","room":"lobby"}'),
    "an upgrade and a close frame": request_head() + frame(CLOSE, b"\x03\xe8"),
    "an upgrade and a violation": request_head() + frame(0x3, b""),
}


@pytest.mark.parametrize("case", ABRUPT)
async def test_a_reset_at_any_moment_is_noticed_at_once(case: str) -> None:
    # of two places one is taken by the bystander: the next caller has one only when the last is gone
    limits = msgspec.structs.replace(LOOSE, connections=2)
    async with open_twin_node(make_twins(limits), listening=True) as node, undisturbed(node):
        for pause in (0, 1, 5, 20):
            async with calling(node) as stream:
                await stream.send_all(ABRUPT[case])
                for _ in range(pause):
                    await trio.lowlevel.checkpoint()
            await until(lambda: len(node.door.connections) == 1, 2)
            await until_let_in(node)


async def test_a_head_has_10_s_in_all_however_busily_it_comes(autojump_clock: trio.testing.MockClock) -> None:
    async with open_twin_node(make_twins()) as node:
        stream = await node.connect()
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drip, stream)
            assert await stream.receive_some() == b""
            nursery.cancel_scope.cancel(reason="the server has closed")
        assert trio.current_time() - began == pytest.approx(10, abs=0.2)


async def drip(stream: trio.abc.SendStream) -> None:
    """Send a head, a byte now and then."""
    try:
        for byte in request_head(headers={"X-Slow": "x" * 1_000}):
            await stream.send_all(bytes((byte,)))
            await trio.sleep(0.1)
    except trio.BrokenResourceError:
        pass


async def test_slow_heads_keep_nobody_else_out(node: Node) -> None:
    async with undisturbed(node), AsyncExitStack() as callers, trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(drip, await callers.enter_async_context(calling(node)))
        async with open_wire(node.port or 0) as client:
            assert (await client.receive())["type"] == "welcome"
        nursery.cancel_scope.cancel(reason="they have been slow long enough")


async def test_a_head_may_come_in_any_pieces(node: Node) -> None:
    head = request_head()
    for cut in (1, 5, len(head) - 3, len(head) - 2, len(head) - 1):
        async with calling(node) as stream:
            client = WireClient(stream)
            await stream.send_all(head[:cut])
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert (await (await client.shake_hands(head[cut:])).receive())["type"] == "welcome"


async def test_what_follows_the_head_in_the_same_segment_counts(node: Node) -> None:
    async with calling(node) as stream:
        client = await WireClient(stream).shake_hands(request_head() + frame(TEXT, b'{"type":"ping","id":1}'))
        assert (await client.receive())["type"] == "welcome"
        assert await client.receive() == {"type": "pong", "id": 1}


async def test_compression_is_not_agreed_to(node: Node) -> None:
    offer = request_head(headers={"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"})
    async with calling(node) as stream:
        await stream.send_all(offer)
        answer = await stream.receive_some(4_096)
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"extensions" not in answer.lower()
