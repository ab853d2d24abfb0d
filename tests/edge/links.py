"""What an outbox writes to in tests: a narrow socket, a slow stream, and a client's end that looks at all of it."""

from __future__ import annotations

import contextlib
import socket
from typing import Final

import trio

from trichat.core.codec import Frame, split_frames, text_frame
from trichat.core.limits import Limits
from trichat.edge.outbox import Outbox

LIMITS: Final = Limits(outbox_bytes=60_000, outbox_ephemeral_bytes=20_000, outbox_refill_bytes=10_000)
LAST_WORDS: Final = text_frame(b"last words")


def numbered(count: int, size: int = 1_000) -> list[Frame]:
    """Frames that differ, of about `size` bytes, none as long as the next."""
    return [text_frame(b"%d " % at + b"x" * (size + at % 7)) for at in range(count)]


class SlowStream(trio.abc.Stream):
    """Takes `step` bytes at a time, with a checkpoint before each: a send can be cancelled between any two."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.received = bytearray()
        self.sends = 0

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.sends += 1
        for at in range(0, len(data), self.step):
            await trio.lowlevel.checkpoint()
            self.received += data[at : at + self.step]
        await trio.lowlevel.checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


class NarrowSocket(socket.socket):
    """A real socket that takes `room` bytes and then no more: partial writes where a test wants them."""

    room: int | None = None  # None: as much as the kernel takes

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:  # type: ignore[override]
        if self.room is None:
            return super().send(data, flags)
        if not self.room:
            raise BlockingIOError
        sent = super().send(memoryview(data)[: self.room], flags)
        self.room -= sent
        return sent


class Link:
    """An outbox over a socket, and the client's end of it.

    The kernel holds about `kernel_bytes` on the way (as it counts them: a short write costs it much more).
    """

    def __init__(self, limits: Limits = LIMITS, *, kernel_bytes: int = 4_096) -> None:
        ours, self.client = socket.socketpair()
        self.socket = NarrowSocket(fileno=ours.detach())
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, kernel_bytes)
        for end in (self.socket, self.client):
            end.setblocking(False)
        # with a socket of its own an outbox never touches the stream
        self.outbox = Outbox(SlowStream(1), self.socket, limits)

    def take(self, most: int = 1 << 24) -> bytes:
        """What has reached the client, up to `most` bytes."""
        taken = b""
        with contextlib.suppress(BlockingIOError):
            while len(taken) < most and (data := self.client.recv(min(most - len(taken), 65_536))):
                taken += data
        return taken

    async def take_frames(self, count: int) -> list[Frame]:
        """The next `count` frames, as they come; whatever comes behind them in the same moment is an error."""
        taken = b""
        with trio.fail_after(10):
            while True:
                taken += self.take()
                with contextlib.suppress(ValueError):
                    if len(frames := split_frames(taken)) >= count:
                        return frames
                await trio.lowlevel.wait_readable(self.client)

    def fill(self) -> list[Frame]:
        """Post until the outbox is full: what it has taken."""
        taken: list[Frame] = []
        for frame in numbered(1_000):
            if not self.outbox.post(frame):
                return taken
            taken.append(frame)
        raise AssertionError("an outbox has a limit")

    def close(self) -> None:
        self.socket.close()
        self.client.close()
