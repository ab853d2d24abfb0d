"""The stream under a WebSocket: how it is opened, and what is noticed on it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable
from functools import cache

import trio

from trichat.client.address import Address

Connect = Callable[[], Awaitable[trio.abc.Stream]]


def tls_context(ca: str | os.PathLike[str] | None = None) -> ssl.SSLContext:
    """How servers are believed: by this machine's authorities, or by those of the PEM file `ca` alone.

    Raises OSError when the file cannot be read, and ValueError when it holds no certificate.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca is None else os.fspath(ca))
    except ssl.SSLError as error:
        raise ValueError(f"{ca} holds no certificate in PEM ({error.reason or error})") from None
    except OSError as error:
        raise OSError(error.errno, f"{ca} cannot be read: {error.strerror}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@cache  # reading all authorities takes tens of milliseconds, and no other task runs meanwhile
def _default_context() -> ssl.SSLContext:
    return tls_context()


async def open_stream(address: Address, ssl_context: ssl.SSLContext | None = None) -> trio.abc.Stream:
    """TCP, and TLS where the address says so. Raises OSError or trio.BrokenResourceError."""
    if not address.tls:
        return await trio.open_tcp_stream(address.host, address.port)
    stream = await trio.open_ssl_over_tcp_stream(
        address.host, address.port, https_compatible=True, ssl_context=ssl_context or _default_context()
    )
    try:
        await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


class Wire(trio.abc.Stream):
    """A stream that remembers when it last heard something, and tells at once when it is lost.

    trio-websocket waits for its handshake for ever when the server hangs up before it: `on_loss` ends that wait.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.heard_at = trio.current_time()
        self.receives = 0
        self.on_loss: Callable[[], None] = lambda: None

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            data = bytes(await self._stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.on_loss()
            raise
        if not data:
            self.on_loss()
        self.heard_at = trio.current_time()
        self.receives += 1
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.on_loss()
            raise

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()
