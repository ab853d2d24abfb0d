"""Rooms are made, described, changed, closed and deleted; and the direct rooms of two people are opened."""

from __future__ import annotations

from contextlib import suppress

from msgspec import UNSET

from trichat.chat.governed import change_room, demand_reading, find_person, find_room, no_such_user
from trichat.chat.people_ports import Access
from trichat.chat.scopes import demand_scope_everywhere
from trichat.chat.session import Session
from trichat.core.commands_rooms import ArchiveRoom, Create, DeleteRoom, Direct, EditRoom, RoomInfo
from trichat.core.errors import CommandId, Refusal
from trichat.core.events import Person, RoomRecord
from trichat.core.governance import Archive, Mute, Unmute
from trichat.core.names import RoomName, direct_room_name, parse_new_room_name, private_room_name
from trichat.core.replies_rooms import DeletedRoom, RoomReply
from trichat.core.room_fields import parse_cid, parse_edit, parse_rules, parse_whom
from trichat.core.standing import ROLE_NAMES, Actor, RoomKind, is_account

#: Random characters of a private room's name: 60 bits, beyond guessing and beyond meeting another by chance.
_PRIVATE_CHARS = 12


async def create(session: Session, command: Create) -> None:
    """Make a room and own it."""
    hub = session.hub
    rules = parse_rules(command, hub.limits)
    name = _name_of_new(session, command, rules.kind)
    demand_scope_everywhere(session, "moderate")
    await session.all_answered()
    access = await hub.store.governance.create(name, rules, session.actor, address=session.address)
    known = hub.room(name)
    if known is not None and known.id != access.record.id:
        hub.announce_deleted(known.id)  # the name was free: what this node knows under it is gone
    _describe(session, access, command.id)


def _name_of_new(session: Session, command: Create, kind: RoomKind) -> RoomName:
    if kind == "private":
        if command.room is not UNSET:
            raise Refusal("bad_field", "a private room is named by the server; leave room out", field="room")
        return private_room_name(session.hub.chance.label(_PRIVATE_CHARS))
    if command.room is UNSET:
        raise Refusal("bad_field", "room is missing; say the name of the new room", field="room")
    return parse_new_room_name(command.room, session.hub.limits.name_bytes)


async def room_info(session: Session, command: RoomInfo) -> None:
    """Say what a room is."""
    access = await find_room(session, command.room, "read")
    demand_reading(session, access)
    _describe(session, access, command.id)


async def edit_room(session: Session, command: EditRoom) -> None:
    """Change a room's rules."""
    edit = parse_edit(command, session.hub.limits)
    cid = parse_cid(command.cid, session.hub.limits)
    access = await find_room(session, command.room, "edit")
    await change_room(session, access, edit, command_id=command.id, cid=cid)


async def archive(session: Session, command: ArchiveRoom) -> None:
    """Close a room for writing, or open it again."""
    cid = parse_cid(command.cid, session.hub.limits)
    access = await find_room(session, command.room, "archive")
    await change_room(session, access, Archive(command.archived), command_id=command.id, cid=cid)


async def delete_room(session: Session, command: DeleteRoom) -> None:
    """Delete a room; whoever listens to it elsewhere has to go, who deleted it has left it."""
    access = await find_room(session, command.room, "delete")
    room = access.record
    await session.hub.store.governance.delete(room.id, session.actor, address=session.address)
    membership = session.memberships.get(room.name)
    if membership is not None and membership.room.id == room.id:
        session.leave(membership)
    session.hub.announce_deleted(room.id)
    session.reply(DeletedRoom(id=command.id, room=room.name))


async def direct(session: Session, command: Direct) -> None:
    """Open the room of oneself and one other person."""
    whom = parse_whom(command.user, session.hub.limits)
    demand_scope_everywhere(session, "send")
    await session.all_answered()
    other = await find_person(session, whom)
    await _demand_partner(session, other)
    name = direct_room_name(session.actor.user_id, other.user_id)
    access = await session.hub.store.governance.open_direct(name, session.actor, other)
    session.hub.announce_head(access.record.id, access.record.head)
    await _demand_still_unblocked(session, access.record, other)
    _describe(session, access, command.id)


async def _demand_partner(session: Session, other: Person) -> None:
    accounts, me = session.hub.store.accounts, session.actor.user_id
    if other.user_id == me:
        raise Refusal("bad_field", "a direct room is with somebody else", field="user")
    if not is_account(other.user_id):
        raise Refusal("bad_field", "guests have no direct rooms", field="user")
    if not await accounts.is_active(other.user_id):
        raise no_such_user()
    if await accounts.blocks_between(me, other.user_id):
        raise _blocked(other)


async def _demand_still_unblocked(session: Session, room: RoomRecord, other: Person) -> None:
    """Who blocked the other while the room was being opened found no room to mute them in: do it now."""
    accounts, me = session.hub.store.accounts, session.actor
    if not await accounts.blocks_between(me.user_id, other.user_id):
        return
    if any(person.user_id == other.user_id for person in await accounts.blocked(me.user_id)):
        await _set_muted(session, room, me, other, muted=True)
    if any(person.user_id == me.user_id for person in await accounts.blocked(other.user_id)):
        by = Actor(other.user_id, other.user)
        await _set_muted(session, room, by, Person(me.user, me.user_id), muted=True)
    raise _blocked(other)


def _blocked(other: Person) -> Refusal:
    return Refusal("forbidden", f"you and {other.user} have no direct room: one has blocked the other", field="user")


async def mute_in_direct_room(session: Session, other: Person, *, muted: bool) -> None:
    """Keep `other` from writing in their direct room with this client, or let them again; if there is one."""
    name = direct_room_name(session.actor.user_id, other.user_id)
    access = await session.hub.store.governance.access(name, session.actor.user_id)
    if access is not None:
        await _set_muted(session, access.record, session.actor, other, muted=muted)


async def _set_muted(session: Session, room: RoomRecord, by: Actor, whom: Person, *, muted: bool) -> None:
    change = Mute() if muted else Unmute()
    with suppress(Refusal):  # the room has gone meanwhile, or is not that of the two
        changed = await session.hub.store.governance.change(room.id, by, change, target=whom, address=session.address)
        if changed.event is not None:
            session.hub.announce_event(room.id, room.name, changed.event)


def _describe(session: Session, access: Access, command_id: CommandId) -> None:
    room, rules = access.record, access.record.rules
    session.reply(
        RoomReply(
            id=command_id,
            room=room.name,
            kind=rules.kind,
            title=rules.title,
            topic=rules.topic,
            role=ROLE_NAMES[access.standing.role_at(access.now)],
            member_limit=rules.member_limit,
            slow_s=rules.slow_s,
            send=ROLE_NAMES[rules.send],
            history=rules.history,
            guests=rules.guests,
            archived=rules.archived,
            language=rules.language,
            retention_days=rules.retention_days,
            seq=room.head,
            epoch=room.epoch,
        )
    )
