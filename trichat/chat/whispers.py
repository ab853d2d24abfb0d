"""What may be lost: pushes without a `seq` to those who listen to a room now, at every node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trichat.core.codec import Frame
from trichat.core.names import RoomId, UserId

if TYPE_CHECKING:
    from trichat.chat.hub import Hub
    from trichat.chat.session import Session


class Whispers:
    """Sends them: dropped first when a client does not drain, or Redis does not."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def to_person(self, room_id: RoomId, user_id: UserId, frame: Frame, *, but: Session | None = None) -> None:
        """To all connections of one person that listen to the room, but for the one who knows."""
        for session in list(self._hub.sessions):
            if session is not but and session.user_id == user_id:
                self._post(session, room_id, frame)

    def to_room(self, room_id: RoomId, frame: Frame, *, but: UserId | None = None) -> None:
        """To everybody who listens to the room, but for one person."""
        for session in list(self._hub.sessions):
            if session.user_id != but:
                self._post(session, room_id, frame)

    def _post(self, session: Session, room_id: RoomId, frame: Frame) -> None:
        room = self._hub.room_by_id(room_id)
        if room is not None and room.name in session.memberships:
            session.outbox.post_ephemeral(frame)
