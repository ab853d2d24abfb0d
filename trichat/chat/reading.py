"""`history`, `events`, `rooms` and `members`: pages, read when the connection has drained."""

from __future__ import annotations

from msgspec import UNSET, Raw, UnsetType

from trichat.chat.hub import Hub
from trichat.chat.session import Session
from trichat.core.codec import encode_event
from trichat.core.commands import Events, History, Members, Rooms
from trichat.core.errors import Refusal
from trichat.core.events import Event, ListedRoom
from trichat.core.names import RoomId, RoomName, parse_room_name
from trichat.core.replies import EventsPage, HistoryPage, MembersPage, RoomsPage


async def history(session: Session, command: History) -> None:
    """A page of messages in their present state, oldest first."""
    places = [name for name in ("before", "after", "around") if getattr(command, name) is not UNSET]
    if len(places) > 1:
        raise Refusal("bad_field", f"give one of before, after, around, not {' and '.join(places)}", field=places[1])
    room_id, name = await _find_room(session, command.room)
    limit = _limit(command.limit, session.hub.limits.default_page, session.hub.limits.page)
    await _ready_for_page(session)
    if command.around is not UNSET:
        return await _history_around(session, command, room_id, name, limit)
    before = None if command.before is UNSET else command.before
    after = None if command.after is UNSET else command.after
    page = await session.hub.store.read_messages(
        room_id, before=before, after=after, limit=limit, max_bytes=session.hub.limits.page_bytes
    )
    return session.reply(HistoryPage(id=command.id, room=name, messages=_encode(name, page.messages), more=page.more))


async def _history_around(session: Session, command: History, room_id: RoomId, name: RoomName, limit: int) -> None:
    assert command.around is not UNSET
    store, half_bytes = session.hub.store, session.hub.limits.page_bytes // 2
    half = limit // 2
    older = await store.read_messages(
        room_id, before=command.around, after=None, limit=max(1, half), max_bytes=half_bytes
    )
    newer = await store.read_messages(
        room_id, before=None, after=command.around - 1, limit=limit - half, max_bytes=half_bytes
    )
    # of one message there is no half: what was read before it only tells that there is more
    before = older.messages if half else []
    more_before = older.more or len(before) < len(older.messages)
    messages = _encode(name, before + newer.messages)
    session.reply(
        HistoryPage(id=command.id, room=name, messages=messages, more_before=more_before, more_after=newer.more)
    )


async def events(session: Session, command: Events) -> None:
    """A page of the log."""
    room_id, name = await _find_room(session, command.room)
    limit = _limit(command.limit, session.hub.limits.page, session.hub.limits.page)
    await _ready_for_page(session)
    page = await session.hub.store.read_events(
        room_id, after=command.since, limit=limit, max_bytes=session.hub.limits.page_bytes
    )
    encoded = [Raw(encode_event(name, event)) for event in page.events]
    session.reply(EventsPage(id=command.id, room=name, events=encoded, more=page.more))


async def rooms(session: Session, command: Rooms) -> None:
    """A page of the list of rooms."""
    hub = session.hub
    limit = _limit(command.limit, hub.limits.list_page, hub.limits.list_page)
    await _ready_for_page(session)
    listed = await hub.store.list_rooms(after=command.after, limit=limit + 1)
    shown = [_as_known_here(hub, room) for room in listed[:limit]]
    session.reply(RoomsPage(id=command.id, rooms=shown, more=len(listed) > limit))


def _as_known_here(hub: Hub, listed: ListedRoom) -> ListedRoom:
    """What the store says, with those who came to this node in the last moment."""
    room = hub.room(listed.room)
    if room is None:
        return listed
    return ListedRoom(listed.room, room.members_elsewhere + len(room.people), max(listed.seq, room.head))


async def members(session: Session, command: Members) -> None:
    """A page of the list of who is connected to a room, at all nodes."""
    hub = session.hub
    room_id, name = await _find_room(session, command.room)
    limit = _limit(command.limit, hub.limits.list_page, hub.limits.list_page)
    await _ready_for_page(session)
    people = await hub.store.list_members(room_id, after=command.after, limit=limit + 1)
    # the store hears of this node's people a moment later than this node does
    here = hub.presence.people_of(room_id, after=command.after, limit=limit + 1)
    known = {person.user_id: person for person in (*people, *here)}
    shown = sorted(known.values(), key=lambda person: (person.user, person.user_id))
    session.reply(MembersPage(id=command.id, room=name, members=shown[:limit], more=len(shown) > limit))


async def _ready_for_page(session: Session) -> None:
    """A page is pulled when the connection has drained, and shows what this client has said before."""
    await session.all_answered()
    await session.outbox.refilled()


async def _find_room(session: Session, text: str) -> tuple[RoomId, RoomName]:
    """The room, which need not be joined and is not made."""
    name = parse_room_name(text, session.hub.limits.name_bytes)
    room = session.hub.room(name)
    if room is not None:
        return room.id, name
    found = await session.hub.store.open_rooms([name], create=False)
    if name not in found:
        raise Refusal(
            "no_such_room", f'there is no room {name}; {{"type":"join","room":"{name}"}} makes it', field="room"
        )
    return found[name].id, name


def _limit(asked: int | UnsetType, default: int, most: int) -> int:
    if asked is UNSET:
        return default
    if asked < 1:
        raise Refusal("bad_field", f"limit is a number from 1 to {most}", field="limit")
    return min(asked, most)


def _encode(name: RoomName, messages: list[Event]) -> list[Raw]:
    return [Raw(encode_event(name, message, with_rev=True)) for message in messages]
