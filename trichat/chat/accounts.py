"""Accounts: made, logged in to, recovered, renamed, their passwords changed."""

from __future__ import annotations

from msgspec import structs

from trichat.chat.governed import account_needed
from trichat.chat.identity import (
    account_identity,
    become,
    demand_connection,
    demand_no_room,
    name_taken,
    refuse_credentials,
    reserved,
)
from trichat.chat.passwords import demand_code, demand_password, demand_unchanged, hash_password
from trichat.chat.people_ports import NewLogin
from trichat.chat.ports import StoreUnavailable
from trichat.chat.session import Session
from trichat.core.account_names import is_reserved, parse_account_name, skeleton
from trichat.core.accounts import Account
from trichat.core.closing import LOGGED_OUT
from trichat.core.commands_people import Login, Logout, Password, Recover, Register, Rename
from trichat.core.errors import CommandId, Refusal
from trichat.core.lines import parse_line
from trichat.core.names import given_name
from trichat.core.replies import Ok
from trichat.core.tokens import token_hash

#: Random characters of a login's id: beyond meeting another by chance. It is no secret.
_LOGIN_CHARS = 16


async def register(session: Session, command: Register) -> None:
    """Make an account, and be it."""
    hub = session.hub
    demand_no_room(session)
    if not hub.allow_registration:
        raise Refusal("forbidden", "accounts are made by the administrator here; ask for one, then log in")
    name = _parse_new_name(session, command.name)
    device = _parse_device(session, command.device)
    hub.password_throttle.demand(session.address)
    password_hash = await hash_password(session, command.password, "password")
    token, login = _new_login(session, device)
    account = Account(user_id=hub.chance.account(), name=name)
    looks = hub.revocation.looks
    if not await _register(session, account, password_hash, login):
        raise name_taken()
    become(session, account_identity(account, login_id=login.id, looks=looks))
    _welcome_in(session, command.id, "register", token)


async def _register(session: Session, account: Account, password_hash: str, login: NewLogin) -> bool:
    store, me = session.hub.store, session.user_id
    if await store.accounts.register(account.user_id, account.name, password_hash, login):
        return True
    mine = session.named and session.user is not None and skeleton(session.user) == skeleton(account.name)
    if not mine or me is None:
        return False
    # the guest who is here holds the name: it becomes that of their account
    await store.claim_name(me, given_name(me))
    return await store.accounts.register(account.user_id, account.name, password_hash, login)


async def login(session: Session, command: Login) -> None:
    """Be an account: by its password, and then by its second factor."""
    hub = session.hub
    demand_no_room(session)
    if len(command.name) > hub.limits.name_bytes:
        raise Refusal("bad_field", f"name has at most {hub.limits.name_bytes} bytes of UTF-8", field="name")
    device = _parse_device(session, command.device)
    hub.password_throttle.demand(session.address, command.name)
    stored = await hub.store.accounts.credentials(command.name)
    password_hash = await demand_password(session, stored, command.password, "password")
    assert stored is not None
    account = stored.account
    await demand_code(session, stored, command.code)
    demand_connection(session, account.user_id)
    token, new = _new_login(session, device)
    looks = hub.revocation.looks
    await hub.store.accounts.log_in(account.user_id, new)
    try:
        # whoever changes the password ends all logins: this one as well, if it was kept before that
        await demand_unchanged(session, stored)
    except Refusal:
        await hub.store.accounts.end_login(account.user_id, new.id)
        raise
    if hub.vault.outdated(password_hash):
        better = await hash_password(session, command.password, "password")
        await hub.store.accounts.refresh_hash(account.user_id, password_hash, better)
    become(session, account_identity(account, login_id=new.id, looks=looks))
    _welcome_in(session, command.id, "login", token)


async def recover(session: Session, command: Recover) -> None:
    """Be an account by an administrator's one-time code, with a new password; all its other logins end."""
    hub = session.hub
    demand_no_room(session)
    hub.password_throttle.demand(session.address)
    password_hash = await hash_password(session, command.password, "password")
    token, new = _new_login(session, "")
    looks = hub.revocation.looks
    account = await hub.store.accounts.recover(token_hash(command.code), password_hash, new)
    if account is None:
        refuse_credentials(session, "this code counts for nothing (any more); ask for another one", "code")
    become(session, account_identity(account, login_id=new.id, looks=looks))
    hub.revocation.ended_here(account.user_id, keep=new.id)
    _welcome_in(session, command.id, "recover", token)


async def logout(session: Session, command: Logout) -> None:
    """End this login, and then the connection."""
    account = demand_person(session)
    if session.login_id is None:
        raise Refusal("forbidden", "the site that you come from has logged you in; log out there")
    await end_own_login(session, account, session.login_id)
    session.reply(_ok(session, command.id, "logout"))
    session.close(LOGGED_OUT)


async def end_own_login(session: Session, account: Account, login_id: str) -> None:
    """End the login that this very connection rests on, which stays open for the reply."""
    revocation = session.hub.revocation
    revocation.leave(session)  # or a look would close it
    try:
        await session.hub.store.accounts.end_login(account.user_id, login_id)
    except StoreUnavailable:
        revocation.enter(session, looks=-1)  # it may have taken effect: look
        raise
    revocation.ended_here(account.user_id, login_id)


async def password(session: Session, command: Password) -> None:
    """Change the password; all other logins end."""
    accounts = session.hub.store.accounts
    account = demand_person(session)
    demand_own_password(account)
    session.hub.password_throttle.demand(session.address, account.name)
    stored = await accounts.credentials_of(account.user_id)
    await demand_password(session, stored, command.old, "old")
    assert stored is not None
    new = await hash_password(session, command.new, "new")
    await demand_unchanged(session, stored)  # else who was just locked out by another change would undo it
    await accounts.set_password(account.user_id, new, session.login_id)
    session.hub.revocation.ended_here(account.user_id, keep=session.login_id)
    session.reply(_ok(session, command.id, "password"))


async def rename(session: Session, command: Rename) -> None:
    """Take another name; connections of the account at other nodes have it when they come back."""
    account = demand_person(session)
    name = _parse_new_name(session, command.name)
    if not await session.hub.store.accounts.rename(account.user_id, name):
        raise name_taken()
    for each in session.hub.revocation.sessions_of(account.user_id):
        assert each.account is not None
        each.account = structs.replace(each.account, name=name)
        each.user = name
    session.reply(_ok(session, command.id, "rename"))


def demand_person(session: Session) -> Account:
    """The account of a person, not of a bot. Raises Refusal."""
    if session.account is None:
        raise account_needed()
    if session.key is not None:
        raise Refusal("forbidden", "that is not for bots; their administrator does it")
    return session.account


def demand_own_password(account: Account) -> None:
    """An account that logs in by a password. Raises Refusal."""
    if account.kind != "person":
        raise Refusal("forbidden", "this account has no password; the site that it comes from has")


def _parse_new_name(session: Session, text: str) -> str:
    name = parse_account_name(text, session.hub.limits.name_bytes)
    if is_reserved(name):
        raise reserved()
    return name


def _parse_device(session: Session, text: str) -> str:
    return parse_line(text, "device", session.hub.limits.title_bytes)


def _new_login(session: Session, device: str) -> tuple[str, NewLogin]:
    """A new token, which is told once, and what is kept of it."""
    chance = session.hub.chance
    token = chance.token("u")
    kept = NewLogin(
        id="k_" + chance.label(_LOGIN_CHARS), token_hash=token_hash(token), device=device, address=session.address
    )
    return token, kept


def _welcome_in(session: Session, command_id: CommandId, done: str, token: str) -> None:
    actor = session.actor
    session.reply(Ok(id=command_id, for_=done, user=actor.user, user_id=actor.user_id, token=token))


def _ok(session: Session, command_id: CommandId, done: str) -> Ok:
    actor = session.actor
    return Ok(id=command_id, for_=done, user=actor.user, user_id=actor.user_id)
