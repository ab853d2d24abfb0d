"""A room hands out by each outbox's own way of writing, while those ways change under it."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest
import trio
import trio.testing

from trichat.chat.ports import Batch
from trichat.chat.room import Room
from trichat.core.closing import SLOW, CloseReason
from trichat.core.codec import Frame, split_frames, text_frame
from trichat.core.events import RoomRecord
from trichat.core.limits import Limits
from trichat.core.names import Epoch, RoomId, RoomName, UserId
from trichat.edge.outbox import Outbox

LIMITS = Limits(outbox_bytes=1_000_000)
#: More listeners than a hand-out serves between two yields, so that outboxes change in the middle of one.
LISTENERS = 700
BATCHES = 60


class SocketListener:
    """A listener with a real socket whose buffers hold only a few frames."""

    def __init__(self, room: Room, limits: Limits) -> None:
        self._room = room
        ours, self._theirs = socket.socketpair()
        for sock in (ours, self._theirs):
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        self._ours = ours
        self.outbox = Outbox(trio.testing.memory_stream_pair()[0], ours, limits)
        self.outbox.on_rewired = lambda: self._room.rewired(self)
        self.closed: CloseReason | None = None
        self.received = bytearray()
        self.pulled: list[int] = []
        self.user_id: UserId | None = None

    def close(self, reason: CloseReason) -> None:
        self.closed = reason

    def as_of(self, room: Room) -> int:
        raise AssertionError("nobody is removed here")

    def removed(self, room: Room) -> None:
        raise AssertionError("nobody is removed here")

    def pull(self, room: Room, position: int) -> None:
        self.pulled.append(position)

    def read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.received += self._theirs.recv(65_536)

    def end(self) -> None:
        self._ours.close()
        self._theirs.close()

    @property
    def frames(self) -> list[Frame]:
        return split_frames(bytes(self.received))


class Prompter:
    """A listener that does something when it is handed a frame: attached first, so in the midst of every hand-out."""

    def __init__(self) -> None:
        self.on_frame: Callable[[], None] = lambda: None
        self.user_id: UserId | None = None

    @property
    def outbox(self) -> Prompter:
        return self

    @property
    def sink(self) -> Prompter:
        return self

    def send(self, frame: Frame) -> int:
        self.on_frame()
        return len(frame)

    def post_rest(self, frame: Frame, taken: int) -> bool:
        raise AssertionError("a prompter takes all")

    def post_ephemeral(self, frame: Frame) -> None:
        raise AssertionError("a room itself whispers nothing")

    def close(self, reason: CloseReason) -> None:
        raise AssertionError("a prompter is never slow")

    def as_of(self, room: Room) -> int:
        raise AssertionError("nobody is removed here")

    def removed(self, room: Room) -> None:
        raise AssertionError("nobody is removed here")

    def pull(self, room: Room, position: int) -> None:
        raise AssertionError("what is handed out here is never too much to be pushed")


def make_room() -> Room:
    return Room(RoomRecord(RoomId(1), RoomName("hall"), Epoch("e"), 0), LIMITS, _no_hole)


class Listen(Protocol):
    def __call__(self, room: Room, limits: Limits = LIMITS) -> SocketListener: ...


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Makes listeners, whose sockets are closed in any case: one left open would be a warning amid some other test."""
    with contextlib.ExitStack() as ends:

        def make(room: Room, limits: Limits = LIMITS) -> SocketListener:
            listener = SocketListener(room, limits)
            ends.callback(listener.end)
            return listener

        yield make


def _no_hole(_: Room) -> None:
    raise AssertionError("there are no holes here")


def batch(seq: int) -> Batch:
    return Batch(RoomId(1), seq, 1, text_frame(b"%04d" % seq + b"x" * 900))


async def _drain(listeners: list[SocketListener], done: Callable[[], bool]) -> None:
    with trio.fail_after(30):
        while not done():
            for listener in listeners:
                listener.read()
            await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("seed", range(3))
async def test_each_listener_hears_every_frame_in_order_while_sockets_fill_and_drain(seed: int, listen: Listen) -> None:
    chance = random.Random(seed)
    room = make_room()
    listeners = [listen(room) for _ in range(LISTENERS)]
    expected = {listener: [Frame(batch(seq).joined) for seq in range(1, BATCHES + 1)] for listener in listeners}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.run_broadcaster)
        for listener in listeners:
            assert room.attach(listener, 0)
            nursery.start_soon(listener.outbox.run_writer)
        for seq in range(1, BATCHES + 1):
            room.take(batch(seq))
            # some read, most do not: every socket is full at one time or another
            for listener in chance.sample(listeners, LISTENERS // 10):
                listener.read()
            await trio.lowlevel.checkpoint()
        await _drain(listeners, lambda: room.delivered == BATCHES and not any(one.outbox.queued for one in listeners))
        nursery.cancel_scope.cancel()
    for listener in listeners:
        listener.read()
        assert listener.closed is None
        assert listener.frames == expected[listener]


async def test_who_leaves_in_the_middle_of_a_hand_out_and_comes_back_hears_nothing_twice(listen: Listen) -> None:
    room = make_room()
    first = Prompter()
    listeners = [listen(room) for _ in range(LISTENERS)]
    last = listeners[-1]

    def leave_and_come_back() -> None:
        room.detach(last)
        assert room.attach(last, 1)  # behind what is being handed out

    first.on_frame = leave_and_come_back
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.run_broadcaster)
        assert room.attach(first, 0)
        for listener in listeners:
            assert room.attach(listener, 0)
        room.take(batch(1))
        await _drain(listeners, lambda: len(listeners[-2].frames) == 1)
        first.on_frame = lambda: None
        room.take(batch(2))
        await _drain(listeners, lambda: len(listeners[-2].frames) == 2 and bool(last.frames))
        nursery.cancel_scope.cancel()
    assert last.frames == [batch(2).joined]
    assert all(len(listener.frames) == 2 for listener in listeners[:-1])


async def test_who_changes_and_leaves_and_comes_back_in_one_hand_out_hears_nothing_twice(listen: Listen) -> None:
    room = make_room()
    first = Prompter()
    listeners = [listen(room) for _ in range(LISTENERS)]
    last = listeners[-1]

    def fill_and_leave_and_come_back() -> None:
        while last.outbox.queued == 0:  # something else fills its socket: it writes another way now
            last.outbox.post(text_frame(b"y" * 2_000))
        room.detach(last)
        assert room.attach(last, 1)

    first.on_frame = fill_and_leave_and_come_back
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.run_broadcaster)
        nursery.start_soon(last.outbox.run_writer)
        assert room.attach(first, 0)
        for listener in listeners:
            assert room.attach(listener, 0)
        room.take(batch(1))
        await _drain(listeners, lambda: len(listeners[-2].frames) == 1 and not last.outbox.queued)
        nursery.cancel_scope.cancel()
    last.read()
    assert last.frames
    assert batch(1).joined not in last.frames


async def test_an_outbox_that_fills_up_ends_that_listener_alone(listen: Listen) -> None:
    room = make_room()
    limits = Limits(outbox_bytes=100_000)
    slow, quick = listen(room, limits), listen(room, limits)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.run_broadcaster)
        nursery.start_soon(quick.outbox.run_writer)
        assert room.attach(slow, 0)
        assert room.attach(quick, 0)
        seq = 0
        with trio.fail_after(30):
            while slow.closed is None:
                seq += 1
                room.take(batch(seq))
                # a hand-out during which the machine stands still is followed by a rest: what would gather in it is
                # pulled when it is much, and then nobody's outbox fills
                while room.delivered < seq or quick.outbox.queued:
                    quick.read()
                    await trio.lowlevel.checkpoint()
        await _drain([quick], lambda: len(quick.frames) == seq)
        nursery.cancel_scope.cancel()
    assert slow.closed is SLOW
    assert slow.outbox.queued <= limits.outbox_bytes
    assert quick.closed is None


async def test_two_megabytes_at_once_are_not_pushed_and_close_nobody(listen: Listen) -> None:
    room = make_room()
    listener = listen(room)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.run_broadcaster)
        assert room.attach(listener, 0)
        frames = [text_frame(b"x" * 4_000) for _ in range(500)]
        room.take(Batch(RoomId(1), 1, 500, b"".join(frames)))
        room.take(batch(501))
        while room.delivered < 501:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert listener.pulled == [0]
    assert listener.closed is None
    assert listener.outbox.queued == 0
