"""Callers of the front door who are not polite."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import trio
import trio.testing

from tests.client_bytes import request_head
from tests.nodes import Node
from tests.wire import Refused, open_wire

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


async def until_let_in(node: Node) -> None:
    """Returns when a new caller is greeted. A place may be free a moment after the caller has left it."""
    with trio.fail_after(2):
        while await refusal_of(node, {}) != 101:  # noqa: ASYNC110  # a caller is asked about, not an event
            await trio.sleep(0.005)
