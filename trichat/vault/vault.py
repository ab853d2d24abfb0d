"""The vault, opened: the port `trichat.chat.vault_port` on argon2, PyJWT and pyotp."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from argon2 import Parameters, PasswordHasher

from trichat.chat.figures import Figures
from trichat.chat.vault_port import OutsideIdentity, Vault
from trichat.core.limits import Limits
from trichat.vault import totp
from trichat.vault.outside import OutsideSettings, OutsideTokens, open_outside_tokens
from trichat.vault.passwords import COST, Passwords


@asynccontextmanager
async def open_vault(
    settings: OutsideSettings, limits: Limits, cost: Parameters = COST, *, figures: Figures | None = None
) -> AsyncIterator[Vault]:
    """A vault with the keys that `settings` name, renewed until the end. `cost` is lowered by tests alone.

    Keys at an URL that cannot be had yet are a warning, and fetched later. Raises VaultUnusable about a file.
    """
    passwords = Passwords(limits, PasswordHasher.from_parameters(cost), figures)
    outside = await open_outside_tokens(settings, limits)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outside.run_renewal)
        yield _OpenVault(passwords, outside)
        nursery.cancel_scope.cancel(reason="the vault is closed")


class _OpenVault:
    def __init__(self, passwords: Passwords, outside: OutsideTokens) -> None:
        self._passwords = passwords
        self._outside = outside

    async def hash_password(self, password: str) -> str:
        return await self._passwords.hash(password)

    async def check_password(self, stored: str | None, password: str) -> bool:
        return await self._passwords.check(stored, password)

    def outdated(self, stored: str) -> bool:
        return self._passwords.outdated(stored)

    @property
    def takes_outside_tokens(self) -> bool:
        return self._outside.taken

    async def read_outside_token(self, token: str) -> OutsideIdentity | None:
        return await self._outside.read(token)

    def new_totp_secret(self) -> str:
        return totp.new_secret()

    def totp_uri(self, secret: str, name: str) -> str:
        return totp.uri(secret, name)

    def check_totp(self, secret: str, code: str, now: float, last_step: int) -> int | None:
        return totp.check(secret, code, now, last_step)
