"""`history`, `events`, `rooms` and `members`: pages, read when the connection has drained."""

from __future__ import annotations

from msgspec import UNSET, Raw, UnsetType

from trichat.chat.access import admit_at_once, demand_access, missing
from trichat.chat.hub import Hub
from trichat.chat.people_ports import Access
from trichat.chat.ports import MessagePage
from trichat.chat.scopes import demand_scope, demand_scope_everywhere
from trichat.chat.session import Session
from trichat.core.codec import encode_event
from trichat.core.commands import Events, History, Members, Rooms
from trichat.core.errors import Refusal
from trichat.core.events import Event, ListedRoom
from trichat.core.names import RoomId, RoomName, parse_room_name
from trichat.core.replies import EventsPage, HistoryPage, ListedMine, MembersPage, RoomsPage
from trichat.core.room_fields import parse_limit
from trichat.core.standing import FOREVER, ROLE_NAMES


async def history(session: Session, command: History) -> None:
    """A page of messages in their present state, oldest first."""
    places = [name for name in ("before", "after", "around") if getattr(command, name) is not UNSET]
    if len(places) > 1:
        raise Refusal("bad_field", f"give one of before, after, around, not {' and '.join(places)}", field=places[1])
    room_id, name, first = await _find_room(session, command.room)
    limit = parse_limit(command.limit, session.hub.limits.page, session.hub.limits.default_page)
    await _ready_for_page(session)
    if command.around is not UNSET:
        return await _history_around(session, command, room_id, name, limit)
    before = None if command.before is UNSET else command.before
    after = None if command.after is UNSET else max(command.after, first - 1)
    page = await _read_messages(session, command, room_id, before=before, after=after, limit=limit)
    messages, hidden = _from(await _first_readable(session, room_id, name), page.messages)
    return session.reply(
        HistoryPage(id=command.id, room=name, messages=_encode(name, messages), more=page.more and not hidden)
    )


async def _history_around(session: Session, command: History, room_id: RoomId, name: RoomName, limit: int) -> None:
    assert command.around is not UNSET
    half_bytes, half = session.hub.limits.page_bytes // 2, limit // 2
    older = await _read_messages(
        session, command, room_id, before=command.around, limit=max(1, half), max_bytes=half_bytes
    )
    newer = await _read_messages(
        session, command, room_id, after=command.around - 1, limit=limit - half, max_bytes=half_bytes
    )
    # of one message there is no half: what was read before it only tells that there is more
    before = older.messages if half else []
    shown, hidden = _from(await _first_readable(session, room_id, name), before + newer.messages)
    more_before = (older.more or len(before) < len(older.messages)) and not hidden
    messages = _encode(name, shown)
    session.reply(
        HistoryPage(id=command.id, room=name, messages=messages, more_before=more_before, more_after=newer.more)
    )


async def _read_messages(
    session: Session,
    command: History,
    room_id: RoomId,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int,
    max_bytes: int | None = None,
) -> MessagePage:
    return await session.hub.store.read_messages(
        room_id, before=before, after=after, limit=limit, max_bytes=max_bytes or session.hub.limits.page_bytes,
        viewer=session.user_id, thread=None if command.thread is UNSET else command.thread,
    )  # fmt: skip


async def events(session: Session, command: Events) -> None:
    """A page of the log, as it was written or compacted."""
    room_id, name, first = await _find_room(session, command.room)
    limit = parse_limit(command.limit, session.hub.limits.page)
    await _ready_for_page(session)
    since = max(command.since, first - 1)
    if command.compact:
        return await _compact_events(session, command, room_id, name, since)
    page = await session.hub.store.read_events(
        room_id, after=since, limit=limit, max_bytes=session.hub.limits.page_bytes
    )
    access = await _still_readable(session, room_id, name)
    shown, _ = _from(access.standing.first_readable(access.record.rules), page.events)
    encoded = [Raw(encode_event(name, event)) for event in shown]
    begins = _begins(access, command.since)
    return session.reply(EventsPage(id=command.id, room=name, first=begins, events=encoded, more=page.more))


async def _compact_events(session: Session, command: Events, room_id: RoomId, name: RoomName, since: int) -> None:
    limits = session.hub.limits
    limit = parse_limit(command.limit, limits.page)
    page = await session.hub.store.read_compact(
        room_id, since=since, limit=limit, max_bytes=limits.page_bytes, viewer=session.user_id
    )
    access = await _still_readable(session, room_id, name)
    # what was said before they came may have been changed since: they see neither
    shown, _ = _from(access.standing.first_readable(access.record.rules), page.entries)
    begins, encoded = _begins(access, command.since), _encode(name, shown)
    to = min(page.to, max(access.record.head, command.since))  # who may see nothing was read beyond every log
    session.reply(
        EventsPage(id=command.id, room=name, compact=True, first=begins, events=encoded, to=to, more=page.more)
    )


def _begins(access: Access, since: int) -> int | UnsetType:
    """The first `seq` that is kept and shown, where that is later than what comes next after `since`."""
    first = max(access.standing.first_readable(access.record.rules), access.record.first)
    return first if since + 1 < first < FOREVER else UNSET


async def rooms(session: Session, command: Rooms) -> None:
    """A page of the list of rooms: of all public ones, or of those that this account is a member of."""
    hub = session.hub
    limit = parse_limit(command.limit, hub.limits.list_page)
    demand_scope_everywhere(session, "read")
    await _ready_for_page(session)
    if command.mine:
        return await _my_rooms(session, command, limit)
    listed = await hub.store.list_rooms(after=command.after, limit=limit + 1)
    shown = [_as_known_here(hub, room) for room in listed[:limit]]
    return session.reply(RoomsPage(id=command.id, rooms=shown, more=len(listed) > limit))


async def _my_rooms(session: Session, command: Rooms, limit: int) -> None:
    if session.account is None:
        raise Refusal("forbidden", "that takes an account; register or log in", field="mine")
    mine = await session.hub.store.governance.my_rooms(session.account.user_id, after=command.after, limit=limit + 1)
    shown = [
        ListedMine(one.room, one.kind, one.title, ROLE_NAMES[one.role], one.seq, one.peer or UNSET)
        for one in mine[:limit]
    ]
    session.reply(RoomsPage(id=command.id, rooms=shown, more=len(mine) > limit))


def _as_known_here(hub: Hub, listed: ListedRoom) -> ListedRoom:
    """What the store says, with those who came to this node in the last moment."""
    room = hub.room(listed.room)
    if room is None:
        return listed
    return ListedRoom(listed.room, room.members_elsewhere + len(room.people), max(listed.seq, room.head))


async def members(session: Session, command: Members) -> None:
    """A page of the list of who is connected to a room, at all nodes."""
    hub = session.hub
    room_id, name, _ = await _find_room(session, command.room)
    limit = parse_limit(command.limit, hub.limits.list_page)
    await _ready_for_page(session)
    people = await hub.store.list_members(room_id, after=command.after, limit=limit + 1)
    # the store hears of this node's people a moment later than this node does
    here = hub.presence.people_of(room_id, after=command.after, limit=limit + 1)
    await _still_readable(session, room_id, name)
    known = {person.user_id: person for person in (*people, *here)}
    shown = sorted(known.values(), key=lambda person: (person.user, person.user_id))
    session.reply(MembersPage(id=command.id, room=name, members=shown[:limit], more=len(shown) > limit))


async def _ready_for_page(session: Session) -> None:
    """A page is pulled when the connection has drained, and shows what this client has said before."""
    await session.all_answered()
    await session.outbox.refilled()


async def _find_room(session: Session, text: str) -> tuple[RoomId, RoomName, int]:
    """The room, which need not be joined and is not made, and the first `seq` that the client may see."""
    name = parse_room_name(text, session.hub.limits.name_bytes)
    demand_scope(session, "read", name)
    room = session.hub.room(name)
    if room is not None and (admission := admit_at_once(session, room)) is not None:
        return room.id, name, admission.first
    access = await demand_access(session, name)
    return access.record.id, name, access.standing.first_readable(access.record.rules)


async def _still_readable(session: Session, room_id: RoomId, name: RoomName) -> Access:
    """After a read: how they stand to the room now, which they may read, and might when it was read. Raises Refusal."""
    access = await demand_access(session, name)
    if access.record.id != room_id:
        raise missing(name)
    return access


async def _first_readable(session: Session, room_id: RoomId, name: RoomName) -> int:
    """After a read: the first `seq` that the client may see now, and might when it was read. Raises Refusal."""
    access = await _still_readable(session, room_id, name)
    return access.standing.first_readable(access.record.rules)


def _from(first: int, events: list[Event]) -> tuple[list[Event], bool]:
    """Those from `first` on, and whether others were left out."""
    shown = [event for event in events if event.seq >= first]
    return shown, len(shown) < len(events)


def _encode(name: RoomName, events: list[Event]) -> list[Raw]:
    """Each with `rev`, if it is a message in its present state."""
    return [Raw(encode_event(name, event, with_rev=event.kind == "message")) for event in events]
