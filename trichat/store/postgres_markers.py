"""`Markers` on PostgreSQL: each method is one call of a synchronous function in a thread."""

from __future__ import annotations

from trichat.core.conversation import InboxRoom, Level, Mention, Moved, ReadUpTo, Told
from trichat.core.limits import Limits
from trichat.core.names import RoomId, UserId
from trichat.core.standing import Actor
from trichat.store import markers
from trichat.store.pool import ConnectionPool


class PostgresMarkers:
    """Implements `Markers`."""

    def __init__(self, queries: ConnectionPool, limits: Limits) -> None:
        self._queries = queries
        self._limits = limits

    async def read(self, room_id: RoomId, viewer: Actor, seq: int) -> Moved:
        return await self._queries.call(markers.read, room_id, viewer, seq)

    async def seen(self, room_id: RoomId, viewer: Actor, *, most: int) -> list[ReadUpTo]:
        return await self._queries.call(markers.seen, room_id, viewer, most=most)

    async def inbox(self, user_id: UserId, *, after: str, limit: int) -> list[InboxRoom]:
        return await self._queries.call(markers.inbox, user_id, after=after, limit=limit)

    async def mentions(self, user_id: UserId, *, before: str, limit: int) -> list[Mention]:
        return await self._queries.call(markers.mentions, user_id, before=before, limit=limit)

    async def notify(self, room_id: RoomId, viewer: Actor, level: Level | None, quiet_until: int | None) -> Told:
        return await self._queries.call(markers.notify, room_id, viewer, level, quiet_until)
