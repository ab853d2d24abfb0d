"""The order of a room, as one observer keeps it: 1, 2, 3 … without a hole and without a repeat."""

from __future__ import annotations

from msgspec import Struct


class Appended(Struct, frozen=True):
    """The events from `first` to `last` are next: deliver them."""

    first: int
    last: int


class Duplicate(Struct, frozen=True):
    """All of it was delivered before."""


class Gap(Struct, frozen=True):
    """The numbers from `first` to `last` are missing before this can be delivered."""

    first: int
    last: int


class RoomLog:
    """The position of an observer in a room's log: the last `seq` that it has delivered."""

    __slots__ = ("head",)

    def __init__(self, head: int) -> None:
        self.head = head

    def append(self, first: int, count: int) -> Appended | Duplicate | Gap:
        """Offer the events `first` … `first + count - 1`.

        A run that overlaps what was delivered is `Appended` with only its new end.
        """
        last = first + count - 1
        if last <= self.head:
            return Duplicate()
        if first > self.head + 1:
            return Gap(self.head + 1, first - 1)
        new_first = self.head + 1
        self.head = last
        return Appended(new_first, last)
