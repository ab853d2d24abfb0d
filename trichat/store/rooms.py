"""Rooms: found, made, listed. Synchronous functions of a connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from trichat.core.events import ListedRoom, RoomRecord
from trichat.core.names import Epoch, RoomName
from trichat.store.connection import Connection

_FIND: Final = "SELECT id, name, epoch, last_seq FROM trichat.rooms WHERE name = ANY (%s)"

# in the order of names: two nodes that make the same rooms wait for each other on the unique index
_MAKE: Final = """
    INSERT INTO trichat.rooms (name, epoch)
    SELECT name, epoch FROM unnest(%s::text[], %s::text[]) AS made (name, epoch) ORDER BY name COLLATE "C"
    ON CONFLICT (name) DO NOTHING
"""


def find_rooms(connection: Connection, names: Sequence[RoomName]) -> dict[RoomName, RoomRecord]:
    """The rooms of these names that exist, in the order given."""
    rows = connection.execute(_FIND, (list(names),))
    found = {name: RoomRecord(room_id, name, epoch, head) for room_id, name, epoch, head in rows}
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
    WHERE name > %(after)s
    ORDER BY name
    LIMIT %(limit)s
"""


def list_rooms(connection: Connection, *, after: str, limit: int, gone_s: float) -> list[ListedRoom]:
    """Rooms by name after `after`, with how many people are connected at nodes recorded in the last `gone_s`."""
    rows = connection.execute(_LIST, {"after": after, "limit": limit, "gone_s": gone_s})
    return [ListedRoom(name, members, seq) for name, seq, members in rows]
