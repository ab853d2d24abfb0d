"""A node whose port speaks TLS, and its clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from msgspec import Struct

from tests.authority import Authority
from tests.client_bytes import request_head
from tests.edge.callers import reset
from tests.edge.doors import open_door
from tests.nodes import LOOSE, Node, make_twins, open_twin_node
from tests.wire import WireClient
from trichat.core.limits import Limits
from trichat.edge.front_door import FrontDoor
from trichat.edge.tls import Certificate

#: Seconds for a handshake, and for a bystander to hear what they say: about a hundred times the typical.
_LIVENESS_S = 5.0


class SecureNode(Struct):
    """A node over the twins, its front door at `node.port`, whose certificate is of `authority`."""

    node: Node
    door: FrontDoor
    certificate: Certificate
    authority: Authority

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.node.port}"

    @asynccontextmanager
    async def stream(self, sock: trio.SocketStream | None = None) -> AsyncIterator[trio.SSLStream[trio.SocketStream]]:
        """A client that has shaken hands as TLS does; at the end its connection is reset if it is still open."""
        transport = sock or await trio.open_tcp_stream("127.0.0.1", self.node.port or 0)
        tls = trio.SSLStream(transport, self.authority.context, server_hostname="127.0.0.1", https_compatible=True)
        try:
            with trio.fail_after(_LIVENESS_S):
                await tls.do_handshake()
            yield tls
        finally:
            reset(transport)

    @asynccontextmanager
    async def client(self, sock: trio.SocketStream | None = None) -> AsyncIterator[WireClient]:
        """A client that is greeted and in the lobby."""
        async with self.stream(sock) as stream:
            client = await WireClient(stream).shake_hands(request_head(headers={"Host": self.address}))
            await client.receive_until("welcome")
            await client.send_json({"type": "join", "room": "lobby"})
            await client.receive_until("joined")
            yield client

    @asynccontextmanager
    async def undisturbed(self) -> AsyncIterator[None]:
        """Somebody chats over TLS; when the block is over, they still do."""
        async with self.client() as bystander:
            yield
            with trio.fail_after(_LIVENESS_S):
                await bystander.send_json({"type": "send", "room": "lobby", "text": "still here"})
                assert {(await bystander.receive())["type"] for _ in range(2)} == {"ack", "message"}


@asynccontextmanager
async def open_secure_node(authority: Authority, limits: Limits = LOOSE) -> AsyncIterator[SecureNode]:
    certificate = authority.certificate()
    async with (
        open_twin_node(make_twins(limits)) as node,
        open_door(node, certificate=certificate) as door,
    ):
        yield SecureNode(node, door, certificate, authority)
