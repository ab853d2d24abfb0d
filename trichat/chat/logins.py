"""On which devices one is logged in, and the end of that."""

from __future__ import annotations

from trichat.chat.accounts import demand_person, end_own_login
from trichat.chat.session import Session
from trichat.core.closing import LOGGED_OUT
from trichat.core.commands_people import Revoke, Sessions
from trichat.core.errors import Refusal
from trichat.core.replies import Ok
from trichat.core.replies_people import LoginsPage, listed_login

_HOW = 'say a session as {"type":"sessions"} lists it, or "all":true for all others'


async def sessions(session: Session, command: Sessions) -> None:
    """List one's logins."""
    account = demand_person(session)
    found = await session.hub.store.accounts.logins(account.user_id)
    listed = [listed_login(login, session.login_id) for login in found]
    session.reply(LoginsPage(id=command.id, sessions=listed))


async def revoke(session: Session, command: Revoke) -> None:
    """End one of one's logins (perhaps this very one), or all others."""
    account, hub = demand_person(session), session.hub
    if command.all == bool(command.session):
        raise Refusal("bad_field", _HOW, field="session")
    own = command.session and command.session == session.login_id
    if command.all:
        await hub.store.accounts.end_logins(account.user_id, session.login_id)
        hub.revocation.ended_here(account.user_id, keep=session.login_id)
    elif own:
        await end_own_login(session, account, command.session)
    elif await hub.store.accounts.end_login(account.user_id, command.session):
        hub.revocation.ended_here(account.user_id, command.session)
    else:
        raise Refusal("bad_field", f"you have no such session; {_HOW}", field="session")
    session.reply(Ok(id=command.id, for_="revoke", user=account.name, user_id=account.user_id))
    if own:
        session.close(LOGGED_OUT)
