"""What may be lost: pushes without a `seq` to those who listen to a room now, at every node.

What other nodes are told is a JSON object for each whisper, tagged by `w`. Who does not understand one (of a later
version) passes over it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

import msgspec
from msgspec import Raw, Struct

from trichat.chat.ports import CLUSTER, Batch, Whisper
from trichat.chat.tracing import Span
from trichat.core.codec import Frame, payload_of, quote, text_frame
from trichat.core.events import Person
from trichat.core.names import RoomId, UserId

if TYPE_CHECKING:
    from trichat.chat.hub import Hub
    from trichat.chat.room import Room
    from trichat.chat.session import Session


class _ToPerson(Struct, frozen=True, tag_field="w", tag="person"):
    user_id: UserId
    frame: Raw


class _ToRoom(Struct, frozen=True, tag_field="w", tag="room"):
    but: UserId | None
    frame: Raw


class _Typing(Struct, frozen=True, tag_field="w", tag="typing"):
    people: list[Person]


class _Presence(Struct, frozen=True, tag_field="w", tag="presence"):
    """Somebody's presence in the room was recorded."""


class _Hidden(Struct, frozen=True, tag_field="w", tag="hidden"):
    user_id: UserId
    hidden: bool


class _Trace(Struct, frozen=True, tag_field="w", tag="trace"):
    """The events from `first` on are traced: their publishing is `context`."""

    first: int
    context: str


_Said = _ToPerson | _ToRoom | _Typing | _Presence | _Hidden | _Trace
_decode: Final = msgspec.json.Decoder(_Said).decode


class Whispers:
    """Sends and hears them: dropped first when a client does not drain, or Redis does not."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def to_person(self, room_id: RoomId, user_id: UserId, frame: Frame, *, but: Session | None = None) -> None:
        """To all connections of one person that listen to the room, but for the one who knows."""
        room = self._hub.room_by_id(room_id)
        if room is not None:
            self._person_here(room, user_id, frame, but)
        self._say(room_id, _ToPerson(user_id, Raw(payload_of(frame))))

    def to_room(self, room_id: RoomId, frame: Frame, *, but: UserId | None = None) -> None:
        """To everybody who listens to the room, but for one person."""
        room = self._hub.room_by_id(room_id)
        if room is not None:
            self.room_here(room, frame, but=but)
        self._say(room_id, _ToRoom(but, Raw(payload_of(frame))))

    def room_here(self, room: Room, frame: Frame, *, but: UserId | None = None) -> None:
        """The same at this node alone. Who is still replaying the room's log hears nothing of this."""
        for listener in room.listeners():
            if but is None or listener.user_id != but:
                listener.outbox.post_ephemeral(frame)

    def typing(self, room_id: RoomId, people: list[Person]) -> None:
        """Tell the other nodes that these are writing."""
        self._say(room_id, _Typing(people))

    def presence(self, room_id: RoomId) -> None:
        """Tell the other nodes that somebody's presence in the room was recorded."""
        self._say(room_id, _Presence())

    def hidden(self, user_id: UserId, hidden: bool) -> None:
        """Tell the other nodes that this account hides its presence, or does so no more."""
        self._say(CLUSTER, _Hidden(user_id, hidden))

    def hear(self, whisper: Whisper) -> None:
        """Another node says this."""
        try:
            said = _decode(whisper.said)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return  # of a later version
        room = self._hub.room_by_id(whisper.room_id)
        if isinstance(said, _Hidden):
            self._hub.presence.hide(said.user_id, said.hidden)
        elif room is not None:
            self._hear_of_room(room, said)

    def _hear_of_room(self, room: Room, said: _ToPerson | _ToRoom | _Typing | _Presence | _Trace) -> None:
        match said:
            case _ToPerson(user_id=user_id, frame=frame):
                self._person_here(room, user_id, text_frame(bytes(frame)), None)
            case _ToRoom(but=but, frame=frame):
                self.room_here(room, text_frame(bytes(frame)), but=but)
            case _Typing(people=people):
                self._hub.typists.hear(room, people)
            case _Presence():
                self._hub.watching.look_soon(room)
            case _Trace(first=first, context=context):
                self._hub.trace_delivery(room, context, first)
            case _:
                assert_never(said)

    def _person_here(self, room: Room, user_id: UserId, frame: Frame, but: Session | None) -> None:
        for session in self._hub.presence.sessions_of(user_id):
            if session is not but and room.name in session.memberships:
                session.outbox.post_ephemeral(frame)

    def _say(self, room_id: RoomId, said: _Said) -> None:
        if not self._hub.relay.alone:
            self._hub.bridge.whisper(Whisper(room_id, quote(said)))


def trace_of(batch: Batch, publishing: Span) -> Whisper:
    """What a bridge says right before a batch that is traced: the envelope of batches has no place for it, and a node
    of a version that knows no traces passes over it."""
    return Whisper(batch.room_id, quote(_Trace(batch.first, publishing.context)))
