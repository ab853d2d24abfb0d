"""`Threads` on PostgreSQL: each method is one call of a synchronous function in a thread."""

from __future__ import annotations

from collections.abc import Sequence

from trichat.core.conversation import Moved, Thread
from trichat.core.events import Person
from trichat.core.limits import Limits
from trichat.core.names import RoomId
from trichat.core.standing import Actor
from trichat.store import threads
from trichat.store.pool import ConnectionPool


class PostgresThreads:
    """Implements `Threads`."""

    def __init__(self, queries: ConnectionPool, limits: Limits) -> None:
        self._queries = queries
        self._limits = limits

    async def check_places(
        self, room_id: RoomId, viewer: Actor, *, reply_to: int | None, thread: int | None, cid: str | None = None
    ) -> None:
        await self._queries.call(threads.check_places, room_id, viewer, reply_to=reply_to, thread=thread, cid=cid)

    async def mentioned(self, room_id: RoomId, names: Sequence[str]) -> list[Person]:
        return await self._queries.call(threads.mentioned, room_id, names)

    async def threads(
        self, room_id: RoomId, viewer: Actor, *, every: bool, before: int | None, limit: int
    ) -> list[Thread]:
        return await self._queries.call(threads.threads, room_id, viewer, every=every, before=before, limit=limit)

    async def follow(self, room_id: RoomId, viewer: Actor, root: int, *, following: bool) -> Thread:
        return await self._queries.call(threads.follow, room_id, viewer, root, following=following)

    async def read_thread(self, room_id: RoomId, viewer: Actor, root: int, seq: int) -> Moved:
        return await self._queries.call(threads.read_thread, room_id, viewer, root, seq)
