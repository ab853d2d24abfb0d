"""By hand: `python -m tests.edge.bench_frames`. Processor time for each message that a client sends.

Text messages of 110 bytes, four in a segment, as a busy client's `send`s come; from a stream that always has more.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

import trio
from trio_websocket import ConnectionClosed, wrap_server_stream
from wsproto.connection import Connection, ConnectionType

from tests.client_bytes import TEXT, frame, request_head
from trichat.core.limits import Limits
from trichat.edge.frames import FrameReader

_TOGETHER: Final = 4
_SEGMENTS: Final = 10_000
_ROUNDS: Final = 3
_SEGMENT: Final = frame(TEXT, b"x" * 110) * _TOGETHER


class _Segments(trio.abc.Stream):
    """A head if there is to be one, then the segments, then the end."""

    def __init__(self, head: bytes = b"") -> None:
        self._head = head
        self._left = _SEGMENTS

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        if self._head:
            head, self._head = self._head, b""
            return head
        self._left -= 1
        return _SEGMENT if self._left >= 0 else b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def by_frame_reader() -> int:
    reader, stream, messages = FrameReader(Limits()), _Segments(), 0
    while data := await stream.receive_some():
        messages += len(reader.feed(data))
    return messages


async def by_wsproto() -> int:
    connection, stream, messages = Connection(ConnectionType.SERVER), _Segments(), 0
    while data := await stream.receive_some():
        connection.receive_data(data)
        messages += len(list(connection.events()))
    return messages


async def by_trio_websocket() -> int:
    messages = 0
    async with trio.open_nursery() as nursery:
        request = await wrap_server_stream(nursery, _Segments(request_head()), max_message_size=65_536)
        websocket = await request.accept()
        try:
            while True:
                await websocket.get_message()
                messages += 1
        except ConnectionClosed:
            nursery.cancel_scope.cancel()
    return messages


def best_us_of(run: Callable[[], Awaitable[int]]) -> float:
    """Microseconds a message in the best round: the others were disturbed."""
    rounds = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        messages = trio.run(run)
        rounds.append((time.process_time() - began) / messages * 1e6)
    return min(rounds)


if __name__ == "__main__":
    for way in (by_frame_reader, by_wsproto, by_trio_websocket):
        print(f"{way.__name__}: {best_us_of(way):.2f} us a message")
