"""`Attendance` on PostgreSQL: each method is one call of a synchronous function in a thread."""

from __future__ import annotations

from collections.abc import Sequence

from trichat.core.attendance import RoomAttendance
from trichat.core.limits import Limits
from trichat.core.names import RoomId, UserId
from trichat.store import devices
from trichat.store.pool import ConnectionPool


class PostgresAttendance:
    """Implements `Attendance`."""

    def __init__(self, queries: ConnectionPool, limits: Limits) -> None:
        self._queries = queries
        self._limits = limits

    async def attendance(self, room_id: RoomId, *, most: int) -> RoomAttendance:
        return await self._queries.call(devices.attendance, room_id, most=most, gone_s=self._limits.node_gone_s)

    async def set_hidden(self, user_id: UserId, hidden: bool) -> None:
        await self._queries.call(devices.set_hidden, user_id, hidden)

    async def hidden_among(self, user_ids: Sequence[UserId]) -> set[UserId]:
        return await self._queries.call(devices.hidden_among, user_ids)
