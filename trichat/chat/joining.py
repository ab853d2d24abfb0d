"""`join`, `resume` and `leave`: without a lock, by comparing positions in one step."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from trichat.chat.ports import StoreUnavailable
from trichat.chat.replay import Replay, Tally
from trichat.chat.room import Room
from trichat.chat.session import Membership, Session, store_away
from trichat.core.commands import Join, Leave, Position, Resume
from trichat.core.errors import CommandId, Refusal
from trichat.core.names import RoomName, parse_room_name
from trichat.core.replies import Caution, Joined, Left


def membership_of(session: Session, name: str) -> Membership:
    """The session's membership of the room, or a refusal that says what to type."""
    room_name = parse_room_name(name, session.hub.limits.name_bytes)
    if room_name not in session.memberships:
        raise Refusal("not_joined", f'join it first: {{"type":"join","room":"{room_name}"}}', field="room")
    return session.memberships[room_name]


def join_at_once(session: Session, command: Join) -> bool:
    """Join from the head of a room that this node knows already; False when the store has to be asked."""
    room = session.hub.room(command.room)
    if room is None or room.name in session.memberships or command.since is not UNSET:
        return False
    _check_room_limit(session, 1)
    _enter(session, room, room.delivered, command.id)
    return True


async def join(session: Session, command: Join) -> None:
    """Become a listener of one room, from its head or from a position."""
    name = parse_room_name(command.room, session.hub.limits.name_bytes)
    if name in session.memberships:
        return _already_joined(session, name, command)
    _check_room_limit(session, 1)
    room = (await session.hub.open_rooms([name], create=True))[name]
    if command.since is UNSET:
        return _enter(session, room, room.delivered, command.id)
    await _check_position(session, room, command.since, command.epoch)
    return _enter(session, room, command.since, command.id)


async def resume(session: Session, command: Resume) -> None:
    """Join many rooms, each from its position; a `joined` or an `error` for each, at the end `resumed`."""
    _check_room_limit(session, len(command.rooms.keys() - session.memberships.keys()))
    positions: dict[RoomName, Position] = {}
    for name, position in command.rooms.items():
        try:
            positions[parse_room_name(name, session.hub.limits.name_bytes, "rooms")] = position
        except Refusal as refusal:
            session.refuse(refusal, room=name)
    new = [name for name in positions if name not in session.memberships]
    rooms = await session.hub.open_rooms(new, create=False)
    tally = Tally(command.id)
    for name, position in positions.items():
        try:
            await _resume_one(session, rooms.get(name), name, position, tally)
        except Refusal as refusal:
            session.refuse(refusal, room=name)
        except StoreUnavailable:
            session.refuse(store_away(), room=name)  # the other rooms need not suffer, and `resumed` still comes
    tally.all_begun(session)


async def _resume_one(session: Session, room: Room | None, name: RoomName, position: Position, tally: Tally) -> None:
    if name in session.memberships:
        raise Refusal("bad_state", f"{name} is joined already; leave it to resume it", field="rooms")
    if room is None:
        raise Refusal("no_such_room", f'there is no room {name}; {{"type":"join","room":"{name}"}} makes it')
    await _check_position(session, room, position.since, position.epoch)
    _enter(session, room, position.since, None, tally)


def leave(session: Session, command: Leave) -> None:
    """Hear no more of a room."""
    membership = membership_of(session, command.room)
    session.leave(membership)
    session.reply(Left(id=command.id, room=membership.room.name))


def _enter(session: Session, room: Room, position: int, command_id: CommandId, tally: Tally | None = None) -> None:
    """Answer `joined`, then let the room's events follow from `position`, by replay when some are missing."""
    if session.ended is not None:
        return  # the client went while the command waited: nobody would ever leave the room again
    if room.ended:
        said = f"{room.name} was closed at this node a moment ago; say that again"
        raise Refusal("unavailable", said, retry_after_ms=0)
    membership = session.enter(room)
    members = room.members_elsewhere + len(room.people)
    # a position that this node has just caught up with may not be delivered yet
    head = max(room.delivered, position)
    session.reply(Joined(id=command_id, room=room.name, epoch=room.epoch, seq=head, members=members))
    if tally is not None:
        tally.begin()
        session.start_replay(Replay(membership, position, tally))
    elif not room.attach(session, position):
        session.start_replay(Replay(membership, position))


def _already_joined(session: Session, name: RoomName, command: Join) -> None:
    room = session.memberships[name].room
    members = room.members_elsewhere + len(room.people)
    session.reply(Joined(id=command.id, room=name, epoch=room.epoch, seq=room.delivered, members=members))
    if command.since is not UNSET:
        said = "the room is joined already, so nothing is replayed; leave it first, or ask for events"
        session.reply(Caution(re=command.id, code="already_joined", field="since", message=said))


def _check_room_limit(session: Session, more: int) -> None:
    limit = session.hub.limits.rooms
    if len(session.memberships) + more > limit:
        raise Refusal("limit_reached", f"one connection may join {limit} rooms; leave one first", field="room")


async def _check_position(session: Session, room: Room, since: int, epoch: str | UnsetType) -> None:
    """Refuse a position that this log never had: of another epoch, or past its head."""
    if epoch is UNSET or epoch == room.epoch:
        if since > room.head:
            await session.hub.relay.catch_up(room, since)  # committed at another node, and not heard here yet
        if since <= room.head or room.ended:
            return  # of a room that has ended, `_enter` tells
    raise Refusal(
        "bad_position",
        f"{room.name} has no such position; join it without since, or from its head {room.head} of epoch {room.epoch}",
        field="since" if epoch is UNSET or epoch == room.epoch else "epoch",
        head=room.head,
        epoch=room.epoch,
    )
