"""`join`, `resume` and `leave`: without a lock, by comparing positions in one step."""

from __future__ import annotations

from functools import partial

from msgspec import UNSET, UnsetType, structs

from trichat.chat.access import Admission, admit, admit_again, admit_again_one, admit_at_once
from trichat.chat.membership import Membership
from trichat.chat.not_taken import store_away
from trichat.chat.ports import StoreUnavailable
from trichat.chat.replay import Replay, Tally
from trichat.chat.room import Room
from trichat.chat.session import Session, Waiting
from trichat.core.commands import Join, Leave, Position, Resume
from trichat.core.conversation import Marker
from trichat.core.errors import CommandId, Refusal
from trichat.core.governance import Quit
from trichat.core.names import RoomName, parse_room_name
from trichat.core.replies import Caution, Gap, Joined, Left
from trichat.core.standing import FOREVER


def membership_of(session: Session, name: str) -> Membership:
    """The session's membership of the room, or a refusal that says what to type."""
    room_name = parse_room_name(name, session.hub.limits.name_bytes)
    if room_name not in session.memberships:
        raise Refusal("not_joined", f'join it first: {{"type":"join","room":"{room_name}"}}', field="room")
    return session.memberships[room_name]


def join_at_once(session: Session, command: Join) -> bool:
    """Join from the head of an open room that this node knows already; False when the store has to be asked."""
    room = session.hub.room(command.room)
    if room is None or room.name in session.memberships or command.since is not UNSET:
        return False
    admission = admit_at_once(session, room)
    if admission is None:
        return False
    _check_room_limit(session, 1)
    _enter(session, room, admission, since=UNSET, command_id=command.id)
    return True


async def join(session: Session, command: Join) -> None:
    """Become a listener of one room, from its head or from a position; an account becomes a member."""
    name = parse_room_name(command.room, session.hub.limits.name_bytes)
    if name in session.memberships:
        return _already_joined(session, name, command)
    _check_room_limit(session, 1)
    room, admission = await admit(session, name)
    if command.since is not UNSET:
        await _check_position(session, room, command.since, command.epoch)
        if command.since > admission.as_of:  # between the two they may have been removed
            room, admission = await admit(session, name)
    return _enter(session, room, admission, since=command.since, command_id=command.id)


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
    admitted = await admit_again(session, new)
    tally = Tally(command.id)
    for name, position in positions.items():
        try:
            await _resume_one(session, admitted.get(name), name, position, tally)
        except Refusal as refusal:
            session.refuse(refusal, room=name)
        except StoreUnavailable:
            session.refuse(store_away(), room=name)  # the other rooms need not suffer, and `resumed` still comes
    tally.all_begun(session)


async def _resume_one(
    session: Session,
    admitted: tuple[Room, Admission] | Refusal | None,
    name: RoomName,
    position: Position,
    tally: Tally,
) -> None:
    if admitted is None:
        raise Refusal("bad_state", f"{name} is joined already; leave it to resume it", field="rooms")
    if isinstance(admitted, Refusal):
        raise admitted
    room, admission = admitted
    await _check_position(session, room, position.since, position.epoch)
    if position.since > admission.as_of:
        room, admission = await admit_again_one(session, name)
    _enter(session, room, admission, since=position.since, tally=tally)


async def step_in(session: Session, text: str) -> None:
    """Let who is not present (see Session) act in the room `text` as one who has joined it: as by `resume`, so that
    nobody becomes a member by it. Raises Refusal and StoreUnavailable."""
    name = parse_room_name(text, session.hub.limits.name_bytes)
    admitted = (await admit_again(session, [name]))[name]
    if isinstance(admitted, Refusal):
        raise admitted
    room, admission = admitted
    session.enter(room, admission.as_of)


def leave(session: Session, command: Leave) -> Waiting | None:
    """Hear no more of a room; an account is a member no more either, on any of its connections."""
    membership = membership_of(session, command.room)
    if session.account is not None:
        return partial(_quit, session, membership, command)
    session.leave(membership)
    session.reply(Left(id=command.id, room=membership.room.name))
    return None


async def _quit(session: Session, membership: Membership, command: Leave) -> None:
    room = membership.room
    changed = await session.hub.store.governance.change(room.id, session.actor, Quit(), address=session.address)
    if not membership.left:
        session.leave(membership)
    session.reply(Left(id=command.id, room=room.name))
    if changed.event is not None:
        session.hub.announce_event(room.id, room.name, changed.event)


def _enter(
    session: Session,
    room: Room,
    admission: Admission,
    *,
    since: int | UnsetType,
    command_id: CommandId = None,
    tally: Tally | None = None,
) -> None:
    """Answer `joined`, then let the room's events follow, by replay when some are missing.

    They follow `since`, or the head; and begin no earlier than where this client may see the log.
    """
    if session.ended is not None:
        return  # the client went while the command waited: nobody would ever leave the room again
    if room.ended:
        said = f"{room.name} was closed at this node a moment ago; say that again"
        raise Refusal("unavailable", said, retry_after_ms=0)
    membership = session.enter(room, admission.as_of)
    members = room.members_elsewhere + len(room.people)
    asked = room.delivered if since is UNSET else since
    position = max(asked, room.delivered if admission.first == FOREVER else admission.first - 1)
    # a position that this node has just caught up with may not be delivered yet
    head = max(room.delivered, position)
    joined = Joined(
        id=command_id, room=room.name, epoch=room.epoch, seq=head, members=members, role=admission.role or UNSET
    )
    session.reply(joined if admission.marker is None else _with_marker(joined, admission.marker))
    if since is not UNSET and position > since:
        session.reply(Gap(room=room.name, from_=since + 1, to=position, messages=0, hidden=True))
    if not session.present:
        return  # who asks once hears nothing live
    if tally is not None:
        tally.begin()
        session.start_replay(Replay(membership, position, tally))
    elif not room.attach(session, position):
        session.start_replay(Replay(membership, position))


def _with_marker(joined: Joined, marker: Marker) -> Joined:
    return structs.replace(joined, read=marker.seq, unread=marker.unread, mentions=marker.mentions)


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
