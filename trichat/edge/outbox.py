"""The one thing that writes to a connection: whole frames, in order, never waiting for the client."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from typing import Protocol

import trio

from trichat.core.codec import Frame, split_frames
from trichat.core.limits import Limits

#: Bytes handed to the socket in one call when a queue is drained.
_WRITE_BYTES = 262_144
#: Bytes handed to a stream at once: a record of TLS, whose buffers keep the size that they had to have once.
_STREAM_BYTES = 16_384
#: What a frame in the queue costs beside its bytes: CPython's header of a bytes object, and its place in the deque.
_FRAME_OVERHEAD_BYTES = 48


class Sink(Protocol):
    """What takes frames: a socket, or an outbox that queues them."""

    def send(self, frame: Frame, /) -> int: ...


class Outbox:
    """Frames on their way to one client.

    `post` never waits. With nothing queued it writes to the socket at once, without blocking; what the
    socket does not take is queued, and the writer task drains it. A connection without a socket of its own
    (TLS, or the in-memory streams of tests) is written by the writer task alone.

    A frame is taken whole or refused whole, so that none is ever torn by a cancellation.

    `sink` is for a room with a thousand listeners, where every object touched is a cache miss: its `send` takes a
    frame and gives how many bytes it took, all of them or fewer (then `post_rest` is called with the frame), or raises
    OSError (then too). With nothing queued it is the socket itself. It changes; `on_rewired` is called then.
    """

    __slots__ = (
        "_broken", "_ended", "_half", "_limits", "_queue", "_refill", "_sending",
        "_socket", "_stream", "_work", "on_rewired", "queued", "sink", "taken_at",
    )  # fmt: skip

    def __init__(self, stream: trio.abc.Stream, sock: socket.socket | None, limits: Limits) -> None:
        self._stream = stream
        self._socket = sock
        self.sink: Sink = self if sock is None else sock
        self.on_rewired: Callable[[], None] | None = None
        self._limits = limits
        self._queue: deque[bytes] | None = None  # None: nothing waits, which is nearly always so
        self._half = 0  # bytes of the queue's first element that the socket has taken
        self._work: trio.Event | None = None  # the writer waits for it
        self._sending: trio.CancelScope | None = None  # a send_all under way, which a cancellation must not tear
        self._refill: trio.Event | None = None  # who was asked for a page waits for it
        self._broken = False  # the client is gone; its reader will notice
        self._ended = False  # the last words are in: nothing may follow a close frame
        self.queued = 0  # bytes that wait
        self.taken_at = 0.0  # on Trio's clock, when the client last took something that had waited: it lives

    def post(self, frame: Frame) -> bool:
        """Send a frame, or several joined. False when the queue is full of live events: the client is slow."""
        try:
            taken = self.sink.send(frame)
        except BlockingIOError:
            taken = 0
        except OSError:
            self._lose()
            return True
        if taken == len(frame):
            return True
        if self._queue is not None:
            return False
        self._begin_queue(frame, taken)
        return True

    def post_rest(self, frame: Frame, taken: int) -> bool:
        """Go on where `sink` took only `taken` bytes of `frame`, or failed (0). As `post`."""
        if not taken:
            return self.post(frame)
        self._begin_queue(frame, taken)
        return True

    def post_ephemeral(self, frame: Frame) -> None:
        """Send a push that has no number; dropped when more than `outbox_ephemeral_bytes` wait."""
        if self.queued <= self._limits.outbox_ephemeral_bytes:
            self.post(frame)

    def post_asked(self, frame: Frame) -> None:
        """Send what the client asked for, however much waits: the caller has waited for `refilled`."""
        if self._queue is None:
            self.post(frame)
        elif not self._ended:
            self._queue.append(frame)
            self.queued += len(frame)

    async def refilled(self) -> None:
        """Wait until less than `outbox_refill_bytes` is queued: replays and pages are pulled, not pushed."""
        while self.queued >= self._limits.outbox_refill_bytes and not self._broken:
            if self._refill is None:
                self._refill = trio.Event()
            await self._refill.wait()

    async def run_writer(self) -> None:
        """Drain the queue whenever there is one. Lives until cancelled, which tears no frame of a socket's."""
        while True:
            if self._queue is None:
                self._work = trio.Event()
                await self._work.wait()
                self._work = None
            elif self._socket is not None:
                await trio.lowlevel.wait_writable(self._socket)
                self._flush()
            else:
                # a cancelled writer begins nothing new: the next send would be shielded again, without a clock
                await trio.lowlevel.checkpoint_if_cancelled()
                await self._write_stream(shield=True)

    def stop_writing(self) -> None:
        """Call before cancelling the writer: a send that is under way gets `farewell_s` to end."""
        if self._sending is not None:
            self._sending.deadline = min(self._sending.deadline, trio.current_time() + self._limits.farewell_s)

    def begin_farewell(self, last_words: Frame) -> None:
        """Drop what waits, except the rest of a frame that is half written, and put `last_words` after it.

        What is posted afterwards (an ack that comes late) is dropped: nothing follows a close frame.
        """
        rest = self._rest_of_half_frame()
        self._queue, self._half, self.queued = None, 0, 0
        if rest:
            self._begin_queue(Frame(rest), 0)
        if not self._broken:
            self.post_asked(last_words)
        self._ended = True
        self._rewire()

    async def drained(self) -> None:
        """Write what is queued, without a writer task: for the farewell. Raises trio.BrokenResourceError.

        A cancellation may tear a frame: the connection has to be dropped then.
        """
        while self._queue is not None:
            if self._socket is not None:
                await trio.lowlevel.wait_writable(self._socket)
                self._flush()
            else:
                await self._write_stream(shield=False)
        if self._broken:
            raise trio.BrokenResourceError

    def send(self, frame: Frame) -> int:
        """For `sink`, while the writer task writes: queues the whole frame, or takes 0 bytes when the queue is full."""
        if self._broken or self._ended:
            return len(frame)  # there is nobody to get it
        if self._queue is None:
            self._begin_queue(frame, 0)
        elif self.queued + len(frame) + _FRAME_OVERHEAD_BYTES * len(self._queue) > self._limits.outbox_bytes:
            return 0
        else:
            self._queue.append(frame)
            self.queued += len(frame)
        return len(frame)

    def _begin_queue(self, frame: Frame, sent: int) -> None:
        self._queue = deque((frame,))
        self._half = sent
        self.queued = len(frame) - sent
        self._rewire()
        if self._work is not None:
            self._work.set()

    def _rewire(self) -> None:
        at_once = self._queue is None and not (self._broken or self._ended)
        self.sink = self._socket if at_once and self._socket is not None else self
        if self.on_rewired is not None:
            self.on_rewired()

    def _flush(self) -> None:
        """Give the socket as much as it takes, without waiting."""
        assert self._queue is not None
        assert self._socket is not None
        try:
            while self._queue:
                self._join_first()
                sent = self._socket.send(memoryview(self._queue[0])[self._half :])
                self._written(sent)
        except BlockingIOError:
            pass
        except OSError:
            self._lose()
        self._settle()

    async def _write_stream(self, *, shield: bool) -> None:
        assert self._queue is not None
        self._join_first()
        piece = memoryview(self._queue[0])[self._half : self._half + _STREAM_BYTES]
        whole = False
        try:
            # how much a cancelled send_all has written is unknown, hence the shield; `stop_writing` sets its clock
            with trio.CancelScope(shield=shield) as self._sending:
                await self._stream.send_all(piece)
                whole = True
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self._sending = None
            if whole:
                self._written(len(piece))
            else:
                self._lose()  # how much was written is unknown: nothing may follow
            self._settle()

    def _join_first(self) -> None:
        """Make one buffer of the first frames: one system call for many messages."""
        assert self._queue is not None
        if self._half or len(self._queue) == 1:
            return
        size, taken = 0, []
        while self._queue and size < _WRITE_BYTES:
            taken.append(self._queue.popleft())
            size += len(taken[-1])
        self._queue.appendleft(b"".join(taken))

    def _written(self, count: int) -> None:
        assert self._queue is not None
        self._half += count
        self.queued -= count
        self.taken_at = trio.current_time()
        if self._half == len(self._queue[0]):
            self._queue.popleft()
            self._half = 0

    def _lose(self) -> None:
        self._broken = True
        self._queue, self._half, self.queued = None, 0, 0
        self._rewire()

    def _settle(self) -> None:
        if not self._queue:
            self._queue = None
            self._rewire()
        if self._refill is not None and (self._broken or self.queued < self._limits.outbox_refill_bytes):
            self._refill.set()
            self._refill = None

    def _rest_of_half_frame(self) -> bytes:
        """What is missing of the frame that the socket has taken in part. Buffers start with a whole frame."""
        if not self._queue or not self._half:
            return b""
        at = 0
        for frame in split_frames(self._queue[0]):
            at += len(frame)
            if at >= self._half:
                break
        return self._queue[0][self._half : at]
