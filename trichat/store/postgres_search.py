"""`Searching` on PostgreSQL: each method is one call of a synchronous function in a thread."""

from __future__ import annotations

from collections.abc import Sequence

from trichat.core.conversation import Found
from trichat.core.limits import Limits
from trichat.core.names import RoomId, RoomName
from trichat.core.query import Query, parse_place
from trichat.core.standing import Actor
from trichat.store import search, search_index
from trichat.store.pool import ConnectionPool


class PostgresSearching:
    """Implements `Searching`."""

    def __init__(self, queries: ConnectionPool, limits: Limits) -> None:
        self._queries = queries
        self._limits = limits
        self._patience_ms = round(limits.store_call_s * 1000)
        self._indexed = RoomId(0)  # the rooms up to this one were looked at, in this turn through all of them
        self._portion = limits.index_portion

    async def search(
        self, viewer: Actor, rooms: Sequence[RoomName] | None, query: Query, *, before: str, limit: int
    ) -> list[Found]:
        asked = search.Asked(viewer, rooms, query, parse_place(before), limit)
        return await self._queries.call(search.search, asked, self._limits)

    async def index(self) -> bool:
        portion = self._portion
        # what takes too long is never done, and holds all other rooms up: the next try is a smaller one
        self._portion = max(1, portion // 2)
        self._indexed, done = await self._queries.call(
            search_index.index, self._indexed, portion=portion, patience_ms=self._patience_ms
        )
        self._portion = min(2 * portion, self._limits.index_portion)
        return done
