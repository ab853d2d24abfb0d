"""All that `trichat doctor` compares of a room, read page by page. Synchronous functions of one connection.

They are calls in one transaction (`begin` starts it): repeatable read and read only, so that all of them see the same
moment while the chat goes on. Each page is found by an index, and costs what it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from trichat.core.doctor import LogEntry, RoomFigures, TableRow
from trichat.core.doctor.examined import Table
from trichat.core.names import RoomId, RoomName
from trichat.store.connection import Connection

#: Events, or rows, of one page.
PORTION: Final = 5_000

_ROOM: Final = """
    SELECT id, name, last_seq, last_no, last_message, first_seq, first_no,
        coalesce((SELECT seq FROM trichat.indexed WHERE room_id = id), 0)
    FROM trichat.rooms WHERE name = %s
"""


def begin(connection: Connection, name: RoomName) -> RoomFigures | None:
    """Begin the transaction, which ends with the connection; the room's figures, None when there is no such room."""
    connection.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    # pages in the order of an index, also where a new table has no statistics
    connection.execute("SET LOCAL enable_seqscan = off")
    connection.execute("SET LOCAL enable_bitmapscan = off")
    row = connection.execute(_ROOM, (name,)).fetchone()
    return None if row is None else RoomFigures(*row)


_LOG: Final = """
    SELECT seq, kind, user_id, user_name, floor(extract(epoch FROM ts) * 1000)::bigint, body::text, no, target, thread,
        thread_no, coalesce(rev, 0), floor(extract(epoch FROM edited) * 1000)::bigint, deleted
    FROM trichat.events WHERE room_id = %s AND seq > %s ORDER BY seq LIMIT %s
"""


def read_log(connection: Connection, room_id: RoomId, after: int, portion: int) -> list[LogEntry]:
    """The next `portion` events after `after`, those too that should be gone."""
    rows = connection.execute(_LOG, (room_id, after, portion))
    return [
        LogEntry(seq, kind, user_id, user, ts, body.encode(), no, *rest)
        for seq, kind, user_id, user, ts, body, no, *rest in rows
    ]


class Side(Struct, frozen=True):
    """A table beside the log: the columns of its key (behind the room's), the least key, what else it says."""

    table: Table
    name: str
    keys: tuple[str, ...]
    least: tuple[int | str, ...]
    values: tuple[str, ...] = ()

    @property
    def statement(self) -> bytes:
        """The next rows of a room after a key."""
        keys, marks = ", ".join(self.keys), ", ".join(["%s"] * len(self.keys))
        columns = ", ".join((*self.keys, *self.values))
        return (
            f"SELECT {columns} FROM trichat.{self.name} WHERE room_id = %s AND ({keys}) > ({marks})"  # noqa: S608
            f" ORDER BY {keys} LIMIT %s"
        ).encode()


_BEFORE_ALL: Final = -1
SIDES: Final = (
    Side("reactions", "reactions", ("seq", "emoji", "user_id"), (_BEFORE_ALL, "", "")),
    Side("pins", "pins", ("seq",), (_BEFORE_ALL,), ("pin",)),
    Side("threads", "threads", ("root",), (_BEFORE_ALL,), ("last_no", "last_seq")),
    Side("revisions", "revisions", ("seq", "rev"), (_BEFORE_ALL, _BEFORE_ALL)),
    Side("mentions", "mentions", ("seq", "user_id"), (_BEFORE_ALL, "")),
    Side("follows", "follows", ("root", "user_id"), (_BEFORE_ALL, ""), ("read_seq", "read_no")),
    Side("markers", "standings", ("user_id",), ("",), ("read_seq", "read_no")),
)


def read_side(
    connection: Connection, room_id: RoomId, side: Side, after: Sequence[int | str], portion: int
) -> list[TableRow]:
    """The next `portion` rows of the room in this table, behind the key `after`."""
    count = len(side.keys)
    rows: list[tuple[Any, ...]] = connection.execute(side.statement, (room_id, *after, portion)).fetchall()
    return [TableRow(side.table, row[:count], row[count:]) for row in rows]


_INDEX: Final = "SELECT seq FROM trichat.search WHERE room_id = %s AND seq > %s ORDER BY seq LIMIT %s"


def read_index(connection: Connection, room_id: RoomId, after: int, portion: int) -> list[int]:
    """The next `portion` messages of the room that are in the index of the search."""
    return [seq for (seq,) in connection.execute(_INDEX, (room_id, after, portion))]
