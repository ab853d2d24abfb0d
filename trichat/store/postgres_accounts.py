"""`Accounts` on PostgreSQL: each method is one call of a synchronous function in a thread."""

from __future__ import annotations

from collections.abc import Sequence

from trichat.chat.people_ports import NewLogin
from trichat.core.accounts import Account, Credentials, Ended, Key, LoginSession, ProfileFields, PublicProfile
from trichat.core.chance import Chance
from trichat.core.events import Person
from trichat.core.limits import Limits
from trichat.core.names import UserId
from trichat.store import accounts, logins, profiles
from trichat.store.pool import ConnectionPool


class PostgresAccounts:
    """Implements `Accounts`."""

    def __init__(self, queries: ConnectionPool, limits: Limits, chance: Chance) -> None:
        self._queries = queries
        self._limits = limits
        self._chance = chance

    async def register(self, user_id: UserId, name: str, password_hash: str, login: NewLogin) -> bool:
        return await self._queries.call(
            accounts.register, user_id, name, password_hash, login, session_s=self._limits.session_s
        )

    async def credentials(self, name: str) -> Credentials | None:
        return await self._queries.call(accounts.credentials, name)

    async def credentials_of(self, user_id: UserId) -> Credentials | None:
        return await self._queries.call(accounts.credentials_of, user_id)

    async def log_in(self, user_id: UserId, login: NewLogin) -> None:
        limits = self._limits
        await self._queries.call(
            logins.log_in, user_id, login, session_s=limits.session_s, most=limits.account_sessions
        )

    async def find_login(self, token_hash: bytes, address: str) -> tuple[Account, str] | None:
        limits = self._limits
        return await self._queries.call(
            logins.find_login, token_hash, address, session_s=limits.session_s, touch_s=limits.session_touch_s
        )

    async def touch_logins(self, login_ids: Sequence[str]) -> None:
        limits = self._limits
        await self._queries.call(
            logins.touch_logins, login_ids, session_s=limits.session_s, touch_s=limits.session_touch_s
        )

    async def find_key(self, key_hash: bytes, address: str) -> tuple[Account, Key] | None:
        return await self._queries.call(logins.find_key, key_hash, touch_s=self._limits.session_touch_s)

    async def outside(self, user_id: UserId, issuer: str, subject: str, name: str, display_name: str) -> Account | None:
        return await self._queries.call(
            accounts.outside, user_id, issuer, subject, name,
            display_name=display_name, name_bytes=self._limits.name_bytes,
        )  # fmt: skip

    async def is_active(self, user_id: UserId) -> bool:
        return await self._queries.call(accounts.is_active, user_id)

    async def logins(self, user_id: UserId) -> list[LoginSession]:
        return await self._queries.call(logins.logins, user_id)

    async def end_login(self, user_id: UserId, session_id: str) -> bool:
        return await self._queries.call(logins.end_login, user_id, session_id)

    async def end_logins(self, user_id: UserId, keep: str | None) -> int:
        return await self._queries.call(logins.end_logins, user_id, keep)

    async def ended_since(self, seconds: float) -> list[Ended]:
        return await self._queries.call(logins.ended_since, seconds)

    async def set_password(self, user_id: UserId, password_hash: str, keep: str | None) -> None:
        await self._queries.call(logins.set_password, user_id, password_hash, keep)

    async def refresh_hash(self, user_id: UserId, old: str, new: str) -> None:
        await self._queries.call(accounts.refresh_hash, user_id, old, new)

    async def recover(self, code_hash: bytes, password_hash: str, login: NewLogin) -> Account | None:
        return await self._queries.call(
            logins.recover, code_hash, password_hash, login, session_s=self._limits.session_s
        )

    async def set_totp(self, user_id: UserId, secret: str | None) -> None:
        await self._queries.call(accounts.set_totp, user_id, secret)

    async def use_totp_step(self, user_id: UserId, step: int) -> bool:
        return await self._queries.call(accounts.use_totp_step, user_id, step)

    async def rename(self, user_id: UserId, name: str) -> bool:
        return await self._queries.call(accounts.rename, user_id, name, old_name_kept_s=self._limits.old_name_kept_s)

    async def profile(self, user_id: UserId) -> ProfileFields | None:
        return await self._queries.call(profiles.profile, user_id)

    async def set_profile(self, user_id: UserId, fields: ProfileFields) -> None:
        await self._queries.call(profiles.set_profile, user_id, fields)

    async def whois(self, user: str) -> PublicProfile | None:
        return await self._queries.call(profiles.whois, user)

    async def find_person(self, user: str) -> Person | None:
        return await self._queries.call(profiles.find_person, user)

    async def block(self, user_id: UserId, other: UserId, *, most: int) -> bool:
        return await self._queries.call(profiles.block, user_id, other, most=most)

    async def unblock(self, user_id: UserId, other: UserId) -> bool:
        return await self._queries.call(profiles.unblock, user_id, other)

    async def blocked(self, user_id: UserId) -> list[Person]:
        return await self._queries.call(profiles.blocked, user_id)

    async def blocks_between(self, one: UserId, other: UserId) -> bool:
        return await self._queries.call(profiles.blocks_between, one, other)
