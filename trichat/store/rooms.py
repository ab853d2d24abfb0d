"""Rooms: found, made, listed. Synchronous functions of a connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trichat.core.events import ListedRoom, Person, RoomRecord
from trichat.core.names import Epoch, RoomName, UserId
from trichat.core.standing import Role, RoomRules
from trichat.store.connection import Connection

#: The columns of a RoomRecord; `read_record` makes one of them.
RECORD: Final = """
    rooms.id, rooms.name, rooms.epoch, rooms.last_seq, rooms.kind, rooms.title, rooms.topic, rooms.member_limit,
    rooms.slow_s, rooms.send_role, rooms.history, rooms.guests, rooms.archived, rooms.guests_restrained,
    rooms.language, rooms.retention_days, rooms.first_seq
"""
RECORD_COLUMNS: Final = 17

#: Of a direct room, joined with the standing of one of its two: the present name and the id of the other one.
PEER: Final = """
    CASE WHEN rooms.kind = 'direct' THEN (
        SELECT ARRAY[coalesce((SELECT name FROM trichat.users WHERE id = o.user_id), o.name), o.user_id]
        FROM trichat.standings o WHERE o.room_id = rooms.id AND o.user_id <> standings.user_id LIMIT 1
    ) END
"""

_FIND: Final = f"SELECT {RECORD} FROM trichat.rooms WHERE name = ANY (%s)"  # noqa: S608 (our own constant)


def read_record(row: Sequence[Any]) -> RoomRecord:
    """The room of the columns RECORD."""
    room_id, name, epoch, head, kind, title, topic, member_limit, slow_s, send, history, guests, archived, *rest = row
    guests_restrained, language, retention_days, first = rest
    rules = RoomRules(
        kind=kind, title=title, topic=topic, member_limit=member_limit, slow_s=slow_s, send=Role(send),
        history=history, guests=guests, archived=archived, language=language, retention_days=retention_days,
    )  # fmt: skip
    return RoomRecord(room_id, name, epoch, head, rules, guests_restrained, first)


# in the order of names: two nodes that make the same rooms wait for each other on the unique index
_MAKE: Final = """
    INSERT INTO trichat.rooms (name, epoch)
    SELECT name, epoch FROM unnest(%s::text[], %s::text[]) AS made (name, epoch) ORDER BY name COLLATE "C"
    ON CONFLICT (name) DO NOTHING
"""


def read_peer(names: Sequence[str] | None) -> Person | None:
    """The person of the column PEER."""
    return None if names is None else Person(names[0], UserId(names[1]))


def find_rooms(connection: Connection, names: Sequence[RoomName]) -> dict[RoomName, RoomRecord]:
    """The rooms of these names that exist, in the order given."""
    rows = connection.execute(_FIND, (list(names),))
    found = {record.name: record for record in map(read_record, rows)}
    return {name: found[name] for name in names if name in found}


def open_rooms(connection: Connection, epochs: Mapping[RoomName, Epoch]) -> dict[RoomName, RoomRecord]:
    """The rooms of these names, in the order given; those that do not exist are made, with these epochs."""
    names = list(epochs)
    rooms = find_rooms(connection, names)
    if missing := [name for name in names if name not in rooms]:
        connection.execute(_MAKE, (missing, [epochs[name] for name in missing]))
        rooms = find_rooms(connection, names)
    return rooms


_LIST: Final = """
    SELECT name, last_seq, (
        SELECT count(DISTINCT p.user_id)
        FROM trichat.presence p JOIN trichat.nodes n USING (incarnation)
        WHERE p.room_id = rooms.id AND n.seen_at > now() - make_interval(secs => %(gone_s)s)
    )
    FROM trichat.rooms
    WHERE name > %(after)s AND kind = 'public'
    ORDER BY name
    LIMIT %(limit)s
"""


def list_rooms(connection: Connection, *, after: str, limit: int, gone_s: float) -> list[ListedRoom]:
    """Public rooms by name after `after`, with how many people are connected at nodes recorded in the last `gone_s`."""
    rows = connection.execute(_LIST, {"after": after, "limit": limit, "gone_s": gone_s})
    return [ListedRoom(name, members, seq) for name, seq, members in rows]
