"""`threads`, `follow` and `unfollow`."""

from __future__ import annotations

from msgspec import UNSET, Raw

from trichat.chat.governed import find_room
from trichat.chat.paging import cut_page
from trichat.chat.session import Session
from trichat.core.codec import encode_event, encode_reply
from trichat.core.commands_conversation import Follow, Threads, Unfollow
from trichat.core.conversation import Thread
from trichat.core.names import RoomName
from trichat.core.replies_conversation import FollowReply, ListedThread, ThreadsPage
from trichat.core.room_fields import parse_limit


async def threads(session: Session, command: Threads) -> None:
    """A page of threads, the last replied to first."""
    limits = session.hub.limits
    limit = parse_limit(command.limit, limits.list_page)
    access = await find_room(session, command.room, "read")
    await session.outbox.refilled()
    before = None if command.before is UNSET else command.before
    found = await session.hub.store.threads.threads(
        access.record.id, session.actor, every=command.all, before=before, limit=limit + 1
    )
    room = access.record.name
    shown, more = cut_page([_listed(room, thread) for thread in found], limit, limits.page_bytes)
    session.reply(ThreadsPage(id=command.id, room=room, threads=shown, more=more))


def _listed(room: RoomName, thread: Thread) -> ListedThread:
    return ListedThread(
        message=Raw(encode_event(room, thread.root, with_rev=True)),
        replies=thread.replies,
        last_seq=thread.last_seq,
        following=thread.following,
        read=thread.read.seq if thread.following else UNSET,
        unread=thread.read.unread if thread.following else UNSET,
    )


async def follow(session: Session, command: Follow) -> None:
    """Be told of what is unread in a thread."""
    await _follow(session, command, following=True)


async def unfollow(session: Session, command: Unfollow) -> None:
    """Be told no more."""
    await _follow(session, command, following=False)


async def _follow(session: Session, command: Follow | Unfollow, *, following: bool) -> None:
    room = (await find_room(session, command.room, "read")).record
    await session.hub.store.threads.follow(room.id, session.actor, command.thread, following=following)
    reply = FollowReply(id=command.id, room=room.name, thread=command.thread, following=following)
    session.reply(reply)
    told = FollowReply(room=room.name, thread=command.thread, following=following)
    session.hub.whispers.to_person(room.id, session.actor.user_id, encode_reply(told), but=session)
