"""How far somebody has read, what is new for them, and what they want to be told."""

from __future__ import annotations

from typing import TypeVar

from msgspec import UNSET, Raw, Struct, UnsetType

from trichat.chat.governed import find_room
from trichat.chat.paging import cut_page
from trichat.chat.scopes import demand_scope_everywhere
from trichat.chat.session import Session
from trichat.core.codec import encode_event, encode_reply, format_ts
from trichat.core.commands_conversation import Inbox, Mentions, Notify, Read, Seen
from trichat.core.conversation import LEVELS, InboxRoom, Level, Mention
from trichat.core.errors import Refusal
from trichat.core.names import RoomId, RoomName
from trichat.core.replies_conversation import (
    InboxPage,
    ListedInboxRoom,
    ListedMention,
    MentionsPage,
    NotifyReply,
    ReadReply,
    SeenPerson,
    SeenReply,
)
from trichat.core.room_fields import parse_limit, parse_number
from trichat.core.standing import ROLE_NAMES

T = TypeVar("T", bound=Struct)


async def read(session: Session, command: Read) -> None:
    """Move a marker; when it moved, one's other connections hear of it, and in a small room everybody."""
    room = (await find_room(session, command.room, "read")).record
    store, in_room = session.hub.store, command.thread is UNSET
    if command.thread is UNSET:
        moved = await store.markers.read(room.id, session.actor, command.seq)
    else:
        moved = await store.threads.read_thread(room.id, session.actor, command.thread, command.seq)
    marker = moved.marker

    def told(command_id: str | float | None) -> ReadReply:
        return ReadReply(
            id=command_id, room=room.name, thread=command.thread, read=marker.seq, unread=marker.unread,
            mentions=marker.mentions if in_room else UNSET,
        )  # fmt: skip

    session.reply(told(command.id))
    if moved.moved:
        frame = encode_reply(told(None))
        session.hub.whispers.to_person(room.id, session.actor.user_id, frame, but=session)
        if in_room:
            _show(session, room.id, room.name, marker.seq)


def _show(session: Session, room_id: RoomId, name: RoomName, seq: int) -> None:
    """Tell the others of a small room how far this person has read."""
    room, me = session.hub.room_by_id(room_id), session.actor
    if room is None or room.members_elsewhere + len(room.people) > session.hub.limits.seen_members:
        return
    frame = encode_reply(SeenReply(room=name, people=[SeenPerson(me.user, me.user_id, seq)]))
    session.hub.whispers.to_room(room_id, frame, but=me.user_id)


async def seen(session: Session, command: Seen) -> None:
    """Who has read how far."""
    room = (await find_room(session, command.room, "read")).record
    most = session.hub.limits.seen_members
    people = await session.hub.store.markers.seen(room.id, session.actor, most=most)
    shown = [SeenPerson(one.user, one.user_id, one.seq) for one in people]
    session.reply(SeenReply(id=command.id, room=room.name, people=shown))


async def inbox(session: Session, command: Inbox) -> None:
    """A page of one's rooms, with what is new in each."""
    limit = parse_limit(command.limit, session.hub.limits.list_page)
    await _ready_for_page(session)
    rooms = await session.hub.store.markers.inbox(session.actor.user_id, after=command.after, limit=limit + 1)
    shown, more = cut_page([_listed_room(room) for room in rooms], limit, session.hub.limits.page_bytes)
    session.reply(InboxPage(id=command.id, rooms=shown, more=more))


def _listed_room(room: InboxRoom) -> ListedInboxRoom:
    return ListedInboxRoom(
        room=room.room,
        kind=room.kind,
        title=room.title,
        with_=room.peer or UNSET,
        role=ROLE_NAMES[room.role],
        epoch=room.epoch,
        seq=room.head,
        read=room.read.seq,
        unread=room.read.unread,
        mentions=room.read.mentions,
        level=room.told.level,
        quiet_until=_time(room.told.quiet_until),
        last=UNSET if room.last is None else Raw(encode_event(room.room, room.last, with_rev=True)),
    )


async def mentions(session: Session, command: Mentions) -> None:
    """A page of the messages that mention one, in all rooms."""
    limit = parse_limit(command.limit, session.hub.limits.list_page)
    await _ready_for_page(session)
    found = await session.hub.store.markers.mentions(session.actor.user_id, before=command.before, limit=limit + 1)
    shown, more = cut_page([_listed_mention(mention) for mention in found], limit, session.hub.limits.page_bytes)
    session.reply(MentionsPage(id=command.id, mentions=shown, more=more))


def _listed_mention(mention: Mention) -> ListedMention:
    message = Raw(encode_event(mention.room, mention.message, with_rev=True))
    return ListedMention(mention.key, mention.room, mention.unread, message)


async def notify(session: Session, command: Notify) -> None:
    """Keep what one wants to be told of a room; with nothing said, tell what holds."""
    level = _parse_level(command.level)
    quiet_s = command.quiet_s
    if quiet_s is not UNSET:
        parse_number(quiet_s, "quiet_s", 0, session.hub.limits.restraint_s)
    access = await find_room(session, command.room, "read")
    until = None if quiet_s is UNSET else access.now + quiet_s * 1000
    room = access.record
    told = await session.hub.store.markers.notify(room.id, session.actor, level, until)
    session.reply(NotifyReply(id=command.id, room=room.name, level=told.level, quiet_until=_time(told.quiet_until)))


def _parse_level(text: str | UnsetType) -> Level | None:
    if text is UNSET:
        return None
    if text not in LEVELS:
        raise Refusal("bad_field", f"level is one of {', '.join(LEVELS)}", field="level")
    return LEVELS[text]


def _time(ts: int) -> str | UnsetType:
    return format_ts(ts) if ts else UNSET


async def _ready_for_page(session: Session) -> None:
    """A page over all rooms is pulled when the connection has drained, and shows what this client has said before."""
    demand_scope_everywhere(session, "read")
    await session.all_answered()
    await session.outbox.refilled()
