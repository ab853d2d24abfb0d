"""Who a client is: guests and their signed tokens."""

from __future__ import annotations

from trichat.chat.session import Session
from trichat.core.closing import REFUSED_CREDENTIALS
from trichat.core.commands import Auth, Hello
from trichat.core.errors import Refusal
from trichat.core.names import GUEST_PREFIX, UserId, given_name, name_key, parse_user_name
from trichat.core.replies import Ok, Welcome, WelcomeLimits

#: The version of the protocol, and what this server can do beyond its core.
PROTOCOL_VERSION = 1
FEATURES = ["resume", "history"]


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
    return Refusal("unauthenticated", 'say who you are first: {"type":"auth","token":"…"}')


async def hello(session: Session, command: Hello) -> None:
    """A guest takes a free name, and keeps it reserved by using it."""
    _before_joining(session)
    assert session.user_id is not None
    name = parse_user_name(command.name, session.hub.limits.name_bytes)
    given = given_name(session.user_id)
    if name != given:
        if name_key(name).startswith(GUEST_PREFIX):
            raise Refusal("name_taken", f"names that begin with {GUEST_PREFIX} are given, not taken", field="name")
        if not await session.hub.store.claim_name(session.user_id, name):
            raise Refusal("name_taken", "somebody else has this name; take another", field="name")
    session.user, session.named = name, name != given
    token = session.hub.signer.sign(session.user_id)
    session.reply(Ok(id=command.id, for_="hello", user=name, user_id=session.user_id, token=token))


async def auth(session: Session, command: Auth) -> None:
    """The guest of an earlier connection comes back, with the name that they hold."""
    _before_joining(session)
    user_id = session.hub.signer.verify(command.token)
    if user_id is None or not session.hub.allow_guests:
        session.failed_auths += 1
        if session.failed_auths >= session.hub.limits.failed_auths:
            session.close(REFUSED_CREDENTIALS)
        raise Refusal(
            "unauthenticated", "this token was not given by this chat; send one from a welcome", field="token"
        )
    held = await session.hub.store.name_of(user_id)
    _become(session, user_id, held)
    session.reply(Ok(id=command.id, for_="auth", user=session.user or "", user_id=user_id))


def _become(session: Session, user_id: UserId, held: str | None) -> None:
    session.user_id = user_id
    session.user = held or given_name(user_id)
    session.named = held is not None


def _before_joining(session: Session) -> None:
    if session.memberships:
        raise Refusal("bad_state", "say who you are before the first join; open another connection for another name")
