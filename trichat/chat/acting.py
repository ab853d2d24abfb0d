"""Editing, deleting, reacting to and pinning messages: judged by the store, and told to the room as events of its log.

None of it needs the room to be joined on this connection; who may do what is said by `core.judging_acts`.
"""

from __future__ import annotations

from msgspec import UNSET, Raw

from trichat.chat.governed import find_room
from trichat.chat.mentioning import mentioned_in
from trichat.chat.paging import cut_page
from trichat.chat.people_ports import Access
from trichat.chat.session import Session
from trichat.core.acts import Act, Remove, Respond, Rewrite, Stick, reaction_key
from trichat.core.codec import encode_event, format_ts
from trichat.core.commands_conversation import (
    DeleteMessage,
    EditMessage,
    Pin,
    Pins,
    React,
    Reactions,
    Revisions,
    Unpin,
    Unreact,
)
from trichat.core.emoji import parse_emoji
from trichat.core.lines import parse_line
from trichat.core.replies import Ack
from trichat.core.replies_conversation import ListedReaction, ListedRevision, PinsPage, ReactionsPage, RevisionsPage
from trichat.core.room_fields import parse_cid, parse_limit, parse_text
from trichat.core.standing import Permission

_Writing = EditMessage | DeleteMessage | React | Unreact | Pin | Unpin


async def edit(session: Session, command: EditMessage) -> None:
    """Give one's own message another text, which may mention others."""
    text = parse_text(command.text, session.hub.limits)
    access = await _find(session, command, "send")
    mentioned = await mentioned_in(session, access, text)
    await _act(session, command, access, Rewrite(text, mentioned.user_ids, mentioned.said))


async def delete(session: Session, command: DeleteMessage) -> None:
    """Take a message back: a tombstone stays."""
    reason = parse_line(command.reason, "reason", session.hub.limits.reason_bytes)
    key = session.key
    # whose message it is shows under the lock: a key must be for one of the two at least
    own, others = (True, True) if key is None else ("send" in key.scopes, "moderate" in key.scopes)
    access = await _find(session, command, "delete_message" if others else "send")
    await _act(session, command, access, Remove(reason, own=own, others=others))


async def react(session: Session, command: React) -> None:
    """Put an emoji to a message."""
    emoji = parse_emoji(command.emoji, session.hub.limits)
    access = await _find(session, command, "react")
    await _act(session, command, access, Respond(emoji))


async def unreact(session: Session, command: Unreact) -> None:
    """Take it back."""
    emoji = parse_emoji(command.emoji, session.hub.limits)
    access = await _find(session, command, "react")
    await _act(session, command, access, Respond(emoji, on=False))


async def pin(session: Session, command: Pin) -> None:
    """Keep a message in sight."""
    access = await _find(session, command, "pin")
    await _act(session, command, access, Stick())


async def unpin(session: Session, command: Unpin) -> None:
    """Keep it there no more."""
    access = await _find(session, command, "pin")
    await _act(session, command, access, Stick(on=False))


async def _find(session: Session, command: _Writing, permission: Permission) -> Access:
    parse_cid(command.cid, session.hub.limits)
    return await find_room(session, command.room, permission)


async def _act(session: Session, command: _Writing, access: Access, act: Act) -> None:
    """Have the store judge and write `act`, announce its event to everybody, and answer `ack`."""
    room = access.record
    acted = await session.hub.store.acts.act(
        room.id, session.actor, command.seq, act, cid=command.cid, address=session.address
    )
    # no checkpoint between the commit and the announcement: no cancellation can come between them
    if acted.event is not None and not acted.repeated:
        session.hub.announce_event(room.id, room.name, acted.event)
    session.reply(Ack(id=command.id, room=room.name, seq=acted.seq, cid=command.cid, dup=acted.repeated))


# pages; the store looks in the snapshot of each whether it may be read


async def revisions(session: Session, command: Revisions) -> None:
    """The old texts of a message, oldest first."""
    access = await find_room(session, command.room, "revisions")
    await session.outbox.refilled()
    found = await session.hub.store.acts.revisions(access.record.id, session.actor, command.seq)
    listed = [ListedRevision(one.rev, format_ts(one.at), one.text) for one in found]
    session.reply(RevisionsPage(id=command.id, room=access.record.name, seq=command.seq, revisions=listed))


async def reactions(session: Session, command: Reactions) -> None:
    """A page of those who have reacted to a message."""
    limit = parse_limit(command.limit, session.hub.limits.list_page)
    access = await find_room(session, command.room, "read")
    await session.outbox.refilled()
    found = await session.hub.store.acts.reactions(
        access.record.id, session.actor, command.seq, after=command.after, limit=limit + 1
    )
    shown = found[:limit]
    page = ReactionsPage(
        id=command.id,
        room=access.record.name,
        seq=command.seq,
        reactions=[ListedReaction(one.emoji, one.user, one.user_id) for one in shown],
        more=len(found) > limit,
        key=reaction_key(shown[-1].emoji, shown[-1].user_id) if shown else UNSET,
    )
    session.reply(page)


async def pins(session: Session, command: Pins) -> None:
    """A page of the pinned messages, the last pinned first."""
    limits = session.hub.limits
    access = await find_room(session, command.room, "read")
    await session.outbox.refilled()
    name = access.record.name
    found = await session.hub.store.acts.pins(access.record.id, session.actor)
    found = [one for one in found if command.before is UNSET or one.pin < command.before]
    messages = [Raw(encode_event(name, one.message, with_rev=True)) for one in found]
    shown, more = cut_page(messages, limits.pins, limits.page_bytes)
    key = found[len(shown) - 1].pin if shown else UNSET
    session.reply(PinsPage(id=command.id, room=name, messages=shown, more=more, key=key))
