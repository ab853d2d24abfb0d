"""Rooms that are governed. Synchronous functions of a connection; what is refused raises Refusal.

Locks are taken in this order: the account's row of `users` (where rooms are counted), the room's row, its codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from trichat.chat.people_ports import Access
from trichat.core.accounts import MyRoom
from trichat.core.changes import Change, Changed, Enter, Quit, RoomState, Target, Verdict, fingerprint
from trichat.core.events import Person
from trichat.core.governance import (
    judge,
    no_such_room,
    permit,
)
from trichat.core.names import RoomId, RoomName, UserId
from trichat.core.standing import NOBODY, Actor, Permission, Role, Standing, is_account
from trichat.store.connection import Connection
from trichat.store.repeats import repeated_event
from trichat.store.room_lock import (
    NOW_MS,
    STANDING,
    From,
    LockedRoom,
    add_audit,
    add_event,
    governing,
    lock_room,
    new_event,
    read_standing,
    standing_of,
    standings_of,
    write_rules,
    write_standings,
)
from trichat.store.rooms import PEER, RECORD, RECORD_COLUMNS, read_peer, read_record
from trichat.store.unread import MARKER_COLUMNS, MARKER_OF_MEMBER, NO_MARKER, read_marker


def _access_statement(condition: str, *, marked: bool = False) -> str:
    marker = MARKER_OF_MEMBER if marked else NO_MARKER
    return f"""
        SELECT {RECORD}, {NOW_MS}, standings.room_id IS NOT NULL, {STANDING}, {marker}
        FROM trichat.rooms LEFT JOIN trichat.standings ON room_id = rooms.id AND user_id = %s
        WHERE {condition}
    """  # noqa: S608 (our own constants)


#: By whether what is unread is counted.
_ACCESS_BY_NAME: Final = {marked: _access_statement("rooms.name = %s", marked=marked) for marked in (False, True)}
_ACCESS_ALL: Final = _access_statement("rooms.name = ANY (%s)", marked=True)
_ACCESS_BY_ID: Final = {marked: _access_statement("rooms.id = %s", marked=marked) for marked in (False, True)}


def access(connection: Connection, name: RoomName, user_id: UserId, *, marked: bool = False) -> Access | None:
    """The room of this name and how they stand to it; see the port."""
    return _access(connection.execute(_ACCESS_BY_NAME[marked], (user_id, name)).fetchone())


def access_all(connection: Connection, names: Sequence[RoomName], user_id: UserId) -> dict[RoomName, Access]:
    """The same for many rooms, marked; those that do not exist are left out."""
    rows = connection.execute(_ACCESS_ALL, (user_id, list(names)))
    return {found.record.name: found for found in map(_access_of, rows)}


def access_by_id(connection: Connection, room_id: RoomId, user_id: UserId, *, marked: bool = False) -> Access | None:
    """The same by the room's number."""
    return _access(connection.execute(_ACCESS_BY_ID[marked], (user_id, room_id)).fetchone())


def _access(row: tuple[Any, ...] | None) -> Access | None:
    return None if row is None else _access_of(row)


def _access_of(row: tuple[Any, ...]) -> Access:
    now, stands, *standing = row[RECORD_COLUMNS:-MARKER_COLUMNS]
    return Access(
        read_record(row[:RECORD_COLUMNS]),
        read_standing(standing) if stands else NOBODY,
        now,
        read_marker(row[-MARKER_COLUMNS:]),
    )


def may_read(connection: Connection, room_id: RoomId, actor: Actor, permission: Permission) -> int:
    """The time, if `actor` may read this in the room. Raises Refusal."""
    found = access_by_id(connection, room_id, actor.user_id)
    if found is None:
        raise no_such_room()
    permit(found.record.rules, actor, found.standing, permission, now=found.now)
    return found.now


def lock_permitted(
    connection: Connection, room_id: RoomId, actor: Actor, permission: Permission
) -> tuple[LockedRoom, Standing]:
    """The locked room, in which `actor` may do this, and how they stand to it. Raises Refusal."""
    room = lock_room(connection, room_id)
    standing = standing_of(connection, room_id, actor.user_id)
    permit(room.rules, actor, standing, permission, now=room.now)
    return room, standing


# changing


class Asked(Struct, frozen=True):
    """A change that somebody asks for, perhaps about another person."""

    by: From
    change: Change
    target: Person | None = None
    cid: str | None = None

    @property
    def digest(self) -> int | None:
        """Kept with the `cid`."""
        if self.cid is None:
            return None
        return fingerprint(self.change, None if self.target is None else self.target.user_id)


def change(connection: Connection, room_id: RoomId, asked: Asked, *, patience_ms: int) -> Changed:
    """Judge and write a change; see the port."""
    with governing(connection, patience_ms):
        return change_locked(connection, lock_room(connection, room_id), asked)


def change_locked(connection: Connection, room: LockedRoom, asked: Asked) -> Changed:
    """The same in a transaction that has the room's lock."""
    actor, target = asked.by.actor, asked.target
    about = [] if target is None else [target.user_id]
    standings = standings_of(connection, room.id, [actor.user_id, *about])
    standing = standings[actor.user_id]
    before = repeated_event(connection, room, actor.user_id, standing, cid=asked.cid, digest=asked.digest)
    if before is not None:
        return Changed(before, before.seq, repeated=True, standing=standing)
    aimed = None if target is None else Target(target.user_id, target.user, standings[target.user_id])
    state = _state(connection, room, asked.change, standing)
    verdict = judge(state, actor, standing, asked.change, aimed, now=room.now)
    if verdict.kind is None:
        return Changed(None, room.record.head, repeated=False, standing=standing)
    event = new_event(room.record.head + 1, verdict.kind, actor, room.now, verdict.body, cid=asked.cid)
    add_event(connection, room.id, event, asked.digest)
    _write(connection, room, asked, verdict)
    return Changed(event, event.seq, repeated=False, standing=verdict.standings.get(actor.user_id, standing))


_COUNT_MEMBERS: Final = "SELECT count(*) FROM trichat.standings WHERE room_id = %s AND role IS NOT NULL"
_COUNT_OWNERS: Final = "SELECT count(*) FROM trichat.standings WHERE room_id = %s AND role = %s"


def _state(connection: Connection, room: LockedRoom, change: Change, standing: Standing) -> RoomState:
    """What `judge` needs of the room. Members and owners are counted only where they count: that may take a while."""
    members = owners = 0
    if isinstance(change, Enter) and (room.rules.member_limit or room.record.head == 0):
        ((members,),) = connection.execute(_COUNT_MEMBERS, (room.id,))
    if isinstance(change, Quit) and standing.role is Role.OWNER:
        ((owners,),) = connection.execute(_COUNT_OWNERS, (room.id, Role.OWNER))
    return RoomState(room.rules, room.record.head, members, owners)


_RESTRAIN_GUESTS: Final = "UPDATE trichat.rooms SET guests_restrained = true WHERE id = %s AND NOT guests_restrained"


def _write(connection: Connection, room: LockedRoom, asked: Asked, verdict: Verdict) -> None:
    actor, target = asked.by.actor, asked.target
    names = {actor.user_id: actor.user}
    if target is not None:
        names[target.user_id] = target.user
    write_standings(connection, room.id, verdict.standings, names)
    if any(restrains_guest(user_id, standing) for user_id, standing in verdict.standings.items()):
        connection.execute(_RESTRAIN_GUESTS, (room.id,))
    if verdict.rules is not None:
        write_rules(connection, room.id, verdict.rules)
    if verdict.act:
        whom = None if target is None else (target.user, target.user_id)
        add_audit(connection, asked.by, verdict.act, room.id, room.record.name, target=whom, reason=verdict.reason)


def restrains_guest(user_id: UserId, standing: Standing) -> bool:
    """Whether `append` has to look at guests' standings in this room from now on."""
    return not is_account(user_id) and bool(standing.banned_until or standing.muted_until)


# deleting, listing

_DELETE: Final = "DELETE FROM trichat.rooms WHERE id = %s"
_DROP: Final = "INSERT INTO trichat.dropped_rooms (room_id) VALUES (%s)"
_MINE: Final = f"""
    SELECT rooms.id, rooms.name, kind, title, role, last_seq, {PEER}
    FROM trichat.standings JOIN trichat.rooms ON rooms.id = room_id
    WHERE user_id = %s AND role IS NOT NULL AND rooms.name > %s
    ORDER BY rooms.name LIMIT %s
"""  # noqa: S608 (our own constants)


def delete(connection: Connection, room_id: RoomId, by: From, *, patience_ms: int) -> None:
    """The room is gone at once, its name free; its events are left for `tidying`."""
    with governing(connection, patience_ms):
        room, _ = lock_permitted(connection, room_id, by.actor, "delete")
        connection.execute(_DELETE, (room_id,))
        connection.execute(_DROP, (room_id,))
        add_audit(connection, by, "delete", room_id, room.record.name)


def my_rooms(connection: Connection, user_id: UserId, *, after: str, limit: int) -> list[MyRoom]:
    """The rooms that this account is a member of, by name."""
    return [
        MyRoom(id=room_id, room=name, kind=kind, title=title, role=Role(role), seq=seq, peer=read_peer(peer))
        for room_id, name, kind, title, role, seq, peer in connection.execute(_MINE, (user_id, after, limit))
    ]
