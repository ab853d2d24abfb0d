"""`Administration` on PostgreSQL: each method is one call of a synchronous function in a thread, or several."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from trichat.chat.administration_port import ExportPart
from trichat.core.accounts import Account, AuditEntry, Key, MyRoom, Reported
from trichat.core.chance import Chance
from trichat.core.doctor import IndexPage, LogPage, Part, TablePage
from trichat.core.limits import Limits
from trichat.core.names import RoomId, RoomName, UserId
from trichat.core.standing import Scope
from trichat.store import administration, erasing_events, erasure, examination, export, keys, moderation
from trichat.store.personal_rows import SECTIONS
from trichat.store.pool import ConnectionPool, HeldConnection


class PostgresAdministration:
    """Implements `Administration`."""

    def __init__(self, queries: ConnectionPool, limits: Limits, chance: Chance) -> None:
        self._queries = queries
        self._limits = limits
        self._chance = chance
        self.portion = erasure.PORTION
        self.examined = examination.PORTION

    async def find(self, user: str) -> Account | None:
        return await self._queries.call(administration.find, user)

    async def add_person(self, user_id: UserId, name: str, password_hash: str | None, *, operator: str) -> bool:
        return await self._queries.call(administration.add, user_id, name, "person", password_hash, operator=operator)

    async def add_bot(self, user_id: UserId, name: str, *, operator: str) -> bool:
        return await self._queries.call(administration.add, user_id, name, "bot", None, operator=operator)

    async def set_password(self, user_id: UserId, password_hash: str, *, operator: str) -> None:
        await self._queries.call(administration.set_password, user_id, password_hash, operator=operator)

    async def set_recovery(self, user_id: UserId, code_hash: bytes, *, operator: str) -> None:
        await self._queries.call(
            administration.set_recovery, user_id, code_hash, recovery_s=self._limits.recovery_s, operator=operator
        )

    async def set_active(self, user_id: UserId, active: bool, *, operator: str) -> None:
        await self._queries.call(administration.set_active, user_id, active, operator=operator)

    async def set_admin(self, user_id: UserId, admin: bool, *, operator: str) -> None:
        await self._queries.call(administration.set_admin, user_id, admin, operator=operator)

    async def end_logins(self, user_id: UserId, session_id: str | None, *, operator: str) -> int:
        return await self._queries.call(administration.end_logins, user_id, session_id, operator=operator)

    async def users(self, *, after: str, limit: int) -> list[Account]:
        return await self._queries.call(administration.users, after=after, limit=limit)

    async def rooms(self, *, after: str, limit: int) -> list[MyRoom]:
        return await self._queries.call(administration.rooms, after=after, limit=limit)

    async def delete_room(self, name: RoomName, *, operator: str) -> bool:
        return await self._queries.call(administration.delete_room, name, operator=operator)

    async def audit(self, *, before: int | None, limit: int) -> list[AuditEntry]:
        return await self._queries.call(administration.audit, before=before, limit=limit)

    async def reports(self, *, resolved: bool, after: int, limit: int) -> list[tuple[RoomName, Reported]]:
        return await self._queries.call(moderation.all_reports, resolved=resolved, after=after, limit=limit)

    async def resolve(self, number: int, note: str, *, operator: str) -> bool:
        return await self._queries.call(moderation.resolve_any, number, note, operator=operator)

    # keys and secrets

    async def add_key(
        self,
        key_id: str,
        user_id: UserId,
        key_hash: bytes,
        scopes: Sequence[Scope],
        rooms: Sequence[RoomName] | None,
        *,
        operator: str,
    ) -> None:
        await self._queries.call(keys.add_key, key_id, user_id, key_hash, scopes=scopes, rooms=rooms, operator=operator)

    async def keys(self, user_id: UserId) -> list[Key]:
        return await self._queries.call(keys.keys, user_id)

    async def rotate_key(self, key_id: str, new_id: str, new_hash: bytes, *, operator: str) -> bool:
        return await self._queries.call(keys.rotate_key, key_id, new_id, new_hash, operator=operator)

    async def end_key(self, key_id: str, *, operator: str) -> bool:
        return await self._queries.call(keys.end_key, key_id, operator=operator)

    async def add_secret(self, secret: bytes, *, operator: str) -> int:
        return await self._queries.call(keys.add_secret, secret, operator=operator)

    async def drop_secret(self, number: int, *, operator: str) -> bool:
        return await self._queries.call(keys.drop_secret, number, operator=operator)

    # all about one person

    async def export(self, user_id: UserId, *, operator: str) -> AsyncGenerator[ExportPart, None]:
        await self._queries.call(export.begin, user_id, operator=operator)
        for section in SECTIONS:
            if section == "audit":
                parts = self._audit(user_id)
            elif section == "events":
                parts = self._events(user_id)
            else:
                yield ExportPart(section, await self._queries.call(export.read_section, section, user_id))
                continue
            async for part in parts:
                yield part

    async def _audit(self, user_id: UserId) -> AsyncGenerator[ExportPart, None]:
        after: int | None = 0
        while after is not None:
            rows, after = await self._queries.call(export.read_audit, user_id, after, self.portion)
            yield ExportPart("audit", rows)

    async def _events(self, user_id: UserId) -> AsyncGenerator[ExportPart, None]:
        after: erasure.Place | None = erasure.START
        while after is not None:
            rows, after = await self._queries.call(export.read_events, user_id, after, self.portion)
            yield ExportPart("events", rows)

    async def erase(self, user_id: UserId, *, operator: str) -> None:
        await self._queries.call(erasure.begin, user_id, operator=operator)
        place: erasure.Place | None = erasure.START
        while place is not None:
            place = await self._queries.call(erasing_events.erase_events, user_id, place, self.portion)
        entry: int | None = 0
        while entry is not None:
            entry = await self._queries.call(erasure.erase_audit, user_id, entry, self.portion)
        await self._queries.call(erasure.finish, user_id)

    # what is stored of a room

    async def examine(self, room: RoomName) -> AsyncGenerator[Part, None]:
        async with self._queries.holding() as held:
            figures = await held.call(examination.begin, room)
            if figures is None:
                return
            yield figures
            after: int | None = -1
            while after is not None:
                entries = await held.call(examination.read_log, figures.id, after, self.examined)
                yield LogPage(entries)
                after = entries[-1].seq if len(entries) == self.examined else None
            for side in examination.SIDES:
                async for page in self._side(held, figures.id, side):
                    yield page
            after = -1
            while after is not None:
                seqs = await held.call(examination.read_index, figures.id, after, self.examined)
                yield IndexPage(seqs)
                after = seqs[-1] if len(seqs) == self.examined else None

    async def _side(
        self, held: HeldConnection, room_id: RoomId, side: examination.Side
    ) -> AsyncGenerator[TablePage, None]:
        after: Sequence[int | str] | None = side.least
        while after is not None:
            rows = await held.call(examination.read_side, room_id, side, after, self.examined)
            yield TablePage(rows)
            after = rows[-1].key if len(rows) == self.examined else None
