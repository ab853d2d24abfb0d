"""Which rooms a search looks through, and from where on. Synchronous functions of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from trichat.core.errors import Refusal
from trichat.core.events import RoomRecord
from trichat.core.governance import no_such_room, permit
from trichat.core.names import RoomName
from trichat.core.standing import NOBODY, Actor
from trichat.store.connection import Connection
from trichat.store.room_lock import NOW_MS, STANDING, read_standing
from trichat.store.rooms import RECORD, RECORD_COLUMNS, read_record


class Scope(Struct, frozen=True):
    """A room that is searched: what the viewer may see of it begins at `first`; up to `indexed` it is in the index."""

    record: RoomRecord
    first: int
    indexed: int

    @property
    def tail(self) -> int:
        """How many events are not in the index."""
        return max(0, self.record.head - max(self.indexed, self.first - 1))


_ROOMS: Final = f"""
    SELECT {RECORD}, i.seq, i.language = rooms.language, {NOW_MS}, s.room_id IS NOT NULL, {STANDING}
    FROM trichat.rooms
    LEFT JOIN trichat.standings s ON s.room_id = rooms.id AND s.user_id = %(user_id)s
    LEFT JOIN trichat.indexed i ON i.room_id = rooms.id
    WHERE rooms.name = ANY (%(names)s)
"""  # noqa: S608 (our own constants)
_MY_ROOMS: Final = f"""
    SELECT {RECORD}, i.seq, i.language = rooms.language, {NOW_MS}, true, {STANDING}
    FROM trichat.standings s
    JOIN trichat.rooms ON rooms.id = s.room_id
    LEFT JOIN trichat.indexed i ON i.room_id = rooms.id
    WHERE s.user_id = %(user_id)s AND s.role IS NOT NULL
    LIMIT %(most)s + 1
"""  # noqa: S608 (our own constants)


def scopes_of(connection: Connection, viewer: Actor, rooms: Sequence[RoomName] | None, *, most: int) -> list[Scope]:
    """The rooms that are to be searched, and in which there is something for the viewer. Raises Refusal."""
    if rooms is None:
        rows = connection.execute(_MY_ROOMS, {"user_id": viewer.user_id, "most": most}).fetchall()
        if len(rows) > most:
            raise Refusal("limit_reached", f"you are in more than {most} rooms; say in which: in:lobby", field="text")
    else:
        rows = connection.execute(_ROOMS, {"user_id": viewer.user_id, "names": list(rooms)}).fetchall()
        if len(rows) < len(set(rooms)):
            raise no_such_room()
    scopes = [_scope(row, viewer) for row in rows]
    return [scope for scope in scopes if scope.first <= scope.record.head]


def _scope(row: tuple[Any, ...], viewer: Actor) -> Scope:
    record = read_record(row[:RECORD_COLUMNS])
    indexed, as_now, now, stands, *standing_columns = row[RECORD_COLUMNS:]
    standing = read_standing(standing_columns) if stands else NOBODY
    permit(record.rules, viewer, standing, "read", now=now)
    first = max(standing.first_readable(record.rules), record.first)
    # of a room whose language has changed the index is made anew, from its beginning
    return Scope(record, first, indexed if as_now else 0)
