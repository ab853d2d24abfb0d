"""`search`."""

from __future__ import annotations

from msgspec import UNSET, Raw, structs

from trichat.chat.governed import demand_reading, find_person, find_room
from trichat.chat.paging import cut_page
from trichat.chat.scopes import demand_scope_everywhere
from trichat.chat.session import Session
from trichat.core.codec import encode_event
from trichat.core.commands_conversation import Search
from trichat.core.conversation import Found
from trichat.core.errors import Refusal
from trichat.core.names import RoomName, parse_room_name
from trichat.core.query import Query, parse_place, parse_query
from trichat.core.replies_conversation import ListedFound, SearchPage
from trichat.core.room_fields import parse_limit


async def search(session: Session, command: Search) -> None:
    """A page of messages that fit, newest first."""
    limits = session.hub.limits
    query = parse_query(command.text, limits)
    limit = parse_limit(command.limit, limits.search_page)
    parse_place(command.before)
    name = _room(session, command, query)
    rooms = await _readable(session, name)
    authors = [(await find_person(session, name)).user_id for name in query.names]
    await session.outbox.refilled()
    found = await session.hub.store.searching.search(
        session.actor, rooms, structs.replace(query, authors=tuple(authors)), before=command.before, limit=limit + 1
    )
    shown, more = cut_page([_listed(one) for one in found], limit, limits.page_bytes)
    session.reply(SearchPage(id=command.id, found=shown, more=more))


def _room(session: Session, command: Search, query: Query) -> RoomName | None:
    """The one room that is to be searched, by whichever field; None: all of theirs."""
    if command.room is UNSET:
        return query.room
    room = parse_room_name(command.room, session.hub.limits.name_bytes)
    if query.room not in (None, room):
        raise Refusal("bad_field", f"room is {room}, and in: says {query.room}; leave one of them out", field="text")
    return room


async def _readable(session: Session, name: RoomName | None) -> list[RoomName] | None:
    """The room, if they may read it; None: what they are a member of. What they have said before is committed."""
    if name is not None:
        access = await find_room(session, name, "read")
        demand_reading(session, access)
        return [access.record.name]
    if session.account is None:
        raise Refusal("forbidden", "guests are members of no room; say which one: in:lobby", field="room")
    demand_scope_everywhere(session, "read")
    await session.all_answered()
    return None


def _listed(found: Found) -> ListedFound:
    message = Raw(encode_event(found.room, found.message, with_rev=True))
    return ListedFound(found.key, found.room, message, found.snippet, found.marks)
