"""What the chat needs of cryptography: passwords, second factors, and tokens that another site has signed."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class VaultBusy(Exception):
    """Too many passwords wait to be hashed already: come back in a moment."""


class OutsideIdentity(Struct, frozen=True):
    """Who a token of another site speaks of. `expires_at` is in seconds since 1970."""

    issuer: str
    subject: str
    name: str
    display_name: str
    expires_at: float


class Vault(Protocol):
    """Hashing takes a thread each, two at a time; the rest is quick. `trichat.vault` implements it."""

    async def hash_password(self, password: str) -> str:
        """An argon2id hash with its parameters and salt. Raises VaultBusy; Refusal for what can be no password."""
        ...

    async def check_password(self, stored: str | None, password: str) -> bool:
        """Whether `password` is the one that was hashed; for None, False after the same time.

        Raises VaultBusy; Refusal for what can be no password, whatever `stored` is.
        """
        ...

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with weaker parameters than today's: hash the password anew."""
        ...

    @property
    def takes_outside_tokens(self) -> bool:
        """Whether tokens of another site are accepted at all."""
        ...

    async def read_outside_token(self, token: str) -> OutsideIdentity | None:
        """Whom a signed, valid, unexpired token of the trusted issuer names; None for any other text."""
        ...

    def new_totp_secret(self) -> str:
        """A new secret for an authenticator, in base32."""
        ...

    def totp_uri(self, secret: str, name: str) -> str:
        """What an authenticator scans: `otpauth://totp/…`."""
        ...

    def check_totp(self, secret: str, code: str, now: float, last_step: int) -> int | None:
        """The time step of a right code that is later than `last_step` (each counts once), else None.

        `now` in seconds since 1970; steps of 30 s, one step of clock error either way.
        """
        ...
