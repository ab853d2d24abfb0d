"""Passwords and second factors, as commands check them: counted when wrong, in the same words for all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from trichat.chat.identity import refuse_credentials
from trichat.chat.session import Session
from trichat.chat.vault_port import VaultBusy
from trichat.core.accounts import Credentials
from trichat.core.errors import Refusal

#: Milliseconds after which somebody who found the queue of passwords full may try again.
_BUSY_MS: Final = 1_000


async def hash_password(session: Session, password: str, field: str) -> str:
    """The hash to keep. Raises Refusal about `field`."""
    with _about(field):
        return await session.hub.vault.hash_password(password)


async def demand_password(session: Session, stored: Credentials | None, password: str, field: str) -> str:
    """`password` is that of an active account; its hash. Raises Refusal, about nobody (None) in equal time and words.

    Call the throttle before.
    """
    with _about(field):
        right = await session.hub.vault.check_password(None if stored is None else stored.password_hash, password)
    if stored is None or stored.password_hash is None or not right or not stored.account.active:
        refuse_credentials(session, _WRONG.get(field, _WRONG["password"]), field)
    return stored.password_hash


#: What a wrong password is called, by the field in which it stood.
_WRONG: Final = {
    "password": "no account has this name and this password",
    "old": "this is not the password of now",
}


async def demand_code(session: Session, stored: Credentials, code: str) -> None:
    """`code` is one of the account's authenticator, where it has one, and was not used yet. Raises Refusal."""
    if stored.totp_secret is None:
        return
    hub, account = session.hub, stored.account
    if not code:
        raise Refusal("unauthenticated", "say the code that your authenticator shows as well", field="code")
    step = hub.vault.check_totp(stored.totp_secret, code, hub.wall_clock(), stored.totp_step)
    if step is None or not await hub.store.accounts.use_totp_step(account.user_id, step):
        refuse_credentials(session, "this code is wrong, too old, or was used before", "code")


async def demand_unchanged(session: Session, stored: Credentials) -> None:
    """Nobody has changed the password since `stored` was read. Raises Refusal."""
    now = await session.hub.store.accounts.credentials_of(stored.account.user_id)
    if now is None or not now.account.active or now.password_hash != stored.password_hash:
        raise Refusal("unavailable", "this account was changed just now; try again", retry_after_ms=0)


@contextmanager
def _about(field: str) -> Iterator[None]:
    """What the vault refuses is said of `field`."""
    try:
        yield
    except VaultBusy:
        said = "many passwords are being looked at; try again in a moment"
        raise Refusal("unavailable", said, retry_after_ms=_BUSY_MS) from None
    except Refusal as refusal:
        refusal.field = field
        raise
