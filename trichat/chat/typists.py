"""Who is writing something just now: heard of here and from other nodes, and told to a room's listeners in a bunch.

However many write, a room costs one push a second to each of its listeners, and one whisper a second to other nodes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import trio

from trichat.chat.room import Room
from trichat.core.codec import encode_reply
from trichat.core.events import Person
from trichat.core.names import UserId
from trichat.core.replies_conversation import TypingPush

if TYPE_CHECKING:
    from trichat.chat.hub import Hub

#: Listeners who are told between two yields: a few milliseconds.
_TURN_LISTENERS: Final = 500


class _RoomTyping:
    """Of one room: when each said it last, and who is to be told of."""

    __slots__ = ("fresh", "fresh_here", "said_at", "told_at")

    def __init__(self) -> None:
        self.said_at: dict[UserId, float] = {}
        self.fresh: dict[UserId, Person] = {}
        self.fresh_here: dict[UserId, Person] = {}  # those of them who are at this node
        self.told_at = -math.inf


class Typists:
    """Keeps what counts for `limits.typing_rest_s`, and nothing longer: that it ends, clients see by themselves."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._limits = hub.limits
        self._rooms: dict[Room, _RoomTyping] = {}
        self._wanted = trio.Event()

    def note(self, room: Room, person: Person) -> None:
        """Somebody at this node is writing; ignored when they said so a moment ago."""
        typing = self._typing_in(room)
        now = trio.current_time()
        if now - typing.said_at.get(person.user_id, -math.inf) >= self._limits.typing_rest_s:
            typing.said_at[person.user_id] = now
            typing.fresh[person.user_id] = typing.fresh_here[person.user_id] = person
            self._wanted.set()

    def hear(self, room: Room, people: list[Person]) -> None:
        """These are writing at another node."""
        typing = self._typing_in(room)
        typing.fresh.update((person.user_id, person) for person in people[: self._limits.typing_people])
        self._wanted.set()

    async def run(self) -> None:
        """Tell what is to be told. Lives until cancelled."""
        while True:
            self._wanted = trio.Event()
            now = trio.current_time()
            for room, typing in list(self._rooms.items()):
                if now - typing.told_at < self._limits.typing_rest_s:
                    continue
                if typing.fresh and not room.ended:
                    typing.told_at = now
                    await self._tell(room, typing)
                else:
                    del self._rooms[room]  # nothing was said for a while
            await self._pause()

    async def _pause(self) -> None:
        due = min((typing.told_at for typing in self._rooms.values()), default=math.inf) + self._limits.typing_rest_s
        with trio.move_on_at(due):
            await self._wanted.wait()

    def _typing_in(self, room: Room) -> _RoomTyping:
        if room not in self._rooms:
            self._rooms[room] = _RoomTyping()
        return self._rooms[room]

    async def _tell(self, room: Room, typing: _RoomTyping) -> None:
        """Where more write than are named, those who began first; the others will say it again."""
        most = self._limits.typing_people
        # who left or hid meanwhile is told of no more
        gone = [user_id for user_id in typing.fresh_here if not self._shows(room, user_id)]
        here = [person for user_id, person in typing.fresh_here.items() if user_id not in gone]
        people = [person for user_id, person in typing.fresh.items() if user_id not in gone]
        typing.fresh.clear()
        typing.fresh_here.clear()
        oldest = trio.current_time() - self._limits.typing_rest_s
        typing.said_at = {user_id: at for user_id, at in typing.said_at.items() if at > oldest}
        if here:
            self._hub.whispers.typing(room.id, here[:most])
        if people:
            await self._tell_listeners(room, people[:most])

    def _shows(self, room: Room, user_id: UserId) -> bool:
        return user_id in room.people and not self._hub.presence.hides(user_id)

    async def _tell_listeners(self, room: Room, people: list[Person]) -> None:
        for_ms = round(self._limits.typing_s * 1000)
        frame = encode_reply(TypingPush(room=room.name, people=people, for_ms=for_ms))
        alone = people[0].user_id if len(people) == 1 else None
        for place, listener in enumerate(room.listeners(), 1):
            # who has left meanwhile hears nothing more
            if (alone is None or listener.user_id != alone) and room.is_heard_by(listener):
                listener.outbox.post_ephemeral(frame)
            if place % _TURN_LISTENERS == 0:
                await trio.lowlevel.checkpoint()
