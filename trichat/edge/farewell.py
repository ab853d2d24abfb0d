"""How a connection is closed so that the client can read the last words."""

from __future__ import annotations

import contextlib
from typing import Final

import trio

#: Bytes read away at once.
_AWAY_BYTES: Final = 16_384


async def close_in_order(stream: trio.abc.Stream) -> None:
    """Say that nothing follows, and read on, without looking, until the client closes too.

    Closing with bytes unread would reset away what the client has not read yet. Whoever calls this limits the time, and
    closes the stream afterwards. Raises trio.BrokenResourceError when the client is gone.
    """
    if isinstance(stream, trio.SSLStream):
        stream = await _end_tls(stream)
    if isinstance(stream, trio.abc.HalfCloseableStream):
        await stream.send_eof()
    while await stream.receive_some(_AWAY_BYTES):
        pass


async def _end_tls(stream: trio.SSLStream[trio.abc.Stream]) -> trio.abc.Stream:
    """TLS's own word for the end, without which the client could not tell it from a cut; the stream underneath."""
    transport = stream.transport_stream
    # the client says something that is no goodbye: it may, and nobody will read that
    with contextlib.suppress(trio.BrokenResourceError):
        await stream.unwrap()
    return transport
