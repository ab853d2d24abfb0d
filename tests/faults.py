"""A fault proxy: a small TCP proxy on loopback that loses connections, or turns into a black hole, when told to."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

#: Bytes read at a time.
_CHUNK: Final = 65_536

#: A TCP port on 127.0.0.1, or the path of a Unix socket.
Target = int | str


class FaultProxy:
    """Forwards connections to its `port` on 127.0.0.1 to the target, as long as it is healthy."""

    def __init__(self, target: Target, port: int) -> None:
        self.port: Final = port
        self.accepted = 0  # connections so far
        self._target = target
        self._refusing = False
        self._flowing = trio.Event()
        self._flowing.set()
        self._live: set[trio.CancelScope] = set()

    def cut(self) -> None:
        """Drop all connections, and new ones at once, until `heal`."""
        self._refusing = True
        for scope in self._live:
            scope.cancel(reason="the test cut the link")

    def freeze(self) -> None:
        """Be a black hole until `heal`: connections stay, new ones are accepted, and no byte is forwarded."""
        if self._flowing.is_set():
            self._flowing = trio.Event()

    def heal(self) -> None:
        """Forward again; what waited in a frozen connection goes on its way."""
        self._refusing = False
        self._flowing.set()

    async def serve(self, client: trio.SocketStream) -> None:
        """One connection, until either side ends it or it is cut."""
        self.accepted += 1
        async with client:
            if self._refusing:
                return
            with trio.CancelScope() as scope:
                self._live.add(scope)
                try:
                    await self._join(client, scope)
                finally:
                    self._live.discard(scope)

    async def _join(self, client: trio.SocketStream, scope: trio.CancelScope) -> None:
        await self._flowing.wait()
        try:
            server = await _connect(self._target)
        except OSError:
            return  # nobody there: the client sees its connection end
        async with server, trio.open_nursery() as nursery:
            nursery.start_soon(self._pump, client, server, scope)
            nursery.start_soon(self._pump, server, client, scope)

    async def _pump(self, source: trio.SocketStream, sink: trio.SocketStream, scope: trio.CancelScope) -> None:
        # ends of connections are this proxy's business: one side's is the other's too
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await source.receive_some(_CHUNK):
                await self._flowing.wait()
                await sink.send_all(data)
        scope.cancel(reason="one side ended the connection")


async def _connect(target: Target) -> trio.SocketStream:
    if isinstance(target, int):
        return await trio.open_tcp_stream("127.0.0.1", target)
    return await trio.open_unix_socket(target)


@asynccontextmanager
async def open_fault_proxy(target: Target) -> AsyncIterator[FaultProxy]:
    """A healthy proxy in front of `target`; all its connections end with the block."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    proxy = FaultProxy(target, listeners[0].socket.getsockname()[1])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, proxy.serve, listeners)
        yield proxy
        nursery.cancel_scope.cancel(reason="the test is over")
