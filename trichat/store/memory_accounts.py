"""The twin in memory of `store/accounts.py`, `logins.py` and `profiles.py`."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from msgspec import structs

from trichat.chat.people_ports import NewLogin
from trichat.core.account_names import skeleton
from trichat.core.accounts import Account, Credentials, Ended, Key, LoginSession, ProfileFields, PublicProfile
from trichat.core.events import Person
from trichat.core.names import UserId, given_name, name_key
from trichat.core.standing import is_account
from trichat.store.accounts import outside_names
from trichat.store.memory_state import MemoryState, StoredLogin, StoredUser


class MemoryAccounts:
    """Implements `Accounts`."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    # accounts

    async def register(self, user_id: UserId, name: str, password_hash: str, login: NewLogin) -> bool:
        state = self._state
        await state.begin()
        free = state.take_name(user_id, name, kept_s=None)
        if free:
            account = Account(user_id=user_id, name=name)
            state.users[user_id] = StoredUser(account, state.now, password_hash)
            self._keep(user_id, login)
        state.end()
        return free

    async def credentials(self, name: str) -> Credentials | None:
        await self._state.begin()
        holder = self._holder(name)
        found = None if holder is None else _credentials(self._state.users.get(holder.user_id))
        self._state.end()
        return found

    async def credentials_of(self, user_id: UserId) -> Credentials | None:
        await self._state.begin()
        found = _credentials(self._state.users.get(user_id))
        self._state.end()
        return found

    async def outside(self, user_id: UserId, issuer: str, subject: str, name: str, display_name: str) -> Account | None:
        state = self._state
        await state.begin()
        user = next((user for user in state.users.values() if user.outside == (issuer, subject)), None)
        if user is None:
            names = outside_names(name, user_id, name_bytes=state.limits.name_bytes)
            free = next(candidate for candidate in names if state.take_name(user_id, candidate, kept_s=None))
            account = Account(user_id=user_id, name=free, kind="outside")
            user = StoredUser(account, state.now, profile=ProfileFields(display_name=display_name))
            user.outside = (issuer, subject)
            state.users[user_id] = user
        state.end()
        return user.account if user.account.active else None

    async def is_active(self, user_id: UserId) -> bool:
        await self._state.begin()
        user = self._state.users.get(user_id)
        self._state.end()
        return user is not None and user.account.active

    async def refresh_hash(self, user_id: UserId, old: str, new: str) -> None:
        await self._state.begin()
        user = self._state.users.get(user_id)
        if user is not None and user.password_hash == old:
            user.password_hash = new
        self._state.end()

    async def set_totp(self, user_id: UserId, secret: str | None) -> None:
        await self._state.begin()
        if (user := self._state.users.get(user_id)) is not None:
            user.totp_secret = secret
        self._state.end()

    async def use_totp_step(self, user_id: UserId, step: int) -> bool:
        await self._state.begin()
        user = self._state.users.get(user_id)
        fresh = user is not None and user.totp_step < step
        if user is not None and fresh:
            user.totp_step = step
        self._state.end()
        return fresh

    async def rename(self, user_id: UserId, name: str) -> bool:
        state = self._state
        await state.begin()
        user = state.users.get(user_id)
        taken = user is not None and state.take_name(user_id, name, kept_s=None)
        if user is not None and taken:
            old = state.names.get(skeleton(user.account.name))
            user.account = structs.replace(user.account, name=name)
            if old is not None and old is not state.names[skeleton(name)]:
                old.free_at = state.clock() + state.limits.old_name_kept_s
        state.end()
        return taken

    # logins and keys

    async def log_in(self, user_id: UserId, login: NewLogin) -> None:
        state = self._state
        await state.begin()
        self._keep(user_id, login)
        mine = [one.session for one in state.logins.values() if one.user_id == user_id]
        mine.sort(key=lambda session: (session.seen, session.created))
        for session in mine[: -state.limits.account_sessions]:
            state.end_login(session.id)
        state.end()

    async def find_login(self, token_hash: bytes, address: str) -> tuple[Account, str] | None:
        state = self._state
        await state.begin()
        login = next((login for login in state.logins.values() if login.token_hash == token_hash), None)
        user = None if login is None or login.expires <= state.now else state.users.get(login.user_id)
        found = None
        if login is not None and user is not None and user.account.active:
            if login.session.seen <= state.now - state.limits.session_touch_s * 1000:
                login.session = structs.replace(login.session, seen=state.now, address=address)
                login.expires = state.now + round(state.limits.session_s * 1000)
            found = (user.account, login.session.id)
        state.end()
        return found

    async def touch_logins(self, login_ids: Sequence[str]) -> None:
        state = self._state
        await state.begin()
        used_at = state.now - round(state.limits.session_touch_s * 1000)
        for login in [state.logins[login_id] for login_id in login_ids if login_id in state.logins]:
            if login.expires > state.now:
                login.session = structs.replace(login.session, seen=max(login.session.seen, used_at))
                login.expires = state.now + round(state.limits.session_s * 1000)
        state.end()

    async def find_key(self, key_hash: bytes, address: str) -> tuple[Account, Key] | None:
        await self._state.begin()
        key = next((key for key in self._state.keys.values() if key.key_hash == key_hash), None)
        user = None if key is None else self._state.users.get(key.user_id)
        self._state.end()
        return None if key is None or user is None or not user.account.active else (user.account, key.key)

    async def logins(self, user_id: UserId) -> list[LoginSession]:
        state = self._state
        await state.begin()
        lasting = [one for one in state.logins.values() if one.user_id == user_id and one.expires > state.now]
        sessions = [one.session for one in reversed(lasting)]
        state.end()
        return sorted(sessions, key=lambda session: -session.created)

    async def end_login(self, user_id: UserId, session_id: str) -> bool:
        await self._state.begin()
        login = self._state.logins.get(session_id)
        mine = login is not None and login.user_id == user_id
        if mine:
            self._state.end_login(session_id)
        self._state.end()
        return mine

    async def end_logins(self, user_id: UserId, keep: str | None) -> int:
        await self._state.begin()
        count = self._end_all(user_id, keep)
        self._state.end()
        return count

    async def ended_since(self, seconds: float) -> list[Ended]:
        await self._state.begin()
        oldest = self._state.now - seconds * 1000
        ended = [ended for at, ended in self._state.ended if at > oldest]
        self._state.end()
        return ended

    async def set_password(self, user_id: UserId, password_hash: str, keep: str | None) -> None:
        await self._state.begin()
        user = self._state.users.get(user_id)
        if user is not None:
            user.password_hash, user.recovery = password_hash, None
        self._end_all(user_id, keep)
        self._state.end()

    async def recover(self, code_hash: bytes, password_hash: str, login: NewLogin) -> Account | None:
        state = self._state
        await state.begin()
        user = next((user for user in state.users.values() if user.recovery and user.recovery[0] == code_hash), None)
        account = None
        if user is not None and user.recovery is not None and user.recovery[1] > state.now and user.account.active:
            account = user.account
            user.password_hash, user.totp_secret, user.recovery = password_hash, None, None
            self._keep(account.user_id, login)
            self._end_all(account.user_id, login.id)
        state.end()
        return account

    def _keep(self, user_id: UserId, login: NewLogin) -> None:
        state = self._state
        session = LoginSession(
            id=login.id, device=login.device, address=login.address, created=state.now, seen=state.now
        )
        expires = state.now + round(state.limits.session_s * 1000)
        state.logins[login.id] = StoredLogin(user_id, login.token_hash, session, expires)

    def _end_all(self, user_id: UserId, keep: str | None) -> int:
        gone = [one for one, login in self._state.logins.items() if login.user_id == user_id and one != keep]
        for login_id in gone:
            self._state.end_login(login_id)
        return len(gone)

    # who is who

    async def profile(self, user_id: UserId) -> ProfileFields | None:
        await self._state.begin()
        user = self._state.users.get(user_id)
        self._state.end()
        return None if user is None else user.profile

    async def set_profile(self, user_id: UserId, fields: ProfileFields) -> None:
        await self._state.begin()
        if (user := self._state.users.get(user_id)) is not None:
            user.profile = fields
        self._state.end()

    async def whois(self, user: str) -> PublicProfile | None:
        await self._state.begin()
        person = self._person(user)
        found = None if person is None else self._state.users.get(person.user_id)
        self._state.end()
        if found is None or not found.account.active:
            return None
        account, public = found.account, structs.replace(found.profile, locale="", time_zone="")
        return PublicProfile(
            user=account.name, user_id=account.user_id, kind=account.kind, created=found.created, profile=public
        )

    async def find_person(self, user: str) -> Person | None:
        await self._state.begin()
        person = self._person(user)
        self._state.end()
        return person

    def _person(self, user: str) -> Person | None:
        if user.startswith("g_") or UserId(user) in self._state.users:
            return Person(self._name_of(UserId(user)), UserId(user))
        return self._holder(user)

    def _holder(self, name: str) -> Person | None:
        """Who goes by exactly this name; an account's name of before is only reserved."""
        held = self._state.names.get(skeleton(name))
        if held is None or not self._state.kept(held) or name_key(held.name) != name_key(name):
            return None
        if is_account(held.user_id) and held.free_at < inf:
            return None
        return Person(held.name, held.user_id)

    def _name_of(self, user_id: UserId) -> str:
        if (user := self._state.users.get(user_id)) is not None:
            return user.account.name
        held = [held for held in self._state.names.values() if held.user_id == user_id and self._state.kept(held)]
        return held[0].name if held else given_name(user_id)

    async def block(self, user_id: UserId, other: UserId, *, most: int) -> bool:
        await self._state.begin()
        mine = self._state.blocks.setdefault(user_id, set())
        allowed = len(mine - {other}) < most
        if allowed:
            mine.add(other)
        self._state.end()
        return allowed

    async def unblock(self, user_id: UserId, other: UserId) -> bool:
        await self._state.begin()
        mine = self._state.blocks.get(user_id, set())
        there = other in mine
        mine.discard(other)
        self._state.end()
        return there

    async def blocked(self, user_id: UserId) -> list[Person]:
        await self._state.begin()
        people = [Person(self._name_of(other), other) for other in self._state.blocks.get(user_id, ())]
        self._state.end()
        return sorted(people, key=lambda person: (person.user, person.user_id))

    async def blocks_between(self, one: UserId, other: UserId) -> bool:
        await self._state.begin()
        blocks = self._state.blocks
        found = other in blocks.get(one, ()) or one in blocks.get(other, ())
        self._state.end()
        return found


def _credentials(user: StoredUser | None) -> Credentials | None:
    if user is None:
        return None
    return Credentials(user.account, user.password_hash, user.totp_secret, user.totp_step)
