"""A room by itself, for tests: its listeners are lists, and its events are their own numbers."""

from __future__ import annotations

from trichat.chat.ports import Batch
from trichat.chat.room import Room
from trichat.core.closing import CloseReason
from trichat.core.codec import Frame, split_frames, text_frame
from trichat.core.events import RoomRecord
from trichat.core.limits import Limits
from trichat.core.names import Epoch, RoomId, RoomName, UserId

LOBBY = RoomRecord(RoomId(1), RoomName("lobby"), Epoch("k3"), head=0)


def batch(first: int, count: int = 1) -> Batch:
    """The events `first` … of the lobby."""
    return Batch(LOBBY.id, first, count, b"".join(text_frame(b"%d" % seq) for seq in range(first, first + count)))


def seqs(frames: list[Frame]) -> list[int]:
    return [int(frame[2:]) for joined in frames for frame in split_frames(joined)]


class Ear:
    """A listener, and its own outbox: takes `capacity` posts, and then it is slow."""

    def __init__(self, capacity: int = 1_000_000, user_id: UserId | None = None) -> None:
        self.capacity = capacity
        self.user_id = user_id
        self.let_in = 0  # as of which `seq`
        self.removals: list[Room] = []
        self.heard: list[Frame] = []
        self.closed: CloseReason | None = None
        self.sink = _EarSink(self)

    @property
    def outbox(self) -> Ear:
        return self

    @property
    def seqs(self) -> list[int]:
        return seqs(self.heard)

    def rewire(self) -> None:
        """Have another sink from now on, as an outbox has when its socket is full, and free again."""
        self.sink = _EarSink(self)

    def take(self, frame: Frame) -> int:
        if len(self.heard) >= self.capacity:
            return 0
        self.heard.append(frame)
        return len(frame)

    def post_rest(self, frame: Frame, taken: int) -> bool:
        assert not taken, "an Ear takes a frame whole or not at all"
        return False

    def post_ephemeral(self, frame: Frame) -> None:
        raise AssertionError("a room itself whispers nothing")

    def close(self, reason: CloseReason) -> None:
        self.closed = reason

    def as_of(self, room: Room) -> int:
        return self.let_in

    def removed(self, room: Room) -> None:
        self.removals.append(room)

    def pull(self, room: Room, position: int) -> None:
        raise AssertionError("what tests hand out here is never too much to be pushed")


class _EarSink:
    def __init__(self, ear: Ear) -> None:
        self._ear = ear

    def send(self, frame: Frame) -> int:
        assert self._ear.sink is self, "written past what is queued"
        return self._ear.take(frame)


def make_room(limits: Limits | None = None, holes: list[Room] | None = None) -> Room:
    """A new lobby; `holes` becomes the list of the holes that it reports."""
    return Room(LOBBY, limits or Limits(), (holes if holes is not None else []).append)
