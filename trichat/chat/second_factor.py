"""The second factor: offered, confirmed, removed."""

from __future__ import annotations

from trichat.chat.accounts import demand_own_password, demand_person
from trichat.chat.passwords import demand_password
from trichat.chat.session import Session
from trichat.core.accounts import Account
from trichat.core.commands_people import Totp
from trichat.core.errors import CommandId, Refusal
from trichat.core.replies import Ok
from trichat.core.replies_people import TotpOffer


async def totp(session: Session, command: Totp) -> None:
    """Without fields: offer a secret. With `code`: confirm it. With `off`: remove the second factor."""
    account = demand_person(session)
    demand_own_password(account)
    if command.off:
        await _remove(session, account, command.password)
    elif command.code:
        await _confirm(session, account, command.code)
    else:
        return await _offer(session, account, command.id)
    return session.reply(Ok(id=command.id, for_="totp", user=account.name, user_id=account.user_id))


async def _offer(session: Session, account: Account, command_id: CommandId) -> None:
    stored = await session.hub.store.accounts.credentials_of(account.user_id)
    if stored is not None and stored.totp_secret is not None:
        raise Refusal("bad_state", 'you have a second factor; {"type":"totp","off":true,"password":"…"} removes it')
    vault = session.hub.vault
    secret = session.offered_totp = vault.new_totp_secret()
    session.reply(TotpOffer(id=command_id, secret=secret, uri=vault.totp_uri(secret, account.name)))


async def _confirm(session: Session, account: Account, code: str) -> None:
    hub, secret = session.hub, session.offered_totp
    if secret is None:
        raise Refusal("bad_state", 'there is nothing to confirm; {"type":"totp"} gives you a secret')
    step = hub.vault.check_totp(secret, code, hub.wall_clock(), 0)
    if step is None:
        raise Refusal("unauthenticated", "this code is not of the secret that you were given", field="code")
    await hub.store.accounts.set_totp(account.user_id, secret)
    session.offered_totp = None
    await hub.store.accounts.use_totp_step(account.user_id, step)  # a code counts once, this one too


async def _remove(session: Session, account: Account, password: str) -> None:
    accounts = session.hub.store.accounts
    session.hub.password_throttle.demand(session.address, account.name)
    await demand_password(session, await accounts.credentials_of(account.user_id), password, "password")
    await accounts.set_totp(account.user_id, None)
