"""Who may listen to a room and read it.

The store is asked before and, where something was read, after it: whoever may read then might read all of it, whichever
node has heard of their removal. What follows is decided by the room's log, event by event (`core.control`).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from trichat.chat.governed import demand_reading, is_hidden
from trichat.chat.people_ports import Access
from trichat.chat.room import Room
from trichat.chat.scopes import demand_scope
from trichat.chat.session import Session
from trichat.core.conversation import Marker
from trichat.core.errors import Refusal
from trichat.core.governance import Enter, no_such_room
from trichat.core.names import RoomName, is_given
from trichat.core.standing import FOREVER, ROLE_NAMES, Standing, is_account


class Admission(Struct, frozen=True):
    """That somebody may listen: as of which `seq`, from which `seq` on they may see the log, and (accounts) as what,
    and how far they have read it, as of that `seq`.

    Whoever enters does so at a position that is not after `as_of`, or in one step with `admit`: so that everything
    that may remove them lies before them, to be met by their replay or their room.
    """

    as_of: int
    first: int
    role: str | None
    marker: Marker | None = None


def missing(name: RoomName) -> Refusal:
    """There is no such room: for this name, whether there is one for others or not."""
    if is_given(name):
        return no_such_room()
    said = f'there is no room {name}; {{"type":"join","room":"{name}"}} makes it'
    return Refusal("no_such_room", said, field="room")


def admit_at_once(session: Session, room: Room) -> Admission | None:
    """Guests come into an open room as its log stands here; None when the store has to be asked."""
    assert session.user_id is not None
    if is_account(session.user_id) or not room.rules.open_to_guests or room.guests_restrained:
        return None
    return Admission(room.delivered, 1 if room.rules.history == "all" else FOREVER, None)


async def admit(session: Session, name: RoomName) -> tuple[Room, Admission]:
    """Let the client listen to a room, which is made if it is no hidden one; an account becomes a member."""
    demand_scope(session, "read", name)
    hub = session.hub
    while True:
        if not is_given(name):
            room = (await hub.open_rooms([name], create=True))[name]
            if (admission := admit_at_once(session, room)) is not None:
                return room, admission
        access = await demand_access(session, name, marked=True)
        room = await _room_of(session, access)
        standing, as_of, marker = access.standing, access.record.head, access.marker
        if session.account is not None and standing.role is None:
            changed = await hub.store.governance.change(room.id, session.actor, Enter(), address=session.address)
            if changed.event is None:
                continue  # they came in by another connection at this moment
            hub.announce_event(room.id, room.name, changed.event)
            standing, as_of, marker = changed.standing, changed.seq, Marker(changed.standing.since, unread=0)
        if not _removed_since(session, room, as_of):
            return room, _admission(access, standing, as_of, marker)


async def admit_again(session: Session, names: Iterable[RoomName]) -> dict[RoomName, tuple[Room, Admission] | Refusal]:
    """Let the client listen again to rooms that it knows; an account that is no member any more has to join."""
    hub, wanted = session.hub, list(names)
    assert session.user_id is not None
    rooms = await hub.open_rooms([name for name in wanted if not is_given(name)], create=False)
    admitted: dict[RoomName, tuple[Room, Admission] | Refusal] = {}
    for name, room in rooms.items():
        if session.key is None and (admission := admit_at_once(session, room)) is not None:
            admitted[name] = room, admission
    asked = [name for name in wanted if name not in admitted]
    accesses = await hub.store.governance.access_all(asked, session.user_id) if asked else {}
    let_in: dict[RoomName, Access] = {}
    for name in asked:
        try:
            let_in[name] = _let_in_again(session, name, accesses.get(name))
        except Refusal as refusal:
            admitted[name] = refusal
    if let_in:  # only now: a hidden room costs an outsider no more steps than one that never was
        await hub.open_rooms(let_in, create=False)
    for name, access in let_in.items():
        try:
            admitted[name] = await _enter_again(session, access)
        except Refusal as refusal:
            admitted[name] = refusal
    return admitted


async def admit_again_one(session: Session, name: RoomName) -> tuple[Room, Admission]:
    """The same for one room, as the store says now. Raises Refusal."""
    assert session.user_id is not None
    access = await session.hub.store.governance.access(name, session.user_id, marked=True)
    return await _enter_again(session, _let_in_again(session, name, access))


def _let_in_again(session: Session, name: RoomName, access: Access | None) -> Access:
    demand_scope(session, "read", name)
    found = _readable(session, name, access)
    if session.account is not None and found.standing.role is None:
        raise Refusal("not_joined", f'you are no member any more: {{"type":"join","room":"{name}"}}', field="room")
    return found


async def _enter_again(session: Session, access: Access) -> tuple[Room, Admission]:
    room = await _room_of(session, access)
    if _removed_since(session, room, access.record.head):
        return await admit_again_one(session, room.name)
    return room, _admission(access, access.standing, access.record.head, access.marker)


async def demand_access(session: Session, name: RoomName, *, marked: bool = False) -> Access:
    """How the client stands to the room, now, if it may read it; `marked`, with how far it has read. Raises Refusal:
    it does not exist (for them), or they are banned, or guests may not come in."""
    assert session.user_id is not None
    return _readable(session, name, await session.hub.store.governance.access(name, session.user_id, marked=marked))


def _readable(session: Session, name: RoomName, access: Access | None) -> Access:
    if access is None or is_hidden(session, access):
        raise missing(name)
    demand_reading(session, access)
    return access


async def _room_of(session: Session, access: Access) -> Room:
    name = access.record.name
    room = (await session.hub.open_rooms([name], create=False)).get(name)
    if room is None:
        raise missing(name)
    if room.id != access.record.id:
        raise Refusal("unavailable", f"{name} was made anew a moment ago; say that again", retry_after_ms=0)
    return room


def _removed_since(session: Session, room: Room, as_of: int) -> bool:
    assert session.user_id is not None
    return room.removals.since(session.user_id, as_of)


def _admission(access: Access, standing: Standing, as_of: int, marker: Marker | None) -> Admission:
    role = ROLE_NAMES[standing.role_at(access.now)] if standing.role is not None else None
    return Admission(as_of, standing.first_readable(access.record.rules), role, marker)
