"""The twin in memory of `store/administration.py`, `keys.py`, `export.py` and `erasure.py`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from math import inf

from msgspec import structs

from trichat.chat.administration_port import ExportPart
from trichat.core.account_names import skeleton
from trichat.core.accounts import ERASED, Account, AccountKind, AuditEntry, Ended, Key, MyRoom, Reported
from trichat.core.doctor import Part
from trichat.core.names import RoomName, UserId, given_name, name_key
from trichat.core.standing import Role, Scope, is_account
from trichat.store import memory_personal
from trichat.store.administration import demand_active, demand_kind, demand_no_bot, no_such_account
from trichat.store.memory_examination import examined
from trichat.store.memory_moderation import all_reports, resolve_any
from trichat.store.memory_state import MemoryState, StoredAudit, StoredKey, StoredRoom, StoredUser
from trichat.store.personal_rows import SECTIONS


class MemoryAdministration:
    """Implements `Administration`."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    # accounts

    async def find(self, user: str) -> Account | None:
        await self._state.begin()
        found = self._state.users.get(UserId(user)) or self._holder(user)
        self._state.end()
        return None if found is None else found.account

    async def add_person(self, user_id: UserId, name: str, password_hash: str | None, *, operator: str) -> bool:
        return await self._add(user_id, name, "person", password_hash, operator=operator)

    async def add_bot(self, user_id: UserId, name: str, *, operator: str) -> bool:
        return await self._add(user_id, name, "bot", None, operator=operator)

    async def _add(
        self, user_id: UserId, name: str, kind: AccountKind, password_hash: str | None, *, operator: str
    ) -> bool:
        state = self._state
        await state.begin()
        free = state.take_name(user_id, name, kept_s=None)
        if free:
            account = Account(user_id=user_id, name=name, kind=kind)
            state.users[user_id] = StoredUser(account, state.now, password_hash)
            self._note(operator, "add_bot" if kind == "bot" else "add_user", account)
        state.end()
        return free

    async def set_password(self, user_id: UserId, password_hash: str, *, operator: str) -> None:
        await self._state.begin()
        user = self._user(user_id)
        demand_kind(user.account, "person")
        user.password_hash, user.recovery = password_hash, None
        self._note(operator, "password", user.account)
        self._end_logins(user_id, None)
        self._state.end()

    async def set_recovery(self, user_id: UserId, code_hash: bytes, *, operator: str) -> None:
        state = self._state
        await state.begin()
        user = self._user(user_id)
        demand_kind(user.account, "person")
        user.recovery = (code_hash, state.now + round(state.limits.recovery_s * 1000))
        self._note(operator, "recovery", user.account)
        state.end()

    async def set_active(self, user_id: UserId, active: bool, *, operator: str) -> None:
        state = self._state
        await state.begin()
        user = self._user(user_id)
        user.account = structs.replace(user.account, active=active)
        self._note(operator, "activate" if active else "deactivate", user.account)
        if active:
            state.ended = [(at, ended) for at, ended in state.ended if ended != Ended(user_id, None)]
        else:
            self._end_everything(user_id)
        state.end()

    async def set_admin(self, user_id: UserId, admin: bool, *, operator: str) -> None:
        await self._state.begin()
        user = self._user(user_id)
        was = demand_no_bot(user.account).admin
        user.account = structs.replace(user.account, admin=admin)
        self._note(operator, "admin" if admin else "unadmin", user.account)
        if was and not admin:
            self._end_logins(user_id, None)
            self._say_ended(user_id, None)
        self._state.end()

    async def end_logins(self, user_id: UserId, session_id: str | None, *, operator: str) -> int:
        await self._state.begin()
        account = self._user(user_id).account
        if ended := self._end_logins(user_id, session_id):
            self._note(operator, "revoke", account, session_id or "all")
        self._state.end()
        return ended

    # lists

    async def users(self, *, after: str, limit: int) -> list[Account]:
        await self._state.begin()
        accounts = [user.account for user in self._state.users.values() if user.account.name > after]
        self._state.end()
        shown = [account for account in accounts if account.active or account.name != ERASED]
        return sorted(shown, key=lambda account: account.name)[:limit]

    async def rooms(self, *, after: str, limit: int) -> list[MyRoom]:
        await self._state.begin()
        records = [room.record for name, room in sorted(self._state.rooms_by_name.items()) if name > after]
        self._state.end()
        return [
            MyRoom(id=r.id, room=r.name, kind=r.rules.kind, title=r.rules.title, role=Role.OWNER, seq=r.head)
            for r in records[:limit]
        ]

    async def delete_room(self, name: RoomName, *, operator: str) -> bool:
        state = self._state
        await state.begin()
        room = state.rooms_by_name.pop(name, None)
        if room is not None:
            del state.rooms[room.id]
            state.invites = [invite for invite in state.invites if invite.room_id != room.id]
            state.reports = [stored for stored in state.reports if stored.room_id != room.id]
            self._note(operator, "delete", room=room)
        state.end()
        return room is not None

    async def audit(self, *, before: int | None, limit: int) -> list[AuditEntry]:
        await self._state.begin()
        entries = [stored.entry for stored in reversed(self._state.audit)]
        self._state.end()
        return [entry for entry in entries if before is None or entry.number < before][:limit]

    async def reports(self, *, resolved: bool, after: int, limit: int) -> list[tuple[RoomName, Reported]]:
        await self._state.begin()
        found = all_reports(self._state, resolved=resolved)
        self._state.end()
        return [(room, report) for room, report in found if report.number > after][:limit]

    async def resolve(self, number: int, note: str, *, operator: str) -> bool:
        await self._state.begin()
        room = resolve_any(self._state, number, note)
        if room is not None:
            self._note(operator, "resolve", reason=note, room=room)
        self._state.end()
        return room is not None

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
        await self._state.begin()
        account = demand_active(demand_kind(self._user(user_id).account, "bot"))
        key = Key(id=key_id, scopes=frozenset(scopes), rooms=None if rooms is None else frozenset(rooms))
        self._state.keys[key_id] = StoredKey(user_id, key_hash, key)
        self._note(operator, "add_key", account, key_id)
        self._state.end()

    async def keys(self, user_id: UserId) -> list[Key]:
        await self._state.begin()
        keys = [stored.key for stored in self._state.keys.values() if stored.user_id == user_id]
        self._state.end()
        return keys

    async def rotate_key(self, key_id: str, new_id: str, new_hash: bytes, *, operator: str) -> bool:
        state = self._state
        await state.begin()
        old = state.keys.get(key_id)
        if old is not None:
            new = StoredKey(old.user_id, new_hash, structs.replace(old.key, id=new_id))
            # in the old one's place: a list of keys is in the order of their making
            state.keys = {new.key.id if k == key_id else k: new if k == key_id else v for k, v in state.keys.items()}
            self._key_ended(old, operator, "rotate_key")
        state.end()
        return old is not None

    async def end_key(self, key_id: str, *, operator: str) -> bool:
        await self._state.begin()
        old = self._state.keys.pop(key_id, None)
        if old is not None:
            self._key_ended(old, operator, "end_key")
        self._state.end()
        return old is not None

    async def add_secret(self, secret: bytes, *, operator: str) -> int:
        await self._state.begin()
        number = max(self._state.secrets, default=0) + 1
        self._state.secrets[number] = secret
        self._state.changes += 1
        self._note(operator, "add_secret", reason=str(number))
        self._state.end()
        return number

    async def drop_secret(self, number: int, *, operator: str) -> bool:
        await self._state.begin()
        dropped = number in self._state.secrets and number < max(self._state.secrets)
        if dropped:
            del self._state.secrets[number]
            self._state.changes += 1
            self._note(operator, "drop_secret", reason=str(number))
        self._state.end()
        return dropped

    # all about one person

    async def export(self, user_id: UserId, *, operator: str) -> AsyncGenerator[ExportPart, None]:
        await self._state.begin()
        account = self._user(user_id).account if is_account(user_id) else None
        self._note(operator, "export", account or Account(user_id=user_id, name=given_name(user_id)))
        self._state.end()
        for section in SECTIONS:
            await self._state.begin()
            rows = memory_personal.read_section(self._state, section, user_id)
            self._state.end()
            yield ExportPart(section, rows)

    async def erase(self, user_id: UserId, *, operator: str) -> None:
        await self._state.begin()
        if is_account(user_id):
            self._user(user_id)
            self._end_everything(user_id)
        self._note(operator, "erase", Account(user_id=user_id, name=ERASED))
        memory_personal.erase(self._state, user_id)
        self._state.changes += 1
        self._state.end()

    async def examine(self, room: RoomName) -> AsyncGenerator[Part, None]:
        await self._state.begin()
        stored = self._state.rooms_by_name.get(room)
        parts = [] if stored is None else examined(stored)
        self._state.end()
        for part in parts:
            yield part

    # parts of the above

    def _user(self, user_id: UserId) -> StoredUser:
        if user_id not in self._state.users:
            raise no_such_account(user_id)
        return self._state.users[user_id]

    def _holder(self, name: str) -> StoredUser | None:
        held = self._state.names.get(skeleton(name))
        if held is None or held.free_at < inf or name_key(held.name) != name_key(name):
            return None
        return self._state.users.get(held.user_id)

    def _end_everything(self, user_id: UserId) -> None:
        self._end_logins(user_id, None)
        for key_id in [key_id for key_id, key in self._state.keys.items() if key.user_id == user_id]:
            del self._state.keys[key_id]
            self._say_ended(user_id, key_id)
        self._say_ended(user_id, None)

    def _end_logins(self, user_id: UserId, session_id: str | None) -> int:
        gone = [
            login_id
            for login_id, login in self._state.logins.items()
            if login.user_id == user_id and session_id in (None, login_id)
        ]
        for login_id in gone:
            self._state.end_login(login_id)
        return len(gone)

    def _key_ended(self, key: StoredKey, operator: str, act: str) -> None:
        self._note(operator, act, self._state.users[key.user_id].account, key.key.id)
        self._say_ended(key.user_id, key.key.id)

    def _say_ended(self, user_id: UserId, session_id: str | None) -> None:
        self._state.ended.append((self._state.now, Ended(user_id, session_id)))

    def _note(
        self,
        operator: str,
        act: str,
        target: Account | None = None,
        reason: str = "",
        *,
        room: StoredRoom | None = None,
    ) -> None:
        state = self._state
        entry = AuditEntry(
            number=len(state.audit) + 1,
            at=state.now,
            actor=operator,
            actor_id=None,
            act=act,
            room=None if room is None else room.name,
            target=None if target is None else target.name,
            target_id=None if target is None else target.user_id,
            reason=reason,
        )
        state.audit.append(StoredAudit(None if room is None else room.id, entry))
