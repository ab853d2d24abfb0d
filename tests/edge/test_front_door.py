"""The front door under attack: nothing that one caller sends ends more than its own connection."""

from __future__ import annotations

import random
import socket
import struct
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import msgspec
import pytest
import trio
import trio.testing

from tests.client_bytes import CLOSE, CONTINUATION, KEY, PING, PONG, TEXT, frame, request_head
from tests.conditions import until
from tests.edge.visitors import ask, lives, undisturbed
from tests.nodes import LOOSE, Node, make_twins, open_twin_node
from tests.wire import Closed, Refused, WireClient, open_wire
from trichat.core.limits import Limits
from trichat.edge.front_door import FrontDoor, listen

pytestmark = pytest.mark.usefixtures("no_bugs")

_RESET: Final = struct.pack("ii", 1, 0)


@asynccontextmanager
async def calling(node: Node, local_address: str = "127.0.0.1") -> AsyncIterator[trio.SocketStream]:
    """A connection on which nothing was said; reset at the end if it is still open."""
    stream = await trio.open_tcp_stream("127.0.0.1", node.port or 0, local_address=local_address)
    try:
        yield stream
    finally:
        reset(stream)


def reset(stream: trio.SocketStream) -> None:
    """Close with a RST, as somebody who attacks does."""
    if stream.socket.fileno() >= 0:
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        stream.socket.close()


async def answer_to(node: Node, raw: bytes) -> bytes:
    """All that the server says to `raw`."""
    answer = b""
    async with calling(node) as stream:
        with trio.fail_after(5):
            await stream.send_all(raw)
            async for chunk in stream:
                answer += chunk
    return answer


async def refusal_of(node: Node, headers: Mapping[str, str], path: str = "/ws") -> int:
    """The status of the refused upgrade; 101 when it is not refused."""
    try:
        async with open_wire(node.port or 0, head=request_head(path, headers)):
            return 101
    except Refused as refused:
        return refused.status


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


async def until_let_in(node: Node) -> None:
    """Returns when a new caller is greeted. A place may be free a moment after the caller has left it."""
    with trio.fail_after(2):
        while await refusal_of(node, {}) != 101:  # noqa: ASYNC110  # a caller is asked about, not an event
            await trio.sleep(0.005)


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


# after the handshake


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
    async def ready() -> dict[str, str]:
        return {}

    door = FrontDoor(node.hub, ready, allowed_origins=["https://chat.example"])
    listeners = listen("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        await nursery.start(door.run, listeners)
        node.port = listeners[0].getsockname()[1]
        assert await refusal_of(node, {"Host": "127.0.0.1:8080", "Origin": origin}) == status
        nursery.cancel_scope.cancel(reason="the test is over")


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
        upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n" if method == "GET" else ""
        version = "1.0" if method == "GET" else "1.1"
        await stream.send_all(f"{method} /ws HTTP/{version}\r\nHost: localhost\r\n{upgrade}\r\n".encode())
        answer = b"".join([chunk async for chunk in stream])
        assert answer.startswith(b"HTTP/1.1 400 " if method == "GET" else b"HTTP/1.1 405 ")
        assert (b"Allow: GET, HEAD" in answer) == (method == "POST")
