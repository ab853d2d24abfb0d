"""The handshake: whatever head was let through, the library takes it or says no; it never raises and never hangs."""

from __future__ import annotations

import contextlib

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import (
    MemoryReceiveStream,
    MemorySendStream,
    lockstep_stream_pair,
    memory_stream_pair,
    wait_all_tasks_blocked,
)

from tests.client_bytes import TEXT, request_head
from tests.properties import steady
from tests.wire import Closed, WireClient
from trichat.core.codec import close_frame, control_frame, text_frame
from trichat.edge.handshake import shake_hands
from trichat.edge.head import HeadRefused, check_upgrade, parse_head

ServerStream = trio.StapledStream[MemorySendStream, MemoryReceiveStream]


def let_through(raw: bytes) -> bool:
    try:
        check_upgrade(parse_head(raw), ())
    except HeadRefused:
        return False
    return True


async def read_all(stream: ServerStream) -> bytes:
    return b"".join([chunk async for chunk in stream])


async def test_the_clients_key_is_answered() -> None:
    client_stream, server_stream = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        client = WireClient(client_stream)
        nursery.start_soon(client.shake_hands)
        head = bytes(await server_stream.receive_some())
        assert await shake_hands(head, server_stream)


async def test_after_it_the_stream_is_ours_alone() -> None:
    client_stream, server_stream = memory_stream_pair()
    assert await shake_hands(request_head(), server_stream)
    client = WireClient(client_stream)
    await client.shake_hands()
    # the library has not read what the client sent, writes nothing more, and has not closed the stream
    assert bytes(await server_stream.receive_some()) == request_head()
    await server_stream.send_all(text_frame(b'{"type":"pong"}') + control_frame(0x9, b"x") + close_frame(4200, "bye"))
    assert await client.receive() == {"type": "pong"}
    with pytest.raises(Closed) as caught:
        await client.receive()
    assert (caught.value.code, caught.value.reason) == (4200, "bye")


async def test_a_client_that_is_gone_is_no_error() -> None:
    client_stream, server_stream = memory_stream_pair()
    await client_stream.aclose()
    assert not await shake_hands(request_head(), server_stream)


async def test_where_the_library_finds_fault_the_client_hears_so() -> None:
    # proper, but wsproto looks at the last of the two lines only
    raw = request_head().replace(b"\r\nSec-", b"\r\nConnection: keep-alive\r\nSec-", 1)
    assert let_through(raw)
    client_stream, server_stream = memory_stream_pair()
    with trio.fail_after(10):
        assert not await shake_hands(raw, server_stream)
    await server_stream.aclose()
    assert (await read_all(client_stream)).startswith(b"HTTP/1.1 400 ")


async def test_it_can_be_cancelled_while_the_client_does_not_read() -> None:
    _, server_stream = lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shake_hands, request_head(), server_stream)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel(reason="the handshake took too long")
    assert nursery.cancel_scope.cancelled_caught


AWKWARD = {
    "protocols that are none": {"Sec-WebSocket-Protocol": ',,a b,"'},
    "extensions that are none": {"Sec-WebSocket-Extensions": ";;=,permessage-deflate; server_max_window_bits=99"},
    "an expectation": {"Expect": "100-continue"},
    "a length of nothing": {"Content-Length": "0"},
    "a connection that is to close": {"Connection": "close, Upgrade"},
    "dots": {"Host": "a..b"},
    "a long name": {"Host": "a" * 255},
    "an address": {"Host": "[::1]:8080"},
    "an endless value": {"X": "x" * 16_000},
    "blanks": {"X": " \t "},
}


@pytest.mark.parametrize("headers", AWKWARD.values(), ids=AWKWARD.keys())
async def test_an_awkward_head_is_answered(headers: dict[str, str]) -> None:
    await expect_an_answer(request_head(headers=headers))


async def test_a_head_of_many_lines_is_answered() -> None:
    await expect_an_answer(request_head(headers={f"x-{at}": "y" for at in range(1_500)}))


async def expect_an_answer(raw: bytes) -> None:
    assert let_through(raw)
    client_stream, server_stream = memory_stream_pair()
    with trio.fail_after(10):
        accepted = await shake_hands(raw, server_stream)
    await server_stream.aclose()
    response = await read_all(client_stream)
    assert response.startswith(b"HTTP/1.1 101 ") == accepted
    assert response.startswith((b"HTTP/1.1 101 ", b"HTTP/1.1 400 "))


names = st.sampled_from(
    ["Host", "Connection", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Origin", "Expect", "Content-Length"]
)
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20) | st.sampled_from(
    ["upgrade, close", "xn--a", "a.xn--0", "0", "a,b", "permessage-deflate", "100-continue", "http://127.0.0.1"]
)


@given(st.dictionaries(names, values))
@steady
def test_what_is_let_through_never_breaks_the_library(headers: dict[str, str]) -> None:
    raw = request_head(headers=headers)
    if let_through(raw):
        trio.run(expect_an_answer, raw)


async def test_the_test_client_reads_what_comes_in_pieces() -> None:
    client_stream, server_stream = memory_stream_pair()
    client = WireClient(client_stream)
    whole = text_frame(b'{"type":"a"}') + text_frame(b'{"type":"b"}')
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_one_by_one, server_stream, whole)
        assert (await client.receive_until("b"))["type"] == "b"
    await client.send_frame(TEXT, b"hi", masked=False)
    assert bytes(await server_stream.receive_some()) == b"\x81\x02hi"
    with contextlib.suppress(trio.BrokenResourceError):
        await server_stream.aclose()
    assert await client.expect_close() == 1006


async def send_one_by_one(stream: trio.abc.SendStream, raw: bytes) -> None:
    for at in range(len(raw)):
        await stream.send_all(raw[at : at + 1])
