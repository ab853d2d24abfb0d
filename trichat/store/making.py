"""Rooms that are made by somebody. Synchronous functions of a connection; what is refused raises Refusal."""

from __future__ import annotations

from typing import Final

from trichat.chat.people_ports import Access
from trichat.core.conversation import Marker
from trichat.core.events import Person
from trichat.core.governance import (
    DIRECT_RULES,
    check_direct,
    made_body,
    name_taken,
    too_many_opened,
    too_many_owned,
    welcome_direct,
)
from trichat.core.judging import member_body
from trichat.core.names import Epoch, RoomId, RoomName
from trichat.core.standing import Actor, Role, RoomRules, Standing
from trichat.store.connection import Connection
from trichat.store.governance import access_by_id
from trichat.store.room_lock import (
    NOW_MS,
    From,
    LockedRoom,
    add_audit,
    add_event,
    governing,
    lock_room,
    new_event,
    rule_params,
    standings_of,
    write_standings,
)
from trichat.store.rooms import RECORD, RECORD_COLUMNS, read_record

_INSERT: Final = f"""
    INSERT INTO trichat.rooms (
        name, epoch, kind, title, topic, member_limit, slow_s, send_role, least_sender, history, guests, archived,
        language, retention_days
    ) VALUES (
        %(name)s, %(epoch)s, %(kind)s, %(title)s, %(topic)s, %(member_limit)s, %(slow_s)s, %(send)s, %(least)s,
        %(history)s, %(guests)s, %(archived)s, %(language)s, %(retention_days)s
    )
    ON CONFLICT (name) DO NOTHING
    RETURNING {RECORD}, {NOW_MS}
"""  # noqa: S608 (our own constants)
# who makes two rooms at once makes them one after the other, or both would count one too few
_LOCK_MAKER: Final = "SELECT FROM trichat.users WHERE id = %s FOR NO KEY UPDATE"
_COUNT_OWNED: Final = """
    SELECT count(*) FROM trichat.standings JOIN trichat.rooms ON rooms.id = room_id WHERE user_id = %s AND role = %s
"""
_COUNT_OPENED: Final = """
    SELECT count(*) FROM trichat.standings s JOIN trichat.rooms ON rooms.id = s.room_id AND rooms.kind = 'direct'
    JOIN trichat.events first ON first.room_id = s.room_id AND first.seq = 1 AND first.user_id = s.user_id
    WHERE s.user_id = %s
"""


def create(
    connection: Connection, name: RoomName, epoch: Epoch, rules: RoomRules, by: From, *, most: int, patience_ms: int
) -> Access:
    """Make a room with its first two events, unless the maker owns `most` rooms."""
    maker = by.actor
    with governing(connection, patience_ms):
        connection.execute(_LOCK_MAKER, (maker.user_id,))
        ((owned,),) = connection.execute(_COUNT_OWNED, (maker.user_id, Role.OWNER))
        if owned >= most:
            raise too_many_owned(most)
        room = _insert(connection, name, epoch, rules)
        if room is None:
            raise name_taken(name)
        standing = Standing(role=Role.OWNER, since=2)
        joined = member_body(maker.user, maker.user_id, "joined", role=Role.OWNER)
        add_event(connection, room.id, new_event(1, "room", maker, room.now, made_body(rules)))
        add_event(connection, room.id, new_event(2, "member", maker, room.now, joined))
        write_standings(connection, room.id, {maker.user_id: standing}, {maker.user_id: maker.user})
        add_audit(connection, by, "create", room.id, name)
    return Access(room.record_at(2), standing, room.now, Marker(standing.since, unread=0))


def _insert(connection: Connection, name: RoomName, epoch: Epoch, rules: RoomRules) -> LockedRoom | None:
    """A new room, which nobody else sees or locks before the transaction ends; None when there is one of this name."""
    row = connection.execute(_INSERT, {"name": name, "epoch": epoch, **rule_params(rules)}).fetchone()
    return None if row is None else LockedRoom(read_record(row[:RECORD_COLUMNS]), row[RECORD_COLUMNS])


def open_direct(
    connection: Connection, name: RoomName, epoch: Epoch, one: Actor, other: Person, *, most: int, patience_ms: int
) -> Access:
    """The direct room of the two, in which both are members afterwards; `one` may open `most` new ones."""
    check_direct(one, other)
    with governing(connection, patience_ms):
        room = _direct_room(connection, name, epoch, one, most)
        _let_both_in(connection, room, one, other)
        opened = access_by_id(connection, room.id, one.user_id)
    assert opened is not None
    return opened


def _direct_room(connection: Connection, name: RoomName, epoch: Epoch, one: Actor, most: int) -> LockedRoom:
    room_id = _find(connection, name)
    if room_id is None:
        connection.execute(_LOCK_MAKER, (one.user_id,))
        ((opened,),) = connection.execute(_COUNT_OPENED, (one.user_id,))
        if opened >= most:
            raise too_many_opened(most)
        if (made := _insert(connection, name, epoch, DIRECT_RULES)) is not None:
            return made
        room_id = _find(connection, name)  # made by the other of the two at this moment
    if room_id is None:
        raise name_taken(name)
    return lock_room(connection, room_id)


def _find(connection: Connection, name: RoomName) -> RoomId | None:
    row = connection.execute("SELECT id FROM trichat.rooms WHERE name = %s AND kind = 'direct'", (name,)).fetchone()
    return None if row is None else RoomId(row[0])


def _let_both_in(connection: Connection, room: LockedRoom, one: Actor, other: Person) -> None:
    head = room.record.head
    people = [Person(one.user, one.user_id), other]
    standings = standings_of(connection, room.id, [person.user_id for person in people])
    for person in people:
        verdict = welcome_direct(one, person, standings[person.user_id], head + 1)
        if verdict.kind is not None:
            head += 1
            add_event(connection, room.id, new_event(head, verdict.kind, one, room.now, verdict.body))
            write_standings(connection, room.id, verdict.standings, {person.user_id: person.user})
