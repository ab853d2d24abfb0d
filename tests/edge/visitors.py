"""Clients of a node that look on while it is badly treated."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import trio

from tests.nodes import Node
from tests.wire import WireClient, open_wire

#: Seconds for a bystander to hear what they say: about a thousand times the typical.
_UNDISTURBED_S: Final = 2.0


@asynccontextmanager
async def undisturbed(node: Node) -> AsyncIterator[None]:
    """Somebody else chats at the node; when the block is over, they still do."""
    async with open_wire(node.port or 0) as bystander:
        await bystander.send_json({"type": "join", "room": "calm"})
        await bystander.receive_until("joined")
        yield
        with trio.fail_after(_UNDISTURBED_S):
            await bystander.send_json({"type": "send", "room": "calm", "text": "still here"})
            assert {(await bystander.receive())["type"] for _ in range(2)} == {"ack", "message"}


@asynccontextmanager
async def visiting(node: Node) -> AsyncIterator[WireClient]:
    """A client at the node, greeted, beside somebody whom nothing disturbs."""
    async with undisturbed(node), open_wire(node.port or 0) as client:
        await client.receive_until("welcome")
        yield client


@asynccontextmanager
async def greeted(node: Node) -> AsyncIterator[tuple[WireClient, dict[str, Any]]]:
    """A client of the node, and its welcome."""
    async with open_wire(node.port or 0) as client:
        yield client, await client.receive_until("welcome")


@asynccontextmanager
async def narrow_socket(node: Node) -> AsyncIterator[WireClient]:
    """A client that has shaken hands, and whose side of the connection holds little."""
    sock = trio.socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    await sock.connect(("127.0.0.1", node.port))
    stream = trio.SocketStream(sock)
    try:
        yield await WireClient(stream).shake_hands()
    finally:
        await trio.aclose_forcefully(stream)


async def lives(client: WireClient) -> None:
    await client.send_json({"type": "ping", "id": "alive"})
    assert await client.receive() == {"type": "pong", "id": "alive"}


async def ask(client: WireClient, command: dict[str, Any]) -> dict[str, Any]:
    """The next thing that the server says after `command`."""
    await client.send_json(command)
    return await client.receive()


def encoded(command: dict[str, Any]) -> bytes:
    return json.dumps({"id": "x", **command}).encode()
