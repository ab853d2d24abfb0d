"""The fault proxy does what its words say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.bridge.buses import SOON_S
from tests.faults import FaultProxy, open_fault_proxy


@asynccontextmanager
async def open_proxied_echo() -> AsyncIterator[FaultProxy]:
    """A proxy in front of a server that says everything back."""

    async def echo(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(data)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, echo, listeners)
        async with open_fault_proxy(listeners[0].socket.getsockname()[1]) as proxy:
            yield proxy
        nursery.cancel_scope.cancel()


async def says_back(stream: trio.SocketStream, data: bytes) -> bytes:
    with trio.fail_after(SOON_S):
        await stream.send_all(data)
        return await stream.receive_some()


async def test_a_healthy_proxy_forwards() -> None:
    async with open_proxied_echo() as proxy, await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
        assert await says_back(stream, b"hi") == b"hi"


async def test_a_cut_ends_what_is_there_and_what_comes_until_it_heals() -> None:
    async with open_proxied_echo() as proxy:
        async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
            await says_back(stream, b"hi")
            proxy.cut()
            with trio.fail_after(SOON_S):
                assert await stream.receive_some() == b""
        async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
            with trio.fail_after(SOON_S):
                assert await stream.receive_some() == b""
        proxy.heal()
        async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
            assert await says_back(stream, b"hi") == b"hi"


async def test_a_frozen_proxy_says_nothing_and_goes_on_where_it_was_when_it_heals() -> None:
    async with open_proxied_echo() as proxy, await trio.open_tcp_stream("127.0.0.1", proxy.port) as old:
        await says_back(old, b"hi")
        proxy.freeze()
        async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as new:
            for stream in (old, new):
                await stream.send_all(b"lo")
                with pytest.raises(trio.TooSlowError), trio.fail_after(0.1):
                    await stream.receive_some()
            proxy.heal()
            for stream in (old, new):
                with trio.fail_after(SOON_S):
                    assert await stream.receive_some() == b"lo"
