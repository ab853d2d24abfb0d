"""`Acts` on PostgreSQL: each method is one call of a synchronous function in a thread."""

from __future__ import annotations

from trichat.core.acts import Act, Acted, parse_reaction_key
from trichat.core.conversation import Pinned, Reaction, Revision
from trichat.core.limits import Limits
from trichat.core.names import RoomId
from trichat.core.standing import Actor
from trichat.store import acts, acts_reading
from trichat.store.acts import AskedAct
from trichat.store.pool import ConnectionPool
from trichat.store.room_lock import From


class PostgresActs:
    """Implements `Acts`."""

    def __init__(self, queries: ConnectionPool, limits: Limits) -> None:
        self._queries = queries
        self._limits = limits
        self._patience_ms = round(limits.store_call_s * 1000)

    async def act(self, room_id: RoomId, actor: Actor, seq: int, act: Act, *, cid: str | None, address: str) -> Acted:
        asked = AskedAct(From(actor, address), seq, act, cid)
        return await self._queries.call(acts.act, room_id, asked, self._limits, patience_ms=self._patience_ms)

    async def revisions(self, room_id: RoomId, viewer: Actor, seq: int) -> list[Revision]:
        return await self._queries.call(acts_reading.revisions, room_id, viewer, seq)

    async def reactions(self, room_id: RoomId, viewer: Actor, seq: int, *, after: str, limit: int) -> list[Reaction]:
        key = parse_reaction_key(after)
        return await self._queries.call(acts_reading.reactions, room_id, viewer, seq, after=key, limit=limit)

    async def pins(self, room_id: RoomId, viewer: Actor) -> list[Pinned]:
        return await self._queries.call(acts_reading.pins, room_id, viewer)
