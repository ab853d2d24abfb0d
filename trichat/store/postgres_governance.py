"""`Governance` on PostgreSQL: each method is one call of a synchronous function in a thread."""

from __future__ import annotations

from collections.abc import Sequence

from trichat.chat.people_ports import Access
from trichat.core.accounts import AuditEntry, InviteCode, Member, MyRoom, Reported, Restrained
from trichat.core.chance import Chance
from trichat.core.changes import Change, Changed
from trichat.core.events import Person, RoomRecord
from trichat.core.limits import Limits
from trichat.core.names import RoomId, RoomName, UserId
from trichat.core.standing import Actor, RoomRules
from trichat.store import governance, invites, making, moderation
from trichat.store.governance import Asked
from trichat.store.pool import ConnectionPool
from trichat.store.room_lock import From


class PostgresGovernance:
    """Implements `Governance`."""

    def __init__(self, queries: ConnectionPool, limits: Limits, chance: Chance) -> None:
        self._queries = queries
        self._limits = limits
        self._chance = chance
        self._patience_ms = round(limits.store_call_s * 1000)

    async def access(self, name: RoomName, user_id: UserId, *, marked: bool = False) -> Access | None:
        return await self._queries.call(governance.access, name, user_id, marked=marked)

    async def access_all(self, names: Sequence[RoomName], user_id: UserId) -> dict[RoomName, Access]:
        return await self._queries.call(governance.access_all, names, user_id)

    async def access_by_id(self, room_id: RoomId, user_id: UserId) -> Access | None:
        return await self._queries.call(governance.access_by_id, room_id, user_id)

    async def create(self, name: RoomName, rules: RoomRules, maker: Actor, *, address: str) -> Access:
        return await self._queries.call(
            making.create, name, self._chance.epoch(), rules, From(maker, address),
            most=self._limits.owned_rooms, patience_ms=self._patience_ms,
        )  # fmt: skip

    async def open_direct(self, name: RoomName, one: Actor, other: Person) -> Access:
        return await self._queries.call(
            making.open_direct, name, self._chance.epoch(), one, other,
            most=self._limits.direct_rooms, patience_ms=self._patience_ms,
        )  # fmt: skip

    async def change(
        self,
        room_id: RoomId,
        actor: Actor,
        change: Change,
        *,
        target: Person | None = None,
        cid: str | None = None,
        address: str = "",
    ) -> Changed:
        asked = Asked(From(actor, address), change, target, cid)
        return await self._queries.call(governance.change, room_id, asked, patience_ms=self._patience_ms)

    async def delete(self, room_id: RoomId, actor: Actor, *, address: str) -> None:
        await self._queries.call(governance.delete, room_id, From(actor, address), patience_ms=self._patience_ms)

    async def my_rooms(self, user_id: UserId, *, after: str, limit: int) -> list[MyRoom]:
        return await self._queries.call(governance.my_rooms, user_id, after=after, limit=limit)

    async def roster(self, room_id: RoomId, actor: Actor, *, after: str, limit: int) -> list[Member]:
        return await self._queries.call(moderation.roster, room_id, actor, after=after, limit=limit)

    async def restrained(self, room_id: RoomId, actor: Actor, *, after: str, limit: int) -> list[Restrained]:
        return await self._queries.call(moderation.restrained, room_id, actor, after=after, limit=limit)

    async def make_invite(
        self, room_id: RoomId, actor: Actor, code: str, *, uses: int, for_s: int, address: str
    ) -> InviteCode:
        return await self._queries.call(
            invites.make_invite, room_id, From(actor, address), code, uses=uses, for_s=for_s,
            most=self._limits.invites, patience_ms=self._patience_ms,
        )  # fmt: skip

    async def invites(self, room_id: RoomId, actor: Actor) -> list[InviteCode]:
        return await self._queries.call(invites.invites, room_id, actor)

    async def drop_invite(self, room_id: RoomId, actor: Actor, code: str, *, address: str) -> bool:
        by = From(actor, address)
        return await self._queries.call(invites.drop_invite, room_id, by, code, patience_ms=self._patience_ms)

    async def accept(self, code: str, actor: Actor) -> tuple[RoomRecord, Changed]:
        return await self._queries.call(invites.accept, code, actor, patience_ms=self._patience_ms)

    async def report(self, room_id: RoomId, seq: int, reporter: Actor, reason: str) -> int:
        return await self._queries.call(
            moderation.report, room_id, seq, reporter, reason,
            most=self._limits.open_reports, patience_ms=self._patience_ms,
        )  # fmt: skip

    async def reports(self, room_id: RoomId, actor: Actor, *, resolved: bool, after: int, limit: int) -> list[Reported]:
        return await self._queries.call(moderation.reports, room_id, actor, resolved=resolved, after=after, limit=limit)

    async def resolve(self, room_id: RoomId, actor: Actor, number: int, note: str, *, address: str) -> bool:
        by = From(actor, address)
        return await self._queries.call(moderation.resolve, room_id, by, number, note, patience_ms=self._patience_ms)

    async def audit(self, room_id: RoomId, actor: Actor, *, before: int | None, limit: int) -> list[AuditEntry]:
        return await self._queries.call(moderation.audit, room_id, actor, before=before, limit=limit)
