"""That a connection listens to a room."""

from __future__ import annotations

from trichat.chat.room import Room


class Membership:
    """That a connection listens to a room."""

    __slots__ = ("as_of", "left", "room")

    def __init__(self, room: Room, as_of: int) -> None:
        self.room = room
        self.as_of = as_of  # the room's head when it was looked whether they may listen
        self.left = False  # a replay under way stops
