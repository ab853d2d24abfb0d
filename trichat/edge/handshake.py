"""The WebSocket handshake: trio-websocket's, over a stream that holds the request head and takes the answer."""

from __future__ import annotations

import trio
from trio_websocket import ConnectionClosed, wrap_server_stream


class _HeadStream(trio.abc.Stream):
    """Gives the head that was read already, then nothing more; what is written goes to the client."""

    def __init__(self, head: bytes, stream: trio.abc.Stream, scope: trio.CancelScope) -> None:
        self._head = head
        self._stream = stream
        self._scope = scope

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if not self._head:
            # the library never sees the frames: they are read by `frames.FrameReader`
            await trio.sleep_forever()
        head, self._head = self._head[:max_bytes], self._head[max_bytes:] if max_bytes else b""
        return head

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        # the library gives up: it has said so to the client, and would wait for ever for a request
        self._scope.cancel(reason="the handshake failed")
        await trio.lowlevel.checkpoint()


async def shake_hands(head: bytes, stream: trio.abc.Stream) -> bool:
    """Accept the WebSocket that `head` asks for, which `check_upgrade` has let through.

    False when the client is gone, or the library finds fault where we did not.
    """
    try:
        async with trio.open_nursery() as nursery:
            head_stream = _HeadStream(head, stream, nursery.cancel_scope)
            request = await wrap_server_stream(nursery, head_stream, receive_buffer_size=None)
            await request.accept()
            nursery.cancel_scope.cancel(reason="the handshake is done")
            return True
    except* (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    return False
