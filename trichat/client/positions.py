"""The place of a client in one room's log: what to hand on, what to drop, what to hold back. Pure."""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import Generic, TypeVar

from trichat.core.log import Appended, Duplicate, RoomLog

E = TypeVar("E")


class Verdict(Enum):
    """What becomes of an event that was offered."""

    DELIVER = auto()  # it is next: hand it on; the position has moved
    REPEAT = auto()  # it was handed on before: drop it
    HELD = auto()  # it waits until the hole before it is paged
    HOLE = auto()  # numbers are missing before it, and nobody said so


class RoomPosition(Generic[E]):
    """The last `seq` handed on, of which `epoch`; and, while a hole is paged, the events that came after it."""

    def __init__(self, room: str, epoch: str, seq: int, held_limit: int) -> None:
        self.room = room
        self.epoch = epoch
        self._log = RoomLog(seq)
        self._held: deque[tuple[int, E]] = deque()
        self._held_limit = held_limit
        self._until = 0  # the end of the hole, 0 when there is none
        self._newest = seq  # the last seq held or known to lie in the hole

    @property
    def seq(self) -> int:
        return self._log.head

    @property
    def filling(self) -> bool:
        """A hole is open: pages are wanted, later events are held."""
        return self._until > 0

    @property
    def missing(self) -> bool:
        """The open hole has numbers that were not handed on yet."""
        return self.seq < self._until

    @property
    def newest(self) -> int:
        """The last number of which we know: handed on, held, or of the hole."""
        return self._newest if self.filling else self.seq

    @property
    def hole_end(self) -> int:
        return self._until

    def offer(self, seq: int, event: E) -> Verdict:
        """An event came by itself."""
        if not self.filling:
            return self._take(seq)
        if seq <= self._newest:
            return Verdict.REPEAT  # a page or the held ones have it
        if seq > self._newest + 1:
            return Verdict.HOLE
        self._newest = seq
        if len(self._held) >= self._held_limit:
            self._held.clear()
            self._until = seq
        else:
            self._held.append((seq, event))
        return Verdict.HELD

    def open_hole(self, first: int, last: int) -> Verdict:
        """The server left out `first` … `last`. HELD: page them; REPEAT: we have them; HOLE: more is missing."""
        newest = self.newest
        if first > newest + 1:
            return Verdict.HOLE
        if last <= newest:
            return Verdict.REPEAT
        self._held.clear()  # what was held lies before the new hole's end, and is paged with it
        self._until = self._newest = last
        return Verdict.HELD

    def skip(self, last: int) -> None:
        """What comes up to `last` is not handed on."""
        if last > self.seq:
            self._log = RoomLog(last)

    def fill(self, seq: int) -> Verdict:
        """An event came in a page of the open hole."""
        return self._take(seq) if seq <= self._until else Verdict.REPEAT

    def next_held(self) -> E | None:
        """The next held event; None while the hole is not filled, and when all are handed on: it is closed then."""
        if self.missing:
            return None
        if not self._held:
            self.close_hole()
            return None
        seq, event = self._held.popleft()
        verdict = self._take(seq)
        assert verdict is Verdict.DELIVER  # `offer` let only the next one in
        return event

    def close_hole(self) -> None:
        """Forget the hole and what was held: it is filled, or the connection that told of it is gone."""
        self._until = 0
        self._held.clear()

    def _take(self, seq: int) -> Verdict:
        match self._log.append(seq, 1):
            case Appended():
                return Verdict.DELIVER
            case Duplicate():
                return Verdict.REPEAT
            case _:
                return Verdict.HOLE
