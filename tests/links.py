"""Links for simulated clients: in memory, with a width, a speed, and a way to break."""

from __future__ import annotations

import trio
from trio.lowlevel import ParkingLot

#: A client's or a server's end of a link.
End = trio.StapledStream["PipeSender", "PipeReceiver"]


class Pipe:
    """One direction of a link: holds at most `width` bytes; a sender waits for the reader, as TCP has it."""

    def __init__(self, width: int) -> None:
        self.data = bytearray()
        self.width = width
        self.ended = False  # the sender will send no more
        self.broken = False  # nothing gets through any more, in either sense
        self.changed = ParkingLot()

    def end(self) -> None:
        self.ended = True
        self.changed.unpark_all()

    def cut(self) -> None:
        self.broken = True
        self.data.clear()
        self.changed.unpark_all()


class PipeSender(trio.abc.SendStream):
    """Sends up to `width` bytes at a time, so that a cancellation may tear what is sent."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        pipe, rest = self._pipe, bytes(data)
        while rest:
            self._check()
            room = pipe.width - len(pipe.data)
            if room <= 0:
                await pipe.changed.park()
                continue
            pipe.data += rest[:room]
            rest = rest[room:]
            pipe.changed.unpark_all()
        self._check()

    async def wait_send_all_might_not_block(self) -> None:
        while not (self._pipe.broken or len(self._pipe.data) < self._pipe.width):
            await self._pipe.changed.park()

    async def aclose(self) -> None:
        self._pipe.end()
        await trio.lowlevel.checkpoint()

    def _check(self) -> None:
        if self._pipe.broken:
            raise trio.BrokenResourceError("the link is cut")
        if self._pipe.ended:
            raise trio.ClosedResourceError


class PipeReceiver(trio.abc.ReceiveStream):
    """Receives what has come; with `bytes_per_s`, no faster than that."""

    def __init__(self, pipe: Pipe, bytes_per_s: float | None = None) -> None:
        self._pipe = pipe
        self.bytes_per_s = bytes_per_s

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        pipe = self._pipe
        while not (pipe.data or pipe.ended or pipe.broken):
            await pipe.changed.park()
        if pipe.broken:
            raise trio.BrokenResourceError("the link is cut")
        data = bytes(pipe.data[:max_bytes])
        if self.bytes_per_s is not None:
            # what is on its way takes its time, and its place in the pipe until it has come
            await trio.sleep(len(data) / self.bytes_per_s)
        del pipe.data[: len(data)]
        pipe.changed.unpark_all()
        return data

    async def aclose(self) -> None:
        self._pipe.cut()  # who sends to a closed end hears that it is broken
        await trio.lowlevel.checkpoint()


class Link:
    """A connection between `client` and `server`, each a stream; `width` is what may be on its way to the client."""

    def __init__(self, width: int = 65_536, *, bytes_per_s: float | None = None) -> None:
        self._down, self._up = Pipe(width), Pipe(65_536)
        self.receiver = PipeReceiver(self._down, bytes_per_s)
        self.client: End = trio.StapledStream(PipeSender(self._up), self.receiver)
        self.server: End = trio.StapledStream(PipeSender(self._down), PipeReceiver(self._up))

    def post(self, data: bytes) -> None:
        """Send to the server without waiting: what a client has to say fits in the kernel's buffers."""
        if not (self._up.broken or self._up.ended):
            self._up.data += data
            self._up.changed.unpark_all()

    def cut(self) -> None:
        """Lose it: what was on its way is gone, and both sides notice. Never waits."""
        self._down.cut()
        self._up.cut()
