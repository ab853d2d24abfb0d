"""The names of the Pub/Sub channels."""

from __future__ import annotations

from typing import Final

from trichat.core.names import RoomId

#: No room has this number, nor is it the cluster's: nobody hears this channel, on which is tried whether publishing is
#: allowed.
NO_ROOM: Final = RoomId(-1)


class Channels:
    """`PREFIX:nodes` for the beats of all, and `PREFIX:room:ID` for each room."""

    def __init__(self, prefix: str) -> None:
        self.nodes: Final = f"{prefix}:nodes".encode()
        self._rooms: Final = f"{prefix}:room:".encode()

    def room(self, room_id: RoomId) -> bytes:
        return b"%b%d" % (self._rooms, room_id)

    def room_of(self, channel: bytes) -> RoomId:
        """The room of a channel that `room` made."""
        return RoomId(int(channel[len(self._rooms) :]))
