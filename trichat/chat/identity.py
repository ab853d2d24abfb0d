"""Who a client is: guests and accounts, and the tokens that bring both back."""

from __future__ import annotations

import re
from typing import Final, NoReturn

import trio
from msgspec import UNSET, Struct, UnsetType

from trichat.chat.session import Session
from trichat.chat.throttle import check_account_connections
from trichat.core.account_names import is_reserved
from trichat.core.accounts import Account, Key
from trichat.core.closing import REFUSED_CREDENTIALS
from trichat.core.commands import Auth, Hello
from trichat.core.errors import Refusal
from trichat.core.names import GUEST_PREFIX, UserId, given_name, name_key, parse_user_name
from trichat.core.outside_names import outside_display_name, outside_name
from trichat.core.replies import Ok, Welcome, WelcomeLimits
from trichat.core.tokens import token_hash

#: The version of the protocol, and what this server can do beyond its core.
PROTOCOL_VERSION = 1
FEATURES = ["resume", "history", "accounts", "edits", "reactions", "threads", "inbox", "presence", "search"]

#: A login's token, or a bot's key: what has not this shape is not looked up.
_SECRET: Final = re.compile(r"[ub]\.[A-Za-z0-9_-]{43}")
#: How all of our own tokens begin.
_OURS: Final = ("g.", "u.", "b.")


class Identity(Struct, frozen=True, kw_only=True):
    """Who a client is to be; of an account also what that rests on.

    `looks` is how often the node had looked at what was ended, before the store said who this is.
    """

    user_id: UserId
    user: str
    named: bool = False
    account: Account | None = None
    login_id: str | None = None
    key: Key | None = None
    ends_at: float | None = None  # on Trio's clock
    looks: int = 0


def welcome(session: Session) -> None:
    """Greet the client: as a new guest where guests are allowed, else as nobody yet."""
    hub, limits = session.hub, session.hub.limits
    shown = WelcomeLimits(limits.text, limits.frame, limits.rooms, limits.replay, limits.page)
    greeting = Welcome(
        v=PROTOCOL_VERSION, session=session.id, user=None, node=hub.node, limits=shown, features=FEATURES
    )
    if hub.allow_guests:
        session.user_id = hub.chance.guest()
        session.user = given_name(session.user_id)
        hub.presence.arrive(session)
        greeting = Welcome(
            v=greeting.v,
            session=greeting.session,
            user=session.user,
            user_id=session.user_id,
            token=hub.signer.sign(session.user_id),
            node=greeting.node,
            limits=shown,
            features=FEATURES,
        )
    session.reply(greeting)
    if not hub.relay.fanout_ok:
        session.reply(hub.status())


def unidentified() -> Refusal:
    said = 'say who you are first: {"type":"login","name":"…","password":"…"} or {"type":"auth","token":"…"}'
    return Refusal("unauthenticated", said)


async def hello(session: Session, command: Hello) -> None:
    """A guest takes a free name, and keeps it reserved by using it."""
    demand_no_room(session)
    assert session.user_id is not None
    if session.account is not None:
        raise Refusal("forbidden", "hello is for guests; an account takes another name by rename")
    name = parse_user_name(command.name, session.hub.limits.name_bytes)
    given = given_name(session.user_id)
    if name != given:
        if name_key(name).startswith(GUEST_PREFIX):
            raise Refusal("name_taken", f"names that begin with {GUEST_PREFIX} are given, not taken", field="name")
        if is_reserved(name):
            raise reserved()
        if not await session.hub.store.claim_name(session.user_id, name):
            raise name_taken()
    session.user, session.named = name, name != given
    token = session.hub.signer.sign(session.user_id)
    session.reply(Ok(id=command.id, for_="hello", user=name, user_id=session.user_id, token=token))


async def auth(session: Session, command: Auth) -> None:
    """Who the token says is here: a guest with the name that they hold, an account, a bot, somebody of another site.

    A fresh token of another site may come at any time, for the same account: the connection then lasts as long as it.
    """
    if session.memberships and not _is_from_outside(session):
        demand_no_room(session)
    found = await _find(session, command.token)
    if found is None:
        refuse_credentials(
            session, "this token counts for nothing here (any more); log in, or send one from a welcome", "token"
        )
    if found.user_id != session.user_id:
        demand_no_room(session)
        if found.account is not None:
            demand_connection(session, found.user_id)
    become(session, found)
    fresh: str | UnsetType = UNSET
    if found.account is None and session.hub.signer.is_older(command.token):
        fresh = session.hub.signer.sign(found.user_id)  # so that the older secret can be dropped one day
    session.reply(Ok(id=command.id, for_="auth", user=session.user or "", user_id=found.user_id, token=fresh))


def become(session: Session, identity: Identity) -> None:
    """From now on the client is this."""
    hub = session.hub
    hub.revocation.leave(session)
    hub.expiry.forget(session)
    hub.presence.depart(session)
    session.away = session.away and identity.user_id == session.user_id
    session.user_id, session.user, session.named = identity.user_id, identity.user, identity.named
    session.account, session.login_id, session.key = identity.account, identity.login_id, identity.key
    session.offered_totp = None
    hub.presence.arrive(session)
    if identity.account is not None:
        hub.revocation.enter(session, identity.looks)
    if identity.ends_at is not None:
        hub.expiry.set(session, identity.ends_at)


def demand_no_room(session: Session) -> None:
    """Who one is cannot change while one listens to rooms. Raises Refusal."""
    if session.memberships:
        raise Refusal("bad_state", "say who you are before the first join; open another connection for another name")


def demand_connection(session: Session, user_id: UserId) -> None:
    """The account may have one more connection here; requests that are answered at once count not. Raises Refusal."""
    if session.present:
        connected = sum(one.present for one in session.hub.revocation.sessions_of(user_id))
        check_account_connections(connected, session.hub.limits)


def refuse_credentials(session: Session, message: str, field: str) -> NoReturn:
    """A token, a password or a code was wrong. Raises Refusal; too many of them end the connection."""
    session.failed_auths += 1
    if session.failed_auths >= session.hub.limits.failed_auths:
        session.close(REFUSED_CREDENTIALS)
    raise Refusal("unauthenticated", message, field=field)


def name_taken() -> Refusal:
    return Refusal("name_taken", "somebody has this name, or one that looks like it; take another", field="name")


def reserved() -> Refusal:
    return Refusal("name_taken", "nobody may take this name, or one that looks like it; take another", field="name")


# tokens


async def _find(session: Session, token: str) -> Identity | None:
    """Whose token this is. Raises StoreUnavailable."""
    if token.startswith("g."):
        return await _find_guest(session, token)
    if _SECRET.fullmatch(token):
        return await (_find_login if token.startswith("u.") else _find_bot)(session, token)
    if session.hub.vault.takes_outside_tokens and not token.startswith(_OURS):
        return await _find_outside(session, token)
    return None


async def _find_guest(session: Session, token: str) -> Identity | None:
    hub = session.hub
    if hub.signer.is_newer(token):
        await hub.read_secrets()
    user_id = hub.signer.verify(token)
    if user_id is None or not hub.allow_guests:
        return None
    held = await hub.store.name_of(user_id)
    return Identity(user_id=user_id, user=held or given_name(user_id), named=held is not None)


async def _find_login(session: Session, token: str) -> Identity | None:
    hub = session.hub
    looks = hub.revocation.looks
    found = await hub.store.accounts.find_login(token_hash(token), session.address)
    if found is None:
        return None
    account, login_id = found
    return account_identity(account, login_id=login_id, looks=looks)


async def _find_bot(session: Session, token: str) -> Identity | None:
    hub = session.hub
    looks = hub.revocation.looks
    found = await hub.store.accounts.find_key(token_hash(token), session.address)
    if found is None:
        return None
    account, key = found
    return account_identity(account, login_id=key.id, key=key, looks=looks)


async def _find_outside(session: Session, token: str) -> Identity | None:
    """Somebody of another site: their account, made when they come for the first time."""
    hub, limits = session.hub, session.hub.limits
    said = await hub.vault.read_outside_token(token)
    if said is None or (left_s := said.expires_at - hub.wall_clock()) <= 0:
        return None  # the vault lets a little error of clocks pass: too late to begin with
    ends_at = trio.current_time() + left_s
    user_id, looks = hub.chance.account(), hub.revocation.looks
    name = outside_name(said.name, f"person-{hub.chance.label(8)}", limits.name_bytes)
    display_name = outside_display_name(said.display_name, limits.title_bytes)
    account = await hub.store.accounts.outside(user_id, said.issuer, said.subject, name, display_name)
    return None if account is None else account_identity(account, ends_at=ends_at, looks=looks)


def account_identity(
    account: Account,
    *,
    login_id: str | None = None,
    key: Key | None = None,
    ends_at: float | None = None,
    looks: int,
) -> Identity:
    """An account, and what this connection of it rests on."""
    return Identity(
        user_id=account.user_id,
        user=account.name,
        account=account,
        login_id=login_id,
        key=key,
        ends_at=ends_at,
        looks=looks,
    )


def _is_from_outside(session: Session) -> bool:
    return session.account is not None and session.account.kind == "outside"
