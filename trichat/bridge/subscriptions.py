"""Which rooms the node wants to hear, and which of them Redis was asked for. Pure."""

from __future__ import annotations

from msgspec import Struct

from trichat.core.names import RoomId


class Changes(Struct, frozen=True):
    """What to tell Redis: rooms to subscribe to, to unsubscribe from; `kept` are wanted again before it was told."""

    ask: list[RoomId]
    drop: list[RoomId]
    kept: list[RoomId]


class Subscriptions:
    """The wanted rooms against those that the present link asked for; changes are coalesced until taken."""

    def __init__(self) -> None:
        self._wanted: set[RoomId] = set()
        self._asked: set[RoomId] = set()
        self._changed: dict[RoomId, None] = {}

    def __contains__(self, room_id: RoomId) -> bool:
        return room_id in self._wanted

    def want(self, room_id: RoomId) -> bool:
        """Whether that is news: a room that is wanted already stays as it is."""
        if room_id in self._wanted:
            return False
        self._wanted.add(room_id)
        self._changed[room_id] = None
        return True

    def unwant(self, room_id: RoomId) -> bool:
        """Whether that is news."""
        if room_id not in self._wanted:
            return False
        self._wanted.remove(room_id)
        self._changed[room_id] = None
        return True

    def begin(self) -> list[RoomId]:
        """A new link: all wanted rooms, which now count as asked for."""
        self._changed.clear()
        self._asked = set(self._wanted)
        return list(self._asked)

    def take(self) -> Changes:
        """What changed since `begin` or the last `take`; it now counts as told."""
        changed, self._changed = self._changed, {}
        ask = [room for room in changed if room in self._wanted and room not in self._asked]
        drop = [room for room in changed if room not in self._wanted and room in self._asked]
        kept = [room for room in changed if room in self._wanted and room in self._asked]
        self._asked.update(ask)
        self._asked.difference_update(drop)
        return Changes(ask, drop, kept)

    @property
    def changed(self) -> bool:
        """Whether there is something to take."""
        return bool(self._changed)
