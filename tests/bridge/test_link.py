"""A link to Redis can be dropped whatever has become of its connections."""

from __future__ import annotations

import asyncio
import socket

import trio

from trichat.bridge.address import parse_address
from trichat.bridge.island import aio, open_island
from trichat.bridge.link import Link

#: More than the kernel's buffers of a connection on loopback take.
_MUCH = 32_000_000


async def test_a_link_whose_connection_was_closed_with_something_left_to_write_is_dropped() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        link = Link(parse_address(f"redis://127.0.0.1:{port}"))

        async def close_with_a_full_buffer_aio() -> None:
            """As redis-py does after an error while a busy Redis does not read."""
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            link._transports.append(writer.transport)
            writer.write(b"x" * _MUCH)
            assert writer.transport.get_write_buffer_size()
            writer.close()
            peer, _ = listener.accept()
            with peer:
                peer.setblocking(False)
                while await asyncio.get_running_loop().sock_recv(peer, 1_000_000):
                    pass
            await writer.wait_closed()

        with trio.fail_after(10):
            async with open_island():
                await aio(close_with_a_full_buffer_aio)
                await aio(link.drop_aio)
