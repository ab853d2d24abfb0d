"""`send`: from text to a draft on its way to the committer. Nothing here waits: the hot path."""

from __future__ import annotations

from trichat.chat.committer import Submission
from trichat.chat.joining import membership_of
from trichat.chat.not_taken import store_away
from trichat.chat.scopes import demand_scope
from trichat.chat.session import Session
from trichat.core.codec import quote
from trichat.core.commands import Send
from trichat.core.errors import Refusal
from trichat.core.events import Draft
from trichat.core.names import RoomName


def send(session: Session, command: Send) -> None:
    """Say something in a joined room. The ack comes from the committer, when it is committed."""
    membership = session.memberships.get(RoomName(command.room))
    if membership is None:
        membership = membership_of(session, command.room)
    if session.key is not None:
        demand_scope(session, "send", membership.room.name)
    _check(command, session.hub.limits.text, session.hub.limits.cid_chars)
    if session.hub.draining:
        raise Refusal("unavailable", "this node is stopping; send it to another, with the same cid", retry_after_ms=500)
    assert session.user_id is not None
    assert session.user is not None
    room = membership.room
    body = b'{"text":%b}' % quote(command.text)
    draft = Draft(room.id, room.name, "message", session.user_id, session.user, command.cid, body)
    if not session.hub.committer.submit(Submission(draft, session, command.id)):
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
