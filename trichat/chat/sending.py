"""`send`: from text to a draft on its way to the committer. Of a plain message nothing here waits: the hot path."""

from __future__ import annotations

from functools import partial

from msgspec import UNSET

from trichat.chat.committer import Submission
from trichat.chat.joining import membership_of
from trichat.chat.membership import Membership
from trichat.chat.mentioning import Mentioned, mentioned_in
from trichat.chat.not_taken import store_away
from trichat.chat.scopes import demand_scope
from trichat.chat.session import Session, Waiting
from trichat.chat.tracing import Span
from trichat.core.codec import quote
from trichat.core.commands import Send
from trichat.core.errors import Refusal
from trichat.core.events import Draft
from trichat.core.mentions import find_mention
from trichat.core.names import RoomName


def send(session: Session, command: Send) -> Waiting | None:
    """Say something in a joined room. The ack comes from the committer, when it is committed.

    What replies, is in a thread, or may mention somebody waits for the store first.
    """
    membership = session.memberships.get(RoomName(command.room))
    if membership is None:
        membership = membership_of(session, command.room)
    if session.key is not None:
        demand_scope(session, "send", membership.room.name)
    _check(command, session.hub.limits.text, session.hub.limits.cid_chars)
    tracer = session.hub.tracer
    trace = None if tracer is None else tracer.begin_send(membership.room.id)
    text = command.text
    if command.reply_to is not UNSET or command.thread is not UNSET or ("@" in text and find_mention(text) is not None):
        return partial(_send_placed, session, membership, command, trace)
    assert session.user_id is not None
    assert session.user is not None
    room = membership.room
    body = b'{"text":%b}' % quote(text)
    draft = Draft(room.id, room.name, "message", session.user_id, session.user, command.cid, body)
    _submit(session, command, draft, trace)
    return None


async def _send_placed(session: Session, membership: Membership, command: Send, trace: Span | None) -> None:
    room, store = membership.room, session.hub.store
    reply_to = None if command.reply_to is UNSET else command.reply_to
    thread = None if command.thread is UNSET else command.thread
    if reply_to is not None or thread is not None:
        await store.threads.check_places(room.id, session.actor, reply_to=reply_to, thread=thread, cid=command.cid)
    mentioned = await _mentioned(session, membership, command.text)
    if membership.left:
        membership = membership_of(session, room.name)  # refuses: whoever has left cannot come back meanwhile
    _submit(session, command, _draft(session, membership, command, mentioned), trace)


async def _mentioned(session: Session, membership: Membership, text: str) -> Mentioned:
    """Whom the text mentions; nobody where they may not read (any more): whether it is taken, `append` says."""
    if find_mention(text) is None:
        return Mentioned()
    room = membership.room
    actor = session.actor
    access = await session.hub.store.governance.access_by_id(room.id, actor.user_id)
    if access is None or not access.standing.may_read(access.record.rules, access.now, account=actor.is_account):
        return Mentioned()
    return await mentioned_in(session, access, text)


def _draft(session: Session, membership: Membership, command: Send, mentioned: Mentioned) -> Draft:
    reply_to = b"" if command.reply_to is UNSET else b',"reply_to":%d' % command.reply_to
    thread = b"" if command.thread is UNSET else b',"thread":%d' % command.thread
    said = b'{"text":%b%b%b}' % (quote(command.text), reply_to, thread)
    actor, room = session.actor, membership.room
    return Draft(
        room.id,
        room.name,
        "message",
        actor.user_id,
        actor.user,
        command.cid,
        said[:-1] + b',"mentions":%b}' % mentioned.said if mentioned.user_ids else said,
        said=said,  # whom a name means may be another by the time that this is said again
        thread=None if command.thread is UNSET else command.thread,
        mentions=mentioned.user_ids,
    )


def _submit(session: Session, command: Send, draft: Draft, trace: Span | None) -> None:
    if session.hub.draining:
        raise Refusal("unavailable", "this node is stopping; send it to another, with the same cid", retry_after_ms=500)
    if not session.hub.committer.submit(Submission(draft, session, command.id, trace)):
        raise store_away()
    session.unacked += 1


def _check(command: Send, text_bytes: int, cid_chars: int) -> None:
    text, cid = command.text, command.cid
    if not text:
        raise Refusal("bad_field", "text is empty", field="text")
    # a character has at most four bytes: most texts need not be encoded to be counted
    if len(text) * 4 > text_bytes and len(text.encode()) > text_bytes:
        raise Refusal("too_long", f"text is at most {text_bytes} bytes of UTF-8; send it in parts", field="text")
    if cid is not None and not 0 < len(cid) <= cid_chars:
        raise Refusal("bad_field", f"cid has 1 to {cid_chars} characters", field="cid")
